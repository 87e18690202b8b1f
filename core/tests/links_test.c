/* How links differ: lines, datagrams, streams without borders; what ends one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/tests/lines.h"

#define SPAN(s)                                                                                                        \
    (struct assay_span)                                                                                                \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }

enum { FRAME_LINES, FRAME_DATAGRAMS, FRAME_STREAM, FRAMES };
enum { STATE_OPEN, STATE_END, STATES };
enum { RULES_MAX = 12 };

static struct assay_frame frames[FRAMES];
static struct assay_machine machine;
static const struct assay_state states[] = {{"Open", ASSAY_STATE_PLAIN, ASSAY_NONE, 0},
                                            {"End", ASSAY_STATE_END, ASSAY_NONE, 0}};
static struct assay_rule rules[RULES_MAX];
static uint16_t transitions[STATES * LE_COUNT], lists[2 * RULES_MAX];
static const struct assay_effect effects[] = {{"try", {0, 0}, NULL, NULL, true, ASSAY_NONE, ASSAY_NONE}};
static uint32_t rules_used;

static struct assay_rule *rule(uint16_t event, uint16_t body)
{
    uint32_t i = rules_used++;
    rules[i] = (struct assay_rule){.state = STATE_OPEN,
                                   .guard = ASSAY_NONE,
                                   .body = body,
                                   .otherwise = ASSAY_NONE,
                                   .req = ASSAY_NONE,
                                   .out_max = 32};
    transitions[event] = (uint16_t)(2 * i);
    lists[2 * i] = (uint16_t)i;
    lists[2 * i + 1] = ASSAY_NONE;
    return &rules[i];
}

static void make_frames(void)
{
    for (int i = 0; i < FRAMES; i++)
        frames[i] = shape_frame;
    frames[FRAME_LINES].end = ASSAY_END_UNTIL;
    frames[FRAME_LINES].max = 40;
    frames[FRAME_DATAGRAMS].transports = 2;
    frames[FRAME_DATAGRAMS].max = 40;
    frames[FRAME_STREAM].end = ASSAY_END_STREAM;
    frames[FRAME_STREAM].fields.count = 0;
    frames[FRAME_STREAM].tag = frames[FRAME_STREAM].trim = ASSAY_NONE;
    frames[FRAME_STREAM].blank = false;
    frames[FRAME_STREAM].max = 4;
    shapes.frames = frames;
    shapes.frames_count = FRAMES;
}

/* ASK is answered TOLD, SET ends the machine, malformed ends the link, oversize resets it, unknown is answered ASK and
 * TOLD behind an effect, NOTE is answered by two of ASK. */
static void make_rules(bool gate)
{
    uint32_t told[] = {I(BLOB, 0, 8), I(OUT, 0, L_OWN), I(SEND, 0, LM_TOLD)};
    rules_used = 0;
    memset(transitions, 0xff, sizeof transitions);
    rule(LE_MESSAGE(LM_ASK), CODE(told[0], told[1], told[2]));
    rule(LE_MESSAGE(LM_SET), CODE(I(SEND, 0, LM_ASK), I(GOTO, 0, STATE_END)));
    rule(LE_MESSAGE(LM_NOTE), CODE(I(SEND, 0, LM_ASK), I(SEND, 0, LM_ASK)));
    rule(ASSAY_EV_MALFORMED, CODE(I(CLOSE, 0, 0)));
    rule(ASSAY_EV_OVERSIZE, CODE(I(GOTO, 0, STATE_END), I(ABORT, 0, 0)));
    rule(SE_MESSAGE, CODE(I(INT, 0, 0), I(OUT, 0, 0)));
    struct assay_rule *r = rule(ASSAY_EV_UNKNOWN, CODE(I(SEND, 0, LM_ASK), I(EFFECT, 0, 0), told[0], told[1], told[2]));
    r->otherwise = CODE(I(SEND, 0, LM_SET), I(GOTO, 0, STATE_END));
    r->flags = gate ? ASSAY_RULE_GATE : 0;
    shapes.rules = rules;
    shapes.rules_count = (uint16_t)rules_used;
    shapes.transitions = transitions;
    shapes.rule_lists = lists;
}

struct link {
    struct assay_engine *engine;
    assay_sid sid;
    struct assay_out out;
    struct assay_cut cuts[8];
    uint8_t bytes[64];
    assay_token token;
    uint32_t used, effects, steps;
    bool ended;
    struct assay_event end;
};

