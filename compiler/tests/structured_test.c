/* Records, pairs, objects, datagrams, several machines and terminals: what their lowered form does, run by core. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/tests/host.h"
#include "core/code.h"
#include "core/codec.h"

static uint16_t machine_named(const struct assay_model *m, const char *name, uint8_t role)
{
    for (uint16_t i = 0; i < m->machines_count; i++)
        if (strcmp(m->machines[i].name, name) == 0 && m->machines[i].role == role)
            return i;
    fail_msg("no machine %s", name);
    return ASSAY_NONE;
}

static uint16_t call_named(const struct assay_model *m, const char *name)
{
    for (uint16_t i = 0; i < m->calls_count; i++)
        if (strcmp(m->calls[i].name, name) == 0)
            return i;
    fail_msg("no call %s", name);
    return ASSAY_NONE;
}

static const struct assay_message *message_named(const struct assay_model *m, const char *name)
{
    for (uint16_t i = 0; i < m->messages_count; i++)
        if (strcmp(m->messages[i].name, name) == 0)
            return &m->messages[i];
    fail_msg("no message %s", name);
    return NULL;
}

/* ---- who plays where --------------------------------------------------- */

static void machines_and_transports(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/dispatch.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    uint16_t server = machine_named(m, "Server", ASSAY_SERVER), asker = machine_named(m, "Asker", ASSAY_CLIENT);
    assert_int_equal(m->transports_count, 2);
    assert_int_equal(m->transports[0].server, server);
    assert_int_equal(m->transports[0].client, asker);
    assert_int_equal(m->server, server);
    assert_int_equal(m->client, asker);
    assert_int_equal(m->transports[1].server, machine_named(m, "Control", ASSAY_SERVER));
    assert_int_equal(m->transports[1].client, machine_named(m, "Control", ASSAY_CLIENT));
    assert_int_equal(m->transports[1].port, 3002);
    assert_int_equal(m->transports[1].client_port, 3003);
    const struct assay_machine *a = &m->machines[asker];
    assert_int_not_equal(a->reconnect.pause, ASSAY_NONE);
    assert_int_equal(a->reconnect.growth, 100);
    assert_int_equal(a->reconnect.early, 50000000);
    assert_int_equal(m->machines[server].reconnect.pause, ASSAY_NONE);
    assert_int_equal(m->calls[call_named(m, "quit")].machine, machine_named(m, "Sender", ASSAY_CLIENT));
    assert_int_equal(m->calls[call_named(m, "quit")].opens, 0);
    assert_int_equal(m->calls[call_named(m, "log_rotate")].machine, m->transports[1].client);
    assert_int_equal(m->calls[call_named(m, "log_rotate")].opens, 1);
    assay_spec_free(spec);
    spec = load("spec/relay.yaml");
    m = assay_spec_model(spec);
    assert_int_equal(m->calls[call_named(m, "pass")].opens, ASSAY_NONE);
    assert_int_equal(m->calls[call_named(m, "pass")].machine, m->client);
    assay_spec_free(spec);
}

static void frames_of_transports(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/dispatch.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    const struct assay_frame *line = &m->frames[m->machines[m->transports[0].server].frame_in];
    const struct assay_frame *datagram = &m->frames[m->machines[m->transports[1].server].frame_in];
    assert_int_equal(m->frames_count, 2);
    assert_int_equal(line->end, ASSAY_END_UNTIL);
    assert_int_equal(line->transports, 1);
    assert_int_equal(datagram->end, ASSAY_END_DATAGRAM);
    assert_int_equal(datagram->transports, 2);
    assert_int_equal(datagram->max, 8191);
    assert_int_equal(datagram->fields.first, line->fields.first);
    assert_int_equal(datagram->fields.count, line->fields.count);
    assert_true(line->blank && datagram->blank);
    assert_int_equal(m->sets[line->trim].bits[0], (uint64_t)1 << ' ' | 1 << '\t' | 1 << '\r');
    assert_int_equal(message_named(m, "Quit")->transports, 1);
    assert_int_equal(message_named(m, "Log")->transports, 2);
    assert_int_equal(message_named(m, "Dad")->transports, UINT16_MAX);
    assert_int_equal(message_named(m, "Log")->wire_max, 8191);
    assay_spec_free(spec);
}

