#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/memory_host.h"
#include "core/tests/models.h"

#define LIT(s)        (s), (uint32_t)(sizeof(s) - 1)
#define I(op, a, b)   assay_ins(ASSAY_OP_##op, a, (unsigned)(b))
#define LIST(...)     (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4
#define REPLY(status) I(INT, 0, status), I(OUT, 0, 0), I(SEND, 0, NOTES_REPLY)
#define APPEND(blob)  I(BLOB, 0, blob), I(EFFECT, 1, NOTES_EFFECT_APPEND)
#define NOTICE        I(INT, 0, 7), I(EFFECT, 1, NOTES_EFFECT_NOTICE)
#define COUNT_UP      I(VAR, 0, NOTES_VAR_COUNT), I(INT, 0, 1), I(ADD, 0, 0), I(SET, 0, NOTES_VAR_COUNT)
#define USER(blob)    I(BLOB, 0, blob), I(BLOB, 0, blob), I(JOIN, 2, 0), I(SET, 0, NOTES_VAR_USER)
#define UNDEFINED     I(INT, 0, 1), I(INT, 0, 0), I(DIV, 0, 0), I(SET, 0, NOTES_VAR_COUNT)

static struct host host;

static void open_with(const struct assay_model *model)
{
    uint32_t where;
    assert_true(assay_code_verify(model, &where));
    host_init(&host, (struct assay_config){.model = model});
    host_open(&host);
}

static void trigger(void)
{
    host_feed(&host, LIT("\4\0\0"));
}

static void expect_sent(const void *p, uint32_t n)
{
    assert_int_equal(host.sent.n, n);
    assert_memory_equal(host.sent.p, p, n);
}

static int64_t counted(void)
{
    assay_val v = 99;
    struct assay_span bytes;
    assert_true(assay_var(host.engine, host.sid, NOTES_VAR_COUNT, &v, &bytes));
    return (int64_t)v;
}

static void what_is_undefined_undoes_the_rule(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE, LIST(COUNT_UP, NOTICE, REPLY(0), UNDEFINED), LIST(REPLY(255))));
    trigger();
    expect_sent(LIT("\377"));
    assert_int_equal(counted(), 0);
    assert_int_equal(host.notices, 0);
    assert_false(host.ended);
    host_free(&host);
}

static void without_an_else_the_session_ends(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE, LIST(REPLY(0), UNDEFINED), NULL, 0));
    trigger();
    expect_sent(LIT(""));
    assert_true(host.ended);
    host_free(&host);
    open_with(notes_with(NOTES_EV_CLOSE, LIST(REPLY(0), UNDEFINED), LIST(REPLY(255), UNDEFINED)));
    trigger();
    expect_sent(LIT(""));
    assert_true(host.ended);
    host_free(&host);
}

static void what_does_not_encode_undoes_the_rule(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE, LIST(COUNT_UP, REPLY(0), REPLY(7)), LIST(REPLY(255))));
    trigger();
    expect_sent(LIT("\377"));
    assert_int_equal(counted(), 0);
    host_free(&host);
}

/* Sets, sends and orders around two effects that have to complete happen once each. */
static void a_suspended_body_happens_once(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE,
                         LIST(NOTICE, COUNT_UP, APPEND(0), REPLY(0), COUNT_UP, APPEND(1), NOTICE, REPLY(0)),
                         LIST(REPLY(255))));
    host.hold = true;
    trigger();
    assert_int_equal(counted(), 0);
    assert_int_equal(host.notices, 1);
    expect_sent(LIT(""));
    host_sync(&host);
    assert_int_equal(host_pump(&host), ASSAY_PENDING);
    assert_int_equal(host.notices, 1);
    expect_sent(LIT(""));
    host_sync(&host);
    assert_int_equal(host_pump(&host), ASSAY_OK);
    expect_sent(LIT("\0\0"));
    assert_int_equal(counted(), 2);
    assert_int_equal(host.notices, 2);
    assert_int_equal(host.disk.n, 4);
    assert_memory_equal(host.disk.p, "[]: ", 4);
    host_free(&host);
}

