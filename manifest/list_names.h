/* list_names.h - the names under which the services show the manifests of a whole list. Private to manifest/.
 *
 * They show "Language, Framework" if every manifest has both pairs and all these names differ; else every one of them by its
 * display_name. */
#ifndef MANIFEST_LIST_NAMES_H
#define MANIFEST_LIST_NAMES_H

#include "manifest/manifest.h"

/* Finds display names that stand twice: an error. */
void list_names_check_own(struct manifest_list *list);

/* Finds what makes the services show all display names though some manifest has pairs: a warning, with `strict` an error. */
void list_names_check_pairs(struct manifest_list *list);

#endif
