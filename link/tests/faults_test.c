#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "link/faults.h"

#define MANY 4096u

static struct assay_link_faults faults;
static struct assay_link_fault seen[MANY];

static void begin(enum assay_link_transport transport, uint64_t seed)
{
    assay_link_plan_free(&faults.plan);
    faults = (struct assay_link_faults){.plan = {.transport = transport, .seed = seed}};
}

static struct assay_link_rule *rule(enum assay_link_kind kind, enum assay_link_where where, uint64_t n, double rate)
{
    struct assay_link_rule *r = &faults.rules[faults.rules_count++];
    *r = (struct assay_link_rule){.kind = kind, .directions = {true, true}, .where = where, .n = n, .rate = rate};
    return r;
}

static void plan(enum assay_link_kind kind, uint32_t flow, enum assay_link_direction direction, uint64_t at)
{
    struct assay_link_fault f = {.kind = kind, .flow = flow, .direction = direction, .at = at};
    assert_true(assay_link_plan_add(&faults.plan, &f));
}

/* Walks to `end` as a link does: never past a border, and no further than `stride` at a time. */
static size_t walk(uint32_t flow, enum assay_link_direction direction, uint64_t end, uint64_t stride)
{
    struct assay_link_cursor c;
    size_t n = 0;
    assay_link_cursor_init(&c, &faults, flow, direction);
    for (uint64_t place = 0;;) {
        while (assay_link_next(&c, place, &seen[n])) {
            assert_int_equal(seen[n].at, place);
            assert_in_range(++n, 1, MANY - 1);
        }
        if (place == end)
            return n;
        uint64_t border = assay_link_border(&c), to = place + stride < end ? place + stride : end;
        assert_true(border > place);
        place = border < to ? border : to;
    }
}

static void assert_walk(uint32_t flow, enum assay_link_direction direction, uint64_t end, uint64_t stride)
{
    static struct assay_link_fault first[MANY];
    size_t n = walk(flow, direction, end, UINT32_MAX);
    memcpy(first, seen, n * sizeof *seen);
    assert_int_equal(walk(flow, direction, end, stride), n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(first[i].at, seen[i].at);
        assert_int_equal(first[i].kind, seen[i].kind);
        assert_int_equal(first[i].span, seen[i].span);
        assert_int_equal(first[i].draw, seen[i].draw);
    }
}

/* ---- rules ------------------------------------------------------------- */

static void test_once_and_every(void **state)
{
    (void)state;
    begin(ASSAY_LINK_STREAM, 1);
    rule(ASSAY_LINK_STALL, ASSAY_LINK_EVERY, 100, 0);
    rule(ASSAY_LINK_CUT, ASSAY_LINK_AT, 150, 0);
    rule(ASSAY_LINK_SPLIT, ASSAY_LINK_AT, 0, 0);
    const uint64_t at[] = {0, 100, 150, 200, 300};
    const enum assay_link_kind kind[] = {ASSAY_LINK_SPLIT, ASSAY_LINK_STALL, ASSAY_LINK_CUT, ASSAY_LINK_STALL,
                                         ASSAY_LINK_STALL};
    assert_int_equal(walk(1, ASSAY_LINK_UP, 399, 1000), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(seen[i].at, at[i]);
        assert_int_equal(seen[i].kind, kind[i]);
        assert_int_equal(seen[i].flow, 1);
    }
}

static void test_directions(void **state)
{
    (void)state;
    begin(ASSAY_LINK_STREAM, 1);
    rule(ASSAY_LINK_CUT, ASSAY_LINK_AT, 5, 0)->directions[ASSAY_LINK_UP] = false;
    assert_int_equal(walk(1, ASSAY_LINK_UP, 10, 100), 0);
    assert_int_equal(walk(1, ASSAY_LINK_DOWN, 10, 100), 1);
}

