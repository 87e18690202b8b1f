#include <assert.h>
#include <string.h>

#include "core/tests/models.h"

/* FIELD() gives defaults first, which designators then override. */
#ifdef __clang__
#pragma clang diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

#define NONE ASSAY_NONE
#define BLOB(s)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }
#define COUNT(a) (uint16_t)(sizeof(a) / sizeof *(a))
#define RANGE(first, count)                                                                                            \
    {                                                                                                                  \
        first, count                                                                                                   \
    }
#define I(op, a, b) assay_ins(ASSAY_OP_##op, a, (unsigned)(b))
#define CODE(...)   code((uint32_t[]){__VA_ARGS__, I(END, 0, 0)}, sizeof((uint32_t[]){__VA_ARGS__, 0}) / 4)

static uint32_t codes[1024];
static uint16_t codes_used;

static uint16_t code(const uint32_t *ins, size_t n)
{
    uint16_t start = codes_used;
    assert(codes_used + n <= 1024);
    memcpy(codes + start, ins, n * sizeof *ins);
    codes_used = (uint16_t)(codes_used + n);
    return start;
}

/* ---- rules ------------------------------------------------------------- */

#define RULES_MAX  64
#define EVENTS_MAX 32
#define STATES_MAX 16
static struct assay_rule rules[RULES_MAX];
static uint16_t rule_events[RULES_MAX], rules_used;
static uint16_t transitions[STATES_MAX * EVENTS_MAX], lists[1024];

static struct assay_rule *rule(uint16_t machine, uint16_t state, uint16_t event, uint16_t guard, uint16_t body)
{
    struct assay_rule *r = &rules[rules_used];
    *r = (struct assay_rule){.machine = machine,
                             .state = state,
                             .guard = guard,
                             .body = body,
                             .otherwise = NONE,
                             .req = NONE,
                             .out_max = 64};
    rule_events[rules_used++] = event;
    return r;
}

static uint32_t list_rules(uint32_t used, uint16_t machine, uint16_t state, uint16_t event)
{
    for (uint16_t r = 0; r < rules_used; r++)
        if (rules[r].machine == machine && rules[r].state == state && rule_events[r] == event)
            lists[used++] = r;
    return used;
}

/* In each state its own rules, then those of "*"; a wait has only its own. */
static void build_transitions(struct assay_model *m)
{
    uint32_t used = 0;
    for (uint16_t k = 0; k < m->machines_count; k++)
        for (uint16_t s = 0; s < m->machines[k].states.count; s++)
            for (uint16_t event = 0; event < m->events_count; event++) {
                uint16_t state = (uint16_t)(m->machines[k].states.first + s);
                uint32_t start = used;
                used = list_rules(used, k, state, event);
                if (m->states[state].kind == ASSAY_STATE_PLAIN)
                    used = list_rules(used, k, NONE, event);
                transitions[state * m->events_count + event] = used > start ? (uint16_t)start : NONE;
                if (used > start)
                    lists[used++] = NONE;
            }
    m->transitions = transitions;
    m->rule_lists = lists;
    m->rule_lists_count = used;
    m->rules = rules;
    m->rules_count = rules_used;
    m->code = codes;
    m->code_count = codes_used;
}

#define TABLE(model, name, array) ((model)->name = (array), (model)->name##_count = COUNT(array))

/* ---- notes ------------------------------------------------------------- */

enum { T_KIND, T_STATUS, T_U16, T_BODY, T_COUNT, T_BYTES };
static const struct assay_type notes_types[] = {
    [T_KIND] = {"Kind", ASSAY_T_ENUM, 0, 0, NONE, 0, 0},
    [T_STATUS] = {"Status", ASSAY_T_ENUM, 0, 1, NONE, 0, 0},
    [T_U16] = {"u16", ASSAY_T_INT, 0, NONE, NONE, 0, 65535},
    [T_BODY] = {"bytes", ASSAY_T_BYTES, 0, NONE, NONE, 0, NOTES_BODY_MAX},
    [T_COUNT] = {"count", ASSAY_T_INT, 0, NONE, NONE, 0, 1000000},
    [T_BYTES] = {"bytes", ASSAY_T_BYTES, 0, NONE, NONE, 0, 1000},
};
static const struct assay_enum notes_enums[] = {{"Kind", RANGE(0, 4), false, false},
                                                {"Status", RANGE(4, 2), false, false}};
