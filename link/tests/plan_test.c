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

static bool read_plan(struct assay_link_plan *plan, enum assay_link_transport transport, const char *text)
{
    *plan = (struct assay_link_plan){.transport = transport, .seed = 1};
    return assay_link_plan_read(plan, "my.plan", text, strlen(text), &error);
}

/* Every kind in its line: what was read is printed as it was. */
static void assert_back(enum assay_link_transport transport, const char *const *lines, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct assay_link_plan plan;
        char line[ASSAY_LINK_LINE_MAX];
        assert_true(read_plan(&plan, transport, lines[i]));
        assert_int_equal(plan.count, 1);
        assay_link_print(&plan.faults[0], line);
        assert_string_equal(line, lines[i]);
        assay_link_plan_free(&plan);
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
        "4 up 7 swap",         "4 up 7 swap 3",     "4 up 7 swap 1/500ms",
        "4 up 7 swap 3/2s",    "* down 1 drop",
    };
    assert_back(ASSAY_LINK_STREAM, stream, sizeof stream / sizeof *stream);
    assert_back(ASSAY_LINK_DATAGRAMS, datagrams, sizeof datagrams / sizeof *datagrams);
}

static void test_a_plan(void **state)
{
    (void)state;
    struct assay_link_plan plan;
    assert_true(read_plan(&plan, ASSAY_LINK_DATAGRAMS,
                          "# by hand\n\nseed 0x2a\r\n  2\tup 3 drop # gone\n* * 1 swap\n1 up 2 delay 1ms"));
    assert_int_equal(plan.seed, 42);
    assert_int_equal(plan.count, 4);
    assay_link_plan_sort(&plan);
    assert_int_equal(plan.faults[0].flow, 0);
    assert_int_equal(plan.faults[0].direction, ASSAY_LINK_UP);
    assert_int_equal(plan.faults[1].direction, ASSAY_LINK_DOWN);
    assert_int_equal(plan.faults[2].kind, ASSAY_LINK_DELAY);
    assert_int_equal(plan.faults[3].kind, ASSAY_LINK_DROP);
    assay_link_plan_free(&plan);
}

/* What one program writes another one reads. */
static void test_a_plan_comes_back(void **state)
{
    (void)state;
    struct assay_link_plan plan = {.transport = ASSAY_LINK_DATAGRAMS, .seed = 9}, again;
    const struct assay_link_fault faults[] = {
        {.kind = ASSAY_LINK_SWAP, .flow = 2, .direction = ASSAY_LINK_DOWN, .at = 7}, /* once, for the usual time */
        {.kind = ASSAY_LINK_DROP, .flow = 1, .at = 3},
        {.kind = ASSAY_LINK_DUPLICATE, .at = 1, .span = 30000000},
    };
    char text[256] = "";
    for (size_t i = 0; i < 3; i++)
        assert_true(assay_link_plan_add(&plan, &faults[i]));
    FILE *to = fmemopen(text, sizeof text, "w");
    assert_true(assay_link_plan_write(&plan, to));
    fclose(to);
    assert_string_equal(text, "seed 9\n2 down 7 swap\n1 up 3 drop\n* up 1 duplicate 30ms\n");
    assert_true(read_plan(&again, ASSAY_LINK_DATAGRAMS, text));
    assert_int_equal(again.seed, 9);
    assert_int_equal(again.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(again.faults[i].kind, faults[i].kind);
        assert_int_equal(again.faults[i].flow, faults[i].flow);
        assert_int_equal(again.faults[i].direction, faults[i].direction);
        assert_int_equal(again.faults[i].at, faults[i].at);
        assert_int_equal(again.faults[i].order, i + 1);
    }
    assay_link_plan_sort(&again);
    assert_int_equal(again.faults[0].order, 3);
    assert_int_equal(again.faults[2].order, 1);
    assay_link_plan_free(&plan);
    assay_link_plan_free(&again);
}

static void test_errors_have_a_place(void **state)
{
    (void)state;
    static const struct {
        enum assay_link_transport transport;
        const char *text, *error;
    } rows[] = {
        {ASSAY_LINK_STREAM, "one up 1 cut", "my.plan:1:1: expected the number of a flow, from 1, or *, found 'one'"},
        {ASSAY_LINK_STREAM, "0 up 1 cut", "my.plan:1:1: expected the number of a flow, from 1, or *, found '0'"},
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
        {ASSAY_LINK_DATAGRAMS, "1 up 1 swap 0",
         "my.plan:1:13: expected another value: swap takes nothing, a number of datagrams such as 3, or that and a "
         "time such as 3/500ms, found '0'"},
        {ASSAY_LINK_STREAM, "1 up 1 cut 5", "my.plan:1:12: expected another value: cut takes no value, found '5'"},
        {ASSAY_LINK_STREAM, "1 up 1 stall 1ms now", "my.plan:1:18: expected the end of the line, found 'now'"},
        {ASSAY_LINK_STREAM, "3 refuse it", "my.plan:1:10: expected the end of the line, found 'it'"},
        {ASSAY_LINK_STREAM, "seed", "my.plan:1:5: expected a number, found the end"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct assay_link_plan plan;
        assert_false(read_plan(&plan, rows[i].transport, rows[i].text));
        assert_string_equal(error.text, rows[i].error);
        assay_link_plan_free(&plan);
    }
}

static void test_lines_that_are_no_text(void **state)
{
    (void)state;
    struct assay_link_plan plan = {.transport = ASSAY_LINK_STREAM};
    char text[400];
    memset(text, ' ', sizeof text);
    assert_false(assay_link_plan_read(&plan, "my.plan", text, sizeof text, &error));
    assert_string_equal(error.text, "my.plan:1:256: the line is too long");
    assert_false(assay_link_plan_read(&plan, "my.plan", "1 up 1 cut\n1 \0up", 15, &error));
    assert_string_equal(error.text, "my.plan:2:3: a NUL, and no text");
    assay_link_plan_free(&plan);
}

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    struct assay_link_plan plan = {0};
    assert_false(assay_link_plan_load(&plan, "/nonexistent/plan", &error));
    assert_string_equal(error.text, "cannot read /nonexistent/plan: No such file or directory");
    assert_false(assay_link_plan_load(&plan, "/", &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_come_back),        cmocka_unit_test(test_a_plan),
        cmocka_unit_test(test_a_plan_comes_back),      cmocka_unit_test(test_errors_have_a_place),
        cmocka_unit_test(test_lines_that_are_no_text), cmocka_unit_test(test_a_file_that_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
