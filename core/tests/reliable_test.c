/* Reliable messages between two engines: whatever the network does, each is handed over once and in order. */
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

static const struct mail_options plain = {.order = ASSAY_ORDER_IN_ORDER};
static const struct mail_options checked = {.order = ASSAY_ORDER_IN_ORDER, .checks = true};

static struct assay_waiting waiting(const struct mail *m, unsigned side)
{
    struct assay_waiting w;
    assert_true(assay_waiting(m->sides[side].engine, m->sides[side].sid, &w));
    return w;
}

static uint16_t state(const struct mail *m, unsigned side)
{
    return (uint16_t)(assay_state(m->sides[side].engine, m->sides[side].sid) - side * MAIL_STATES);
}

/* ---- without faults ------------------------------------------------------- */

static void a_note_is_shown_and_acknowledged(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    uint32_t memory = mail_memory(&m, 1);
    assert_int_equal(mail_call(&m, 1, MAIL_CALL_NOTE, "hi"), ASSAY_OK);
    assert_int_equal(m.last_n, 6);
    assert_memory_equal(m.last, "\1AA\0hi", 6);
    assert_int_equal(waiting(&m, 1).sent, 1);
    assert_int_equal(m.sides[1].results, 0);
    assert_true(mail_step(&m, ASSAY_NEVER - 1));
    assert_true(mail_shown(&m, 0, "hi."));
    assert_int_equal(waiting(&m, 0).taken, 1);
    assert_memory_equal(m.last, "\2AA\0\1", 5);
    assert_int_equal(m.last_n, 5);
    assert_true(mail_step(&m, ASSAY_NEVER - 1));
    assert_int_equal(m.sides[1].results, 1);
    assert_int_equal(m.sides[1].outcome, ASSAY_CALL_OK);
    assert_int_equal(waiting(&m, 1).sent, 0);
    assert_int_equal(waiting(&m, 1).first_sent, 1);
    assert_int_equal(mail_memory(&m, 1), memory);
    assert_false(mail_step(&m, ASSAY_NEVER - 1));
    assert_int_equal(m.sent, 2);
    mail_close(&m);
}

/* ---- every schedule of faults --------------------------------------------- */

enum { NOTES = 3, PLACES = 14 };

static void converse(struct mail *m)
{
    for (unsigned i = 0; i < NOTES; i++) {
        char up[] = "u0", down[] = "d0";
        up[1] = down[1] = (char)('0' + i);
        assert_int_equal(mail_call(m, 1, MAIL_CALL_POST, up), ASSAY_OK);
        assert_int_equal(mail_call(m, 0, MAIL_CALL_POST, down), ASSAY_OK);
        mail_run(m, m->now + 25);
    }
    mail_run(m, m->now + 20000);
}

static void tell(const struct mail *m)
{
    fprintf(stderr, "faults:");
    for (int i = 0; i < PLACES; i++)
        fprintf(stderr, " %d", m->faults[i]);
    fprintf(stderr, "\nserver showed %.*s, client %.*s\n", (int)m->sides[0].shown_n, m->sides[0].shown,
            (int)m->sides[1].shown_n, m->sides[1].shown);
}

static void converse_with(const struct mail_options *options, const uint8_t *faults, uint32_t fails)
{
    struct mail m;
    mail_open(&m, options);
    uint32_t memory[2] = {mail_memory(&m, 0), mail_memory(&m, 1)};
    memcpy(m.faults, faults, PLACES);
    m.sides[0].fail_next = fails;
    converse(&m);
    bool right = mail_shown(&m, 0, "u0.u1.u2.") && mail_shown(&m, 1, "d0.d1.d2.");
    for (unsigned i = 0; i < 2; i++)
        right = right && waiting(&m, i).sent == 0 && waiting(&m, i).held == 0 && mail_memory(&m, i) == memory[i] &&
                assay_deadline(m.sides[i].engine) == ASSAY_NEVER;
    if (!right)
        tell(&m);
    assert_true(right);
    mail_close(&m);
}

