/* Lowered models do what their specs say: run by core, bytes against bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/tests/host.h"
#include "core/code.h"

/* ---- candy ------------------------------------------------------------- */

static void candy_answers(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/candy.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->server);
    assert_int_equal(FEED(h, "s 12\nb 20\nd 1073741824\nb 1\nb 32\n"), ASSAY_OK);
    SENT(h, "144\n524287\n12\n0\n2147483647\n");
    assert_int_equal(FEED(h, "s 46341\nb 33\nx 1\ns\n"), ASSAY_OK);
    SENT(h, "error: too many: the result does not fit in 32 bits\n"
            "error: too many: the result does not fit in 32 bits\n"
            "error: unknown kind: s, b or d is known\n"
            "error: malformed order: expected KIND COUNT\n");
    assert_string_equal(state_of(h), "Open");
    close_host(h);
    assay_spec_free(spec);
}

static void candy_legacy_segments(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/candy.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->server);
    assert_int_equal(FEED(h, "s  +012 please"), ASSAY_OK);
    SENT(h, "144");
    close_host(h);
    assay_spec_free(spec);
}

static void candy_calls(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/candy.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->client);
    const assay_val values[] = {12, 0};
    const struct assay_span spans[2] = {{0}};
    struct assay_event event;
    assert_int_equal(assay_call(h->engine, h->sid, 0, 0, values, spans, ASSAY_NEVER, &h->out), ASSAY_OK);
    SENT(h, "s 12\n");
    assert_int_equal(FEED(h, "144\n"), ASSAY_OK);
    assert_true(assay_next_event(h->engine, &event));
    assert_int_equal(event.type, ASSAY_EVENT_RESULT);
    assert_int_equal(event.result.outcome, ASSAY_CALL_OK);
    assert_int_equal(event.count, 1);
    assert_int_equal(event.values[0], 144);
    assert_int_equal(assay_call(h->engine, h->sid, 0, 0, values, spans, ASSAY_NEVER, &h->out), ASSAY_OK);
    h->out.len = 0;
    assert_int_equal(FEED(h, "error: no\n"), ASSAY_OK);
    assert_true(assay_next_event(h->engine, &event));
    assert_true(event.result.outcome >= 0);
    assert_string_equal(assay_spec_model(spec)->errors[event.result.outcome].name, "refused");
    assert_int_equal(event.result.detail.n, 2);
    assert_memory_equal(event.result.detail.p, "no", 2);
    close_host(h);
    assay_spec_free(spec);
}

/* ---- msglog ------------------------------------------------------------ */

static void msglog_serves(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/msglog.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->server);
    assert_int_equal(FEED(h, "\1\3\0bob"), ASSAY_OK);
    SENT(h, "\0");
    assert_string_equal(state_of(h), "Password");
    assert_int_equal(FEED(h, "\2\3\0abc"), ASSAY_PENDING);
    struct assay_event event = take(h);
    assert_int_equal(event.type, ASSAY_EVENT_EFFECT);
    assert_string_equal(h->model->effects[event.effect.effect].verb, "crypt");
    assert_int_equal(event.count, 2);
    assert_memory_equal(event.spans[0].p, "bob", 3);
    assert_int_equal(assay_complete(h->engine, event.effect.token, 0, true, &h->out), ASSAY_OK);
    assert_int_equal(FEED(h, "\2\3\0abc"), ASSAY_OK);
    SENT(h, "\0");
    assert_string_equal(state_of(h), "Ready");
    assert_int_equal(FEED(h, "\3\4\0a\r\n\\"), ASSAY_PENDING);
    event = take(h);
    assert_string_equal(h->model->effects[event.effect.effect].object, "$log");
    assert_int_equal(event.spans[0].n, 16);
    assert_memory_equal(event.spans[0].p, "[bob]: a\\r\\n\\\\\r\n", 16);
    close_host(h);
    assay_spec_free(spec);
}

