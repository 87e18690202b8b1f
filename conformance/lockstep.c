#include <stdlib.h>
#include <string.h>

#include "conformance/again.h"
#include "conformance/lockstep.h"
#include "conformance/records.h"

#define SPOILT_MAX      256u /* bytes of inputs that are spoilt */
#define MARK_AND_NUMBER 13u  /* bytes */
#define DATAGRAM_MAX    65507u
#define TICKS_MAX       64

/* ---- what is given ------------------------------------------------------ */

static struct assay_stimulus *add(struct assay_stimuli *all)
{
    return assay_items_add((void **)&all->items, &all->count, &all->cap, sizeof *all->items);
}

static bool is_there(const struct assay_stimuli *all, struct assay_blob bytes)
{
    for (size_t i = 0; all && i < all->count; i++) {
        const struct assay_stimulus *s = &all->items[i];
        if (s->bytes.n == bytes.n && memcmp(s->bytes.p, bytes.p, bytes.n) == 0 && !s->call && !s->lapse)
            return true;
    }
    return false;
}

static void add_bytes(struct assay_stimuli *all, struct assay_blob bytes, const char *label, struct assay_stamp stamp)
{
    if ((all->datagrams && bytes.n > DATAGRAM_MAX) || is_there(all, bytes))
        return;
    *add(all) = (struct assay_stimulus){.bytes = bytes, .label = label, .stamp = stamp};
}

