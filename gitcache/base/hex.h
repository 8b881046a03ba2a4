/* hex.h - the value of a hex digit. */
#ifndef GITCACHE_BASE_HEX_H
#define GITCACHE_BASE_HEX_H

/* 0 to 15, of either case; -1 for what is no hex digit. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

#endif
