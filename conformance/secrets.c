/* What only a target can say, seals and random values: placeholders in what is expected become what was seen, those in
 * what is sent what was learned. And what a tester stamps on what it sends: numbers and sessions. */
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"
#include "conformance/side.h"
#include "core/code.h"
#include "core/sums.h"

#define MARK_SIZE   5u
#define MARK_LEAST  8u /* bytes of a placeholder */
#define MARKS_MAX   8u /* in one message */
#define SPOILT_BYTE 0x5a
#define SPOILING    0x10 /* the bit that is changed */

uint32_t assay_mark_find(struct assay_span bytes, uint32_t at)
{
    while (bytes.n >= MARK_LEAST && at <= bytes.n - MARK_LEAST) {
        const uint8_t *p = memchr(bytes.p + at, ASSAY_MARK[0], bytes.n - MARK_LEAST - at + 1);
        if (!p)
            break;
        at = (uint32_t)(p - bytes.p);
        if (memcmp(p, ASSAY_MARK, MARK_SIZE) == 0)
            return at;
        at++;
    }
    return bytes.n;
}

/* ---- where placeholders stand in a message ------------------------------- */

struct place {
    uint32_t at, size;
};
struct places {
    struct place items[MARKS_MAX];
    size_t count;
};

/* Each goes to the end of its field, or to the next one in it. */
static void add_places(struct places *places, struct assay_span field, uint32_t offset)
{
    uint32_t at = assay_mark_find(field, 0);
    while (at < field.n && places->count < MARKS_MAX) {
        uint32_t next = assay_mark_find(field, at + MARK_LEAST < field.n ? at + MARK_LEAST : field.n);
        if (next - at <= ASSAY_LEARNED_MAX)
            places->items[places->count++] = (struct place){offset + at, next - at};
        at = next;
    }
}

static void find_places(struct assay_belief_world *world, const struct assay_chunk *c, struct assay_span sent,
                        struct places *places)
{
    const struct assay_model *model = world->config.model;
    uint16_t frame = model->machines[world->config.machine].frame_out;
    struct assay_env *env = &world->other.env;
    places->count = 0;
    assay_lens_clear(&world->other);
    env->frame = sent.p;
    if (assay_decode(env, frame, assay_target_role(model, world->config.machine), sent).message != c->message)
        return;
    const struct assay_range parts[] = {model->frames[frame].fields, model->messages[c->message].fields};
    for (size_t part = 0; part < 2; part++)
        for (uint32_t i = parts[part].first; i < (uint32_t)parts[part].first + parts[part].count; i++) {
            const struct assay_field *f = &model->fields[i];
            if (f->slot == ASSAY_NONE || i == model->frames[frame].body || !(env->known >> f->slot & 1) ||
                model->types[f->type].kind < ASSAY_T_BYTES ||
                assay_val_region(env->slots[f->slot]) != ASSAY_REGION_FRAME)
                continue;
            add_places(places, assay_bytes(env, env->slots[f->slot]), assay_val_offset(env->slots[f->slot]));
        }
}

/* ---- learning ------------------------------------------------------------ */

static void sum_again(struct assay_belief_world *world, uint16_t frame, uint8_t *bytes, uint32_t n)
{
    assay_lens_clear(&world->other);
    assay_sum_again(&world->other.env, frame, bytes, n);
}

static uint16_t frame_out(const struct assay_belief_world *world)
{
    return world->config.model->machines[world->config.machine].frame_out;
}

/* Replace it wherever it stands. True: somewhere. */
static bool replace(uint8_t *bytes, uint32_t n, const struct assay_learned *l)
{
    bool found = false;
    uint32_t at = 0;
    while ((at = assay_mark_find((struct assay_span){bytes, n}, at)) < n) {
        bool here = l->size <= n - at && memcmp(bytes + at, l->placeholder, l->size) == 0;
        if (here)
            memcpy(bytes + at, l->actual, l->size);
        found = found || here;
        at += here ? l->size : 1;
    }
    return found;
}

