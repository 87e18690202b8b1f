/* The engine's block and its small entry points; bytes come in through feed.c. */
#include <string.h>

#include "core/feed.h"
#include "core/fields.h"
#include "core/follow.h"

#define EVENTS_MIN  64u
#define ARGS_MIN    128u
#define SCRATCH_MIN 4096u
#define TURNS       4u /* messages that were ahead of their turn: so many of the worst kind may be handled at once */

/* ---- sizes ------------------------------------------------------------- */

static uint32_t at_least(uint32_t n, uint32_t least)
{
    return n > least ? n : least;
}

/* The most that one run of a body can queue. */
static void count_needs(struct assay_engine *e, uint16_t code, uint32_t *events, uint32_t *args)
{
    if (code == ASSAY_NONE)
        return;
    uint32_t last = assay_code_end(e->model, code);
    for (uint32_t pc = code; pc < last; pc++) {
        uint32_t ins = e->model->code[pc];
        enum assay_op op = assay_ins_op(ins);
        *events += op == ASSAY_OP_EFFECT || op == ASSAY_OP_RESULT || op == ASSAY_OP_ERROR || op == ASSAY_OP_SEND;
        *args += op == ASSAY_OP_EFFECT || op == ASSAY_OP_RESULT ? assay_ins_a(ins) : 0;
        e->undo_cap += op == ASSAY_OP_SET;
        uint16_t table = op == ASSAY_OP_EFFECT ? e->model->effects[assay_ins_b(ins)].table : ASSAY_NONE;
        e->undo_cap += table < e->model->tables_count ? e->model->tables[table].columns.count : 0; /* for garbage */
    }
}

/* Bytes that a body sets; none if it never waits. */
static uint32_t held_by(const struct assay_engine *e, uint16_t code)
{
    bool waits = false;
    uint32_t held = 0, last = code == ASSAY_NONE ? 0 : assay_code_end(e->model, code);
    for (uint32_t pc = code; pc < last; pc++) {
        uint32_t ins = e->model->code[pc];
        unsigned b = assay_ins_b(ins);
        waits |= assay_ins_op(ins) == ASSAY_OP_EFFECT && e->model->effects[b].fallible;
        held += assay_ins_op(ins) == ASSAY_OP_SET && assay_is_bytes(e->model, e->model->vars[b].type);
        held += assay_ins_op(ins) == ASSAY_OP_SEND && e->reliable; /* its copy */
    }
    return waits ? held : 0;
}

/* One event may run a rule and its `else`, and then both of `no-room`; a step, a result, a stray and the end come on
 * top. */
static void measure(struct assay_engine *e)
{
    uint32_t events_max = 0, args_max = 0, turns = e->reliable ? TURNS : 1;
    e->undo_cap = 2u * e->vars_count + 4;
    for (uint32_t i = 0; i < e->machine->rules.count; i++) {
        const struct assay_rule *rule = &e->model->rules[e->machine->rules.first + i];
        uint32_t events = 0, args = 0;
        count_needs(e, rule->body, &events, &args);
        count_needs(e, rule->otherwise, &events, &args);
        events_max = at_least(events_max, events);
        args_max = at_least(args_max, args);
        e->held_most = at_least(at_least(e->held_most, held_by(e, rule->body)), held_by(e, rule->otherwise));
    }
    e->events_need = 2 * events_max + 7;
    e->args_need = 2 * args_max;
    e->events_cap = at_least(2 * turns * e->events_need, EVENTS_MIN);
    e->args_cap = at_least(2 * turns * e->args_need, ARGS_MIN);
    e->garbage_need = 2 * e->undo_cap + e->window + 1; /* all that was ahead may be dropped behind a rule */
    e->garbage_cap = 2 * turns * e->undo_cap + 2 * e->window + 1;
    e->scratch_need = e->model->scratch + e->model->frame_max + e->row_bytes;
    e->env.scratch_cap = e->scratch_need + at_least(e->scratch_need / 4, SCRATCH_MIN);
}

/* ---- layout ------------------------------------------------------------ */