static const struct assay_enum_item notes_items[] = {
    {"name", 1, {0}},  {"password", 2, {0}}, {"message", 3, {0}},
    {"close", 4, {0}}, {"ok", 0, {0}},       {"failed", 255, {0}},
};
static const struct assay_blob notes_blobs[] = {BLOB("["), BLOB("]: "), BLOB("\r\n"), BLOB("")};
static const struct assay_message notes_messages[] = {
#define REQUEST(text, value, fields_, event_)                                                                          \
    {                                                                                                                  \
        .name = text, .from = ASSAY_CLIENT, .tag_kind = ASSAY_TAG_VALUE, .tag_code = NONE, .tag = value,               \
        .fields = fields_, .leads = NONE, .req = NONE, .event = event_, .wire_max = 3 + NOTES_BODY_MAX,                \
        .transports = UINT16_MAX                                                                                       \
    }
#define FIRST_MESSAGE (ASSAY_EV_BUILTINS + 1)
    REQUEST("Name", 1, RANGE(3, 1), FIRST_MESSAGE + NOTES_NAME),
    REQUEST("Password", 2, RANGE(4, 1), FIRST_MESSAGE + NOTES_PASSWORD),
    REQUEST("Message", 3, RANGE(5, 1), FIRST_MESSAGE + NOTES_MESSAGE),
    REQUEST("Close", 4, RANGE(0, 0), FIRST_MESSAGE + NOTES_CLOSE),
    {.name = "Reply",
     .from = ASSAY_SERVER,
     .tag_kind = ASSAY_TAG_NONE,
     .tag_code = NONE,
     .leads = NONE,
     .req = NONE,
     .event = FIRST_MESSAGE + NOTES_REPLY,
     .wire_max = 1,
     .transports = UINT16_MAX},
};
enum { EV_IDLE = ASSAY_EV_BUILTINS, EV_CALL = FIRST_MESSAGE + 5 };
#define BUILTIN_EVENTS                                                                                                 \
    [ASSAY_EV_CONNECT] = {"connect", ASSAY_EVK_BUILTIN, NONE},                                                         \
    [ASSAY_EV_MALFORMED] = {"malformed", ASSAY_EVK_BUILTIN, NONE},                                                     \
    [ASSAY_EV_UNKNOWN] = {"unknown", ASSAY_EVK_BUILTIN, NONE},                                                         \
    [ASSAY_EV_OVERSIZE] = {"oversize", ASSAY_EVK_BUILTIN, NONE}, [ASSAY_EV_EOF] = {"eof", ASSAY_EVK_BUILTIN, NONE},    \
    [ASSAY_EV_EOF_IN_FRAME] = {"eof-in-frame", ASSAY_EVK_BUILTIN, NONE},                                               \
    [ASSAY_EV_RESET] = {"reset", ASSAY_EVK_BUILTIN, NONE}, [ASSAY_EV_NO_ROOM] = {"no-room", ASSAY_EVK_BUILTIN, NONE},  \
    [ASSAY_EV_SHUTDOWN] = {"shutdown", ASSAY_EVK_BUILTIN, NONE},                                                       \
    [ASSAY_EV_STALE] = {"stale", ASSAY_EVK_BUILTIN, NONE},                                                             \
    [ASSAY_EV_GIVEN_UP] = {"given-up", ASSAY_EVK_BUILTIN, NONE},                                                       \
    [ASSAY_EV_AWAITED] = {"awaited", ASSAY_EVK_BUILTIN, NONE}