static void an_else_may_wait_for_an_effect_too(void **state)
{
    (void)state;
    for (uint32_t second_fails = 0; second_fails < 2; second_fails++) {
        open_with(
            notes_with(NOTES_EV_CLOSE, LIST(COUNT_UP, APPEND(0), REPLY(0)), LIST(APPEND(1), COUNT_UP, REPLY(255))));
        host.hold = true;
        host.fail_at = 1;
        trigger();
        host_sync(&host);
        assert_int_equal(host_pump(&host), ASSAY_PENDING);
        host.fails[0] = second_fails;
        host_sync(&host);
        host_pump(&host);
        assert_int_equal(host.ended, second_fails);
        assert_int_equal(host.sent.n, !second_fails);
        if (!second_fails)
            assert_int_equal(counted(), 1);
        host_free(&host);
    }
}

/* What a rule that cannot be done leaves: its `else` alone; again and again, so that no token is lost either. */
static void expect_otherwise(const struct assay_model *model)
{
    open_with(model);
    for (uint32_t i = 0; i < 2 * model->limits.effects; i++)
        trigger();
    assert_int_equal(host.effects, 0);
    assert_int_equal(host.notices, 0);
    assert_int_equal(host.sent.n, 2 * model->limits.effects);
    assert_int_equal(host.sent.p[0], 255);
    assert_int_equal(counted(), 0);
    host_free(&host);
}

/* An effect cannot be undone: none is ordered where what stands behind it cannot be done. */
static void no_effect_comes_before_what_cannot_be_done(void **state)
{
    (void)state;
    expect_otherwise(notes_with(NOTES_EV_CLOSE, LIST(NOTICE, COUNT_UP, APPEND(0), UNDEFINED), LIST(REPLY(255))));
    expect_otherwise(notes_with(NOTES_EV_CLOSE, LIST(APPEND(0), REPLY(0), REPLY(7)), LIST(REPLY(255))));
    expect_otherwise(notes_with(NOTES_EV_CLOSE, LIST(APPEND(0), COUNT_UP, APPEND(1), NOTICE, REPLY(0), UNDEFINED),
                                LIST(REPLY(255))));
    open_with(notes_with(NOTES_EV_CLOSE, LIST(UNDEFINED), LIST(APPEND(0), UNDEFINED)));
    trigger();
    assert_true(host.ended);
    assert_int_equal(host.effects, 0);
    host_free(&host);
}

/* What is chosen behind an effect is chosen when that is ordered. */
static void what_was_foreseen_is_not_chosen_again(void **state)
{
    (void)state;
    struct assay_choices choices = {.picks = 1, .pick = {1}};
    open_with(
        notes_with(NOTES_EV_CLOSE,
                   LIST(APPEND(0), I(CHOOSE, 2, 0), I(JUMP, 0, 1), I(JUMP, 0, 4), REPLY(0), I(JUMP, 0, 3), REPLY(255)),
                   LIST(REPLY(255))));
    assay_choose(host.engine, &choices);
    host.hold = true;
    trigger();
    assert_int_equal(choices.met, 1);
    choices.met = choices.picks = 0;
    host_sync(&host);
    host_pump(&host);
    assert_int_equal(choices.met, 0);
    expect_sent(LIT("\377"));
    host_free(&host);
}

/* The effect stands in the second way, and so does what comes behind it. */
static void a_way_that_waits_is_gone_to_its_end(void **state)
{
    (void)state;
    for (uint8_t way = 0; way < 2; way++) {
        struct assay_choices choices = {.picks = 1, .pick = {way}};
        open_with(notes_with(NOTES_EV_CLOSE,
                             LIST(I(CHOOSE, 2, 0), I(JUMP, 0, 1), I(JUMP, 0, 6), APPEND(0), REPLY(0), I(JUMP, 0, 5),
                                  APPEND(1), REPLY(255)),
                             LIST(REPLY(0), REPLY(0))));
        assay_choose(host.engine, &choices);
        host.hold = true;
        trigger();
        choices.met = choices.picks = 0;
        host_sync(&host);
        host_pump(&host);
        expect_sent(way ? "\377" : "\0", 1);
        assert_int_equal(host.effects, 1);
        host_free(&host);
    }
}

/* What an order shows stands in a variable that the rule has set, and that is undone until the effect is through. */
static void an_order_shows_what_was_set_before_it(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE,
                         LIST(USER(1), I(VAR, 0, NOTES_VAR_USER), I(EFFECT, 1, NOTES_EFFECT_APPEND), USER(0), REPLY(0)),
                         LIST(REPLY(255))));
    trigger();
    expect_sent(LIT("\0"));
    assert_int_equal(host.disk.n, 6);
    assert_memory_equal(host.disk.p, "]: ]: ", 6);
    host_free(&host);
}