static size_t carve(size_t *at, size_t size)
{
    size_t start = (*at + 15) & ~(size_t)15;
    *at = start + size;
    return start;
}

/* Point the engine into its block, `mem`; or, when that is NULL, only tell the block's size. */
static size_t lay_out(struct assay_engine *e, uint8_t *mem)
{
    uint32_t sessions = e->config.limits.sessions + e->machine->stateless;
    size_t at = 0, units = assay_heap_units(e->config.limits.memory);
    (void)carve(&at, sizeof *e);
#define PART(where, count)                                                                                             \
    do {                                                                                                               \
        size_t start = carve(&at, (size_t)(count) * sizeof *(where));                                                  \
        if (mem)                                                                                                       \
            (where) = (void *)(mem + start);                                                                           \
    } while (0)
    PART(e->sessions, sessions * e->session_size);
    PART(e->timers.entries, sessions);
    PART(e->timers.places, sessions);
    PART(e->timer_masks, e->machine->states.count);
    PART(e->settled_in, e->model->messages_count);
    PART(e->settled_out, e->model->messages_count);
    PART(e->rows.roots, e->model->tables_count);
    PART(e->rows.counts, e->model->tables_count);
    PART(e->secrets.seals, e->secrets.cap);
    PART(e->flights, e->config.limits.effects);
    PART(e->undo, e->undo_cap);
    PART(e->garbage, e->garbage_cap);
    PART(e->log_rows, e->follow_size ? e->model->logs_count : 0);
    PART(e->reliables, e->reliable ? e->model->messages_count : 0);
    PART(e->events, e->events_cap);
    PART(e->arg_values, e->args_cap);
    PART(e->arg_spans, e->args_cap);
    PART(e->wheres, e->config.judge ? e->events_cap * (size_t)ASSAY_SLOTS_MAX : 0);
    PART(e->rows.block, e->rows.cap * e->rows.size);
    PART(e->heap.orders, units);
    PART(e->heap.bytes, units * ASSAY_HEAP_UNIT);
    PART(e->env.scratch, e->env.scratch_cap);
#undef PART
    return (at + 15) & ~(size_t)15;
}

static void prepare(struct assay_engine *e, const struct assay_config *config)
{
    memset(e, 0, sizeof *e);
    e->config = *config;
    e->model = config->model;
    e->machine = &config->model->machines[config->machine];
    e->vars_count = e->machine->vars.count;
    e->timers_count = e->machine->timers.count;
    assay_flow_measure(e);
    assay_follow_measure(e);
    measure(e);
    assay_rows_measure(&e->rows, config);
    e->secrets.cap = assay_seals_cap(config);
    e->peer_size = assay_peer_size(e->model);
    e->peer_at = sizeof(struct assay_session) + 8u * ((size_t)e->vars_count + e->timers_count + 1 + e->held_most);
    e->flow_at = e->peer_at + e->peer_size;
    e->follow_at = (e->flow_at + e->flow_size + 7) & ~(size_t)7;
    e->session_size = e->follow_at + e->follow_size;
    e->special = e->machine->stateless || e->follow_size;
}

size_t assay_engine_size(const struct assay_config *config)
{
    struct assay_engine e;
    prepare(&e, config);
    return lay_out(&e, NULL);
}

static void link_envs(struct assay_engine *e)
{
    e->env.slots = e->slots;
    e->env.engine = e;
    e->env.heap = e->heap.bytes;
    e->env.frame = e->env.scratch;
    e->made = e->env;
    e->made.slots = e->made_slots;
    e->env.settled = e->settled_in;
    e->made.settled = e->settled_out;
}

static void mask_timers(struct assay_engine *e)
{
    memset(e->timer_masks, 0, e->machine->states.count * sizeof *e->timer_masks);
    for (uint32_t i = 0; i < e->timers_count; i++) {
        const struct assay_timer *timer = &e->model->timers[e->machine->timers.first + i];
        for (const uint16_t *state = &e->model->statesets[timer->states]; *state != ASSAY_NONE; state++)
            e->timer_masks[*state - e->machine->states.first] |= (uint64_t)1 << i;
    }
}

