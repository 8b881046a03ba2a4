#include "gitcache/base/refname.h"

#include <limits.h>
#include <string.h>

static bool character_is_allowed(unsigned char c)
{
    return c > ' ' && c != 0x7f && !strchr("~^:?*[\\", c);
}

/* One part between slashes. It becomes a folder, so NAME_MAX bounds it too. */
static bool part_is_valid(const char *part, size_t length)
{
    static const char lock[] = ".lock";
    const size_t lock_length = sizeof lock - 1;

    if (length == 0 || length > NAME_MAX || part[0] == '.')
        return false;
    return length < lock_length || memcmp(part + length - lock_length, lock, lock_length) != 0;
}

bool refname_is_valid(const char *name, size_t length)
{
    size_t start = 0;

    if (length == 0 || length >= PATH_MAX / 2 || name[length - 1] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        char next = i + 1 < length ? name[i + 1] : '\0';

        if (!character_is_allowed((unsigned char)name[i]))
            return false;
        if ((name[i] == '.' && next == '.') || (name[i] == '@' && next == '{'))
            return false;
        if (name[i] == '/') {
            if (!part_is_valid(name + start, i - start))
                return false;
            start = i + 1;
        }
    }
    return part_is_valid(name + start, length - start);
}
