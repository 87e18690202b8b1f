#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/memory_host.h"
#include "core/tests/models.h"

#define LIT(s) (s), (uint32_t)(sizeof(s) - 1)
#define LOGIN  "\1\3\0bob\2\3\0abc"

static void expect_sent(const struct host *h, const void *p, uint32_t n)
{
    assert_int_equal(h->sent.n, n);
    assert_memory_equal(h->sent.p, p, n);
}

static void expect_disk(const struct host *h, const char *text)
{
    assert_int_equal(h->disk.n, strlen(text));
    assert_memory_equal(h->disk.p, text, strlen(text));
}

static void open_notes(struct host *h, bool gated)
{
    host_init(h, (struct assay_config){.model = notes_model(gated), .gates = gated});
    host_open(h);
}

static struct host host;

static void login_and_append(void **state)
{
    (void)state;
    open_notes(&host, false);
    host_feed(&host, LIT(LOGIN "\3\2\0hi"));
    expect_sent(&host, LIT("\0\0\0"));
    expect_disk(&host, "[bob]: hi\r\n");
    assert_int_equal(assay_state(host.engine, host.sid), NOTES_S_READY);
    host_feed(&host, LIT("\4\0\0"));
    assert_true(host.ended);
    expect_sent(&host, LIT("\0\0\0\0"));
    host_free(&host);
}

/* ---- splits ------------------------------------------------------------ */

static void check_split(const struct assay_model *model, const char *in, uint32_t n, uint32_t at, bool gates,
                        const struct host *whole)
{
    host_init(&host, (struct assay_config){.model = model, .gates = gates});
    host_open(&host);
    host_feed(&host, in, at);
    host_feed(&host, in + at, n - at);
    expect_sent(&host, whole->sent.p, whole->sent.n);
    assert_int_equal(host.disk.n, whole->disk.n);
    assert_memory_equal(host.disk.p, whole->disk.p, whole->disk.n);
    assert_int_equal(host.ended, whole->ended);
    host_free(&host);
}

static void check_bytewise(const struct assay_model *model, const char *in, uint32_t n, bool gates,
                           const struct host *whole)
{
    host_init(&host, (struct assay_config){.model = model, .gates = gates});
    host_open(&host);
    for (uint32_t i = 0; i < n; i++)
        host_feed(&host, in + i, 1);
    expect_sent(&host, whole->sent.p, whole->sent.n);
    assert_int_equal(host.disk.n, whole->disk.n);
    assert_int_equal(host.ended, whole->ended);
    host_free(&host);
}

static void check_splits(const struct assay_model *model, const char *in, uint32_t n, bool gates)
{
    static struct host whole;
    host_init(&whole, (struct assay_config){.model = model, .gates = gates});
    host_open(&whole);
    host_feed(&whole, in, n);
    assert_true(whole.sent.n > 0);
    for (uint32_t at = 1; at < n; at++)
        check_split(model, in, n, at, gates, &whole);
    check_bytewise(model, in, n, gates, &whole);
    host_free(&whole);
}

static const char session[] = LOGIN "\3\2\0hi\3\4\0a\r\nb\3\1\0x\4\0\0\3\1\0y";

static void notes_split_anywhere(void **state)
{
    (void)state;
    check_splits(notes_model(false), session, sizeof session - 1, false);
    check_splits(notes_model(true), session, sizeof session - 1, true);
}

static void refusals_split_anywhere(void **state)
{
    (void)state;
    static const char unknown[] = LOGIN "\7\1\0a\3\1\0b", oversize[] = LOGIN "\3\377\377abc";
    check_splits(notes_model(false), unknown, sizeof unknown - 1, false);
    check_splits(notes_model(false), oversize, sizeof oversize - 1, false);
}

static void sums_split_anywhere(void **state)
{
    (void)state;
    static const char lines[] = "square 12\ntwice 4\r\nsquare 99999\nbogus 1\nsquare 01\n"
                                "square 1111111111111111111111111111111111111111\r\ntwice -3\r\n";
    check_splits(sums_model(), lines, sizeof lines - 1, false);
}