/* ---- what sessions say ------------------------------------------------- */

static void records_are_copied_whole(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/dispatch.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->server);
    SENT(h, "HI\n");
    assert_int_equal(FEED(h, "DAD\n<web:main DAD\n<a:b c:d/DAD x=1\n"), ASSAY_OK);
    SENT(h, "CLIMB\nweb:main/CLIMB\na:b/CLIMB\n");
    assert_int_equal(FEED(h, "JUMP a=1\n<a:b {\"command\": \"HOP\"}\n \t\n\n"), ASSAY_OK);
    SENT(h, "UNKNOWN command=JUMP\na:b/UNKNOWN command=HOP\n");
    assert_int_equal(FEED(h, "DAD a\n"), ASSAY_OK);
    SENT(h, "");
    assert_string_equal(h->model->effects[take(h).effect.effect].name, "report");
    close_host(h);
    assay_spec_free(spec);
}

static void links_end_without_their_machine(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/dispatch.yaml");
    struct host *h = open_host(assay_spec_model(spec), assay_spec_model(spec)->client);
    struct assay_event event;
    assert_int_equal(FEED(h, "HI\nCLIMB\n"), ASSAY_OK);
    SENT(h, "DAD\nTOP\n");
    assert_int_equal(assay_signal(h->engine, h->sid, 0, ASSAY_EV_EOF, (struct assay_span){NULL, 0}, &h->out),
                     ASSAY_ENDED);
    do
        event = take(h);
    while (event.type != ASSAY_EVENT_ENDED);
    assert_false(event.ended.finished);
    close_host(h);
    h = open_host(assay_spec_model(spec), assay_spec_model(spec)->client);
    assert_int_equal(FEED(h, "HI\nCLIMB\nWHO\nBYE\n"), ASSAY_ENDED);
    SENT(h, "DAD\nTOP\nMOM\n");
    do
        event = take(h);
    while (event.type != ASSAY_EVENT_ENDED);
    assert_true(event.ended.finished);
    close_host(h);
    assay_spec_free(spec);
}

static void steps_with_conditions(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/dispatch.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    uint16_t call = call_named(m, "log_rotate");
    static const struct {
        const char *secret, *bytes;
    } ways[] = {{"", "LOG_ROTATE"}, {"pw", "LOG_ROTATE secret_code=pw"}, {"a;\n", "LOG_ROTATE secret_code=\"a;\\n\""}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct host *h = open_host(m, m->calls[call].machine);
        const assay_val none = 0;
        const struct assay_span secret = {(const uint8_t *)ways[i].secret, (uint32_t)strlen(ways[i].secret)};
        assert_int_equal(assay_call(h->engine, h->sid, 0, call, &none, &secret, ASSAY_NEVER, &h->out), ASSAY_OK);
        sent(h, ways[i].bytes, strlen(ways[i].bytes));
        assert_int_equal(take(h).result.outcome, ASSAY_CALL_OK);
        close_host(h);
    }
    assay_spec_free(spec);
}

static void streams_are_cut_anywhere(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/relay.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    struct host *h = open_host(m, m->server);
    assert_int_equal(FEED(h, "two\nlines"), ASSAY_PENDING);
    struct assay_event event = take(h);
    assert_string_equal(m->effects[event.effect.effect].verb, "gather");
    assert_int_equal(event.spans[0].n, 9);
    assert_memory_equal(event.spans[0].p, "two\nlines", 9);
    close_host(h);
    assay_spec_free(spec);
}

/* ---- more of the language ---------------------------------------------- */