/* The number on the wire of the message with this count, either way. */
static uint64_t number_of(struct assay_belief_world *world, struct assay_env *env, uint64_t count)
{
    const struct assay_machine *machine = &world->config.model->machines[world->config.machine];
    assay_val first = 0;
    if (machine->first_number != ASSAY_NONE && !assay_eval(env, machine->first_number, &first))
        first = 0;
    return (first + count) & (((uint64_t)1 << world->reliable->bits) - 1);
}

static void set_slot(struct assay_env *env, uint16_t slot, assay_val v)
{
    env->slots[slot] = v;
    env->known |= (uint64_t)1 << slot;
}

/* Whether a placeholder stands for what the target's numbers begin with. */
static bool is_of_session(const struct assay_belief_world *world, const struct assay_belief *b,
                          const struct assay_learned *l)
{
    const struct assay_machine *machine = &world->config.model->machines[world->config.machine];
    struct assay_span bytes = {0};
    assay_val v;
    if (!world->reliable || machine->session == ASSAY_NONE || machine->first_number == ASSAY_NONE)
        return false;
    assay_var(b->engine, b->sid, machine->session, &v, &bytes);
    return bytes.n == l->size && memcmp(bytes.p, l->placeholder, bytes.n) == 0;
}

/* In the variables that are bound, what was learned of the session. */
static void put_session(const struct assay_belief_world *world, const struct assay_learned *l)
{
    const struct assay_machine *machine = &world->config.model->machines[world->config.machine];
    const struct assay_env *env = &world->lens.env;
    struct assay_span session = assay_bytes(env, env->vars[machine->session - machine->vars.first]);
    memcpy(world->vars.p + (session.p - world->vars.p), l->actual, l->size);
}

/* A message that the target sends, with the number that it has in a session which is learned. */
static void number_again(struct assay_belief_world *world, const struct assay_belief *b, const struct assay_chunk *c,
                         const struct assay_learned *l, uint8_t *bytes)
{
    const struct assay_model *model = world->config.model;
    struct assay_env *env = &world->lens.env;
    uint8_t *out = malloc(c->size + 1u);
    assay_lens_clear(&world->lens);
    env->frame = bytes;
    struct assay_decoded d = assay_decode(env, frame_out(world), assay_target_role(model, world->config.machine),
                                          (struct assay_span){bytes, c->size});
    if (out && d.message == c->message && assay_belief_vars_bind(world, b)) {
        put_session(world, l);
        set_slot(env, world->reliable->number, number_of(world, env, c->count));
        struct assay_encoded e = assay_encode(env, frame_out(world), d.message, out, c->size, false);
        if (e.status == ASSAY_ENCODED && e.size == c->size)
            memcpy(bytes, out, c->size);
    }
    assay_belief_vars_unbind(world);
    free(out);
}

/* What it has put out and was not seen yet, too. */
static void learn(struct assay_belief_world *world, struct assay_belief *b, const struct assay_learned *l)
{
    bool numbers = is_of_session(world, b, l);
    assay_learn(b->engine, (struct assay_span){l->placeholder, l->size}, l->actual);
    for (uint32_t i = b->chunk; i < b->chunk_count; i++) {
        struct assay_chunk *c = &b->chunks[i];
        if (!replace(b->out.p + c->at, c->size, l))
            continue;
        sum_again(world, frame_out(world), b->out.p + c->at, c->size);
        if (numbers && c->kind == ASSAY_CHUNK_RELIABLE && !c->over)
            number_again(world, b, c, l, b->out.p + c->at);
    }
    assay_buf_add(&b->learned, (const uint8_t *)l, sizeof *l);
}

struct lessons {
    struct assay_learned items[MARKS_MAX];
    size_t count;
};

static bool has_lesson(const struct lessons *lessons, const struct assay_learned *l)
{
    for (size_t i = 0; i < lessons->count; i++)
        if (lessons->items[i].size == l->size && memcmp(lessons->items[i].placeholder, l->placeholder, l->size) == 0)
            return true;
    return false;
}

