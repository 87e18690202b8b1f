/* Rows of reliable messages that are in flight together: acknowledged means stored, once and in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/mail.h"

static const struct mail_options chained = {.order = ASSAY_ORDER_IN_ORDER, .checks = true, .chains = true};
static const struct mail_options waited = {.order = ASSAY_ORDER_IN_ORDER, .checks = true};

enum { DISK = 30 };

static struct assay_waiting waiting(const struct mail *m, unsigned side)
{
    struct assay_waiting w;
    assert_true(assay_waiting(m->sides[side].engine, m->sides[side].sid, &w));
    return w;
}

static void open_slow(struct mail *m, const struct mail_options *options)
{
    mail_open(m, options);
    m->sides[0].disk = m->sides[1].disk = DISK;
}

static void post(struct mail *m, unsigned side, const char *texts)
{
    for (; *texts; texts++) {
        const char text[] = {*texts, 0};
        enum assay_rc rc;
        while ((rc = mail_call(m, side, MAIL_CALL_POST, text)) == ASSAY_PENDING)
            assert_true(mail_step(m, ASSAY_NEVER - 1));
        assert_int_equal(rc, ASSAY_OK);
    }
}

/* ---- together ------------------------------------------------------------- */

static void rows_are_in_flight_together(void **unused)
{
    (void)unused;
    struct mail m;
    open_slow(&m, &chained);
    post(&m, 1, "abc");
    mail_run(&m, 10);
    assert_int_equal(m.sides[0].writes_n, 3);
    assert_int_equal(m.sent, 3);
    assert_int_equal(waiting(&m, 0).taken, 0);
    mail_run(&m, 10 + DISK);
    assert_true(mail_shown(&m, 0, "a.b.c."));
    assert_int_equal(waiting(&m, 0).taken, 3);
    assert_int_equal(m.sent, 4); /* one acknowledgement for all */
    assert_memory_equal(m.last, "\2AA\0\3", 5);
    mail_run(&m, 100);
    assert_int_equal(waiting(&m, 1).sent, 0);
    assert_int_equal(assay_deadline(m.sides[0].engine), ASSAY_NEVER);
    mail_close(&m);
}

static void other_rules_are_waited_for(void **unused)
{
    (void)unused;
    struct mail m;
    open_slow(&m, &waited);
    post(&m, 1, "abc");
    mail_run(&m, 3 * DISK + 50);
    assert_true(mail_shown(&m, 0, "a.b.c."));
    assert_int_equal(m.sides[0].most_writes, 1);
    mail_close(&m);
}

/* They are done in any order: acknowledged are those before which all are. */
static void acknowledged_are_those_that_are_done(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &chained);
    m.sides[0].holds = true;
    post(&m, 1, "abc");
    mail_run(&m, 10);
    assert_int_equal(m.sides[0].tokens_n, 3);
    mail_complete(&m, 0, true);
    mail_run(&m, 11);
    assert_memory_equal(m.last, "\2AA\0\1", 5);
    assert_int_equal(m.sent, 4);
    assay_token second = m.sides[0].tokens[0];
    m.sides[0].tokens[0] = m.sides[0].tokens[1];
    m.sides[0].tokens[1] = second;
    mail_complete(&m, 0, true);
    mail_run(&m, 12);
    assert_int_equal(m.sent, 4);
    mail_complete(&m, 0, true);
    mail_run(&m, 13);
    assert_memory_equal(m.last, "\2AA\0\3", 5);
    assert_int_equal(m.sent, 5);
    mail_close(&m);
}

/* ---- every schedule of faults --------------------------------------------- */

enum { PLACES = 12 };

static void tell(const struct mail *m)
{
    fprintf(stderr, "faults:");
    for (int i = 0; i < PLACES; i++)
        fprintf(stderr, " %d", m->faults[i]);
    fprintf(stderr, ", writes %u and %u fail\nserver has %.*s, client %.*s\n", m->sides[0].fail_write,
            m->sides[1].fail_write, (int)m->sides[0].shown_n, m->sides[0].shown, (int)m->sides[1].shown_n,
            m->sides[1].shown);
}

static void converse_with(const struct mail_options *options, const uint8_t *faults, uint32_t fails)
{
    struct mail m;
    open_slow(&m, options);
    uint32_t memory[2] = {mail_memory(&m, 0), mail_memory(&m, 1)};
    memcpy(m.faults, faults, PLACES);
    m.sides[0].fail_write = fails;
    m.sides[1].fail_write = fails ? 4 - fails : 0;
    post(&m, 1, "ab");
    post(&m, 0, "uv");
    mail_run(&m, m.now + 25);
    post(&m, 1, "c");
    post(&m, 0, "w");
    mail_run(&m, m.now + 20000);
    bool right = mail_shown(&m, 0, "a.b.c.") && mail_shown(&m, 1, "u.v.w.");
    for (unsigned i = 0; i < 2; i++)
        right = right && waiting(&m, i).sent == 0 && waiting(&m, i).held == 0 && mail_memory(&m, i) == memory[i] &&
                m.sides[i].writes_n == 0 && assay_deadline(m.sides[i].engine) == ASSAY_NEVER;
    if (!right)
        tell(&m);
    assert_true(right);
    mail_close(&m);
}

