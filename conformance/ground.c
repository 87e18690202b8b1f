#include <stdlib.h>
#include <string.h>

#include "conformance/ground.h"
#include "conformance/side.h"

#define INPUT_MAX 8192u /* longer ones are tried only where little was sent */

/* The model beside itself: so its own output is seen as a mutant's is. */
struct builder {
    struct assay_ground *g;
    struct assay_belief_world twin;
    struct assay_lockstep lockstep;
    struct assay_belief **twins; /* by spot */
};

bool assay_ground_applies(const struct assay_ground *g, const struct assay_belief *right, bool root,
                          const struct assay_stimulus *s)
{
    const struct assay_model *model = g->world.config.model;
    if (s->lapse)
        return (!root || g->rooted) && assay_deadline(right->engine) != ASSAY_NEVER;
    if (s->call && model->calls[s->call->call].opens != ASSAY_NONE)
        return root;
    if (s->call)
        return !right->calling && (!root || g->rooted || g->world.datagrams);
    if (s->bytes.n > INPUT_MAX && right->out.n > 64)
        return false;
    return g->rooted || (!root && (!g->world.datagrams || right->chunk_count > 0));
}

/* Timers that no rule takes, and what a call waits for, leave no trace. */
static uint64_t lapsing(const struct assay_model *model)
{
    uint64_t events = assay_fold(ASSAY_EV_GIVEN_UP) | assay_fold(ASSAY_EV_AWAITED);
    for (uint16_t i = 0; i < model->timers_count; i++)
        events |= assay_fold(model->timers[i].event);
    return events;
}

static struct assay_met met_by(const struct assay_belief *from, const struct assay_belief *to,
                               const struct assay_stimulus *s)
{
    const struct assay_model *model = to->world->config.model;
    struct assay_met met = {.events = to->met | (s->lapse ? lapsing(model) : 0),
                            .state = assay_state(from->engine, from->sid),
                            .many = to->steps > 1 || s->lapse,
                            .called = s->call,
                            .failed = to->faulted};
    assay_running(from->engine, from->sid, &met.wait);
    for (uint32_t i = from->chunk_count; i < to->chunk_count; i++)
        met.messages |= assay_fold(to->chunks[i].message);
    return met;
}

static uint32_t find(const struct assay_ground *g, uint64_t key, uint64_t place)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->spots[i].key == key)
            return i;
        same += g->spots[i].place == place;
    }
    return same >= ASSAY_SAME_PLACE_MAX ? ASSAY_GROUND_MAX : g->count;
}

/* Takes both of the pair; parent ASSAY_GROUND_MAX: it cannot be judged. Returns the spot, ASSAY_GROUND_MAX: none was
 * kept. */
static uint32_t settle(struct builder *b, struct assay_pair *pair, uint32_t parent, size_t input)
{
    struct assay_ground *g = b->g;
    uint64_t key = assay_standing(&g->world, pair->right, false, ASSAY_STANDING_START),
             place = assay_place(pair->right);
    bool over = pair->right->ended || pair->right->in.n || parent == ASSAY_GROUND_MAX;
    uint32_t at = over ? ASSAY_GROUND_MAX : find(g, key, place);
    g->capped = g->capped || g->count == ASSAY_GROUND_MAX;
    if (at != g->count || at == ASSAY_GROUND_MAX) {
        assay_belief_free(pair->right);
        assay_belief_free(pair->mutant);
        return at < g->count ? at : ASSAY_GROUND_MAX;
    }
    uint32_t depth = at ? g->spots[parent].depth + 1 : 0;
    g->spots[at] = (struct assay_spot){pair->right, key, place, parent, (uint32_t)input, depth};
    b->twins[at] = pair->mutant;
    return g->count++;
}

/* A link of datagrams begins with the first one. */
static bool makes_no_link(const struct assay_ground *g, uint32_t spot, const struct assay_stimulus *s,
                          const struct assay_belief *right)
{
    return !g->rooted && g->world.datagrams && spot == 0 && s->call && right->chunk_count == 0;
}

static bool expand(struct builder *b, uint32_t spot)
{
    struct assay_ground *g = b->g;
    size_t n = g->stimuli->count;
    struct assay_edge *more = realloc(g->edges, (spot + 1u) * (n + 1) * sizeof *more);
    if (!more)
        return false;
    g->edges = more;
    for (size_t i = 0; i < n; i++) {
        const struct assay_stimulus *s = &g->stimuli->items[i];
        struct assay_belief *from = g->spots[spot].right;
        struct assay_edge *edge = &g->edges[spot * n + i];
        *edge = (struct assay_edge){.next = ASSAY_GROUND_MAX};
        if (!assay_ground_applies(g, from, spot == 0, s))
            continue;
        struct assay_pair pair = {assay_belief_copy(&g->world, from), assay_belief_copy(&b->twin, b->twins[spot])};
        if (!pair.right || !pair.mutant)
            return false;
        pair.right->met = 0;
        pair.right->steps = 0;
        pair.right->faulted = false;
        assay_lockstep_give(&b->lockstep, &pair, assay_all_of(s));
        edge->tried = !makes_no_link(g, spot, s, pair.right);
        edge->met = met_by(from, pair.right, s);
        edge->next = settle(b, &pair, edge->tried ? spot : ASSAY_GROUND_MAX, i);
    }
    return true;
}

static bool open_root(struct builder *b)
{
    struct assay_belief_set right = {0}, twin = {0};
    if (!assay_beliefs_open(&b->g->world, &right, 0) || !assay_beliefs_open(&b->twin, &twin, 0))
        return false;
    struct assay_pair pair = {right.items[0], twin.items[0]};
    while (right.count > 1)
        assay_belief_free(right.items[--right.count]);
    while (twin.count > 1)
        assay_belief_free(twin.items[--twin.count]);
    assay_lockstep_same(&b->lockstep, &pair, 0);
    settle(b, &pair, 0, 0);
    return true;
}

bool assay_ground_make(struct assay_ground *g, const struct assay_oracle_config *right,
                       const struct assay_stimuli *stimuli, bool observed)
{
    struct builder b = {.g = g};
    struct assay_oracle_config twin = *right;
    twin.target = true;
    g->stimuli = stimuli;
    g->spots = calloc(ASSAY_GROUND_MAX, sizeof *g->spots);
    b.twins = calloc(ASSAY_GROUND_MAX, sizeof *b.twins);
    b.lockstep = (struct assay_lockstep){&g->world, &b.twin, observed};
    bool ok =
        g->spots && b.twins && assay_belief_world_init(&g->world, right) && assay_belief_world_init(&b.twin, &twin);
    g->rooted = ok && (observed || assay_has_bare_links(right->model, right->machine));
    ok = ok && open_root(&b);
    for (uint32_t i = 0; ok && i < g->count; i++)
        ok = expand(&b, i);
    for (uint32_t i = 0; b.twins && i < g->count; i++)
        assay_belief_free(b.twins[i]);
    free(b.twins);
    assay_belief_world_free(&b.twin);
    return ok;
}

void assay_ground_free(struct assay_ground *g)
{
    for (uint32_t i = 0; i < g->count; i++)
        assay_belief_free(g->spots[i].right);
    free(g->spots);
    free(g->edges);
    assay_belief_world_free(&g->world);
}
