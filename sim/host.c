/* What programs do around an engine: hand datagrams in and out, keep the clock, do effects, make calls. */
#include <string.h>

#include "sim/world.h"

#define OUT_MARGIN 65536u

/* ---- what an engine says ----------------------------------------------- */

static uint16_t flow_of(const struct assay_sim *sim, unsigned node, assay_sid sid)
{
    if (node != ASSAY_SIM_SERVER)
        return sim->node[node].flow;
    for (uint16_t i = 1; i < sim->s.flows; i++)
        if (sim->flow[i].sid == sid)
            return i;
    return 0;
}

/* The first datagram that a client sends from an address makes a flow of it, as a link counts them. */
static uint16_t flow_for_sending(struct assay_sim *sim, unsigned node, uint16_t flow)
{
    if (node == ASSAY_SIM_SERVER || flow)
        return flow;
    if (sim->s.flows == ASSAY_SIM_FLOWS_MAX)
        return 0;
    flow = (uint16_t)sim->s.flows++;
    sim->flow[flow] = (struct assay_sim_flow){.client = (uint8_t)node, .life = sim->node[node].life};
    sim->node[node].flow = flow;
    return flow;
}

static void send_one(struct assay_sim *sim, unsigned node, uint16_t *flow, const uint8_t *p, uint32_t n)
{
    *flow = flow_for_sending(sim, node, *flow);
    if (*flow == 0 || !ASSAY_SIM_ROOM(sim, sim->box, sim->s.box_tail + 1u))
        return;
    struct assay_sim_datagram d = {
        .size = n, .flow = *flow, .direction = node == ASSAY_SIM_SERVER ? ASSAY_LINK_DOWN : ASSAY_LINK_UP};
    d.ordinal = ++sim->flow[*flow].sent[d.direction];
    d.where = assay_sim_keep(sim, p, n);
    sim->box.items[sim->s.box_tail++] = d;
}

static void send_all(struct assay_sim *sim, unsigned node, uint16_t flow)
{
    struct assay_out *out = &sim->out;
    for (uint16_t i = 0; i < out->cuts_len; i++) {
        uint32_t end = i + 1 < out->cuts_len ? out->cuts[i + 1].at : out->len;
        send_one(sim, node, &flow, out->bytes + out->cuts[i].at, end - out->cuts[i].at);
    }
    out->len = 0;
    out->cuts_len = 0;
}

static void note_done(struct assay_sim *sim, unsigned node, uint16_t effect, uint32_t args)
{
    uint32_t at = sim->s.dones;
    if (!ASSAY_SIM_ROOM(sim, sim->dones, at + 1u))
        return;
    sim->dones.items[at] = (struct assay_sim_done){sim->s.now, args, effect, (uint8_t)node};
    sim->s.dones++;
    if (sim->tracing)
        assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_DONE, .node = (uint8_t)node, .what = at});
}

static void note_effect(struct assay_sim *sim, unsigned node, uint16_t flow, const struct assay_event *event)
{
    uint16_t effect = event->effect.effect;
    uint32_t args = assay_sim_keep_args(sim, sim->model->effects[effect].args, event->values, event->spans);
    if (!event->effect.token && node != ASSAY_SIM_SERVER) {
        note_done(sim, node, effect, args);
        return;
    }
    if (!ASSAY_SIM_ROOM(sim, sim->orders, sim->s.orders + 1u))
        return;
    uint32_t nth = event->effect.token ? ++sim->node[node].orders : 0;
    sim->orders.items[sim->s.orders] = (struct assay_sim_order){
        args, event->effect.token, effect, flow, sim->node[node].life, (uint8_t)node, event->effect.chain, nth};
    assay_sim_push(sim, (struct assay_sim_event){.at = sim->s.now + sim->config.effect / 2,
                                                 .kind = ASSAY_SIM_STORE,
                                                 .node = (uint8_t)node,
                                                 .life = sim->node[node].life,
                                                 .what = sim->s.orders++});
}

static void note_result(struct assay_sim *sim, unsigned node, int32_t outcome)
{
    struct assay_sim_node *n = &sim->node[node];
    if (!n->calling || !ASSAY_SIM_ROOM(sim, sim->results, sim->s.results + 1u))
        return;
    if (sim->tracing)
        assay_sim_note(
            sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_RESULT, .node = (uint8_t)node, .what = sim->s.results});
    sim->results.items[sim->s.results++] = (struct assay_sim_result){sim->s.now, n->call, outcome};
    sim->s.failed += outcome != ASSAY_CALL_OK;
    sim->s.moved = sim->s.now > sim->s.moved ? sim->s.now : sim->s.moved;
    n->calling = n->blocked = false;
}