/* ---- rules ------------------------------------------------------------- */

static void frames_behind_the_end_are_not_handled(void **state)
{
    (void)state;
    open_notes(&host, false);
    assert_int_equal(host_feed(&host, LIT(session)), ASSAY_ENDED);
    expect_sent(&host, LIT("\0\0\0\0\0\0"));
    expect_disk(&host, "[bob]: hi\r\n[bob]: a\\r\\nb\r\n[bob]: x\r\n");
    assert_int_equal(host.end.ended.how, ASSAY_END_CLOSE);
    host_free(&host);
}

static void wrong_message_is_refused(void **state)
{
    (void)state;
    open_notes(&host, false);
    host_feed(&host, LIT("\3\1\0x"));
    expect_sent(&host, LIT("\377"));
    assert_true(host.ended);
    uint32_t used;
    assert_int_equal(assay_feed(host.engine, host.sid, 0, (struct assay_span){host.in.p, 1}, &used, &host.out),
                     ASSAY_STALE);
    host_free(&host);
}

static void eof_in_frame_matches_complete_fields(void **state)
{
    (void)state;
    open_notes(&host, false);
    host_feed(&host, LIT("\4"));
    assert_false(host.ended);
    host_eof(&host);
    expect_sent(&host, LIT("\0"));
    assert_true(host.ended);
    host_free(&host);
    open_notes(&host, false);
    host_feed(&host, LIT("\1\3"));
    host_eof(&host);
    expect_sent(&host, LIT(""));
    assert_int_equal(host.end.ended.cause, ASSAY_EV_EOF_IN_FRAME);
    host_free(&host);
}

static void a_rule_that_fails_has_no_effect(void **state)
{
    (void)state;
    open_notes(&host, false);
    host_feed(&host, LIT(LOGIN "\3\1\0a"));
    host.fail_at = 2;
    host_feed(&host, LIT("\3\1\0b"));
    expect_sent(&host, LIT("\0\0\0\377"));
    expect_disk(&host, "[bob]: a\r\n");
    assert_true(host.ended);
    host_free(&host);
}

static void pending_effect_holds_input_back(void **state)
{
    (void)state;
    open_notes(&host, false);
    host.hold = true;
    assert_int_equal(host_feed(&host, LIT(LOGIN "\3\1\0a\3\1\0b")), ASSAY_PENDING);
    assert_int_equal(host.tokens_n, 1);
    assert_int_equal(host.in.n, 8);
    expect_sent(&host, LIT("\0\0"));
    assert_int_equal(host_pump(&host), ASSAY_PENDING);
    assert_int_equal(host.tokens_n, 1);
    host_sync(&host);
    assert_int_equal(host_pump(&host), ASSAY_PENDING);
    expect_sent(&host, LIT("\0\0\0"));
    host_sync(&host);
    assert_int_equal(host_pump(&host), ASSAY_OK);
    expect_sent(&host, LIT("\0\0\0\0"));
    assay_val count;
    struct assay_span bytes;
    assert_true(assay_var(host.engine, host.sid, NOTES_VAR_COUNT, &count, &bytes));
    assert_int_equal(count, 2);
    host_free(&host);
}

static void stale_tokens_do_nothing(void **state)
{
    (void)state;
    open_notes(&host, false);
    host.hold = true;
    host_feed(&host, LIT(LOGIN "\3\1\0a"));
    assay_token token = host.tokens[0];
    assert_int_equal(assay_complete(host.engine, token + 1, 0, true, &host.out), ASSAY_STALE);
    assay_drop(host.engine, host.sid);
    assert_int_equal(assay_complete(host.engine, token, 0, true, &host.out), ASSAY_STALE);
    assert_int_equal(assay_complete(host.engine, token, 0, true, &host.out), ASSAY_STALE);
    host_free(&host);
}

/* ---- gates ------------------------------------------------------------- */

