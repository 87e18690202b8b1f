#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "net/address.h"

static struct assay_address all[ASSAY_ADDRESSES_MAX];
static struct assay_net_error error;

static void expect_text(const char *text, enum assay_address_use use, const char *formatted)
{
    char got[ASSAY_ADDRESS_TEXT_MAX];
    assert_true(assay_address_resolve(text, use, all, &error) >= 1);
    assay_address_format(&all[0], got);
    assert_string_equal(got, formatted);
}

static void reads_every_form(void **state)
{
    (void)state;
    expect_text("127.0.0.1:80", ASSAY_ADDRESS_CONNECT, "127.0.0.1:80");
    expect_text("tcp:127.0.0.1:65535", ASSAY_ADDRESS_CONNECT, "127.0.0.1:65535");
    expect_text("[::1]:0", ASSAY_ADDRESS_LISTEN, "[::1]:0");
    expect_text("tcp:[2001:db8::1]:53", ASSAY_ADDRESS_CONNECT, "[2001:db8::1]:53");
    expect_text("*:7", ASSAY_ADDRESS_LISTEN, "[::]:7");
    expect_text(":7", ASSAY_ADDRESS_LISTEN, "[::]:7");
}

static void refuses_with_the_address_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "localhost",    "127.0.0.1:",  "127.0.0.1:65536", "127.0.0.1:http",
                                      "::1:5555", "[::1]",        "[::1]5555",   "[::1:5555",       "127.0.0.1:-1",
                                      "1:2:3",    "127.0.0.1:1 ", "[nonsense]:1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        error.text[0] = '\0';
        assert_int_equal(assay_address_resolve(bad[i], ASSAY_ADDRESS_CONNECT, all, &error), 0);
        assert_non_null(strstr(error.text, bad[i]));
    }
    assert_int_equal(assay_address_resolve("*:80", ASSAY_ADDRESS_CONNECT, all, &error), 0);
    assert_non_null(strstr(error.text, "host is missing"));
}

static void long_host_names_are_refused(void **state)
{
    (void)state;
    char text[1024];
    memset(text, 'a', sizeof text);
    strcpy(text + 1000, ":80");
    assert_int_equal(assay_address_resolve(text, ASSAY_ADDRESS_CONNECT, all, &error), 0);
    assert_non_null(strstr(error.text, "too long"));
}

static void ports_can_be_read_and_set(void **state)
{
    (void)state;
    expect_text("[::1]:1", ASSAY_ADDRESS_CONNECT, "[::1]:1");
    assay_address_set_port(&all[0], 4242);
    assert_int_equal(assay_address_port(&all[0]), 4242);
    expect_text("10.0.0.1:1", ASSAY_ADDRESS_CONNECT, "10.0.0.1:1");
    assay_address_set_port(&all[0], 4243);
    assert_int_equal(assay_address_port(&all[0]), 4243);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_form),
        cmocka_unit_test(refuses_with_the_address_named),
        cmocka_unit_test(long_host_names_are_refused),
        cmocka_unit_test(ports_can_be_read_and_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