/* Up to `most` faults behind place `from`. */
static void each_schedule(const struct mail_options *options, uint8_t *faults, int from, int most, uint32_t fails)
{
    converse_with(options, faults, fails);
    for (int place = from; most && place < PLACES; place++) {
        for (uint8_t fault = MAIL_DROP; fault < MAIL_FAULTS; fault++) {
            faults[place] = fault;
            each_schedule(options, faults, place + 1, most - 1, fails);
        }
        faults[place] = MAIL_PASS;
    }
}

static void whatever_the_network_and_the_disk_do(void **unused)
{
    (void)unused;
    uint8_t faults[PLACES] = {0};
    struct mail_options wrapping = chained;
    wrapping.first = 254;
    for (uint32_t fails = 0; fails <= 3; fails++)
        each_schedule(&chained, faults, 0, 2, fails);
    for (uint32_t fails = 0; fails <= 3; fails++)
        each_schedule(&wrapping, faults, 0, 1, fails);
}

/* No more of them are in flight than there is room for. */
static void whatever_happens_with_room_for_two(void **unused)
{
    (void)unused;
    uint8_t faults[PLACES] = {0};
    struct mail_options narrow = chained;
    narrow.effects = 2;
    for (uint32_t fails = 0; fails <= 3; fails++)
        each_schedule(&narrow, faults, 0, 1, fails);
}

/* ---- what else happens in the meantime ------------------------------------- */

static void what_fails_takes_those_behind_it_along(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &chained);
    m.sides[0].holds = true;
    post(&m, 1, "abc");
    mail_run(&m, 10);
    mail_complete(&m, 0, true);
    mail_complete(&m, 0, false);
    /* the third is in flight: nothing is handed over until that has failed, too */
    assert_int_equal(mail_feed(&m, 0, "\1AA\1b", 5), ASSAY_PENDING);
    assert_int_equal(mail_feed(&m, 0, "\1AA\3d", 5), ASSAY_PENDING);
    assert_int_equal(m.sides[0].tokens_n, 1);
    mail_complete(&m, 0, false);
    assert_int_equal(waiting(&m, 0).taken, 1);
    assert_int_equal(mail_feed(&m, 0, "\1AA\1b", 5), ASSAY_OK);
    assert_int_equal(mail_feed(&m, 0, "\1AA\2c", 5), ASSAY_OK);
    assert_int_equal(m.sides[0].tokens_n, 2);
    mail_complete(&m, 0, true);
    mail_complete(&m, 0, true);
    assert_int_equal(waiting(&m, 0).taken, 3);
    mail_close(&m);
}

static void nothing_else_is_handled(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &chained);
    m.sides[0].holds = true;
    post(&m, 1, "a");
    mail_run(&m, 10);
    uint32_t sent = m.sent;
    assert_int_equal(mail_feed(&m, 0, "\1AA\0a", 5), ASSAY_PENDING); /* its copy */
    assert_int_equal(mail_feed(&m, 0, "\1AA\2c", 5), ASSAY_PENDING); /* ahead of its turn */
    assert_int_equal(mail_feed(&m, 0, "\1BB\1b", 5), ASSAY_PENDING); /* of another session */
    assert_int_equal(mail_feed(&m, 0, "\3AA\0p", 5), ASSAY_PENDING); /* an unreliable one */
    assert_int_equal(mail_feed(&m, 0, "\4CC\0", 4), ASSAY_PENDING);  /* one that renews */
    assert_int_equal(mail_call(&m, 0, MAIL_CALL_POST, "x"), ASSAY_PENDING);
    assert_int_equal(m.sent, sent);
    mail_complete(&m, 0, true);
    assert_int_equal(mail_feed(&m, 0, "\4CC\0", 4), ASSAY_OK);
    assert_int_equal(waiting(&m, 0).taken, 0);
    mail_close(&m);
}

static void a_session_may_end_in_the_meantime(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &chained);
    struct mail_side *s = &m.sides[0];
    uint32_t memory = mail_memory(&m, 0);
    s->holds = true;
    post(&m, 1, "ab");
    mail_run(&m, 10);
    assay_drop(s->engine, s->sid);
    for (int i = 0; i < 2; i++)
        assert_int_equal(assay_complete(s->engine, s->tokens[i], m.now, i == 0, &s->out), ASSAY_STALE);
    assert_int_equal(assay_open(s->engine, m.now, &s->sid, &s->out), ASSAY_OK);
    assert_int_equal(waiting(&m, 0).taken, 0);
    assay_drop(s->engine, s->sid);
    assert_true(mail_memory(&m, 0) <= memory);
    mail_close(&m);
}

