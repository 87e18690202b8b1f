#include <string.h>

#include "core/fields.h"
#include "core/follow.h"

/* ---- slots ------------------------------------------------------------- */

struct assay_session *assay_session_find(const struct assay_engine *e, assay_sid sid)
{
    uint32_t slot = (uint32_t)sid;
    if (slot >= e->sessions_used)
        return NULL;
    struct assay_session *s = assay_session_at(e, slot);
    return s->live && s->gen == (uint32_t)(sid >> 32) && !s->ended ? s : NULL;
}

static struct assay_session *fresh(struct assay_engine *e, uint32_t slot, uint32_t gen)
{
    struct assay_session *s = assay_session_at(e, slot);
    memset(s, 0, e->flow_at);
    s->slot = slot;
    s->gen = gen + 1 ? gen + 1 : 1;
    return s;
}

/* Slots are used for the first time one after another, so that memory of a limit never reached is never touched. */
static struct assay_session *take_slot(struct assay_engine *e)
{
    uint32_t gen = 0, slot = e->sessions_free ? e->sessions_free - 1 : e->sessions_used;
    struct assay_session *s = assay_session_at(e, slot);
    if (e->sessions_free) {
        e->sessions_free = s->next;
        gen = s->gen;
    } else if (e->sessions_used < e->config.limits.sessions) {
        e->sessions_used++;
    } else {
        return NULL;
    }
    return fresh(e, slot, gen);
}

static void free_vars(struct assay_engine *e, struct assay_session *s);

static bool init_vars(struct assay_engine *e, struct assay_session *s)
{
    uint16_t first = e->machine->vars.first;
    for (uint16_t i = 0; i < e->vars_count; i++)
        s->words[i] = assay_is_bytes(e->model, e->model->vars[first + i].type) ? ASSAY_VAL_EMPTY : 0;
    for (uint16_t i = 0; i < e->vars_count; i++) {
        const struct assay_var *var = &e->model->vars[first + i];
        assay_val v;
        if (var->init == ASSAY_NONE || !assay_eval(&e->env, var->init, &v))
            continue;
        if (assay_var_set(e, s, (uint16_t)(first + i), v) == ASSAY_SET_NO_ROOM)
            return false;
    }
    return true;
}

static struct assay_session *begin(struct assay_engine *e, struct assay_session *s)
{
    s->live = 1;
    s->state = e->machine->start;
    s->wait = s->call = s->early = ASSAY_NONE;
    e->sessions_live++;
    if (e->reliable)
        assay_flow_begin(e, s);
    if (e->follow_size)
        assay_follow_begin(e, s);
    assay_time *deadlines = assay_session_deadlines(e, s);
    for (uint32_t i = 0; i <= e->timers_count; i++)
        deadlines[i] = ASSAY_NEVER;
    e->timers.places[s->slot] = ASSAY_TIMERS_OUT;
    e->env.vars = s->words;
    e->env.known = 0;
    if (!init_vars(e, s)) {
        assay_session_release(e, s);
        return NULL;
    }
    return s;
}

struct assay_session *assay_session_take(struct assay_engine *e)
{
    struct assay_session *s = take_slot(e);
    return s ? begin(e, s) : NULL;
}

struct assay_session *assay_session_take_spare(struct assay_engine *e)
{
    return begin(e, fresh(e, e->config.limits.sessions, 0));
}

void assay_session_release(struct assay_engine *e, struct assay_session *s)
{
    uint32_t slot = s->slot;
    assay_timers_remove(&e->timers, slot);
    if (s->puts)
        assay_rows_settle(e, s);
    free_vars(e, s);
    if (e->reliable)
        assay_flow_free(e, s);
    if (e->follow_size)
        assay_follow_end(e, s);
    s->live = 0;
    e->sessions_live--;
    if (slot == e->config.limits.sessions)
        return;
    s->next = e->sessions_free;
    e->sessions_free = slot + 1;
}

/* ---- variables --------------------------------------------------------- */

static bool on_heap(const struct assay_engine *e, uint16_t var, assay_val v)
{
    return assay_is_bytes(e->model, e->model->vars[var].type) && assay_val_region(v) == ASSAY_REGION_VARS &&
           assay_val_size(v) > 0;
}

