/* Sums over bytes. A sum is made piece by piece, so that the field that holds it can be passed over. */
#include "core/sums.h"

#include "core/fields.h"

/* ---- tables ------------------------------------------------------------ */

/* A CRC is linear: the entry of a byte is the exclusive or of those of its bits, `a` to `h` from the lowest on. */
#define BIT(i, b, x) (((i) >> (b)&1u) ? (x) : 0u)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                                               \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ BIT(i, 6, g) ^          \
     BIT(i, 7, h))
#define X4(i, ...)                                                                                                     \
    ENTRY(i, __VA_ARGS__), ENTRY(i + 1u, __VA_ARGS__), ENTRY(i + 2u, __VA_ARGS__), ENTRY(i + 3u, __VA_ARGS__)
#define X16(i, ...) X4(i, __VA_ARGS__), X4(i + 4u, __VA_ARGS__), X4(i + 8u, __VA_ARGS__), X4(i + 12u, __VA_ARGS__)
#define X64(i, ...) X16(i, __VA_ARGS__), X16(i + 16u, __VA_ARGS__), X16(i + 32u, __VA_ARGS__), X16(i + 48u, __VA_ARGS__)
#define X256(...)                                                                                                      \
    {                                                                                                                  \
        X64(0u, __VA_ARGS__), X64(64u, __VA_ARGS__), X64(128u, __VA_ARGS__), X64(192u, __VA_ARGS__)                    \
    }

/* CRC-32C, polynomial 0x1edc6f41 reflected. Table k: a byte with k bytes of zeros behind it, so that 8 bytes go at a
 * time. */
static const uint32_t crc32c_tables[8][256] = {
    X256(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78),
    X256(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604, 0xfbc3faf9),
    X256(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9, 0x8b277743),
    X256(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7, 0x52a0c93f),
    X256(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae, 0x6ea2d55c),
    X256(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb, 0x1c08b7d6),
    X256(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a, 0xf56e0ef4),
    X256(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32, 0x34019664),
};

/* CRC-16/ARC, polynomial 0x8005 reflected. */
static const uint16_t crc16_table[256] = X256(0xc0c1, 0xc181, 0xc301, 0xc601, 0xcc01, 0xd801, 0xf001, 0xa001);

/* ---- kinds ------------------------------------------------------------- */

static inline uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t crc32c(uint32_t crc, const uint8_t *p, uint32_t n, uint32_t at)
{
    const uint32_t(*t)[256] = crc32c_tables;
    (void)at;
    for (; n >= 8; n -= 8, p += 8) {
        uint32_t x = crc ^ load32(p), y = load32(p + 4);
        crc = t[7][x & 0xff] ^ t[6][x >> 8 & 0xff] ^ t[5][x >> 16 & 0xff] ^ t[4][x >> 24] ^ t[3][y & 0xff] ^
              t[2][y >> 8 & 0xff] ^ t[1][y >> 16 & 0xff] ^ t[0][y >> 24];
    }
    for (; n; n--, p++)
        crc = crc >> 8 ^ t[0][(crc ^ *p) & 0xff];
    return crc;
}

static uint32_t crc16(uint32_t crc, const uint8_t *p, uint32_t n, uint32_t at)
{
    (void)at;
    for (; n; n--, p++)
        crc = crc >> 8 ^ crc16_table[(crc ^ *p) & 0xff];
    return crc;
}

/* Words of 16 bits, the byte at an even place in the high half, with carries added at the low end. */
static uint32_t inet16(uint32_t sum, const uint8_t *p, uint32_t n, uint32_t at)
{
    uint64_t total = sum;
    for (uint32_t i = 0; i < n; i++)
        total += (uint32_t)p[i] << ((at + i) & 1 ? 0 : 8);
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return (uint32_t)total;
}

static uint32_t sum8(uint32_t sum, const uint8_t *p, uint32_t n, uint32_t at)
{
    (void)at;
    for (uint32_t i = 0; i < n; i++)
        sum += p[i];
    return sum;
}

static const struct kind {
    uint32_t (*more)(uint32_t state, const uint8_t *p, uint32_t n, uint32_t at);
    unsigned bits;
    uint32_t start, flip; /* what the state begins with, and what is inverted at the end */
} kinds[] = {
    [ASSAY_SUM_CRC32C] = {crc32c, 32, 0xffffffff, 0xffffffff},
    [ASSAY_SUM_CRC16] = {crc16, 16, 0, 0},
    [ASSAY_SUM_INET16] = {inet16, 16, 0, 0xffff},
    [ASSAY_SUM_SUM8] = {sum8, 8, 0, 0},
};

unsigned assay_sum_bits(unsigned kind)
{
    return kind < sizeof kinds / sizeof *kinds ? kinds[kind].bits : 0;
}

static uint32_t finish(const struct kind *kind, uint32_t state)
{
    return (state ^ kind->flip) & (uint32_t)(((uint64_t)1 << kind->bits) - 1);
}

uint32_t assay_sum_of(enum assay_sum which, struct assay_span s)
{
    const struct kind *kind = &kinds[which];
    return finish(kind, kind->more(kind->start, s.p, s.n, 0));
}

uint32_t assay_sum_around(enum assay_sum which, struct assay_span s, uint32_t at, uint32_t n)
{
    static const uint8_t zeros[8];
    const struct kind *kind = &kinds[which];
    uint32_t state = kind->more(kind->start, s.p, at, 0);
    state = kind->more(state, zeros, n, at);
    return finish(kind, kind->more(state, s.p + at + n, s.n - at - n, at + n));
}

/* ---- frames ------------------------------------------------------------ */

void assay_sum_write(const struct assay_field *f, uint8_t *bytes, uint32_t n, uint32_t at)
{
    uint32_t width = f->bits / 8u, sum = assay_sum_around(f->sum, (struct assay_span){bytes, n}, at, width);
    for (uint32_t i = 0; i < width; i++) {
        uint32_t place = f->flags & ASSAY_F_LITTLE ? i : width - 1 - i;
        bytes[at + place] = (uint8_t)(i < 4 ? sum >> 8 * i & 0xff : 0);
    }
}

bool assay_sum_again(struct assay_env *env, uint16_t index, uint8_t *bytes, uint32_t n)
{
    struct assay_range fields = env->model->frames[index].fields;
    struct assay_reader r = {.p = bytes, .n = n, .sums = ASSAY_SUMS_IGNORED};
    env->known = 0;
    env->frame = bytes;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        assay_val v;
        if (f->present != ASSAY_NONE && !assay_holds(env, f->present))
            continue;
        if (assay_read_field(env, f, &r, &v) != ASSAY_READ)
            return false;
        assay_slot_set(env, f->slot, v);
        if (f->sum) {
            assay_sum_write(f, bytes, n, r.pos - f->bits / 8u);
            return true;
        }
    }
    return false;
}
