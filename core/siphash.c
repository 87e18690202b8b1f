#include "core/siphash.h"

static inline uint64_t turn(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int n)
{
    for (; n; n--) {
        v[0] += v[1], v[1] = turn(v[1], 13) ^ v[0], v[0] = turn(v[0], 32);
        v[2] += v[3], v[3] = turn(v[3], 16) ^ v[2];
        v[0] += v[3], v[3] = turn(v[3], 21) ^ v[0];
        v[2] += v[1], v[1] = turn(v[1], 17) ^ v[2], v[2] = turn(v[2], 32);
    }
}

static void take_word(struct assay_siphash *h, uint64_t word)
{
    h->v[3] ^= word;
    rounds(h->v, 2);
    h->v[0] ^= word;
}

void assay_siphash_begin(struct assay_siphash *h, const uint64_t key[2])
{
    h->v[0] = key[0] ^ 0x736f6d6570736575;
    h->v[1] = key[1] ^ 0x646f72616e646f6d ^ 0xee;
    h->v[2] = key[0] ^ 0x6c7967656e657261;
    h->v[3] = key[1] ^ 0x7465646279746573;
    h->tail = h->n = 0;
}

void assay_siphash_take(struct assay_siphash *h, const void *bytes, uint32_t n)
{
    const uint8_t *p = bytes;
    for (uint32_t i = 0; i < n; i++) {
        h->tail |= (uint64_t)p[i] << 8 * (h->n & 7);
        if ((++h->n & 7) == 0) {
            take_word(h, h->tail);
            h->tail = 0;
        }
    }
}

void assay_siphash_number(struct assay_siphash *h, uint64_t number)
{
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    assay_siphash_take(h, bytes, 8);
}

static void put_half(uint8_t *out, const uint64_t v[4])
{
    uint64_t word = v[0] ^ v[1] ^ v[2] ^ v[3];
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(word >> 8 * i);
}

void assay_siphash_end(struct assay_siphash *h, uint8_t out[ASSAY_SIPHASH_SIZE])
{
    take_word(h, h->tail | h->n << 56);
    h->v[2] ^= 0xee;
    rounds(h->v, 4);
    put_half(out, h->v);
    h->v[1] ^= 0xdd;
    rounds(h->v, 4);
    put_half(out + 8, h->v);
}
