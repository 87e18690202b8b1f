/* A run as a sequence diagram in text: a column for each node, the server's last. */
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec.h"
#include "core/show.h"
#include "core/vm.h"
#include "sim/world.h"

#define TIME_WIDTH 12u
#define NEAR       18u /* between clients */
#define FAR        64u /* to the server */
#define ASTRAY     4u
#define LINE       320u
#define SHOWN      16u /* bytes of a value */

struct canvas {
    struct assay_sim *sim;
    FILE *to;
    char line[LINE];
    bool up[ASSAY_SIM_NODES_MAX];
    unsigned astray; /* datagrams to where nobody is any more: not all are drawn */
    int64_t last;
};

/* ---- lines ------------------------------------------------------------- */

static unsigned column(const struct canvas *c, unsigned node)
{
    if (node == ASSAY_SIM_SERVER)
        return TIME_WIDTH + (c->sim->nodes - 2) * NEAR + FAR;
    return TIME_WIDTH + (node - 1) * NEAR;
}

static const char *name_of(const struct canvas *c, unsigned node)
{
    return node == ASSAY_SIM_SERVER ? "server" : c->sim->model->actors[node - 1].name;
}

static void put(struct canvas *c, unsigned at, const char *text)
{
    for (; *text && at + 1 < LINE; text++, at++)
        c->line[at] = *text;
}

static void begin(struct canvas *c, int64_t at)
{
    char time[32];
    memset(c->line, ' ', sizeof c->line);
    c->line[LINE - 1] = '\0';
    if (at != c->last) {
        snprintf(time, sizeof time, "%10.4fs", (double)at / 1e9);
        put(c, 0, time);
    }
    c->last = at;
    for (unsigned i = 0; i < c->sim->nodes; i++)
        c->line[column(c, i)] = c->up[i] ? '|' : ' ';
}

static void end(struct canvas *c)
{
    size_t n = LINE - 1;
    while (n > 0 && c->line[n - 1] == ' ')
        n--;
    fprintf(c->to, "%.*s\n", (int)n, c->line);
}

/* ---- texts ------------------------------------------------------------- */

struct text {
    char p[LINE];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->p + t->n, sizeof t->p - t->n, format, args);
    va_end(args);
    t->n += n > 0 ? (size_t)n : 0;
    t->n = t->n < sizeof t->p ? t->n : sizeof t->p - 1;
}

static void say_bytes(struct text *t, struct assay_span v)
{
    bool plain = true;
    for (uint32_t i = 0; i < v.n; i++)
        plain = plain && v.p[i] < 128 && isprint(v.p[i]);
    if (plain) {
        say(t, "'%.*s'%s", v.n > SHOWN ? (int)SHOWN : (int)v.n, (const char *)v.p, v.n > SHOWN ? "..." : "");
        return;
    }
    for (uint32_t i = 0; i < v.n && i < 4; i++)
        say(t, "%02x", v.p[i]);
    say(t, "%s", v.n > 4 ? "..." : "");
}

static const char *item_of(const struct assay_model *model, const struct assay_type *type, int64_t value)
{
    return type->kind == ASSAY_T_ENUM ? assay_enum_name(model, type->of, value) : NULL;
}

static void say_value(struct text *t, const struct assay_model *model, uint16_t type, assay_val v,
                      struct assay_span bytes)
{
    const char *item = item_of(model, &model->types[type], (int64_t)v);
    if (assay_is_bytes(model, type))
        say_bytes(t, bytes);
    else if (item)
        say(t, "%s", item);
    else
        say(t, "%lld", (long long)v);
}

static void say_args(const struct canvas *c, struct text *t, struct assay_range params, uint32_t args)
{
    assay_sim_load_args(c->sim, params, args, 0);
    for (uint16_t i = 0; i < params.count && i < ASSAY_SIM_ARGS_MAX; i++) {
        const struct assay_param *p = &c->sim->model->params[params.first + i];
        say(t, " %s=", p->name);
        say_value(t, c->sim->model, p->type, c->sim->values[i], c->sim->spans[i]);
    }
}

/* ---- messages ---------------------------------------------------------- */

/* Not told: the tag, what is computed, what is as if it were not given. */
static bool is_told(const struct assay_model *model, const struct assay_frame *frame, const struct assay_field *f,
                    const struct assay_env *env)
{
    static const uint8_t zeros[16];
    if (!f->name || f->slot == ASSAY_NONE || !(env->known >> f->slot & 1) || f->slot == frame->tag ||
        f->is != ASSAY_NONE || f->sum != ASSAY_SUM_NONE)
        return false;
    if (f->init == ASSAY_NONE || !assay_is_bytes(model, f->type))
        return true;
    struct assay_span v = assay_bytes(env, env->slots[f->slot]);
    return v.n > sizeof zeros || (v.n && memcmp(v.p, zeros, v.n) != 0);
}

