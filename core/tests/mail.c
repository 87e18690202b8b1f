#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/session.h"
#include "core/tests/mail.h"

#define NONE ASSAY_NONE
#define BLOB(s)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }
#define COUNT(a)    (uint16_t)(sizeof(a) / sizeof *(a))
#define I(op, a, b) assay_ins(ASSAY_OP_##op, a, (unsigned)(b))
#define CODE(...)   code((uint32_t[]){__VA_ARGS__, I(END, 0, 0)}, sizeof((uint32_t[]){__VA_ARGS__, 0}) / 4)

static uint32_t codes[512];
static uint16_t codes_n;
static struct assay_rule rules[64];
static uint16_t rule_events[64], rules_n;
static uint16_t transitions[2 * MAIL_STATES * MAIL_EVENTS], lists[512];

static uint16_t code(const uint32_t *ins, size_t n)
{
    uint16_t start = codes_n;
    assert(codes_n + n <= COUNT(codes));
    memcpy(codes + start, ins, n * sizeof *ins);
    codes_n = (uint16_t)(codes_n + n);
    return start;
}

/* ---- tables -------------------------------------------------------------- */

enum { T_U8, T_ID, T_TEXT, T_NUMBER, T_BOOL };
static const struct assay_type types[] = {
    [T_U8] = {"u8", ASSAY_T_INT, 0, NONE, NONE, 0, 255},
    [T_ID] = {"bytes", ASSAY_T_BYTES, 0, NONE, NONE, 0, 2},
    [T_TEXT] = {"bytes", ASSAY_T_BYTES, 0, NONE, NONE, 0, 40},
    [T_NUMBER] = {"u32", ASSAY_T_INT, 0, NONE, NONE, 0, UINT32_MAX},
    [T_BOOL] = {"bool", ASSAY_T_BOOL, 0, NONE, NONE, 0, 1},
};
static const struct assay_blob blobs[] = {BLOB("AA"),   BLOB("\0"),      BLOB("stale"),
                                          BLOB("lost"), BLOB("no-room"), BLOB("GG")};
enum { B_SESSION, B_NOBODY, B_STALE, B_LOST, B_NO_ROOM, B_ANOTHER };
static const struct assay_param params[] = {{"text", "", T_TEXT, NONE}};
static struct assay_effect effects[] = {
    {.name = "show", .args = {0, 1}, .table = NONE, .log = NONE},
    {.name = "check", .args = {0, 1}, .fallible = true, .table = NONE, .log = NONE}};
static const struct assay_error errors[] = {{"lost", ""}};
static const uint16_t reliable_messages[] = {MAIL_NOTE};
static struct assay_field fields[6]; /* the first is the sum */
static struct assay_frame frame;
static struct assay_message messages[MAIL_MESSAGES];
static struct assay_event_def events[MAIL_EVENTS];
static struct assay_state states[2 * MAIL_STATES];
static struct assay_var vars[2 * MAIL_VARS];
static struct assay_call calls[2 * MAIL_CALLS];
static struct assay_machine machines[2];
static struct assay_reliable reliable;
static struct assay_log log_of_texts;
static uint16_t statesets[] = {MAIL_S_LIVE, NONE};
static int64_t ints[7];
static struct assay_model model;

