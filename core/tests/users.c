#include "core/tests/users.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE ASSAY_NONE
#define BLOB(s)                                                                                                        \
    {                                                                                                                  \
        (const uint8_t *)(s), sizeof(s) - 1                                                                            \
    }
#define COUNT(a) (uint16_t)(sizeof(a) / sizeof *(a))

enum { T_KIND, T_BYTES, T_NUMBER };
static const struct assay_type types[] = {
    [T_KIND] = {"u8", ASSAY_T_INT, 0, NONE, NONE, 0, 255},
    [T_BYTES] = {"bytes", ASSAY_T_BYTES, 0, NONE, NONE, 0, 64},
    [T_NUMBER] = {"int", ASSAY_T_INT, 0, NONE, NONE, 0, 1000},
};
static const struct assay_blob blobs[] = {
    [USERS_B_YES] = BLOB("yes"), [USERS_B_NO] = BLOB("no"), [USERS_B_FAILED] = BLOB("failed")};
static const struct assay_var vars[] = {{"bytes", T_BYTES, NONE}, {"number", T_NUMBER, NONE}};
static const struct assay_state states[] = {{"Open", ASSAY_STATE_PLAIN, NONE, 0}, {"End", ASSAY_STATE_END, NONE, 0}};
static const struct assay_param params[] = {
    {"name", "", T_BYTES, NONE}, {"token", "", T_BYTES, NONE}, {"count", "", T_NUMBER, NONE},
    {"id", "", T_NUMBER, NONE},  {"value", "", T_BYTES, NONE}, {"line", "", T_BYTES, NONE},
};
static const struct assay_table tables[] = {
    [USERS_NAMES] = {"names", 0, {1, 2}, 3, true, USERS_PUT_NAME},
    [USERS_CACHE] = {"cache", 3, {4, 1}, 100, false, USERS_PUT_CACHE},
};
static const struct assay_effect effects[] = {
    [USERS_PUT_NAME] = {"names", {0, 3}, NULL, NULL, true, USERS_NAMES, NONE},
    [USERS_PUT_CACHE] = {"cache", {3, 2}, NULL, NULL, true, USERS_CACHE, NONE},
    [USERS_APPEND] = {"append", {5, 1}, NULL, NULL, true, NONE, NONE},
};

enum { RULES_MAX = 16, FIRST = ASSAY_EV_BUILTINS, EVENTS = FIRST + USERS_KINDS + 1 };
static struct assay_model model;
static uint32_t codes[512];
static struct assay_rule rules[RULES_MAX];
static unsigned kinds[RULES_MAX];

void users_begin(void)
{
    model = (struct assay_model){.protocol = "users"};
}

uint16_t users_code(const uint32_t *ins, size_t n)
{
    uint16_t start = model.code_count;
    assert(start + n <= COUNT(codes));
    memcpy(codes + start, ins, n * sizeof *ins);
    model.code_count = (uint16_t)(start + n);
    return start;
}

void users_rule(unsigned kind, uint16_t guard, uint16_t body, uint16_t otherwise)
{
    assert(model.rules_count < RULES_MAX);
    kinds[model.rules_count] = kind;
    rules[model.rules_count++] = (struct assay_rule){.state = USERS_OPEN,
                                                     .guard = guard,
                                                     .body = body,
                                                     .otherwise = otherwise,
                                                     .req = NONE,
                                                     .flags = ASSAY_RULE_FALLIBLE,
                                                     .out_max = 64};
}

static void list_rules(void)
{
    static uint16_t transitions[2 * EVENTS], lists[2 * RULES_MAX + 1];
    uint32_t used = 0;
    memset(transitions, 0xff, sizeof transitions);
    for (unsigned kind = 0; kind < USERS_KINDS; kind++) {
        transitions[FIRST + kind] = (uint16_t)used;
        for (uint16_t r = 0; r < model.rules_count; r++)
            if (kinds[r] == kind)
                lists[used++] = r;
        if (used == transitions[FIRST + kind])
            transitions[FIRST + kind] = NONE;
        else
            lists[used++] = NONE;
    }
    model.transitions = transitions;
    model.rule_lists = lists;
    model.rule_lists_count = used;
}

static struct assay_field field(const char *name, uint16_t type, uint16_t slot)
{
    return (struct assay_field){.name = name,
                                .type = type,
                                .slot = slot,
                                .present = NONE,
                                .is = NONE,
                                .init = NONE,
                                .check = NONE,
                                .fault = NONE,
                                .req = NONE,
                                .leniency = NONE,
                                .element = NONE,
                                .form = type == T_KIND ? ASSAY_FORM_INT : ASSAY_FORM_BYTES,
                                .extent = ASSAY_EXT_PREFIX,
                                .extent_arg = 8,
                                .bits = 8};
}

static struct assay_message message(const char *name, uint8_t from, uint16_t kind)
{
    return (struct assay_message){.name = name,
                                  .from = from,
                                  .tag_kind = ASSAY_TAG_VALUE,
                                  .tag_code = NONE,
                                  .tag = kind,
                                  .fields = {1, kind == USERS_ANSWER ? 1 : 2},
                                  .leads = NONE,
                                  .req = NONE,
                                  .event = (uint16_t)(FIRST + kind),
                                  .wire_max = 140,
                                  .transports = UINT16_MAX};
}

#define TABLE(name, array) (model.name = (array), model.name##_count = COUNT(array))