static void say_fields(struct text *t, const struct assay_model *model, const struct assay_frame *frame,
                       const struct assay_env *env, struct assay_range fields, uint16_t body)
{
    for (uint16_t i = 0; i < fields.count; i++) {
        const struct assay_field *f = &model->fields[fields.first + i];
        if (fields.first + i == body || !is_told(model, frame, f, env))
            continue;
        assay_val v = env->slots[f->slot];
        say(t, " %s=", f->name);
        say_value(t, model, f->type, v,
                  assay_is_bytes(model, f->type) ? assay_bytes(env, v) : (struct assay_span){NULL, 0});
    }
}

static void say_message(const struct canvas *c, struct text *t, const struct assay_sim_datagram *d)
{
    struct assay_sim *sim = c->sim;
    const struct assay_model *model = sim->model;
    unsigned node = d->direction == ASSAY_LINK_UP ? ASSAY_SIM_SERVER : sim->flow[d->flow].client;
    uint16_t frame = model->machines[sim->engine_config[node].machine].frame_in;
    struct assay_span content = {sim->bytes.items + d->where, d->size};
    struct assay_env env = {.model = model,
                            .slots = sim->slots,
                            .frame = content.p,
                            .scratch = sim->scratch,
                            .scratch_cap = sim->scratch_cap,
                            .leniencies = sim->config.leniencies};
    struct assay_decoded decoded =
        assay_decode(&env, frame, node == ASSAY_SIM_SERVER ? ASSAY_CLIENT : ASSAY_SERVER, content);
    if (decoded.message == ASSAY_NONE || model->messages[decoded.message].event != decoded.event) {
        say(t, "(%s)", model->events[decoded.event].name);
        return;
    }
    say(t, "%s", model->messages[decoded.message].name);
    say_fields(t, model, &model->frames[frame], &env, model->messages[decoded.message].fields, ASSAY_NONE);
    say_fields(t, model, &model->frames[frame], &env, model->frames[frame].fields, model->frames[frame].body);
}

/* ---- lines of the trace ------------------------------------------------ */

static const char *const faults[] = {"lost", "truncated", "corrupted", "delayed", "swapped", "duplicated"};

static void say_place(struct text *t, const struct assay_sim_trace *e, const char *why)
{
    say(t, "%u %s %u", e->datagram.flow, e->datagram.direction == ASSAY_LINK_UP ? "up" : "down", e->datagram.ordinal);
    for (unsigned i = 0; i < sizeof faults / sizeof *faults; i++)
        if (e->faults >> i & 1)
            say(t, ", %s", faults[i]);
    if (why && !(e->faults & 1))
        say(t, ", %s", why);
}

/* From `from` to `to`: a shaft with the label in it, a head where it arrives, X where it is lost. */
static void draw_arrow(struct canvas *c, const struct assay_sim_trace *e, char shaft, const char *why)
{
    struct text label = {0}, place = {0};
    bool up = e->datagram.direction == ASSAY_LINK_UP, gone = e->kind == ASSAY_SIM_T_LOST;
    unsigned left = column(c, e->node), right = column(c, ASSAY_SIM_SERVER);
    begin(c, e->at);
    say_message(c, &label, &e->datagram);
    memset(c->line + left + 1, shaft, right - left - 1);
    size_t room = right - left - 8, n = label.n < room ? label.n : room;
    c->line[left + 4] = ' ';
    memcpy(c->line + left + 5, label.p, n);
    if (left + 5 + n < right - 1)
        c->line[left + 5 + n] = ' ';
    c->line[up ? right - 1 : left + 1] = gone ? 'X' : up ? '>' : '<';
    say_place(&place, e, why);
    put(c, right + 3, place.p);
    end(c);
}

static void draw_sent(struct canvas *c, const struct assay_sim_trace *e)
{
    draw_arrow(c, e, '-', NULL);
}
static void draw_lost(struct canvas *c, const struct assay_sim_trace *e)
{
    if (!e->faults && ++c->astray > ASTRAY)
        return;
    draw_arrow(c, e, '-', e->why);
}
static void draw_arrived(struct canvas *c, const struct assay_sim_trace *e)
{
    static const char *const marks[] = {[ASSAY_SIM_PLAIN] = "arrives",
                                        [ASSAY_SIM_COPY] = "the copy arrives",
                                        [ASSAY_SIM_LATE] = "arrives late",
                                        [ASSAY_SIM_SWAPPED] = "arrives out of its turn",
                                        [ASSAY_SIM_CHANGED] = "arrives changed"};
    draw_arrow(c, e, '~', marks[e->datagram.mark]);
}