static void next_act(struct assay_sim *sim, unsigned node)
{
    if (sim->node[node].act < sim->node[node].act_end)
        assay_sim_push(
            sim, (struct assay_sim_event){
                     .at = sim->s.now, .kind = ASSAY_SIM_ACT, .node = (uint8_t)node, .life = sim->node[node].life});
}

static void end_session(struct assay_sim *sim, unsigned node, uint16_t flow)
{
    if (node == ASSAY_SIM_SERVER) {
        sim->flow[flow].sid = 0;
        return;
    }
    bool calling = sim->node[node].calling;
    sim->node[node].over = true;
    note_result(sim, node, ASSAY_CALL_CLOSED);
    if (calling)
        next_act(sim, node);
}

static void take_event(struct assay_sim *sim, unsigned node, uint16_t flow, const struct assay_event *event)
{
    switch (event->type) {
    case ASSAY_EVENT_EFFECT:
        note_effect(sim, node, flow, event);
        return;
    case ASSAY_EVENT_RESULT:
        note_result(sim, node, event->result.outcome);
        next_act(sim, node);
        return;
    case ASSAY_EVENT_ENDED:
        end_session(sim, node, flow);
        return;
    case ASSAY_EVENT_STEP:
    case ASSAY_EVENT_SENT:
    case ASSAY_EVENT_STRAY:
        return;
    }
}

/* ---- calls of an engine ------------------------------------------------ */

/* What is kept of a call's events may not move the bytes that they point into. */
static struct assay_out *ready(struct assay_sim *sim)
{
    sim->out.len = 0;
    sim->out.cuts_len = 0;
    (void)ASSAY_SIM_ROOM(sim, sim->bytes, (uint64_t)sim->s.bytes + 2ull * sim->out.cap + 4ull * sim->scratch_cap);
    return &sim->out;
}

/* Whether anything came of it. */
static bool harvest(struct assay_sim *sim, unsigned node, uint16_t flow)
{
    struct assay_event event;
    bool any = sim->out.len > 0 || sim->out.cuts_len > 0;
    while (assay_next_event(assay_sim_engine(sim, node), &event)) {
        take_event(sim, node, flow, &event);
        any = true;
    }
    send_all(sim, node, flow);
    return any;
}

static void settle(struct assay_sim *sim, unsigned node)
{
    sim->node[node].deadline = assay_deadline(sim->engines[node]);
}

/* ---- rows of logs ------------------------------------------------------ */

static bool give_row(struct assay_sim *sim, const struct assay_hunger *h, uint64_t number)
{
    uint32_t row = sim->rows[h->log].items[sim->s.row_first[h->log] + number];
    uint16_t flow = flow_of(sim, ASSAY_SIM_SERVER, h->sid);
    for (int tries = 0; tries < 2; tries++) {
        struct assay_out *out = ready(sim);
        assay_sim_load_args(sim, sim->model->logs[h->log].columns, row, 0);
        enum assay_rc rc = assay_row(assay_sim_engine(sim, ASSAY_SIM_SERVER), h->sid, sim->s.now, h->log, number,
                                     sim->values, sim->spans, out);
        harvest(sim, ASSAY_SIM_SERVER, flow);
        if (rc == ASSAY_OK)
            return true;
        if (rc != ASSAY_FULL && rc != ASSAY_TAKE)
            return false;
    }
    return false;
}

static void give_rows(struct assay_sim *sim)
{
    struct assay_hunger h;
    bool given = true;
    if (!sim->model->logs_count)
        return;
    while (given && assay_hungry(assay_sim_engine(sim, ASSAY_SIM_SERVER), &h)) {
        given = h.log < ASSAY_SIM_LOGS_MAX && h.most > 0;
        for (uint32_t i = 0; i < h.most && given && h.from + i < sim->s.row_count[h.log]; i++)
            given = give_row(sim, &h, h.from + i);
    }
}

/* ---- input ------------------------------------------------------------- */

static struct assay_span peer_of(const struct assay_sim *sim, uint16_t flow, uint8_t peer[6])
{
    const struct assay_sim_flow *f = &sim->flow[flow];
    const uint8_t address[6] = {10, 0, 0, f->client, (uint8_t)(f->life + 1), (uint8_t)(f->life >> 8)};
    memcpy(peer, address, sizeof address);
    return (struct assay_span){peer, sizeof address};
}

