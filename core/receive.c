/* Reliable messages, receiver's side: each is handed to the machine once and in its turn, then acknowledged. */
#include <string.h>

#include "core/fields.h"
#include "core/reliable.h"

static uint8_t other_role(const struct assay_engine *e)
{
    return e->machine->role & ASSAY_CLIENT ? ASSAY_SERVER : ASSAY_CLIENT;
}

/* ---- those ahead of their turn ------------------------------------------ */

static struct assay_ahead_of_turn *ahead_at(const struct assay_engine *e, struct assay_flow *flow, uint64_t count)
{
    return &assay_flow_ahead(e, flow)[count % e->window];
}

/* Events that are queued may show its bytes. */
static void let_go(struct assay_engine *e, struct assay_flow *flow, uint64_t count)
{
    struct assay_ahead_of_turn *ahead = ahead_at(e, flow, count);
    if (!ahead->size && !ahead->done)
        return;
    if (ahead->size)
        assay_garbage_add(e, ahead->at, ahead->size);
    *ahead = (struct assay_ahead_of_turn){0};
    flow->held--;
}

void assay_ahead_drop(struct assay_engine *e, struct assay_flow *flow)
{
    for (uint32_t i = 0; flow->held && i < e->window; i++)
        let_go(e, flow, i);
}

/* Without memory for it, it is dropped: it comes again. */
static void keep_ahead(struct assay_engine *e, struct assay_flow *flow, uint64_t count, struct assay_span content)
{
    struct assay_ahead_of_turn *ahead = ahead_at(e, flow, count);
    if (ahead->size || ahead->done || !assay_heap_alloc(&e->heap, content.n + 1, &ahead->at))
        return;
    memcpy(e->heap.bytes + ahead->at, content.p, content.n);
    ahead->size = content.n + 1;
    flow->held++;
}

/* ---- acknowledging ------------------------------------------------------- */

static bool bordered(const struct assay_engine *e)
{
    return e->model->frames[e->machine->frame_out].end == ASSAY_END_DATAGRAM;
}

/* Whether there is room for an acknowledgement. What rules may send counts it in; its border is kept from them. */
static bool reserve(struct assay_engine *e)
{
    struct assay_out *out = e->out;
    uint32_t most = e->model->messages[e->reliable->ack].wire_max;
    if (most > out->cap - out->len || (bordered(e) && out->cuts_len == out->cuts_cap))
        return false;
    out->cuts_cap = (uint16_t)(out->cuts_cap - bordered(e));
    return true;
}

static void give_back(struct assay_engine *e)
{
    e->out->cuts_cap = (uint16_t)(e->out->cuts_cap + bordered(e));
}

/* The end is told last. */
static void acknowledge_before_end(struct assay_engine *e)
{
    if (!e->config.judge || e->events_count < 2)
        return;
    struct assay_queued *last = &e->events[e->events_count - 1], sent = *last;
    if (last[-1].event.type != ASSAY_EVENT_ENDED)
        return;
    *last = last[-1];
    last[-1] = sent;
}

static void acknowledge(struct assay_engine *e, struct assay_session *s)
{
    struct assay_out *out = e->out;
    uint16_t message = e->reliable->ack;
    assay_bind(e, s);
    e->made.known = 0;
    e->made.vars = e->env.vars;
    e->made.frame = e->env.frame;
    e->made.scratch_used = e->env.scratch_used;
    uint64_t taken = assay_flow_of(e, s)->taken;
    assay_flow_address(e, s, 0);
    e->made.known &= ~((uint64_t)1 << e->reliable->number); /* it is no reliable message itself */
    assay_slot_set(&e->made, e->reliable->ack_slot, assay_flow_number(e, taken));
    uint16_t cuts = out->cuts_len;
    if (!assay_datagram_begin(e))
        return;
    struct assay_encoded encoded = assay_encode(&e->made, e->machine->frame_out, message, out->bytes + out->len,
                                                out->cap - out->len, s->mode == ASSAY_MODE_SEGMENT);
    e->made.known = 0;
    if (encoded.status != ASSAY_ENCODED) {
        out->cuts_len = cuts;
        return;
    }
    assay_tell_again(e, s, message, 0, encoded.size);
    s->wants &= (uint8_t)~ASSAY_WANT_ACK;
    acknowledge_before_end(e);
}

/* ---- one message --------------------------------------------------------- */

static void take_done(struct assay_engine *e, struct assay_flow *flow)
{
    while (ahead_at(e, flow, flow->taken)->done)
        let_go(e, flow, flow->taken++);
}

static void advance(struct assay_engine *e, struct assay_flow *flow)
{
    let_go(e, flow, flow->taken++);
    take_done(e, flow);
    flow->handed = flow->taken;
}

/* Its row is in flight: the next one may be handed over. */
static void advance_chained(struct assay_engine *e, struct assay_flow *flow)
{
    let_go(e, flow, flow->handed++);
    while (ahead_at(e, flow, flow->handed)->done)
        flow->handed++;
}

