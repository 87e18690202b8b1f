/* What a target sends again: messages that were not acknowledged, byte for byte, after pauses that grow; and its own
 * acknowledgements, which may be merged. The model's copies are not expected when it makes them: each pause counts from
 * when the last copy was seen. */
#include <string.h>

#include "conformance/belief.h"
#include "core/sums.h"

#define PERCENT 100

static int64_t share(int64_t ns, int64_t percent)
{
    int64_t product;
    return __builtin_mul_overflow(ns, percent, &product) ? ns / PERCENT * percent : product / PERCENT;
}

static int64_t sum_of(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

static struct assay_span bytes_of(const struct assay_belief *b, const struct assay_chunk *c)
{
    return (struct assay_span){b->out.p + c->at, c->size};
}

static bool same(struct assay_span x, struct assay_span y)
{
    return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

/* ---- what the model put out ------------------------------------------------ */

bool assay_copies_note(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    struct assay_span bytes = {b->out.p + event->sent.at, event->sent.size};
    if (!event->sent.again || event->sent.message == world->reliable->ack)
        return false;
    if (b->learned.n) { /* the engine has put what was learned into it, but not its sum */
        uint16_t frame = world->config.model->machines[world->config.machine].frame_out;
        assay_lens_clear(&world->other);
        assay_sum_again(&world->other.env, frame, b->out.p + event->sent.at, event->sent.size);
    }
    for (uint32_t i = 0; i < b->chunk_count; i++)
        if (b->chunks[i].kind == ASSAY_CHUNK_RELIABLE && !b->chunks[i].over && same(bytes_of(b, &b->chunks[i]), bytes))
            return true;
    return false;
}

static void stop(struct assay_chunk *c, int64_t now)
{
    if (c->stopped_at == ASSAY_NEVER)
        c->stopped_at = now;
}

void assay_copies_count(struct assay_belief_world *world, struct assay_belief *b)
{
    struct assay_waiting w;
    bool there = world->reliable && assay_waiting(b->engine, b->sid, &w);
    if (!world->reliable)
        return;
    for (uint32_t i = 0; i < b->chunk_count; i++) {
        struct assay_chunk *c = &b->chunks[i];
        if (c->kind != ASSAY_CHUNK_RELIABLE || c->over)
            continue;
        c->over = !there || c->numbering != w.numbering;
        bool stops = c->over || c->count < w.first_sent;
        if (stops && c->stopped_at == ASSAY_NEVER)
            c->given_up = there && b->clock >= b->gives_up;
        if (stops)
            stop(c, b->clock);
    }
    b->gives_up = there ? w.gives_up : ASSAY_NEVER;
}

int64_t assay_copies_due(const struct assay_belief *b)
{
    struct assay_waiting w;
    if (!b->world->reliable || b->world->target || !b->open || b->ended || !assay_waiting(b->engine, b->sid, &w))
        return ASSAY_NEVER;
    return w.again < w.gives_up ? w.again : ASSAY_NEVER;
}

bool assay_gives_up_at(const struct assay_belief *b, int64_t due)
{
    struct assay_waiting w;
    return b->world->reliable && assay_waiting(b->engine, b->sid, &w) && w.gives_up == due;
}

/* ---- what was seen --------------------------------------------------------- */

/* Those that are older, and those that say the same, need not come any more. Those that say the same still may, which
 * of them ever it was that came; those that say less may not. */
static void merge_acks(struct assay_belief *b, struct assay_chunk *chunk)
{
    bool behind = false;
    chunk->copies = 1;
    for (uint32_t i = 0; i < b->chunk_count; i++) {
        struct assay_chunk *c = &b->chunks[i];
        if (c == chunk)
            behind = true;
        if (c == chunk || c->kind != ASSAY_CHUNK_ACK || (c->seen && c->copies == 0))
            continue;
        bool alike = same(bytes_of(b, c), bytes_of(b, chunk));
        if (!behind && c->seen) {
            chunk->copies += alike ? c->copies : 0;
            c->copies = 0;
        } else if (!c->seen && (!behind || alike)) {
            c->seen = true;
            chunk->copies++;
        }
    }
}

void assay_copies_first(struct assay_belief_world *world, struct assay_belief *b, struct assay_chunk *c)
{
    c->seen = true;
    if (c->kind == ASSAY_CHUNK_ACK)
        merge_acks(b, c);
    c->seen_at = world->now;
    c->pause = world->pause_first;
}

static int64_t grown(const struct assay_belief_world *world, int64_t pause)
{
    int64_t next = share(pause, world->reliable->factor);
    return next < world->pause_cap ? next : world->pause_cap;
}

/* Sent at some time in the slack before it was seen, as the one before it was. */
static bool in_time(const struct assay_belief_world *world, const struct assay_chunk *c)
{
    int64_t tolerance = share(c->pause, world->reliable->tolerance), gap = world->now - c->seen_at;
    if (c->stopped_at != ASSAY_NEVER && world->now > sum_of(c->stopped_at, world->slack))
        return false;
    return gap + world->slack >= c->pause - tolerance && gap - world->slack <= sum_of(c->pause, tolerance);
}

bool assay_copies_seen(struct assay_belief_world *world, struct assay_belief *b, struct assay_span seen)
{
    for (uint32_t i = b->chunk_count; world->reliable && i > 0; i--) {
        struct assay_chunk *c = &b->chunks[i - 1];
        bool ack = c->kind == ASSAY_CHUNK_ACK;
        if (!c->seen || c->kind == ASSAY_CHUNK_PLAIN || (ack && c->copies == 0) || !same(bytes_of(b, c), seen))
            continue;
        if (ack) {
            c->copies--;
            return true;
        }
        if (!in_time(world, c))
            return false;
        c->copies++;
        c->seen_at = world->now;
        c->pause = grown(world, c->pause);
        return true;
    }
    return false;
}

const struct assay_chunk *assay_copies_overdue(const struct assay_belief *b)
{
    const struct assay_belief_world *world = b->world;
    for (uint32_t i = 0; world->reliable && !world->target && i < b->chunk_count; i++) {
        const struct assay_chunk *c = &b->chunks[i];
        if (c->kind != ASSAY_CHUNK_RELIABLE || !c->seen || c->over || (c->stopped_at != ASSAY_NEVER && !c->given_up))
            continue;
        int64_t late = sum_of(c->pause, share(c->pause, world->reliable->tolerance));
        int64_t until = c->stopped_at < world->now ? c->stopped_at : world->now;
        if (until > sum_of(sum_of(c->seen_at, late), world->slack))
            return c;
    }
    return NULL;
}