/* Up to `most` faults behind place `from`. */
static uint32_t each_schedule(const struct mail_options *options, uint8_t *faults, int from, int most, uint32_t fails)
{
    converse_with(options, faults, fails);
    uint32_t runs = 1;
    for (int place = from; most && place < PLACES; place++) {
        for (uint8_t fault = MAIL_DROP; fault < MAIL_FAULTS; fault++) {
            faults[place] = fault;
            runs += each_schedule(options, faults, place + 1, most - 1, fails);
        }
        faults[place] = MAIL_PASS;
    }
    return runs;
}

static void whatever_the_network_does(void **unused)
{
    (void)unused;
    uint8_t faults[PLACES] = {0};
    assert_int_equal(each_schedule(&plain, faults, 0, 3, 0), 1 + 14 * 4 + 91 * 16 + 364 * 64);
}

static void whatever_the_network_does_and_effects_fail(void **unused)
{
    (void)unused;
    uint8_t faults[PLACES] = {0};
    for (uint32_t fails = 0; fails < 3; fails++)
        each_schedule(&checked, faults, 0, 2, fails);
}

static void numbers_wrap(void **unused)
{
    (void)unused;
    uint8_t faults[PLACES] = {0};
    struct mail_options options = plain;
    options.first = 254;
    each_schedule(&options, faults, 0, 2, 0);
    options.first = (int64_t)UINT32_MAX - 1; /* modulo 256 */
    each_schedule(&options, faults, 0, 1, 0);
}

static void numbers_wrap_often(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    for (int i = 0; i < 600; i++) {
        m.sides[0].shown_n = 0;
        m.faults[0] = m.faults[1] = i % 7 ? MAIL_PASS : MAIL_DOUBLE;
        m.sent = 0;
        assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "x"), ASSAY_OK);
        mail_run(&m, m.now + 100);
        assert_true(mail_shown(&m, 0, "x."));
    }
    assert_int_equal(waiting(&m, 0).taken, 600);
    assert_int_equal(waiting(&m, 1).first_sent, 600);
    mail_close(&m);
}

/* ---- time ------------------------------------------------------------------ */

static void what_is_lost_goes_out_again_unchanged(void **unused)
{
    (void)unused;
    static const assay_time at[] = {200, 600, 1400, 2400, 3400, 4400};
    struct mail m;
    mail_open(&m, &plain);
    m.dead[0] = m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_NOTE, "hi");
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(assay_deadline(m.sides[1].engine), at[i]);
        memset(m.last, 0, sizeof m.last);
        assert_true(mail_step(&m, at[i]));
        assert_int_equal(m.sent, i + 2);
        assert_memory_equal(m.last, "\1AA\0hi", 6);
    }
    assert_int_equal(assay_deadline(m.sides[1].engine), MAIL_GIVE_UP);
    assert_int_equal(state(&m, 1), MAIL_S_LIVE);
    assert_int_equal(m.sides[1].results, 0);
    assert_true(mail_step(&m, MAIL_GIVE_UP));
    assert_int_equal(state(&m, 1), MAIL_S_LOST);
    assert_int_equal(m.sent, 7);
    assert_int_equal(m.sides[1].results, 1);
    assert_int_equal(m.sides[1].outcome, 0);
    assert_int_equal(waiting(&m, 1).sent, 0);
    assert_int_equal(assay_deadline(m.sides[1].engine), ASSAY_NEVER);
    mail_close(&m);
}

/* Giving up counts from the last progress, not from the first message. */
static void progress_puts_giving_up_off(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    m.dead[0] = m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_POST, "a");
    mail_call(&m, 1, MAIL_CALL_POST, "b");
    mail_run(&m, 3000);
    mail_feed(&m, 1, SPAN("\2AA\0\1"));
    mail_run(&m, 7999);
    assert_int_equal(state(&m, 1), MAIL_S_LIVE);
    assert_int_equal(waiting(&m, 1).sent, 1);
    mail_run(&m, 8000);
    assert_int_equal(state(&m, 1), MAIL_S_LOST);
    mail_close(&m);
}

static void waiting_begins_with_the_first_message(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    mail_run(&m, 100000);
    m.dead[0] = m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_POST, "a");
    mail_run(&m, 104999);
    assert_int_equal(state(&m, 1), MAIL_S_LIVE);
    mail_run(&m, 105000);
    assert_int_equal(state(&m, 1), MAIL_S_LOST);
    mail_close(&m);
}

