#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/fields.h"
#include "core/tests/shapes.h"

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

/* Type 1: a number; type 2: prefixed text, then a byte; type 3: a list of pairs of bytes that a count tells; type 4:
 * bytes that a delimiter ends. */
static void tagged(void)
{
    shape_begin();
    uint16_t count = CODE(I(SLOT, 0, 1));
    SHAPE(INT(8, .slot = 0), INT(32, .slot = 1), BYTES(PREFIX(16), .slot = 1), INT(8, .slot = 2), INT(8, .slot = 1),
          FIELD(.type = ST_LIST, .form = ASSAY_FORM_LIST, .extent = ASSAY_EXT_COUNT, .extent_arg = count, .element = 6,
                .slot = 2),
          FIELD(.type = ST_SMALL, .form = ASSAY_FORM_INT, .bits = 16, .slot = ASSAY_NONE),
          BYTES(UNTIL(SD_COLON), .slot = 1));
    const struct assay_range own[] = {{1, 1}, {2, 2}, {4, 2}, {7, 1}};
    for (uint16_t i = 0; i < 4; i++) {
        shape_messages[i] = shape_messages[0];
        shape_messages[i].tag_kind = ASSAY_TAG_VALUE;
        shape_messages[i].tag = i + 1;
        shape_messages[i].fields = own[i];
    }
    shapes.messages_count = 4;
    shape_frame.end = ASSAY_END_FIELDS;
    shape_frame.fields = (struct assay_range){0, 1};
    shape_frame.tag = 0;
    shape_frame.walked = ASSAY_CLIENT;
    shape_frame.max = 12;
}

static void whole_from(const char *bytes, uint32_t from, uint32_t size)
{
    for (uint32_t n = 0; n < from; n++)
        assert_int_equal(find(bytes, n, 0).status, ASSAY_FRAME_PARTIAL);
    for (uint32_t n = from; n <= size; n++) {
        struct assay_frame_found f = find(bytes, n, 0);
        assert_int_equal(f.status, ASSAY_FRAME_WHOLE);
        assert_int_equal(f.size, from);
        assert_int_equal(f.content, from);
        assert_int_equal(f.head, 1);
        assert_int_equal(f.message, bytes[0] - 1);
    }
}

static void the_tag_tells_whose_fields_end_the_frame(void **state)
{
    (void)state;
    tagged();
    whole_from("\1\0\0\1\2more", 5, 9);
    whole_from("\2\0\3abc!more", 7, 11);
    whole_from("\2\0\0!more", 4, 8);
    whole_from("\3\2\0\2\0\3more", 6, 10);
    whole_from("\3\0more", 2, 6);
    whole_from("\4abc:more", 5, 9);
    assert_int_equal(shape_env.scratch_used, 0);
}

/* Whatever follows, and however much of it is here. */
static void too_long(const char *bytes, uint32_t told_from, uint32_t size, uint64_t end)
{
    for (uint32_t n = 0; n <= size; n++) {
        struct assay_frame_found f = find(bytes, n, 0);
        assert_int_equal(f.status, n < told_from ? ASSAY_FRAME_PARTIAL : ASSAY_FRAME_OVERSIZE);
        if (n >= told_from)
            assert_int_equal(f.size, end);
    }
}

static void a_message_that_is_too_long_is_told_early(void **state)
{
    (void)state;
    tagged();
    too_long("\2\0\12abcdefghij!....", 3, 18, 14);
    too_long("\2\0\11abcdefghi!....", 12, 17, 13);
    too_long("\3\6aabbccddeeff....", 2, 18, 14);
    too_long("\4abcdefghijkl:..", 12, 16, 0);
}

static void an_unknown_tag_has_no_end(void **state)
{
    (void)state;
    tagged();
    struct assay_span in = {(const uint8_t *)"\5abc", 4};
    assert_int_equal(find(in.p, 4, 0).status, ASSAY_FRAME_BROKEN);
    struct assay_decoded d = assay_decode_broken(&shape_env, 0, ASSAY_CLIENT, in);
    assert_int_equal(d.event, ASSAY_EV_UNKNOWN);
    assert_int_equal(shape_int(0), 5);
    shape_frame.walked = 0;
    assert_int_equal(find(in.p, 4, 0).size, 1);
}

/* The walk does not judge: what is wrong with a value is for decoding to tell. */
static void wrong_values_still_tell_the_end(void **state)
{
    (void)state;
    tagged();
    struct assay_span in = {(const uint8_t *)"\3\2\0\2\0\1more", 10};
    struct assay_frame_found f = find(in.p, in.n, 0);
    assert_int_equal(f.status, ASSAY_FRAME_WHOLE);
    assert_int_equal(f.size, 6);
    struct assay_span content = {in.p, f.content};
    assert_int_equal(assay_decode_found(&shape_env, 0, ASSAY_CLIENT, &f, content).event, ASSAY_EV_MALFORMED);
}

static void what_was_walked_is_decoded(void **state)
{
    (void)state;
    static const char *const frames[] = {"\1\0\0\1\2", "\2\0\3abc!", "\3\2\0\2\0\3", "\4abc:"};
    static const uint32_t sizes[] = {5, 7, 6, 5};
    tagged();
    for (uint16_t i = 0; i < 4; i++) {
        struct assay_span in = {(const uint8_t *)frames[i], sizes[i]};
        struct assay_frame_found f = find(in.p, in.n, 0);
        struct assay_decoded d = assay_decode_found(&shape_env, 0, ASSAY_CLIENT, &f, in);
        assert_int_equal(d.event, SE_MESSAGE);
        assert_int_equal(d.message, i);
        assert_int_equal(d.offset, sizes[i]);
        uint8_t out[12];
        struct assay_encoded e = assay_encode(&shape_env, 0, i, out, sizeof out, false);
        assert_int_equal(e.status, ASSAY_ENCODED);
        assert_int_equal(e.size, sizes[i]);
        assert_memory_equal(out, in.p, in.n);
    }
}

