#include "gitcache/base/summed.h"

#include <stdio.h>
#include <string.h>

#include "gitcache/base/oid.h"
#include "gitcache/base/sha1.h"

void summed_line(const char *text, size_t length, char line[SUMMED_LINE_SIZE + 1])
{
    char hex[OID_HEX_SIZE];
    struct oid sum;

    sha1_of(text, length, sum.id);
    snprintf(line, SUMMED_LINE_SIZE + 1, "sum %s\n", oid_format(&sum, hex));
}

bool summed_check(const char *text, size_t *length)
{
    char line[SUMMED_LINE_SIZE + 1];
    size_t before = *length - SUMMED_LINE_SIZE;

    if (*length <= SUMMED_LINE_SIZE || text[before - 1] != '\n')
        return false;
    summed_line(text, before, line);
    if (memcmp(text + before, line, SUMMED_LINE_SIZE) != 0)
        return false;
    *length = before;
    return true;
}
