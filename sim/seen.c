#include "sim/seen.h"

#include <stdlib.h>
#include <string.h>

#define SEEN_MOST (1u << 20)

/* ---- hashing ----------------------------------------------------------- */

struct hash {
    uint64_t lanes[4];
};

static uint64_t stir(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9fb21c651e98df25u;
    return h ^ h >> 29;
}

static void add(struct hash *h, uint64_t word)
{
    h->lanes[0] = stir(h->lanes[0], word);
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

static void add_bytes(struct hash *h, const uint8_t *p, uint32_t n)
{
    add(h, n);
    for (; n >= 32; p += 32, n -= 32)
        for (unsigned lane = 0; lane < 4; lane++)
            h->lanes[lane] = stir(h->lanes[lane], word_at(p + 8 * lane));
    for (; n >= 8; p += 8, n -= 8)
        add(h, word_at(p));
    uint64_t rest = 0;
    for (; n > 0; n--)
        rest = rest << 8 | *p++;
    add(h, rest);
}

static uint64_t sum_up(struct hash *h)
{
    for (unsigned i = 1; i < 4; i++)
        add(h, h->lanes[i]);
    return assay_sim_mix(h->lanes[0]);
}

/* Their sizes stand between them. */
static void add_args(const struct assay_sim *sim, struct hash *h, struct assay_range params, uint32_t args)
{
    if (params.count == 0)
        return;
    struct assay_span first = assay_sim_arg(sim, args, 0), last = assay_sim_arg(sim, args, params.count - 1u);
    add_bytes(h, first.p, (uint32_t)(last.p + last.n - first.p));
}

/* ---- the parts of a world ---------------------------------------------- */

static uint64_t engine_key(const struct assay_engine *e)
{
    struct hash h = {{0, 1, 2, 3}};
    struct assay_engine_walk walk = {0};
    struct assay_span part;
    while (assay_engine_part(e, &walk, &part))
        add_bytes(&h, part.p, part.n);
    return sum_up(&h);
}

static void add_engines(struct assay_sim *sim, struct hash *h)
{
    for (unsigned i = 0; i < sim->nodes; i++) {
        if (!sim->node[i].up)
            continue;
        if (sim->keyed[i] != sim->versions[i])
            sim->keys[i] = engine_key(sim->engines[i]);
        sim->keyed[i] = sim->versions[i];
        add(h, sim->keys[i]);
    }
}

static void add_datagram(const struct assay_sim *sim, struct hash *h, const struct assay_sim_datagram *d)
{
    add(h, (uint64_t)d->flow << 16 | (uint64_t)d->direction << 8 | d->mark);
    add_bytes(h, sim->bytes.items + d->where, d->size);
}

static void add_nodes(const struct assay_sim *sim, struct hash *h)
{
    for (unsigned i = 0; i < sim->nodes; i++) {
        const struct assay_sim_node *n = &sim->node[i];
        add(h, n->sid);
        add(h, (uint64_t)n->deadline);
        add(h, n->untold);
        add(h, (uint64_t)n->life << 48 | (uint64_t)n->flow << 32 | (uint64_t)n->act << 16 | n->act_end);
        add(h, (uint64_t)n->up | (uint64_t)n->calling << 1 | (uint64_t)n->blocked << 2 | (uint64_t)n->over << 3);
        if (i != ASSAY_SIM_SERVER) {
            uint16_t call = sim->model->acts[sim->model->actors[i - 1].acts.first].call;
            add_args(sim, h, sim->model->calls[call].args, n->saved);
            add(h, n->calling ? (uint64_t)sim->calls.items[n->call].began : 0);
        }
    }
    for (uint32_t i = 1; i < sim->s.flows; i++) {
        add(h, sim->flow[i].sid);
        add(h, (uint64_t)sim->flow[i].client << 16 | sim->flow[i].life);
    }
}

static void add_order(const struct assay_sim *sim, struct hash *h, uint32_t order)
{
    const struct assay_sim_order *o = &sim->orders.items[order];
    add(h, (uint64_t)o->token << 32 | (uint64_t)o->effect << 16 | o->flow);
    add(h, (uint64_t)o->life << 16 | (uint64_t)o->node << 8 | (uint64_t)o->chain << 1 | assay_sim_doomed(sim, order));
    add_args(sim, h, sim->model->effects[o->effect].args, o->args);
}

static void add_event(const struct assay_sim *sim, struct hash *h, const struct assay_sim_event *e)
{
    add(h, (uint64_t)e->at);
    add(h, (uint64_t)e->failed << 48 | (uint64_t)e->kind << 40 | (uint64_t)e->node << 32 | (uint64_t)e->life << 16 |
               e->held);
    if (e->kind == ASSAY_SIM_ARRIVE)
        add_datagram(sim, h, &e->datagram);
    else if (e->kind == ASSAY_SIM_STORE || e->kind == ASSAY_SIM_COMPLETE)
        add_order(sim, h, e->what);
}

/* In the order in which they will happen, whatever way they stand in the heap. */
static void add_events(const struct assay_sim *sim, struct hash *h)
{
    uint64_t last_order = 0;
    int64_t last = -1;
    for (uint32_t n = 0; n < sim->s.events; n++) {
        const struct assay_sim_event *next = NULL;
        for (uint32_t i = 0; i < sim->s.events; i++) {
            const struct assay_sim_event *e = &sim->events.items[i];
            bool behind = e->at > last || (e->at == last && e->order > last_order);
            if (behind && (!next || e->at < next->at || (e->at == next->at && e->order < next->order)))
                next = e;
        }
        if (!next)
            return;
        last = next->at;
        last_order = next->order;
        add_event(sim, h, next);
    }
}

static void add_waiting(const struct assay_sim *sim, struct hash *h)
{
    add(h, (uint64_t)(sim->s.box_tail - sim->s.box_head) << 32 | sim->s.parked);
    for (uint32_t i = sim->s.box_head; i < sim->s.box_tail; i++)
        add_datagram(sim, h, &sim->box.items[i]);
    for (uint32_t i = 0; i < sim->s.parked; i++)
        add_datagram(sim, h, &sim->parked[i]);
}

/* ---- what only grows --------------------------------------------------- */

static void add_row(const struct assay_sim *sim, struct hash *h, uint16_t log, uint32_t row)
{
    add_args(sim, h, sim->model->logs[log].columns, sim->rows[log].items[row]);
}

static void add_put(const struct assay_sim *sim, struct hash *h, uint16_t list, uint32_t i)
{
    const struct assay_table *t = &sim->model->tables[sim->puts.items[i].table];
    (void)list;
    add_args(sim, h, (struct assay_range){t->key, (uint16_t)(1u + t->columns.count)}, sim->puts.items[i].args);
}

static void add_call(const struct assay_sim *sim, struct hash *h, uint16_t list, uint32_t i)
{
    const struct assay_sim_call *c = &sim->calls.items[i];
    (void)list;
    add(h, (uint64_t)c->act << 32 | (uint64_t)c->life << 8 | c->node);
    add_args(sim, h, sim->model->calls[sim->model->acts[c->act].call].args, c->args);
}

static void add_result(const struct assay_sim *sim, struct hash *h, uint16_t list, uint32_t i)
{
    const struct assay_sim_result *r = &sim->results.items[i];
    (void)list;
    add(h, (uint64_t)r->call << 32 | (uint32_t)r->outcome);
    add(h, r->outcome == ASSAY_CALL_TIMEOUT ? (uint64_t)r->at : 0);
}

static void add_done(const struct assay_sim *sim, struct hash *h, uint16_t list, uint32_t i)
{
    const struct assay_sim_done *d = &sim->dones.items[i];
    (void)list;
    add(h, (uint64_t)d->effect << 8 | d->node);
    add_args(sim, h, sim->model->effects[d->effect].args, d->args);
}

/* What stands in a list from `first` to `count`: only what was added since the last time is looked at. */
static void add_list(const struct assay_sim *sim, struct hash *h, struct assay_sim_summed *summed, uint32_t first,
                     uint32_t count, void (*add_item)(const struct assay_sim *, struct hash *, uint16_t, uint32_t),
                     uint16_t list)
{
    if (summed->first != first || summed->count > count)
        *summed = (struct assay_sim_summed){first, 0, 0};
    for (; summed->count < count; summed->count++) {
        struct hash item = {{summed->key, 1, 2, 3}};
        add_item(sim, &item, list, first + summed->count);
        summed->key = sum_up(&item);
    }
    add(h, summed->key);
}

/* On disk; and calls and effects so far, what promises are about. */
static void add_past(struct assay_sim *sim, struct hash *h)
{
    struct assay_sim_state *s = &sim->s;
    for (uint16_t i = 0; i < sim->model->logs_count; i++)
        add_list(sim, h, &s->summed.rows[i], s->row_first[i], s->row_count[i], add_row, i);
    add_list(sim, h, &s->summed.puts, 0, s->puts, add_put, 0);
    add_list(sim, h, &s->summed.calls, 0, s->calls, add_call, 0);
    add_list(sim, h, &s->summed.results, 0, s->results, add_result, 0);
    add_list(sim, h, &s->summed.dones, 0, s->dones, add_done, 0);
}

/* When the last fault was counts for calls that had begun before it: those that run, or ran out of time. */
static int64_t fault_that_counts(const struct assay_sim *sim)
{
    int64_t began = sim->s.now;
    for (uint32_t i = 0; i < sim->s.results; i++) {
        const struct assay_sim_result *r = &sim->results.items[i];
        if (r->outcome == ASSAY_CALL_TIMEOUT && sim->calls.items[r->call].began < began)
            began = sim->calls.items[r->call].began;
    }
    for (unsigned i = 1; i < sim->nodes; i++)
        if (sim->node[i].calling && sim->calls.items[sim->node[i].call].began < began)
            began = sim->calls.items[sim->node[i].call].began;
    return sim->s.last_fault > began ? sim->s.last_fault : 0;
}

uint64_t assay_sim_world_key(struct assay_sim *sim, uint64_t extra)
{
    struct hash h = {{extra, 1, 2, 3}};
    const struct assay_sim_state *s = &sim->s;
    add(&h, (uint64_t)s->now);
    add(&h, (uint64_t)s->moved);
    add(&h, (uint64_t)fault_that_counts(sim));
    add(&h, (uint64_t)s->quiet);
    add(&h, (uint64_t)s->failed_effect << 2 | (uint64_t)(s->faults > 0) << 1 | s->full);
    add_nodes(sim, &h);
    add_events(sim, &h);
    add_waiting(sim, &h);
    add_past(sim, &h);
    add_engines(sim, &h);
    uint64_t key = sum_up(&h);
    return key ? key : 1;
}

/* ---- the table --------------------------------------------------------- */

static struct assay_sim_seen_entry *slot_of(const struct assay_sim_seen *seen, uint64_t key)
{
    uint32_t i = (uint32_t)key & (seen->capacity - 1);
    while (seen->entries[i].key && seen->entries[i].key != key)
        i = (i + 1) & (seen->capacity - 1);
    return &seen->entries[i];
}

const struct assay_sim_seen_entry *assay_sim_seen_find(const struct assay_sim_seen *seen, uint64_t key)
{
    const struct assay_sim_seen_entry *e = seen->capacity ? slot_of(seen, key) : NULL;
    return e && e->key ? e : NULL;
}

static bool grow(struct assay_sim_seen *seen)
{
    struct assay_sim_seen bigger = {.capacity = seen->capacity ? 2 * seen->capacity : 1024};
    bigger.entries = calloc(bigger.capacity, sizeof *bigger.entries);
    if (!bigger.entries)
        return false;
    for (uint32_t i = 0; i < seen->capacity; i++)
        if (seen->entries[i].key)
            *slot_of(&bigger, seen->entries[i].key) = seen->entries[i];
    bigger.count = seen->count;
    free(seen->entries);
    *seen = bigger;
    return true;
}

void assay_sim_seen_add(struct assay_sim_seen *seen, const struct assay_sim_seen_entry *entry)
{
    if (seen->count >= SEEN_MOST || (2 * seen->count >= seen->capacity && !grow(seen)))
        return;
    struct assay_sim_seen_entry *e = slot_of(seen, entry->key);
    seen->count += e->key == 0;
    *e = *entry;
}

void assay_sim_seen_free(struct assay_sim_seen *seen)
{
    free(seen->entries);
    *seen = (struct assay_sim_seen){0};
}