void assay_stimuli_add(struct assay_stimuli *all, const struct assay_inputs *inputs, const struct assay_stimuli *but)
{
    for (size_t i = 0; i < inputs->count; i++) {
        const struct assay_input *input = &inputs->items[i];
        if (input->kind == ASSAY_INPUT_CALL) {
            *add(all) = (struct assay_stimulus){.label = input->label, .call = input};
            continue;
        }
        if (!is_there(but, input->bytes))
            add_bytes(all, input->bytes, input->label, input->stamp);
        if (input->bare.n && !is_there(but, input->bare))
            add_bytes(all, input->bare, input->label, (struct assay_stamp){0});
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

void assay_stimuli_spoil(struct assay_stimuli *all, const struct assay_inputs *inputs, size_t count, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    for (size_t i = 0; i < count && inputs->count; i++) {
        const struct assay_blob from = inputs->items[next_random(&state) % inputs->count].bytes;
        if (from.n > SPOILT_MAX || from.n == 0)
            continue;
        uint8_t *to = assay_store(&all->store, from.n + 1u);
        memcpy(to, from.p, from.n);
        for (uint64_t k = 1 + next_random(&state) % 3; k > 0; k--)
            to[next_random(&state) % from.n] = (uint8_t)next_random(&state);
        uint32_t n = from.n;
        if (next_random(&state) % 8 == 0)
            to[n++] = (uint8_t)next_random(&state);
        add_bytes(all, (struct assay_blob){to, n}, "random", (struct assay_stamp){0});
    }
}

void assay_stimuli_lapse(struct assay_stimuli *all)
{
    *add(all) = (struct assay_stimulus){.label = "a timer runs out", .lapse = ASSAY_LAPSE_TIMER};
    *add(all) = (struct assay_stimulus){.label = "time goes by", .lapse = ASSAY_LAPSE_CHANGE};
}

void assay_stimuli_free(struct assay_stimuli *all)
{
    free(all->items);
    assay_store_free(&all->store);
}

/* ---- comparing ---------------------------------------------------------- */

/* What an effect leaves for a judge to see, where there are observers. */
static bool leaves_traces(const struct assay_lockstep *l, uint16_t effect)
{
    const struct assay_effect *e = &l->right->config.model->effects[effect];
    bool kept = e->log != ASSAY_NONE || e->table != ASSAY_NONE; /* what it keeps shows on the wire */
    return l->observed && !kept && assay_effect_shows(e);
}

/* To be told to stop once more changes nothing. */
static bool stopped_before(const struct assay_lockstep *l, const struct assay_belief *b, uint32_t at)
{
    const char *verb = l->right->config.model->effects[b->effects[at].effect].verb;
    for (uint32_t i = 0; verb && strcmp(verb, "stop") == 0 && i < at; i++)
        if (b->effects[i].effect == b->effects[at].effect)
            return true;
    return false;
}

static const struct assay_effect_seen *next_trace(const struct assay_lockstep *l, const struct assay_belief *b,
                                                  uint32_t *at)
{
    while (*at < b->effect_count && (!leaves_traces(l, b->effects[*at].effect) || stopped_before(l, b, *at)))
        (*at)++;
    return *at < b->effect_count ? &b->effects[(*at)++] : NULL;
}

static bool same_effects(const struct assay_lockstep *l, const struct assay_belief *x, const struct assay_belief *y)
{
    uint32_t i = 0, k = 0;
    for (;;) {
        const struct assay_effect_seen *a = next_trace(l, x, &i), *b = next_trace(l, y, &k);
        if (!a || !b)
            return !a && !b;
        if (a->effect != b->effect || a->size != b->size ||
            (a->size && memcmp(x->effects_bytes.p + a->at, y->effects_bytes.p + b->at, a->size) != 0))
            return false;
    }
}

static bool same_tale(const struct assay_belief *right, const struct assay_belief *mutant)
{
    uint32_t whole;
    return assay_tale_agrees(&right->tale, &mutant->tale, &whole) && whole == right->tale.count;
}

/* The right model's belief is an oracle for what the mutant sent. */
static bool same_output(struct assay_belief_world *world, struct assay_belief *right, const struct assay_belief *mutant,
                        uint32_t from)
{
    world->now = right->clock > 0 ? right->clock : 0;
    if (!world->datagrams)
        return assay_belief_matches(world, right, (struct assay_span){mutant->out.p, mutant->out.n});
    for (uint32_t i = from; i < mutant->chunk_count; i++) {
        const struct assay_chunk *c = &mutant->chunks[i];
        if (!assay_belief_matches(world, right, (struct assay_span){mutant->out.p, c->at + c->size}))
            return false;
    }
    return true;
}

bool assay_lockstep_same(const struct assay_lockstep *l, const struct assay_pair *pair, uint32_t from)
{
    struct assay_belief *right = pair->right, *mutant = pair->mutant;
    const struct assay_config *config = &l->right->config;
    if (!same_output(l->right, right, mutant, from) || !assay_belief_satisfied(right) || right->ended != mutant->ended)
        return false;
    if (right->ended && right->how != mutant->how)
        return false;
    if (!same_effects(l, right, mutant) || !same_tale(right, mutant) ||
        (right->finished != mutant->finished && assay_reconnects(config->model, config->machine)))
        return false;
    return right->ended || assay_deadline(right->engine) == assay_deadline(mutant->engine);
}

/* ---- giving -------------------------------------------------------------- */

/* Where the target may choose, its first way. */
static struct assay_belief_set first_way(struct assay_belief *b)
{
    return (struct assay_belief_set){.items = {b}, .count = 1};
}

static void drop_others(struct assay_belief_set *set)
{
    while (set->count > 1)
        assay_belief_free(set->items[--set->count]);
}

static void feed(struct assay_belief_world *world, struct assay_belief *b, const struct assay_input *call,
                 struct assay_span bytes, enum assay_builtin_event event)
{
    struct assay_belief_set set = first_way(b);
    if (call && !b->calling && !b->ended)
        assay_beliefs_call(world, &set, 0, &(struct assay_belief_call){call->call, call->args, call->spans});
    if (bytes.n)
        assay_beliefs_feed(world, &set, 0, bytes);
    if (event != ASSAY_EV_CONNECT && !b->ended)
        assay_beliefs_signal(world, &set, 0, event);
    drop_others(&set);
}

static void tick(struct assay_belief_world *world, struct assay_belief *b, int64_t due)
{
    struct assay_belief_set set = first_way(b);
    assay_beliefs_tick(world, &set, due);
    drop_others(&set);
}

/* Whether it has nothing more to wait for, after so many times. */
static bool has_waited(const struct assay_belief *b, const struct assay_stimulus *s, uint64_t place, int times)
{
    int most = s->lapse == ASSAY_LAPSE_TIMER ? 1 : TICKS_MAX;
    return b->ended || times == most || assay_place(b) != place || assay_deadline(b->engine) == ASSAY_NEVER;
}

static bool lapse(const struct assay_lockstep *l, struct assay_pair *pair, const struct assay_stimulus *s)
{
    uint64_t place = assay_place(pair->right);
    for (int i = 0; !has_waited(pair->right, s, place, i); i++) {
        int64_t due = assay_deadline(pair->right->engine);
        uint32_t from = pair->mutant->chunk_count;
        tick(l->right, pair->right, due);
        tick(l->mutant, pair->mutant, due);
        if (!assay_lockstep_same(l, pair, from))
            return false;
    }
    return true;
}

/* A stimulus's bytes as they are sent to who stands like `like`. */
static struct assay_bytes_buf stamped(struct assay_belief_world *world, const struct assay_belief *like,
                                      const struct assay_stimulus *s, uint32_t cut)
{
    struct assay_bytes_buf bytes = {0};
    assay_buf_add(&bytes, s->bytes.p, cut);
    if (cut == s->bytes.n && cut)
        assay_belief_stamp(world, like, s->stamp, &bytes);
    return bytes;
}

bool assay_lockstep_give(const struct assay_lockstep *l, struct assay_pair *pair, struct assay_given given)
{
    const struct assay_stimulus *s = given.stimulus;
    struct assay_bytes_buf bytes = {0};
    uint32_t from = pair->mutant->chunk_count;
    assay_beliefs_fix(&(struct assay_belief_set){.items = {pair->right}, .count = 1}, pair->mutant->out.n);
    if (s && s->lapse)
        return lapse(l, pair, s);
    if (s)
        bytes = stamped(l->right, pair->right, s, given.cut);
    struct assay_span span = {bytes.p, bytes.n};
    feed(l->right, pair->right, s ? s->call : NULL, span, given.event);
    feed(l->mutant, pair->mutant, s ? s->call : NULL, span, given.event);
    free(bytes.p);
    if (given.event == ASSAY_EV_RESET) /* who has done that sees nothing any more but what was done */
        return same_effects(l, pair->right, pair->mutant);
    return assay_lockstep_same(l, pair, from);
}

void assay_lockstep_follow(struct assay_belief_world *world, struct assay_belief *b, struct assay_belief_world *right,
                           const struct assay_belief *like, const struct assay_stimulus *s)
{
    uint64_t place = assay_place(b);
    for (int i = 0; s->lapse && !has_waited(b, s, place, i); i++)
        tick(world, b, assay_deadline(b->engine));
    if (s->lapse)
        return;
    struct assay_bytes_buf bytes = stamped(right, like, s, s->bytes.n);
    feed(world, b, s->call, (struct assay_span){bytes.p, bytes.n}, ASSAY_EV_CONNECT);
    free(bytes.p);
}

/* ---- where they stand ----------------------------------------------------- */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x100000001b3u;
    return h;
}

static uint64_t mix_value(uint64_t h, struct assay_span s, bool exact)
{
    h = mix(h, &s.n, sizeof s.n);
    for (uint32_t at = 0; at < s.n;) {
        uint32_t mark = exact ? s.n : assay_mark_find(s, at);
        h = mix(h, s.p + at, mark - at);
        at = mark + MARK_AND_NUMBER;
    }
    return h;
}

uint64_t assay_place(const struct assay_belief *b)
{
    uint16_t wait, state = assay_state(b->engine, b->sid);
    assay_running(b->engine, b->sid, &wait);
    return (uint64_t)wait << 16 | state;
}

/* Whether a variable holds an argument of a call that does not run. */
static bool is_idle_argument(const struct assay_model *model, uint32_t var, uint16_t running)
{
    for (uint16_t i = 0; i < model->calls_count; i++) {
        uint32_t first = model->calls[i].first_var;
        if (i != running && model->calls[i].args.count && var >= first && var < first + model->calls[i].args.count)
            return true;
    }
    return false;
}

/* How often numbers have begun anew tells nothing about what is to come. */
static uint64_t mix_waiting(uint64_t h, const struct assay_waiting *w)
{
    const uint64_t all[] = {w->sent, w->held, w->first_sent, w->taken, (uint64_t)w->again, (uint64_t)w->gives_up};
    return mix(h, all, sizeof all);
}

uint64_t assay_standing(const struct assay_belief_world *world, const struct assay_belief *b, bool exact, uint64_t h)
{
    const struct assay_model *model = world->config.model;
    struct assay_range vars = model->machines[world->config.machine].vars;
    struct assay_waiting w = {0};
    uint16_t wait, call = assay_running(b->engine, b->sid, &wait);
    uint64_t place = assay_place(b);
    bool marks = b->marks > 0, waiting = assay_waiting(b->engine, b->sid, &w) && w.sent;
    h = mix(mix(h, &place, sizeof place), &call, sizeof call);
    h = mix(mix(mix(h, &b->in.n, sizeof b->in.n), &marks, sizeof marks), &waiting, sizeof waiting);
    for (uint32_t i = vars.first; i < (uint32_t)vars.first + vars.count; i++) {
        assay_val v = 0;
        struct assay_span s = {0};
        if (!exact && is_idle_argument(model, i, call))
            continue;
        assay_var(b->engine, b->sid, (uint16_t)i, &v, &s);
        h = assay_type_is_bytes(model, model->vars[i].type) ? mix_value(h, s, exact) : mix(h, &v, sizeof v);
    }
    return exact ? mix_waiting(h, &w) : h;
}