static void note_settled(struct assay_engine *e)
{
    const struct assay_model *model = e->model;
    for (uint32_t i = 0; i < model->messages_count; i++) {
        const struct assay_message *m = &model->messages[i];
        e->settled_in[i] = assay_settled_read(model, &model->frames[e->machine->frame_in], m);
        e->settled_out[i] = assay_settled_given(model, &model->frames[e->machine->frame_out], m);
    }
}

struct assay_engine *assay_engine_init(void *mem, size_t size, const struct assay_config *config)
{
    struct assay_engine *e = mem;
    if (size < sizeof *e || config->model->machines[config->machine].timers.count > ASSAY_TIMERS_PER_MACHINE)
        return NULL;
    prepare(e, config);
    e->block_size = lay_out(e, NULL);
    if (size < e->block_size)
        return NULL;
    (void)lay_out(e, mem);
    assay_heap_init(&e->heap, e->heap.bytes, e->heap.orders, assay_heap_units(config->limits.memory));
    e->env.model = e->model;
    e->env.vars_first = e->machine->vars.first;
    e->env.options = config->options;
    e->env.leniencies = config->leniencies;
    link_envs(e);
    mask_timers(e);
    note_settled(e);
    assay_flow_init(e);
    assay_follow_init(e);
    assay_rows_init(e);
    return e;
}

static struct assay_span between(const void *from, const void *to)
{
    return (struct assay_span){from, (uint32_t)((const uint8_t *)to - (const uint8_t *)from)};
}

/* Of what a session keeps for `reliable`, most is room that nothing stands in. */
#define SESSION_PARTS 4u
static struct assay_span session_part(const struct assay_engine *e, uint32_t index)
{
    uint32_t nth = index / SESSION_PARTS;
    struct assay_session *s = assay_session_at(e, nth < e->sessions_used ? nth : e->config.limits.sessions);
    const uint8_t *end = (const uint8_t *)s + e->session_size;
    if (!e->reliable)
        return between(index % SESSION_PARTS ? end : (const uint8_t *)s, end);
    struct assay_flow *flow = assay_flow_of(e, s);
    struct assay_kept *kept = assay_flow_kept(e, flow);
    uint32_t count = (uint32_t)(flow->next - flow->base), first = e->window - flow->head;
    first = count < first ? count : first;
    switch (index % SESSION_PARTS) {
    case 0:
        return between(s, kept);
    case 1:
        return between(kept + flow->head, kept + flow->head + first);
    case 2:
        return between(kept, kept + (count - first));
    default:
        return between(assay_flow_ahead(e, flow), end);
    }
}

/* Events, their arguments and scratch do not outlive a call, and what was never used is nobody's. */
static struct assay_span fixed_part(const struct assay_engine *e, uint32_t index)
{
    switch (index) {
    case 0:
        return between(e, &e->env);
    case 1:
        return between(&e->sessions, e + 1);
    case 2:
        return between(e->timers.entries, e->undo);
    case 3:
        return between(e->garbage, e->garbage + e->garbage_count);
    case 4:
        return between(e->garbage + e->garbage_cap, e->events);
    default:
        return (struct assay_span){e->rows.block, (uint32_t)(e->rows.used * e->rows.size)};
    }
}
#define ENGINE_PARTS 2u /* the engine itself */
#define FIXED_PARTS  6u

bool assay_engine_part(const struct assay_engine *e, struct assay_engine_walk *walk, struct assay_span *part)
{
    bool spare = e->dead == e->config.limits.sessions + 1; /* it is let go with the next call */
    uint32_t parts = FIXED_PARTS + SESSION_PARTS * (e->sessions_used + spare);
    for (uint32_t i; (i = walk->part) < parts;) {
        *part = i < FIXED_PARTS ? fixed_part(e, i) : session_part(e, i - FIXED_PARTS);
        walk->part++;
        if (part->n)
            return true;
    }
    return assay_heap_part(&e->heap, &walk->unit, part);
}