static void make_wire(bool summed)
{
    uint16_t nobody = CODE(I(BLOB, 0, B_NOBODY), I(BLOB, 0, B_NOBODY), I(JOIN, 2, 0)), zero = CODE(I(INT, 0, 0));
    for (int i = 0; i < 6; i++)
        fields[i] = (struct assay_field){.name = "field",
                                         .type = T_U8,
                                         .slot = (uint16_t)(i - 1),
                                         .element = NONE,
                                         .present = NONE,
                                         .is = NONE,
                                         .init = NONE,
                                         .check = NONE,
                                         .fault = NONE,
                                         .req = NONE,
                                         .leniency = NONE,
                                         .form = ASSAY_FORM_INT,
                                         .bits = 8};
    fields[0].slot = NONE;
    fields[0].sum = ASSAY_SUM_SUM8;
    fields[2].type = T_ID;
    fields[2].form = ASSAY_FORM_BYTES;
    fields[2].extent = ASSAY_EXT_FIXED;
    fields[2].extent_arg = 2;
    fields[2].init = nobody;
    fields[3].init = zero;
    fields[4].type = T_TEXT;
    fields[4].form = ASSAY_FORM_BYTES;
    fields[4].extent = ASSAY_EXT_REST;
    fields[5].slot = MAIL_OWN;
    frame = (struct assay_frame){.end = ASSAY_END_DATAGRAM,
                                 .fields = {summed ? 0 : 1, summed ? 4 : 3},
                                 .body = NONE,
                                 .tag = MAIL_KIND,
                                 .delims = NONE,
                                 .segment_leniency = NONE,
                                 .max = 48,
                                 .trim = NONE,
                                 .transports = UINT16_MAX};
    for (uint16_t i = 0; i < MAIL_MESSAGES; i++) {
        messages[i] = (struct assay_message){.name = "message",
                                             .from = ASSAY_CLIENT | ASSAY_SERVER,
                                             .tag_kind = ASSAY_TAG_VALUE,
                                             .tag_code = NONE,
                                             .tag = i + 1,
                                             .fields = {4, 1},
                                             .leads = NONE,
                                             .req = NONE,
                                             .event = (uint16_t)(MAIL_EV_MESSAGE + i),
                                             .wire_max = 45,
                                             .transports = UINT16_MAX};
        events[MAIL_EV_MESSAGE + i] = (struct assay_event_def){"message", ASSAY_EVK_MESSAGE, i};
    }
    messages[MAIL_ACK].fields = (struct assay_range){5, 1};
    messages[MAIL_ACK].wire_max = 6;
    messages[MAIL_RENEW].fields = (struct assay_range){0, 0};
}

static struct assay_rule *rule(unsigned side, unsigned state, uint16_t event, uint16_t guard, uint16_t body)
{
    struct assay_rule *r = &rules[rules_n];
    assert(rules_n < COUNT(rules));
    *r = (struct assay_rule){.machine = (uint16_t)side,
                             .state = (uint16_t)(side * MAIL_STATES + state),
                             .guard = guard,
                             .body = body,
                             .otherwise = NONE,
                             .req = NONE,
                             .out_max = 45};
    rule_events[rules_n++] = event;
    return r;
}

/* In each of the machine's own states. */
static void rule_everywhere(unsigned side, uint16_t event, uint16_t body)
{
    rule(side, MAIL_S_LIVE, event, NONE, body);
    rule(side, MAIL_S_LOST, event, NONE, body);
}

static void make_calls(unsigned side)
{
    unsigned state = side * MAIL_STATES, var = side * MAIL_VARS, event = MAIL_EV_CALL + side * MAIL_CALLS;
    uint32_t note[] = {I(SLOT, 0, 0), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_NOTE)};
    rule_everywhere(side, (uint16_t)(event + MAIL_CALL_NOTE),
                    CODE(note[0], note[1], note[2], I(MARK, 0, 0), I(GOTO, 0, state + MAIL_S_NOTE)));
    rule_everywhere(side, (uint16_t)(event + MAIL_CALL_POST), CODE(note[0], note[1], note[2], I(RESULT, 0, 0)));
    rule_everywhere(side, (uint16_t)(event + MAIL_CALL_FLUSH), CODE(I(GOTO, 0, state + MAIL_S_FLUSH)));
    rule_everywhere(side, (uint16_t)(event + MAIL_CALL_RENEW),
                    CODE(I(SLOT, 0, 0), I(SET, 0, var + MAIL_V_SESSION), I(SLOT, 0, 0), I(OUT, 0, MAIL_SESSION),
                         I(SEND, 0, MAIL_RENEW), I(RESULT, 0, 0)));
    for (unsigned all = 0; all < 2; all++) {
        unsigned wait = all ? MAIL_S_FLUSH : MAIL_S_NOTE;
        rule(side, wait, ASSAY_EV_AWAITED, CODE(I(ACKED, all, 0)), CODE(I(RESULT, 0, 0)));
        rule(side, wait, ASSAY_EV_AWAITED, CODE(I(STATE, 0, 0), I(INT, 0, state + MAIL_S_LOST), I(EQ, 0, 0)),
             CODE(I(ERROR, 0, 0)));
    }
    for (unsigned i = 0; i < MAIL_CALLS; i++) {
        events[event + i] = (struct assay_event_def){"call", ASSAY_EVK_CALL, (uint16_t)(side * MAIL_CALLS + i)};
        calls[side * MAIL_CALLS + i] = (struct assay_call){.name = "call",
                                                           .text = "",
                                                           .event = (uint16_t)(event + i),
                                                           .args = {0, i == MAIL_CALL_FLUSH ? 0 : 1},
                                                           .errors = {0, 1},
                                                           .first_var = (uint16_t)(var + MAIL_V_ARG),
                                                           .machine = (uint16_t)side,
                                                           .opens = NONE};
    }
}

