/* The candy protocol by hand: line mode only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/hand.h"

static size_t put_number(uint8_t *out, int64_t value)
{
    char digits[24];
    size_t n = 0, k = 0;
    uint64_t left = value < 0 ? (uint64_t)-value : (uint64_t)value;
    do
        digits[n++] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        out[k++] = '-';
    while (n > 0)
        out[k++] = (uint8_t)digits[--n];
    out[k++] = '\n';
    return k;
}

static size_t answer(const uint8_t *line, size_t n, uint8_t *out)
{
    static const char error[] = "error: malformed order\n";
    int64_t count = 0;
    size_t i = 2;
    int negative = n > 2 && line[2] == '-';
    for (i += (size_t)negative; i < n && line[i] >= '0' && line[i] <= '9' && count < INT32_MAX; i++)
        count = count * 10 + (line[i] - '0');
    count = negative ? -count : count;
    if (n >= 3 && i == n && line[1] == ' ' && count >= INT32_MIN && count <= INT32_MAX) {
        if (line[0] == 's' && count * count <= INT32_MAX)
            return put_number(out, count * count);
        if (line[0] == 'b' && count <= 32)
            return put_number(out, count < 2 ? 0 : (INT64_C(1) << (count - 1)) - 1);
        if (line[0] == 'd')
            return put_number(out, 12);
    }
    memcpy(out, error, sizeof error - 1);
    return sizeof error - 1;
}

static long handle(struct hand_session *s, const uint8_t *p, size_t n, uint8_t *out, size_t *out_n)
{
    size_t used = 0;
    const uint8_t *end;
    (void)s;
    while (*out_n < HAND_BUFFER - 64 && (end = memchr(p + used, '\n', n - used))) {
        *out_n += answer(p + used, (size_t)(end - (p + used)), out + *out_n);
        used = (size_t)(end - p) + 1;
    }
    return (long)used;
}

int main(void)
{
    return hand_serve(handle, NULL);
}