void assay_engine_copy(struct assay_engine *to, const struct assay_engine *from)
{
    const uint8_t *base = (const uint8_t *)from;
    struct assay_engine_walk walk = {.part = ENGINE_PARTS};
    struct assay_span part;
    *to = *from;
    while (assay_engine_part(from, &walk, &part))
        memcpy((uint8_t *)to + (part.p - base), part.p, part.n);
    (void)lay_out(to, (uint8_t *)to);
    memcpy(to->heap.orders, from->heap.orders, from->heap.units);
    link_envs(to);
    to->events_head = to->events_count = 0;
    to->out = NULL;
}

uint64_t assay_leniencies_default(const struct assay_model *model)
{
    uint64_t on = 0;
    for (uint32_t i = 0; i < model->leniencies_count && i < 64; i++)
        on |= (uint64_t)model->leniencies[i].on << i;
    return on;
}

/* ---- entering and leaving ---------------------------------------------- */

bool assay_enter(struct assay_engine *e, assay_time now, struct assay_out *out)
{
    if (e->events_head != e->events_count)
        return false;
    e->events_head = e->events_count = e->args_count = 0;
    e->env.scratch_used = 0;
    assay_garbage_free(e);
    if (e->dead) {
        struct assay_session *dead = assay_session_at(e, e->dead - 1);
        if (dead->live)
            assay_session_release(e, dead);
        e->dead = 0;
    }
    e->now = now;
    e->out = out;
    e->tx.sent = false;
    return true;
}

/* What few sessions need. */
static enum assay_rc look_after(struct assay_engine *e, struct assay_session *s, enum assay_rc rc)
{
    if (s->awaits && assay_await(e, s) == ASSAY_ENDED && (rc == ASSAY_OK || rc == ASSAY_MORE))
        rc = ASSAY_ENDED;
    if (s->source)
        rc = assay_stranger_leave(e, s, rc);
    if (e->follow_size)
        assay_follow_wake(e, s);
    return rc;
}

enum assay_rc assay_leave(struct assay_engine *e, struct assay_session *s, enum assay_rc rc, bool input)
{
    if (s->awaits || e->special)
        rc = look_after(e, s, rc);
    unsigned why = (input ? (unsigned)ASSAY_RESTART_INPUT : 0) | (e->tx.sent ? (unsigned)ASSAY_RESTART_SEND : 0);
    if (why && e->timers_count && !s->ended) {
        assay_bind(e, s);
        assay_timers_restart(e, s, why);
    }
    assay_session_touch(e, s);
    return rc;
}

void assay_no_fields(struct assay_engine *e)
{
    e->env.known = 0;
    e->env.frame = e->env.scratch;
}

/* ---- sessions ---------------------------------------------------------- */

enum assay_rc assay_open(struct assay_engine *e, assay_time now, assay_sid *sid, struct assay_out *out)
{
    *sid = 0;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    assay_no_fields(e);
    uint32_t mark = e->undo_count;
    struct assay_session *s = assay_session_take(e);
    e->undo_count = mark;
    if (!s)
        return ASSAY_REFUSED;
    assay_timers_enter(e, s, ASSAY_NONE, 0, 0);
    enum assay_rc rc = assay_handle(e, s, ASSAY_EV_CONNECT, ASSAY_ORIGIN_SELF);
    if (rc == ASSAY_FULL) {
        assay_session_release(e, s);
        return rc;
    }
    *sid = assay_session_id(s);
    return assay_leave(e, s, rc, false);
}

void assay_drop(struct assay_engine *e, assay_sid sid)
{
    struct assay_session *s = assay_session_find(e, sid);
    if (s)
        assay_session_release(e, s);
}

uint16_t assay_state(const struct assay_engine *e, assay_sid sid)
{
    uint32_t slot = (uint32_t)sid;
    struct assay_session *s = slot < e->sessions_used ? assay_session_at(e, slot) : NULL;
    return s && s->live && s->gen == (uint32_t)(sid >> 32) ? s->state : ASSAY_NONE;
}

