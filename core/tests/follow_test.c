/* Sessions that follow a log are sent each row once and in order, from their cursor on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/mail.h"

#define SPAN(s) (const uint8_t *)(s), sizeof(s) - 1

static const struct mail_options logs = {.order = ASSAY_ORDER_IN_ORDER, .logs = true};

static int64_t cursor(const struct mail *m)
{
    assay_val v;
    struct assay_span bytes;
    assert_true(assay_var(m->sides[0].engine, m->sides[0].sid, MAIL_V_CURSOR, &v, &bytes));
    return (int64_t)v;
}

static bool hungry(struct mail *m, struct assay_hunger *hunger)
{
    return assay_hungry(m->sides[0].engine, hunger);
}

static enum assay_rc give(struct mail *m, uint64_t number)
{
    char text[16];
    int n = snprintf(text, sizeof text, "r%d", (int)number);
    struct assay_span span = {(const uint8_t *)text, (uint32_t)n};
    assay_val none = 0;
    struct mail_side *s = &m->sides[0];
    return mail_settle(m, 0, assay_row(s->engine, s->sid, m->now, 0, number, &none, &span, &s->out));
}

/* What a host does; returns how many rows went. */
static uint32_t feed(struct mail *m)
{
    struct assay_hunger hunger;
    uint32_t given = 0;
    while (hungry(m, &hunger)) {
        assert_int_equal(hunger.sid, m->sides[0].sid);
        assert_int_equal(hunger.log, 0);
        assert_true(hunger.most > 0);
        for (uint32_t i = 0; i < hunger.most && give(m, hunger.from + i) == ASSAY_OK; i++)
            given++;
    }
    return given;
}

static void grow(struct mail *m, uint64_t rows)
{
    assay_log_grew(m->sides[0].engine, 0, rows);
}

/* Until `until`, rows go whenever they can. */
static void run(struct mail *m, assay_time until)
{
    feed(m);
    while (mail_step(m, until))
        feed(m);
    m->now = until;
}

static bool shown_from(const struct mail *m, int from, int to)
{
    char all[MAIL_SHOWN_MAX] = "";
    for (size_t n = 0; from < to; from++)
        n += (size_t)snprintf(all + n, sizeof all - n, "r%d.", from);
    return mail_shown(m, 1, all);
}

static void rows_go_from_the_cursor_on(void **state)
{
    (void)state;
    struct mail m;
    struct mail_options options = logs;
    options.cursor = 2;
    mail_open(&m, &options);
    struct assay_hunger hunger;
    assert_false(hungry(&m, &hunger));
    grow(&m, 2);
    assert_false(hungry(&m, &hunger));
    grow(&m, 9);
    assert_true(hungry(&m, &hunger));
    assert_int_equal(hunger.from, 2);
    assert_int_equal(hunger.most, 4);
    assert_int_equal(give(&m, 3), ASSAY_STALE);
    assert_int_equal(give(&m, 2), ASSAY_OK);
    assert_int_equal(give(&m, 2), ASSAY_STALE);
    assert_int_equal(cursor(&m), 2);
    run(&m, 1000);
    assert_true(shown_from(&m, 2, 9));
    assert_int_equal(cursor(&m), 9);
    grow(&m, 10);
    run(&m, 2000);
    assert_true(shown_from(&m, 2, 10));
    assert_int_equal(cursor(&m), 10);
    mail_close(&m);
}

static void as_many_are_on_their_way_as_the_reader_allows(void **state)
{
    (void)state;
    struct mail m;
    struct mail_options options = logs;
    options.row_window = 2;
    mail_open(&m, &options);
    grow(&m, 5);
    assert_int_equal(feed(&m), 2);
    mail_run(&m, 10);
    assert_int_equal(feed(&m), 0);
    assert_true(mail_step(&m, 20));
    assert_int_equal(cursor(&m), 1);
    assert_int_equal(feed(&m), 1);
    run(&m, 1000);
    assert_true(shown_from(&m, 0, 5));
    mail_close(&m);
}

/* A batch that has begun goes on, however small the window. */
static void batches_wait_until_they_are_there(void **state)
{
    (void)state;
    struct mail m;
    struct mail_options options = logs;
    options.batch = 3;
    options.row_window = 2;
    mail_open(&m, &options);
    grow(&m, 2);
    assert_int_equal(feed(&m), 0);
    grow(&m, 3);
    run(&m, 1000);
    assert_true(shown_from(&m, 0, 3));
    grow(&m, 5);
    run(&m, 2000);
    assert_true(shown_from(&m, 0, 3));
    grow(&m, 7);
    run(&m, 3000);
    assert_true(shown_from(&m, 0, 7));
    mail_close(&m);
}

