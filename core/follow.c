/* Logs: who lacks rows, and sending them. The host keeps the rows. */
#include "core/follow.h"

#include <string.h>

#include "core/feed.h"
#include "core/fields.h"

/* ---- room for it ------------------------------------------------------- */

static bool follows_log(const struct assay_engine *e, const struct assay_log *log)
{
    return e->reliable && log->machine == e->config.machine;
}

/* Bytes that the columns of a row may have. */
static uint32_t row_bytes(const struct assay_model *model, const struct assay_log *log)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < log->columns.count; i++) {
        uint16_t type = model->params[log->columns.first + i].type;
        n += assay_is_bytes(model, type) ? (uint64_t)model->types[type].max : 0;
    }
    return n < ASSAY_BYTES_MAX ? (uint32_t)n : ASSAY_BYTES_MAX;
}

void assay_follow_measure(struct assay_engine *e)
{
    bool any = false;
    for (uint32_t i = 0; i < e->model->logs_count; i++) {
        const struct assay_log *log = &e->model->logs[i];
        if (!follows_log(e, log))
            continue;
        any = true;
        uint32_t bytes = row_bytes(e->model, log);
        e->row_bytes = bytes > e->row_bytes ? bytes : e->row_bytes;
    }
    if (any)
        e->follow_size = sizeof(struct assay_follow) + e->model->logs_count * sizeof(struct assay_place);
}

/* ---- lists ------------------------------------------------------------- */

enum { READY, IDLE, LISTS }; /* may be hungry; has all rows that there are */

static struct assay_links *links_of(struct assay_engine *e, uint32_t id)
{
    return id < LISTS ? &e->lists[id] : &assay_follow_of(e, assay_session_at(e, id - LISTS))->links;
}

void assay_follow_init(struct assay_engine *e)
{
    e->row_log = ASSAY_NONE;
    for (uint32_t i = 0; i < LISTS; i++)
        e->lists[i] = (struct assay_links){i, i};
    for (uint32_t i = 0; e->follow_size && i < e->model->logs_count; i++)
        e->log_rows[i] = 0;
}

static void take_out(struct assay_engine *e, struct assay_session *s)
{
    struct assay_follow *follow = assay_follow_of(e, s);
    if (!follow->linked)
        return;
    links_of(e, follow->links.before)->after = follow->links.after;
    links_of(e, follow->links.after)->before = follow->links.before;
    follow->linked = false;
}

static void put_last(struct assay_engine *e, struct assay_session *s, uint32_t list)
{
    struct assay_follow *follow = assay_follow_of(e, s);
    uint32_t id = s->slot + LISTS;
    take_out(e, s);
    follow->links = (struct assay_links){list, e->lists[list].before};
    links_of(e, follow->links.before)->after = id;
    e->lists[list].before = id;
    follow->linked = true;
}

/* All of IDLE behind READY. */
static void wake_all(struct assay_engine *e)
{
    struct assay_links idle = e->lists[IDLE];
    if (idle.after == IDLE)
        return;
    uint32_t last = e->lists[READY].before;
    links_of(e, last)->after = idle.after;
    links_of(e, idle.after)->before = last;
    links_of(e, idle.before)->after = READY;
    e->lists[READY].before = idle.before;
    e->lists[IDLE] = (struct assay_links){IDLE, IDLE};
}

void assay_follow_begin(struct assay_engine *e, struct assay_session *s)
{
    memset(assay_follow_of(e, s), 0, e->follow_size);
}

void assay_follow_end(struct assay_engine *e, struct assay_session *s)
{
    take_out(e, s);
}

/* ---- hunger ------------------------------------------------------------ */

static bool among(const struct assay_model *model, uint16_t set, uint16_t state)
{
    const uint16_t *at = &model->statesets[set];
    while (*at != ASSAY_NONE && *at != state)
        at++;
    return *at == state;
}

static bool may_follow(const struct assay_engine *e, const struct assay_session *s, const struct assay_log *log)
{
    return follows_log(e, log) && !s->ended && among(e->model, log->states, s->state);
}

