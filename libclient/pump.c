#include "libclient/pump.h"

#include <string.h>

#include "core/codec.h"

/* More than one frame is read at once if they come together. */
#define READ_AHEAD 4096u
#define EFFECTS    16u
#define ALIGN      ((size_t)16)

static size_t aligned(size_t size)
{
    return (size + ALIGN - 1) / ALIGN * ALIGN;
}

/* ---- sizes ------------------------------------------------------------- */

static uint64_t power_of_two(uint64_t n)
{
    uint64_t size = 32;
    while (size < n)
        size *= 2;
    return size;
}

static bool is_argument(const struct assay_model *model, uint32_t var)
{
    for (uint16_t i = 0; i < model->calls_count; i++) {
        const struct assay_call *call = &model->calls[i];
        if (call->first_var != ASSAY_NONE && var >= call->first_var &&
            var < (uint32_t)call->first_var + call->args.count)
            return true;
    }
    return false;
}

/* Longest value of a variable; what is sent as an argument has to fit in a frame. */
static uint64_t longest(const struct assay_config *config, uint32_t var)
{
    const struct assay_model *model = config->model;
    const struct assay_type *type = &model->types[model->vars[var].type];
    if (type->kind < ASSAY_T_BYTES)
        return 0;
    uint64_t size = (uint64_t)type->max;
    if (type->kind == ASSAY_T_LIST)
        size = size < UINT32_MAX ? size * 8 : UINT32_MAX;
    uint64_t frame = model->frames[model->machines[config->machine].frame_out].max;
    uint64_t most = type->kind == ASSAY_T_LIST ? frame * 64 : frame;
    return is_argument(model, var) && size > most ? most : size;
}

/* Room for as many copies of reliable messages as a window has, in each direction, and a few that are on their way from
 * one place to another. */
static uint64_t copies(const struct assay_config *config)
{
    const struct assay_model *model = config->model;
    const struct assay_machine *machine = &model->machines[config->machine];
    if (!model->reliables_count)
        return 0;
    uint64_t window = model->reliables[0].window ? model->reliables[0].window : 1;
    uint64_t sent = power_of_two(model->frames[machine->frame_out].max);
    uint64_t received = power_of_two(model->frames[machine->frame_in].max + 1u);
    return (window + 4) * (sent + received);
}

/* One session needs room for each variable's old and new value, and for what waits to be acknowledged or to have its
 * turn. */
static uint32_t memory(const struct assay_config *config)
{
    const struct assay_range vars = config->model->machines[config->machine].vars;
    uint64_t total = copies(config);
    for (uint32_t i = vars.first; i < (uint32_t)vars.first + vars.count; i++)
        total += 2 * power_of_two(longest(config, i));
    return total < config->model->limits.memory ? (uint32_t)total : config->model->limits.memory;
}

/* What a rule sends fits beside a frame that the application made. */
static uint32_t out_cap(const struct assay_config *config)
{
    const struct assay_machine *machine = &config->model->machines[config->machine];
    const struct assay_range rules = machine->rules;
    uint32_t most = 256;
    for (uint32_t i = rules.first; i < (uint32_t)rules.first + rules.count; i++)
        if (config->model->rules[i].out_max > most)
            most = config->model->rules[i].out_max;
    return most + config->model->frames[machine->frame_out].max;
}

static uint32_t in_cap(const struct assay_config *config)
{
    return config->model->frames[config->model->machines[config->machine].frame_in].max + READ_AHEAD;
}

size_t assay_pump_size(struct assay_config *config)
{
    config->limits = config->model->limits;
    config->limits.sessions = 1;
    config->limits.memory = memory(config);
    if (config->limits.effects > EFFECTS)
        config->limits.effects = EFFECTS;
    return aligned(assay_engine_size(config)) + aligned(in_cap(config)) + out_cap(config);
}

void assay_pump_init(struct assay_pump *p, void *mem, const struct assay_config *config)
{
    memset(p, 0, sizeof *p);
    p->config = *config;
    p->config.calls = true;
    p->model = config->model;
    p->machine = &config->model->machines[config->machine];
    p->block = mem;
    p->block_size = assay_engine_size(config);
    p->in = (uint8_t *)mem + aligned(p->block_size);
    p->in_cap = in_cap(config);
    p->out.bytes = p->in + aligned(p->in_cap);
    p->out.cap = out_cap(config);
    p->out.cuts = p->cuts;
    p->datagrams = config->model->frames[p->machine->frame_in].end == ASSAY_END_DATAGRAM;
    p->out.cuts_cap = p->datagrams ? ASSAY_PUMP_CUTS : 0;
    p->engine = assay_engine_init(p->block, p->block_size, &p->config);
}