static const struct assay_event_def notes_events[] = {
    BUILTIN_EVENTS,
    [EV_IDLE] = {"idle", ASSAY_EVK_TIMER, 0},
    {"Name", ASSAY_EVK_MESSAGE, 0},
    {"Password", ASSAY_EVK_MESSAGE, 1},
    {"Message", ASSAY_EVK_MESSAGE, 2},
    {"Close", ASSAY_EVK_MESSAGE, 3},
    {"Reply", ASSAY_EVK_MESSAGE, 4},
    [EV_CALL] = {"login", ASSAY_EVK_CALL, 0},
    {"post", ASSAY_EVK_CALL, 1},
    {"bye", ASSAY_EVK_CALL, 2},
};
static const struct assay_state notes_states[] = {
    {"Name", 0, NONE, 0},
    {"Password", 0, NONE, 0},
    {"Ready", 0, NONE, 0},
    {"End", ASSAY_STATE_END, NONE, 0},
    {"Idle", 0, NONE, 0},
    {"login/1", ASSAY_STATE_WAIT, 0, 0},
    {"login/2", ASSAY_STATE_WAIT, 0, 0},
    {"post/1", ASSAY_STATE_WAIT, 1, 0},
    {"bye/1", ASSAY_STATE_WAIT, 2, 0},
    {"End", ASSAY_STATE_END, NONE, 0},
};
static const struct assay_var notes_vars[] = {
    {"user", T_BYTES, NONE},     {"count", T_COUNT, NONE}, {"name", T_BYTES, NONE},
    {"password", T_BYTES, NONE}, {"text", T_BYTES, NONE},
};
static const uint16_t notes_statesets[] = {NOTES_S_NAME, NOTES_S_PASSWORD, NOTES_S_READY, NONE};
static const int64_t notes_ints[] = {NOTES_IDLE_NS};
static const struct assay_param notes_params[] = {
    {"line", "", T_BYTES, NONE},     {"count", "", T_COUNT, NONE}, {"name", "", T_BYTES, NONE},
    {"password", "", T_BYTES, NONE}, {"text", "", T_BYTES, NONE},
};
static const struct assay_effect notes_effects[] = {
    {.name = "append",
     .args = RANGE(0, 1),
     .verb = "append",
     .object = "log",
     .fallible = true,
     .table = NONE,
     .log = NONE},
    {.name = "notice", .args = RANGE(1, 1), .table = NONE, .log = NONE},
};
static const struct assay_call notes_calls[] = {
    {"login", "", EV_CALL, RANGE(2, 2), RANGE(0, 0), RANGE(0, 1), NOTES_VAR_ARG_NAME, 1, NONE, 0},
    {"post", "", EV_CALL + 1, RANGE(4, 1), RANGE(0, 0), RANGE(0, 1), NOTES_VAR_ARG_TEXT, 1, NONE, 0},
    {"bye", "", EV_CALL + 2, RANGE(0, 0), RANGE(0, 0), RANGE(0, 0), NONE, 1, NONE, 0},
};
static const struct assay_error notes_errors[] = {{"refused", "the server refused"}};

static void notes_server(bool gated)
{
    enum { OWN = 3, ANY = NONE };
    uint32_t ok[] = {I(INT, 0, 0), I(OUT, 0, 0), I(SEND, 0, NOTES_REPLY)};
    uint32_t no[] = {I(INT, 0, 255), I(OUT, 0, 0), I(SEND, 0, NOTES_REPLY)};
    uint16_t end = CODE(I(GOTO, 0, NOTES_S_END));
    uint16_t refuse = CODE(no[0], no[1], no[2], I(GOTO, 0, NOTES_S_END));
    uint16_t confirm = CODE(ok[0], ok[1], ok[2], I(GOTO, 0, NOTES_S_END));
    uint16_t filled = CODE(I(SLOT, 0, OWN), I(SIZE, 0, 0), I(INT, 0, 0), I(GT, 0, 0));

    rule(0, NOTES_S_NAME, FIRST_MESSAGE + NOTES_NAME, filled,
         CODE(I(SLOT, 0, OWN), I(SET, 0, NOTES_VAR_USER), ok[0], ok[1], ok[2], I(GOTO, 0, NOTES_S_PASSWORD)));
    rule(0, NOTES_S_PASSWORD, FIRST_MESSAGE + NOTES_PASSWORD,
         CODE(I(SLOT, 0, OWN), I(INT, 0, 0), I(AT, 0, 0), I(INT, 0, 1), I(BITAND, 0, 0)),
         CODE(ok[0], ok[1], ok[2], I(GOTO, 0, NOTES_S_READY)));
    struct assay_rule *append =
        rule(0, NOTES_S_READY, FIRST_MESSAGE + NOTES_MESSAGE, filled,
             gated ? CODE(I(BLOB, 0, 0), I(VAR, 0, NOTES_VAR_USER), I(LINE, 0, 0), I(BLOB, 0, 1), I(SLOT, 0, OWN),
                          I(LINE, 0, 0), I(BLOB, 0, 2), I(JOIN, 5, 0), I(EFFECT, 1, NOTES_EFFECT_APPEND), ok[0], ok[1],
                          ok[2])
                   : CODE(I(BLOB, 0, 0), I(VAR, 0, NOTES_VAR_USER), I(LINE, 0, 0), I(BLOB, 0, 1), I(SLOT, 0, OWN),
                          I(LINE, 0, 0), I(BLOB, 0, 2), I(JOIN, 5, 0), I(EFFECT, 1, NOTES_EFFECT_APPEND),
                          I(VAR, 0, NOTES_VAR_COUNT), I(INT, 0, 1), I(ADD, 0, 0), I(SET, 0, NOTES_VAR_COUNT), ok[0],
                          ok[1], ok[2]));
    append->otherwise = refuse;
    append->flags = gated ? ASSAY_RULE_GATE : 0;
    rule(0, ANY, FIRST_MESSAGE + NOTES_CLOSE, NONE, confirm);
    rule(0, ANY, ASSAY_EV_EOF_IN_FRAME, CODE(I(SLOT, 0, 0), I(INT, 0, 4), I(EQ, 0, 0)), confirm);
    uint16_t refused[] = {FIRST_MESSAGE,    FIRST_MESSAGE + 1, FIRST_MESSAGE + 2, ASSAY_EV_MALFORMED,
                          ASSAY_EV_UNKNOWN, ASSAY_EV_OVERSIZE, ASSAY_EV_NO_ROOM};
    for (size_t i = 0; i < COUNT(refused); i++)
        rule(0, ANY, refused[i], NONE, refuse);
    uint16_t ends[] = {ASSAY_EV_EOF, ASSAY_EV_EOF_IN_FRAME, ASSAY_EV_RESET, EV_IDLE};
    for (size_t i = 0; i < COUNT(ends); i++)
        rule(0, ANY, ends[i], NONE, end);
}