static void gates_let_the_session_run_on(void **state)
{
    (void)state;
    open_notes(&host, true);
    host.hold = true;
    assert_int_equal(host_feed(&host, LIT(LOGIN "\3\1\0a\3\1\0b\3\1\0c")), ASSAY_OK);
    assert_int_equal(host.tokens_n, 3);
    expect_sent(&host, LIT("\0\0"));
    host_sync(&host);
    expect_sent(&host, LIT("\0\0\0\0\0"));
    expect_disk(&host, "[bob]: a\r\n[bob]: b\r\n[bob]: c\r\n");
    host_free(&host);
}

static void the_end_waits_for_gates(void **state)
{
    (void)state;
    open_notes(&host, true);
    host.hold = true;
    assert_int_equal(host_feed(&host, LIT(LOGIN "\3\1\0a\4\0\0")), ASSAY_PENDING);
    assert_false(host.ended);
    assert_int_equal(host.out.len, 1);
    assert_int_equal(assay_state(host.engine, host.sid), NOTES_S_READY);
    host_sync(&host);
    assert_int_equal(host_pump(&host), ASSAY_ENDED);
    expect_sent(&host, LIT("\0\0\0\0"));
    host_free(&host);
}

static void complete(uint32_t i, bool done)
{
    struct assay_event event;
    enum assay_rc rc = assay_complete(host.engine, host.tokens[i], 0, done, &host.out);
    assert_true(rc == ASSAY_OK || rc == ASSAY_ENDED || rc == ASSAY_STALE);
    while (assay_next_event(host.engine, &event))
        host.ended |= event.type == ASSAY_EVENT_ENDED;
}

/* Completions of three gates in every order, one of them failing: what is said is the truth up to the failure. */
static void check_gate_order(const uint32_t order[3], uint32_t failing)
{
    open_notes(&host, true);
    host.hold = true;
    host_feed(&host, LIT(LOGIN "\3\1\0a\3\1\0b\3\1\0c"));
    assert_int_equal(host.out.len, 3);
    for (int i = 0; i < 3; i++)
        complete(order[i], order[i] != failing);
    assert_true(host.ended);
    assert_int_equal(host.out.cuts_len, 0);
    assert_int_equal(host.out.len, failing + 1);
    assert_memory_equal(host.out.bytes, "\0\0\0", failing);
    assert_int_equal(host.out.bytes[failing], 0xff);
    host_free(&host);
}

static void behind_a_failed_gate_nothing_is_handled(void **state)
{
    (void)state;
    open_notes(&host, true);
    host.hold = true;
    host_feed(&host, LIT(LOGIN "\3\1\0a\3\1\0b"));
    complete(1, false);
    assert_int_equal(host_feed(&host, LIT("\3\1\0c")), ASSAY_PENDING);
    assert_int_equal(host.in.n, 4);
    assert_int_equal(host.tokens_n, 2);
    complete(0, true);
    assert_true(host.ended);
    host_free(&host);
}

static void a_failed_gate_cuts_the_output(void **state)
{
    (void)state;
    static const uint32_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int i = 0; i < 6; i++)
        for (uint32_t failing = 0; failing < 3; failing++)
            check_gate_order(orders[i], failing);
}

/* ---- power failures and failing effects -------------------------------- */

static uint32_t count(const struct host_bytes *b, const char *line)
{
    uint32_t found = 0, n = (uint32_t)strlen(line);
    for (uint32_t i = 0; i + n <= b->n; i++)
        found += memcmp(b->p + i, line, n) == 0;
    return found;
}

static const char appends[] = LOGIN "\3\2\0m1\3\2\0m2\3\2\0m3\3\2\0m4";

static bool crash_at(uint32_t point, bool gated)
{
    open_notes(&host, gated);
    host.crash_at = point;
    host_feed(&host, appends, 20);
    host_feed(&host, appends + 20, sizeof appends - 1 - 20);
    bool crashed = host.crashed;
    uint32_t acknowledged = host.sent.n > 2 ? host.sent.n - 2 : 0;
    for (uint32_t i = 0; i < acknowledged; i++) {
        char line[] = "[bob]: m1\r\n";
        line[8] = (char)('1' + i);
        assert_int_equal(count(&host.disk, line), 1);
    }
    if (!crashed)
        assert_int_equal(acknowledged, 4);
    host_free(&host);
    return crashed;
}