static void make_strangers(unsigned side)
{
    unsigned state = side * MAIL_STATES, var = side * MAIL_VARS;
    uint32_t renew[] = {I(SLOT, 0, MAIL_SESSION), I(SET, 0, var + MAIL_V_SESSION), I(SEND, 0, MAIL_RENEW),
                        I(GOTO, 0, state + MAIL_S_LIVE)};
    rule(side, MAIL_S_STRANGER, MAIL_EV_MESSAGE + MAIL_PLAIN, NONE,
         CODE(I(PEER, 0, 0), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_PLAIN)))
        ->flags = ASSAY_RULE_STATELESS;
    rule(side, MAIL_S_STRANGER, ASSAY_EV_STALE, NONE,
         CODE(I(BLOB, 0, B_STALE), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_PLAIN)))
        ->flags = ASSAY_RULE_STATELESS;
    rule(side, MAIL_S_STRANGER, MAIL_EV_MESSAGE + MAIL_RENEW, NONE,
         CODE(I(SLOT, 0, MAIL_SESSION), I(EFFECT, 1, MAIL_EFFECT_CHECK), renew[0], renew[1], renew[2], renew[3]))
        ->otherwise = CODE(I(BLOB, 0, B_LOST), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_PLAIN));
    rule(side, MAIL_S_STRANGER, ASSAY_EV_MALFORMED, NONE, CODE(I(INT, 0, 0), I(LOCAL, 0, 60)));
    rule(side, MAIL_S_LIVE, ASSAY_EV_RESET, NONE, CODE(I(GOTO, 0, state + MAIL_S_STRANGER)));
}

static void make_greeting(unsigned side)
{
    struct assay_rule *greet = rule(side, MAIL_S_STRANGER, ASSAY_EV_CONNECT, NONE,
                                    CODE(I(BLOB, 0, B_ANOTHER), I(EFFECT, 1, MAIL_EFFECT_CHECK)));
    greet->flags = ASSAY_RULE_GATE;
    greet->out_max = 0;
}

/* The call renews behind what it waits for. */
static void make_renewing(unsigned side)
{
    unsigned state = side * MAIL_STATES, var = side * MAIL_VARS, event = MAIL_EV_CALL + side * MAIL_CALLS;
    uint32_t note[] = {I(SLOT, 0, 0), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_NOTE)};
    rule(side, MAIL_S_LIVE, (uint16_t)(event + MAIL_CALL_NOTE), NONE,
         CODE(note[0], note[1], note[2], I(MARK, 0, 0), I(BLOB, 0, B_ANOTHER), I(SET, 0, var + MAIL_V_SESSION),
              I(GOTO, 0, state + MAIL_S_NOTE)));
}

static void make_log(const struct mail_options *options)
{
    ints[4] = options->batch;
    ints[5] = options->row_window;
    ints[6] = options->cursor;
    for (unsigned i = 0; i < 3; i++)
        vars[(unsigned[]){MAIL_V_BATCH, MAIL_V_WINDOW, MAIL_V_CURSOR}[i]].init = CODE(I(WIDE, 0, 4 + i));
    vars[MAIL_V_READS].init = CODE(I(INT, 0, 1));
    log_of_texts = (struct assay_log){.name = "texts",
                                      .columns = {0, 1},
                                      .machine = 0,
                                      .states = 0,
                                      .follows = CODE(I(VAR, 0, MAIL_V_READS)),
                                      .cursor = MAIL_V_CURSOR,
                                      .batch = CODE(I(VAR, 0, MAIL_V_BATCH)),
                                      .window = CODE(I(VAR, 0, MAIL_V_WINDOW)),
                                      .event = MAIL_EV_ROW,
                                      .first_slot = 4,
                                      .req = NONE};
    events[MAIL_EV_ROW] = (struct assay_event_def){"row", ASSAY_EVK_ROW, 0};
    rule(0, MAIL_S_LIVE, MAIL_EV_ROW, NONE, CODE(I(SLOT, 0, 5), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_NOTE)));
    rule(0, MAIL_S_LIVE, MAIL_EV_MESSAGE + MAIL_PLAIN, NONE,
         CODE(I(SLOT, 0, MAIL_OWN), I(SIZE, 0, 0), I(SET, 0, MAIL_V_CURSOR)));
}