struct assay_model *users_model(void)
{
    static struct assay_field fields[3];
    static struct assay_message messages[USERS_KINDS + 1];
    static struct assay_event_def events[EVENTS];
    static const struct assay_frame frames[] = {{.end = ASSAY_END_FIELDS,
                                                 .fields = {0, 1},
                                                 .body = NONE,
                                                 .tag = USERS_KIND,
                                                 .delims = NONE,
                                                 .segment_leniency = NONE,
                                                 .max = 140,
                                                 .walked = ASSAY_CLIENT | ASSAY_SERVER,
                                                 .trim = NONE,
                                                 .transports = UINT16_MAX}};
    static struct assay_machine machine;
    fields[0] = field("kind", T_KIND, USERS_KIND);
    fields[1] = field("key", T_BYTES, USERS_KEY);
    fields[2] = field("value", T_BYTES, USERS_VALUE);
    for (uint16_t kind = 0; kind <= USERS_ANSWER; kind++) {
        messages[kind] = message("Ask", kind == USERS_ANSWER ? ASSAY_SERVER : ASSAY_CLIENT, kind);
        events[FIRST + kind] = (struct assay_event_def){"Ask", ASSAY_EVK_MESSAGE, kind};
    }
    machine = (struct assay_machine){.name = "server",
                                     .role = ASSAY_SERVER,
                                     .states = {0, 2},
                                     .start = USERS_OPEN,
                                     .vars = {0, COUNT(vars)},
                                     .rules = {0, model.rules_count},
                                     .reconnect = {.pause = NONE},
                                     .session = NONE,
                                     .first_number = NONE};
    model.limits = (struct assay_limits){4, 4096, 8, 1024, 1024, 0, 0, 1000};
    model.scratch = 1024;
    model.frame_max = 140;
    model.out_max = 64;
    model.client = NONE;
    TABLE(types, types), TABLE(blobs, blobs), TABLE(vars, vars), TABLE(states, states), TABLE(params, params);
    TABLE(tables, tables), TABLE(effects, effects), TABLE(fields, fields), TABLE(messages, messages);
    TABLE(events, events), TABLE(frames, frames);
    model.machines = &machine, model.machines_count = 1;
    model.rules = rules;
    model.code = codes;
    list_rules();
    return &model;
}

/* ---- the host ---------------------------------------------------------- */

void users_open(struct users *u, struct assay_config config)
{
    memset(u, 0, sizeof *u);
    config.model = config.model ? config.model : &model;
    config.limits = config.limits.sessions ? config.limits : config.model->limits;
    u->config = config;
    size_t size = assay_engine_size(&config);
    void *block = malloc(size);
    assert(block);
    memset(block, 0xa5, size); /* nothing may depend on zeroed memory */
    u->engine = assay_engine_init(block, size, &config);
    u->out = (struct assay_out){u->bytes, sizeof u->bytes, 0, u->cuts, 8, 0};
    for (unsigned i = 0; i < USERS_SESSIONS; i++)
        if (assay_open(u->engine, u->now, &u->sids[i], &u->out) != ASSAY_OK)
            abort();
}

void users_close(struct users *u)
{
    free(u->engine);
}

static void note_effect(struct users *u, const struct assay_event *event)
{
    u->token = event->effect.token;
    u->effect = event->effect.effect;
    u->ordered++;
    for (uint16_t i = 0; i < event->count; i++) {
        u->values[i] = event->values[i];
        u->spans_n[i] = event->spans[i].n;
        if (event->spans[i].n)
            memcpy(u->spans[i], event->spans[i].p, event->spans[i].n);
    }
}

static enum assay_rc settle(struct users *u, enum assay_rc rc)
{
    struct assay_event event;
    while (assay_next_event(u->engine, &event)) {
        if (event.type == ASSAY_EVENT_EFFECT)
            note_effect(u, &event);
        u->ended += event.type == ASSAY_EVENT_ENDED;
    }
    return rc;
}

enum assay_rc users_again(struct users *u, unsigned who)
{
    uint32_t used;
    u->out.len = 0;
    struct assay_span in = {u->in[who], u->in_n[who]};
    enum assay_rc rc = assay_feed(u->engine, u->sids[who], u->now, in, &used, &u->out);
    return settle(u, rc);
}

enum assay_rc users_ask(struct users *u, unsigned who, unsigned kind, const char *key, const char *value)
{
    uint8_t *p = u->in[who];
    *p++ = (uint8_t)kind;
    *p++ = (uint8_t)strlen(key);
    memcpy(p, key, strlen(key));
    p += strlen(key);
    *p++ = (uint8_t)strlen(value);
    memcpy(p, value, strlen(value));
    u->in_n[who] = (uint32_t)(p + strlen(value) - u->in[who]);
    return users_again(u, who);
}

enum assay_rc users_complete(struct users *u, assay_token token, bool done)
{
    u->out.len = 0;
    return settle(u, assay_complete(u->engine, token, u->now, done, &u->out));
}

struct assay_span users_text(struct users *u)
{
    if (u->out.len < 2 || u->bytes[0] != USERS_ANSWER || u->out.len != 2u + u->bytes[1])
        return (struct assay_span){NULL, 0};
    return (struct assay_span){u->bytes + 2, u->bytes[1]};
}

bool users_said(struct users *u, const char *text)
{
    struct assay_span said = users_text(u);
    return said.p && said.n == strlen(text) && memcmp(said.p, text, said.n) == 0;
}