/* ---- the window ------------------------------------------------------------- */

static void a_full_window_holds_calls_back(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    m.dead[0] = true;
    uint32_t memory = mail_memory(&m, 1);
    for (int i = 0; i < 4; i++)
        assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "x"), ASSAY_OK);
    uint32_t used = mail_memory(&m, 1);
    assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "y"), ASSAY_FULL);
    assert_int_equal(mail_memory(&m, 1), used);
    assert_int_equal(m.sides[1].results, 4);
    mail_feed(&m, 1, SPAN("\2AA\0\2"));
    assert_int_equal(waiting(&m, 1).sent, 2);
    assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "y"), ASSAY_OK);
    assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "y"), ASSAY_OK);
    assert_int_equal(mail_call(&m, 1, MAIL_CALL_POST, "y"), ASSAY_FULL);
    m.dead[0] = false;
    mail_run(&m, 3000);
    assert_true(mail_shown(&m, 0, "x.x.x.x.y.y."));
    assert_int_equal(mail_memory(&m, 1), memory);
    mail_close(&m);
}

static void as_many_are_held_as_the_window_allows(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    uint32_t memory = mail_memory(&m, 0);
    mail_feed(&m, 0, SPAN("\1AA\3d"));
    assert_memory_equal(m.last, "\2AA\0\0", 5);
    mail_feed(&m, 0, SPAN("\1AA\4e"));
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    assert_int_equal(waiting(&m, 0).held, 2);
    assert_int_equal(m.sent, 4);
    assert_true(mail_shown(&m, 0, ""));
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, "a.b."));
    assert_memory_equal(m.last, "\2AA\0\2", 5);
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    assert_true(mail_shown(&m, 0, "a.b.c.d."));
    assert_memory_equal(m.last, "\2AA\0\4", 5);
    assert_int_equal(mail_memory(&m, 0), memory);
    mail_close(&m);
}

static void without_memory_they_are_dropped(void **unused)
{
    (void)unused;
    struct mail_options options = plain;
    options.memory = 2 * 32;
    struct mail m;
    mail_open(&m, &options);
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    mail_feed(&m, 0, SPAN("\1AA\3d"));
    assert_int_equal(waiting(&m, 0).held, 2);
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, "a.b.c."));
    mail_close(&m);
}

/* What is ahead of its turn makes room for what comes first. */
static void a_note_without_room_is_not_taken(void **unused)
{
    (void)unused;
    struct mail_options options = plain;
    options.keeps = true;
    options.memory = 2 * 32;
    struct mail m;
    mail_open(&m, &options);
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    assert_int_equal(waiting(&m, 0).held, 2);
    uint32_t sent = m.sent;
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, "no-room."));
    assert_int_equal(m.sent, sent);
    assert_int_equal(waiting(&m, 0).taken, 0);
    assert_int_equal(waiting(&m, 0).held, 0);
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    assert_true(mail_shown(&m, 0, "no-room.a.b."));
    assert_int_equal(waiting(&m, 0).taken, 2);
    mail_close(&m);
}

/* ---- what is not taken ------------------------------------------------------ */

static void a_declined_message_is_handled_anew(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &checked);
    m.sides[0].fail_next = 1;
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, ""));
    assert_int_equal(m.sent, 0);
    assert_int_equal(waiting(&m, 0).taken, 0);
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, "a."));
    assert_int_equal(m.sent, 1);
    mail_close(&m);
}

static void acknowledged_means_done(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &checked);
    m.sides[0].holds = true;
    assert_int_equal(mail_feed(&m, 0, SPAN("\1AA\0a")), ASSAY_PENDING);
    assert_int_equal(m.sent, 0);
    assert_int_equal(mail_feed(&m, 0, SPAN("\1AA\0a")), ASSAY_PENDING);
    mail_complete(&m, 0, true);
    assert_int_equal(m.sent, 0);
    assert_int_equal(mail_feed(&m, 0, SPAN("\1AA\0a")), ASSAY_OK);
    assert_memory_equal(m.last, "\2AA\0\1", 5);
    assert_int_equal(m.sent, 1);
    mail_close(&m);
}