void assay_follow_wake(struct assay_engine *e, struct assay_session *s)
{
    if (assay_follow_of(e, s)->fetching)
        return;
    for (uint32_t i = 0; i < e->model->logs_count; i++)
        if (may_follow(e, s, &e->model->logs[i])) {
            put_last(e, s, READY);
            return;
        }
    take_out(e, s);
}

static assay_val *cursor_of(const struct assay_engine *e, struct assay_session *s, const struct assay_log *log)
{
    return &s->words[log->cursor - e->machine->vars.first];
}

static uint64_t number_of(struct assay_engine *e, uint16_t code, uint64_t otherwise)
{
    assay_val v;
    if (code == ASSAY_NONE || !assay_eval(&e->env, code, &v) || (int64_t)v < 1)
        return otherwise;
    return v;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* How many messages may still be on their way. */
static uint64_t room_for(struct assay_engine *e, struct assay_session *s, const struct assay_log *log,
                         const struct assay_place *place)
{
    const struct assay_flow *flow = assay_flow_of(e, s);
    uint64_t under_way = place->next - *cursor_of(e, s, log), window = number_of(e, log->window, e->window);
    return least(window > under_way ? window - under_way : 0, e->window - (flow->next - flow->base));
}

/* How many rows it may be sent. `*idle`: none, as it has them all. */
static uint64_t lacks(struct assay_engine *e, struct assay_session *s, uint32_t index, bool *idle)
{
    const struct assay_log *log = &e->model->logs[index];
    struct assay_place *place = &assay_follow_places(assay_follow_of(e, s))[index];
    if (!may_follow(e, s, log) || (s->pend != ASSAY_PEND_NONE && s->pend != ASSAY_PEND_CHAIN) || s->gates)
        return 0;
    assay_bind(e, s);
    assay_no_fields(e);
    if (!assay_holds(&e->env, log->follows))
        return 0;
    uint64_t rows = e->log_rows[index];
    if (!place->known)
        *place = (struct assay_place){*cursor_of(e, s, log), *cursor_of(e, s, log), assay_flow_of(e, s)->next, true};
    if (place->next >= place->until && rows > place->next && rows - place->next >= number_of(e, log->batch, 1))
        place->until = rows;
    *idle |= place->next >= place->until;
    return place->next < place->until ? least(place->until - place->next, room_for(e, s, log, place)) : 0;
}

static bool is_hungry(struct assay_engine *e, struct assay_session *s, struct assay_hunger *hunger, bool *idle)
{
    for (uint16_t i = 0; i < e->model->logs_count; i++) {
        uint64_t most = lacks(e, s, i, idle);
        if (!most)
            continue;
        *hunger = (struct assay_hunger){.sid = assay_session_id(s),
                                        .log = i,
                                        .from = assay_follow_places(assay_follow_of(e, s))[i].next,
                                        .most = (uint32_t)least(most, UINT32_MAX)};
        return true;
    }
    return false;
}

bool assay_hungry(struct assay_engine *e, struct assay_hunger *hunger)
{
    if (e->events_head == e->events_count)
        e->env.scratch_used = 0;
    while (e->follow_size && e->lists[READY].after != READY) {
        struct assay_session *s = assay_session_at(e, e->lists[READY].after - LISTS);
        bool idle = false;
        if (is_hungry(e, s, hunger, &idle)) {
            put_last(e, s, READY);
            return true;
        }
        take_out(e, s);
        if (idle)
            put_last(e, s, IDLE);
    }
    return false;
}

void assay_fetching(struct assay_engine *e, assay_sid sid, bool on)
{
    struct assay_session *s = assay_session_find(e, sid);
    if (!s || !e->follow_size)
        return;
    assay_follow_of(e, s)->fetching = on;
    if (on)
        take_out(e, s);
    else
        assay_follow_wake(e, s);
}

void assay_log_grew(struct assay_engine *e, uint16_t log, uint64_t rows)
{
    if (!e->follow_size || log >= e->model->logs_count)
        return;
    e->log_rows[log] = rows;
    wake_all(e);
}

/* ---- rows -------------------------------------------------------------- */

/* The row's number and columns into slots. False: more bytes than the columns may have. */
static bool take_row(struct assay_engine *e, const struct assay_log *log, uint64_t number, const assay_val *values,
                     const struct assay_span *spans)
{
    uint16_t slot = log->first_slot;
    assay_no_fields(e);
    assay_slot_set(&e->env, slot++, number);
    for (uint32_t i = 0; i < log->columns.count; i++, slot++) {
        assay_val v = values[i];
        if (assay_is_bytes(e->model, e->model->params[log->columns.first + i].type)) {
            uint8_t *to = assay_scratch(&e->env, spans[i].n);
            if (!to)
                return false;
            if (spans[i].n)
                memcpy(to, spans[i].p, spans[i].n);
            v = assay_scratch_val(&e->env, to, spans[i].n);
        }
        assay_slot_set(&e->env, slot, v);
    }
    return true;
}

static enum assay_rc send_row(struct assay_engine *e, struct assay_session *s, uint16_t log, uint64_t number)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    uint64_t before = flow->next;
    e->row_log = log;
    e->row = number;
    e->starved = false;
    enum assay_rc rc = assay_handle(e, s, e->model->logs[log].event, ASSAY_ORIGIN_SELF);
    e->row_log = ASSAY_NONE;
    assay_chain_keep(e, s);
    if (rc == ASSAY_OK && flow->next > before) {
        assay_follow_places(assay_follow_of(e, s))[log].next = number + 1;
        return assay_leave(e, s, rc, false);
    }
    if (rc != ASSAY_OK && !e->starved)
        return rc == ASSAY_FULL ? rc : assay_leave(e, s, rc, false);
    take_out(e, s); /* it cannot be sent now; without memory it is tried again later */
    flow->retry = e->starved ? e->now + e->pause_first : ASSAY_NEVER;
    assay_flow_plan(e, flow);
    assay_session_touch(e, s);
    return ASSAY_STALE;
}

