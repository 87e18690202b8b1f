#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <crypt.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "ref-server/passwords.h"

static char folder_name[] = "/tmp/assay-passwords-XXXXXX";
static int folder;
static struct assay_net_error error;

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder_name))
        return -1;
    folder = open(folder_name, O_RDONLY | O_DIRECTORY);
    return folder < 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlinkat(folder, "file", 0);
    close(folder);
    return rmdir(folder_name);
}

static void put(const char *text, size_t size)
{
    int fd = openat(folder, "file", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
}

static struct assay_span span(const char *text)
{
    return (struct assay_span){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static void passwords_match_their_names(void **state)
{
    (void)state;
    char text[512], bob[128];
    snprintf(bob, sizeof bob, "%s", crypt("secret", "$5$saltsalt$"));
    int n = snprintf(text, sizeof text, "# people\n\nbob:%s\nal ice:%s\r\n", bob, crypt("", "$6$pepper$"));
    put(text, (size_t)n);
    struct assay_passwords *p = assay_passwords_load(folder, "file", &error);
    assert_non_null(p);
    assert_true(assay_passwords_match(p, span("bob"), span("secret")));
    assert_true(assay_passwords_match(p, span("al ice"), span("")));
    assert_false(assay_passwords_match(p, span("bob"), span("secre")));
    assert_false(assay_passwords_match(p, span("bob"), span("secret1")));
    assert_false(assay_passwords_match(p, span("bob"), span("")));
    assert_false(assay_passwords_match(p, span("bo"), span("secret")));
    assert_false(assay_passwords_match(p, span("eve"), span("secret")));
    assert_false(assay_passwords_match(p, span(""), span("")));
    /* A string would end at the NUL, and be right. */
    assert_false(assay_passwords_match(p, span("bob"), (struct assay_span){(const uint8_t *)"secret\0x", 8}));
    assert_false(assay_passwords_match(p, (struct assay_span){(const uint8_t *)"bob\0", 4}, span("secret")));
    static uint8_t large[100000];
    memset(large, 'a', sizeof large);
    assert_false(assay_passwords_match(p, span("bob"), (struct assay_span){large, sizeof large}));
    assay_passwords_free(p);
}

static void an_empty_file_lets_nobody_in(void **state)
{
    (void)state;
    put("", 0);
    struct assay_passwords *p = assay_passwords_load(folder, "file", &error);
    assert_non_null(p);
    assert_false(assay_passwords_match(p, span("bob"), span("")));
    assay_passwords_free(p);
}

static void refused(const char *text, size_t size, const char *why)
{
    put(text, size);
    assert_null(assay_passwords_load(folder, "file", &error));
    assert_non_null(strstr(error.text, why));
}

static void bad_lines_are_named(void **state)
{
    (void)state;
    refused("bob:$5$saltsalt$\nno colon\n", 26, "file:2: expected NAME:HASH");
    refused(":$5$saltsalt$\n", 14, "file:1");
    refused("bob:plain*text\n", 15, "file:1: not a hash");
    refused("b\0b:$5$salt$\n", 13, "file:1: a NUL byte");
    assert_null(assay_passwords_load(folder, "missing", &error));
    assert_non_null(strstr(error.text, "missing: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_match_their_names),
        cmocka_unit_test(an_empty_file_lets_nobody_in),
        cmocka_unit_test(bad_lines_are_named),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
