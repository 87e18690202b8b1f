#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/fields.h"
#include "core/sums.h"
#include "core/tests/shapes.h"

#define SUM(kind, s) assay_sum_of(ASSAY_SUM_##kind, (struct assay_span){(const uint8_t *)(s), sizeof(s) - 1})

static const uint8_t digits[] = "123456789";

static void check_values(void **state)
{
    (void)state;
    assert_int_equal(SUM(CRC32C, "123456789"), 0xe3069283);
    assert_int_equal(SUM(CRC32C, ""), 0);
    assert_int_equal(SUM(CRC16, "123456789"), 0xbb3d);
    assert_int_equal(SUM(CRC16, ""), 0);
    assert_int_equal(SUM(SUM8, "123456789"), 0xdd);
    assert_int_equal(SUM(SUM8, "\xff\x02"), 1);
}

/* RFC 3720, B.4. */
static void crc32c_of_iscsi(void **state)
{
    (void)state;
    uint8_t bytes[32];
    struct assay_span s = {bytes, 32};
    memset(bytes, 0, 32);
    assert_int_equal(assay_sum_of(ASSAY_SUM_CRC32C, s), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(assay_sum_of(ASSAY_SUM_CRC32C, s), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = i;
    assert_int_equal(assay_sum_of(ASSAY_SUM_CRC32C, s), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(assay_sum_of(ASSAY_SUM_CRC32C, s), 0x113fdb5c);
    assert_int_equal(SUM(CRC32C,
                         "\x01\xc0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x14\0\0\0\0\0\x04\0\0\0\0\x14\0\0\0\x18\x28\0\0\0"
                         "\0\0\0\0\x02\0\0\0\0\0\0\0"),
                     0xd9963a56);
}

/* RFC 1071, section 3: the words add up to ddf2. */
static void internet_checksum(void **state)
{
    (void)state;
    assert_int_equal(SUM(INET16, "\x00\x01\xf2\x03\xf4\xf5\xf6\xf7"), 0xffff ^ 0xddf2);
    assert_int_equal(SUM(INET16, ""), 0xffff);
    assert_int_equal(SUM(INET16, "\x12"), 0xffff ^ 0x1200);
    assert_int_equal(SUM(INET16, "\xff\xff\xff\xff"), 0);
}

static uint32_t bit_by_bit(const uint8_t *p, uint32_t n)
{
    uint32_t crc = 0xffffffff;
    for (uint32_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

/* All sizes around those that are done 8 bytes at a time, every place of the bytes that are passed over. */
static void holes_are_zeros(void **state)
{
    (void)state;
    uint8_t bytes[40], with[40];
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (uint32_t n = 0; n <= sizeof bytes; n++)
        for (uint32_t width = 1; width <= 8; width++)
            for (uint32_t at = 0; at + width <= n; at++) {
                memcpy(with, bytes, n);
                memset(with + at, 0, width);
                struct assay_span s = {bytes, n}, zeroed = {with, n};
                assert_int_equal(assay_sum_around(ASSAY_SUM_CRC32C, s, at, width), bit_by_bit(with, n));
                for (enum assay_sum kind = ASSAY_SUM_CRC32C; kind <= ASSAY_SUM_SUM8; kind++)
                    assert_int_equal(assay_sum_around(kind, s, at, width), assay_sum_of(kind, zeroed));
            }
}

static void in_expressions(void **state)
{
    (void)state;
    shape_begin();
    uint16_t code = CODE(I(BLOB, 0, SB_MAGIC), I(SUM, 0, ASSAY_SUM_CRC16));
    assay_val v;
    assert_true(assay_eval(&shape_env, code, &v));
    assert_int_equal(v, SUM(CRC16, "MAGIC"));
}

/* A byte, the sum, a byte from 2 to 9, the rest; in a datagram. */
static void summed_shape(uint8_t kind, uint8_t bits, uint8_t flags)
{
    shape_begin();
    SHAPE(INT(8, .slot = 0), INT(bits, .slot = 1, .sum = kind, .flags = flags, .fault = SE_FAULT, .req = 7),
          INT(8, .slot = 2, .type = ST_SMALL), BYTES(REST, .slot = 3));
    shape_frame.fields = (struct assay_range){0, 3};
    shape_messages[0].fields = (struct assay_range){3, 1};
}

static void give_digits(void)
{
    shape_env.known = 0xd;
    shape_env.scratch_used = 0;
    uint8_t *p = assay_scratch(&shape_env, 7);
    memcpy(p, digits + 2, 7);
    shape_slots[0] = '1';
    shape_slots[2] = 4;
    shape_slots[3] = assay_scratch_val(&shape_env, p, 7);
}

static void frames_are_summed(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind, bits, flags;
    } forms[] = {
        {ASSAY_SUM_CRC32C, 32, 0}, {ASSAY_SUM_CRC32C, 32, ASSAY_F_LITTLE}, {ASSAY_SUM_CRC16, 16, 0},
        {ASSAY_SUM_INET16, 16, 0}, {ASSAY_SUM_CRC16, 16, ASSAY_F_LITTLE},  {ASSAY_SUM_SUM8, 8, 0},
        {ASSAY_SUM_CRC32C, 64, 0},
    };
    uint8_t out[64], bad[64];
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        summed_shape(forms[i].kind, forms[i].bits, forms[i].flags);
        give_digits();
        struct assay_encoded e = shape_encode(out, sizeof out);
        assert_int_equal(e.status, ASSAY_ENCODED);
        assert_int_equal(e.size, 9 + forms[i].bits / 8);
        assert_int_equal(shape_decode(out, e.size).event, SE_MESSAGE);
        assert_int_equal(shape_slots[1], assay_sum_around((enum assay_sum)forms[i].kind,
                                                          (struct assay_span){out, e.size}, 1, forms[i].bits / 8u));
        assert_true(shape_round_trip(out, e.size));
        for (uint32_t bit = 0; bit < 8 * e.size; bit++) {
            memcpy(bad, out, e.size);
            bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct assay_decoded d = shape_decode(bad, e.size);
            assert_int_equal(d.event, SE_FAULT);
            assert_int_equal(d.field, 1);
            assert_int_equal(d.req, 7);
            assert_int_equal(shape_env.known, 1);
        }
    }
}

static void given_sums_do_not_matter(void **state)
{
    (void)state;
    uint8_t out[64], again[64];
    summed_shape(ASSAY_SUM_CRC32C, 32, 0);
    give_digits();
    struct assay_encoded e = shape_encode(out, sizeof out);
    give_digits();
    shape_env.known |= 2;
    shape_slots[1] = 0x12345678;
    assert_int_equal(shape_encode(again, sizeof again).status, ASSAY_ENCODED);
    assert_memory_equal(out, again, e.size);
    give_digits();
    assert_int_equal(shape_encode(again, 4).status, ASSAY_ENCODE_SPACE);
}

/* What is wrong before the sum is told first, what is wrong behind it is not. */
static void faults_come_in_the_order_of_fields(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(8, .slot = 0, .type = ST_SMALL), INT(8, .slot = 1, .sum = ASSAY_SUM_SUM8, .fault = SE_FAULT),
          INT(8, .slot = 2, .type = ST_SMALL));
    shape_frame.fields = (struct assay_range){0, 3};
    shape_messages[0].fields = (struct assay_range){3, 0};
    DECODES("\2\5\3");
    GIVES("\1\5\3", ASSAY_EV_MALFORMED);
    GIVES("\2\5\1", SE_FAULT);
    GIVES("\2\3\1", ASSAY_EV_MALFORMED);
    GIVES("\2\5\3\1", SE_FAULT);
    GIVES("\2", ASSAY_EV_MALFORMED);
}

static void padding_may_be_a_sum(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(8, .slot = 0), INT(8, .name = NULL, .slot = ASSAY_NONE, .sum = ASSAY_SUM_SUM8));
    shape_frame.fields = (struct assay_range){0, 2};
    shape_messages[0].fields = (struct assay_range){2, 0};
    assert_true(shape_round_trip(LIT("\7\7")));
    GIVES("\7\0", ASSAY_EV_MALFORMED);
}

/* A frame whose end its own fields tell is found by its sizes, whatever its sum. */
static void walked_frames(void **state)
{
    (void)state;
    shape_begin();
    uint16_t length = CODE(I(SLOT, 0, 0));
    SHAPE(INT(8, .slot = 0), INT(8, .slot = 1, .sum = ASSAY_SUM_SUM8, .fault = SE_FAULT),
          BYTES(.extent = ASSAY_EXT_CODE, .extent_arg = length, .slot = 2));
    shape_frame.fields = (struct assay_range){0, 3};
    shape_frame.end = ASSAY_END_FIELDS;
    shape_messages[0].fields = (struct assay_range){3, 0};
    static const uint8_t in[] = "\2\305abrest", wrong[] = "\2\306abrest";
    struct assay_span s = {in, 8};
    struct assay_frame_found found = assay_frame_find(&shape_env, 0, ASSAY_CLIENT, s, 0, false);
    assert_int_equal(found.status, ASSAY_FRAME_WHOLE);
    assert_int_equal(found.size, 4);
    s.n = 4;
    assert_int_equal(assay_decode_found(&shape_env, 0, ASSAY_CLIENT, &found, s).event, SE_MESSAGE);
    s = (struct assay_span){wrong, 8};
    found = assay_frame_find(&shape_env, 0, ASSAY_CLIENT, s, 0, false);
    assert_int_equal(found.size, 4);
    s.n = 4;
    assert_int_equal(assay_decode_found(&shape_env, 0, ASSAY_CLIENT, &found, s).event, SE_FAULT);
}

static void made_again(void **state)
{
    (void)state;
    uint8_t out[64];
    summed_shape(ASSAY_SUM_CRC32C, 32, 0);
    give_digits();
    uint32_t n = shape_encode(out, sizeof out).size;
    out[n - 1] ^= 1;
    assert_int_equal(shape_decode(out, n).event, SE_FAULT);
    assert_true(assay_sum_again(&shape_env, 0, out, n));
    assert_int_equal(shape_decode(out, n).event, SE_MESSAGE);
    assert_false(assay_sum_again(&shape_env, 0, out, 3));
    shape_begin();
    SHAPE(INT(8, .slot = 0));
    assert_false(assay_sum_again(&shape_env, 0, out, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_values),
        cmocka_unit_test(crc32c_of_iscsi),
        cmocka_unit_test(internet_checksum),
        cmocka_unit_test(holes_are_zeros),
        cmocka_unit_test(in_expressions),
        cmocka_unit_test(frames_are_summed),
        cmocka_unit_test(given_sums_do_not_matter),
        cmocka_unit_test(faults_come_in_the_order_of_fields),
        cmocka_unit_test(padding_may_be_a_sum),
        cmocka_unit_test(walked_frames),
        cmocka_unit_test(made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
