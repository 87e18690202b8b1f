/* Datagrams of sources without a session: what stateless rules answer takes no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/mail.h"

#define SPAN(s)                                                                                                        \
    (struct assay_span)                                                                                                \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }

static const struct mail_options strangers = {.order = ASSAY_ORDER_IN_ORDER, .strangers = true};

struct door {
    struct assay_engine *engine;
    struct assay_out out;
    uint8_t bytes[128];
    struct assay_cut cuts[8];
    assay_sid sid, ended;
    assay_token token;
    uint32_t ends;
};

static void open_door(struct door *d, const struct mail_options *options)
{
    memset(d, 0, sizeof *d);
    d->engine = mail_engine(options, 0);
    d->out = (struct assay_out){d->bytes, sizeof d->bytes, 0, d->cuts, 8, 0};
}

static enum assay_rc settle(struct door *d, enum assay_rc rc)
{
    struct assay_event event;
    while (assay_next_event(d->engine, &event)) {
        if (event.type == ASSAY_EVENT_EFFECT)
            d->token = event.effect.token;
        if (event.type == ASSAY_EVENT_ENDED) {
            d->ends++;
            d->ended = event.sid;
        }
    }
    return rc;
}

static enum assay_rc knock(struct door *d, struct assay_span peer, struct assay_span in)
{
    return settle(d, assay_datagram(d->engine, 0, peer, in, &d->sid, &d->out));
}

static enum assay_rc feed(struct door *d, struct assay_span in)
{
    uint32_t used;
    return settle(d, assay_feed(d->engine, d->sid, 0, in, &used, &d->out));
}

static void answered(struct door *d, struct assay_span bytes)
{
    assert_int_equal(d->out.len, bytes.n);
    assert_memory_equal(d->bytes, bytes.p, bytes.n);
    d->out.len = d->out.cuts_len = 0;
}

/* A session that is live. */
static assay_sid settle_in(struct door *d, struct assay_span peer)
{
    assert_int_equal(knock(d, peer, SPAN("\4CC\0")), ASSAY_PENDING);
    assert_true(d->sid);
    assert_int_equal(settle(d, assay_complete(d->engine, d->token, 0, true, &d->out)), ASSAY_OK);
    assert_int_equal(feed(d, SPAN("\4CC\0")), ASSAY_OK);
    answered(d, SPAN("\4\0\0\0"));
    assert_int_equal(assay_state(d->engine, d->sid), MAIL_S_LIVE);
    return d->sid;
}

static void stateless_answers_take_no_room(void **state)
{
    (void)state;
    struct door d;
    open_door(&d, &strangers);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(knock(&d, SPAN("peer 7"), SPAN("\3AA\0")), ASSAY_OK);
        assert_int_equal(d.sid, 0);
        answered(&d, SPAN("\3\0\0\0peer 7"));
        assert_int_equal(knock(&d, SPAN(""), SPAN("\1XX\0hi")), ASSAY_OK);
        assert_int_equal(d.sid, 0);
        answered(&d, SPAN("\3\0\0\0stale"));
        assert_int_equal(knock(&d, SPAN(""), SPAN("\1")), ASSAY_OK);
        assert_int_equal(d.sid, 0);
        answered(&d, SPAN(""));
    }
    assert_int_equal(d.ends, 0);
    free(d.engine);
}

static void others_are_kept(void **state)
{
    (void)state;
    struct door d;
    open_door(&d, &strangers);
    assay_sid sid = settle_in(&d, SPAN("a"));
    assert_int_equal(feed(&d, SPAN("\1CC\0hi")), ASSAY_OK);
    answered(&d, SPAN("\2CC\0\1"));
    assert_int_equal(assay_state(d.engine, sid), MAIL_S_LIVE);
    assert_int_equal(d.ends, 0);
    free(d.engine);
}

static void one_that_could_not_be_is_let_go(void **state)
{
    (void)state;
    struct door d;
    open_door(&d, &strangers);
    assert_int_equal(knock(&d, SPAN("a"), SPAN("\4CC\0")), ASSAY_PENDING);
    assay_sid sid = d.sid;
    assert_true(sid);
    assert_int_equal(settle(&d, assay_complete(d.engine, d.token, 0, false, &d.out)), ASSAY_OK);
    assert_int_equal(feed(&d, SPAN("\4CC\0")), ASSAY_ENDED);
    answered(&d, SPAN("\3\0\0\0lost"));
    assert_int_equal(d.ends, 1);
    assert_int_equal(d.ended, sid);
    assert_int_equal(feed(&d, SPAN("\4CC\0")), ASSAY_STALE);
    free(d.engine);
}

