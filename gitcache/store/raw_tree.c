#include "gitcache/store/raw_tree.h"

#include <string.h>
#include <sys/stat.h>

static bool parse_mode(const char *digits, size_t length, uint32_t *out)
{
    if (length == 0 || length > 7)
        return false;
    *out = 0;
    for (size_t i = 0; i < length; i++) {
        if (digits[i] < '0' || digits[i] > '7')
            return false;
        *out = *out << 3 | (uint32_t)(digits[i] - '0');
    }
    return true;
}

int raw_tree_next(struct raw_tree *tree, struct raw_entry *out)
{
    size_t left = (size_t)(tree->end - tree->at);
    const char *space, *nul;

    if (left == 0)
        return 0;
    space = memchr(tree->at, ' ', left);
    nul = memchr(tree->at, '\0', left);
    if (!space || !nul || space > nul || tree->end - nul <= OID_SIZE ||
        !parse_mode(tree->at, (size_t)(space - tree->at), &out->mode))
        return -1;
    out->name = space + 1;
    out->name_length = (size_t)(nul - out->name);
    memcpy(out->oid.id, nul + 1, OID_SIZE);
    tree->at = nul + 1 + OID_SIZE;
    return 1;
}

bool raw_tree_mode_is_tree(uint32_t mode)
{
    return S_ISDIR(mode);
}

bool raw_tree_mode_is_symlink(uint32_t mode)
{
    return S_ISLNK(mode);
}

bool raw_tree_mode_is_file(uint32_t mode)
{
    return S_ISREG(mode);
}