/* The engine holds the bytes of those that were ahead: it goes on with them by itself. */
static void effects_of_messages_that_were_ahead(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &checked);
    uint32_t memory = mail_memory(&m, 0);
    m.sides[0].holds = true;
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    mail_complete(&m, 0, true);
    assert_int_equal(mail_feed(&m, 0, SPAN("\1AA\0a")), ASSAY_OK);
    assert_memory_equal(m.last, "\2AA\0\1", 5);
    assert_int_equal(m.sides[0].tokens_n, 1);
    assert_int_equal(mail_feed(&m, 0, SPAN("\1AA\3d")), ASSAY_PENDING);
    mail_complete(&m, 0, true);
    assert_memory_equal(m.last, "\2AA\0\2", 5);
    assert_int_equal(m.sides[0].tokens_n, 1);
    mail_complete(&m, 0, false);
    assert_int_equal(waiting(&m, 0).taken, 2);
    assert_int_equal(waiting(&m, 0).held, 0);
    assert_int_equal(mail_memory(&m, 0), memory);
    mail_close(&m);
}

/* With no more effects in flight than one, an effect makes room for the next one of its rule. */
static void one_effect_behind_another(void **unused)
{
    (void)unused;
    struct mail m;
    struct mail_options options = checked;
    options.twice = true;
    options.effects = 1;
    mail_open(&m, &options);
    m.sides[0].holds = true;
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    for (int i = 0; i < 3; i++) {
        mail_feed(&m, 0, SPAN("\1AA\0a"));
        if (i < 2)
            mail_complete(&m, 0, true);
    }
    assert_int_equal(waiting(&m, 0).taken, 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(m.sides[0].tokens_n, 1);
        mail_complete(&m, 0, true);
    }
    assert_int_equal(m.sides[0].tokens_n, 0);
    assert_int_equal(waiting(&m, 0).taken, 2);
    mail_close(&m);
}

/* ---- other orders, other answers to duplicates ------------------------------- */

static void without_order_each_is_shown_at_once(void **unused)
{
    (void)unused;
    struct mail_options options = plain;
    options.order = ASSAY_ORDER_NONE;
    struct mail m;
    mail_open(&m, &options);
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    assert_memory_equal(m.last, "\2AA\0\0", 5);
    mail_feed(&m, 0, SPAN("\1AA\1b"));
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    assert_true(mail_shown(&m, 0, "b.c."));
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, "b.c.a."));
    assert_memory_equal(m.last, "\2AA\0\3", 5);
    assert_int_equal(waiting(&m, 0).held, 0);
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    assert_true(mail_shown(&m, 0, "b.c.a."));
    mail_close(&m);
}

static void duplicate(uint8_t answer, const char *shown, uint32_t acknowledged)
{
    struct mail_options options = plain;
    options.duplicate = answer;
    struct mail m;
    mail_open(&m, &options);
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    mail_feed(&m, 0, SPAN("\1AA\0a"));
    assert_true(mail_shown(&m, 0, shown));
    assert_int_equal(m.sent, acknowledged);
    mail_close(&m);
}

static void duplicates_are_answered(void **unused)
{
    (void)unused;
    duplicate(ASSAY_DUPLICATE_ACKNOWLEDGE, "a.", 2);
    duplicate(ASSAY_DUPLICATE_IGNORE, "a.", 1);
    duplicate(ASSAY_DUPLICATE_DELIVER, "a.a.", 2);
}

/* More than was sent, or less than before, is no progress. */
static void impossible_acknowledgements_change_nothing(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    m.dead[0] = m.dead[1] = true;
    for (int i = 0; i < 3; i++)
        mail_call(&m, 1, MAIL_CALL_POST, "x");
    mail_feed(&m, 1, SPAN("\2AA\0\4"));
    mail_feed(&m, 1, SPAN("\2AA\0\377"));
    assert_int_equal(waiting(&m, 1).sent, 3);
    mail_feed(&m, 1, SPAN("\2AA\0\2"));
    mail_feed(&m, 1, SPAN("\2AA\0\1"));
    assert_int_equal(waiting(&m, 1).sent, 1);
    mail_close(&m);
}