static void a_crash_loses_nothing_acknowledged(void **state)
{
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        uint32_t point = 1;
        while (crash_at(point, gated))
            point++;
        assert_true(point > 6);
    }
}

static void every_effect_may_fail(void **state)
{
    (void)state;
    for (uint32_t fail = 1; fail <= 4; fail++)
        for (int gated = 0; gated < 2; gated++) {
            open_notes(&host, gated);
            host.fail_at = fail;
            host_feed(&host, LIT(appends));
            assert_true(host.ended);
            assert_int_equal(host.sent.n, 2 + fail);
            assert_int_equal(host.sent.p[host.sent.n - 1], 0xff);
            for (uint32_t i = 2; i < host.sent.n - 1; i++)
                assert_int_equal(host.sent.p[i], 0);
            host_free(&host);
        }
}

/* ---- limits ------------------------------------------------------------ */

static void full_output_leaves_the_frame(void **state)
{
    (void)state;
    open_notes(&host, false);
    uint32_t used;
    uint8_t byte;
    struct assay_out out = {&byte, 1, 0, NULL, 0, 0};
    struct assay_span in = {(const uint8_t *)LOGIN, sizeof LOGIN - 1};
    assert_int_equal(assay_feed(host.engine, host.sid, 0, in, &used, &out), ASSAY_FULL);
    assert_int_equal(used, 6);
    assert_int_equal(assay_state(host.engine, host.sid), NOTES_S_PASSWORD);
    out.len = 0;
    in = (struct assay_span){in.p + 6, in.n - 6};
    assert_int_equal(assay_feed(host.engine, host.sid, 0, in, &used, &out), ASSAY_OK);
    assert_int_equal(used, 6);
    host_free(&host);
}

static void memory_runs_out_as_an_event(void **state)
{
    (void)state;
    struct assay_config config = {.model = notes_model(false)};
    config.limits = config.model->limits;
    config.limits.memory = 128;
    host_init(&host, config);
    host_open(&host);
    uint8_t frame[3 + 150] = {1, 150, 0};
    memset(frame + 3, 'n', 150);
    host_feed(&host, frame, sizeof frame);
    expect_sent(&host, LIT("\377"));
    assert_int_equal(host.end.ended.cause, ASSAY_EV_NO_ROOM);
    host_free(&host);
}

static void sessions_are_limited_and_come_back(void **state)
{
    (void)state;
    host_init(&host, (struct assay_config){.model = notes_model(false)});
    assay_sid sids[8], extra;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 8; i++)
            assert_int_equal(assay_open(host.engine, 0, &sids[i], &host.out), ASSAY_OK);
        assert_int_equal(assay_open(host.engine, 0, &extra, &host.out), ASSAY_REFUSED);
        for (int i = 0; i < 8; i++)
            assay_drop(host.engine, sids[i]);
        assert_int_equal(assay_state(host.engine, sids[0]), ASSAY_NONE);
    }
    host_free(&host);
}

static void sessions_keep_apart(void **state)
{
    (void)state;
    static struct host other;
    open_notes(&host, false);
    other = host;
    host_open(&other);
    host_feed(&host, LIT("\1\3\0bob"));
    host_feed(&other, LIT("\1\5\0alice"));
    host_feed(&host, LIT("\2\1\0a\3\1\0x"));
    host_feed(&other, LIT("\2\1\0a\3\1\0y"));
    expect_disk(&host, "[bob]: x\r\n");
    expect_disk(&other, "[alice]: y\r\n");
    host_free(&host);
}