uint16_t assay_running(const struct assay_engine *e, assay_sid sid, uint16_t *wait)
{
    const struct assay_session *s = assay_session_find(e, sid);
    *wait = s ? s->wait : ASSAY_NONE;
    return s ? s->call : ASSAY_NONE;
}

bool assay_var(const struct assay_engine *e, assay_sid sid, uint16_t var, assay_val *value, struct assay_span *bytes)
{
    struct assay_session *s = assay_session_find(e, sid);
    if (!s || var < e->machine->vars.first || var - e->machine->vars.first >= e->vars_count)
        return false;
    *value = s->words[var - e->machine->vars.first];
    *bytes = (struct assay_span){NULL, 0};
    if (assay_is_bytes(e->model, e->model->vars[var].type))
        *bytes = assay_bytes(&e->env, *value);
    return true;
}

void assay_choose(struct assay_engine *e, struct assay_choices *choices)
{
    e->choices = choices;
}

/* ---- time -------------------------------------------------------------- */

assay_time assay_deadline(const struct assay_engine *e)
{
    return e->timers.count ? e->timers.entries[0].at : ASSAY_NEVER;
}

bool assay_due(struct assay_engine *e, assay_time now, assay_sid *sid)
{
    if (assay_deadline(e) > now)
        return false;
    *sid = assay_session_id(assay_session_at(e, e->timers.entries[0].id));
    return true;
}

/* A late answer to the call must not be taken for the answer to the next one: the session ends with it. */
static enum assay_rc time_out(struct assay_engine *e, struct assay_session *s)
{
    uint16_t event = e->model->calls[s->call].event;
    assay_call_result(e, s, ASSAY_CALL_TIMEOUT, event);
    return assay_session_end(e, s, ASSAY_END_CLOSE, event);
}

static enum assay_rc fire(struct assay_engine *e, struct assay_session *s, unsigned i)
{
    assay_time *deadline = &assay_session_deadlines(e, s)[i], was = *deadline;
    if (i == e->timers_count)
        return time_out(e, s);
    *deadline = ASSAY_FIRED;
    enum assay_rc rc = assay_handle(e, s, e->model->timers[e->machine->timers.first + i].event, ASSAY_ORIGIN_SELF);
    if (rc == ASSAY_FULL)
        *deadline = was;
    return rc;
}

static enum assay_rc first_due(struct assay_engine *e, struct assay_session *s, assay_time due)
{
    if (s->wants & (ASSAY_WANT_TURN | ASSAY_WANT_ACK))
        return assay_turns(e, s);
    s->wants &= (uint8_t)~ASSAY_WANT_AWAIT; /* if a call still waits, it is asked behind this */
    for (unsigned i = 0; i <= e->timers_count; i++)
        if (assay_session_deadlines(e, s)[i] == due)
            return fire(e, s, i);
    return e->reliable && assay_flow_of(e, s)->due <= e->now ? assay_flow_tick(e, s) : ASSAY_OK;
}

/* What does not rest while effects are in flight. */
static enum assay_rc due_in_flight(struct assay_engine *e, struct assay_session *s, assay_time due)
{
    if (due > e->now)
        return ASSAY_PENDING;
    assay_no_fields(e);
    return assay_leave(e, s, s->wants & ASSAY_WANT_ACK ? assay_turns(e, s) : assay_flow_again(e, s), false);
}

enum assay_rc assay_tick(struct assay_engine *e, assay_sid sid, assay_time now, struct assay_out *out)
{
    struct assay_session *s = assay_session_find(e, sid);
    if (!s)
        return ASSAY_STALE;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    assay_time due = assay_session_deadline(e, s);
    if (s->pend != ASSAY_PEND_NONE || s->gates)
        return due_in_flight(e, s, due);
    s->early = ASSAY_NONE;
    assay_no_fields(e);
    enum assay_rc rc = assay_leave(e, s, due <= now ? first_due(e, s, due) : ASSAY_OK, false);
    return rc == ASSAY_OK && (s->wants & ASSAY_WANT_AWAIT) ? ASSAY_FULL : rc;
}