static void test_a_walk_does_not_depend_on_its_steps(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 6; seed++) {
        begin(ASSAY_LINK_STREAM, seed);
        *rule(ASSAY_LINK_STALL, ASSAY_LINK_RATE, 0, 0.2) = (struct assay_link_rule){.kind = ASSAY_LINK_STALL,
                                                                                    .directions = {true, true},
                                                                                    .where = ASSAY_LINK_RATE,
                                                                                    .rate = 0.2,
                                                                                    .span_max = 99};
        rule(ASSAY_LINK_CUT, ASSAY_LINK_RATE, 0, 0.3);
        rule(ASSAY_LINK_CUT, ASSAY_LINK_EVERY, 777, 0)->ordinal = 1;
        plan(ASSAY_LINK_CUT, 0, ASSAY_LINK_DOWN, 5000);
        assay_link_plan_sort(&faults.plan);
        assert_walk(3, ASSAY_LINK_DOWN, 200000, 1);
        assert_walk(3, ASSAY_LINK_DOWN, 200000, 63);
    }
}

static uint64_t places(uint32_t flow, enum assay_link_direction direction, enum assay_link_kind kind)
{
    uint64_t sum = 0;
    size_t n = walk(flow, direction, 100000, UINT32_MAX);
    for (size_t i = 0; i < n; i++)
        sum = seen[i].kind == kind ? sum * 31 + seen[i].at : sum;
    return sum;
}

static void test_draws_are_independent(void **state)
{
    (void)state;
    begin(ASSAY_LINK_STREAM, 1);
    rule(ASSAY_LINK_CUT, ASSAY_LINK_RATE, 0, 0.5);
    uint64_t mine = places(1, ASSAY_LINK_UP, ASSAY_LINK_CUT);
    assert_int_not_equal(mine, places(2, ASSAY_LINK_UP, ASSAY_LINK_CUT));
    assert_int_not_equal(mine, places(1, ASSAY_LINK_DOWN, ASSAY_LINK_CUT));
    rule(ASSAY_LINK_STALL, ASSAY_LINK_RATE, 0, 0.5);
    assert_int_equal(mine, places(1, ASSAY_LINK_UP, ASSAY_LINK_CUT));
    assert_int_not_equal(mine, places(1, ASSAY_LINK_UP, ASSAY_LINK_STALL));
    faults.plan.seed = 2;
    assert_int_not_equal(mine, places(1, ASSAY_LINK_UP, ASSAY_LINK_CUT));
}

static size_t count_of(uint64_t seed, double rate, uint64_t datagrams)
{
    begin(ASSAY_LINK_DATAGRAMS, seed);
    rule(ASSAY_LINK_DROP, ASSAY_LINK_RATE, 0, rate);
    size_t n = walk(1, ASSAY_LINK_UP, datagrams, UINT32_MAX);
    assert_true(n == 0 || seen[0].at >= 1);
    return n;
}

/* Pinned: a seed must mean the same in every build. Within 4 standard deviations of what the rate says. */
static void test_counts_of_a_seed(void **state)
{
    (void)state;
    assert_int_equal(count_of(1, 0, 10000), 0);
    assert_int_equal(count_of(1, 1, 1000), 1000);
    assert_in_range(count_of(1, 0.3, 10000), 3000 - 183, 3000 + 183);
    assert_in_range(count_of(2, 0.01, 100000), 1000 - 126, 1000 + 126);
    assert_int_equal(count_of(1, 0.3, 10000), 3032);
    assert_int_equal(count_of(2, 0.01, 100000), 1003);
}

static void test_a_rate_of_nearly_nothing_is_no_endless_search(void **state)
{
    (void)state;
    begin(ASSAY_LINK_STREAM, 1);
    rule(ASSAY_LINK_RESET, ASSAY_LINK_RATE, 0, 1e-12);
    assert_int_equal(walk(1, ASSAY_LINK_UP, 1u << 30, UINT32_MAX), 0);
}

/* ---- plans ------------------------------------------------------------- */