enum assay_rc assay_row(struct assay_engine *e, assay_sid sid, assay_time now, uint16_t log, uint64_t number,
                        const assay_val *values, const struct assay_span *spans, struct assay_out *out)
{
    struct assay_session *s = assay_session_find(e, sid);
    bool idle = false;
    if (!s || !e->follow_size || log >= e->model->logs_count)
        return ASSAY_STALE;
    if (!assay_enter(e, now, out))
        return ASSAY_TAKE;
    if (!lacks(e, s, log, &idle) || assay_follow_places(assay_follow_of(e, s))[log].next != number)
        return ASSAY_STALE;
    return take_row(e, &e->model->logs[log], number, values, spans) ? send_row(e, s, log, number) : ASSAY_STALE;
}

/* ---- cursors ------------------------------------------------------------- */

static bool was_set(const struct assay_engine *e, uint16_t var)
{
    for (uint32_t i = e->tx.undo; i < e->undo_count; i++)
        if (e->undo[i].var == var)
            return true;
    return false;
}

void assay_follow_commit(struct assay_engine *e, struct assay_session *s, bool renewed)
{
    struct assay_place *places = assay_follow_places(assay_follow_of(e, s));
    for (uint32_t i = 0; i < e->model->logs_count; i++) {
        const struct assay_log *log = &e->model->logs[i];
        if (follows_log(e, log) && (renewed || was_set(e, log->cursor)))
            places[i].known = false;
    }
}

void assay_follow_acknowledged(struct assay_engine *e, struct assay_session *s, const struct assay_kept *kept,
                               uint64_t count)
{
    const struct assay_place *place = &assay_follow_places(assay_follow_of(e, s))[kept->log];
    if (place->known && count >= place->since)
        *cursor_of(e, s, &e->model->logs[kept->log]) = kept->row + 1;
}
