/* Character sets of text. */
#include "core/number.h"

/* Size of the well-formed sequence at p (RFC 3629: shortest form, no surrogates), or 0. */
static uint32_t sequence(const uint8_t *p, uint32_t n)
{
    if (p[0] < 0x80)
        return 1;
    uint32_t size = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || n < size)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (uint32_t i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

static bool utf8(struct assay_span s)
{
    for (uint32_t at = 0, n; at < s.n; at += n)
        if (!(n = sequence(s.p + at, s.n - at)))
            return false;
    return true;
}

static bool ascii(struct assay_span s)
{
    uint8_t all = 0;
    for (uint32_t i = 0; i < s.n; i++)
        all |= s.p[i];
    return all < 0x80;
}

bool assay_charset_holds(enum assay_charset charset, struct assay_span text)
{
    switch (charset) {
    case ASSAY_CS_BYTES:
        return true;
    case ASSAY_CS_ASCII:
        return ascii(text);
    case ASSAY_CS_UTF8:
        return utf8(text);
    }
    return false;
}