/* What was seen in the places of placeholders. */
static void find_lessons(struct assay_belief_world *world, const struct assay_chunk *c, struct assay_span sent,
                         struct assay_span seen, struct lessons *lessons)
{
    struct places places;
    find_places(world, c, sent, &places);
    lessons->count = 0;
    for (size_t i = 0; i < places.count; i++) {
        struct assay_learned l = {.size = places.items[i].size};
        memcpy(l.placeholder, sent.p + places.items[i].at, l.size);
        memcpy(l.actual, seen.p + places.items[i].at, l.size);
        if (!has_lesson(lessons, &l))
            lessons->items[lessons->count++] = l;
    }
}

/* Whether what was seen is that message, once it is learned. */
static bool would_match(struct assay_belief_world *world, const struct assay_belief *b, const struct assay_chunk *c,
                        const struct lessons *lessons, struct assay_span seen)
{
    uint8_t *copy = malloc(c->size + 1u);
    bool same = false;
    if (!copy)
        return false;
    memcpy(copy, b->out.p + c->at, c->size);
    for (size_t i = 0; i < lessons->count; i++)
        replace(copy, c->size, &lessons->items[i]);
    sum_again(world, frame_out(world), copy, c->size);
    for (size_t i = 0; i < lessons->count && c->kind == ASSAY_CHUNK_RELIABLE; i++)
        if (is_of_session(world, b, &lessons->items[i]))
            number_again(world, b, c, &lessons->items[i], copy);
    same = memcmp(copy, seen.p, seen.n) == 0;
    free(copy);
    return same;
}

bool assay_belief_learns(struct assay_belief_world *world, struct assay_belief *b, struct assay_chunk *c,
                         struct assay_span seen)
{
    struct assay_span sent = {b->out.p + c->at, c->size};
    struct lessons lessons;
    if (seen.n != sent.n || assay_mark_find(sent, 0) == sent.n)
        return false;
    find_lessons(world, c, sent, seen, &lessons);
    if (lessons.count == 0 || !would_match(world, b, c, &lessons, seen))
        return false;
    for (size_t i = 0; i < lessons.count; i++)
        learn(world, b, &lessons.items[i]);
    return memcmp(b->out.p + c->at, seen.p, seen.n) == 0;
}

/* ---- what is sent --------------------------------------------------------- */

static uint16_t frame_in(const struct assay_belief_world *world)
{
    return world->config.model->machines[world->config.machine].frame_in;
}

/* The newest first: that is asked for most. */
static bool was_learned(const struct assay_belief *b, struct assay_span at, struct assay_learned *l)
{
    for (uint32_t end = b->learned.n; end >= sizeof *l; end -= (uint32_t)sizeof *l) {
        memcpy(l, b->learned.p + end - sizeof *l, sizeof *l);
        if (l->size <= at.n && memcmp(at.p, l->placeholder, l->size) == 0)
            return true;
    }
    return false;
}

bool assay_belief_fill(struct assay_belief_world *world, const struct assay_belief *b, uint8_t *bytes, uint32_t n)
{
    struct assay_learned l;
    bool any = false, all = true;
    uint32_t at = 0;
    while ((at = assay_mark_find((struct assay_span){bytes, n}, at)) < n) {
        bool known = was_learned(b, (struct assay_span){bytes + at, n - at}, &l);
        if (known)
            memcpy(bytes + at, l.actual, l.size);
        at += known ? l.size : 1;
        any = any || known;
        all = all && known;
    }
    if (any)
        sum_again(world, frame_in(world), bytes, n);
    return all;
}

void assay_marks_spoil(struct assay_belief_world *world, uint8_t *bytes, uint32_t n)
{
    uint32_t at = 0;
    while ((at = assay_mark_find((struct assay_span){bytes, n}, at)) < n)
        memset(bytes + at, SPOILT_BYTE, MARK_LEAST);
    sum_again(world, frame_in(world), bytes, n);
}

bool assay_belief_eval(struct assay_belief_world *world, const struct assay_belief *b, uint16_t code, assay_val *v)
{
    struct assay_env *env = &world->lens.env;
    assay_lens_clear(&world->lens);
    bool good = assay_belief_vars_bind(world, b) && assay_eval(env, code, v);
    assay_belief_vars_unbind(world);
    return good;
}

