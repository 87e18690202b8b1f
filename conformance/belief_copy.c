/* Beliefs: making, copying and freeing them; their buffers. */
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"

/* ---- buffers ----------------------------------------------------------- */

bool assay_grow(void **p, uint32_t *cap, uint32_t need, size_t item)
{
    if (need <= *cap)
        return true;
    uint32_t wanted = *cap ? *cap : 16;
    while (wanted < need)
        wanted *= 2;
    void *bigger = realloc(*p, wanted * item);
    if (!bigger)
        return false;
    *p = bigger;
    *cap = wanted;
    return true;
}

bool assay_buf_reserve(struct assay_bytes_buf *buf, uint32_t cap)
{
    void *p = buf->p;
    bool ok = assay_grow(&p, &buf->cap, cap, 1);
    buf->p = p;
    return ok;
}

bool assay_buf_add(struct assay_bytes_buf *buf, const uint8_t *p, uint32_t n)
{
    if (n == 0)
        return true;
    if (!assay_buf_reserve(buf, buf->n + n))
        return false;
    memcpy(buf->p + buf->n, p, n);
    buf->n += n;
    return true;
}

void assay_buf_drop(struct assay_bytes_buf *buf, uint32_t n)
{
    buf->n -= n;
    if (buf->n && n)
        memmove(buf->p, buf->p + n, buf->n);
}

/* ---- making and copying ------------------------------------------------ */

/* Blocks are large and short-lived: those that were given back serve again. */
static void *take_block(struct assay_belief_world *world)
{
    if (world->spare_count)
        return world->spare[--world->spare_count];
    return malloc(world->engine_size);
}

static void give_block(struct assay_belief_world *world, void *block)
{
    if (block && world->spare_count < ASSAY_BELIEFS_SPARE)
        world->spare[world->spare_count++] = block;
    else
        free(block);
}

void assay_belief_free(struct assay_belief *b)
{
    if (!b)
        return;
    for (uint32_t i = 0; i < b->chunk_count; i++)
        free(b->chunks[i].where);
    free(b->chunks);
    free(b->choices.stances);
    free(b->effects);
    free(b->effects_bytes.p);
    free(b->in.p);
    free(b->out.p);
    assay_tale_free(&b->tale);
    free(b->kept.p);
    free(b->learned.p);
    free(b->rows.p);
    free(b->vars.p);
    give_block(b->world, b->engine);
    free(b);
}

void assay_beliefs_clear(struct assay_belief_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        assay_belief_free(set->items[i]);
    set->count = 0;
}

static bool copy_buf(struct assay_bytes_buf *to, const struct assay_bytes_buf *from)
{
    *to = (struct assay_bytes_buf){0};
    return assay_buf_add(to, from->p, from->n);
}

static bool copy_chunks(struct assay_belief *to, const struct assay_belief *from)
{
    to->chunks = NULL;
    to->chunk_cap = to->chunk_count = 0;
    if (!assay_grow((void **)&to->chunks, &to->chunk_cap, from->chunk_count + 1, sizeof *to->chunks))
        return false;
    for (uint32_t i = 0; i < from->chunk_count; i++) {
        to->chunks[i] = from->chunks[i];
        if (!from->chunks[i].where)
            continue;
        to->chunks[i].where = malloc(ASSAY_SLOTS_MAX * sizeof(uint16_t));
        if (!to->chunks[i].where)
            return false;
        memcpy(to->chunks[i].where, from->chunks[i].where, ASSAY_SLOTS_MAX * sizeof(uint16_t));
        to->chunk_count = i + 1;
    }
    to->chunk_count = from->chunk_count;
    return true;
}

static bool copy_effects(struct assay_belief *to, const struct assay_belief *from)
{
    to->effects = NULL;
    to->effect_cap = to->effect_count = 0;
    if (!assay_grow((void **)&to->effects, &to->effect_cap, from->effect_count + 1, sizeof *to->effects))
        return false;
    if (from->effect_count)
        memcpy(to->effects, from->effects, from->effect_count * sizeof *to->effects);
    to->effect_count = from->effect_count;
    return copy_buf(&to->effects_bytes, &from->effects_bytes);
}

static bool copy_stances(const struct assay_belief_world *world, struct assay_belief *to,
                         const struct assay_belief *from)
{
    uint16_t rules = world->config.model->rules_count;
    if (!world->shoulds)
        return true;
    to->choices.stances = calloc(rules, 1);
    if (to->choices.stances && from)
        memcpy(to->choices.stances, from->choices.stances, rules);
    return to->choices.stances;
}

struct assay_belief *assay_belief_new(struct assay_belief_world *world)
{
    struct assay_belief *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->forked = b->clock = INT64_MIN;
    b->last_rule = ASSAY_NONE;
    b->last_state = world->config.model->machines[world->config.machine].start;
    b->world = world;
    b->engine = take_block(world);
    void *mem = b->engine;
    if (!mem || !assay_engine_init(mem, world->engine_size, &world->config) || !copy_stances(world, b, NULL)) {
        assay_belief_free(b);
        return NULL;
    }
    assay_choose(b->engine, &b->choices);
    return b;
}

struct assay_belief *assay_belief_copy(struct assay_belief_world *world, const struct assay_belief *from)
{
    struct assay_belief *to = malloc(sizeof *to);
    if (!to)
        return NULL;
    *to = *from;
    to->engine = take_block(world);
    to->chunks = NULL;
    to->effects = NULL;
    to->choices.stances = NULL;
    to->in = to->out = to->effects_bytes = (struct assay_bytes_buf){0};
    to->tale = (struct assay_tale){0};
    to->kept = to->learned = to->rows = to->vars = (struct assay_bytes_buf){0};
    if (!to->engine || !copy_chunks(to, from) || !copy_effects(to, from) || !copy_buf(&to->in, &from->in) ||
        !copy_buf(&to->out, &from->out) || !assay_tale_copy(&to->tale, &from->tale) ||
        !copy_buf(&to->kept, &from->kept) || !copy_buf(&to->learned, &from->learned) ||
        !copy_buf(&to->rows, &from->rows) || !copy_buf(&to->vars, &from->vars) || !copy_stances(world, to, from)) {
        assay_belief_free(to);
        return NULL;
    }
    assay_engine_copy(to->engine, from->engine);
    assay_choose(to->engine, &to->choices);
    to->choices.picks = to->choices.met = 0;
    return to;
}

bool assay_beliefs_add(struct assay_belief_set *set, struct assay_belief *belief)
{
    if (!belief)
        return false;
    if (set->count == ASSAY_BELIEFS_MAX) {
        set->overflow = true;
        assay_belief_free(belief);
        return false;
    }
    set->items[set->count++] = belief;
    return true;
}