static void make_machine(unsigned side, const struct mail_options *options)
{
    unsigned var = side * MAIL_VARS;
    uint16_t first_rule = rules_n;
    uint16_t show = CODE(I(SLOT, 0, MAIL_OWN), I(EFFECT, 1, MAIL_EFFECT_SHOW));
    uint16_t check = CODE(I(SLOT, 0, MAIL_OWN), I(EFFECT, 1, MAIL_EFFECT_CHECK));
    uint16_t twice = CODE(I(SLOT, 0, MAIL_OWN), I(EFFECT, 1, MAIL_EFFECT_CHECK), I(SLOT, 0, MAIL_OWN),
                          I(EFFECT, 1, MAIL_EFFECT_CHECK));
    uint16_t keep =
        CODE(I(SLOT, 0, MAIL_OWN), I(SET, 0, var + MAIL_V_ARG), I(SLOT, 0, MAIL_OWN), I(EFFECT, 1, MAIL_EFFECT_SHOW));
    uint16_t end =
        CODE(I(SLOT, 0, MAIL_OWN), I(EFFECT, 1, MAIL_EFFECT_SHOW), I(GOTO, 0, side * MAIL_STATES + MAIL_S_END));
    uint16_t renew = CODE(I(SLOT, 0, MAIL_OWN), I(SET, 0, var + MAIL_V_SESSION), I(SLOT, 0, MAIL_OWN),
                          I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_NOTE));
    struct assay_rule *note = rule(side, MAIL_S_LIVE, MAIL_EV_MESSAGE + MAIL_NOTE, NONE,
                                   options->twice    ? twice
                                   : options->checks ? check
                                   : options->renews ? renew
                                   : options->ends   ? end
                                   : options->keeps  ? keep
                                                     : show);
    note->otherwise = options->checks ? CODE(I(DECLINE, 0, 0)) : NONE;
    note->flags = options->chains ? ASSAY_RULE_CHAIN : 0;
    rule(side, MAIL_S_LOST, MAIL_EV_MESSAGE + MAIL_NOTE, NONE, show);
    if (options->relays) {
        struct assay_rule *relay = rule(side, MAIL_S_LIVE, MAIL_EV_MESSAGE + MAIL_PLAIN, NONE,
                                        CODE(I(SLOT, 0, MAIL_OWN), I(EFFECT, 1, MAIL_EFFECT_CHECK),
                                             I(SLOT, 0, MAIL_OWN), I(OUT, 0, MAIL_OWN), I(SEND, 0, MAIL_NOTE)));
        relay->otherwise = CODE(I(BLOB, 0, B_LOST), I(EFFECT, 1, MAIL_EFFECT_SHOW));
        relay->flags = ASSAY_RULE_RELIABLE;
    }
    if (!options->logs && !options->relays)
        rule_everywhere(side, MAIL_EV_MESSAGE + MAIL_PLAIN, show);
    rule_everywhere(side, MAIL_EV_MESSAGE + MAIL_RENEW,
                    CODE(I(SLOT, 0, MAIL_SESSION), I(SET, 0, var + MAIL_V_SESSION)));
    rule_everywhere(side, ASSAY_EV_STALE, CODE(I(BLOB, 0, B_STALE), I(EFFECT, 1, MAIL_EFFECT_SHOW)));
    rule_everywhere(side, ASSAY_EV_MALFORMED, CODE(I(INT, 0, 0), I(LOCAL, 0, 60)));
    rule_everywhere(side, ASSAY_EV_NO_ROOM, CODE(I(BLOB, 0, B_NO_ROOM), I(EFFECT, 1, MAIL_EFFECT_SHOW)));
    if (options->renews)
        rule(side, MAIL_S_LIVE, ASSAY_EV_GIVEN_UP, NONE, CODE(I(BLOB, 0, B_ANOTHER), I(SET, 0, var + MAIL_V_SESSION)));
    if (options->bears)
        rule(side, MAIL_S_LIVE, ASSAY_EV_GIVEN_UP, NONE, CODE(I(BLOB, 0, B_LOST), I(EFFECT, 1, MAIL_EFFECT_SHOW)));
    rule_everywhere(
        side, ASSAY_EV_GIVEN_UP,
        CODE(I(BLOB, 0, B_LOST), I(EFFECT, 1, MAIL_EFFECT_SHOW), I(GOTO, 0, side * MAIL_STATES + MAIL_S_LOST)));
    for (unsigned i = 0; i < MAIL_VARS; i++)
        vars[var + i] = (struct assay_var){"variable", T_NUMBER, NONE};
    vars[var + MAIL_V_SESSION] = (struct assay_var){"session", T_ID, CODE(I(BLOB, 0, B_SESSION))};
    vars[var + MAIL_V_FIRST].init = CODE(I(WIDE, 0, 0));
    vars[var + MAIL_V_ARG].type = T_TEXT;
    if (options->renews)
        make_renewing(side);
    make_calls(side);
    if (options->logs && side == 0)
        make_log(options);
    if (options->strangers)
        make_strangers(side);
    if (options->greets)
        make_greeting(side);
    machines[side] = (struct assay_machine){
        .name = side ? "client" : "server",
        .role = side ? ASSAY_CLIENT : ASSAY_SERVER,
        .states = {(uint16_t)(side * MAIL_STATES), MAIL_STATES},
        .start = (uint16_t)(side * MAIL_STATES + (options->strangers ? MAIL_S_STRANGER : MAIL_S_LIVE)),
        .stateless = options->strangers,
        .vars = {(uint16_t)var, MAIL_VARS},
        .rules = {first_rule, (uint16_t)(rules_n - first_rule)},
        .reconnect = {.pause = NONE},
        .session = (uint16_t)(var + MAIL_V_SESSION),
        .first_number = CODE(I(VAR, 0, var + MAIL_V_FIRST))};
    for (unsigned i = 0; i < MAIL_STATES; i++)
        states[side * MAIL_STATES + i] = (struct assay_state){.name = "state", .call = NONE};
    states[side * MAIL_STATES + MAIL_S_NOTE].kind = states[side * MAIL_STATES + MAIL_S_FLUSH].kind = ASSAY_STATE_AWAIT;
    states[side * MAIL_STATES + MAIL_S_END].kind = ASSAY_STATE_END;
}