static void free_bytes(struct assay_engine *e, assay_val v)
{
    assay_heap_free(&e->heap, assay_val_offset(v), assay_val_size(v));
}

static void free_vars(struct assay_engine *e, struct assay_session *s)
{
    uint16_t first = e->machine->vars.first;
    for (uint16_t i = 0; i < e->vars_count; i++)
        if (on_heap(e, (uint16_t)(first + i), s->words[i]))
            free_bytes(e, s->words[i]);
    assay_vars_let_go(e, s);
}

static void replace(struct assay_engine *e, struct assay_session *s, uint16_t var, assay_val v)
{
    assay_val *place = &s->words[var - e->machine->vars.first];
    e->undo[e->undo_count++] = (struct assay_undo){var, *place};
    *place = v;
}

enum assay_set assay_var_set(struct assay_engine *e, struct assay_session *s, uint16_t var, assay_val v)
{
    const struct assay_var *def = &e->model->vars[var];
    if (assay_fits(&e->env, def->type, v) != ASSAY_FIT || e->undo_count == e->undo_cap)
        return ASSAY_SET_UNFIT;
    if (assay_is_bytes(e->model, def->type) && assay_val_region(v) != ASSAY_REGION_CONST) {
        struct assay_span from = assay_bytes(&e->env, v);
        uint32_t offset;
        if (from.n == 0) {
            replace(e, s, var, ASSAY_VAL_EMPTY);
            return ASSAY_SET;
        }
        if (!assay_heap_alloc(&e->heap, from.n, &offset))
            return ASSAY_SET_NO_ROOM;
        memcpy(e->heap.bytes + offset, from.p, from.n);
        v = assay_val_bytes(ASSAY_REGION_VARS, offset, from.n);
    }
    replace(e, s, var, v);
    return ASSAY_SET;
}

void assay_var_clear(struct assay_engine *e, struct assay_session *s, uint16_t var)
{
    if (e->undo_count < e->undo_cap)
        replace(e, s, var, assay_is_bytes(e->model, e->model->vars[var].type) ? ASSAY_VAL_EMPTY : 0);
}

void assay_vars_undo(struct assay_engine *e, struct assay_session *s, uint32_t mark)
{
    while (e->undo_count > mark) {
        struct assay_undo undo = e->undo[--e->undo_count];
        assay_val *place = &s->words[undo.var - e->machine->vars.first];
        if (on_heap(e, undo.var, *place))
            free_bytes(e, *place);
        *place = undo.old;
    }
}

static assay_val *held(const struct assay_engine *e, struct assay_session *s)
{
    return s->words + e->vars_count + e->timers_count + 1;
}

void assay_session_hold(struct assay_engine *e, struct assay_session *s, assay_val bytes)
{
    held(e, s)[s->held++] = bytes;
}

void assay_vars_hold(struct assay_engine *e, struct assay_session *s, uint32_t mark)
{
    while (e->undo_count > mark) {
        struct assay_undo undo = e->undo[--e->undo_count];
        assay_val *place = &s->words[undo.var - e->machine->vars.first];
        if (on_heap(e, undo.var, *place))
            assay_session_hold(e, s, *place);
        *place = undo.old;
    }
}

void assay_vars_let_go(struct assay_engine *e, struct assay_session *s)
{
    while (s->held)
        free_bytes(e, held(e, s)[--s->held]);
}

/* Old bytes stay readable while queued events may show them. */
void assay_vars_commit(struct assay_engine *e, uint32_t mark)
{
    while (e->undo_count > mark) {
        struct assay_undo undo = e->undo[--e->undo_count];
        if (on_heap(e, undo.var, undo.old))
            e->garbage[e->garbage_count++] = undo.old;
    }
    if (e->events_head == e->events_count)
        assay_garbage_free(e);
}

void assay_garbage_add(struct assay_engine *e, uint32_t at, uint32_t size)
{
    e->garbage[e->garbage_count++] = assay_val_bytes(ASSAY_REGION_VARS, at, size);
}

void assay_garbage_free(struct assay_engine *e)
{
    while (e->garbage_count)
        free_bytes(e, e->garbage[--e->garbage_count]);
}

