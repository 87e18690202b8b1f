#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/escape.h"

static void expect(const char *bytes, size_t n, char quote, const char *text)
{
    char got[256];
    size_t size = assay_escape(got, (const uint8_t *)bytes, n, quote);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(got, text, size);
}

static void plain_text_stays_as_it_is(void **state)
{
    (void)state;
    expect("hello, world ~", 14, 0, "hello, world ~");
    expect("a \"b\"", 5, 0, "a \"b\"");
    expect("", 0, 0, "");
}

static void what_could_forge_a_line_is_escaped(void **state)
{
    (void)state;
    expect("a\r\nb\tc\0d\\n", 10, 0, "a\\r\\nb\\tc\\0d\\\\n");
    expect("\x1b[2J\x7f\x80\xff", 7, 0, "\\x1b[2J\\x7f\\x80\\xff");
    expect("a \"b\"", 5, '"', "a \\\"b\\\"");
}

/* Nothing but printable ASCII, never longer than said, and no two bytes have the same text. */
static void every_byte_has_its_own_text(void **state)
{
    (void)state;
    char texts[256][8];
    for (int i = 0; i < 256; i++) {
        uint8_t byte = (uint8_t)i;
        size_t n = assay_escape(texts[i], &byte, 1, '"');
        assert_in_range(n, 1, ASSAY_ESCAPED_MAX(1));
        texts[i][n] = '\0';
        for (size_t k = 0; k < n; k++)
            assert_in_range(texts[i][k], 0x20, 0x7e);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(texts[i], texts[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays_as_it_is),
        cmocka_unit_test(what_could_forge_a_line_is_escaped),
        cmocka_unit_test(every_byte_has_its_own_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
