#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"
#include "core/code.h"

#define TOKENS_MAX 16

/* ---- buffers ----------------------------------------------------------- */

static bool grow(void **p, uint32_t *cap, uint32_t need, size_t item)
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

static bool buf_reserve(struct assay_bytes_buf *buf, uint32_t cap)
{
    void *p = buf->p;
    bool ok = grow(&p, &buf->cap, cap, 1);
    buf->p = p;
    return ok;
}

bool assay_buf_add(struct assay_bytes_buf *buf, const uint8_t *p, uint32_t n)
{
    if (n == 0)
        return true;
    if (!buf_reserve(buf, buf->n + n))
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

/* ---- the world of a model ---------------------------------------------- */

static bool is_bytes(const struct assay_model *model, uint16_t type)
{
    return type != ASSAY_NONE && model->types[type].kind >= ASSAY_T_BYTES;
}

/* The buddy allocator rounds up to powers of two; while a variable is set, its old bytes are still there. */
static uint32_t session_memory(const struct assay_model *model)
{
    uint64_t sum = 256;
    struct assay_range vars = model->machines[model->server].vars;
    for (uint32_t i = vars.first; i < (uint32_t)vars.first + vars.count; i++) {
        if (!is_bytes(model, model->vars[i].type))
            continue;
        const struct assay_type *type = &model->types[model->vars[i].type];
        uint64_t size = 64, most = (uint64_t)type->max * (type->kind == ASSAY_T_LIST ? 8 : 1);
        while (size < most)
            size *= 2;
        sum += 2 * size;
    }
    return sum > model->limits.memory ? model->limits.memory : (uint32_t)sum;
}

struct assay_limits assay_belief_limits(const struct assay_model *model, uint32_t sessions)
{
    struct assay_limits limits = model->limits;
    uint64_t memory = (uint64_t)session_memory(model) * sessions;
    limits.sessions = sessions;
    limits.memory = memory > model->limits.memory ? model->limits.memory : (uint32_t)memory;
    limits.effects = 4 * sessions;
    return limits;
}

/* What an effect's binding says about who decides on its success: the reference bindings `append` and `print`
 * succeed unless the target is broken; `crypt` without a file always does; the rest is up to the application. */
static bool effect_is_free(const struct assay_model *model, const struct assay_effect *effect)
{
    if (!effect->fallible)
        return false;
    if (!effect->verb || strcmp(effect->verb, "application") == 0)
        return true;
    if (strcmp(effect->verb, "crypt") != 0 || !effect->object)
        return false;
    if (effect->object[0] != '$')
        return effect->object[0] != '\0';
    for (uint16_t i = 0; i < model->options_count; i++)
        if (strcmp(model->options[i].name, effect->object + 1) == 0)
            return model->options[i].blob.n > 0;
    return true;
}

static bool has_choices(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->code_count; i++)
        if (assay_ins_op(model->code[i]) == ASSAY_OP_CHOOSE)
            return true;
    return false;
}

static bool has_shoulds(const struct assay_model *model)
{
    for (uint16_t i = 0; i < model->rules_count; i++)
        if (model->rules[i].machine == model->server && model->rules[i].level == ASSAY_SHOULD)
            return true;
    return false;
}

bool assay_belief_world_init(struct assay_belief_world *world, const struct assay_oracle_config *config)
{
    const struct assay_model *model = config->model;
    world->config = (struct assay_config){.model = model,
                                          .machine = model->server,
                                          .limits = assay_belief_limits(model, 1),
                                          .options = config->options,
                                          .leniencies = config->leniencies,
                                          .seed = config->seed,
                                          .trace = true,
                                          .judge = true};
    world->circumstance = config->circumstance;
    if (config->circumstance.memory)
        world->config.limits.memory = config->circumstance.memory;
    world->engine_size = assay_engine_size(&world->config);
    world->shoulds = has_shoulds(model);
    world->branches = world->shoulds || has_choices(model);
    world->spare_count = 0;
    world->effect_free = calloc(model->effects_count + 1u, 1);
    if (!world->effect_free ||
        !assay_lens_init(&world->lens, model, config->options, config->leniencies, model->frame_max) ||
        !assay_lens_init(&world->other, model, config->options, config->leniencies, model->frame_max))
        return false;
    for (uint16_t i = 0; i < model->effects_count; i++)
        world->effect_free[i] = effect_is_free(model, &model->effects[i]);
    return true;
}