void assay_chain_add(struct assay_engine *e, struct assay_session *s, struct assay_flight *flight)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    flight->chain = e->tx.chained = true;
    flight->count = (uint32_t)flow->handed;
    flow->chained++;
}

void assay_chain_keep(struct assay_engine *e, struct assay_session *s)
{
    if (s->ended || !assay_flow_of(e, s)->chained)
        return;
    s->pend = ASSAY_PEND_CHAIN;
    s->origin = ASSAY_ORIGIN_CHAIN;
}

/* Where one failed, it and those behind it come again: none of them counts as handed over when all have completed. */
void assay_chain_completed(struct assay_engine *e, struct assay_session *s, const struct assay_flight *flight,
                           bool done)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    uint64_t before = flow->taken;
    flow->chained--;
    flow->failing |= !done;
    if (done) {
        ahead_at(e, flow, before + (uint32_t)(flight->count - (uint32_t)before))->done = true;
        flow->held++;
        take_done(e, flow);
    }
    if (flow->taken > before)
        s->wants |= ASSAY_WANT_ACK;
    if (flow->chained)
        return;
    flow->handed = flow->taken;
    flow->failing = false;
    s->pend = ASSAY_PEND_NONE;
}

/* With rows in flight only a message whose rule adds a row, too, is handed over; and none when something else is to be
 * done, so that it can be when all have completed. */
static bool next_may_follow(const struct assay_engine *e, struct assay_session *s)
{
    return s->pend != ASSAY_PEND_CHAIN || (!assay_flow_of(e, s)->failing && !assay_session_overdue(e, s));
}

static enum assay_rc run(struct assay_engine *e, struct assay_session *s, uint16_t event, enum assay_origin origin)
{
    e->chaining = e->config.chains && e->reliable->order == ASSAY_ORDER_IN_ORDER;
    enum assay_rc rc =
        s->pend == ASSAY_PEND_CHAIN ? assay_handle_chained(e, s, event, origin) : assay_step(e, s, event, origin);
    e->chaining = false;
    assay_chain_keep(e, s);
    return rc;
}

/* The next message's rule. `*owed`: it was taken. */
static enum assay_rc hand_over(struct assay_engine *e, struct assay_session *s, uint16_t event,
                               enum assay_origin origin, bool *owed)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    uint32_t numbering = flow->numbering;
    e->tx.done = e->tx.declined = e->tx.chained = e->cramped = false;
    enum assay_rc rc = run(e, s, event, origin);
    if (rc == ASSAY_OK && e->tx.declined && e->cramped)
        assay_ahead_drop(e, flow); /* those in front come first: these come again */
    if ((rc != ASSAY_OK && rc != ASSAY_ENDED) || !e->tx.done)
        return rc;
    if (e->tx.chained) {
        advance_chained(e, flow);
        return rc;
    }
    if (!e->tx.declined && flow->numbering == numbering)
        advance(e, flow);
    *owed |= !e->tx.declined;
    return rc;
}

static uint16_t decode_held(struct assay_engine *e, const struct assay_ahead_of_turn *ahead)
{
    struct assay_span content = {e->heap.bytes + ahead->at, ahead->size - 1};
    e->env.frame = content.p;
    return assay_decode(&e->env, e->machine->frame_in, other_role(e), content).event;
}

/* One that was ahead, and whose turn it is. False: there is none, or it cannot be done now. */
static bool take_turn(struct assay_engine *e, struct assay_session *s, bool *owed)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    uint64_t turn = flow->handed;
    const struct assay_ahead_of_turn *ahead = ahead_at(e, flow, turn);
    if (s->ended || (s->pend != ASSAY_PEND_NONE && s->pend != ASSAY_PEND_CHAIN) || !ahead->size)
        return false;
    s->wants |= ASSAY_WANT_TURN;
    if (!next_may_follow(e, s) || !assay_queue_has_room(e))
        return false;
    enum assay_rc rc = hand_over(e, s, decode_held(e, ahead), ASSAY_ORIGIN_HELD, owed);
    if (rc == ASSAY_FULL || (rc == ASSAY_PENDING && s->pend != ASSAY_PEND_FLIGHT))
        return false;
    s->wants &= (uint8_t)~ASSAY_WANT_TURN;
    if (rc == ASSAY_OK && flow->handed == turn)
        let_go(e, flow, turn); /* declined: its next copy is handled anew */
    return rc == ASSAY_OK && flow->handed != turn;
}

static void take_turns(struct assay_engine *e, struct assay_session *s, bool *owed)
{
    while (take_turn(e, s, owed))
        ;
}