/* ---- calls ------------------------------------------------------------- */

static assay_val copy_span(struct assay_engine *e, struct assay_span from)
{
    uint8_t *to = assay_scratch(&e->env, from.n);
    if (!to)
        return ASSAY_VAL_EMPTY;
    if (from.n)
        memcpy(to, from.p, from.n);
    return assay_scratch_val(&e->env, to, from.n);
}

/* Arguments go to their variables, which may refuse them, or to scratch. */
static enum assay_set take_args(struct assay_engine *e, struct assay_session *s, const assay_val *values,
                                const struct assay_span *spans)
{
    const struct assay_call *call = &e->model->calls[s->call];
    enum assay_set set = ASSAY_SET;
    e->env.known = 0;
    for (uint16_t i = 0; set == ASSAY_SET && i < call->args.count; i++) {
        bool bytes = assay_is_bytes(e->model, e->model->params[call->args.first + i].type);
        e->env.frame = bytes ? spans[i].p : e->env.scratch;
        assay_val v = !bytes ? values[i] : assay_val_bytes(ASSAY_REGION_FRAME, 0, spans[i].n);
        if (call->first_var != ASSAY_NONE)
            set = assay_var_set(e, s, (uint16_t)(call->first_var + i), v);
        else
            v = bytes ? copy_span(e, spans[i]) : v;
        e->slots[i] = v;
        e->env.known |= (uint64_t)1 << i;
    }
    e->env.frame = e->env.scratch;
    return set;
}

static assay_time call_deadline(const struct assay_engine *e, const struct assay_call *call, assay_time deadline)
{
    assay_time own;
    if (call->within <= 0 || __builtin_add_overflow(e->now, call->within, &own))
        return deadline;
    return own < deadline ? own : deadline;
}

static enum assay_rc start_call(struct assay_engine *e, struct assay_session *s, const assay_val *values,
                                const struct assay_span *spans)
{
    const struct assay_call *call = &e->model->calls[s->call];
    uint32_t mark = e->undo_count;
    enum assay_set set = take_args(e, s, values, spans);
    if (set != ASSAY_SET) {
        assay_vars_undo(e, s, mark);
        assay_call_result(e, s, ASSAY_CALL_PROTOCOL, set == ASSAY_SET_NO_ROOM ? ASSAY_EV_NO_ROOM : call->event);
        return ASSAY_OK;
    }
    if (call->first_var != ASSAY_NONE)
        assay_call_slots(e, s);
    enum assay_rc rc = assay_handle(e, s, call->event, ASSAY_ORIGIN_SELF);
    if (rc == ASSAY_FULL)
        assay_vars_undo(e, s, mark);
    assay_vars_commit(e, mark);
    return rc;
}

enum assay_rc assay_call(struct assay_engine *e, assay_sid sid, assay_time now, uint16_t call, const assay_val *values,
                         const struct assay_span *spans, assay_time deadline, struct assay_out *out)
{
    struct assay_session *s = assay_session_find(e, sid);
    if (!s)
        return ASSAY_STALE;
    if (s->call != ASSAY_NONE)
        return ASSAY_BUSY;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    uint16_t early = s->early;
    bool stray = early != ASSAY_NONE && !assay_call_begins_with(e, s, call, early);
    if (s->pend != ASSAY_PEND_NONE || (stray && s->gates))
        return ASSAY_PENDING;
    s->call = call;
    enum assay_rc rc = stray ? assay_stray(e, s, early) : start_call(e, s, values, spans);
    if (e->reliable && rc == ASSAY_OK)
        assay_turns_wake(e, s);
    if (rc == ASSAY_FULL)
        s->call = ASSAY_NONE;
    else
        s->early = ASSAY_NONE;
    if (!s->ended)
        assay_session_deadlines(e, s)[e->timers_count] =
            s->call == ASSAY_NONE ? ASSAY_NEVER : call_deadline(e, &e->model->calls[call], deadline);
    return assay_leave(e, s, rc, false);
}