void assay_belief_world_free(struct assay_belief_world *world)
{
    while (world->spare_count)
        free(world->spare[--world->spare_count]);
    free(world->effect_free);
    assay_lens_free(&world->lens);
    assay_lens_free(&world->other);
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
    if (!grow((void **)&to->chunks, &to->chunk_cap, from->chunk_count + 1, sizeof *to->chunks))
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
    if (!grow((void **)&to->effects, &to->effect_cap, from->effect_count + 1, sizeof *to->effects))
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
    if (!to->engine || !copy_chunks(to, from) || !copy_effects(to, from) || !copy_buf(&to->in, &from->in) ||
        !copy_buf(&to->out, &from->out) || !copy_stances(world, to, from)) {
        assay_belief_free(to);
        return NULL;
    }
    assay_engine_copy(to->engine, from->engine);
    assay_choose(to->engine, &to->choices);
    to->choices.picks = to->choices.met = 0;
    return to;
}

static bool add(struct assay_belief_set *set, struct assay_belief *belief)
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

/* ---- running the engine ------------------------------------------------ */

struct answer {
    assay_token token;
    uint16_t effect;
};

/* What one call of the engine came to, gathered before the next call makes it stale. */
struct harvest {
    struct answer answers[TOKENS_MAX];
    size_t count;
};

static void note_chunk(struct assay_belief *b, const struct assay_event *event)
{
    if (!grow((void **)&b->chunks, &b->chunk_cap, b->chunk_count + 1, sizeof *b->chunks))
        return;
    struct assay_chunk *c = &b->chunks[b->chunk_count++];
    *c = (struct assay_chunk){.at = event->sent.at,
                              .size = event->sent.size,
                              .message = event->sent.message,
                              .wave = b->wave,
                              .rule = event->sent.rule,
                              .free = event->sent.free};
    if (!c->free || !(c->where = malloc(ASSAY_SLOTS_MAX * sizeof(uint16_t))))
        return;
    for (unsigned i = 0; i < ASSAY_SLOTS_MAX; i++)
        c->where[i] = c->free >> i & 1 ? event->sent.where[i] : ASSAY_NONE;
}

static void note_effect(const struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    const struct assay_model *model = world->config.model;
    const struct assay_effect *effect = &model->effects[event->effect.effect];
    uint32_t at = b->effects_bytes.n;
    for (uint16_t i = 0; i < event->count; i++) {
        char number[24];
        struct assay_span s = event->spans[i];
        if (!is_bytes(model, model->params[effect->args.first + i].type)) {
            int n = snprintf(number, sizeof number, "%lld", (long long)event->values[i]);
            s = (struct assay_span){(const uint8_t *)number, (uint32_t)n};
        }
        assay_buf_add(&b->effects_bytes, s.p, s.n);
    }
    if (grow((void **)&b->effects, &b->effect_cap, b->effect_count + 1, sizeof *b->effects))
        b->effects[b->effect_count++] = (struct assay_effect_seen){event->effect.effect, at, b->effects_bytes.n - at};
}

static void note_step(struct assay_belief *b, const struct assay_event *event)
{
    for (; b->chunk_placed < b->chunk_count; b->chunk_placed++) {
        b->chunks[b->chunk_placed].state = event->step.before;
        b->chunks[b->chunk_placed].event = event->step.event;
    }
    b->last_rule = event->step.rule;
    b->last_state = event->step.before;
    b->last_event = event->step.event;
    b->faulted = b->faulted || event->step.otherwise || event->step.event == ASSAY_EV_NO_ROOM;
    if (b->steps++)
        return;
    b->first_rule = event->step.rule;
    b->first_event = event->step.event;
}