/* ---- the engine and what it says --------------------------------------- */

static void fetch(struct assay_pump *p)
{
    p->waiting = assay_next_event(p->engine, &p->event);
}

static void note(struct assay_pump *p, enum assay_rc rc)
{
    p->starved = rc == ASSAY_MORE;
    p->full = rc == ASSAY_FULL;
    p->pending = rc == ASSAY_PENDING;
    p->early = rc == ASSAY_EARLY;
    p->again = rc == ASSAY_TAKE;
    fetch(p);
}

void assay_pump_forget(struct assay_pump *p)
{
    if (p->sid)
        assay_drop(p->engine, p->sid);
    p->sid = 0;
    while (assay_next_event(p->engine, &p->event))
        ;
    p->waiting = false;
}

void assay_pump_open(struct assay_pump *p, assay_time now)
{
    assay_pump_forget(p);
    p->in_at = p->in_len = p->out.len = p->sent = 0;
    p->out.cuts_len = p->sent_cuts = 0;
    p->arrived = false;
    p->given_up = 0;
    p->end = ASSAY_PUMP_OPEN;
    p->end_told = false;
    note(p, assay_open(p->engine, now, &p->sid, &p->out));
}

bool assay_pump_next(struct assay_pump *p, struct assay_event *event)
{
    if (!p->waiting)
        return false;
    *event = p->event;
    if (event->type == ASSAY_EVENT_ENDED)
        p->sid = 0;
    fetch(p);
    return true;
}

/* ---- input and output -------------------------------------------------- */

uint8_t *assay_pump_room(struct assay_pump *p, uint32_t *size)
{
    *size = 0;
    if (p->arrived)
        return p->in;
    if (p->in_at > 0) {
        memmove(p->in, p->in + p->in_at, p->in_len - p->in_at);
        p->in_len -= p->in_at;
        p->in_at = 0;
    }
    *size = p->in_cap - p->in_len;
    return p->in + p->in_len;
}

void assay_pump_received(struct assay_pump *p, uint32_t size)
{
    p->in_len += size;
    p->starved = false;
    p->arrived = p->datagrams;
}

void assay_pump_hangup(struct assay_pump *p, enum assay_pump_end end)
{
    p->end = end;
}

bool assay_pump_has_output(const struct assay_pump *p)
{
    return p->datagrams ? p->sent_cuts < p->out.cuts_len : p->sent < p->out.len;
}

struct assay_span assay_pump_output(const struct assay_pump *p)
{
    uint32_t end = p->out.len;
    if (p->datagrams && p->sent_cuts + 1 < p->out.cuts_len)
        end = p->cuts[p->sent_cuts + 1].at;
    return (struct assay_span){p->out.bytes + p->sent, end - p->sent};
}

void assay_pump_sent(struct assay_pump *p, uint32_t size)
{
    p->sent += size;
    p->sent_cuts += p->datagrams;
    if (!assay_pump_has_output(p)) {
        p->sent = p->out.len = 0;
        p->sent_cuts = p->out.cuts_len = 0;
        p->full = false;
    }
}

/* ---- what starts here -------------------------------------------------- */

enum assay_rc assay_pump_call(struct assay_pump *p, assay_time now, uint16_t call, const assay_val *values,
                              const struct assay_span *spans, assay_time deadline)
{
    if (!p->sid || p->waiting)
        return ASSAY_STALE;
    enum assay_rc rc = assay_call(p->engine, p->sid, now, call, values, spans, deadline, &p->out);
    p->again = p->again || (p->early && rc == ASSAY_OK);
    p->early = p->early && rc != ASSAY_OK && rc != ASSAY_ENDED;
    fetch(p);
    return rc;
}

enum assay_rc assay_pump_shutdown(struct assay_pump *p, assay_time now)
{
    if (!p->sid || p->waiting)
        return ASSAY_STALE;
    enum assay_rc rc = assay_signal(p->engine, p->sid, now, ASSAY_EV_SHUTDOWN, (struct assay_span){NULL, 0}, &p->out);
    fetch(p);
    return rc;
}

void assay_pump_complete(struct assay_pump *p, assay_time now, assay_token token, bool done)
{
    if (!p->sid || p->waiting)
        return;
    note(p, assay_complete(p->engine, token, now, done, &p->out));
    p->starved = false; /* the engine wants the frame again that the effect stands in */
}