/* ---- effects before it ------------------------------------------------------------- */

static const struct mail_options relays = {.order = ASSAY_ORDER_IN_ORDER, .relays = true, .window = 1};

static void room_is_kept_while_an_effect_is_in_flight(void **unused)
{
    (void)unused;
    struct mail_options options = relays;
    options.memory = 32;
    struct mail m;
    mail_open(&m, &options);
    m.sides[0].holds = true;
    for (int done = 0; done < 2; done++) {
        m.sides[0].fail_next = !done;
        assert_int_equal(mail_feed(&m, 0, SPAN("\3AA\0x")), ASSAY_PENDING);
        assert_int_equal(mail_memory(&m, 0), 1);
        assert_int_equal(waiting(&m, 0).sent, 0);
        mail_complete(&m, 0, done);
        assert_int_equal(mail_feed(&m, 0, SPAN("\3AA\0x")), ASSAY_OK);
        assert_int_equal(mail_memory(&m, 0), done);
        assert_int_equal(waiting(&m, 0).sent, done);
    }
    assert_memory_equal(m.last, "\1AA\0x", 5);
    assert_true(mail_shown(&m, 0, "lost.x."));
    mail_close(&m);
}

/* An effect cannot be undone: none is ordered where the window is full, or memory used up. */
static void no_effect_without_a_window(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &relays);
    m.dead[0] = true;
    assert_int_equal(mail_feed(&m, 0, SPAN("\3AA\0x")), ASSAY_OK);
    assert_int_equal(waiting(&m, 0).sent, 1);
    assert_int_equal(mail_feed(&m, 0, SPAN("\3AA\0y")), ASSAY_OK);
    assert_true(mail_shown(&m, 0, "x.lost."));
    mail_close(&m);
}

static void memory_goes_with_the_session(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    mail_call(&m, 0, MAIL_CALL_POST, "a");
    mail_feed(&m, 0, SPAN("\1AA\2c"));
    assert_int_equal(mail_memory(&m, 0), 2);
    assay_drop(m.sides[0].engine, m.sides[0].sid);
    assert_int_equal(mail_memory(&m, 0), 0);
    assert_int_equal(assay_deadline(m.sides[0].engine), ASSAY_NEVER);
    mail_close(&m);
}

/* ---- awaiting --------------------------------------------------------------------- */

static void flush_ends_when_nothing_waits(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    assert_int_equal(mail_call(&m, 1, MAIL_CALL_FLUSH, NULL), ASSAY_OK);
    assert_int_equal(m.sides[1].results, 1);
    m.faults[1] = MAIL_DROP;
    mail_call(&m, 1, MAIL_CALL_POST, "a");
    mail_call(&m, 1, MAIL_CALL_POST, "b");
    mail_call(&m, 1, MAIL_CALL_FLUSH, NULL);
    mail_run(&m, 199);
    assert_int_equal(m.sides[1].results, 3);
    mail_run(&m, 300);
    assert_int_equal(m.sides[1].results, 4);
    assert_int_equal(m.sides[1].outcome, ASSAY_CALL_OK);
    mail_close(&m);
}

/* ---- sessions ---------------------------------------------------------------- */

static void other_sessions_are_stale(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    mail_feed(&m, 0, SPAN("\1AB\0a"));
    assert_true(mail_shown(&m, 0, "stale."));
    assert_int_equal(m.sent, 0);
    mail_call(&m, 0, MAIL_CALL_POST, "x");
    mail_feed(&m, 0, SPAN("\2AB\0\1"));
    assert_true(mail_shown(&m, 0, "stale."));
    assert_int_equal(waiting(&m, 0).sent, 1);
    mail_feed(&m, 0, SPAN("\2AA\0\1"));
    assert_int_equal(waiting(&m, 0).sent, 0);
    mail_close(&m);
}