static void harvest_events(const struct assay_belief_world *world, struct assay_belief *b, struct harvest *h)
{
    struct assay_event event;
    h->count = 0;
    while (assay_next_event(b->engine, &event)) {
        if (event.type == ASSAY_EVENT_SENT) {
            note_chunk(b, &event);
        } else if (event.type == ASSAY_EVENT_STEP) {
            note_step(b, &event);
        } else if (event.type == ASSAY_EVENT_ENDED) {
            b->ended = true;
            b->how = event.ended.how;
        } else if (event.type == ASSAY_EVENT_EFFECT) {
            note_effect(world, b, &event);
            if (event.effect.token && h->count < TOKENS_MAX)
                h->answers[h->count++] = (struct answer){event.effect.token, event.effect.effect};
        }
    }
}

static struct assay_out out_of(struct assay_belief *b)
{
    return (struct assay_out){.bytes = b->out.p, .cap = b->out.cap, .len = b->out.n};
}

static void forget_last_effect(struct assay_belief *b)
{
    if (b->effect_count)
        b->effects_bytes.n = b->effects[--b->effect_count].at;
}

typedef enum assay_rc engine_call(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out);

static enum assay_rc call_engine(const struct assay_belief_world *world, struct assay_belief *b, int64_t now,
                                 engine_call *call, const void *arg, struct harvest *h)
{
    uint32_t room = world->config.model->out_max + 64;
    for (;;) {
        if (!buf_reserve(&b->out, b->out.n + room))
            return ASSAY_STALE;
        struct assay_out out = out_of(b);
        b->clock = now > b->clock ? now : b->clock;
        enum assay_rc rc = call(b, b->clock, arg, &out);
        b->out.n = out.len;
        harvest_events(world, b, h);
        if (rc != ASSAY_FULL || h->count)
            return rc;
        room *= 2;
        if (room > 1u << 28)
            return ASSAY_STALE;
    }
}

struct completion {
    assay_token token;
    bool done;
};

static enum assay_rc do_complete(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    const struct completion *c = arg;
    return assay_complete(b->engine, c->token, now, c->done, out);
}

static void settle(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b, int64_t now);

static void complete_with(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                          int64_t now, assay_token token, bool done);

/* Answer the effects of a harvest; where the target may decide, a copy goes the other way. */
static void answer_all(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                       int64_t now, const struct harvest *h)
{
    for (size_t i = 0; i < h->count; i++) {
        struct assay_belief *other = NULL;
        if (world->effect_free[h->answers[i].effect] && world->circumstance.failing != h->answers[i].effect + 1)
            other = assay_belief_copy(world, b);
        if (other && add(set, other)) {
            forget_last_effect(other);
            complete_with(world, set, other, now, h->answers[i].token, false);
            settle(world, set, other, now);
        }
        bool fails = world->circumstance.failing == h->answers[i].effect + 1;
        if (fails)
            forget_last_effect(b);
        complete_with(world, set, b, now, h->answers[i].token, !fails);
    }
}

static void complete_with(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                          int64_t now, assay_token token, bool done)
{
    struct harvest h;
    struct completion c = {token, done};
    call_engine(world, b, now, do_complete, &c, &h);
    answer_all(world, set, b, now, &h);
}

static enum assay_rc do_feed(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    uint32_t used = 0;
    (void)arg;
    enum assay_rc rc = assay_feed(b->engine, b->sid, now, (struct assay_span){b->in.p, b->in.n}, &used, out);
    assay_buf_drop(&b->in, used);
    return rc;
}

static bool again(enum assay_rc rc, const struct harvest *h)
{
    return rc == ASSAY_PENDING || rc == ASSAY_TAKE || (rc == ASSAY_FULL && h->count);
}