static bool session_is_bytes(const struct assay_belief_world *world)
{
    const struct assay_model *model = world->config.model;
    struct assay_range fields = model->frames[frame_in(world)].fields;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        if (model->fields[i].slot == world->reliable->session)
            return assay_type_is_bytes(model, model->fields[i].type);
    return false;
}

static void spoil_value(const struct assay_belief_world *world, struct assay_env *env, uint16_t slot)
{
    if (!session_is_bytes(world)) {
        env->slots[slot] ^= 1;
        return;
    }
    struct assay_span old = assay_bytes(env, env->slots[slot]);
    uint8_t *p = assay_scratch(env, old.n);
    for (uint32_t i = 0; p && i < old.n; i++)
        p[i] = old.p[i] ^ SPOILT_BYTE;
    if (p)
        env->slots[slot] = assay_scratch_val(env, p, old.n);
}

/* Among all reliable messages of a session, the one that a stamp stands for. */
static uint64_t count_of(const struct assay_belief *b, enum assay_stamp_kind kind, int32_t offset)
{
    struct assay_waiting w = {0};
    assay_waiting(b->engine, b->sid, &w);
    return (kind == ASSAY_STAMP_ACK ? w.first_sent + w.sent : w.taken) + (uint64_t)(int64_t)offset;
}

static void put_stamp(struct assay_belief_world *world, const struct assay_belief *b, struct assay_stamp stamp,
                      struct assay_env *env)
{
    const struct assay_reliable *r = world->reliable;
    const struct assay_machine *machine = &world->config.model->machines[world->config.machine];
    if (stamp.kind != ASSAY_STAMP_NONE)
        set_slot(env, stamp.kind == ASSAY_STAMP_ACK ? r->ack_slot : r->number,
                 number_of(world, env, count_of(b, (enum assay_stamp_kind)stamp.kind, stamp.offset)));
    if (stamp.session && r->session != ASSAY_NONE && machine->session != ASSAY_NONE)
        set_slot(env, r->session, env->vars[machine->session - machine->vars.first]);
    if (stamp.stale && r->session != ASSAY_NONE)
        spoil_value(world, env, r->session);
}

uint64_t assay_belief_left(struct assay_belief_world *world, const struct assay_belief *b, enum assay_stamp_kind kind)
{
    struct assay_env *env = &world->lens.env;
    assay_lens_clear(&world->lens);
    uint64_t number = assay_belief_vars_bind(world, b) ? number_of(world, env, count_of(b, kind, 0)) : 0;
    assay_belief_vars_unbind(world);
    return ((uint64_t)1 << world->reliable->bits) - number;
}

static void fill_in(struct assay_belief_world *world, const struct assay_belief *b, struct assay_stamp stamp,
                    struct assay_bytes_buf *bytes)
{
    const struct assay_model *model = world->config.model;
    struct assay_env *env = &world->lens.env;
    struct assay_span in = {bytes->p, bytes->n};
    uint16_t frame = frame_in(world);
    uint8_t *out;
    if ((stamp.kind == ASSAY_STAMP_NONE && !stamp.session) || !world->reliable || !(out = malloc(in.n + 64u)))
        return;
    assay_lens_clear(&world->lens);
    env->frame = in.p;
    struct assay_decoded d = assay_decode(env, frame, assay_tester_role(model, world->config.machine), in);
    if (d.message != ASSAY_NONE && d.event == model->messages[d.message].event && assay_belief_vars_bind(world, b)) {
        put_stamp(world, b, stamp, env);
        struct assay_encoded e = assay_encode(env, frame, d.message, out, in.n + 64u, false);
        if (e.status == ASSAY_ENCODED) {
            bytes->n = 0;
            assay_buf_add(bytes, out, e.size);
        }
    }
    assay_belief_vars_unbind(world);
    free(out);
}

void assay_belief_stamp(struct assay_belief_world *world, const struct assay_belief *b, struct assay_stamp stamp,
                        struct assay_bytes_buf *bytes)
{
    fill_in(world, b, stamp, bytes);
    if (stamp.spoilt && stamp.spoilt <= bytes->n)
        bytes->p[stamp.spoilt - 1] ^= SPOILING;
}