static void a_cut_off_message_shows_its_fields(void **state)
{
    (void)state;
    tagged();
    assay_decode_partial(&shape_env, 0, ASSAY_CLIENT, (struct assay_span){(const uint8_t *)"\2\0\3abc", 6});
    assert_int_equal(shape_env.known, 3);
    assert_true(shape_is(1, "abc", 3));
    assay_decode_partial(&shape_env, 0, ASSAY_CLIENT, (struct assay_span){(const uint8_t *)"\2\0\3ab", 5});
    assert_int_equal(shape_env.known, 1);
}

/* Without a tag: one message, or several that differ in their first bytes. */
static void no_tag(void **state)
{
    (void)state;
    static const struct assay_byteset low = {{UINT64_C(0xffff), 0, 0, 0}}, high = {{UINT64_C(0xffff0000), 0, 0, 0}};
    struct assay_byteset sets[] = {low, high};
    tagged();
    shape_messages[0].tag_kind = shape_messages[1].tag_kind = ASSAY_TAG_NONE;
    shapes.messages_count = 1;
    shape_frame.fields.count = 0;
    assert_int_equal(find("\1\2\3", 3, 0).status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(find("\1\2\3\4more", 8, 0).size, 4);
    shapes.messages_count = 2;
    shapes.sets = sets;
    shapes.sets_count = 2;
    shape_messages[0].leads = 1;
    shape_messages[1].leads = 0;
    assert_int_equal(find("", 0, 0).status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(find("\0\1a!more", 8, 0).message, 1);
    assert_int_equal(find("\0\1a!more", 8, 0).size, 4);
    assert_int_equal(find("\20abc...", 7, 0).message, 0);
    assert_int_equal(find("\40abc...", 7, 0).status, ASSAY_FRAME_BROKEN);
}

/* Whether a part is there at all may only show with the next byte. */
static void what_stands_ahead_may_have_to_come(void **state)
{
    (void)state;
    static const struct assay_ahead colon = {ASSAY_AHEAD_BEGINS, {(const uint8_t *)":", 1}, ASSAY_NONE};
    shape_begin();
    uint16_t there = CODE(I(SLOT, 0, 1)), given = CODE(I(KNOWN, 0, 2));
    shapes.aheads = &colon;
    shapes.aheads_count = 1;
    SHAPE(INT(8, .slot = 0), FIELD(.type = ST_BOOL, .form = ASSAY_FORM_AHEAD, .element = 0, .slot = 1, .is = given),
          FIELD(.type = ASSAY_NONE, .form = ASSAY_FORM_CONST, .extent_arg = 0, .slot = ASSAY_NONE, .present = there),
          INT(8, .slot = 2, .present = there));
    shape_frame.end = ASSAY_END_FIELDS;
    shape_frame.fields = (struct assay_range){0, 4};
    shape_messages[0].fields.count = 0;
    assert_int_equal(find("\1", 1, 0).status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(find("\1x", 2, 0).size, 1);
    assert_int_equal(find("\1:", 2, 0).status, ASSAY_FRAME_PARTIAL);
    assert_int_equal(find("\1:\2x", 4, 0).size, 3);
    shape_frame.max = 1;
    assert_int_equal(find("\1:", 2, 0).size, 1);
}

/* Of a frame that is cut off only what is sure is known. */
static void a_cut_off_text_is_not_guessed(void **state)
{
    (void)state;
    static const struct assay_ahead slash = {ASSAY_AHEAD_HOLDS, {(const uint8_t *)"/", 1}, SD_COLON};
    shape_begin();
    uint16_t never = CODE(I(INT, 0, 0));
    shapes.aheads = &slash;
    shapes.aheads_count = 1;
    SHAPE(FIELD(.type = ST_BOOL, .form = ASSAY_FORM_AHEAD, .element = 0, .slot = 0, .is = never),
          BYTES(.extent = ASSAY_EXT_BEFORE, .extent_arg = SD_COLON, .slot = 1));
#define KNOWN(s)                                                                                                       \
    (assay_decode_partial(&shape_env, 0, ASSAY_CLIENT, (struct assay_span){(const uint8_t *)LIT(s)}), shape_env.known)
    assert_true(KNOWN("") == 0);
    assert_true(KNOWN("ab") == 0);
    assert_true(KNOWN("ab/") == 1);
    assert_int_equal(shape_int(0), 1);
    assert_true(KNOWN("ab:") == 3);
    assert_int_equal(shape_int(0), 0);
    assert_true(shape_is(1, "ab", 2));
#undef KNOWN
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_tell_the_end),
        cmocka_unit_test(too_long_is_told_by_the_header),
        cmocka_unit_test(delimiters),
        cmocka_unit_test(scanned_bytes_are_not_scanned_again),
        cmocka_unit_test(whole_inputs),
        cmocka_unit_test(no_way_to_tell),
        cmocka_unit_test(the_tag_tells_whose_fields_end_the_frame),
        cmocka_unit_test(a_message_that_is_too_long_is_told_early),
        cmocka_unit_test(an_unknown_tag_has_no_end),
        cmocka_unit_test(wrong_values_still_tell_the_end),
        cmocka_unit_test(what_was_walked_is_decoded),
        cmocka_unit_test(a_cut_off_message_shows_its_fields),
        cmocka_unit_test(no_tag),
        cmocka_unit_test(what_stands_ahead_may_have_to_come),
        cmocka_unit_test(a_cut_off_text_is_not_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