static void a_rule_that_sets_the_cursor_has_rows_sent_from_there(void **state)
{
    (void)state;
    struct mail m;
    mail_open(&m, &logs);
    grow(&m, 4);
    assert_int_equal(feed(&m), 4);
    mail_feed(&m, 0, SPAN("\3AA\0xx")); /* 2, while all four are on their way */
    assert_int_equal(cursor(&m), 2);
    mail_run(&m, 25);
    assert_int_equal(cursor(&m), 2); /* those acknowledged are of the place before */
    run(&m, 1000);
    assert_true(mail_shown(&m, 1, "r0.r1.r2.r3.r2.r3."));
    assert_int_equal(cursor(&m), 4);
    mail_close(&m);
}

static void a_new_session_is_sent_rows_from_the_cursor(void **state)
{
    (void)state;
    struct mail m;
    mail_open(&m, &logs);
    grow(&m, 3);
    m.faults[2] = MAIL_DROP;
    assert_int_equal(feed(&m), 3);
    mail_run(&m, 50);
    assert_int_equal(cursor(&m), 2);
    mail_feed(&m, 0, SPAN("\4BB\0"));
    mail_feed(&m, 1, SPAN("\4BB\0"));
    run(&m, 1000);
    assert_true(shown_from(&m, 0, 3));
    assert_int_equal(cursor(&m), 3);
    mail_close(&m);
}

static void one_that_is_being_fetched_for_is_set_aside(void **state)
{
    (void)state;
    struct mail m;
    mail_open(&m, &logs);
    assay_fetching(m.sides[0].engine, m.sides[0].sid, true);
    grow(&m, 3);
    assert_int_equal(feed(&m), 0);
    mail_feed(&m, 0, SPAN("\1AA\0hi"));
    assert_int_equal(feed(&m), 0);
    assay_fetching(m.sides[0].engine, m.sides[0].sid, false);
    run(&m, 1000);
    assert_true(shown_from(&m, 0, 3));
    mail_close(&m);
}

static void without_memory_rows_wait(void **state)
{
    (void)state;
    struct mail m;
    struct mail_options options = logs;
    options.memory = 2 * 32;
    mail_open(&m, &options);
    struct assay_hunger hunger;
    grow(&m, 4);
    assert_true(hungry(&m, &hunger));
    assert_int_equal(give(&m, 0), ASSAY_OK);
    assert_int_equal(give(&m, 1), ASSAY_OK);
    assert_int_equal(give(&m, 2), ASSAY_STALE);
    assert_false(hungry(&m, &hunger));
    run(&m, 5000);
    assert_true(shown_from(&m, 0, 4));
    mail_close(&m);
}

static void full_output_holds_rows_back(void **state)
{
    (void)state;
    struct mail m;
    mail_open(&m, &logs);
    grow(&m, 1);
    uint32_t cap = m.sides[0].out.cap;
    m.sides[0].out.cap = 10;
    assert_int_equal(give(&m, 0), ASSAY_FULL);
    m.sides[0].out.cap = cap;
    run(&m, 100);
    assert_true(shown_from(&m, 0, 1));
    mail_close(&m);
}

/* Rows among notes, over bad networks. */
static void each_row_arrives_once_and_in_order(void **state)
{
    (void)state;
    enum { PLACES = 12 };
    for (int place = 0; place < PLACES; place++)
        for (int other = place; other < PLACES; other++)
            for (uint8_t fault = MAIL_DROP; fault < MAIL_FAULTS; fault++) {
                struct mail m;
                mail_open(&m, &logs);
                uint32_t memory = mail_memory(&m, 0);
                m.faults[place] = m.faults[other] = fault;
                grow(&m, 6);
                run(&m, 15);
                assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "up"), ASSAY_OK);
                run(&m, 400);
                grow(&m, 8);
                run(&m, 10000);
                assert_true(shown_from(&m, 0, 8));
                assert_true(mail_shown(&m, 0, "up."));
                assert_int_equal(cursor(&m), 8);
                assert_int_equal(mail_memory(&m, 0), memory);
                mail_close(&m);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_go_from_the_cursor_on),
        cmocka_unit_test(as_many_are_on_their_way_as_the_reader_allows),
        cmocka_unit_test(batches_wait_until_they_are_there),
        cmocka_unit_test(a_rule_that_sets_the_cursor_has_rows_sent_from_there),
        cmocka_unit_test(a_new_session_is_sent_rows_from_the_cursor),
        cmocka_unit_test(one_that_is_being_fetched_for_is_set_aside),
        cmocka_unit_test(without_memory_rows_wait),
        cmocka_unit_test(full_output_holds_rows_back),
        cmocka_unit_test(each_row_arrives_once_and_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