static void take(struct link *l)
{
    struct assay_event event;
    while (assay_next_event(l->engine, &event)) {
        if (event.type == ASSAY_EVENT_EFFECT) {
            l->token = event.effect.token;
            l->effects++;
        }
        l->steps += event.type == ASSAY_EVENT_STEP;
        if (event.type == ASSAY_EVENT_ENDED) {
            l->ended = true;
            l->end = event;
        }
    }
}

static struct link open_link(uint16_t frame, bool gate)
{
    lines_begin();
    lines_messages[LM_TOLD].from = lines_messages[LM_ASK].from = ASSAY_CLIENT | ASSAY_SERVER;
    make_frames();
    make_rules(gate);
    machine = (struct assay_machine){.name = "server",
                                     .role = ASSAY_SERVER,
                                     .states = {0, STATES},
                                     .rules = {0, (uint16_t)rules_used},
                                     .frame_in = frame,
                                     .frame_out = frame == FRAME_STREAM ? (uint16_t)FRAME_LINES : frame,
                                     .reconnect = {.pause = ASSAY_NONE},
                                     .session = ASSAY_NONE,
                                     .first_number = ASSAY_NONE};
    shapes.machines = &machine, shapes.machines_count = 1;
    shapes.states = states, shapes.states_count = STATES;
    shapes.effects = effects, shapes.effects_count = 1;
    shapes.limits = (struct assay_limits){4, 1024, 4, 64, 64, 0, 0, 0};
    shapes.frame_max = 40;
    shapes.scratch = ASSAY_PAIRS_SCRATCH(40, 8, 4);
    struct assay_config config = {
        .model = &shapes, .limits = shapes.limits, .leniencies = 0, .trace = true, .gates = gate};
    uint32_t where;
    assert_true(assay_code_verify(&shapes, &where));
    struct link l = {0};
    size_t size = assay_engine_size(&config);
    l.engine = assay_engine_init(malloc(size), size, &config);
    l.out = (struct assay_out){l.bytes, sizeof l.bytes, 0, NULL, 8, 0};
    return l;
}

static void start(struct link *l)
{
    l->out.bytes = l->bytes;
    l->out.cuts = l->cuts;
    assert_int_equal(assay_open(l->engine, 0, &l->sid, &l->out), ASSAY_OK);
    take(l);
    l->steps = 0;
}

#define OPEN(l, frame, gate)                                                                                           \
    struct link l = open_link(frame, gate);                                                                            \
    start(&l)

static enum assay_rc feed(struct link *l, struct assay_span in)
{
    enum assay_rc rc = assay_feed(l->engine, l->sid, 0, in, &l->used, &l->out);
    take(l);
    return rc;
}

static void sent(struct link *l, const char *bytes, uint32_t n)
{
    assert_int_equal(l->out.len, n);
    assert_memory_equal(l->bytes, bytes, n);
    l->out.len = l->out.cuts_len = 0;
}

#define SENT(l, s) sent(l, s, sizeof(s) - 1)

/* ---- lines ------------------------------------------------------------- */

static void lines_are_trimmed_and_blank_ones_skipped(void **state)
{
    (void)state;
    OPEN(l, FRAME_LINES, false);
    assert_int_equal(feed(&l, SPAN(" \t ASK \r\n\n \r\n\t\nASK a=1 \n")), ASSAY_OK);
    assert_int_equal(l.used, 24);
    assert_int_equal(l.steps, 2);
    SENT(&l, "TOLD command=command\nTOLD command=command\n");
    static uint8_t blank[100000];
    memset(blank, '\n', sizeof blank);
    assert_int_equal(feed(&l, (struct assay_span){blank, sizeof blank}), ASSAY_OK);
    assert_int_equal(l.used, sizeof blank);
    assert_int_equal(l.steps, 2);
    memset(blank, ' ', 50);
    blank[50] = '\n';
    assert_int_equal(feed(&l, (struct assay_span){blank, 51}), ASSAY_ENDED);
    assert_int_equal(l.end.ended.cause, ASSAY_EV_OVERSIZE);
    free(l.engine);
}

/* A message of another transport is as if it were not there. */
static void messages_belong_to_transports(void **state)
{
    (void)state;
    OPEN(l, FRAME_LINES, false);
    assert_int_equal(feed(&l, SPAN("NOTE\n")), ASSAY_PENDING);
    assert_int_equal(l.effects, 1);
    free(l.engine);
    OPEN(d, FRAME_DATAGRAMS, false);
    assert_int_equal(feed(&d, SPAN("NOTE")), ASSAY_OK);
    assert_int_equal(d.effects, 0);
    SENT(&d, "ASKASK");
    free(d.engine);
}