static void make_transitions(void)
{
    uint16_t used = 0;
    for (uint16_t state = 0; state < 2 * MAIL_STATES; state++)
        for (uint16_t event = 0; event < MAIL_EVENTS; event++) {
            uint16_t start = used;
            for (uint16_t r = 0; r < rules_n; r++)
                if (rules[r].state == state && rule_events[r] == event)
                    lists[used++] = r;
            transitions[state * MAIL_EVENTS + event] = used > start ? start : NONE;
            if (used > start)
                lists[used++] = NONE;
        }
    assert(used <= COUNT(lists));
}

static void make_reliable(const struct mail_options *options)
{
    ints[0] = options->first;
    ints[1] = MAIL_FIRST;
    ints[2] = MAIL_CAP;
    ints[3] = MAIL_GIVE_UP;
    reliable = (struct assay_reliable){.messages = {0, 1},
                                       .number = MAIL_NUMBER,
                                       .bits = 8,
                                       .order = options->order,
                                       .duplicate = options->duplicate,
                                       .ack = MAIL_ACK,
                                       .ack_slot = MAIL_OWN,
                                       .session = MAIL_SESSION,
                                       .window = options->window ? options->window : 4,
                                       .first = CODE(I(WIDE, 0, 1)),
                                       .cap = CODE(I(WIDE, 0, 2)),
                                       .factor = 200,
                                       .tolerance = 20,
                                       .give_up = CODE(I(WIDE, 0, 3)),
                                       .req = NONE};
}

