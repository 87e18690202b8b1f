/* The memory of a world: lists that grow, events by time, snapshots. */
#include <stdlib.h>
#include <string.h>

#include "sim/world.h"

/* ---- lists ------------------------------------------------------------- */

bool assay_sim_grow(struct assay_sim *sim, void **items, uint32_t *capacity, uint64_t need, size_t size)
{
    uint64_t cap = *capacity ? *capacity : 64;
    while (cap < need)
        cap *= 2;
    void *grown = cap <= UINT32_MAX ? realloc(*items, cap * size) : NULL;
    if (!grown) {
        sim->memory = true;
        return false;
    }
    *items = grown;
    *capacity = (uint32_t)cap;
    return true;
}

uint32_t assay_sim_keep(struct assay_sim *sim, const void *p, uint32_t n)
{
    uint32_t where = sim->s.bytes;
    if (!ASSAY_SIM_ROOM(sim, sim->bytes, (uint64_t)where + n))
        return where;
    if (n)
        memcpy(sim->bytes.items + where, p, n);
    sim->s.bytes += n;
    return where;
}

void assay_sim_note(struct assay_sim *sim, struct assay_sim_trace trace)
{
    if (!sim->tracing || !ASSAY_SIM_ROOM(sim, sim->trace, sim->s.trace + 1u))
        return;
    trace.at = sim->s.now;
    sim->trace.items[sim->s.trace++] = trace;
}

uint64_t assay_sim_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* ---- events ------------------------------------------------------------ */

static bool earlier(const struct assay_sim_event *a, const struct assay_sim_event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void sift_up(struct assay_sim_event *heap, uint32_t i)
{
    struct assay_sim_event event = heap[i];
    for (; i > 0 && earlier(&event, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = event;
}

static void sift_down(struct assay_sim_event *heap, uint32_t count, uint32_t i)
{
    struct assay_sim_event event = heap[i];
    for (uint32_t child; (child = 2 * i + 1) < count; i = child) {
        child += child + 1 < count && earlier(&heap[child + 1], &heap[child]);
        if (!earlier(&heap[child], &event))
            break;
        heap[i] = heap[child];
    }
    heap[i] = event;
}

void assay_sim_push(struct assay_sim *sim, struct assay_sim_event event)
{
    if (!ASSAY_SIM_ROOM(sim, sim->events, sim->s.events + 1u))
        return;
    event.order = ++sim->s.order;
    sim->events.items[sim->s.events] = event;
    sift_up(sim->events.items, sim->s.events++);
}

struct assay_sim_event assay_sim_pop(struct assay_sim *sim)
{
    struct assay_sim_event *heap = sim->events.items, first = heap[0];
    heap[0] = heap[--sim->s.events];
    if (sim->s.events)
        sift_down(heap, sim->s.events, 0);
    return first;
}

void assay_sim_retime(struct assay_sim *sim, uint32_t index, int64_t at)
{
    struct assay_sim_event *heap = sim->events.items;
    heap[index].at = at;
    heap[index].order = ++sim->s.order;
    sift_up(heap, index);
    sift_down(heap, sim->s.events, index);
}

/* ---- snapshots --------------------------------------------------------- */

static bool make_room(struct assay_sim *sim, struct assay_sim_snapshot *to)
{
    bool ok = true;
    for (unsigned i = 0; i < sim->nodes && ok; i++)
        ok = to->engines[i] || (to->engines[i] = aligned_alloc(64, (sim->engine_size[i] + 63) & ~(size_t)63));
    ok = ok && (sim->s.events <= to->events_cap ||
                assay_sim_grow(sim, (void **)&to->events, &to->events_cap, sim->s.events, sizeof *to->events));
    ok = ok && (sim->s.flows <= to->flows_cap ||
                assay_sim_grow(sim, (void **)&to->flows, &to->flows_cap, sim->s.flows, sizeof *to->flows));
    ok = ok && (sim->s.parked <= to->parked_cap ||
                assay_sim_grow(sim, (void **)&to->parked, &to->parked_cap, sim->s.parked, sizeof *to->parked));
    sim->memory = sim->memory || !ok;
    return ok;
}

static struct assay_sim_snapshot *snapshot_at(struct assay_sim *sim, unsigned level)
{
    if (level >= sim->snapshots_count) {
        struct assay_sim_snapshot *grown = realloc(sim->snapshots, (level + 1u) * sizeof *grown);
        if (!grown) {
            sim->memory = true;
            return NULL;
        }
        memset(grown + sim->snapshots_count, 0, (level + 1u - sim->snapshots_count) * sizeof *grown);
        sim->snapshots = grown;
        sim->snapshots_count = level + 1u;
    }
    return &sim->snapshots[level];
}

static void copy(void *to, const void *from, size_t count, size_t size)
{
    if (count)
        memcpy(to, from, count * size);
}

/* Those to which nothing was done in the meantime are the same already. */
static void move_engine(struct assay_engine *to, uint64_t *version, const struct assay_engine *from, uint64_t its)
{
    if (*version != its)
        assay_engine_copy(to, from);
    *version = its;
}

bool assay_sim_save(struct assay_sim *sim, unsigned level)
{
    struct assay_sim_snapshot *to = snapshot_at(sim, level);
    if (!to || !make_room(sim, to))
        return false;
    to->state = sim->s;
    copy(to->nodes, sim->node, sim->nodes, sizeof *to->nodes);
    copy(to->flows, sim->flow, sim->s.flows, sizeof *to->flows);
    copy(to->parked, sim->parked, sim->s.parked, sizeof *to->parked);
    copy(to->events, sim->events.items, sim->s.events, sizeof *to->events);
    for (unsigned i = 0; i < sim->nodes; i++)
        move_engine(to->engines[i], &to->versions[i], sim->engines[i], sim->versions[i]);
    return true;
}

void assay_sim_restore(struct assay_sim *sim, unsigned level)
{
    const struct assay_sim_snapshot *from = &sim->snapshots[level];
    sim->s = from->state;
    copy(sim->node, from->nodes, sim->nodes, sizeof *from->nodes);
    copy(sim->flow, from->flows, sim->s.flows, sizeof *from->flows);
    copy(sim->parked, from->parked, sim->s.parked, sizeof *from->parked);
    copy(sim->events.items, from->events, sim->s.events, sizeof *from->events);
    for (unsigned i = 0; i < sim->nodes; i++)
        move_engine(sim->engines[i], &sim->versions[i], from->engines[i], from->versions[i]);
}

/* ---- the beginning ----------------------------------------------------- */

void assay_sim_begin(struct assay_sim *sim, uint64_t seed, bool near_wrap)
{
    sim->s = (struct assay_sim_state){.quiet = ASSAY_NEVER, .flows = 1};
    memset(sim->node, 0, sizeof sim->node);
    memset(sim->flow, 0, sizeof sim->flow[0]);
    sim->seed = seed;
    sim->near_wrap = near_wrap;
    assay_sim_start_server(sim);
    for (unsigned i = 1; i < sim->nodes; i++) {
        const struct assay_actor *actor = &sim->model->actors[i - 1];
        sim->node[i].act = actor->acts.first;
        sim->node[i].act_end = (uint16_t)(actor->acts.first + actor->acts.count);
        assay_sim_start_client(sim, i);
    }
}
