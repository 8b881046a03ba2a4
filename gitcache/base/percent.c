#include "gitcache/base/percent.h"

#include "gitcache/base/hex.h"

/* The byte that an escape stands for; 0: none that a string can hold. */
static char byte_of(const char *escape, size_t left)
{
    int high = left >= 3 ? hex_value(escape[1]) : -1;
    int low = high < 0 ? -1 : hex_value(escape[2]);

    return low < 0 ? 0 : (char)(high << 4 | low);
}

bool percent_decode(char *out, const char *text, size_t length)
{
    bool whole = true;

    for (size_t i = 0; i < length; i++) {
        char byte = text[i] == '%' ? byte_of(text + i, length - i) : text[i];
        if (byte && text[i] == '%')
            i += 2;
        whole = whole && byte;
        *out++ = byte ? byte : text[i];
    }
    *out = '\0';
    return whole;
}
