#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/shapes.h"

static uint8_t out[64];

static void give(unsigned slot, assay_val v)
{
    shape_slots[slot] = v;
    shape_env.known |= (uint64_t)1 << slot;
}

static void expect(const void *p, uint32_t n)
{
    struct assay_encoded e = shape_encode(out, sizeof out);
    assert_int_equal(e.status, ASSAY_ENCODED);
    assert_int_equal(e.size, n);
    assert_memory_equal(out, p, n);
}

static void expect_refused(uint16_t field)
{
    struct assay_encoded e = shape_encode(out, sizeof out);
    assert_int_equal(e.status, ASSAY_ENCODE_FIELD);
    assert_int_equal(e.field, field);
}

static assay_val text(const char *s)
{
    uint8_t *p = assay_scratch(&shape_env, (uint32_t)strlen(s));
    memcpy(p, s, strlen(s));
    return assay_scratch_val(&shape_env, p, (uint32_t)strlen(s));
}

static void what_decodes_encodes_back(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(4, .slot = 0), INT(12, .slot = 1), INT(16, .slot = 2, .flags = ASSAY_F_LITTLE | ASSAY_F_SIGNED),
          FIELD(.type = ST_ANY, .form = ASSAY_FORM_VARINT, .bits = 80, .slot = 3, .flags = ASSAY_F_LITTLE),
          FIELD(.type = ST_ANY, .form = ASSAY_FORM_DECIMAL, UNTIL(SD_COLON), .slot = 4, .flags = ASSAY_F_SIGNED),
          BYTES(PREFIX(8), .slot = 5),
          FIELD(.type = ST_WORD, .form = ASSAY_FORM_BYTES, UNTIL(SD_CRLF_OR_LF), .slot = 6),
          FIELD(.type = ST_ANY, .form = ASSAY_FORM_HEX, REST, .slot = 7));
    assert_true(shape_round_trip(LIT("\x12\x34\xfe\xff\x96\x01-5:\2abPUT\r\nbeef")));
    assert_true(shape_round_trip(LIT("\0\0\0\0\0"
                                     "0:\0GET\r\n0")));
    assert_int_equal(shape_decode(LIT("\0\0\0\0\0"
                                      "0:\0GET\n0"))
                         .event,
                     SE_MESSAGE);
    assert_false(shape_round_trip(LIT("\0\0\0\0\0"
                                      "0:\0GET\n0")));
    SHAPE(FIELD(.type = ST_ANY, .form = ASSAY_FORM_VARINT, .bits = 80, .slot = 3),
          FIELD(.type = ST_LIST, .form = ASSAY_FORM_LIST, .element = 2, PREFIX(8), .slot = 1),
          INT(16, .slot = ASSAY_NONE));
    shape_messages[0].fields.count = 2;
    assert_true(shape_round_trip(LIT("\x81\x80\x00\4\0\3\0\4")));
}

static void values_must_fit(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(8, .slot = 0), INT(8, .slot = 1, .flags = ASSAY_F_SIGNED), INT(8, .slot = 2, .type = ST_SMALL));
    give(0, 255), give(1, (assay_val)-128), give(2, 9);
    expect("\377\200\11", 3);
    give(0, 256);
    expect_refused(0);
    give(0, (assay_val)-1);
    expect_refused(0);
    give(0, 0), give(1, 128);
    expect_refused(1);
    give(1, 127), give(2, 10);
    expect_refused(2);
    shape_env.known &= ~(uint64_t)4;
    expect_refused(2);
}

static void delimiters_must_stay_out(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(BYTES(UNTIL(SD_COLON), .slot = 0), BYTES(UNTIL(SD_CRLF_OR_LF), .slot = 1));
    give(0, text("ab")), give(1, text("c\r"));
    expect("ab:c\r\r\n", 7);
    give(0, text("a:b"));
    expect_refused(0);
    give(0, text("")), give(1, text("c\nd"));
    expect_refused(1);
}

static void defaults_and_computed(void **state)
{
    (void)state;
    shape_begin();
    uint16_t size = CODE(I(SLOT, 0, 1), I(SIZE, 0, 0)), five = CODE(I(INT, 0, 5)),
             is2 = CODE(I(SLOT, 0, 0), I(INT, 0, 2), I(EQ, 0, 0));
    uint16_t sum = CODE(I(SLOT, 0, 0), I(SLOT, 0, 2), I(ADD, 0, 0));
    SHAPE(INT(8, .slot = 4, .is = sum), INT(8, .slot = 0, .is = size), INT(8, .slot = 2, .init = five),
          INT(8, .slot = 3, .present = is2, .init = five), BYTES(REST, .slot = 1));
    give(1, text("abc"));
    expect("\10\3\5abc", 6);
    shape_env.known = 0;
    give(1, text("ab")), give(2, 6), give(0, 99);
    expect("\10\2\6\5ab", 6);
}

static void bodies_stand_in_their_field(void **state)
{
    (void)state;
    shape_begin();
    uint16_t size = CODE(I(SLOT, 0, 2), I(SIZE, 0, 0)), length = CODE(I(SLOT, 0, 1));
    SHAPE(INT(8, .slot = 0), INT(8, .slot = 1, .is = size),
          BYTES(.extent = ASSAY_EXT_CODE, .extent_arg = length, .slot = 2), INT(8, .slot = 5), INT(16, .slot = 3),
          BYTES(REST, .slot = 4));
    shape_frame.fields = (struct assay_range){0, 4};
    shape_frame.body = 2;
    shape_frame.tag = 0;
    shape_messages[0].tag_kind = ASSAY_TAG_VALUE;
    shape_messages[0].tag = 7;
    shape_messages[0].fields = (struct assay_range){4, 2};
    give(3, 0x102), give(4, text("xyz")), give(5, 0xee);
    expect("\7\5\1\2xyz\356", 8);
    assert_true(shape_round_trip(LIT("\7\5\1\2xyz\356")));
    assert_int_equal(shape_decode(LIT("\7\1\1\356")).event, ASSAY_EV_MALFORMED);
}

static void room_is_respected(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(16, .slot = 0), INT(4, .slot = 1), INT(4, .slot = 2), BYTES(REST, .slot = 3));
    give(0, 1), give(1, 2), give(2, 3), give(3, text("ab"));
    for (uint32_t cap = 0; cap < 5; cap++) {
        memset(out, 0xa5, sizeof out);
        assert_int_equal(shape_encode(out, cap).status, ASSAY_ENCODE_SPACE);
        assert_int_equal(out[cap], 0xa5);
    }
    assert_int_equal(shape_encode(out, 5).status, ASSAY_ENCODED);
    shape_frame.max = 4;
    assert_int_equal(shape_encode(out, 64).status, ASSAY_ENCODE_FIELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_decodes_encodes_back),   cmocka_unit_test(values_must_fit),
        cmocka_unit_test(delimiters_must_stay_out),    cmocka_unit_test(defaults_and_computed),
        cmocka_unit_test(bodies_stand_in_their_field), cmocka_unit_test(room_is_respected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