static void test_planned(void **state)
{
    (void)state;
    begin(ASSAY_LINK_STREAM, 1);
    plan(ASSAY_LINK_RESET, 2, ASSAY_LINK_UP, 9);
    plan(ASSAY_LINK_CUT, 0, ASSAY_LINK_UP, 4);
    plan(ASSAY_LINK_STALL, 2, ASSAY_LINK_UP, 4);
    plan(ASSAY_LINK_CUT, 2, ASSAY_LINK_DOWN, 1);
    plan(ASSAY_LINK_CUT, 3, ASSAY_LINK_UP, 1);
    assay_link_plan_sort(&faults.plan);
    assert_int_equal(walk(2, ASSAY_LINK_UP, 100, 1000), 3);
    assert_int_equal(seen[0].kind, ASSAY_LINK_CUT);
    assert_int_equal(seen[0].flow, 2);
    assert_int_equal(seen[1].kind, ASSAY_LINK_STALL);
    assert_int_equal(seen[2].kind, ASSAY_LINK_RESET);
    assert_int_equal(walk(1, ASSAY_LINK_UP, 100, 1000), 1);
    assert_int_equal(walk(1, ASSAY_LINK_DOWN, 100, 1000), 0);
    assert_int_equal(walk(2, ASSAY_LINK_DOWN, 100, 1000), 1);
}

static void test_refused(void **state)
{
    (void)state;
    begin(ASSAY_LINK_STREAM, 1);
    plan(ASSAY_LINK_REFUSE, 7, ASSAY_LINK_UP, 0);
    assay_link_plan_sort(&faults.plan);
    rule(ASSAY_LINK_REFUSE, ASSAY_LINK_EVERY, 3, 0);
    rule(ASSAY_LINK_REFUSE, ASSAY_LINK_AT, 4, 0);
    const bool refused[] = {false, false, true, true, false, true, true, false, true, false};
    for (uint32_t i = 0; i < 10; i++) {
        struct assay_link_fault fault;
        assert_int_equal(assay_link_refused(&faults, i + 1, &fault), refused[i]);
        assert_true(!refused[i] || (fault.kind == ASSAY_LINK_REFUSE && fault.flow == i + 1));
    }
    assert_int_equal(walk(7, ASSAY_LINK_UP, 10, 100), 0); /* nothing is left to do on the way */
}

/* ---- open faults ------------------------------------------------------- */

static void test_settle(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000; i++) {
        struct assay_link_fault f = {.kind = ASSAY_LINK_CORRUPT, .open = true, .draw = i * 0x9e3779b97f4a7c15};
        assert_true(assay_link_settle(&f, 13));
        assert_true(f.size < 13 && f.mask != 0 && !f.open);
        f = (struct assay_link_fault){.kind = ASSAY_LINK_TRUNCATE, .open = true, .draw = i};
        assert_true(assay_link_settle(&f, 1) && f.size == 0);
    }
    struct assay_link_fault empty = {.kind = ASSAY_LINK_CORRUPT, .open = true};
    assert_false(assay_link_settle(&empty, 0));
    struct assay_link_fault beyond = {.kind = ASSAY_LINK_CORRUPT, .size = 8, .mask = 1};
    assert_false(assay_link_settle(&beyond, 8));
    assert_true(assay_link_settle(&beyond, 9));
    struct assay_link_fault other = {.kind = ASSAY_LINK_DROP};
    assert_true(assay_link_settle(&other, 0));
}

static int end(void **state)
{
    (void)state;
    assay_link_plan_free(&faults.plan);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_and_every),
        cmocka_unit_test(test_directions),
        cmocka_unit_test(test_a_walk_does_not_depend_on_its_steps),
        cmocka_unit_test(test_draws_are_independent),
        cmocka_unit_test(test_counts_of_a_seed),
        cmocka_unit_test(test_a_rate_of_nearly_nothing_is_no_endless_search),
        cmocka_unit_test(test_planned),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_settle),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
