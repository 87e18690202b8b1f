#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/shapes.h"

static void integers(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(16, .slot = 0), INT(16, .slot = 1, .flags = ASSAY_F_LITTLE), INT(8, .slot = 2, .flags = ASSAY_F_SIGNED),
          INT(64, .slot = 3));
    DECODES("\1\2\1\2\377\0\0\0\0\0\0\1\0");
    assert_int_equal(shape_int(0), 0x102);
    assert_int_equal(shape_int(1), 0x201);
    assert_int_equal(shape_int(2), -1);
    assert_int_equal(shape_int(3), 256);
    GIVES("\1\2\1\2\377\0\0\0\0\0\0\1", ASSAY_EV_MALFORMED);
    GIVES("\1\2\1\2\377\0\0\0\0\0\0\1\0x", ASSAY_EV_MALFORMED);
}

static void bits(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(4, .slot = 0), INT(1, .slot = 1), INT(11, .slot = 2), INT(3, .slot = 3, .flags = ASSAY_F_SIGNED),
          INT(5, .slot = 4));
    DECODES("\xa9\x23\xe1");
    assert_int_equal(shape_int(0), 10);
    assert_int_equal(shape_int(1), 1);
    assert_int_equal(shape_int(2), 0x123);
    assert_int_equal(shape_int(3), -1);
    assert_int_equal(shape_int(4), 1);
}

static void varints(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(FIELD(.type = ST_ANY, .form = ASSAY_FORM_VARINT, .bits = 32, .flags = ASSAY_F_LITTLE, .slot = 0));
    DECODES("\x80\x01");
    assert_int_equal(shape_int(0), 128);
    DECODES("\xff\xff\xff\x7f");
    assert_int_equal(shape_int(0), 0xfffffff);
    GIVES("\x80\x00", ASSAY_EV_MALFORMED);
    GIVES("\x80\x80\x80\x80\x01", ASSAY_EV_MALFORMED);
    GIVES("\x80", ASSAY_EV_MALFORMED);
    SHAPE(FIELD(.type = ST_ANY, .form = ASSAY_FORM_VARINT, .bits = 80, .slot = 0));
    DECODES("\x81\x00");
    assert_int_equal(shape_int(0), 128);
    GIVES("\x80\x01", ASSAY_EV_MALFORMED);
}

static void numbers_as_text(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(FIELD(.type = ST_ANY, .form = ASSAY_FORM_DECIMAL, UNTIL(SD_COLON), .slot = 0, .flags = ASSAY_F_SIGNED),
          FIELD(.type = ST_ANY, .form = ASSAY_FORM_HEX, REST, .slot = 1));
    DECODES("-12:ff");
    assert_int_equal(shape_int(0), -12);
    assert_int_equal(shape_int(1), 255);
    GIVES("012:ff", ASSAY_EV_MALFORMED);
    GIVES("12:0f", ASSAY_EV_MALFORMED);
    GIVES("12:FF", ASSAY_EV_MALFORMED);
    GIVES("12", ASSAY_EV_MALFORMED);
}

static void leniencies_widen(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(FIELD(.type = ST_ANY, .form = ASSAY_FORM_DECIMAL, REST, .slot = 0, .leniency = 3,
                .loose = ASSAY_LOOSE_PLUS | ASSAY_LOOSE_TAIL));
    GIVES("+1x", ASSAY_EV_MALFORMED);
    shape_env.leniencies = 1u << 3;
    DECODES("+1x");
    GIVES("01", ASSAY_EV_MALFORMED);
    GIVES(" 1", ASSAY_EV_MALFORMED);
}

static void extents(void **state)
{
    (void)state;
    shape_begin();
    uint16_t n = CODE(I(SLOT, 0, 0));
    SHAPE(INT(8, .slot = 0), BYTES(.extent = ASSAY_EXT_CODE, .extent_arg = n, .slot = 1),
          BYTES(.extent = ASSAY_EXT_FIXED, .extent_arg = 2, .slot = 2),
          BYTES(PREFIX(16), .flags = ASSAY_F_LITTLE, .slot = 3), BYTES(UNTIL(SD_CRLF_OR_LF), .slot = 4),
          BYTES(REST, .slot = 5));
    DECODES("\3abcde\1\0fg\r\nh\n");
    assert_true(shape_is(1, "abc", 3) && shape_is(2, "de", 2) && shape_is(3, "f", 1) && shape_is(4, "g", 1));
    assert_true(shape_is(5, "h\n", 2));
    GIVES("\377abcde\1\0fg\r\nh\n", ASSAY_EV_MALFORMED);
    GIVES("\3abcde\1\377fg\r\nh\n", ASSAY_EV_MALFORMED);
    GIVES("\3abcde\1\0fgh\r", ASSAY_EV_MALFORMED);
}