/* The first frame of some bytes, as `from` sends it. */
static struct assay_frame_found first_frame(const struct assay_pump *p, uint16_t frame, enum assay_role from,
                                            struct assay_span in)
{
    static uint8_t scratch[1];
    assay_val slots[ASSAY_SLOTS_MAX];
    struct assay_env env = {
        .model = p->model, .slots = slots, .frame = in.p, .scratch = scratch, .leniencies = p->config.leniencies};
    return assay_frame_find(&env, frame, (uint8_t)from, in, 0, false);
}

static enum assay_role role(const struct assay_pump *p)
{
    return p->machine->role & ASSAY_CLIENT ? ASSAY_CLIENT : ASSAY_SERVER;
}

enum assay_rc assay_pump_raw(struct assay_pump *p, struct assay_span frame)
{
    if (!p->sid || p->waiting)
        return ASSAY_STALE;
    struct assay_frame_found found = first_frame(p, p->machine->frame_out, role(p), frame);
    if (found.status != ASSAY_FRAME_WHOLE || found.size != frame.n)
        return ASSAY_REFUSED;
    if (frame.n > p->out.cap - p->out.len || (p->datagrams && p->out.cuts_len == p->out.cuts_cap))
        return ASSAY_FULL;
    if (p->datagrams)
        p->cuts[p->out.cuts_len++] = (struct assay_cut){p->out.len, 0};
    if (frame.n)
        memcpy(p->out.bytes + p->out.len, frame.p, frame.n);
    p->out.len += frame.n;
    return ASSAY_OK;
}

/* ---- running ----------------------------------------------------------- */

static struct assay_span input(const struct assay_pump *p)
{
    return (struct assay_span){p->in + p->in_at, p->in_len - p->in_at};
}

/* Who is told of frames gets them one at a time, each before what it brings about. */
static struct assay_span portion(const struct assay_pump *p)
{
    struct assay_span in = input(p);
    if (!p->seen || p->datagrams)
        return in;
    enum assay_role from = role(p) == ASSAY_CLIENT ? ASSAY_SERVER : ASSAY_CLIENT;
    struct assay_frame_found found = first_frame(p, p->machine->frame_in, from, in);
    if (found.status == ASSAY_FRAME_WHOLE && found.size > 0 && found.size < in.n)
        in.n = (uint32_t)found.size;
    return in;
}

static bool feed(struct assay_pump *p, assay_time now)
{
    uint32_t used = 0;
    if (p->early || (p->datagrams ? !p->arrived : p->in_at == p->in_len || p->starved))
        return false;
    struct assay_span in = portion(p);
    enum assay_rc rc = assay_feed(p->engine, p->sid, now, in, &used, &p->out);
    bool done = p->datagrams ? rc == ASSAY_OK || rc == ASSAY_ENDED : used > 0;
    p->in_at += used;
    if (p->datagrams && done) {
        used = in.n;
        p->arrived = false;
        p->in_at = p->in_len = 0;
    }
    if (p->seen && done)
        p->seen(p->user, (struct assay_span){in.p, used});
    note(p, rc);
    return true;
}

static bool tell_end(struct assay_pump *p, assay_time now)
{
    if (p->end == ASSAY_PUMP_OPEN || p->end_told || p->early)
        return false;
    enum assay_builtin_event event = p->end == ASSAY_PUMP_RESET ? ASSAY_EV_RESET : ASSAY_EV_EOF;
    enum assay_rc rc = assay_signal(p->engine, p->sid, now, event, input(p), &p->out);
    p->end_told = rc != ASSAY_FULL && rc != ASSAY_PENDING && rc != ASSAY_TAKE;
    note(p, rc);
    return true;
}

/* Number of the first message that waits to be acknowledged. */
static uint64_t first_waiting(const struct assay_pump *p)
{
    struct assay_waiting waiting;
    return assay_waiting(p->engine, p->sid, &waiting) ? waiting.first_sent : 0;
}

static bool tick(struct assay_pump *p, assay_time now)
{
    assay_sid sid;
    if (!assay_due(p->engine, now, &sid))
        return false;
    uint64_t before = first_waiting(p);
    note(p, assay_tick(p->engine, sid, now, &p->out));
    uint64_t first = first_waiting(p);
    if (first > before) /* nothing is acknowledged by the time */
        p->given_up += first - before;
    return true;
}

void assay_pump_run(struct assay_pump *p, assay_time now)
{
    bool more = true;
    while (more && p->sid && !p->waiting && !p->full && !p->pending)
        more = feed(p, now) || tell_end(p, now) || tick(p, now);
}

assay_time assay_pump_deadline(const struct assay_pump *p)
{
    return p->sid ? assay_deadline(p->engine) : ASSAY_NEVER;
}