const struct assay_model *mail_model(const struct mail_options *options)
{
    codes_n = rules_n = 0;
    make_wire(options->summed);
    make_reliable(options);
    effects[MAIL_EFFECT_CHECK].log = options->chains ? 0 : NONE;
    log_of_texts = (struct assay_log){.name = "texts", .columns = {0, 1}, .machine = NONE, .req = NONE};
    make_machine(0, options);
    make_machine(1, options);
    make_transitions();
    model = (struct assay_model){.protocol = "mail",
                                 .limits = {2, options->memory ? options->memory : 4096,
                                            options->effects ? options->effects : 8, 1024, 1024, 0, 0, 0},
                                 .scratch = 256,
                                 .frame_max = 48,
                                 .out_max = 45,
                                 .server = 0,
                                 .client = 1,
                                 .transitions = transitions,
                                 .rule_lists = lists,
                                 .rule_lists_count = COUNT(lists)};
#define TABLE(name, array) (model.name = (array), model.name##_count = COUNT(array))
    TABLE(types, types), TABLE(blobs, blobs), TABLE(params, params), TABLE(effects, effects), TABLE(errors, errors);
    TABLE(fields, fields), TABLE(messages, messages), TABLE(events, events), TABLE(states, states), TABLE(vars, vars);
    TABLE(calls, calls), TABLE(machines, machines), TABLE(ints, ints), TABLE(reliable_messages, reliable_messages);
    model.frames = &frame, model.frames_count = 1;
    model.logs = &log_of_texts, model.logs_count = options->logs || options->chains;
    TABLE(statesets, statesets);
    model.reliables = &reliable, model.reliables_count = 1;
    model.rules = rules, model.rules_count = rules_n;
    model.code = codes, model.code_count = codes_n;
    uint32_t where;
    assert(assay_code_verify(&model, &where));
    return &model;
}

/* ---- the network --------------------------------------------------------- */

static void fly(struct mail *mail, unsigned to, const uint8_t *bytes, uint32_t n, assay_time at, uint32_t order)
{
    assert(mail->flying_n < MAIL_FLYING_MAX && n <= MAIL_BYTES_MAX);
    struct mail_datagram *d = &mail->flying[mail->flying_n++];
    *d = (struct mail_datagram){.at = at, .order = order, .to = (uint8_t)to, .n = (uint8_t)n};
    memcpy(d->bytes, bytes, n);
}

/* A datagram takes 10; a swapped one comes behind the next, a delayed one long after those that repeat it. */
static void send(struct mail *mail, unsigned from, const uint8_t *bytes, uint32_t n)
{
    uint32_t number = mail->sent++;
    enum mail_fault fault = number < MAIL_FAULTED_MAX ? (enum mail_fault)mail->faults[number] : MAIL_PASS;
    assay_time late = fault == MAIL_SWAP ? 15 : fault == MAIL_DELAY ? 450 : 10;
    memcpy(mail->last, bytes, n);
    mail->last_n = n;
    if (mail->sides[from].disk && bytes[0] == MAIL_ACK + 1)
        assert((uint8_t)(bytes[n - 1] - ints[0]) <= mail->sides[from].shown_notes);
    if (fault == MAIL_DROP || mail->dead[from])
        return;
    fly(mail, !from, bytes, n, mail->now + late, 2 * number);
    if (fault == MAIL_DOUBLE)
        fly(mail, !from, bytes, n, mail->now + late, 2 * number + 1);
}

static void flush(struct mail *mail, unsigned from)
{
    struct assay_out *out = &mail->sides[from].out;
    for (uint16_t i = 0; i < out->cuts_len; i++) {
        uint32_t end = i + 1 < out->cuts_len ? out->cuts[i + 1].at : out->len;
        assert(!out->cuts[i].gate);
        send(mail, from, out->bytes + out->cuts[i].at, end - out->cuts[i].at);
    }
    out->len = out->cuts_len = 0;
}

/* ---- the hosts ----------------------------------------------------------- */

static void show(struct mail_side *side, struct assay_span text)
{
    assert(side->shown_n + text.n + 2 <= MAIL_SHOWN_MAX);
    memcpy(side->shown + side->shown_n, text.p, text.n);
    side->shown_n += text.n;
    side->shown[side->shown_n++] = '.';
    side->shown[side->shown_n] = 0;
}

