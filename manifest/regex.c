/* regex.c - see regex.h. */
#include "manifest/regex.h"

#include <oniguruma.h>
#include <stdio.h>
#include <string.h>

_Static_assert(REGEX_WHY_SIZE >= ONIG_MAX_ERROR_MESSAGE_LEN, "a reason must fit");

bool regex_is_valid(const char *pattern, char why[REGEX_WHY_SIZE])
{
    size_t length = strlen(pattern);
    if (length > REGEX_MAX) {
        snprintf(why, REGEX_WHY_SIZE, "it is longer than %d bytes", REGEX_MAX);
        return false;
    }
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1); /* does nothing but for the first time */
    const OnigUChar *start = (const OnigUChar *)pattern;
    OnigErrorInfo info = {0};
    regex_t *compiled = NULL;
    int r = onig_new(&compiled, start, start + length, ONIG_OPTION_NONE, ONIG_ENCODING_UTF8,
                     ONIG_SYNTAX_RUBY, &info);
    if (r != ONIG_NORMAL) {
        onig_error_code_to_str((OnigUChar *)why, r, &info);
        return false;
    }
    onig_free(compiled);
    return true;
}