static void what_is_trimmed_cannot_be_sent(void **state)
{
    (void)state;
    static const uint8_t value[] = "a=x ";
    uint8_t out[64];
    OPEN(l, FRAME_LINES, false);
    shape_env.frame = value;
    shape_env.known = (uint64_t)1 << L_PARAMS;
    shape_slots[L_PARAMS] = assay_val_bytes(ASSAY_REGION_FRAME, 0, 4);
    assert_int_equal(assay_encode(&shape_env, FRAME_LINES, LM_ASK, out, 64, false).status, ASSAY_ENCODE_FIELD);
    shape_slots[L_PARAMS] = assay_val_bytes(ASSAY_REGION_FRAME, 0, 3);
    assert_int_equal(assay_encode(&shape_env, FRAME_LINES, LM_ASK, out, 64, false).status, ASSAY_ENCODED);
    free(l.engine);
}

/* ---- datagrams --------------------------------------------------------- */

static void each_datagram_is_a_frame(void **state)
{
    (void)state;
    OPEN(l, FRAME_DATAGRAMS, false);
    assert_int_equal(feed(&l, SPAN(" ASK \r")), ASSAY_OK);
    assert_int_equal(l.used, 6);
    assert_int_equal(l.out.cuts_len, 1);
    assert_int_equal(l.out.cuts[0].at, 0);
    assert_int_equal(l.out.cuts[0].gate, 0);
    assert_int_equal(feed(&l, SPAN("NOTE")), ASSAY_OK);
    assert_int_equal(l.out.cuts_len, 3);
    assert_int_equal(l.out.cuts[1].at, 20);
    assert_int_equal(l.out.cuts[2].at, 23);
    SENT(&l, "TOLD command=commandASKASK");
    assert_int_equal(feed(&l, (struct assay_span){NULL, 0}), ASSAY_OK);
    assert_int_equal(feed(&l, SPAN(" ")), ASSAY_OK);
    assert_int_equal(l.steps, 2);
    frames[FRAME_DATAGRAMS].blank = false;
    assert_int_equal(feed(&l, (struct assay_span){NULL, 0}), ASSAY_ENDED);
    assert_int_equal(l.steps, 3);
    assert_int_equal(l.end.ended.cause, ASSAY_EV_MALFORMED);
    free(l.engine);
}

static void datagrams_may_be_too_long(void **state)
{
    (void)state;
    static uint8_t longest[41];
    memset(longest, ' ', sizeof longest);
    memcpy(longest, "ASK", 3);
    OPEN(l, FRAME_DATAGRAMS, false);
    assert_int_equal(feed(&l, (struct assay_span){longest, 40}), ASSAY_OK);
    SENT(&l, "TOLD command=command");
    rules[4].body = rules[0].body;
    assert_int_equal(feed(&l, (struct assay_span){longest, 41}), ASSAY_OK);
    assert_int_equal(l.used, 41);
    SENT(&l, "TOLD command=command");
    assert_int_equal(feed(&l, SPAN("ASK")), ASSAY_OK);
    SENT(&l, "TOLD command=command");
    free(l.engine);
}

static void a_border_needs_room(void **state)
{
    (void)state;
    OPEN(l, FRAME_DATAGRAMS, false);
    l.out.cuts_cap = 1;
    assert_int_equal(feed(&l, SPAN("NOTE")), ASSAY_FULL);
    assert_int_equal(l.used, 0);
    assert_int_equal(l.out.len, 0);
    assert_int_equal(l.out.cuts_len, 0);
    assert_int_equal(feed(&l, SPAN("ASK")), ASSAY_OK);
    assert_int_equal(feed(&l, SPAN("ASK")), ASSAY_FULL);
    assert_int_equal(l.out.cuts_len, 1);
    SENT(&l, "TOLD command=command");
    free(l.engine);
}

static void a_rule_that_waits_leaves_no_border(void **state)
{
    (void)state;
    OPEN(l, FRAME_DATAGRAMS, false);
    assert_int_equal(feed(&l, SPAN("JUMP")), ASSAY_PENDING);
    assert_int_equal(l.out.cuts_len, 0);
    assert_int_equal(l.out.len, 0);
    assert_int_equal(assay_complete(l.engine, l.token, 0, true, &l.out), ASSAY_OK);
    take(&l);
    assert_int_equal(feed(&l, SPAN("JUMP")), ASSAY_OK);
    assert_int_equal(l.out.cuts_len, 2);
    SENT(&l, "ASKTOLD command=command");
    assert_int_equal(l.effects, 1);
    free(l.engine);
}

