#include "core/show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct assay_span span(const char *text, uint32_t n)
{
    return (struct assay_span){(const uint8_t *)text, n};
}

static void test_bytes_are_shown_on_one_line(void **state)
{
    char room[64];
    struct assay_text text = {room, sizeof room, 0};
    (void)state;
    assay_show_quoted(&text, span("a\n\"\0\xff", 5), 48);
    assert_string_equal(room, "\"a\\n\\\"\\0\\xff\"");
    text.n = 0;
    assay_show_hex(&text, span("\x01\xab\xcd", 3), 2);
    assert_string_equal(room, "01ab... 3 bytes");
    text.n = 0;
    assay_show_number(&text, INT64_MIN);
    assert_string_equal(room, "-9223372036854775808");
}

static void test_what_does_not_fit_is_cut_off_with_dots(void **state)
{
    char room[9];
    struct assay_text text = {room, sizeof room, 0};
    (void)state;
    assay_show_name(&text, "12345678");
    assert_string_equal(room, "12345678");
    assay_show_name(&text, "");
    assert_string_equal(room, "12345678");
    assay_show_name(&text, "9");
    assert_string_equal(room, "12345...");
    assay_show_name(&text, "more");
    assert_string_equal(room, "12345...");
    assert_int_equal(text.n, strlen(room));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_shown_on_one_line),
        cmocka_unit_test(test_what_does_not_fit_is_cut_off_with_dots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
