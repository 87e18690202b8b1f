/* Reliable messages, sender's side: numbers, copies that go out again, acknowledgements, giving up, renewal. */
#include "core/reliable.h"

#include <string.h>

#include "core/fields.h"
#include "core/follow.h"

/* ---- room for it ------------------------------------------------------- */

void assay_flow_measure(struct assay_engine *e)
{
    e->reliable = e->model->reliables_count ? &e->model->reliables[0] : NULL;
    if (!e->reliable)
        return;
    e->window = e->reliable->window ? e->reliable->window : 1;
    e->flow_size =
        sizeof(struct assay_flow) + e->window * (sizeof(struct assay_kept) + sizeof(struct assay_ahead_of_turn));
}

static int64_t duration(struct assay_engine *e, uint16_t code, int64_t none)
{
    assay_val v;
    return code != ASSAY_NONE && assay_eval(&e->env, code, &v) && (int64_t)v > 0 ? (int64_t)v : none;
}

void assay_flow_init(struct assay_engine *e)
{
    const struct assay_reliable *r = e->reliable;
    if (!r)
        return;
    e->pause_first = duration(e, r->first, 1);
    e->pause_cap = duration(e, r->cap, INT64_MAX);
    e->give_up = duration(e, r->give_up, INT64_MAX);
    memset(e->reliables, 0, e->model->messages_count * sizeof *e->reliables);
    for (uint32_t i = 0; i < r->messages.count; i++)
        e->reliables[e->model->reliable_messages[r->messages.first + i]] = true;
}

void assay_flow_begin(const struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    memset(flow, 0, sizeof *flow);
    memset(assay_flow_ahead(e, flow), 0, e->window * sizeof(struct assay_ahead_of_turn));
    flow->due = flow->again = flow->retry = ASSAY_NEVER;
}

/* ---- those kept -------------------------------------------------------- */

static struct assay_kept *kept_at(const struct assay_engine *e, struct assay_flow *flow, uint64_t count)
{
    return &assay_flow_kept(e, flow)[(flow->head + (count - flow->base)) % e->window];
}

static void free_kept(struct assay_engine *e, struct assay_flow *flow, uint64_t from, uint64_t to)
{
    for (; from < to; from++) {
        struct assay_kept *kept = kept_at(e, flow, from);
        assay_heap_free(&e->heap, kept->at, kept->size);
    }
}

static void move_base(const struct assay_engine *e, struct assay_flow *flow, uint64_t base)
{
    flow->head = (uint32_t)((flow->head + (base - flow->base)) % e->window);
    flow->base = base;
}

void assay_flow_free(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    free_kept(e, flow, flow->base, flow->next);
    flow->base = flow->next;
    assay_ahead_drop(e, flow);
}

static assay_time later(assay_time from, int64_t by)
{
    assay_time at;
    return __builtin_add_overflow(from, by, &at) ? ASSAY_NEVER : at;
}

void assay_flow_plan(struct assay_engine *e, struct assay_flow *flow)
{
    assay_time end = flow->base < flow->next ? later(flow->progress, e->give_up) : ASSAY_NEVER;
    flow->again = ASSAY_NEVER;
    for (uint64_t i = flow->base; i < flow->next; i++) {
        assay_time due = kept_at(e, flow, i)->due;
        flow->again = due < flow->again ? due : flow->again;
    }
    flow->again = flow->again < end ? flow->again : ASSAY_NEVER;
    flow->due = flow->again < end ? flow->again : end;
    flow->due = flow->retry < flow->due ? flow->retry : flow->due;
}

/* ---- numbers and sessions ---------------------------------------------- */

uint64_t assay_flow_mask(const struct assay_engine *e)
{
    return ((uint64_t)1 << e->reliable->bits) - 1;
}

uint64_t assay_flow_number(struct assay_engine *e, uint64_t count)
{
    assay_val first = 0;
    if (e->machine->first_number != ASSAY_NONE && !assay_eval(&e->env, e->machine->first_number, &first))
        first = 0;
    return (first + count) & assay_flow_mask(e);
}

