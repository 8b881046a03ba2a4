/* ruby_json.h - writes JSON as Ruby's JSON.generate does: no white space, UTF-8 and '/' as they are,
 * control characters as \b \f \n \r \t or \u001f. Numbers stay as they were written. Pure but for
 * memory: a failure shows in ferror or fclose of the stream. */
#ifndef FS_SERVICE_RUBY_JSON_H
#define FS_SERVICE_RUBY_JSON_H

#include <stdio.h>

#include "fs/service/json_text.h"

/* Writes a string. What is not UTF-8 becomes U+FFFD, byte by byte. */
void ruby_json_string(FILE *out, const char *bytes, size_t length);

/* Writes a value again; `value` is a span of checked text. 0 or -ENOMEM. */
int ruby_json_value(FILE *out, struct json_span value);

#endif