/* ---- time ------------------------------------------------------------------ */

/* What this side has sent goes out again while it waits for its own effect; it is given up behind that. */
static void copies_go_out(const struct mail_options *options)
{
    struct mail m;
    mail_open(&m, options);
    m.sides[0].holds = true;
    m.dead[0] = true;
    post(&m, 0, "x");
    post(&m, 1, "a");
    mail_run(&m, 10);
    assert_int_equal(m.sides[0].tokens_n, 1);
    m.dead[1] = true;
    for (assay_time at = 200; at < 5000; at = at < 1000 ? 2 * at + 200 : at + 1000) {
        assert_int_equal(assay_deadline(m.sides[0].engine), at);
        uint32_t sent = m.sent;
        mail_run(&m, at);
        assert_true(m.sent > sent);
    }
    mail_run(&m, 20000);
    assert_int_equal(waiting(&m, 0).sent, 1);
    assert_int_equal(assay_deadline(m.sides[0].engine), ASSAY_NEVER);
    mail_complete(&m, 0, true);
    mail_feed(&m, 0, "\1AA\0a", 5); /* where it is presented again */
    mail_run(&m, 20001);
    assert_int_equal(waiting(&m, 0).sent, 0);
    assert_int_equal(waiting(&m, 0).taken, 1);
    mail_close(&m);
}

static void copies_go_out_in_the_meantime(void **unused)
{
    (void)unused;
    copies_go_out(&chained);
    copies_go_out(&waited);
}

static void what_is_overdue_is_not_put_off_for_ever(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &chained);
    m.sides[0].holds = true;
    m.dead[0] = true;
    post(&m, 0, "x");
    mail_run(&m, MAIL_GIVE_UP - 20);
    assert_int_equal(mail_feed(&m, 0, "\1AA\0a", 5), ASSAY_OK);
    mail_run(&m, MAIL_GIVE_UP + 1);
    assert_int_equal(mail_feed(&m, 0, "\1AA\1b", 5), ASSAY_PENDING);
    mail_complete(&m, 0, true);
    assert_int_equal(waiting(&m, 0).sent, 1);
    mail_run(&m, MAIL_GIVE_UP + 2);
    assert_int_equal(waiting(&m, 0).sent, 0);
    mail_close(&m);
}

/* ---- rows for readers ------------------------------------------------------- */

static void who_writes_is_sent_rows_in_the_meantime(void **unused)
{
    (void)unused;
    static const struct mail_options both = {
        .order = ASSAY_ORDER_IN_ORDER, .checks = true, .chains = true, .logs = true, .batch = 1, .row_window = 4};
    struct mail m;
    struct assay_hunger hunger;
    mail_open(&m, &both);
    m.sides[0].holds = true;
    post(&m, 1, "ab");
    mail_run(&m, 10);
    assay_log_grew(m.sides[0].engine, 0, 1);
    assert_true(assay_hungry(m.sides[0].engine, &hunger));
    assay_val none = 0;
    struct assay_span text = {(const uint8_t *)"r", 1};
    struct mail_side *s = &m.sides[0];
    assert_int_equal(mail_settle(&m, 0, assay_row(s->engine, s->sid, m.now, 0, 0, &none, &text, &s->out)), ASSAY_OK);
    assert_int_equal(mail_feed(&m, 0, "\3AA\0p", 5), ASSAY_PENDING); /* they are in flight still */
    mail_run(&m, 50);
    assert_true(mail_shown(&m, 1, "r."));
    assert_int_equal(waiting(&m, 0).sent, 0); /* it was acknowledged, and that was looked at */
    mail_complete(&m, 0, true);
    mail_complete(&m, 0, true);
    mail_run(&m, 100);
    assert_int_equal(waiting(&m, 1).sent, 0);
    mail_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_in_flight_together),
        cmocka_unit_test(other_rules_are_waited_for),
        cmocka_unit_test(acknowledged_are_those_that_are_done),
        cmocka_unit_test(whatever_the_network_and_the_disk_do),
        cmocka_unit_test(whatever_happens_with_room_for_two),
        cmocka_unit_test(what_fails_takes_those_behind_it_along),
        cmocka_unit_test(nothing_else_is_handled),
        cmocka_unit_test(a_session_may_end_in_the_meantime),
        cmocka_unit_test(copies_go_out_in_the_meantime),
        cmocka_unit_test(what_is_overdue_is_not_put_off_for_ever),
        cmocka_unit_test(who_writes_is_sent_rows_in_the_meantime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