static bool same_value(const struct assay_engine *e, bool bytes, assay_val a, assay_val b)
{
    if (!bytes || a == b)
        return a == b;
    struct assay_span x = assay_bytes(&e->env, a), y = assay_bytes(&e->env, b);
    return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

static bool has_session(const struct assay_engine *e)
{
    return e->reliable->session != ASSAY_NONE && e->machine->session != ASSAY_NONE;
}

static assay_val session_value(const struct assay_engine *e, const struct assay_session *s)
{
    return s->words[e->machine->session - e->machine->vars.first];
}

static bool session_is_bytes(const struct assay_engine *e)
{
    return assay_is_bytes(e->model, e->model->vars[e->machine->session].type);
}

bool assay_flow_is_ours(struct assay_engine *e, const struct assay_session *s)
{
    if (!has_session(e))
        return true;
    uint16_t slot = e->reliable->session;
    return assay_slot_known(&e->env, slot) && same_value(e, session_is_bytes(e), e->slots[slot], session_value(e, s));
}

void assay_flow_address(struct assay_engine *e, const struct assay_session *s, uint64_t count)
{
    assay_slot_set(&e->made, e->reliable->number, assay_flow_number(e, count));
    if (has_session(e))
        assay_slot_set(&e->made, e->reliable->session, session_value(e, s));
}

/* Whether the running rule has set the session to another value. */
static bool renewed(const struct assay_engine *e, const struct assay_session *s)
{
    if (!has_session(e))
        return false;
    for (uint32_t i = e->tx.undo; i < e->undo_count; i++)
        if (e->undo[i].var == e->machine->session)
            return !same_value(e, session_is_bytes(e), e->undo[i].old, session_value(e, s));
    return false;
}

/* ---- in the running rule ------------------------------------------------ */

/* Of the first `n` kept, those that a renewal takes along. */
static uint64_t taken_along(const struct assay_engine *e, struct assay_flow *flow, uint64_t n)
{
    uint64_t along = 0;
    for (uint64_t i = flow->base; i < flow->base + n; i++)
        along += kept_at(e, flow, i)->log == ASSAY_NONE;
    return along;
}

/* The count of the message that is sent next. */
static uint64_t next_count(const struct assay_engine *e, const struct assay_session *s, struct assay_flow *flow)
{
    return renewed(e, s) ? taken_along(e, flow, flow->next - flow->base + e->tx.kept) : flow->next + e->tx.kept;
}

bool assay_reliable_address(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    if (flow->next - flow->base + e->tx.kept >= e->window)
        return false;
    assay_flow_address(e, s, next_count(e, s, flow));
    return true;
}

bool assay_reliable_keep(struct assay_engine *e, struct assay_session *s, uint16_t message, uint32_t size)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    struct assay_kept *kept = kept_at(e, flow, flow->next + e->tx.kept);
    *kept = (struct assay_kept){.size = size, .message = message, .log = e->row_log, .row = e->row};
    if (!assay_heap_alloc(&e->heap, size, &kept->at))
        return false;
    memcpy(e->heap.bytes + kept->at, e->out->bytes + e->out->len, size);
    kept->numbered = renewed(e, s);
    e->tx.kept++;
    return true;
}

void assay_reliable_name(struct assay_engine *e, struct assay_session *s, struct assay_event *event)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    event->sent.number = next_count(e, s, flow);
    event->sent.numbering = flow->numbering + renewed(e, s);
}

void assay_reliable_mark(struct assay_engine *e, struct assay_session *s)
{
    e->tx.marked = true;
    e->tx.mark_numbered = renewed(e, s);
    e->tx.mark = next_count(e, s, assay_flow_of(e, s));
}

void assay_reliable_undo(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    while (e->tx.kept) {
        struct assay_kept *kept = kept_at(e, flow, flow->next + --e->tx.kept);
        assay_heap_free(&e->heap, kept->at, kept->size);
    }
}

void assay_reliable_hold(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    while (e->tx.kept) {
        struct assay_kept *kept = kept_at(e, flow, flow->next + --e->tx.kept);
        assay_session_hold(e, s, assay_val_bytes(ASSAY_REGION_VARS, kept->at, kept->size));
    }
}

/* Rows are forgotten; the rest goes out again at once, under numbers that begin anew. A mark that was neither
 * acknowledged nor is among these was given up: it is never acknowledged. */
static void renew(struct assay_engine *e, struct assay_flow *flow)
{
    uint64_t to = flow->base, mark = flow->mark > flow->acked ? UINT64_MAX : 0;
    for (uint64_t i = flow->base; i < flow->next; i++) {
        struct assay_kept *from = kept_at(e, flow, i);
        if (from->log != ASSAY_NONE) {
            assay_heap_free(&e->heap, from->at, from->size);
            continue;
        }
        if (!from->numbered) {
            from->anew = true;
            from->due = e->now;
            from->pause = 0;
        }
        from->numbered = false; /* for the next time */
        *kept_at(e, flow, to++) = *from;
        mark = i + 1 == flow->mark ? to - flow->base : mark;
    }
    flow->next = to - flow->base;
    flow->base = flow->acked = flow->taken = flow->handed = 0;
    flow->mark = mark;
    flow->progress = e->now;
    flow->numbering++;
    assay_ahead_drop(e, flow);
}