static void memory_of_variables_comes_back(void **state)
{
    (void)state;
    open_notes(&host, false);
    for (int i = 0; i < 200; i++) {
        uint8_t frame[3 + 150] = {1, 150, 0};
        memset(frame + 3, 'n', 150);
        host_feed(&host, frame, sizeof frame);
        host_feed(&host, LIT("\4\0\0"));
        assert_true(host.ended);
        assert_int_equal(host.sent.p[host.sent.n - 2], 0);
        host.ended = false;
        host_open(&host);
    }
    host_free(&host);
}

/* ---- time -------------------------------------------------------------- */

static void idle_sessions_end(void **state)
{
    (void)state;
    open_notes(&host, false);
    assert_int_equal(assay_deadline(host.engine), NOTES_IDLE_NS);
    host_advance(&host, NOTES_IDLE_NS - 1);
    assert_false(host.ended);
    host_feed(&host, LIT("\1\3\0bob"));
    assert_int_equal(assay_deadline(host.engine), 2 * NOTES_IDLE_NS - 1);
    host_advance(&host, NOTES_IDLE_NS - 1);
    assert_false(host.ended);
    host_feed(&host, LIT("\2"));
    host_advance(&host, 1);
    assert_true(host.ended);
    assert_int_equal(assay_deadline(host.engine), ASSAY_NEVER);
    host_free(&host);
}

static void the_idle_timer_rests_while_an_effect_is_pending(void **state)
{
    (void)state;
    for (int gated = 0; gated < 2; gated++) {
        open_notes(&host, gated);
        host.hold = true;
        host_feed(&host, LIT(LOGIN "\3\1\0a"));
        assert_int_equal(assay_deadline(host.engine), ASSAY_NEVER);
        host_advance(&host, 3 * NOTES_IDLE_NS);
        assert_false(host.ended);
        host_sync(&host);
        assert_int_equal(host_pump(&host), ASSAY_OK);
        expect_sent(&host, LIT("\0\0\0"));
        assert_int_equal(assay_deadline(host.engine), 4 * NOTES_IDLE_NS);
        host_advance(&host, NOTES_IDLE_NS);
        assert_true(host.ended);
        host_free(&host);
    }
}

/* ---- lines ------------------------------------------------------------- */

static void open_sums(uint64_t leniencies)
{
    host_init(&host, (struct assay_config){.model = sums_model(), .leniencies = leniencies});
    host_open(&host);
}

static void lines_are_answered(void **state)
{
    (void)state;
    open_sums(0);
    host_feed(&host, LIT("square 12\ntwice -4\r\nsquare 99999\nsquare +1\nsquare\nroot 4\n"));
    expect_sent(&host, LIT("144\n-8\nerror: overflow\nerror: bad request\nerror: bad request\nerror: bad request\n"));
    host_free(&host);
}

static void oversize_lines_are_skipped(void **state)
{
    (void)state;
    char line[100];
    memset(line, 'x', sizeof line);
    open_sums(0);
    host_feed(&host, line, sizeof line);
    expect_sent(&host, LIT("error: too long\n"));
    host_feed(&host, line, sizeof line);
    host_feed(&host, LIT("\nsquare 2\n"));
    expect_sent(&host, LIT("error: too long\n4\n"));
    host_free(&host);
}

static void the_first_segment_decides(void **state)
{
    (void)state;
    open_sums(1);
    host_feed(&host, LIT("square 12"));
    host_feed(&host, LIT("twice 2"));
    expect_sent(&host, LIT("1444"));
    host_free(&host);
    open_sums(1);
    host_feed(&host, LIT("square 12\ntwi"));
    host_feed(&host, LIT("ce 2\n"));
    expect_sent(&host, LIT("144\n4\n"));
    host_free(&host);
}

/* ---- calls ------------------------------------------------------------- */

static void open_client(void)
{
    host_init(&host, (struct assay_config){.model = notes_model(false), .machine = 1});
    host_open(&host);
}

static const struct assay_span login_args[] = {{(const uint8_t *)"bob", 3}, {(const uint8_t *)"abc", 3}};

