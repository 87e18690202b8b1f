#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/shapes.h"

#define LIT(s)         (s), (uint32_t)(sizeof(s) - 1)
#define DECODES(s)     assert_int_equal(shape_decode(LIT(s)).event, SE_MESSAGE)
#define GIVES(s, what) assert_int_equal(shape_decode(LIT(s)).event, what)
#define INT(b, ...)    FIELD(.type = ST_ANY, .form = ASSAY_FORM_INT, .bits = b, __VA_ARGS__)
#define BYTES(...)     FIELD(.type = ST_BYTES, .form = ASSAY_FORM_BYTES, __VA_ARGS__)
#define REST           .extent = ASSAY_EXT_REST
#define UNTIL(d)       .extent = ASSAY_EXT_UNTIL, .extent_arg = d
#define PREFIX(b)      .extent = ASSAY_EXT_PREFIX, .extent_arg = b

static struct assay_frame_found find(const void *p, uint32_t n, uint32_t scanned)
{
    return assay_frame_find(&shape_env, 0, ASSAY_CLIENT, (struct assay_span){p, n}, scanned, false);
}

static void lengths(void)
{
    shape_begin();
    uint16_t length = CODE(I(SLOT, 0, 0));
    SHAPE(INT(16, .slot = 0), BYTES(.extent = ASSAY_EXT_CODE, .extent_arg = length, .slot = 1), INT(16, .slot = 2));
    shape_frame.end = ASSAY_END_FIELDS;
    shape_frame.fields = (struct assay_range){0, 3};
    shape_frame.max = 12;
}

static void fields_tell_the_end(void **state)
{
    (void)state;
    lengths();
    for (uint32_t n = 0; n < 7; n++)
        assert_int_equal(find("\0\3abc\0\0more", n, 0).status, ASSAY_FRAME_PARTIAL);
    for (uint32_t n = 7; n < 12; n++) {
        struct assay_frame_found f = find("\0\3abc\0\0more", n, 0);
        assert_int_equal(f.status, ASSAY_FRAME_WHOLE);
        assert_int_equal(f.size, 7);
        assert_int_equal(f.content, 7);
    }
}

static void too_long_is_told_by_the_header(void **state)
{
    (void)state;
    lengths();
    assert_int_equal(find(LIT("\0\10aaaaaaaacc"), 0).status, ASSAY_FRAME_WHOLE);
    for (uint32_t n = 2; n < 15; n++) {
        struct assay_frame_found f = find("\0\11aaaaaaaaacc..", n, 0);
        assert_int_equal(f.status, n < 11 ? ASSAY_FRAME_PARTIAL : ASSAY_FRAME_OVERSIZE);
    }
    struct assay_frame_found f = find("\1\0", 2, 0);
    assert_int_equal(f.status, ASSAY_FRAME_OVERSIZE);
    assert_int_equal(f.size, 2 + 256 + 2);
}

static void delimiters(void **state)
{
    (void)state;
    shape_begin();
    shape_frame.end = ASSAY_END_UNTIL;
    shape_frame.delims = SD_CRLF_OR_LF;
    shape_frame.max = 8;
    struct assay_frame_found f = find(LIT("ab\r\ncd\n"), 0);
    assert_int_equal(f.status, ASSAY_FRAME_WHOLE);
    assert_int_equal(f.content, 2);
    assert_int_equal(f.size, 4);
    f = find(LIT("a\rb\nc"), 0);
    assert_int_equal(f.content, 3);
    assert_int_equal(f.size, 4);
    f = find(LIT("ab\r"), 0);
    assert_int_equal(f.status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(f.scanned, 2);
    f = find(LIT("ab\r\n"), 2);
    assert_int_equal(f.status, ASSAY_FRAME_WHOLE);
    assert_int_equal(f.content, 2);
    assert_int_equal(find(LIT("1234567\n"), 0).status, ASSAY_FRAME_WHOLE);
    assert_int_equal(find(LIT("1234567"), 0).status, ASSAY_FRAME_PARTIAL);
    f = find(LIT("12345678\n"), 0);
    assert_int_equal(f.status, ASSAY_FRAME_OVERSIZE);
    assert_int_equal(f.size, 9);
    f = find(LIT("12345678"), 0);
    assert_int_equal(f.status, ASSAY_FRAME_OVERSIZE);
    assert_int_equal(f.size, 0);
}

/* Bytes that were looked at are not looked at again: a delimiter hidden there is not found. */
static void scanned_bytes_are_not_scanned_again(void **state)
{
    (void)state;
    shape_begin();
    shape_frame.end = ASSAY_END_UNTIL;
    shape_frame.delims = SD_COLON;
    assert_int_equal(find(LIT("a:bcd"), 3).status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(find(LIT("a:bcd"), 3).scanned, 5);
}

static void whole_inputs(void **state)
{
    (void)state;
    shape_begin();
    shape_frame.max = 4;
    assert_int_equal(find(LIT("abcd"), 0).status, ASSAY_FRAME_WHOLE);
    assert_int_equal(find(LIT("abcde"), 0).status, ASSAY_FRAME_OVERSIZE);
    shape_frame.end = ASSAY_END_EOF;
    assert_int_equal(find(LIT("abcd"), 0).status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(find(LIT("abcde"), 0).status, ASSAY_FRAME_OVERSIZE);
}

static void no_way_to_tell(void **state)
{
    (void)state;
    shape_begin();
    uint16_t length = CODE(I(SLOT, 0, 0), I(INT, 0, 5), I(SUB, 0, 0));
    SHAPE(INT(8, .slot = 0), BYTES(.extent = ASSAY_EXT_CODE, .extent_arg = length, .slot = 1));
    shape_frame.end = ASSAY_END_FIELDS;
    shape_frame.fields = (struct assay_range){0, 2};
    assert_int_equal(find(LIT("\4abc"), 0).status, ASSAY_FRAME_BROKEN);
    assert_int_equal(find(LIT("\6abc"), 0).status, ASSAY_FRAME_WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_tell_the_end), cmocka_unit_test(too_long_is_told_by_the_header),
        cmocka_unit_test(delimiters),          cmocka_unit_test(scanned_bytes_are_not_scanned_again),
        cmocka_unit_test(whole_inputs),        cmocka_unit_test(no_way_to_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