static void what_waits_goes_along_to_a_new_session(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    m.sides[0].out.cuts_len = 0;
    for (int i = 0; i < 3; i++)
        mail_call(&m, 1, MAIL_CALL_POST, "z");
    mail_run(&m, 100);
    uint32_t memory = mail_memory(&m, 1);
    m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_POST, "a");
    mail_call(&m, 1, MAIL_CALL_NOTE, "b");
    assert_memory_equal(m.last, "\1AA\4b", 5);
    m.dead[1] = false;
    mail_feed(&m, 1, SPAN("\4BB\0"));
    assert_int_equal(waiting(&m, 1).first_sent, 0);
    assert_int_equal(waiting(&m, 1).sent, 2);
    mail_feed(&m, 0, SPAN("\4BB\0"));
    assert_int_equal(waiting(&m, 0).taken, 0);
    uint32_t sent = m.sent;
    assert_true(mail_step(&m, 100));
    assert_int_equal(m.sent, sent + 2);
    assert_memory_equal(m.last, "\1BB\1b", 5);
    mail_run(&m, 5000);
    assert_true(mail_shown(&m, 0, "z.z.z.a.b."));
    assert_int_equal(m.sides[1].results, 5);
    assert_int_equal(mail_memory(&m, 1), memory + 1); /* the new session's name */
    mail_close(&m);
}

static const struct mail_options renewing = {.order = ASSAY_ORDER_IN_ORDER, .renews = true};

/* The first message of a numbering, too: what comes next is the first of the new one. */
static void a_message_may_renew(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &renewing);
    m.dead[0] = true;
    mail_feed(&m, 0, SPAN("\1AA\0BB"));
    assert_int_equal(waiting(&m, 0).taken, 0);
    assert_int_equal(waiting(&m, 0).sent, 1);
    mail_feed(&m, 0, SPAN("\1BB\0CC"));
    assert_int_equal(waiting(&m, 0).taken, 0);
    assert_int_equal(waiting(&m, 0).sent, 2);
    uint32_t sent = m.sent;
    assert_true(mail_step(&m, MAIL_FIRST / 2)); /* what was sent under the session before goes out at once */
    assert_int_equal(m.sent, sent + 1);
    assert_memory_equal(m.last, "\1CC\0BB", 6);
    mail_close(&m);
}

static void a_call_waits_for_what_went_along(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &renewing);
    m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_POST, "a");
    mail_feed(&m, 1, SPAN("\2AA\0\1"));
    assert_int_equal(m.sides[1].results, 1);
    mail_call(&m, 1, MAIL_CALL_NOTE, "b");
    mail_feed(&m, 1, SPAN("\2AA\0\2"));
    assert_int_equal(m.sides[1].results, 1);
    mail_feed(&m, 1, SPAN("\2GG\0\1"));
    assert_int_equal(m.sides[1].results, 2);
    mail_close(&m);
}

static void who_gives_up_may_renew(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &renewing);
    m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_POST, "a");
    mail_run(&m, MAIL_GIVE_UP - 1);
    m.dead[1] = false;
    mail_run(&m, MAIL_GIVE_UP);
    assert_int_equal(waiting(&m, 1).first_sent, 0);
    assert_int_equal(waiting(&m, 1).sent, 1);
    assert_memory_equal(m.last, "\1GG\0a", 5);
    mail_close(&m);
}

/* A call may wait on, but what it waits for is not acknowledged any more, whatever is. */
static void what_was_given_up_stays_so(void **unused)
{
    (void)unused;
    struct mail m;
    struct mail_options options = {.order = ASSAY_ORDER_IN_ORDER, .bears = true};
    mail_open(&m, &options);
    m.dead[1] = true;
    mail_call(&m, 1, MAIL_CALL_NOTE, "a");
    mail_run(&m, MAIL_GIVE_UP);
    assert_true(mail_shown(&m, 1, "lost."));
    assert_int_equal(waiting(&m, 1).sent, 0);
    assert_int_equal(waiting(&m, 1).first_sent, 1);
    mail_feed(&m, 1, SPAN("\4BB\0"));
    assert_int_equal(waiting(&m, 1).first_sent, 0);
    assert_int_equal(m.sides[1].results, 0);
    mail_feed(&m, 1, SPAN("\4CC\0"));
    assert_int_equal(m.sides[1].results, 0);
    mail_close(&m);
}

/* ---- judges -------------------------------------------------------------------- */

