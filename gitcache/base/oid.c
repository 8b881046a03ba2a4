#include "gitcache/base/oid.h"

#include <string.h>

#include "gitcache/base/hex.h"

bool oid_parse(struct oid *out, const char *hex, size_t length)
{
    struct oid oid;

    if (length < OID_HEX)
        return false;
    for (size_t i = 0; i < OID_SIZE; i++) {
        int high = hex_value(hex[2 * i]), low = high < 0 ? -1 : hex_value(hex[2 * i + 1]);
        if (low < 0)
            return false;
        oid.id[i] = (unsigned char)(high << 4 | low);
    }
    *out = oid;
    return true;
}

char *oid_format(const struct oid *oid, char buffer[OID_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < OID_SIZE; i++) {
        buffer[2 * i] = digits[oid->id[i] >> 4];
        buffer[2 * i + 1] = digits[oid->id[i] & 15];
    }
    buffer[OID_HEX] = '\0';
    return buffer;
}

bool oid_equal(const struct oid *a, const struct oid *b)
{
    return memcmp(a->id, b->id, OID_SIZE) == 0;
}

bool oid_is_zero(const struct oid *oid)
{
    static const struct oid zero;
    return oid_equal(oid, &zero);
}

bool oid_is_abbreviation(const char *text, size_t length)
{
    if (length < OID_ABBREV || length > OID_HEX)
        return false;
    for (size_t i = 0; i < length; i++)
        if (hex_value(text[i]) < 0)
            return false;
    return true;
}