static void one_that_goes_back_is_let_go(void **state)
{
    (void)state;
    struct door d;
    open_door(&d, &strangers);
    assay_sid sid = settle_in(&d, SPAN("a"));
    assert_int_equal(settle(&d, assay_signal(d.engine, sid, 0, ASSAY_EV_RESET, SPAN(""), &d.out)), ASSAY_ENDED);
    assert_int_equal(d.ended, sid);
    free(d.engine);
}

static void when_all_are_taken_only_stateless_rules_are_followed(void **state)
{
    (void)state;
    struct door d;
    open_door(&d, &strangers);
    assay_sid first = settle_in(&d, SPAN("a"));
    settle_in(&d, SPAN("b"));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(knock(&d, SPAN("c"), SPAN("\3AA\0")), ASSAY_OK);
        assert_int_equal(d.sid, 0);
        answered(&d, SPAN("\3\0\0\0c"));
        assert_int_equal(knock(&d, SPAN("c"), SPAN("\4CC\0")), ASSAY_REFUSED);
        assert_int_equal(d.sid, 0);
        answered(&d, SPAN(""));
    }
    assert_int_equal(d.ends, 0);
    assay_drop(d.engine, first);
    settle_in(&d, SPAN("c"));
    free(d.engine);
}

static void machines_without_stateless_rules_keep_all_and_refuse(void **state)
{
    (void)state;
    struct mail_options plain = {.order = ASSAY_ORDER_IN_ORDER};
    struct door d;
    open_door(&d, &plain);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(knock(&d, SPAN("a"), SPAN("\3AA\0x")), ASSAY_OK);
        assert_true(d.sid);
    }
    assert_int_equal(knock(&d, SPAN("c"), SPAN("\3AA\0x")), ASSAY_REFUSED);
    free(d.engine);
}

static void without_room_nothing_happened(void **state)
{
    (void)state;
    struct door d;
    open_door(&d, &strangers);
    d.out.cuts_cap = 0;
    assert_int_equal(knock(&d, SPAN("peer"), SPAN("\3AA\0")), ASSAY_FULL);
    assert_int_equal(d.sid, 0);
    assert_int_equal(d.out.len, 0);
    d.out.cuts_cap = 8;
    assert_int_equal(knock(&d, SPAN("peer"), SPAN("\3AA\0")), ASSAY_OK);
    answered(&d, SPAN("\3\0\0\0peer"));
    free(d.engine);
}

/* An effect of a session that is taken back is no more in flight. */
static void what_is_taken_back_leaves_no_effect(void **unused)
{
    (void)unused;
    struct mail_options options = strangers;
    struct door d;
    options.greets = true;
    options.effects = 1;
    open_door(&d, &options);
    d.out.cap = 1;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(knock(&d, SPAN("one"), SPAN("\3\0\0\0")), ASSAY_FULL);
        assert_int_equal(d.out.cuts_len, 0);
    }
    d.out.cap = sizeof d.bytes;
    assert_int_equal(knock(&d, SPAN("one"), SPAN("\3\0\0\0")), ASSAY_OK);
    assert_int_not_equal(d.sid, 0);
    assert_int_not_equal(d.token, 0);
    assert_int_equal(settle(&d, assay_complete(d.engine, d.token, 0, true, &d.out)), ASSAY_ENDED);
    free(d.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stateless_answers_take_no_room),
        cmocka_unit_test(others_are_kept),
        cmocka_unit_test(one_that_could_not_be_is_let_go),
        cmocka_unit_test(one_that_goes_back_is_let_go),
        cmocka_unit_test(when_all_are_taken_only_stateless_rules_are_followed),
        cmocka_unit_test(machines_without_stateless_rules_keep_all_and_refuse),
        cmocka_unit_test(without_room_nothing_happened),
        cmocka_unit_test(what_is_taken_back_leaves_no_effect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