/* Those whose turn it is by now, and an acknowledgement if any was taken. */
enum assay_rc assay_turns(struct assay_engine *e, struct assay_session *s)
{
    bool owed = s->wants & ASSAY_WANT_ACK;
    if (!reserve(e))
        return ASSAY_FULL;
    s->wants &= (uint8_t) ~(ASSAY_WANT_TURN | ASSAY_WANT_ACK);
    uint32_t len = e->out->len;
    take_turns(e, s, &owed);
    give_back(e);
    if (owed)
        acknowledge(e, s);
    if (s->ended)
        return ASSAY_ENDED;
    bool stuck = (s->wants & ASSAY_WANT_TURN) && s->pend == ASSAY_PEND_NONE;
    return stuck && e->out->len == len ? ASSAY_FULL : ASSAY_OK;
}

void assay_turns_wake(const struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    if (ahead_at(e, flow, flow->handed)->size)
        s->wants |= ASSAY_WANT_TURN;
}

enum assay_rc assay_receive_resume(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    bool owed = false;
    if (!reserve(e))
        return ASSAY_FULL;
    uint64_t turn = flow->taken;
    enum assay_rc rc = hand_over(e, s, decode_held(e, ahead_at(e, flow, turn)), ASSAY_ORIGIN_HELD, &owed);
    if (rc == ASSAY_OK && flow->taken == turn)
        let_go(e, flow, turn);
    else if (rc == ASSAY_OK)
        take_turns(e, s, &owed);
    give_back(e);
    if (owed)
        acknowledge(e, s);
    return s->ended ? ASSAY_ENDED : rc;
}

/* ---- what arrives -------------------------------------------------------- */

static enum assay_rc in_turn(struct assay_engine *e, struct assay_session *s, uint16_t event)
{
    bool owed = false;
    if (!reserve(e))
        return ASSAY_FULL;
    enum assay_rc rc = hand_over(e, s, event, ASSAY_ORIGIN_INPUT, &owed);
    if (rc == ASSAY_OK)
        take_turns(e, s, &owed);
    give_back(e);
    if (owed)
        acknowledge(e, s);
    return s->ended ? ASSAY_ENDED : rc;
}

/* Where order does not matter. */
static enum assay_rc ahead_at_once(struct assay_engine *e, struct assay_session *s, uint16_t event, uint64_t count)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    struct assay_ahead_of_turn *ahead = ahead_at(e, flow, count);
    uint32_t numbering = flow->numbering;
    e->tx.done = e->tx.declined = false;
    if (ahead->done)
        return ASSAY_OK;
    enum assay_rc rc = assay_step(e, s, event, ASSAY_ORIGIN_INPUT);
    bool through = (rc == ASSAY_OK || rc == ASSAY_ENDED) && e->tx.done && !e->tx.declined;
    if (through && flow->numbering == numbering) {
        ahead->done = true;
        flow->held++;
    }
    return rc;
}

/* Not the next one: taken before, or ahead of its turn. */
static enum assay_rc out_of_turn(struct assay_engine *e, struct assay_session *s, uint16_t event,
                                 struct assay_span content, uint64_t ahead)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    bool before = ahead >= e->window;
    enum assay_rc rc = ASSAY_OK;
    if (!reserve(e))
        return ASSAY_FULL;
    if (!before && e->reliable->order == ASSAY_ORDER_IN_ORDER)
        keep_ahead(e, flow, flow->taken + ahead, content);
    else if (!before)
        rc = ahead_at_once(e, s, event, flow->taken + ahead);
    else if (e->reliable->duplicate == ASSAY_DUPLICATE_DELIVER)
        rc = assay_step(e, s, event, ASSAY_ORIGIN_INPUT);
    give_back(e);
    if ((rc == ASSAY_OK || rc == ASSAY_ENDED) && !(before && e->reliable->duplicate == ASSAY_DUPLICATE_IGNORE))
        acknowledge(e, s);
    return rc;
}

enum assay_rc assay_reliable_receive(struct assay_engine *e, struct assay_session *s, struct assay_decoded decoded,
                                     struct assay_span content)
{
    uint16_t message = decoded.message;
    bool sound = message != ASSAY_NONE && decoded.event == e->model->messages[message].event;
    if (!sound || (message != e->reliable->ack && !e->reliables[message]))
        return assay_step(e, s, decoded.event, ASSAY_ORIGIN_INPUT);
    assay_bind(e, s);
    if (message == e->reliable->ack) {
        assay_flow_acknowledged(e, s);
        return ASSAY_OK;
    }
    if (!assay_flow_is_ours(e, s))
        return assay_step(e, s, ASSAY_EV_STALE, ASSAY_ORIGIN_INPUT);
    uint64_t next = assay_flow_number(e, assay_flow_of(e, s)->handed);
    uint64_t ahead = (e->slots[e->reliable->number] - next) & assay_flow_mask(e);
    if (!next_may_follow(e, s) || (ahead && s->pend == ASSAY_PEND_CHAIN))
        return ASSAY_PENDING;
    return ahead ? out_of_turn(e, s, decoded.event, content, ahead) : in_turn(e, s, decoded.event);
}
