/* What was seen against what a belief sent. */
#include <string.h>

#include "conformance/belief.h"
#include "conformance/side.h"
#include "core/code.h"

enum verdict { MATCHES, WAITS, DIFFERS };

static uint16_t frame_out(const struct assay_belief_world *world)
{
    return world->config.model->machines[world->config.machine].frame_out;
}

static uint8_t role_of(const struct assay_belief_world *world)
{
    return assay_target_role(world->config.model, world->config.machine);
}

static bool delimited(struct assay_belief_world *world, struct assay_span sent)
{
    assay_lens_clear(&world->lens);
    struct assay_frame_found f = assay_frame_find(&world->lens.env, frame_out(world), role_of(world), sent, 0, false);
    return f.status == ASSAY_FRAME_WHOLE && f.size == sent.n;
}

static enum verdict match_exact(struct assay_span sent, struct assay_span seen)
{
    uint32_t n = sent.n < seen.n ? sent.n : seen.n;
    if (n && memcmp(sent.p, seen.p, n) != 0)
        return DIFFERS;
    return n == sent.n ? MATCHES : WAITS;
}

static bool decode_as(struct assay_lens *lens, uint16_t frame, uint8_t from, uint16_t message,
                      struct assay_span content)
{
    assay_lens_clear(lens);
    lens->env.frame = content.p;
    struct assay_decoded d = assay_decode(&lens->env, frame, from, content);
    return d.message == message && d.event == lens->env.model->messages[message].event;
}

/* Free fields as their `where` says; the message has been decoded. */
static bool free_hold(struct assay_belief_world *world, const struct assay_belief *b, const struct assay_chunk *c)
{
    for (unsigned i = 0; i < ASSAY_SLOTS_MAX; i++)
        if ((c->free >> i & 1) && c->where && c->where[i] != ASSAY_NONE &&
            !assay_belief_vars_hold(world, b, c->vars_at, c->where[i]))
            return false;
    return true;
}

static bool same_value(const struct assay_env *x, const struct assay_env *y, const struct assay_field *f)
{
    bool in_x = x->known >> f->slot & 1, in_y = y->known >> f->slot & 1;
    if (!in_x || !in_y)
        return in_x == in_y;
    if (x->model->types[f->type].kind < ASSAY_T_BYTES)
        return x->slots[f->slot] == y->slots[f->slot];
    struct assay_span a = assay_bytes(x, x->slots[f->slot]), b = assay_bytes(y, y->slots[f->slot]);
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Fields that are neither free nor computed from what may be. */
static bool fixed_same(const struct assay_env *x, const struct assay_env *y, struct assay_range fields, uint16_t body,
                       uint64_t free)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &x->model->fields[i];
        if (f->slot == ASSAY_NONE || i == body || f->is != ASSAY_NONE || (free >> f->slot & 1))
            continue;
        if (!same_value(x, y, f))
            return false;
    }
    return true;
}

static bool rest_same(struct assay_belief_world *world, const struct assay_chunk *c)
{
    const struct assay_model *model = world->config.model;
    const struct assay_frame *frame = &model->frames[frame_out(world)];
    const struct assay_env *seen = &world->lens.env, *sent = &world->other.env;
    return fixed_same(seen, sent, frame->fields, frame->body, c->free) &&
           fixed_same(seen, sent, model->messages[c->message].fields, ASSAY_NONE, c->free);
}

static bool fits(struct assay_belief_world *world, const struct assay_belief *b, const struct assay_chunk *c,
                 struct assay_span sent, struct assay_span content, bool undelimited)
{
    uint16_t frame = frame_out(world);
    assay_lens_clear(&world->other);
    struct assay_frame_found f = assay_frame_find(&world->other.env, frame, role_of(world), sent, 0, undelimited);
    uint32_t n = f.status == ASSAY_FRAME_WHOLE ? f.content : sent.n;
    return decode_as(&world->other, frame, role_of(world), c->message, (struct assay_span){sent.p, n}) &&
           decode_as(&world->lens, frame, role_of(world), c->message, content) && free_hold(world, b, c) &&
           rest_same(world, c);
}