static void notes_client(void)
{
    uint16_t is_ok = CODE(I(SLOT, 0, 0), I(INT, 0, 0), I(EQ, 0, 0));
    uint16_t refused = CODE(I(ERROR, 0, 0), I(GOTO, 0, NOTES_C_END));
    uint16_t reply = FIRST_MESSAGE + NOTES_REPLY;
    rule(1, NOTES_C_IDLE, EV_CALL, NONE,
         CODE(I(SLOT, 0, 0), I(OUT, 0, 3), I(SEND, 0, NOTES_NAME), I(GOTO, 0, NOTES_C_LOGIN1)));
    rule(1, NOTES_C_LOGIN1, reply, is_ok,
         CODE(I(VAR, 0, NOTES_VAR_ARG_PASSWORD), I(OUT, 0, 3), I(SEND, 0, NOTES_PASSWORD), I(GOTO, 0, NOTES_C_LOGIN2)));
    rule(1, NOTES_C_LOGIN2, reply, is_ok, CODE(I(RESULT, 0, 0)));
    rule(1, NOTES_C_IDLE, EV_CALL + 1, NONE,
         CODE(I(SLOT, 0, 0), I(OUT, 0, 3), I(SEND, 0, NOTES_MESSAGE), I(GOTO, 0, NOTES_C_POST)));
    rule(1, NOTES_C_POST, reply, is_ok, CODE(I(RESULT, 0, 0)));
    rule(1, NOTES_C_IDLE, EV_CALL + 2, NONE, CODE(I(SEND, 0, NOTES_CLOSE), I(GOTO, 0, NOTES_C_BYE)));
    rule(1, NOTES_C_BYE, reply, is_ok, CODE(I(RESULT, 0, 0), I(GOTO, 0, NOTES_C_END)));
    uint16_t waits[] = {NOTES_C_LOGIN1, NOTES_C_LOGIN2, NOTES_C_POST};
    for (size_t i = 0; i < COUNT(waits); i++)
        rule(1, waits[i], reply, NONE, refused);
    for (uint16_t r = 0; r < rules_used; r++)
        rules[r].out_max = rules[r].machine == 1 ? 3 + NOTES_BODY_MAX : 1;
}