/* The borders of what was said before stay when a gate fails. */
static void gates_among_borders(void **state)
{
    (void)state;
    OPEN(l, FRAME_DATAGRAMS, true);
    assert_int_equal(feed(&l, SPAN("JUMP")), ASSAY_OK);
    assay_token first = l.token;
    assert_int_equal(l.out.cuts_len, 3);
    assert_int_equal(l.out.cuts[0].gate, 0);
    assert_int_equal(l.out.cuts[1].gate, first);
    assert_int_equal(l.out.cuts[1].at, 3);
    assert_int_equal(l.out.cuts[2].gate, 0);
    assert_int_equal(l.out.cuts[2].at, 3);
    assert_int_equal(feed(&l, SPAN("JUMP")), ASSAY_OK);
    assay_token second = l.token;
    assert_int_equal(l.out.cuts_len, 6);
    assert_int_equal(assay_complete(l.engine, second, 0, false, &l.out), ASSAY_OK);
    take(&l);
    assert_int_equal(l.out.cuts_len, 5);
    assert_int_equal(assay_complete(l.engine, first, 0, true, &l.out), ASSAY_ENDED);
    take(&l);
    assert_int_equal(l.out.cuts_len, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(l.out.cuts[i].gate, 0);
    assert_int_equal(l.out.cuts[1].at, 3);
    assert_int_equal(l.out.cuts[2].at, 23);
    assert_int_equal(l.out.cuts[3].at, 26);
    SENT(&l, "ASKTOLD command=commandASKSET");
    assert_true(l.ended);
    free(l.engine);
}

/* ---- streams without borders ------------------------------------------- */

static void a_stream_is_cut_anywhere(void **state)
{
    (void)state;
    OPEN(l, FRAME_STREAM, false);
    for (uint16_t i = 0; i < LM_COUNT; i++)
        lines_messages[i].transports = 0;
    lines_messages[0] = shape_messages[0];
    lines_messages[0].tag_kind = ASSAY_TAG_NONE;
    lines_messages[0].event = SE_MESSAGE;
    lines_messages[0].fields = (struct assay_range){LF_COUNT + 4, 1};
    ((struct assay_field *)(uintptr_t)shapes.fields)[LF_COUNT + 4].flags = 0;
    assert_int_equal(feed(&l, SPAN("")), ASSAY_OK);
    assert_int_equal(l.steps, 0);
    assert_int_equal(feed(&l, SPAN("abcd")), ASSAY_OK);
    assert_int_equal(l.steps, 1);
    assert_int_equal(feed(&l, SPAN("abcdefghi")), ASSAY_OK);
    assert_int_equal(l.used, 9);
    assert_int_equal(l.steps, 4);
    assert_int_equal(assay_signal(l.engine, l.sid, 0, ASSAY_EV_EOF, SPAN(""), &l.out), ASSAY_ENDED);
    take(&l);
    assert_int_equal(l.end.ended.cause, ASSAY_EV_EOF);
    assert_false(l.end.ended.finished);
    free(l.engine);
}

/* ---- ends -------------------------------------------------------------- */

static void ends_of_link(struct assay_span in, enum assay_end how, bool finished)
{
    OPEN(l, FRAME_LINES, false);
    assert_int_equal(feed(&l, in), ASSAY_ENDED);
    assert_int_equal(l.end.ended.how, how);
    assert_int_equal(l.end.ended.finished, finished);
    free(l.engine);
}

static void a_machine_ends_with_its_link_or_not(void **state)
{
    (void)state;
    ends_of_link(SPAN("SET\n"), ASSAY_END_CLOSE, true);
    ends_of_link(SPAN("ASK a\n"), ASSAY_END_CLOSE, false);
    ends_of_link(SPAN("ASK 1234567890123456789012345678901234567890\n"), ASSAY_END_ABORT, false);
    OPEN(l, FRAME_LINES, false);
    assert_int_equal(assay_signal(l.engine, l.sid, 0, ASSAY_EV_SHUTDOWN, SPAN(""), &l.out), ASSAY_ENDED);
    take(&l);
    assert_false(l.end.ended.finished);
    free(l.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_trimmed_and_blank_ones_skipped),
        cmocka_unit_test(messages_belong_to_transports),
        cmocka_unit_test(what_is_trimmed_cannot_be_sent),
        cmocka_unit_test(each_datagram_is_a_frame),
        cmocka_unit_test(datagrams_may_be_too_long),
        cmocka_unit_test(a_border_needs_room),
        cmocka_unit_test(a_rule_that_waits_leaves_no_border),
        cmocka_unit_test(gates_among_borders),
        cmocka_unit_test(a_stream_is_cut_anywhere),
        cmocka_unit_test(a_machine_ends_with_its_link_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