static enum assay_rc feed_stranger(struct assay_sim *sim, uint16_t flow, struct assay_span in, struct assay_out *out)
{
    uint8_t peer[6];
    struct assay_engine *e = assay_sim_engine(sim, ASSAY_SIM_SERVER);
    assay_sid *sid = &sim->flow[flow].sid;
    return assay_datagram(e, sim->s.now, peer_of(sim, flow, peer), in, sid, out);
}

static enum assay_rc feed_once(struct assay_sim *sim, unsigned node, const struct assay_sim_datagram *d)
{
    uint32_t used;
    struct assay_out *out = ready(sim);
    struct assay_span in = {sim->bytes.items + d->where, d->size};
    assay_sid sid = node == ASSAY_SIM_SERVER ? sim->flow[d->flow].sid : sim->node[node].sid;
    if (node == ASSAY_SIM_SERVER && sid == 0)
        return feed_stranger(sim, d->flow, in, out);
    return assay_feed(assay_sim_engine(sim, node), sid, sim->s.now, in, &used, out);
}

/* False: it has to wait. */
static bool feed(struct assay_sim *sim, unsigned node, const struct assay_sim_datagram *d)
{
    enum assay_rc rc = ASSAY_TAKE;
    for (bool any = true; any && (rc == ASSAY_TAKE || rc == ASSAY_FULL);) {
        rc = feed_once(sim, node, d);
        any = harvest(sim, node, d->flow);
    }
    settle(sim, node);
    return rc == ASSAY_OK || rc == ASSAY_ENDED || rc == ASSAY_STALE || rc == ASSAY_REFUSED || rc == ASSAY_MORE;
}

static bool is_for(const struct assay_sim_datagram *d, unsigned node, uint16_t flow)
{
    return d->flow == flow && (d->direction == ASSAY_LINK_UP) == (node == ASSAY_SIM_SERVER);
}

static uint32_t first_parked(const struct assay_sim *sim, unsigned node, uint16_t flow)
{
    uint32_t i = 0;
    while (i < sim->s.parked && !is_for(&sim->parked[i], node, flow))
        i++;
    return i;
}

static void park(struct assay_sim *sim, const struct assay_sim_datagram *d)
{
    if (sim->s.parked < ASSAY_SIM_PARKED_MAX) /* else lost, as where a socket has no room */
        sim->parked[sim->s.parked++] = *d;
}

static void unpark(struct assay_sim *sim, uint32_t i)
{
    sim->s.parked--;
    memmove(&sim->parked[i], &sim->parked[i + 1], (sim->s.parked - i) * sizeof sim->parked[0]);
}

static void make_call(struct assay_sim *sim, unsigned node);

/* Sessions of one engine wait for each other, too (for a row that is being written): all are tried, each in its order.
 */
static void feed_parked(struct assay_sim *sim, unsigned node)
{
    bool waits[ASSAY_SIM_FLOWS_MAX] = {false};
    for (uint32_t i = 0; i < sim->s.parked;) {
        struct assay_sim_datagram d = sim->parked[i];
        if (!is_for(&d, node, node == ASSAY_SIM_SERVER ? d.flow : sim->node[node].flow) || waits[d.flow]) {
            i++;
        } else if (feed(sim, node, &d)) {
            unpark(sim, i);
        } else {
            waits[d.flow] = true;
            i++;
        }
    }
}

/* The engine was told something: what had to wait is tried again. */
static void go_on(struct assay_sim *sim, unsigned node)
{
    if (sim->s.parked)
        feed_parked(sim, node);
    if (sim->node[node].blocked)
        make_call(sim, node);
    if (node == ASSAY_SIM_SERVER)
        give_rows(sim);
    settle(sim, node);
}

void assay_sim_arrive(struct assay_sim *sim, const struct assay_sim_datagram *d)
{
    const struct assay_sim_flow *f = &sim->flow[d->flow];
    unsigned node = d->direction == ASSAY_LINK_UP ? ASSAY_SIM_SERVER : f->client;
    if (!sim->node[node].up || (node != ASSAY_SIM_SERVER && sim->node[node].life != f->life)) {
        if (sim->tracing)
            assay_sim_note(sim,
                           (struct assay_sim_trace){
                               .kind = ASSAY_SIM_T_LOST, .node = f->client, .why = "nobody is there", .datagram = *d});
        return;
    }
    sim->s.deliveries++;
    if (sim->tracing && d->mark)
        assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_ARRIVED, .node = f->client, .datagram = *d});
    bool waits = sim->s.parked && first_parked(sim, node, d->flow) < sim->s.parked;
    if (waits || !feed(sim, node, d)) {
        park(sim, d);
        return;
    }
    if (node == ASSAY_SIM_SERVER || sim->node[node].blocked)
        go_on(sim, node);
}