/* Handle what input there is, to the end. */
static void settle(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b, int64_t now)
{
    for (bool go = b->in.n > 0 && b->open && !b->ended; go;) {
        struct harvest h;
        enum assay_rc rc = call_engine(world, b, now, do_feed, NULL, &h);
        go = again(rc, &h);
        answer_all(world, set, b, now, &h);
        go = go && !b->ended;
    }
    if (b->ended)
        b->in.n = 0;
}

static enum assay_rc do_signal(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    const enum assay_builtin_event *event = arg;
    return assay_signal(b->engine, b->sid, now, *event, (struct assay_span){b->in.p, b->in.n}, out);
}

static enum assay_rc do_tick(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    (void)arg;
    return assay_tick(b->engine, b->sid, now, out);
}

static void run_signal(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                       int64_t now, const void *arg)
{
    struct harvest h;
    enum assay_rc rc = ASSAY_TAKE;
    while (!b->ended && (rc == ASSAY_TAKE || rc == ASSAY_PENDING)) {
        rc = call_engine(world, b, now, do_signal, arg, &h);
        answer_all(world, set, b, now, &h);
    }
}

static void run_feed(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                     int64_t now, const void *arg)
{
    const struct assay_span *bytes = arg;
    if (b->ended)
        return;
    assay_buf_add(&b->in, bytes->p, bytes->n);
    b->wave++;
    settle(world, set, b, now);
}

static void run_tick(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                     int64_t now, const void *arg)
{
    struct harvest h;
    (void)arg;
    call_engine(world, b, now, do_tick, NULL, &h);
    answer_all(world, set, b, now, &h);
}

/* ---- choices ----------------------------------------------------------- */

typedef void stimulus(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                      int64_t now, const void *arg);

/* Run a stimulus in every way that the model leaves free. `before` is a copy from before it; it is used up. */
static void run_branches(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                         int64_t now, stimulus *run, const void *arg, uint8_t fixed, const uint8_t *pick)
{
    struct assay_belief *before = assay_belief_copy(world, b);
    b->choices.picks = fixed;
    memcpy(b->choices.pick, pick, fixed);
    run(world, set, b, now, arg);
    struct assay_choices choices = b->choices;
    b->choices.picks = 0;
    for (uint8_t i = fixed; before && i < choices.met && i < ASSAY_CHOICES_MAX; i++)
        for (uint8_t way = 1; way < choices.ways[i]; way++) {
            uint8_t path[ASSAY_CHOICES_MAX] = {0};
            struct assay_belief *other = assay_belief_copy(world, before);
            memcpy(path, choices.pick, fixed);
            path[i] = way;
            if (add(set, other))
                run_branches(world, set, other, now, run, arg, (uint8_t)(i + 1), path);
        }
    for (uint16_t rule = 0; before && world->shoulds && rule < world->config.model->rules_count; rule++) {
        if (before->choices.stances[rule] == choices.stances[rule])
            continue;
        struct assay_belief *other = assay_belief_copy(world, before);
        before->choices.stances[rule] = ASSAY_STANCE_FOLLOWED; /* in those that come now */
        if (!add(set, other))
            continue;
        other->choices.stances[rule] = ASSAY_STANCE_PASSED;
        run_branches(world, set, other, now, run, arg, fixed, pick);
    }
    assay_belief_free(before);
}

static void run_all_ways(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                         int64_t now, stimulus *run, const void *arg)
{
    static const uint8_t none[1] = {0};
    if (world->branches)
        run_branches(world, set, b, now, run, arg, 0, none);
    else
        run(world, set, b, now, arg);
}

static void stimulate(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now, stimulus *run,
                      const void *arg)
{
    size_t count = set->count; /* those that are added on the way have been run */
    for (size_t i = 0; i < count; i++)
        if (!set->items[i]->ended)
            run_all_ways(world, set, set->items[i], now, run, arg);
}

/* ---- stimuli ----------------------------------------------------------- */

static enum assay_rc do_open(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    (void)arg;
    return assay_open(b->engine, now, &b->sid, out);
}

