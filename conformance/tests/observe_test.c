#include "conformance/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/assay-observe-XXXXXX";
static char path[64], option[256];

static void append(const char *text)
{
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static enum assay_sight look(struct assay_observer *o, const char *expected)
{
    uint8_t seen[64];
    uint64_t n;
    struct assay_span span = {(const uint8_t *)expected, (uint32_t)strlen(expected)};
    return assay_observer_look(o, span, seen, sizeof seen, &n);
}

static void watch(struct assay_observer *o)
{
    remove(path);
    assert_true(assay_observer_begin(o)); /* not there yet: empty */
    assert_int_equal(look(o, ""), ASSAY_SIGHT_SAME);
    assert_int_equal(look(o, "a\n"), ASSAY_SIGHT_PART);
    append("a\n");
    assert_int_equal(look(o, "a\n"), ASSAY_SIGHT_SAME);
    assert_int_equal(look(o, "a\nb\n"), ASSAY_SIGHT_PART);
    assert_int_equal(look(o, "b\n"), ASSAY_SIGHT_OTHER);
    assert_int_equal(look(o, ""), ASSAY_SIGHT_OTHER);
    assert_true(assay_observer_begin(o));
    assert_int_equal(look(o, ""), ASSAY_SIGHT_SAME);
    append("b\nb\n");
    assert_int_equal(look(o, "b\n"), ASSAY_SIGHT_OTHER); /* once too often */
    assert_int_equal(look(o, "b\nb\n"), ASSAY_SIGHT_SAME);
}

static void sees_what_is_new_in_a_file(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    snprintf(option, sizeof option, "record=%s", path);
    assert_true(assay_observer_add(&all, option));
    assert_non_null(assay_observer_find(&all, "record"));
    assert_null(assay_observer_find(&all, "other"));
    watch(assay_observer_find(&all, "record"));
}

static void sees_what_is_new_in_a_commands_output(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    snprintf(option, sizeof option, "record=cmd:touch %s; cat %s", path, path);
    assert_true(assay_observer_add(&all, option));
    watch(assay_observer_find(&all, "record"));
}

static void says_when_it_cannot_see(void **state)
{
    (void)state;
    struct assay_observers all = {0};
    assert_true(assay_observer_add(&all, "record=cmd:exit 3"));
    assert_false(assay_observer_begin(&all.items[0]));
    assert_int_equal(look(&all.items[0], ""), ASSAY_SIGHT_BLIND);
    assert_false(assay_observer_add(&all, "record"));
    assert_false(assay_observer_add(&all, "=x"));
    assert_false(assay_observer_add(&all, "record="));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sees_what_is_new_in_a_file),
        cmocka_unit_test(sees_what_is_new_in_a_commands_output),
        cmocka_unit_test(says_when_it_cannot_see),
    };
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/log", folder);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    rmdir(folder);
    return failed;
}