const struct assay_model *notes_model(bool gated)
{
    static struct assay_model m;
    static struct assay_field fields[7];
    static struct assay_frame frames[2];
    static struct assay_machine machines[2];
    static struct assay_timer timers[1];
    codes_used = rules_used = 0;
    uint16_t size_of_body = CODE(I(SLOT, 0, 2), I(SIZE, 0, 0)), length = CODE(I(SLOT, 0, 1));
    uint16_t after = CODE(I(WIDE, 0, 0));
#define FIELD(...)                                                                                                     \
    (struct assay_field){.present = NONE,                                                                              \
                         .is = NONE,                                                                                   \
                         .init = NONE,                                                                                 \
                         .check = NONE,                                                                                \
                         .fault = NONE,                                                                                \
                         .req = NONE,                                                                                  \
                         .leniency = NONE,                                                                             \
                         .element = NONE,                                                                              \
                         __VA_ARGS__}
    fields[0] = FIELD(.name = "kind", .type = T_KIND, .slot = 0, .form = ASSAY_FORM_INT, .bits = 8);
    fields[1] =
        FIELD(.name = "length", .type = T_U16, .slot = 1, .form = ASSAY_FORM_INT, .bits = 16, .flags = ASSAY_F_LITTLE);
    fields[1].is = size_of_body;
    fields[2] = FIELD(.name = "body", .type = T_BODY, .slot = 2, .form = ASSAY_FORM_BYTES, .extent = ASSAY_EXT_CODE,
                      .extent_arg = length);
    for (int i = 3; i < 6; i++)
        fields[i] = FIELD(.name = "own", .type = T_BODY, .slot = 3, .form = ASSAY_FORM_BYTES, .extent = ASSAY_EXT_REST);
    fields[6] = FIELD(.name = "status", .type = T_STATUS, .slot = 0, .form = ASSAY_FORM_INT, .bits = 8);
    frames[0] = (struct assay_frame){ASSAY_END_FIELDS,   RANGE(0, 3), 2,     0,    NONE,      NONE,
                                     3 + NOTES_BODY_MAX, 0,           false, NONE, UINT16_MAX};
    frames[1] =
        (struct assay_frame){ASSAY_END_FIELDS, RANGE(6, 1), NONE, NONE, NONE, NONE, 1, 0, false, NONE, UINT16_MAX};
    timers[0] = (struct assay_timer){"idle", EV_IDLE, after, 0, ASSAY_RESTART_INPUT, 0, 0};
    notes_server(gated);
    uint16_t server_rules = rules_used;
    notes_client();
    machines[0] = (struct assay_machine){.name = "server",
                                         .role = ASSAY_SERVER,
                                         .states = RANGE(0, 4),
                                         .start = 0,
                                         .vars = RANGE(0, 2),
                                         .timers = RANGE(0, 1),
                                         .rules = RANGE(0, server_rules),
                                         .frame_in = 0,
                                         .frame_out = 1,
                                         .reconnect = {.pause = NONE},
                                         .session = NONE,
                                         .first_number = NONE};
    machines[1] = (struct assay_machine){.name = "client",
                                         .role = ASSAY_CLIENT,
                                         .states = RANGE(4, 6),
                                         .start = 4,
                                         .vars = RANGE(2, 3),
                                         .timers = RANGE(0, 0),
                                         .rules = RANGE(server_rules, (uint16_t)(rules_used - server_rules)),
                                         .frame_in = 1,
                                         .frame_out = 0,
                                         .reconnect = {.pause = NONE},
                                         .session = NONE,
                                         .first_number = NONE};
    m = (struct assay_model){.protocol = "notes",
                             .limits = {8, 4096, 8, 1024, 1024, 0, 0, 0},
                             .scratch = 2048,
                             .frame_max = 3 + NOTES_BODY_MAX,
                             .out_max = 3 + NOTES_BODY_MAX,
                             .server = 0,
                             .client = 1};
    TABLE(&m, types, notes_types), TABLE(&m, enums, notes_enums), TABLE(&m, enum_items, notes_items);
    TABLE(&m, blobs, notes_blobs), TABLE(&m, messages, notes_messages), TABLE(&m, events, notes_events);
    TABLE(&m, states, notes_states), TABLE(&m, vars, notes_vars), TABLE(&m, statesets, notes_statesets);
    TABLE(&m, ints, notes_ints), TABLE(&m, params, notes_params), TABLE(&m, effects, notes_effects);
    TABLE(&m, calls, notes_calls), TABLE(&m, errors, notes_errors), TABLE(&m, fields, fields);
    TABLE(&m, frames, frames), TABLE(&m, machines, machines), TABLE(&m, timers, timers);
    build_transitions(&m);
    return &m;
}

