/* regex_ruby.h - where Ruby's regular expressions and Oniguruma's differ. Pure.
 *
 * Ruby's engine (Onigmo) parted from Oniguruma long ago, and Ruby itself decodes some escapes
 * before the engine sees them. So a pattern is first rewritten to one that Oniguruma accepts
 * exactly if Ruby accepts the original; the rewritten one need not match the same.
 */
#ifndef MANIFEST_REGEX_RUBY_H
#define MANIFEST_REGEX_RUBY_H

#include <stddef.h>

/* Writes the rewritten pattern, with a NUL, to out, which has room for
 * REGEX_RUBY_ROOM(strlen(pattern)) bytes. Returns NULL, or what is wrong with an escape, in Ruby's
 * words. */
#define REGEX_RUBY_ROOM(length) ((length)*6 + 1)
const char *regex_ruby_rewrite(const char *pattern, char *out);

#endif