static void start_kept(struct assay_engine *e, struct assay_flow *flow, uint64_t count)
{
    struct assay_kept *kept = kept_at(e, flow, count);
    kept->pause = e->pause_first;
    kept->due = later(e->now, e->pause_first);
}

void assay_reliable_commit(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    bool fresh = renewed(e, s);
    if (e->follow_size)
        assay_follow_commit(e, s, fresh);
    if (!e->tx.kept && !fresh && !e->tx.marked)
        return;
    if (flow->base == flow->next)
        flow->progress = e->now;
    for (; e->tx.kept; e->tx.kept--)
        start_kept(e, flow, flow->next++);
    if (e->tx.marked && !e->tx.mark_numbered)
        flow->mark = e->tx.mark;
    if (fresh)
        renew(e, flow);
    if (e->tx.mark_numbered)
        flow->mark = e->tx.mark;
    assay_flow_plan(e, flow);
}

/* ---- acknowledgements --------------------------------------------------- */

void assay_flow_acknowledged(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    uint16_t slot = e->reliable->ack_slot;
    if (!assay_slot_known(&e->env, slot) || !assay_flow_is_ours(e, s))
        return;
    uint64_t more = (e->slots[slot] - assay_flow_number(e, flow->acked)) & assay_flow_mask(e);
    if (more == 0 || more > flow->next - flow->acked)
        return;
    for (uint64_t i = flow->base; e->follow_size && i < flow->acked + more; i++)
        if (kept_at(e, flow, i)->log != ASSAY_NONE)
            assay_follow_acknowledged(e, s, kept_at(e, flow, i), i);
    flow->acked += more;
    flow->progress = e->now;
    if (flow->acked > flow->base) {
        free_kept(e, flow, flow->base, flow->acked);
        move_base(e, flow, flow->acked);
    }
    assay_flow_plan(e, flow);
}

/* ---- again --------------------------------------------------------------- */

/* The message was put behind the output: tell, and count it in. What is told of the session comes before its end. */
void assay_tell_again(struct assay_engine *e, struct assay_session *s, uint16_t message, uint64_t number, uint32_t size)
{
    if (e->config.judge) {
        struct assay_event *event = assay_queue(e, s, ASSAY_EVENT_SENT);
        uint16_t *where = e->wheres + (size_t)(e->events_count - 1) * ASSAY_SLOTS_MAX;
        memset(where, 0xff, ASSAY_SLOTS_MAX * sizeof *where);
        event->sent.message = message;
        event->sent.rule = ASSAY_NONE;
        event->sent.again = true;
        event->sent.number = number;
        event->sent.numbering = assay_flow_of(e, s)->numbering;
        event->sent.at = e->out->len;
        event->sent.size = size;
        event->sent.free = 0;
        event->sent.where = where;
    }
    e->out->len += size;
}

/* Its bytes under the number and session that it has by now. False: not now. */
static bool encode_anew(struct assay_engine *e, struct assay_session *s, struct assay_kept *kept, uint64_t count,
                        uint32_t *size)
{
    struct assay_out *out = e->out;
    struct assay_span old = {e->heap.bytes + kept->at, kept->size};
    uint8_t role = e->machine->role & ASSAY_CLIENT ? ASSAY_CLIENT : ASSAY_SERVER;
    uint32_t at = kept->at, used = e->env.scratch_used;
    e->made.frame = old.p;
    e->made.vars = e->env.vars;
    e->made.scratch_used = used;
    struct assay_decoded decoded = assay_decode(&e->made, e->machine->frame_out, role, old);
    bool known = decoded.message == kept->message;
    assay_flow_address(e, s, count);
    struct assay_encoded encoded = {.status = ASSAY_ENCODE_FIELD};
    if (known)
        encoded = assay_encode(&e->made, e->machine->frame_out, kept->message, out->bytes + out->len,
                               out->cap - out->len, s->mode == ASSAY_MODE_SEGMENT);
    e->made.known = 0;
    if (encoded.status != ASSAY_ENCODED)
        return false;
    if (encoded.size != kept->size && !assay_heap_alloc(&e->heap, encoded.size, &at))
        return false;
    if (encoded.size != kept->size)
        assay_heap_free(&e->heap, kept->at, kept->size);
    kept->at = at;
    kept->size = *size = encoded.size;
    memcpy(e->heap.bytes + at, out->bytes + out->len, encoded.size);
    kept->anew = false;
    return true;
}