static uint16_t ended_code(const uint32_t *ins, size_t n)
{
    uint32_t end = I(END, 0, 0);
    uint16_t start = code(ins, n);
    code(&end, 1);
    return start;
}

const struct assay_model *notes_with(uint16_t event, const uint32_t *body, size_t n, const uint32_t *otherwise,
                                     size_t otherwise_n)
{
    struct assay_model *m = (struct assay_model *)(uintptr_t)notes_model(false);
    for (uint16_t r = 0; r < rules_used; r++)
        if (rules[r].machine == 0 && rules[r].state == NONE && rule_events[r] == event) {
            rules[r].body = ended_code(body, n);
            rules[r].otherwise = otherwise_n ? ended_code(otherwise, otherwise_n) : NONE;
            rules[r].flags = otherwise_n ? ASSAY_RULE_FALLIBLE : 0;
        }
    m->code_count = codes_used;
    return m;
}

const struct assay_model *notes_greeting(void)
{
    struct assay_model *m = (struct assay_model *)(uintptr_t)notes_model(false);
    uint16_t listen = CODE(I(GOTO, 0, NOTES_C_POST));
    for (uint16_t r = 0; r < rules_used; r++)
        if (rules[r].machine == 1 && rule_events[r] == EV_CALL + NOTES_CALL_POST) {
            rules[r].body = listen;
            rules[r].out_max = 0;
        }
    m->code_count = codes_used;
    return m;
}

/* ---- sums -------------------------------------------------------------- */

enum { TS_WORD, TS_NUMBER, TS_TEXT };
static const struct assay_type sums_types[] = {
    [TS_WORD] = {"Word", ASSAY_T_ENUM, 0, 0, NONE, 0, 0},
    [TS_NUMBER] = {"i32", ASSAY_T_INT, 0, NONE, NONE, INT32_MIN, INT32_MAX},
    [TS_TEXT] = {"text", ASSAY_T_TEXT, ASSAY_CS_UTF8, NONE, NONE, 0, 40},
};
static const struct assay_enum sums_enums[] = {{"Word", RANGE(0, 2), false, true}};
static const struct assay_enum_item sums_items[] = {{"square", 0, BLOB("square")}, {"twice", 1, BLOB("twice")}};
static const struct assay_blob sums_blobs[] = {BLOB("\r\n"),        BLOB("\n"),      BLOB("\n"),
                                               BLOB(" "),           BLOB("error: "), BLOB("overflow"),
                                               BLOB("bad request"), BLOB("too long")};
/* requests may end in CR LF or LF; replies end in LF */
static const struct assay_delims sums_delims[] = {{RANGE(0, 2)}, {RANGE(2, 1)}, {RANGE(3, 1)}};
static const struct assay_leniency sums_leniencies[] = {{"segments", "", true, ASSAY_MAY, ASSAY_NONE},
                                                        {"plus", "", false, ASSAY_MAY, ASSAY_NONE}};
static const struct assay_message sums_messages[] = {
    {.name = "Ask",
     .from = ASSAY_CLIENT,
     .tag_code = NONE,
     .fields = RANGE(0, 2),
     .leads = NONE,
     .req = NONE,
     .event = ASSAY_EV_BUILTINS,
     .wire_max = 32,
     .transports = UINT16_MAX},
    {.name = "Answer",
     .from = ASSAY_SERVER,
     .tag_code = NONE,
     .fields = RANGE(2, 1),
     .leads = NONE,
     .req = NONE,
     .event = ASSAY_EV_BUILTINS + 1,
     .wire_max = 12,
     .transports = UINT16_MAX},
    {.name = "Error",
     .from = ASSAY_SERVER,
     .tag_code = NONE,
     .fields = RANGE(3, 2),
     .leads = NONE,
     .req = NONE,
     .event = ASSAY_EV_BUILTINS + 2,
     .wire_max = 48,
     .transports = UINT16_MAX},
};
static const struct assay_event_def sums_events[] = {
    BUILTIN_EVENTS,
    [ASSAY_EV_BUILTINS] = {"Ask", ASSAY_EVK_MESSAGE, 0},
    {"Answer", ASSAY_EVK_MESSAGE, 1},
    {"Error", ASSAY_EVK_MESSAGE, 2},
};
static const struct assay_state sums_states[] = {{"Open", 0, NONE, 0}, {"End", ASSAY_STATE_END, NONE, 0}};