/* A free message whose frame tells its end. */
static enum verdict match_frame(struct assay_belief_world *world, const struct assay_belief *b,
                                const struct assay_chunk *c, struct assay_span sent, struct assay_span seen,
                                uint32_t *size)
{
    assay_lens_clear(&world->lens);
    struct assay_frame_found f = assay_frame_find(&world->lens.env, frame_out(world), role_of(world), seen, 0, false);
    *size = (uint32_t)f.size;
    if (f.status == ASSAY_FRAME_PARTIAL)
        return WAITS;
    bool ok = f.status == ASSAY_FRAME_WHOLE && fits(world, b, c, sent, (struct assay_span){seen.p, f.content}, false);
    return ok ? MATCHES : DIFFERS;
}

/* One whose end nothing tells: exact if more follows, else all that there is may be it. */
static enum verdict match_open(struct assay_belief_world *world, struct assay_belief *b, const struct assay_chunk *c,
                               struct assay_span sent, struct assay_span seen)
{
    if (b->chunk + 1 < b->chunk_count)
        return match_exact(sent, seen);
    b->tentative = fits(world, b, c, sent, seen, true);
    return WAITS;
}

static enum verdict match_chunk(struct assay_belief_world *world, struct assay_belief *b, const struct assay_chunk *c,
                                struct assay_span seen, uint32_t *size)
{
    struct assay_span sent = {b->out.p + c->at, c->size};
    *size = c->size;
    if (!c->free)
        return match_exact(sent, seen);
    if (!delimited(world, sent))
        return match_open(world, b, c, sent, seen);
    return match_exact(sent, seen) == MATCHES ? MATCHES : match_frame(world, b, c, sent, seen, size);
}

static bool is_datagram(struct assay_belief_world *world, struct assay_belief *b, struct assay_chunk *c,
                        struct assay_span seen)
{
    struct assay_span sent = {b->out.p + c->at, c->size};
    if (seen.n == sent.n && (seen.n == 0 || memcmp(seen.p, sent.p, seen.n) == 0))
        return true;
    if (c->free)
        return fits(world, b, c, sent, seen, true);
    return world->config.marked && assay_belief_learns(world, b, c, seen);
}

/* Each datagram seen is one message: of each kind the first that was not seen, of acknowledgements any, or a copy of
 * one that was. */
static bool matches_datagram(struct assay_belief_world *world, struct assay_belief *b, struct assay_span seen)
{
    bool behind[3] = {false};
    bool first = false;
    for (uint32_t i = b->chunk; !first && i < b->chunk_count; i++) {
        struct assay_chunk *c = &b->chunks[i];
        if (c->seen || behind[c->kind])
            continue;
        first = is_datagram(world, b, c, seen);
        if (first)
            assay_copies_first(world, b, c);
        behind[c->kind] = c->kind != ASSAY_CHUNK_ACK;
    }
    if (!first && !assay_copies_seen(world, b, seen))
        return false;
    b->cursor += seen.n;
    while (b->chunk < b->chunk_count && b->chunks[b->chunk].seen)
        b->chunk++;
    return true;
}

static bool matches_stream(struct assay_belief_world *world, struct assay_belief *b, struct assay_span seen)
{
    b->tentative = false;
    while (b->chunk < b->chunk_count && b->cursor < seen.n) {
        uint32_t size;
        struct assay_span rest = {seen.p + b->cursor, seen.n - b->cursor};
        enum verdict v = match_chunk(world, b, &b->chunks[b->chunk], rest, &size);
        if (v != MATCHES)
            return v == WAITS;
        b->cursor += size;
        b->chunk++;
    }
    return b->cursor == seen.n;
}

bool assay_belief_matches(struct assay_belief_world *world, struct assay_belief *b, struct assay_span seen)
{
    if (!world->datagrams)
        return matches_stream(world, b, seen);
    return matches_datagram(world, b, (struct assay_span){seen.p + b->cursor, seen.n - b->cursor});
}

bool assay_belief_satisfied(const struct assay_belief *b)
{
    return b->chunk + (b->tentative ? 1u : 0u) == b->chunk_count && !assay_copies_overdue(b);
}

bool assay_belief_told_all(const struct assay_belief *b)
{
    return b->told_seen == b->tale.count;
}