static void a_call_runs_to_its_result(void **state)
{
    (void)state;
    open_client();
    assert_int_equal(host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER), ASSAY_OK);
    expect_sent(&host, LIT("\1\3\0bob"));
    assert_int_equal(host_call(&host, NOTES_CALL_BYE, NULL, ASSAY_NEVER), ASSAY_BUSY);
    host_feed(&host, LIT("\0"));
    expect_sent(&host, LIT(LOGIN));
    assert_int_equal(host.results, 0);
    host_feed(&host, LIT("\0"));
    assert_int_equal(host.results, 1);
    assert_int_equal(host.result.result.outcome, ASSAY_CALL_OK);
    assay_val v;
    struct assay_span bytes;
    assert_true(assay_var(host.engine, host.sid, NOTES_VAR_ARG_NAME, &v, &bytes));
    assert_int_equal(bytes.n, 0);
    host_call(&host, NOTES_CALL_BYE, NULL, ASSAY_NEVER);
    host_feed(&host, LIT("\0"));
    assert_int_equal(host.results, 2);
    assert_true(host.ended);
    expect_sent(&host, LIT(LOGIN "\4\0\0"));
    host_free(&host);
}

static void expect_outcome(int32_t outcome)
{
    assert_int_equal(host.results, 1);
    assert_int_equal(host.result.result.outcome, outcome);
    assert_true(host.ended);
    host_free(&host);
}

static void calls_fail_as_they_should(void **state)
{
    (void)state;
    open_client();
    host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER);
    host_feed(&host, LIT("\377"));
    expect_outcome(0);
    open_client();
    host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER);
    host_eof(&host);
    expect_outcome(ASSAY_CALL_CLOSED);
    open_client();
    host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER);
    host_feed(&host, LIT("\7"));
    assert_int_equal(host.result.result.cause, ASSAY_EV_UNKNOWN);
    expect_outcome(ASSAY_CALL_PROTOCOL);
    open_client();
    host_call(&host, NOTES_CALL_LOGIN, login_args, 1000);
    host_advance(&host, 999);
    assert_int_equal(host.results, 0);
    host_advance(&host, 1);
    expect_outcome(ASSAY_CALL_TIMEOUT);
}

static void a_stray_message_ends_the_session(void **state)
{
    (void)state;
    open_client();
    host_feed(&host, LIT("\0"));
    assert_int_equal(host.strays, 1);
    assert_true(host.ended);
    host_free(&host);
}

static const struct assay_span post_args[] = {{(const uint8_t *)"", 0}};

static void open_greeted(bool calls)
{
    host_init(&host, (struct assay_config){.model = notes_greeting(), .machine = 1, .calls = calls});
    host_open(&host);
}

/* The server spoke first: each message waits for a call of its own. */
static void a_message_waits_for_the_call_that_begins_with_it(void **state)
{
    (void)state;
    open_greeted(true);
    assert_int_equal(host_feed(&host, LIT("\0\0")), ASSAY_EARLY);
    assert_int_equal(host_pump(&host), ASSAY_EARLY);
    for (uint32_t calls = 1; calls <= 2; calls++) {
        assert_int_equal(host.in.n, 3 - calls);
        assert_int_equal(host_call(&host, NOTES_CALL_POST, post_args, ASSAY_NEVER), ASSAY_OK);
        assert_int_equal(host_pump(&host), calls == 1 ? ASSAY_EARLY : ASSAY_OK);
        assert_int_equal(host.results, calls);
        assert_int_equal(host.result.result.outcome, ASSAY_CALL_OK);
    }
    assert_int_equal(host.strays, 0);
    assert_false(host.ended);
    host_free(&host);
}