static void write_later(struct mail_side *side, assay_time now, const struct assay_event *event)
{
    struct mail_write *write = &side->writes[side->writes_n++];
    assert(side->writes_n <= MAIL_ORDERS_MAX && event->spans[0].n <= MAIL_BYTES_MAX);
    *write = (struct mail_write){.token = event->effect.token, .at = now + side->disk, .n = event->spans[0].n};
    memcpy(write->text, event->spans[0].p, write->n);
    side->most_writes = side->writes_n > side->most_writes ? side->writes_n : side->most_writes;
}

static void order(struct mail_side *side, assay_time now, const struct assay_event *event)
{
    if (event->effect.token && side->disk) {
        write_later(side, now, event);
        return;
    }
    if (event->effect.token) {
        assert(side->tokens_n < MAIL_ORDERS_MAX);
        side->tokens[side->tokens_n++] = event->effect.token;
        if (side->fail_next)
            return;
    }
    show(side, event->spans[0]);
}

static void take_events(struct mail_side *side, assay_time now)
{
    struct assay_event event;
    while (assay_next_event(side->engine, &event)) {
        if (event.type == ASSAY_EVENT_EFFECT)
            order(side, now, &event);
        side->results += event.type == ASSAY_EVENT_RESULT;
        if (event.type == ASSAY_EVENT_RESULT)
            side->outcome = event.result.outcome;
        side->again += event.type == ASSAY_EVENT_SENT && event.sent.again;
        side->again_late += side->ended && event.type == ASSAY_EVENT_SENT;
        side->ended |= event.type == ASSAY_EVENT_ENDED;
    }
}

enum assay_rc mail_settle(struct mail *mail, unsigned side, enum assay_rc rc)
{
    take_events(&mail->sides[side], mail->now);
    flush(mail, side);
    return rc;
}

void mail_complete(struct mail *mail, unsigned side, bool done)
{
    struct mail_side *s = &mail->sides[side];
    assert(s->tokens_n);
    assay_token token = s->tokens[0];
    memmove(s->tokens, s->tokens + 1, --s->tokens_n * sizeof *s->tokens);
    s->fail_next -= s->fail_next > 0;
    mail_settle(mail, side, assay_complete(s->engine, token, mail->now, done, &s->out));
}

/* The first write is done, or fails; behind one that fails so do all that were ordered before that is told. */
static void written(struct mail *mail, unsigned side)
{
    struct mail_side *s = &mail->sides[side];
    struct mail_write first = s->writes[0];
    bool done = ++s->written != s->fail_write && s->written > s->doomed;
    memmove(s->writes, s->writes + 1, --s->writes_n * sizeof *s->writes);
    mail->now = first.at > mail->now ? first.at : mail->now;
    s->doomed = done ? s->doomed : s->written + s->writes_n;
    s->shown_notes += done;
    if (done)
        show(s, (struct assay_span){(const uint8_t *)first.text, first.n});
    mail_settle(mail, side, assay_complete(s->engine, first.token, mail->now, done, &s->out));
}

struct assay_engine *mail_engine(const struct mail_options *options, unsigned side)
{
    const struct assay_model *made = mail_model(options);
    struct assay_config config = {.model = made,
                                  .machine = (uint16_t)side,
                                  .limits = made->limits,
                                  .judge = options->judge,
                                  .gates = options->greets,
                                  .chains = options->chains};
    size_t size = assay_engine_size(&config);
    void *block = malloc(size);
    assert(block);
    memset(block, 0xa5, size); /* nothing may depend on zeroed memory */
    return assay_engine_init(block, size, &config);
}

void mail_open(struct mail *mail, const struct mail_options *options)
{
    memset(mail, 0, sizeof *mail);
    mail->model = &model;
    for (unsigned i = 0; i < 2; i++) {
        struct mail_side *side = &mail->sides[i];
        side->block = side->engine = mail_engine(options, i);
        side->out = (struct assay_out){side->bytes, sizeof side->bytes, 0, side->cuts, COUNT(side->cuts), 0};
        assert(assay_open(side->engine, 0, &side->sid, &side->out) == ASSAY_OK);
        mail_settle(mail, i, ASSAY_OK);
    }
}

void mail_close(struct mail *mail)
{
    for (unsigned i = 0; i < 2; i++)
        free(mail->sides[i].block);
}

