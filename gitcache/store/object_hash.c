#include "gitcache/store/object_hash.h"

#include <stdio.h>
#include <string.h>

#include "gitcache/base/sha1.h"

bool object_hash_fits(const git_oid *id, git_object_t type, const void *bytes, size_t size)
{
    unsigned char sum[SHA1_SIZE];
    struct sha1 sha1;
    char header[40];
    int length = snprintf(header, sizeof header, "%s %zu", git_object_type2string(type), size);

    sha1_begin(&sha1);
    sha1_add(&sha1, header, (size_t)length + 1); /* with the NUL */
    sha1_add(&sha1, bytes, size);
    sha1_end(&sha1, sum);
    return memcmp(sum, id->id, sizeof sum) == 0;
}