/* The end comes behind it; the host's own wish to stop does not. */
static void an_end_waits_behind_an_early_message(void **state)
{
    (void)state;
    open_greeted(true);
    host_feed(&host, LIT("\0"));
    host_eof(&host);
    assert_false(host.ended);
    const struct assay_span rest = {host.in.p, host.in.n};
    assert_int_equal(assay_signal(host.engine, host.sid, 0, ASSAY_EV_RESET, rest, &host.out), ASSAY_EARLY);
    host_call(&host, NOTES_CALL_POST, post_args, ASSAY_NEVER);
    host_pump(&host);
    assert_int_equal(host.result.result.outcome, ASSAY_CALL_OK);
    assert_true(host.ended);
    assert_int_equal(host.end.ended.cause, ASSAY_EV_EOF);
    host_free(&host);
    open_greeted(true);
    host_feed(&host, LIT("\0"));
    assert_int_equal(assay_signal(host.engine, host.sid, 0, ASSAY_EV_SHUTDOWN, rest, &host.out), ASSAY_ENDED);
    host_free(&host);
}

/* Another call finds it in its way, and sends nothing. */
static void an_early_message_is_stray_to_another_call(void **state)
{
    (void)state;
    open_greeted(true);
    host_feed(&host, LIT("\0"));
    assert_int_equal(host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER), ASSAY_ENDED);
    assert_int_equal(host.strays, 1);
    assert_int_equal(host.sent.n, 0);
    expect_outcome(ASSAY_CALL_PROTOCOL);
}

/* So is one where no call begins with it, or the application begins none; or that cannot be read. */
static void what_no_call_begins_with_is_stray_at_once(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        if (how == 0) {
            host_init(&host, (struct assay_config){.model = notes_model(false), .machine = 1, .calls = true});
            host_open(&host);
        } else {
            open_greeted(how == 2);
        }
        host_feed(&host, how == 2 ? "\7" : "\0", 1);
        assert_int_equal(host.strays, how != 2);
        assert_true(host.ended);
        host_free(&host);
    }
}

static void arguments_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static uint8_t big[1001];
    open_client();
    struct assay_span args[] = {{big, sizeof big}};
    assert_int_equal(host_call(&host, NOTES_CALL_POST, args, ASSAY_NEVER), ASSAY_OK);
    assert_int_equal(host.results, 1);
    assert_int_equal(host.result.result.outcome, ASSAY_CALL_PROTOCOL);
    assert_false(host.ended);
    assert_int_equal(host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER), ASSAY_OK);
    expect_sent(&host, LIT("\1\3\0bob"));
    host_free(&host);
}

/* Within its type, but longer than a frame: nothing was sent, so the session goes on. */
static void arguments_that_no_frame_carries_are_refused(void **state)
{
    (void)state;
    static uint8_t big[1001];
    static struct assay_model model;
    static struct assay_type types[32];
    static struct assay_var vars[16];
    model = *notes_model(false);
    assert_true(model.types_count < 32 && model.vars_count <= 16);
    memcpy(types, model.types, model.types_count * sizeof types[0]);
    memcpy(vars, model.vars, model.vars_count * sizeof vars[0]);
    types[model.types_count] = types[vars[NOTES_VAR_ARG_TEXT].type];
    types[model.types_count].max = 2000;
    vars[NOTES_VAR_ARG_TEXT].type = model.types_count++;
    model.types = types;
    model.vars = vars;
    host_init(&host, (struct assay_config){.model = &model, .machine = 1});
    host_open(&host);
    struct assay_span args[] = {{big, sizeof big}};
    assert_int_equal(host_call(&host, NOTES_CALL_POST, args, ASSAY_NEVER), ASSAY_OK);
    assert_int_equal(host.results, 1);
    assert_int_equal(host.result.result.outcome, ASSAY_CALL_PROTOCOL);
    assert_int_equal(host.result.result.cause, model.calls[NOTES_CALL_POST].event);
    assert_false(host.ended);
    assert_int_equal(host_call(&host, NOTES_CALL_LOGIN, login_args, ASSAY_NEVER), ASSAY_OK);
    expect_sent(&host, LIT("\1\3\0bob"));
    host_free(&host);
}

/* ---- judges ------------------------------------------------------------ */