static void msglog_refuses(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/msglog.yaml");
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {{"\1\0\0", 3}, {"\1\1\0\0", 4}, {"\2\1\0a", 4}, {"\0\0\0", 3}, {"\5\0\0", 3}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->server);
        assert_int_equal(feed(h, bad[i].bytes, bad[i].size), ASSAY_ENDED);
        SENT(h, "\xff");
        close_host(h);
    }
    assay_spec_free(spec);
}

static void msglog_calls_have_two_steps(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/msglog.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    struct host *h = open_host(m, m->client);
    const assay_val values[2] = {0};
    const struct assay_span spans[] = {{(const uint8_t *)"bob", 3}, {(const uint8_t *)"abc", 3}};
    assert_string_equal(m->calls[0].name, "connect");
    assert_int_equal(assay_call(h->engine, h->sid, 0, 0, values, spans, ASSAY_NEVER, &h->out), ASSAY_OK);
    SENT(h, "\1\3\0bob");
    assert_int_equal(FEED(h, "\0"), ASSAY_OK);
    SENT(h, "\2\3\0abc");
    assert_int_equal(FEED(h, "\0"), ASSAY_OK);
    struct assay_event event = take(h);
    assert_int_equal(event.result.outcome, ASSAY_CALL_OK);
    assert_int_equal(assay_call(h->engine, h->sid, 0, 2, values, spans, ASSAY_NEVER, &h->out), ASSAY_OK);
    SENT(h, "\4\0\0");
    assert_int_equal(FEED(h, "\0"), ASSAY_ENDED);
    event = take(h);
    assert_int_equal(event.result.outcome, ASSAY_CALL_OK);
    close_host(h);
    assay_spec_free(spec);
}

/* ---- tables ------------------------------------------------------------ */

static const struct assay_rule *rule_at(const struct assay_model *m, const char *state, const char *event)
{
    for (uint32_t s = 0; s < m->states_count; s++)
        for (uint32_t e = 0; e < m->events_count; e++) {
            uint16_t at = m->transitions[s * m->events_count + e];
            if (strcmp(m->states[s].name, state) == 0 && strcmp(m->events[e].name, event) == 0 && at != ASSAY_NONE)
                return &m->rules[m->rule_lists[at]];
        }
    return NULL;
}

static void appending_is_a_gate(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/msglog.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    assert_int_equal(rule_at(m, "Ready", "Message")->flags, ASSAY_RULE_GATE);
    assert_int_equal(rule_at(m, "Password", "Password")->flags & ASSAY_RULE_GATE, 0); /* success changes the state */
    assert_int_equal(rule_at(m, "Name", "Name")->flags & ASSAY_RULE_GATE, 0);
    assert_null(rule_at(m, "End", "Name"));
    assert_non_null(rule_at(m, "Open", "call:msg"));
    assert_non_null(rule_at(m, "connect/2", "Reply"));
    assert_int_equal(m->states[m->machines[m->client].states.first + m->machines[m->client].states.count - 1].kind,
                     ASSAY_STATE_END);
    assay_spec_free(spec);
}

static void sizes_follow_from_the_frame(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/msglog.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    assert_int_equal(m->messages[0].wire_max, 65538);
    assert_int_equal(m->types[m->fields[m->messages[0].fields.first].type].max, 65535);
    assert_int_equal(m->frame_max, 65538);
    assert_int_equal(rule_at(m, "Name", "Name")->out_max, 1);
    assay_spec_free(spec);
    spec = load("spec/candy.yaml");
    m = assay_spec_model(spec);
    assert_int_equal(m->messages[1].wire_max, 12); /* -2147483648 LF */
    assert_int_equal(m->messages[2].wire_max, 208);
    const struct assay_byteset *leads = &m->sets[m->messages[1].leads];
    assert_true(leads->bits[0] >> '-' & 1 && leads->bits[0] >> '9' & 1);
    assert_false(leads->bits[1] >> ('e' & 63) & 1);
    assert_int_equal(m->messages[0].leads, ASSAY_NONE); /* the only one of its side */
    assay_spec_free(spec);
}

