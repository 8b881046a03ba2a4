/* regex.c - see regex.h. */
#include "manifest/regex.h"

#include <oniguruma.h>
#include <stdio.h>
#include <string.h>

#include "manifest/regex_ruby.h"

_Static_assert(REGEX_WHY_SIZE >= ONIG_MAX_ERROR_MESSAGE_LEN, "a reason must fit");

/* Oniguruma's idea of Ruby's syntax, less what it took up since Ruby's engine parted from it. */
static OnigSyntaxType ruby_syntax(void)
{
    OnigSyntaxType syntax = *ONIG_SYNTAX_RUBY;
    syntax.behavior &= ~ONIG_SYN_VARIABLE_LEN_LOOK_BEHIND; /* refuse (?<=a+) */
    syntax.op2 |= ONIG_SYN_OP2_PLUS_POSSESSIVE_INTERVAL;   /* refuse a{3,1} */
    return syntax;
}

bool regex_is_valid(const char *pattern, char why[REGEX_WHY_SIZE])
{
    char rewritten[REGEX_RUBY_ROOM(REGEX_MAX)];
    if (strlen(pattern) > REGEX_MAX) {
        snprintf(why, REGEX_WHY_SIZE, "it is longer than %d bytes", REGEX_MAX);
        return false;
    }
    const char *fault = regex_ruby_rewrite(pattern, rewritten);
    if (fault) {
        snprintf(why, REGEX_WHY_SIZE, "%s", fault);
        return false;
    }
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1); /* does nothing but for the first time */
    const OnigUChar *start = (const OnigUChar *)rewritten;
    OnigSyntaxType syntax = ruby_syntax();
    OnigErrorInfo info = {0};
    regex_t *compiled = NULL;
    int r = onig_new(&compiled, start, start + strlen(rewritten), ONIG_OPTION_NONE,
                     ONIG_ENCODING_UTF8, &syntax, &info);
    if (r != ONIG_NORMAL) {
        onig_error_code_to_str((OnigUChar *)why, r, &info);
        return false;
    }
    onig_free(compiled);
    return true;
}