static void copies_go_their_own_way(void **state)
{
    (void)state;
    struct assay_config config = {.model = notes_model(false)};
    config.limits = config.model->limits;
    static struct host copy;
    host_init(&host, config);
    host_open(&host);
    host_feed(&host, LIT(LOGIN));
    host_init(&copy, config);
    assay_engine_copy(copy.engine, host.engine);
    copy.sid = host.sid;
    host_feed(&host, LIT("\4\0\0"));
    host_feed(&copy, LIT("\3\1\0z"));
    assert_true(host.ended);
    expect_sent(&copy, LIT("\0"));
    expect_disk(&copy, "[bob]: z\r\n");
    host_free(&host);
    host_free(&copy);
}

static void judges_see_steps_and_messages(void **state)
{
    (void)state;
    host_init(&host, (struct assay_config){.model = notes_model(false), .trace = true, .judge = true});
    host_open(&host);
    uint32_t used;
    struct assay_event event;
    struct assay_span in = {(const uint8_t *)"\1\1\0a", 4};
    assert_int_equal(assay_feed(host.engine, host.sid, 0, in, &used, &host.out), ASSAY_OK);
    assert_true(assay_next_event(host.engine, &event));
    assert_int_equal(event.type, ASSAY_EVENT_SENT);
    assert_int_equal(event.sent.message, NOTES_REPLY);
    assert_int_equal(event.sent.size, 1);
    assert_int_equal(assay_feed(host.engine, host.sid, 0, in, &used, &host.out), ASSAY_TAKE);
    assert_true(assay_next_event(host.engine, &event));
    assert_int_equal(event.type, ASSAY_EVENT_STEP);
    assert_int_equal(event.step.before, NOTES_S_NAME);
    assert_int_equal(event.step.after, NOTES_S_PASSWORD);
    assert_false(assay_next_event(host.engine, &event));
    host_free(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_and_append),
        cmocka_unit_test(notes_split_anywhere),
        cmocka_unit_test(refusals_split_anywhere),
        cmocka_unit_test(sums_split_anywhere),
        cmocka_unit_test(frames_behind_the_end_are_not_handled),
        cmocka_unit_test(wrong_message_is_refused),
        cmocka_unit_test(eof_in_frame_matches_complete_fields),
        cmocka_unit_test(a_rule_that_fails_has_no_effect),
        cmocka_unit_test(pending_effect_holds_input_back),
        cmocka_unit_test(stale_tokens_do_nothing),
        cmocka_unit_test(gates_let_the_session_run_on),
        cmocka_unit_test(the_end_waits_for_gates),
        cmocka_unit_test(behind_a_failed_gate_nothing_is_handled),
        cmocka_unit_test(a_failed_gate_cuts_the_output),
        cmocka_unit_test(a_crash_loses_nothing_acknowledged),
        cmocka_unit_test(every_effect_may_fail),
        cmocka_unit_test(full_output_leaves_the_frame),
        cmocka_unit_test(memory_runs_out_as_an_event),
        cmocka_unit_test(sessions_are_limited_and_come_back),
        cmocka_unit_test(sessions_keep_apart),
        cmocka_unit_test(memory_of_variables_comes_back),
        cmocka_unit_test(idle_sessions_end),
        cmocka_unit_test(the_idle_timer_rests_while_an_effect_is_pending),
        cmocka_unit_test(lines_are_answered),
        cmocka_unit_test(oversize_lines_are_skipped),
        cmocka_unit_test(the_first_segment_decides),
        cmocka_unit_test(a_call_runs_to_its_result),
        cmocka_unit_test(calls_fail_as_they_should),
        cmocka_unit_test(a_stray_message_ends_the_session),
        cmocka_unit_test(a_message_waits_for_the_call_that_begins_with_it),
        cmocka_unit_test(an_end_waits_behind_an_early_message),
        cmocka_unit_test(an_early_message_is_stray_to_another_call),
        cmocka_unit_test(what_no_call_begins_with_is_stray_at_once),
        cmocka_unit_test(arguments_that_do_not_fit_are_refused),
        cmocka_unit_test(arguments_that_no_frame_carries_are_refused),
        cmocka_unit_test(copies_go_their_own_way),
        cmocka_unit_test(judges_see_steps_and_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
