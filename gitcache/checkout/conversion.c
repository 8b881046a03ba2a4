#include "gitcache/checkout/conversion.h"

enum { EOL_MASK = 3, IDENT_BIT = 4, ONE_PIECE_BIT = 8, ENCODING_BIT = 16 };

uint8_t conversion_pack(const struct conversion *conversion)
{
    unsigned packed = conversion->eol;

    if (conversion->ident)
        packed |= IDENT_BIT | (conversion->in_one_piece ? ONE_PIECE_BIT : 0);
    if (conversion->encoding)
        packed |= ENCODING_BIT;
    return (uint8_t)packed;
}

bool conversion_is_cheap(uint8_t packed)
{
    return (packed & ~EOL_MASK) == 0;
}

bool conversion_unpack(struct conversion *out, uint8_t packed)
{
    *out = (struct conversion){
        .eol = packed & EOL_MASK,
        .ident = packed & IDENT_BIT,
        .in_one_piece = packed & ONE_PIECE_BIT,
    };
    return !(packed & ENCODING_BIT);
}
