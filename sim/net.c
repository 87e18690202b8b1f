/* The network: datagrams on their way, and what happens to them. */
#include <string.h>

#include "sim/world.h"

#define SWAP_SPAN 100000000 /* as a link waits for the datagrams that are to pass */

static void lost(struct assay_sim *sim, const struct assay_sim_datagram *d, unsigned faults, const char *why)
{
    if (sim->tracing)
        assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_LOST,
                                                     .node = sim->flow[d->flow].client,
                                                     .faults = (uint8_t)faults,
                                                     .why = why,
                                                     .datagram = *d});
}

/* Those that wait for others to pass: this one did. */
static bool has_gone(struct assay_sim *sim, uint32_t i, const struct assay_sim_datagram *passed)
{
    struct assay_sim_event *e = &sim->events.items[i];
    return e->held && e->kind == ASSAY_SIM_ARRIVE && e->datagram.flow == passed->flow &&
           e->datagram.direction == passed->direction && e->datagram.ordinal != passed->ordinal && --e->held == 0;
}

static void let_go(struct assay_sim *sim, const struct assay_sim_datagram *passed, int64_t at)
{
    uint32_t ready[16], count = 0;
    for (uint32_t i = 0; i < sim->s.events && count < 16; i++)
        if (has_gone(sim, i, passed))
            ready[count++] = sim->events.items[i].datagram.ordinal;
    sim->s.held -= count;
    for (uint32_t n = 0; n < count; n++)
        for (uint32_t i = 0; i < sim->s.events; i++) {
            const struct assay_sim_event *e = &sim->events.items[i];
            if (e->kind == ASSAY_SIM_ARRIVE && e->datagram.mark == ASSAY_SIM_SWAPPED &&
                e->datagram.flow == passed->flow && e->datagram.direction == passed->direction &&
                e->datagram.ordinal == ready[n]) {
                assay_sim_retime(sim, i, at);
                break;
            }
        }
}

static void send(struct assay_sim *sim, struct assay_sim_datagram d, int64_t at, uint16_t held)
{
    sim->s.held += held > 0;
    assay_sim_push(sim, (struct assay_sim_event){.at = at, .kind = ASSAY_SIM_ARRIVE, .held = held, .datagram = d});
}

static void change(struct assay_sim *sim, struct assay_sim_datagram *d, const struct assay_link_fault *f)
{
    uint32_t from = d->where;
    if (!ASSAY_SIM_ROOM(sim, sim->bytes, (uint64_t)sim->s.bytes + d->size))
        return;
    d->where = assay_sim_keep(sim, sim->bytes.items + from, d->size);
    d->mark = ASSAY_SIM_CHANGED;
    if (f->kind == ASSAY_LINK_TRUNCATE)
        d->size = f->size < d->size ? (uint32_t)f->size : d->size;
    else if (f->size < d->size)
        sim->bytes.items[d->where + f->size] ^= f->mask;
}

struct way {
    int64_t at, again; /* arrival; of the copy, or ASSAY_NEVER */
    uint16_t held;
    bool lost;
};

static void meet(struct assay_sim *sim, struct assay_sim_datagram *d, const struct assay_link_fault *f, struct way *way)
{
    if (f->kind == ASSAY_LINK_DROP)
        way->lost = true;
    else if (f->kind == ASSAY_LINK_CORRUPT || f->kind == ASSAY_LINK_TRUNCATE)
        change(sim, d, f);
    else if (f->kind == ASSAY_LINK_DELAY)
        way->at += f->span;
    else if (f->kind == ASSAY_LINK_DUPLICATE)
        way->again = f->span;
    else if (f->kind == ASSAY_LINK_SWAP)
        way->held = f->size ? (uint16_t)f->size : 1;
    if (f->kind == ASSAY_LINK_DELAY)
        d->mark = ASSAY_SIM_LATE;
    if (f->kind == ASSAY_LINK_SWAP) {
        d->mark = ASSAY_SIM_SWAPPED;
        way->at += f->span ? f->span : SWAP_SPAN;
    }
}

/* The client that had this address has crashed, and will not come back to it. */
static bool for_nobody(const struct assay_sim *sim, const struct assay_sim_datagram *d)
{
    const struct assay_sim_flow *f = &sim->flow[d->flow];
    return d->direction == ASSAY_LINK_DOWN && sim->node[f->client].life != f->life;
}

static void note_fault(struct assay_sim *sim, uint32_t count, int64_t over)
{
    sim->s.faults += count;
    sim->s.last_fault = over > sim->s.last_fault ? over : sim->s.last_fault;
    sim->s.moved = over > sim->s.moved ? over : sim->s.moved;
}

void assay_sim_launch(struct assay_sim *sim, const struct assay_link_fault *const *faults, size_t count)
{
    struct assay_sim_datagram d = sim->box.items[sim->s.box_head++];
    struct way way = {.at = sim->s.now + sim->config.latency, .again = ASSAY_NEVER};
    unsigned met = 0;
    sim->s.datagrams++;
    for (size_t i = 0; i < count; i++) {
        met |= 1u << faults[i]->kind >> ASSAY_LINK_DROP;
        meet(sim, &d, faults[i], &way);
    }
    if (count)
        note_fault(sim, (uint32_t)count, way.at + (way.again == ASSAY_NEVER ? 0 : way.again));
    if (way.lost || sim->s.blackout || for_nobody(sim, &d)) {
        lost(sim, &d, met, for_nobody(sim, &d) ? "nobody is there" : "lost");
        sim->s.astray += for_nobody(sim, &d);
        return;
    }
    if (sim->tracing)
        assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_SENT,
                                                     .node = sim->flow[d.flow].client,
                                                     .faults = (uint8_t)met,
                                                     .datagram = d});
    send(sim, d, way.at, way.held);
    if (way.again != ASSAY_NEVER) {
        struct assay_sim_datagram copy = d;
        copy.mark = ASSAY_SIM_COPY;
        send(sim, copy, way.at + way.again, 0);
    }
    if (sim->s.held > (way.held > 0))
        let_go(sim, &d, way.at);
}

void assay_sim_settle(const struct assay_sim *sim, struct assay_link_fault *fault)
{
    const struct assay_sim_datagram *d = &sim->box.items[sim->s.box_head];
    uint64_t draw = sim->seed;
    for (uint32_t i = 0; i < d->size; i++)
        draw = (draw ^ sim->bytes.items[d->where + i]) * 0x100000001b3u;
    draw = assay_sim_mix(draw);
    fault->flow = d->flow;
    fault->direction = d->direction;
    fault->at = d->ordinal;
    if (fault->kind == ASSAY_LINK_CORRUPT && fault->mask == 0) {
        fault->size = d->size ? draw % d->size : 0;
        fault->mask = (uint8_t)(1u << (draw >> 32 & 7));
    }
}