void assay_sim_tick(struct assay_sim *sim, unsigned node)
{
    assay_sid sid;
    struct assay_engine *e = assay_sim_engine(sim, node);
    if (!assay_due(e, sim->s.now, &sid))
        return;
    uint16_t flow = flow_of(sim, node, sid);
    enum assay_rc rc = assay_tick(e, sid, sim->s.now, ready(sim));
    bool any = harvest(sim, node, flow);
    go_on(sim, node);
    if (!any && (rc == ASSAY_PENDING || rc == ASSAY_FULL) && sim->node[node].deadline <= sim->s.now) {
        sim->s.full = sim->s.full || rc == ASSAY_FULL;
        sim->node[node].deadline = ASSAY_NEVER; /* until something else happens to it */
    }
}

/* ---- effects ----------------------------------------------------------- */

static int64_t complete_later(struct assay_sim *sim, uint32_t order, bool failed)
{
    const struct assay_sim_order *o = &sim->orders.items[order];
    int64_t at = sim->s.now + sim->config.effect - sim->config.effect / 2;
    assay_sim_push(
        sim,
        (struct assay_sim_event){
            .at = at, .kind = ASSAY_SIM_COMPLETE, .node = o->node, .life = o->life, .failed = failed, .what = order});
    return at;
}

static int64_t fail(struct assay_sim *sim, uint32_t order)
{
    const struct assay_sim_order *o = &sim->orders.items[order];
    if (sim->tracing)
        assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_FAILED, .node = o->node, .what = order});
    sim->node[o->node].untold += o->chain;
    return complete_later(sim, order, true);
}

bool assay_sim_doomed(const struct assay_sim *sim, uint32_t order)
{
    const struct assay_sim_order *o = &sim->orders.items[order];
    const struct assay_sim_node *n = &sim->node[o->node];
    return o->chain && (n->untold || order < n->doomed);
}

void assay_sim_store(struct assay_sim *sim, uint32_t order)
{
    const struct assay_sim_order o = sim->orders.items[order];
    if (assay_sim_doomed(sim, order)) {
        fail(sim, order);
        return;
    }
    if (o.node == ASSAY_SIM_SERVER && assay_sim_disk_put(sim, o.effect, o.args))
        note_done(sim, o.node, o.effect, o.args);
    if (o.token)
        complete_later(sim, order, false);
    else
        go_on(sim, o.node); /* nobody waits for it */
}

void assay_sim_fail(struct assay_sim *sim, uint32_t order)
{
    int64_t over = fail(sim, order);
    sim->s.faults++;
    sim->s.failed_effect = true;
    sim->s.last_fault = over > sim->s.last_fault ? over : sim->s.last_fault;
    sim->s.moved = over > sim->s.moved ? over : sim->s.moved;
}

static void tell_failure(struct assay_sim *sim, const struct assay_sim_order *o)
{
    sim->node[o->node].untold -= o->chain;
    if (o->chain)
        sim->node[o->node].doomed = sim->s.orders;
}

/* A client's effect is done, and the program has saved what it would begin with, in one go. */
void assay_sim_complete(struct assay_sim *sim, uint32_t order, bool done)
{
    const struct assay_sim_order o = sim->orders.items[order];
    bool client = o.node != ASSAY_SIM_SERVER;
    enum assay_rc rc = ASSAY_FULL;
    if (client && done)
        note_done(sim, o.node, o.effect, o.args);
    if (!done)
        tell_failure(sim, &o);
    for (bool any = true; any && rc == ASSAY_FULL;) {
        rc = assay_complete(assay_sim_engine(sim, o.node), o.token, sim->s.now, done, ready(sim));
        any = harvest(sim, o.node, o.flow);
    }
    go_on(sim, o.node);
    uint16_t first = client ? sim->model->actors[o.node - 1].acts.first : 0;
    if (client && done && sim->looks[first] && !sim->node[o.node].over)
        sim->node[o.node].saved = assay_sim_act_args(sim, o.node, first);
}

/* ---- calls ------------------------------------------------------------- */

static void make_call(struct assay_sim *sim, unsigned node)
{
    struct assay_sim_node *n = &sim->node[node];
    const struct assay_sim_call *c = &sim->calls.items[n->call];
    uint16_t call = sim->model->acts[c->act].call;
    enum assay_rc rc = ASSAY_FULL;
    for (bool any = true; any && (rc == ASSAY_FULL || rc == ASSAY_TAKE);) {
        struct assay_out *out = ready(sim);
        assay_sim_load_args(sim, sim->model->calls[call].args, c->args, 0);
        rc = assay_call(assay_sim_engine(sim, node), n->sid, sim->s.now, call, sim->values, sim->spans, ASSAY_NEVER,
                        out);
        n->blocked = rc == ASSAY_FULL || rc == ASSAY_PENDING || rc == ASSAY_BUSY;
        any = harvest(sim, node, n->flow);
    }
    if (rc == ASSAY_STALE)
        end_session(sim, node, n->flow);
}