/* Another session takes a name, if there is room for one. */
static bool another_fits(void)
{
    uint8_t bytes[16];
    uint32_t used;
    assay_sid sid;
    struct assay_event event;
    struct assay_out out = {.bytes = bytes, .cap = sizeof bytes};
    assert_int_equal(assay_open(host.engine, 0, &sid, &out), ASSAY_OK);
    enum assay_rc rc =
        assay_feed(host.engine, sid, 0, (struct assay_span){(const uint8_t *)"\1\3\0bob", 6}, &used, &out);
    while (assay_next_event(host.engine, &event))
        ;
    return rc == ASSAY_OK;
}

/* What a rule needs behind its effect is its own from the order on; when all is over, or the session, it is free. */
static void memory_is_held_for_the_rest(void **state)
{
    (void)state;
    enum { DONE, FAILED, DROPPED };
    const struct assay_model *model = notes_with(NOTES_EV_CLOSE, LIST(APPEND(0), USER(0), REPLY(0)), LIST(REPLY(255)));
    struct assay_limits limits = model->limits;
    limits.memory = 64; /* two names */
    for (int how = DONE; how <= DROPPED; how++) {
        host_init(&host, (struct assay_config){.model = model, .limits = limits});
        host_open(&host);
        host.hold = true;
        host.fail_at = how == FAILED;
        trigger();
        assert_true(another_fits());
        assert_false(another_fits());
        if (how == DROPPED)
            assay_drop(host.engine, host.sid);
        else
            host_sync(&host);
        host_pump(&host);
        expect_sent(how == DONE ? "\0" : "\377", how != DROPPED);
        assert_int_equal(another_fits(), how != DONE);
        host_free(&host);
    }
}

static void abort_is_a_reset(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE, LIST(REPLY(0), I(ABORT, 0, 0)), NULL, 0));
    trigger();
    assert_true(host.ended);
    assert_int_equal(host.end.ended.how, ASSAY_END_ABORT);
    host_free(&host);
}

static void timers_start_and_stop(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE, LIST(I(TIMER, 0, 0)), NULL, 0));
    host.now = 10;
    trigger();
    assert_int_equal(assay_deadline(host.engine), ASSAY_NEVER);
    host_feed(&host, LIT("\1\1\0a"));
    assert_int_equal(assay_deadline(host.engine), ASSAY_NEVER);
    host_free(&host);
    open_with(notes_with(NOTES_EV_CLOSE, LIST(I(TIMER, 1, 0)), NULL, 0));
    host.now = 10;
    trigger();
    assert_int_equal(assay_deadline(host.engine), NOTES_IDLE_NS + 10);
    host_free(&host);
}

static void choices_go_the_way_that_is_picked(void **state)
{
    (void)state;
    for (uint8_t way = 0; way < 3; way++) {
        struct assay_choices choices = {.picks = 1, .pick = {way}};
        open_with(notes_with(NOTES_EV_CLOSE,
                             LIST(I(CHOOSE, 2, 0), I(JUMP, 0, 1), I(JUMP, 0, 4), REPLY(0), I(JUMP, 0, 3), REPLY(255)),
                             NULL, 0));
        assay_choose(host.engine, &choices);
        trigger();
        if (way == 1)
            expect_sent(LIT("\377"));
        else
            expect_sent(LIT("\0"));
        assert_int_equal(choices.met, 1);
        assert_int_equal(choices.ways[0], 2);
        host_free(&host);
    }
}

static void free_fields_are_told(void **state)
{
    (void)state;
    const struct assay_model *model = notes_with(NOTES_EV_CLOSE,
                                                 LIST(I(FREE, 1, 0), I(JUMP, 0, 4), I(SLOT, 0, 0), I(INT, 0, 9),
                                                      I(LT, 0, 0), I(END, 0, 0), I(SEND, 0, NOTES_REPLY)),
                                                 NULL, 0);
    host_init(&host, (struct assay_config){.model = model, .judge = true});
    host_open(&host);
    uint32_t used;
    struct assay_event event;
    assert_int_equal(
        assay_feed(host.engine, host.sid, 0, (struct assay_span){(const uint8_t *)"\4\0\0", 3}, &used, &host.out),
        ASSAY_OK);
    assert_true(assay_next_event(host.engine, &event));
    assert_int_equal(event.type, ASSAY_EVENT_SENT);
    assert_int_equal(event.sent.free, 1);
    assay_val slots[ASSAY_SLOTS_MAX] = {8};
    struct assay_env env = {.model = model, .slots = slots, .known = 1};
    assert_true(assay_holds(&env, event.sent.where[0]));
    slots[0] = 9;
    assert_false(assay_holds(&env, event.sent.where[0]));
    host_free(&host);
}