/* ---- the rest of the language ------------------------------------------ */

static const char choices[] =
    "assay: 1\n"
    "protocol: choices\n"
    "limits: {sessions: 1}\n"
    "transports: {tcp: {port: 1}}\n"
    "frame: {fields: [kind: {enum: u8, of: {ask: 1, tell: 2}}, flags: u8, num: u8], tag: kind, max: 4}\n"
    "messages:\n"
    "  Ask: {from: client, tag: ask, frame: {flags: 7}, examples: [{hex: \"01 07 05\", is: {num: 5}},\n"
    "    {hex: \"01 06 05\", fault: malformed}]}\n"
    "  Tell: {from: server, tag: tell, frame: {flags: 0}, examples: [{hex: \"02 00 05\", is: {num: "
    "5}}]}\n"
    "server:\n"
    "  vars: {a: u8, b: u8}\n"
    "  rules:\n"
    "    - when: {Ask: {num: [1, 2]}}\n"
    "      send: {Tell: {num: {any: 10, where: \"it >= 10 && it < 20\"}}}\n"
    "      may: [{send: {Tell: {num: 30}}}, {goto: End}]\n"
    "    - when: {Ask: {num: 3}}\n"
    "      set: {a: self.b, b: self.a}\n"
    "      then:\n"
    "        - {if: a > 0, then: [{send: {Tell: {num: a}}}], else: [{send: {Tell: {num: 99}}}]}\n"
    "        - choose: [{if: b == 0, send: {Tell: {num: 1}}}, {send: {Tell: {num: 2}}}]\n"
    "    - when: {Ask: {num: 4}}\n"
    "      set: {a: num, b: num + 1}\n"
    "    - {when: Ask, goto: End}\n"
    "    - {when: [malformed, unknown, eof, eof-in-frame, reset], goto: End}\n";

static void swapped_variables_and_conditions(void **state)
{
    (void)state;
    struct assay_spec *spec = parse(choices);
    struct host *h = open_host(assay_spec_model(spec), 0);
    assert_int_equal(FEED(h, "\1\7\3"), ASSAY_OK);
    SENT(h, "\2\0\x63\2\0\1");
    assert_int_equal(FEED(h, "\1\7\4\1\7\3"), ASSAY_OK); /* a 4, b 5; then swapped */
    SENT(h, "\2\0\5\2\0\2");
    assert_int_equal(FEED(h, "\1\6\1"), ASSAY_ENDED); /* flags are fixed */
    close_host(h);
    assay_spec_free(spec);
}

static void permitted_outcomes(void **state)
{
    (void)state;
    struct assay_spec *spec = parse(choices);
    static const struct {
        uint8_t pick;
        const char *bytes;
        size_t size;
        enum assay_rc rc;
    } ways[] = {{0, "\2\0\12", 3, ASSAY_OK}, {1, "\2\0\36", 3, ASSAY_OK}, {2, "", 0, ASSAY_ENDED}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct host *h = open_host(assay_spec_model(spec), 0);
        struct assay_choices choice = {.picks = 1, .pick = {ways[i].pick}};
        assay_choose(h->engine, &choice);
        assert_int_equal(FEED(h, "\1\7\2"), ways[i].rc);
        assert_int_equal(choice.met, 1);
        assert_int_equal(choice.ways[0], 3);
        sent(h, ways[i].bytes, ways[i].size);
        close_host(h);
    }
    assay_spec_free(spec);
}