void assay_sim_act(struct assay_sim *sim, unsigned node)
{
    struct assay_sim_node *n = &sim->node[node];
    uint16_t act = n->act++;
    bool again = n->life > 0 && act == sim->model->actors[node - 1].acts.first;
    uint32_t args = again ? n->saved : assay_sim_act_args(sim, node, act);
    if (!ASSAY_SIM_ROOM(sim, sim->calls, sim->s.calls + 1u))
        return;
    sim->calls.items[sim->s.calls] = (struct assay_sim_call){sim->s.now, args, act, n->life, (uint8_t)node};
    n->call = sim->s.calls++;
    n->calling = true;
    sim->s.moved = sim->s.now > sim->s.moved ? sim->s.now : sim->s.moved;
    if (sim->tracing)
        assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_CALL, .node = (uint8_t)node, .what = n->call});
    if (n->over) {
        end_session(sim, node, n->flow);
        return;
    }
    make_call(sim, node);
    go_on(sim, node);
}

/* ---- lives ------------------------------------------------------------- */

static void make_engine(struct assay_sim *sim, unsigned node)
{
    struct assay_config config = sim->engine_config[node];
    uint64_t life = (uint64_t)node << 32 | sim->node[node].life;
    config.secret[0] = assay_sim_mix(sim->seed ^ life << 1);
    config.secret[1] = assay_sim_mix(config.secret[0]);
    if (sim->near_wrap && sim->reliable)
        config.model = &sim->numbered[node == ASSAY_SIM_SERVER].model;
    if (!assay_engine_init(assay_sim_engine(sim, node), sim->engine_size[node], &config))
        sim->memory = true;
    sim->node[node].up = true;
    sim->node[node].untold = 0;
    sim->node[node].deadline = ASSAY_NEVER;
}

void assay_sim_start_server(struct assay_sim *sim)
{
    make_engine(sim, ASSAY_SIM_SERVER);
    assay_sim_disk_load(sim, assay_sim_engine(sim, ASSAY_SIM_SERVER));
    settle(sim, ASSAY_SIM_SERVER);
}

void assay_sim_start_client(struct assay_sim *sim, unsigned node)
{
    struct assay_sim_node *n = &sim->node[node];
    uint16_t first = sim->model->actors[node - 1].acts.first;
    make_engine(sim, node);
    n->flow = 0;
    n->over = n->calling = n->blocked = false;
    enum assay_rc rc = assay_open(assay_sim_engine(sim, node), sim->s.now, &n->sid, ready(sim));
    harvest(sim, node, 0);
    settle(sim, node);
    if (rc != ASSAY_OK && rc != ASSAY_PENDING)
        n->over = true;
    if (n->life == 0)
        n->saved = n->over ? 0 : assay_sim_act_args(sim, node, first);
    next_act(sim, node);
}

static void forget_parked(struct assay_sim *sim, unsigned node)
{
    for (uint32_t i = sim->s.parked; i-- > 0;)
        if (is_for(&sim->parked[i], node, node == ASSAY_SIM_SERVER ? sim->parked[i].flow : sim->node[node].flow))
            unpark(sim, i);
}

void assay_sim_crash(struct assay_sim *sim, unsigned node)
{
    struct assay_sim_node *n = &sim->node[node];
    if (!n->up)
        return;
    assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_CRASH, .node = (uint8_t)node});
    forget_parked(sim, node);
    n->up = false;
    n->deadline = ASSAY_NEVER;
    n->life++;
    if (node == ASSAY_SIM_SERVER) {
        for (uint16_t i = 1; i < sim->s.flows; i++)
            sim->flow[i].sid = 0;
        assay_sim_disk_crash(sim);
    } else {
        note_result(sim, node, ASSAY_SIM_CRASHED);
        n->act = sim->model->actors[node - 1].acts.first;
        n->act_end = (uint16_t)(n->act + 1);
    }
    sim->s.faults++;
    sim->s.moved = sim->s.last_fault = sim->s.now + sim->config.away;
    assay_sim_push(sim, (struct assay_sim_event){
                            .at = sim->s.moved, .kind = ASSAY_SIM_RESTART, .node = (uint8_t)node, .life = n->life});
}