static uint16_t say_error(unsigned blob)
{
    return CODE(I(BLOB, 0, blob), I(OUT, 0, 2), I(SEND, 0, SUMS_ERROR));
}

static void sums_server(void)
{
    uint16_t overflow = say_error(5), bad = say_error(6), too_long = say_error(7);
    struct assay_rule *square =
        rule(0, 0, ASSAY_EV_BUILTINS, CODE(I(SLOT, 0, 0), I(INT, 0, 0), I(EQ, 0, 0)),
             CODE(I(SLOT, 0, 1), I(SLOT, 0, 1), I(MUL, 0, 0), I(OUT, 0, 1), I(SEND, 0, SUMS_ANSWER)));
    square->otherwise = overflow;
    square->flags = ASSAY_RULE_FALLIBLE;
    rule(0, 0, ASSAY_EV_BUILTINS, NONE,
         CODE(I(SLOT, 0, 1), I(SLOT, 0, 1), I(ADD, 0, 0), I(OUT, 0, 1), I(SEND, 0, SUMS_ANSWER)))
        ->otherwise = overflow;
    rule(0, 0, ASSAY_EV_MALFORMED, NONE, bad);
    rule(0, 0, ASSAY_EV_UNKNOWN, NONE, bad);
    rule(0, 0, ASSAY_EV_OVERSIZE, NONE, too_long);
}

const struct assay_model *sums_model(void)
{
    static struct assay_model m;
    static struct assay_field fields[5];
    static struct assay_frame frames[2];
    static struct assay_machine machines[1];
    codes_used = rules_used = 0;
    fields[0] = FIELD(.name = "word", .type = TS_WORD, .slot = 0, .form = ASSAY_FORM_BYTES, .extent = ASSAY_EXT_UNTIL,
                      .extent_arg = 2);
    fields[1] = FIELD(.name = "number", .type = TS_NUMBER, .slot = 1, .form = ASSAY_FORM_DECIMAL,
                      .extent = ASSAY_EXT_REST, .flags = ASSAY_F_SIGNED, .loose = ASSAY_LOOSE_PLUS);
    fields[1].leniency = 1;
    fields[2] = FIELD(.name = "result", .type = TS_NUMBER, .slot = 1, .form = ASSAY_FORM_DECIMAL,
                      .extent = ASSAY_EXT_REST, .flags = ASSAY_F_SIGNED);
    fields[3] = FIELD(.type = NONE, .slot = NONE, .form = ASSAY_FORM_CONST, .extent_arg = 4);
    fields[4] = FIELD(.name = "why", .type = TS_TEXT, .slot = 2, .form = ASSAY_FORM_BYTES, .extent = ASSAY_EXT_REST);
    frames[0] = (struct assay_frame){ASSAY_END_UNTIL, RANGE(0, 0), NONE, NONE, 0, 0, 32, 0, false, NONE, UINT16_MAX};
    frames[1] = (struct assay_frame){ASSAY_END_UNTIL, RANGE(0, 0), NONE, NONE, 1, NONE, 64, 0, false, NONE, UINT16_MAX};
    sums_server();
    machines[0] = (struct assay_machine){.name = "server",
                                         .role = ASSAY_SERVER,
                                         .states = RANGE(0, 2),
                                         .start = 0,
                                         .vars = RANGE(0, 0),
                                         .timers = RANGE(0, 0),
                                         .rules = RANGE(0, rules_used),
                                         .frame_in = 0,
                                         .frame_out = 1,
                                         .reconnect = {.pause = NONE},
                                         .session = NONE,
                                         .first_number = NONE};
    m = (struct assay_model){.protocol = "sums",
                             .limits = {4, 1024, 4, 1024, 1024, 0, 0, 0},
                             .scratch = 256,
                             .frame_max = 64,
                             .out_max = 64,
                             .server = 0,
                             .client = NONE};
    TABLE(&m, types, sums_types), TABLE(&m, enums, sums_enums), TABLE(&m, enum_items, sums_items);
    TABLE(&m, blobs, sums_blobs), TABLE(&m, delims, sums_delims), TABLE(&m, leniencies, sums_leniencies);
    TABLE(&m, messages, sums_messages), TABLE(&m, events, sums_events), TABLE(&m, states, sums_states);
    TABLE(&m, fields, fields), TABLE(&m, frames, frames), TABLE(&m, machines, machines);
    build_transitions(&m);
    return &m;
}