/* A spec with a little of everything; its examples were held against it when it was loaded. */
static void every_form_is_written(void **state)
{
    (void)state;
    struct assay_spec *spec = load("compiler/tests/wide.yaml");
    struct host *h = open_host(assay_spec_model(spec), 0);
    assert_string_equal(state_of(h), "Two");
    assert_int_equal(FEED(h, "GET /a 5\r\n"), ASSAY_OK);
    SENT(h, "\xbe\xef\1\x93\11\0\0\1\2Q5\5\5\0\12");
    assert_int_equal(FEED(h, "get /b;1ff\n"), ASSAY_OK);
    SENT(h, "\xbe\xef\1\x93\15\0\0\1\4Q512\5\5\0\xff\1\16");
    assert_int_equal(FEED(h, "GET /c 1\n"), ASSAY_OK);
    SENT(h, "\xbe\xef\xc8\x11\4\3\1\2!\xcc");
    assert_int_equal(FEED(h, "GET /a 1\nGET /a 1\n"), ASSAY_OK); /* the second does not fit `nums`: else */
    assert_string_equal(state_of(h), "One");
    h->out.len = 0;
    assert_int_equal(FEED(h, "PUT 1\n"), ASSAY_OK);
    assert_string_equal(state_of(h), "Two");
    assert_int_equal(assay_deadline(h->engine), 2000000000);
    assert_int_equal(FEED(h, "PUT -7\n"), ASSAY_OK);
    assert_int_equal(assay_deadline(h->engine), ASSAY_NEVER);
    close_host(h);
    assay_spec_free(spec);
}

static void say(struct host *h, const char *text)
{
    const assay_val values[2] = {0, 2};
    const struct assay_span spans[2] = {{(const uint8_t *)text, (uint32_t)strlen(text)}};
    assert_int_equal(assay_call(h->engine, h->sid, 0, 0, values, spans, ASSAY_NEVER, &h->out), ASSAY_OK);
}

static void calls_go_on_from_step_to_step(void **state)
{
    (void)state;
    struct assay_spec *spec = load("compiler/tests/calls.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->client);
    say(h, "x");
    SENT(h, "x\n2\n");
    assert_int_equal(FEED(h, "c99\nbx\n"), ASSAY_OK); /* the client's own machine takes the first */
    struct assay_event event = take(h);
    assert_int_equal(event.result.outcome, ASSAY_CALL_OK);
    assert_memory_equal(event.spans[0].p, "x", 1);
    assert_int_equal(event.values[1], 0);
    say(h, "y");
    assert_int_equal(FEED(h, "c7\n"), ASSAY_OK);
    event = take(h);
    assert_string_equal(h->model->errors[event.result.outcome].name, "failed");
    assert_int_equal(event.result.detail.n, 6);
    assert_memory_equal(event.result.detail.p, "code 7", 6);
    say(h, "y");
    assert_int_equal(FEED(h, "by\n"), ASSAY_OK);
    assert_false(assay_next_event(h->engine, &event));
    assert_int_equal(FEED(h, "bz\n"), ASSAY_ENDED);
    event = take(h);
    assert_int_equal(event.result.outcome, ASSAY_CALL_OK);
    assert_int_equal(event.spans[0].n, 4);
    assert_memory_equal(event.spans[0].p, "seen", 4);
    assert_int_equal(event.values[1], 2);
    close_host(h);
    assay_spec_free(spec);
}

static void models_are_verified(void **state)
{
    (void)state;
    static const char *const names[] = {"spec/candy.yaml", "spec/msglog.yaml", "spec/relay.yaml", "spec/dispatch.yaml"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct assay_spec *spec = load(names[i]);
        uint32_t where;
        assert_true(assay_code_verify(assay_spec_model(spec), &where));
        assay_spec_free(spec);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(candy_answers),
        cmocka_unit_test(candy_legacy_segments),
        cmocka_unit_test(candy_calls),
        cmocka_unit_test(msglog_serves),
        cmocka_unit_test(msglog_refuses),
        cmocka_unit_test(msglog_calls_have_two_steps),
        cmocka_unit_test(appending_is_a_gate),
        cmocka_unit_test(sizes_follow_from_the_frame),
        cmocka_unit_test(swapped_variables_and_conditions),
        cmocka_unit_test(permitted_outcomes),
        cmocka_unit_test(every_form_is_written),
        cmocka_unit_test(calls_go_on_from_step_to_step),
        cmocka_unit_test(models_are_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