/* Any bytes, however they are cut: no crash, and the same output. */
static void random_bytes_split_anywhere(void **state)
{
    (void)state;
    static struct host whole;
    static const char pieces[] = "\1\2\3\4\0\0\0\377 \r\nsquare twice 0123456789";
    uint32_t seed = 11;
    for (int turn = 0; turn < 3000; turn++) {
        const struct assay_model *model = turn % 2 ? sums_model() : notes_model(false);
        uint8_t bytes[120];
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)pieces[(seed >> 8) % (sizeof pieces - 1)];
        }
        host_init(&whole, (struct assay_config){.model = model});
        host_open(&whole);
        host_feed(&whole, bytes, sizeof bytes);
        host_eof(&whole);
        host_init(&host, (struct assay_config){.model = model});
        host_open(&host);
        for (uint32_t at = 0, n; at < sizeof bytes; at += n) {
            seed = seed * 1664525u + 1013904223u;
            n = 1 + (seed >> 8) % 9;
            n = n < sizeof bytes - at ? n : (uint32_t)sizeof bytes - at;
            host_feed(&host, bytes + at, n);
        }
        host_eof(&host);
        expect_sent(whole.sent.p, whole.sent.n);
        assert_true(host.ended && whole.ended);
        host_free(&host);
        host_free(&whole);
    }
}

static void what_is_undone_gives_its_memory_back(void **state)
{
    (void)state;
    open_with(notes_with(NOTES_EV_CLOSE,
                         LIST(I(BLOB, 0, 0), I(BLOB, 0, 1), I(JOIN, 2, 0), I(SET, 0, NOTES_VAR_USER), UNDEFINED),
                         LIST(REPLY(255))));
    for (int i = 0; i < 500; i++)
        trigger();
    host.sent.n = 0;
    host_feed(&host, LIT("\1\3\0bob"));
    expect_sent(LIT("\0"));
    host_free(&host);
}

static void an_oversize_frame_is_skipped_across_feeds(void **state)
{
    (void)state;
    static uint8_t junk[300];
    for (uint32_t step = 1; step <= 300; step += 23) {
        open_with(notes_with(ASSAY_EV_OVERSIZE, LIST(REPLY(255)), NULL, 0));
        host_feed(&host, LIT("\3\54\1"));
        for (uint32_t at = 0; at < sizeof junk; at += step)
            host_feed(&host, junk + at, step < sizeof junk - at ? step : (uint32_t)sizeof junk - at);
        host_feed(&host, LIT("\1\3\0bob"));
        expect_sent(LIT("\377\0"));
        host_free(&host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_undefined_undoes_the_rule),
        cmocka_unit_test(without_an_else_the_session_ends),
        cmocka_unit_test(what_does_not_encode_undoes_the_rule),
        cmocka_unit_test(a_suspended_body_happens_once),
        cmocka_unit_test(an_else_may_wait_for_an_effect_too),
        cmocka_unit_test(no_effect_comes_before_what_cannot_be_done),
        cmocka_unit_test(what_was_foreseen_is_not_chosen_again),
        cmocka_unit_test(a_way_that_waits_is_gone_to_its_end),
        cmocka_unit_test(an_order_shows_what_was_set_before_it),
        cmocka_unit_test(memory_is_held_for_the_rest),
        cmocka_unit_test(abort_is_a_reset),
        cmocka_unit_test(timers_start_and_stop),
        cmocka_unit_test(choices_go_the_way_that_is_picked),
        cmocka_unit_test(free_fields_are_told),
        cmocka_unit_test(random_bytes_split_anywhere),
        cmocka_unit_test(what_is_undone_gives_its_memory_back),
        cmocka_unit_test(an_oversize_frame_is_skipped_across_feeds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