static void draw_text(struct canvas *c, const struct assay_sim_trace *e, const struct text *t)
{
    begin(c, e->at);
    put(c, column(c, e->node) + 2, t->p);
    end(c);
}

static void draw_done(struct canvas *c, const struct assay_sim_trace *e)
{
    struct text t = {0};
    const struct assay_sim_done *d = &c->sim->dones.items[e->what];
    const struct assay_effect *effect = &c->sim->model->effects[d->effect];
    say(&t, "* %s", effect->name);
    say_args(c, &t, effect->args, d->args);
    draw_text(c, e, &t);
}

static void draw_failed(struct canvas *c, const struct assay_sim_trace *e)
{
    struct text t = {0};
    const struct assay_sim_order *o = &c->sim->orders.items[e->what];
    const struct assay_effect *effect = &c->sim->model->effects[o->effect];
    say(&t, "* %s fails:", effect->name);
    say_args(c, &t, effect->args, o->args);
    draw_text(c, e, &t);
}

static void draw_call(struct canvas *c, const struct assay_sim_trace *e)
{
    struct text t = {0};
    const struct assay_sim_call *call = &c->sim->calls.items[e->what];
    const struct assay_call *def = &c->sim->model->calls[c->sim->model->acts[call->act].call];
    say(&t, "call %s", def->name);
    say_args(c, &t, def->args, call->args);
    draw_text(c, e, &t);
}

static const char *outcome_of(const struct canvas *c, const struct assay_call *call, int32_t outcome)
{
    if (outcome >= 0)
        return c->sim->model->errors[outcome].name;
    (void)call;
    return outcome == ASSAY_CALL_OK        ? "done"
           : outcome == ASSAY_CALL_CLOSED  ? "closed"
           : outcome == ASSAY_CALL_TIMEOUT ? "out of time"
           : outcome == ASSAY_SIM_CRASHED  ? "crashed"
                                           : "protocol error";
}

static void draw_result(struct canvas *c, const struct assay_sim_trace *e)
{
    struct text t = {0};
    const struct assay_sim_result *r = &c->sim->results.items[e->what];
    const struct assay_call *call = &c->sim->model->calls[c->sim->model->acts[c->sim->calls.items[r->call].act].call];
    say(&t, "%s: %s", call->name, outcome_of(c, call, r->outcome));
    draw_text(c, e, &t);
}

static void draw_crash(struct canvas *c, const struct assay_sim_trace *e)
{
    struct text t = {0};
    say(&t, "%s crashes", name_of(c, e->node));
    draw_text(c, e, &t);
    c->up[e->node] = false;
}

static void draw_restart(struct canvas *c, const struct assay_sim_trace *e)
{
    struct text t = {0};
    c->up[e->node] = true;
    say(&t, "%s begins again", name_of(c, e->node));
    draw_text(c, e, &t);
}

static void (*const drawers[])(struct canvas *, const struct assay_sim_trace *) = {
    [ASSAY_SIM_T_SENT] = draw_sent,     [ASSAY_SIM_T_LOST] = draw_lost,     [ASSAY_SIM_T_ARRIVED] = draw_arrived,
    [ASSAY_SIM_T_DONE] = draw_done,     [ASSAY_SIM_T_FAILED] = draw_failed, [ASSAY_SIM_T_CALL] = draw_call,
    [ASSAY_SIM_T_RESULT] = draw_result, [ASSAY_SIM_T_CRASH] = draw_crash,   [ASSAY_SIM_T_RESTART] = draw_restart};

static void draw_head(struct canvas *c)
{
    memset(c->line, ' ', sizeof c->line);
    c->line[LINE - 1] = '\0';
    put(c, 0, "       time");
    for (unsigned i = 0; i < c->sim->nodes; i++) {
        put(c, column(c, i), name_of(c, i));
        c->up[i] = true;
    }
    end(c);
}

bool assay_sim_diagram(struct assay_sim *sim, const struct assay_sim_schedule *schedule, FILE *to)
{
    struct assay_sim_finding finding;
    struct canvas c = {.sim = sim, .to = to, .last = -1};
    sim->tracing = true;
    assay_sim_replay(sim, schedule, &finding, NULL);
    sim->tracing = false;
    draw_head(&c);
    for (uint32_t i = 0; i < sim->s.trace; i++)
        drawers[sim->trace.items[i].kind](&c, &sim->trace.items[i]);
    if (c.astray > ASTRAY)
        fprintf(to, "(and %u more datagrams to where nobody is)\n", c.astray - ASTRAY);
    return !ferror(to);
}
