#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "link/plan.h"
#include "link/words.h"

static struct assay_link_error error;

static bool read_plan(struct assay_link_faults *faults, enum assay_link_transport transport, const char *text)
{
    *faults = (struct assay_link_faults){.transport = transport, .seed = 1};
    return assay_link_plan_read(faults, "my.plan", text, strlen(text), &error);
}

/* Every kind in its line: what was read is printed as it was. */
static void assert_back(enum assay_link_transport transport, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct assay_link_faults faults;
        char line[ASSAY_LINK_LINE_MAX];
        assert_true(read_plan(&faults, transport, lines[i]));
        assert_int_equal(faults.planned_count, 1);
        assay_link_print(&faults.planned[0], line);
        assert_string_equal(line, lines[i]);
        assay_link_faults_free(&faults);
    }
}

static void test_lines_come_back(void **state)
{
    (void)state;
    static const char *const stream[] = {
        "3 refuse",
        "1 up 0 split 7",
        "1 up 0 split 1..100",
        "1 down 5 cut",
        "9 up 0 coalesce 4096/20ms",
        "1 up 10 stall 200ms",
        "1 up 0 bandwidth 1000",
        "2 down 5 close",
        "2 down 5 reset",
    };
    static const char *const datagrams[] = {
        "1 up 1 drop",         "1 up 2 truncate 5", "1 down 3 corrupt 12:40",
        "1 up 4 delay 1500us", "1 up 5 duplicate",  "1 up 6 duplicate 30ms",
        "4 up 7 swap",
    };
    assert_back(ASSAY_LINK_STREAM, stream, sizeof stream / sizeof *stream);
    assert_back(ASSAY_LINK_DATAGRAMS, datagrams, sizeof datagrams / sizeof *datagrams);
}

static void test_a_plan(void **state)
{
    (void)state;
    struct assay_link_faults faults;
    assert_true(read_plan(&faults, ASSAY_LINK_DATAGRAMS,
                          "# by hand\n\nseed 0x2a\r\n  2\tup 3 drop # gone\n* * 1 swap\n1 up 2 delay 1ms"));
    assert_int_equal(faults.seed, 42);
    assert_int_equal(faults.planned_count, 4);
    assert_int_equal(faults.planned[0].connection, 0);
    assert_int_equal(faults.planned[0].direction, ASSAY_LINK_UP);
    assert_int_equal(faults.planned[1].direction, ASSAY_LINK_DOWN);
    assert_int_equal(faults.planned[2].kind, ASSAY_LINK_DELAY);
    assert_int_equal(faults.planned[3].kind, ASSAY_LINK_DROP);
    assay_link_faults_free(&faults);
}

static void test_errors_have_a_place(void **state)
{
    (void)state;
    static const struct {
        enum assay_link_transport transport;
        const char *text, *error;
    } rows[] = {
        {ASSAY_LINK_STREAM, "one up 1 cut",
         "my.plan:1:1: expected the number of a connection, from 1, or *, found 'one'"},
        {ASSAY_LINK_STREAM, "0 up 1 cut", "my.plan:1:1: expected the number of a connection, from 1, or *, found '0'"},
        {ASSAY_LINK_STREAM, "\n 1 left 1 cut", "my.plan:2:4: expected up, down or *, found 'left'"},
        {ASSAY_LINK_STREAM, "1 up", "my.plan:1:5: expected an offset in bytes, found the end"},
        {ASSAY_LINK_DATAGRAMS, "1 up 0 drop", "my.plan:1:6: expected the number of a datagram, from 1, found '0'"},
        {ASSAY_LINK_STREAM, "1 up 1 drop",
         "my.plan:1:8: expected a fault: split cut coalesce stall bandwidth close reset, found 'drop'"},
        {ASSAY_LINK_DATAGRAMS, "1 up 1 stall 1ms",
         "my.plan:1:8: expected a fault: drop truncate corrupt delay swap duplicate, found 'stall'"},
        {ASSAY_LINK_DATAGRAMS, "1 refuse", "my.plan:1:3: expected up, down or *, found 'refuse'"},
        {ASSAY_LINK_STREAM, "1 up 1 stall",
         "my.plan:1:13: expected a value: stall takes a time such as 200ms, found the end"},
        {ASSAY_LINK_STREAM, "1 up 1 stall 1ms..2ms",
         "my.plan:1:14: expected another value: stall takes a time such as 200ms, found '1ms..2ms'"},
        {ASSAY_LINK_DATAGRAMS, "1 up 1 corrupt 12:100",
         "my.plan:1:16: expected another value: corrupt takes OFFSET:BITS such as 12:40, the bits in hex, found "
         "'12:100'"},
        {ASSAY_LINK_STREAM, "1 up 1 cut 5", "my.plan:1:12: expected another value: cut takes no value, found '5'"},
        {ASSAY_LINK_STREAM, "1 up 1 stall 1ms now", "my.plan:1:18: expected the end of the line, found 'now'"},
        {ASSAY_LINK_STREAM, "3 refuse it", "my.plan:1:10: expected the end of the line, found 'it'"},
        {ASSAY_LINK_STREAM, "seed", "my.plan:1:5: expected a number, found the end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct assay_link_faults faults;
        assert_false(read_plan(&faults, rows[i].transport, rows[i].text));
        assert_string_equal(error.text, rows[i].error);
        assay_link_faults_free(&faults);
    }
}

static void test_lines_that_are_no_text(void **state)
{
    (void)state;
    struct assay_link_faults faults = {.transport = ASSAY_LINK_STREAM};
    char text[400];
    memset(text, ' ', sizeof text);
    assert_false(assay_link_plan_read(&faults, "my.plan", text, sizeof text, &error));
    assert_string_equal(error.text, "my.plan:1:256: the line is too long");
    assert_false(assay_link_plan_read(&faults, "my.plan", "1 up 1 cut\n1 \0up", 15, &error));
    assert_string_equal(error.text, "my.plan:2:3: a NUL, and no text");
    assay_link_faults_free(&faults);
}

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    struct assay_link_faults faults = {0};
    assert_false(assay_link_plan_load(&faults, "/nonexistent/plan", &error));
    assert_string_equal(error.text, "cannot read /nonexistent/plan: No such file or directory");
    assert_false(assay_link_plan_load(&faults, "/", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_come_back),          cmocka_unit_test(test_a_plan),
        cmocka_unit_test(test_errors_have_a_place),      cmocka_unit_test(test_lines_that_are_no_text),
        cmocka_unit_test(test_a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
