#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/words.h"

#define MS ((int64_t)1000000)

static void test_options(void **state)
{
    (void)state;
    static const struct {
        enum assay_link_kind kind;
        const char *text;
        struct assay_link_rule rule;
    } good[] = {
        {ASSAY_LINK_SPLIT, "1", {.where = ASSAY_LINK_AT, .n = 0, .size = 1, .size_max = 1}},
        {ASSAY_LINK_SPLIT, "2..7@1KiB", {.where = ASSAY_LINK_AT, .n = 1024, .size = 2, .size_max = 7}},
        {ASSAY_LINK_COALESCE, "4KiB", {.where = ASSAY_LINK_AT, .size = 4096, .span = 20 * MS, .span_max = 20 * MS}},
        {ASSAY_LINK_COALESCE, "8/1ms", {.where = ASSAY_LINK_AT, .size = 8, .span = MS, .span_max = MS}},
        {ASSAY_LINK_STALL, "5ms@64KiB", {.where = ASSAY_LINK_AT, .n = 65536, .span = 5 * MS, .span_max = 5 * MS}},
        {ASSAY_LINK_STALL, "1ms..2ms@every=10", {.where = ASSAY_LINK_EVERY, .n = 10, .span = MS, .span_max = 2 * MS}},
        {ASSAY_LINK_RESET, "rate=0.25", {.where = ASSAY_LINK_RATE, .rate = 0.25}},
        {ASSAY_LINK_DROP, "50%", {.where = ASSAY_LINK_RATE, .rate = 0.5}},
        {ASSAY_LINK_DROP, "rate=50%", {.where = ASSAY_LINK_RATE, .rate = 0.5}},
        {ASSAY_LINK_DROP, "0.5", {.where = ASSAY_LINK_RATE, .rate = 0.5}},
        {ASSAY_LINK_DROP, "3", {.where = ASSAY_LINK_AT, .n = 3}},
        {ASSAY_LINK_DELAY, "1ms", {.where = ASSAY_LINK_EVERY, .n = 1, .span = MS, .span_max = MS}},
        {ASSAY_LINK_BANDWIDTH, "1MiB", {.where = ASSAY_LINK_AT, .size = 1048576}},
        {ASSAY_LINK_TRUNCATE, "5", {.where = ASSAY_LINK_AT, .n = 5, .open = true}},
        {ASSAY_LINK_TRUNCATE, "8@5", {.where = ASSAY_LINK_AT, .n = 5, .size = 8}},
        {ASSAY_LINK_CORRUPT, "1%", {.where = ASSAY_LINK_RATE, .rate = 0.01, .open = true}},
        {ASSAY_LINK_CORRUPT, "12:40@5", {.where = ASSAY_LINK_AT, .n = 5, .size = 12, .mask = 0x40}},
        {ASSAY_LINK_DUPLICATE, "5", {.where = ASSAY_LINK_AT, .n = 5}},
        {ASSAY_LINK_DUPLICATE, "1ms..2ms@5", {.where = ASSAY_LINK_AT, .n = 5, .span = MS, .span_max = 2 * MS}},
        {ASSAY_LINK_SWAP, "5", {.where = ASSAY_LINK_AT, .n = 5, .size = 1, .span = 100 * MS, .span_max = 100 * MS}},
        {ASSAY_LINK_SWAP, "3@5", {.where = ASSAY_LINK_AT, .n = 5, .size = 3, .span = 100 * MS, .span_max = 100 * MS}},
        {ASSAY_LINK_SWAP,
         "3/1s@5",
         {.where = ASSAY_LINK_AT, .n = 5, .size = 3, .span = 1000 * MS, .span_max = 1000 * MS}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct assay_link_rule r, expected = good[i].rule;
        assert_true(assay_link_read_option(good[i].kind, good[i].text, &r));
        assert_int_equal(r.kind, good[i].kind);
        assert_int_equal(r.where, expected.where);
        assert_int_equal(r.n, expected.n);
        assert_true(r.rate == expected.rate);
        assert_int_equal(r.size, expected.size);
        assert_int_equal(r.size_max, expected.size_max);
        assert_int_equal(r.span, expected.span);
        assert_int_equal(r.span_max, expected.span_max);
        assert_int_equal(r.mask, expected.mask);
        assert_int_equal(r.open, expected.open);
        assert_true(r.directions[ASSAY_LINK_UP] && r.directions[ASSAY_LINK_DOWN]);
    }
}

static void test_directions(void **state)
{
    (void)state;
    struct assay_link_rule r;
    assert_true(assay_link_read_option(ASSAY_LINK_RESET, "up:10", &r));
    assert_true(r.directions[ASSAY_LINK_UP] && !r.directions[ASSAY_LINK_DOWN]);
    assert_true(assay_link_read_option(ASSAY_LINK_SPLIT, "down:7", &r));
    assert_true(!r.directions[ASSAY_LINK_UP] && r.directions[ASSAY_LINK_DOWN]);
}

static void test_bad_options(void **state)
{
    (void)state;
    static const struct {
        enum assay_link_kind kind;
        const char *text;
    } bad[] = {
        {ASSAY_LINK_SPLIT, ""},         {ASSAY_LINK_SPLIT, "7.."},      {ASSAY_LINK_SPLIT, "9..7"},
        {ASSAY_LINK_SPLIT, "0..7"},     {ASSAY_LINK_SPLIT, "left:7"},   {ASSAY_LINK_SPLIT, "7@"},
        {ASSAY_LINK_STALL, "5ms"},      {ASSAY_LINK_STALL, "5@"},       {ASSAY_LINK_STALL, "2ms..1ms@1"},
        {ASSAY_LINK_RESET, "every=0"},  {ASSAY_LINK_RESET, "rate=1.5"}, {ASSAY_LINK_RESET, "rate=-1"},
        {ASSAY_LINK_RESET, "101%"},     {ASSAY_LINK_RESET, "10%%"},     {ASSAY_LINK_RESET, "rate="},
        {ASSAY_LINK_DROP, "."},         {ASSAY_LINK_DROP, "up:"},       {ASSAY_LINK_COALESCE, "4/"},
        {ASSAY_LINK_COALESCE, "x/1ms"}, {ASSAY_LINK_BANDWIDTH, "fast"}, {ASSAY_LINK_SWAP, "0@5"},
        {ASSAY_LINK_SWAP, "3/0s@5"},    {ASSAY_LINK_SWAP, "3@"},        {ASSAY_LINK_CORRUPT, "12@5"},
        {ASSAY_LINK_TRUNCATE, "x@5"},   {ASSAY_LINK_DUPLICATE, "1@"},

    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct assay_link_rule r;
        if (assay_link_read_option(bad[i].kind, bad[i].text, &r))
            fail_msg("--%s '%s' was taken", assay_link_kinds[bad[i].kind].name, bad[i].text);
    }
}

static void test_lines(void **state)
{
    (void)state;
    static const struct {
        struct assay_link_fault fault;
        const char *line;
    } rows[] = {
        {{.kind = ASSAY_LINK_REFUSE, .flow = 3}, "3 refuse"},
        {{.kind = ASSAY_LINK_SPLIT, .flow = 1, .size = 7, .size_max = 7}, "1 up 0 split 7"},
        {{.kind = ASSAY_LINK_SPLIT, .flow = 1, .size = 1, .size_max = 9}, "1 up 0 split 1..9"},
        {{.kind = ASSAY_LINK_COALESCE, .flow = 1, .size = 8, .span = 1500000}, "1 up 0 coalesce 8/1500us"},
        {{.kind = ASSAY_LINK_STALL, .flow = 2, .direction = ASSAY_LINK_DOWN, .at = 99, .span = 2000 * MS},
         "2 down 99 stall 2s"},
        {{.kind = ASSAY_LINK_STALL, .flow = 2, .at = 99, .span = 1}, "2 up 99 stall 1ns"},
        {{.kind = ASSAY_LINK_CORRUPT, .flow = 1, .at = 4, .size = 12, .mask = 0x40}, "1 up 4 corrupt 12:40"},
        {{.kind = ASSAY_LINK_TRUNCATE, .flow = 1, .at = 4, .size = 0}, "1 up 4 truncate 0"},
        {{.kind = ASSAY_LINK_DUPLICATE, .flow = 1, .at = 4}, "1 up 4 duplicate"},
        {{.kind = ASSAY_LINK_DUPLICATE, .flow = 1, .at = 4, .span = MS}, "1 up 4 duplicate 1ms"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[ASSAY_LINK_LINE_MAX];
        assay_link_print(&rows[i].fault, line);
        assert_string_equal(line, rows[i].line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