/* ---- timers ------------------------------------------------------------ */

assay_time *assay_session_deadlines(const struct assay_engine *e, struct assay_session *s)
{
    return (assay_time *)(s->words + e->vars_count);
}

static void start_timer(struct assay_engine *e, struct assay_session *s, unsigned i)
{
    const struct assay_timer *timer = &e->model->timers[e->machine->timers.first + i];
    assay_val after;
    assay_time *deadline = &assay_session_deadlines(e, s)[i];
    *deadline = ASSAY_NEVER;
    if (!assay_eval(&e->env, timer->after, &after) || (int64_t)after <= 0)
        return;
    if (__builtin_add_overflow(e->now, (int64_t)after, deadline) || *deadline >= ASSAY_FIRED)
        *deadline = ASSAY_NEVER;
}

static void start_timers(struct assay_engine *e, struct assay_session *s, uint64_t which)
{
    for (; which; which &= which - 1)
        start_timer(e, s, (unsigned)__builtin_ctzll(which));
}

static uint64_t timers_in(const struct assay_engine *e, uint16_t state)
{
    return state == ASSAY_NONE ? 0 : e->timer_masks[state - e->machine->states.first];
}

void assay_timers_enter(struct assay_engine *e, struct assay_session *s, uint16_t before, uint64_t start, uint64_t stop)
{
    uint64_t old = timers_in(e, before), now = timers_in(e, s->state);
    stop = (stop | (old & ~now)) & ~(start & now);
    for (; stop; stop &= stop - 1)
        assay_session_deadlines(e, s)[__builtin_ctzll(stop)] = ASSAY_NEVER;
    start_timers(e, s, (now & ~old) | (start & now));
}

/* Those that run, or went off and were not stopped, begin anew. */
void assay_timers_restart(struct assay_engine *e, struct assay_session *s, unsigned why)
{
    for (unsigned i = 0; i < e->timers_count; i++)
        if ((e->model->timers[e->machine->timers.first + i].restart & why) &&
            assay_session_deadlines(e, s)[i] != ASSAY_NEVER)
            start_timer(e, s, i);
}

static assay_time first_timer(const struct assay_engine *e, struct assay_session *s)
{
    assay_time first = ASSAY_FIRED;
    const assay_time *deadlines = assay_session_deadlines(e, s);
    for (uint32_t i = 0; i <= e->timers_count; i++)
        if (deadlines[i] < first)
            first = deadlines[i];
    if (e->reliable && assay_flow_of(e, s)->due < first)
        first = assay_flow_of(e, s)->due;
    return first < ASSAY_FIRED ? first : ASSAY_NEVER;
}

bool assay_session_overdue(const struct assay_engine *e, struct assay_session *s)
{
    return first_timer(e, s) <= e->now;
}

/* While effects are in flight, timers rest. */
static assay_time deadline_in_flight(const struct assay_engine *e, struct assay_session *s)
{
    if (!e->reliable || s->gates)
        return ASSAY_NEVER;
    return s->wants & ASSAY_WANT_ACK ? e->now : assay_flow_of(e, s)->again;
}

assay_time assay_session_deadline(const struct assay_engine *e, struct assay_session *s)
{
    if (!s->live || s->ended)
        return ASSAY_NEVER;
    if (s->pend != ASSAY_PEND_NONE || s->gates)
        return deadline_in_flight(e, s);
    return s->wants ? e->now : first_timer(e, s);
}

/* An entry that is early is left alone until it comes to the top. */
void assay_session_touch(struct assay_engine *e, struct assay_session *s)
{
    uint32_t slot = s->slot;
    assay_time deadline = assay_session_deadline(e, s);
    if (deadline < assay_timers_get(&e->timers, slot))
        assay_timers_set(&e->timers, slot, deadline);
    while (e->timers.count) {
        struct assay_timers_entry top = e->timers.entries[0];
        deadline = assay_session_deadline(e, assay_session_at(e, top.id));
        if (deadline == top.at)
            break;
        if (deadline == ASSAY_NEVER)
            assay_timers_remove(&e->timers, top.id);
        else
            assay_timers_set(&e->timers, top.id, deadline);
    }
}