enum assay_rc mail_call(struct mail *mail, unsigned side, uint16_t call, const char *text)
{
    struct mail_side *s = &mail->sides[side];
    struct assay_span span = {(const uint8_t *)text, text ? (uint32_t)strlen(text) : 0};
    assay_val none = 0;
    return mail_settle(mail, side,
                       assay_call(s->engine, s->sid, mail->now, (uint16_t)(side * MAIL_CALLS + call), &none, &span,
                                  ASSAY_NEVER, &s->out));
}

/* While an effect is in flight, what arrives waits; those that can fail are done, or fail, at once. */
enum assay_rc mail_feed(struct mail *mail, unsigned side, const void *bytes, uint32_t n)
{
    struct mail_side *s = &mail->sides[side];
    enum assay_rc rc;
    uint32_t used;
    for (;;) {
        rc = mail_settle(mail, side,
                         assay_feed(s->engine, s->sid, mail->now, (struct assay_span){bytes, n}, &used, &s->out));
        bool pending = rc == ASSAY_PENDING;
        while (s->tokens_n && !s->holds)
            mail_complete(mail, side, s->fail_next == 0);
        if (!pending || s->holds || s->disk || s->ended)
            return rc;
    }
}

/* ---- time ---------------------------------------------------------------- */

static uint32_t first_flying(const struct mail *mail)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < mail->flying_n; i++) {
        const struct mail_datagram *a = &mail->flying[i], *b = &mail->flying[best];
        if (a->at < b->at || (a->at == b->at && a->order < b->order))
            best = i;
    }
    return best;
}

static void arrive(struct mail *mail, uint32_t i)
{
    struct mail_datagram d = mail->flying[i];
    mail->flying[i] = mail->flying[--mail->flying_n];
    mail->now = d.at;
    if (mail->sides[d.to].ended || mail_feed(mail, d.to, d.bytes, d.n) != ASSAY_PENDING || !mail->sides[d.to].disk)
        return;
    fly(mail, d.to, d.bytes, d.n, d.at + 1, d.order);
}

static void tick(struct mail *mail, unsigned side, assay_time at)
{
    struct mail_side *s = &mail->sides[side];
    assay_sid sid;
    mail->now = at > mail->now ? at : mail->now;
    if (assay_due(s->engine, mail->now, &sid))
        mail_settle(mail, side, assay_tick(s->engine, sid, mail->now, &s->out));
    while (s->tokens_n && !s->holds)
        mail_complete(mail, side, s->fail_next == 0);
}

bool mail_step(struct mail *mail, assay_time until)
{
    assay_time due[2] = {assay_deadline(mail->sides[0].engine), assay_deadline(mail->sides[1].engine)};
    unsigned side = due[1] < due[0];
    uint32_t first = first_flying(mail);
    for (unsigned i = 0; i < 2; i++) {
        const struct mail_side *s = &mail->sides[i];
        assay_time at = s->writes_n ? s->writes[0].at : ASSAY_NEVER;
        if (at <= until && at <= due[side] && (!mail->flying_n || at <= mail->flying[first].at)) {
            written(mail, i);
            return true;
        }
    }
    if (mail->flying_n && mail->flying[first].at <= due[side] && mail->flying[first].at <= until)
        arrive(mail, first);
    else if (due[side] <= until)
        tick(mail, side, due[side]);
    else
        return false;
    return true;
}

void mail_run(struct mail *mail, assay_time until)
{
    for (int steps = 0; mail_step(mail, until); steps++)
        assert(steps < 10000);
    mail->now = until;
}

bool mail_shown(const struct mail *mail, unsigned side, const char *text)
{
    const struct mail_side *s = &mail->sides[side];
    return s->shown_n == strlen(text) && memcmp(s->shown, text, s->shown_n) == 0;
}

uint32_t mail_memory(const struct mail *mail, unsigned side)
{
    const struct assay_heap *heap = &mail->sides[side].engine->heap;
    assay_garbage_free(mail->sides[side].engine); /* no event is left that could show it */
    uint32_t used = heap->units;
    for (uint32_t i = 0; i < heap->units; i++)
        used -= heap->orders[i] ? 1u << (heap->orders[i] - 1) : 0;
    return used;
}