static void types_are_checked(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(INT(8, .slot = 0, .type = ST_SMALL, .fault = SE_FAULT));
    DECODES("\2");
    DECODES("\11");
    GIVES("\1", SE_FAULT);
    GIVES("\12", SE_FAULT);
    SHAPE(INT(8, .slot = 0, .type = ST_ENUM));
    DECODES("\11");
    GIVES("\2", ASSAY_EV_UNKNOWN);
    SHAPE(INT(8, .slot = 0, .type = ST_OPEN));
    DECODES("\2");
    SHAPE(FIELD(.type = ST_UTF8, .form = ASSAY_FORM_BYTES, REST, .slot = 0));
    DECODES("\xc3\xa9");
    GIVES("\xc3", ASSAY_EV_MALFORMED);
    GIVES("", ASSAY_EV_MALFORMED);
    GIVES("123456789", ASSAY_EV_MALFORMED);
    SHAPE(FIELD(.type = ST_LOWER, .form = ASSAY_FORM_BYTES, REST, .slot = 0));
    DECODES("az");
    GIVES("aZ", ASSAY_EV_MALFORMED);
}

static void enums_as_text(void **state)
{
    (void)state;
    shape_begin();
    SHAPE(FIELD(.type = ST_WORD, .form = ASSAY_FORM_BYTES, REST, .slot = 0));
    DECODES("PUT");
    assert_int_equal(shape_int(0), 1);
    GIVES("put", ASSAY_EV_UNKNOWN);
    SHAPE(FIELD(.type = ST_WORD, .form = ASSAY_FORM_BYTES, REST, .slot = 0, .flags = ASSAY_F_FOLD));
    DECODES("pUt");
    assert_int_equal(shape_int(0), 1);
}

static void lists(void **state)
{
    (void)state;
    shape_begin();
    uint16_t n = CODE(I(SLOT, 0, 0));
    SHAPE(INT(8, .slot = 0),
          FIELD(.type = ST_LIST, .form = ASSAY_FORM_LIST, .element = 2, .extent = ASSAY_EXT_COUNT, .extent_arg = n,
                .slot = 1),
          INT(16, .slot = ASSAY_NONE));
    shape_messages[0].fields.count = 2;
    DECODES("\2\0\3\0\4");
    assert_true(shape_is(1, "\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0", 16));
    GIVES("\2\0\3\0\12", ASSAY_EV_MALFORMED);
    GIVES("\4\0\3\0\3\0\3\0\3", ASSAY_EV_MALFORMED);
    GIVES("\2\0\3\0", ASSAY_EV_MALFORMED);
}

static void computed_and_checked(void **state)
{
    (void)state;
    shape_begin();
    uint16_t size = CODE(I(SLOT, 0, 1), I(SIZE, 0, 0)), odd = CODE(I(SLOT, 0, 2), I(INT, 0, 1), I(BITAND, 0, 0));
    uint16_t twice = CODE(I(SLOT, 0, 2), I(INT, 0, 2), I(MUL, 0, 0));
    SHAPE(INT(8, .slot = 0, .is = size), INT(8, .slot = 2, .check = odd, .fault = SE_FAULT), BYTES(REST, .slot = 1),
          FIELD(.type = ST_ANY, .form = ASSAY_FORM_CALC, .slot = 3, .is = twice));
    DECODES("\2\3ab");
    assert_int_equal(shape_int(3), 6);
    GIVES("\3\3ab", ASSAY_EV_MALFORMED);
    struct assay_decoded d = shape_decode(LIT("\2\4ab"));
    assert_int_equal(d.event, SE_FAULT);
    assert_int_equal(d.field, 1);
    assert_int_equal(d.message, 0);
    assert_true(shape_env.known == 1);
}

