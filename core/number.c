#include "core/number.h"

bool assay_is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static struct assay_span skip_space(struct assay_span s)
{
    while (s.n && assay_is_space(*s.p))
        s = (struct assay_span){s.p + 1, s.n - 1};
    return s;
}

/* The digits at the start of s as a number of the given sign; returns how many, 0 if it does not fit. */
static uint32_t digits(struct assay_span s, bool negative, int64_t *value)
{
    int64_t v = 0;
    uint32_t i = 0;
    for (; i < s.n && is_digit(s.p[i]); i++) {
        int64_t d = s.p[i] - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, negative ? -d : d, &v))
            return 0;
    }
    *value = v;
    return i;
}

bool assay_parse_decimal(struct assay_span s, bool sign, unsigned loose, int64_t *value)
{
    if (loose & ASSAY_LOOSE_SPACE)
        s = skip_space(s);
    bool negative = sign && s.n && *s.p == '-';
    bool plus = (loose & ASSAY_LOOSE_PLUS) && s.n && *s.p == '+';
    if (negative || plus)
        s = (struct assay_span){s.p + 1, s.n - 1};
    uint32_t n = digits(s, negative, value);
    if (n == 0 || (n != s.n && !(loose & ASSAY_LOOSE_TAIL)))
        return false;
    if (loose & ASSAY_LOOSE_ZEROS)
        return true;
    return *s.p != '0' || (n == 1 && !negative);
}

static int hex_digit(uint8_t c)
{
    if (is_digit(c))
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool assay_parse_hex(struct assay_span s, unsigned loose, int64_t *value)
{
    if (loose & ASSAY_LOOSE_SPACE)
        s = skip_space(s);
    uint64_t v = 0;
    uint32_t i = 0;
    for (; i < s.n && hex_digit(s.p[i]) >= 0; i++) {
        if (v >> 60)
            return false;
        v = v << 4 | (uint64_t)hex_digit(s.p[i]);
    }
    *value = (int64_t)v;
    if (i == 0 || (i != s.n && !(loose & ASSAY_LOOSE_TAIL)))
        return false;
    return (loose & ASSAY_LOOSE_ZEROS) || *s.p != '0' || i == 1;
}

uint32_t assay_format_decimal(int64_t value, uint8_t *out)
{
    uint8_t text[ASSAY_DECIMAL_MAX];
    uint32_t at = sizeof text, n = 0;
    uint64_t v = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do
        text[--at] = (uint8_t)('0' + v % 10);
    while (v /= 10);
    if (value < 0)
        text[--at] = '-';
    while (at < sizeof text)
        out[n++] = text[at++];
    return n;
}

uint32_t assay_format_hex(uint64_t value, uint8_t *out)
{
    int shift = 60;
    uint32_t n = 0;
    while (shift > 0 && !(value >> shift))
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        out[n++] = (uint8_t) "0123456789abcdef"[value >> shift & 15];
    return n;
}

int64_t assay_load_item(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return (int64_t)v;
}

void assay_store_item(uint8_t *p, int64_t value)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)((uint64_t)value >> (8 * i));
}