static const char letters[] =
    "assay: 1\n"
    "protocol: letters\n"
    "params: {word: {type: text, default: \"'red'\", max: 20}}\n"
    "limits: {sessions: 1}\n"
    "transports: {tcp: {port: 1}, udp: {port: 1, max: 90}}\n"
    "types:\n"
    "  Word: {text: {before: ['?', ' ', '=', ';']}, charset: ascii, chars: a-z, min: 1, max: 9}\n"
    "  Two: {record: [left: Word, _: {const: ' '}, right: Word]}\n"
    "  Extra:\n"
    "    pairs: {separator: ';', assign: '=', name: Word, value: {bytes: rest, not: ';'}, duplicates: first}\n"
    "frame:\n"
    "  until: '|'\n"
    "  max: 99\n"
    "  fields: [kind: Word, extra: {type: Extra, max: 60, lead: '?', optional: true}, two: {type: Two, lead: '!', "
    "optional: "
    "true}]\n"
    "  tag: kind\n"
    "messages:\n"
    "  Ask:\n"
    "    from: client\n"
    "    tag: [ask, beg]\n"
    "    examples: [{raw: 'ask?b=2;a=1;b=3|', is: {extra: b=2;a=1}, other-form: true}]\n"
    "  Tell: {from: server, tag: [tell, say], examples: [{raw: 'say?a=1|', is: {kind: say, extra: a=1}}]}\n"
    "server:\n"
    "  rules:\n"
    "    - when: Ask\n"
    "      if: pair(extra, 'c') == word\n"
    "      send: {Tell: {kind: \"'say'\", extra: extra}}\n"
    "    - {when: Ask, if: present(extra), send: {Tell: {}}}\n"
    "    - {when: Ask, ignore: true}\n"
    "    - {when: [malformed, unknown, oversize], ignore: true}\n"
    "    - {when: [eof, eof-in-frame, reset], goto: End}\n";

static void pairs_params_and_tags(void **state)
{
    (void)state;
    struct assay_spec *spec = parse(letters);
    const struct assay_model *m = assay_spec_model(spec);
    assert_non_null(m);
    struct host *h = open_host(m, m->server);
    assert_int_equal(FEED(h, "ask|beg?c=red|ask?c=blue|ask?d=red;c=red;c=x|"), ASSAY_OK);
    SENT(h, "say?c=red|tell|say?d=red;c=red|");
    close_host(h);
    h = open_host(m, m->transports[1].server); /* the same machine, by datagrams */
    assert_int_not_equal(m->transports[1].server, m->server);
    assert_int_equal(FEED(h, "ask?c=red"), ASSAY_OK);
    SENT(h, "say?c=red");
    close_host(h);
    assay_spec_free(spec);
}

static void terminals_type_and_show(void **state)
{
    (void)state;
    struct assay_spec *spec = load("spec/relay.yaml");
    const struct assay_model *m = assay_spec_model(spec);
    const struct assay_terminal *t = assay_spec_terminal(spec);
    assay_val slots[ASSAY_SLOTS_MAX] = {0}, result;
    uint8_t *scratch = malloc(m->scratch);
    struct assay_env env = {.model = m, .slots = slots, .known = 1, .frame = (const uint8_t *)"hi"};
    assert_non_null(scratch);
    assert_non_null(t);
    env.scratch = scratch;
    env.scratch_cap = m->scratch;
    slots[0] = assay_val_bytes(ASSAY_REGION_FRAME, 0, 2);
    assert_true(assay_eval(&env, t->calls[call_named(m, "say")], &result));
    struct assay_span typed = assay_bytes(&env, result);
    assert_int_equal(typed.n, 3);
    assert_memory_equal(typed.p, "hi\0", 3);
    assert_int_equal(t->calls[call_named(m, "pass")], ASSAY_NONE);
    assert_true(assay_eval(&env, t->effects[0], &result));
    assert_int_equal(assay_bytes(&env, result).n, 2);
    free(scratch);
    assay_spec_free(spec);
    spec = load("spec/dispatch.yaml");
    assert_null(assay_spec_terminal(spec));
    assay_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines_and_transports),  cmocka_unit_test(frames_of_transports),
        cmocka_unit_test(records_are_copied_whole), cmocka_unit_test(links_end_without_their_machine),
        cmocka_unit_test(steps_with_conditions),    cmocka_unit_test(streams_are_cut_anywhere),
        cmocka_unit_test(pairs_params_and_tags),    cmocka_unit_test(terminals_type_and_show),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