static void put_off(struct assay_engine *e, struct assay_kept *kept)
{
    int64_t pause;
    if (__builtin_mul_overflow(kept->pause, (int64_t)e->reliable->factor, &pause))
        pause = INT64_MAX;
    pause = kept->pause ? pause / 100 : e->pause_first;
    kept->pause = pause < e->pause_cap ? pause : e->pause_cap;
    kept->pause = kept->pause > 0 ? kept->pause : 1;
    kept->due = later(e->now, kept->pause);
}

/* False: the output has no room. */
static bool send_again(struct assay_engine *e, struct assay_session *s, struct assay_kept *kept, uint64_t count)
{
    struct assay_out *out = e->out;
    uint32_t size = kept->size, most = kept->anew ? e->model->messages[kept->message].wire_max : kept->size;
    uint16_t cuts = out->cuts_len;
    if (most > out->cap - out->len || !assay_datagram_begin(e))
        return false;
    if (!kept->anew)
        memcpy(out->bytes + out->len, e->heap.bytes + kept->at, size);
    else if (!encode_anew(e, s, kept, count, &size)) {
        out->cuts_len = cuts;
        put_off(e, kept);
        return true;
    }
    assay_tell_again(e, s, kept->message, count, size);
    put_off(e, kept);
    return true;
}

/* What waited is forgotten, but for what the rule itself has sent. Nothing behind it can be acknowledged until numbers
 * begin anew; then rows are sent from the cursor, and would come again and again if they were sent before. */
static enum assay_rc give_up(struct assay_engine *e, struct assay_session *s, struct assay_flow *flow)
{
    uint64_t forgotten = flow->next;
    uint32_t numbering = flow->numbering;
    enum assay_rc rc = assay_handle(e, s, ASSAY_EV_GIVEN_UP, ASSAY_ORIGIN_SELF);
    if (rc == ASSAY_FULL || flow->numbering != numbering)
        return rc;
    free_kept(e, flow, flow->base, forgotten);
    move_base(e, flow, forgotten);
    flow->progress = e->now;
    assay_flow_plan(e, flow);
    return rc;
}

enum assay_rc assay_flow_again(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    uint32_t len = e->out->len;
    bool full = false;
    assay_bind(e, s);
    for (uint64_t i = flow->base; !full && i < flow->next; i++) {
        struct assay_kept *kept = kept_at(e, flow, i);
        if (kept->due <= e->now)
            full = !assay_queue_has_room(e) || !send_again(e, s, kept, i);
    }
    assay_flow_plan(e, flow);
    return full && e->out->len == len ? ASSAY_FULL : ASSAY_OK;
}

enum assay_rc assay_flow_tick(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    assay_bind(e, s);
    if (flow->retry <= e->now)
        flow->retry = ASSAY_NEVER;
    if (flow->base < flow->next && later(flow->progress, e->give_up) <= e->now)
        return give_up(e, s, flow);
    return assay_flow_again(e, s);
}

bool assay_flow_idle(const struct assay_engine *e, const struct assay_session *s)
{
    const struct assay_flow *flow = assay_flow_of(e, s);
    return flow->base == flow->next && !flow->held && !s->wants;
}

bool assay_waiting(const struct assay_engine *e, assay_sid sid, struct assay_waiting *waiting)
{
    const struct assay_session *s = assay_session_find(e, sid);
    assay_time again = ASSAY_NEVER;
    if (!s || !e->reliable)
        return false;
    struct assay_flow *flow = assay_flow_of(e, s);
    for (uint64_t i = flow->base; i < flow->next; i++)
        again = kept_at(e, flow, i)->due < again ? kept_at(e, flow, i)->due : again;
    *waiting =
        (struct assay_waiting){.sent = (uint32_t)(flow->next - flow->base),
                               .held = flow->held,
                               .first_sent = flow->base,
                               .taken = flow->taken,
                               .numbering = flow->numbering,
                               .again = again,
                               .gives_up = flow->base < flow->next ? later(flow->progress, e->give_up) : ASSAY_NEVER};
    return true;
}
