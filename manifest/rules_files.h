/* rules_files.h - the rules about the names of files, for the table in rules.c. */
#ifndef MANIFEST_RULES_FILES_H
#define MANIFEST_RULES_FILES_H

#include "manifest/check.h"

void rules_files_visible_filenames(struct check *check, const struct value *value);
void rules_files_highlight_filenames(struct check *check, const struct value *value);
void rules_files_rag_lambda(struct check *check, const struct value *value);

#endif