static void optional_fields(void **state)
{
    (void)state;
    shape_begin();
    uint16_t flag = CODE(I(SLOT, 0, 0));
    SHAPE(INT(1, .slot = 0, .type = ST_BOOL),
          FIELD(.name = NULL, .type = ST_ANY, .form = ASSAY_FORM_INT, .bits = 7, .slot = ASSAY_NONE),
          INT(8, .slot = 1, .present = flag));
    DECODES("\x80\5");
    assert_int_equal(shape_int(1), 5);
    DECODES("\0");
    assert_false(shape_env.known >> 1 & 1);
    GIVES("\0\5", ASSAY_EV_MALFORMED);
    GIVES("\1", ASSAY_EV_MALFORMED);
}

static void constants_and_wheres(void **state)
{
    (void)state;
    shape_begin();
    struct assay_where where = {CODE(I(SLOT, 0, 0), I(SLOT, 0, 1), I(LT, 0, 0)), SE_FAULT, ASSAY_NONE};
    shapes.wheres = &where;
    shape_messages[0].wheres.count = 1;
    SHAPE(FIELD(.type = ASSAY_NONE, .form = ASSAY_FORM_CONST, .extent_arg = SB_MAGIC, .slot = ASSAY_NONE),
          INT(8, .slot = 0), INT(8, .slot = 1));
    DECODES("MAGIC\1\2");
    GIVES("MAGIC\2\2", SE_FAULT);
    GIVES("MAGIK\1\2", ASSAY_EV_MALFORMED);
}

static void messages_tell_themselves_apart(void **state)
{
    (void)state;
    shape_begin();
    shapes.messages_count = 2;
    shape_messages[1].event = SE_FAULT;
    SHAPE(INT(8, .slot = 0, .type = ST_SMALL), BYTES(REST, .slot = 1));
    shape_messages[0].fields = (struct assay_range){0, 1};
    shape_messages[1].fields = (struct assay_range){1, 1};
    DECODES("\3");
    GIVES("\1", SE_FAULT);
    assert_true(shape_is(1, "\1", 1));
    GIVES("ab", SE_FAULT);
    shape_messages[1].from = ASSAY_SERVER;
    GIVES("ab", ASSAY_EV_MALFORMED);
}

static void tags_pick_the_message(void **state)
{
    (void)state;
    shape_begin();
    shapes.messages_count = 2;
    SHAPE(INT(8, .slot = 0), INT(8, .slot = 1), INT(16, .slot = 1));
    shape_frame.fields = (struct assay_range){0, 1};
    shape_frame.tag = 0;
    for (uint16_t i = 0; i < 2; i++) {
        shape_messages[i].tag_kind = ASSAY_TAG_VALUE;
        shape_messages[i].tag = 7 + i;
        shape_messages[i].fields = (struct assay_range){(uint16_t)(1 + i), 1};
    }
    shape_messages[1].event = SE_FAULT;
    DECODES("\7\1");
    GIVES("\10\1\2", SE_FAULT);
    assert_int_equal(shape_int(1), 0x102);
    GIVES("\11\1", ASSAY_EV_UNKNOWN);
}

static void a_frame_may_compute_from_its_message(void **state)
{
    (void)state;
    shape_begin();
    uint16_t size = CODE(I(SLOT, 0, 1), I(SIZE, 0, 0));
    SHAPE(INT(8, .slot = 0, .is = size), BYTES(REST, .slot = 1));
    shape_frame.fields = (struct assay_range){0, 1};
    shape_messages[0].fields = (struct assay_range){1, 1};
    DECODES("\2ab");
    GIVES("\3ab", ASSAY_EV_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(bits),
        cmocka_unit_test(varints),
        cmocka_unit_test(numbers_as_text),
        cmocka_unit_test(leniencies_widen),
        cmocka_unit_test(extents),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(enums_as_text),
        cmocka_unit_test(lists),
        cmocka_unit_test(computed_and_checked),
        cmocka_unit_test(optional_fields),
        cmocka_unit_test(constants_and_wheres),
        cmocka_unit_test(messages_tell_themselves_apart),
        cmocka_unit_test(tags_pick_the_message),
        cmocka_unit_test(a_frame_may_compute_from_its_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