static void judges_are_told_of_what_no_rule_sent(void **unused)
{
    (void)unused;
    struct mail m;
    struct mail_options options = plain;
    options.judge = true;
    mail_open(&m, &options);
    m.faults[0] = MAIL_DROP;
    mail_call(&m, 1, MAIL_CALL_NOTE, "hi");
    assert_int_equal(m.sides[1].again, 0);
    mail_run(&m, 1000);
    assert_int_equal(m.sides[1].again, 1);
    assert_int_equal(m.sides[0].again, 1);
    mail_close(&m);
}

static void what_ends_the_session_is_acknowledged(void **unused)
{
    (void)unused;
    struct mail m;
    struct mail_options options = plain;
    options.judge = options.ends = true;
    mail_open(&m, &options);
    assert_int_equal(mail_feed(&m, 0, SPAN("\1AA\0a")), ASSAY_ENDED);
    assert_true(mail_shown(&m, 0, "a."));
    assert_memory_equal(m.last, "\2AA\0\1", 5);
    assert_int_equal(m.sides[0].again, 1);
    assert_int_equal(m.sides[0].again_late, 0);
    mail_close(&m);
}

static void copies_go_on_by_themselves(void **unused)
{
    (void)unused;
    struct mail m;
    mail_open(&m, &plain);
    m.faults[0] = MAIL_DROP;
    mail_call(&m, 1, MAIL_CALL_POST, "hi");
    mail_call(&m, 1, MAIL_CALL_NOTE, "b");
    mail_run(&m, 100);
    assert_int_equal(waiting(&m, 0).held, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct assay_config config = {.model = m.model, .machine = (uint16_t)i, .limits = m.model->limits};
        size_t size = assay_engine_size(&config);
        struct assay_engine *copy = assay_engine_init(malloc(size), size, &config);
        assay_engine_copy(copy, m.sides[i].engine);
        memset(m.sides[i].block, 0xa5, size);
        free(m.sides[i].block);
        m.sides[i].block = m.sides[i].engine = copy;
    }
    mail_run(&m, 1000);
    assert_true(mail_shown(&m, 0, "hi.b."));
    assert_int_equal(m.sides[1].results, 2);
    mail_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_note_is_shown_and_acknowledged),
        cmocka_unit_test(whatever_the_network_does),
        cmocka_unit_test(whatever_the_network_does_and_effects_fail),
        cmocka_unit_test(numbers_wrap),
        cmocka_unit_test(numbers_wrap_often),
        cmocka_unit_test(what_is_lost_goes_out_again_unchanged),
        cmocka_unit_test(progress_puts_giving_up_off),
        cmocka_unit_test(waiting_begins_with_the_first_message),
        cmocka_unit_test(a_full_window_holds_calls_back),
        cmocka_unit_test(as_many_are_held_as_the_window_allows),
        cmocka_unit_test(without_memory_they_are_dropped),
        cmocka_unit_test(a_note_without_room_is_not_taken),
        cmocka_unit_test(a_declined_message_is_handled_anew),
        cmocka_unit_test(acknowledged_means_done),
        cmocka_unit_test(effects_of_messages_that_were_ahead),
        cmocka_unit_test(one_effect_behind_another),
        cmocka_unit_test(without_order_each_is_shown_at_once),
        cmocka_unit_test(duplicates_are_answered),
        cmocka_unit_test(impossible_acknowledgements_change_nothing),
        cmocka_unit_test(flush_ends_when_nothing_waits),
        cmocka_unit_test(other_sessions_are_stale),
        cmocka_unit_test(what_waits_goes_along_to_a_new_session),
        cmocka_unit_test(a_message_may_renew),
        cmocka_unit_test(a_call_waits_for_what_went_along),
        cmocka_unit_test(who_gives_up_may_renew),
        cmocka_unit_test(what_was_given_up_stays_so),
        cmocka_unit_test(judges_are_told_of_what_no_rule_sent),
        cmocka_unit_test(what_ends_the_session_is_acknowledged),
        cmocka_unit_test(room_is_kept_while_an_effect_is_in_flight),
        cmocka_unit_test(no_effect_without_a_window),
        cmocka_unit_test(memory_goes_with_the_session),
        cmocka_unit_test(copies_go_on_by_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