static void run_open(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                     int64_t now, const void *arg)
{
    struct harvest h;
    (void)arg;
    call_engine(world, b, now, do_open, NULL, &h);
    b->open = true;
    answer_all(world, set, b, now, &h);
}

bool assay_beliefs_open(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now)
{
    struct assay_belief *b = calloc(1, sizeof *b);
    if (!b)
        return false;
    b->forked = b->clock = INT64_MIN;
    b->last_rule = ASSAY_NONE;
    b->last_state = world->config.model->machines[world->config.machine].start;
    b->world = world;
    b->engine = take_block(world);
    void *mem = b->engine;
    if (!mem || !assay_engine_init(mem, world->engine_size, &world->config) || !copy_stances(world, b, NULL)) {
        assay_belief_free(b);
        return false;
    }
    assay_choose(b->engine, &b->choices);
    if (!add(set, b))
        return false;
    stimulate(world, set, now, run_open, NULL);
    return true;
}

void assay_beliefs_fix(struct assay_belief_set *set, uint32_t seen)
{
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i]->tentative) {
            set->items[i]->tentative = false;
            set->items[i]->cursor = seen;
            set->items[i]->chunk++;
        }
}

void assay_beliefs_feed(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                        struct assay_span bytes)
{
    stimulate(world, set, now, run_feed, &bytes);
}

void assay_beliefs_signal(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                          enum assay_builtin_event event)
{
    for (size_t i = 0; i < set->count; i++)
        set->items[i]->shut = true;
    stimulate(world, set, now, run_signal, &event);
}

void assay_beliefs_tick(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now)
{
    stimulate(world, set, now, run_tick, NULL);
}

uint16_t assay_belief_passes_over(const struct assay_belief *b)
{
    for (uint16_t i = 0; b->world->shoulds && i < b->world->config.model->rules_count; i++)
        if (b->choices.stances[i] == ASSAY_STANCE_PASSED)
            return i;
    return ASSAY_NONE;
}

/* ---- time -------------------------------------------------------------- */

struct tolerance {
    int64_t early, late;
};

/* The widest of the timers that may be the one that is due. */
static struct tolerance tolerance_of(const struct assay_belief_world *world, const struct assay_belief *b)
{
    const struct assay_model *model = world->config.model;
    struct assay_range timers = model->machines[world->config.machine].timers;
    struct tolerance t = {0, 0};
    uint16_t state = assay_state(b->engine, b->sid);
    for (uint32_t i = timers.first; i < (uint32_t)timers.first + timers.count; i++) {
        const uint16_t *s = &model->statesets[model->timers[i].states];
        while (*s != ASSAY_NONE && *s != state)
            s++;
        if (*s == ASSAY_NONE)
            continue;
        if (model->timers[i].early > t.early)
            t.early = model->timers[i].early;
        if (model->timers[i].late > t.late)
            t.late = model->timers[i].late;
    }
    return t;
}

static void remove_at(struct assay_belief_set *set, size_t i)
{
    assay_belief_free(set->items[i]);
    set->items[i] = set->items[--set->count];
}

/* One belief at `now`: from when its timer may fire there is a copy in which it has; true: it must have. */
static bool pass_time(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                      int64_t now)
{
    assay_time due = b->open && !b->ended ? assay_deadline(b->engine) : ASSAY_NEVER;
    if (due == ASSAY_NEVER)
        return false;
    struct tolerance t = tolerance_of(world, b);
    if (now < due - t.early)
        return false;
    if (b->forked != due) {
        struct assay_belief *fired = assay_belief_copy(world, b);
        if (!add(set, fired))
            return false;
        b->forked = due;
        run_all_ways(world, set, fired, due, run_tick, NULL);
    }
    return now > due + t.late;
}

void assay_beliefs_time(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now)
{
    for (size_t i = 0; i < set->count;)
        if (pass_time(world, set, set->items[i], now))
            remove_at(set, i);
        else
            i++;
}
