/* Beliefs: giving all of them what the target saw, every way that the model leaves free. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/belief.h"
#include "conformance/records.h"
#include "conformance/side.h"
#include "conformance/site.h"
#include "core/code.h"

#define TOKENS_MAX 16

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

static void note_kind(const struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event,
                      struct assay_chunk *c)
{
    struct assay_span bytes = {b->out.p + c->at, c->size};
    if (world->reliable && c->message == world->reliable->ack)
        c->kind = ASSAY_CHUNK_ACK;
    else if (world->reliable && world->reliables[c->message]) {
        c->kind = ASSAY_CHUNK_RELIABLE;
        c->count = event->sent.number;
        c->numbering = event->sent.numbering;
    }
    b->marks += world->config.marked && assay_mark_find(bytes, 0) < bytes.n;
}

static void note_conditions(struct assay_belief *b, const struct assay_event *event, struct assay_chunk *c)
{
    bool any = false;
    for (unsigned i = 0; i < ASSAY_SLOTS_MAX; i++)
        any |= (c->free >> i & 1) && event->sent.where[i] != ASSAY_NONE;
    if (!any || !assay_belief_vars_keep(b, &b->vars, &c->vars_at) ||
        !(c->where = malloc(ASSAY_SLOTS_MAX * sizeof(uint16_t))))
        return;
    for (unsigned i = 0; i < ASSAY_SLOTS_MAX; i++)
        c->where[i] = c->free >> i & 1 ? event->sent.where[i] : ASSAY_NONE;
}

static void note_chunk(struct assay_belief *b, const struct assay_event *event)
{
    struct assay_belief_world *world = b->world;
    if (event->sent.size == 0 && !world->datagrams) /* of a stream without borders: nobody sees it */
        return;
    if (world->reliable && !world->target && assay_copies_note(world, b, event))
        return;
    if (!assay_grow((void **)&b->chunks, &b->chunk_cap, b->chunk_count + 1, sizeof *b->chunks))
        return;
    struct assay_chunk *c = &b->chunks[b->chunk_count++];
    *c = (struct assay_chunk){.at = event->sent.at,
                              .size = event->sent.size,
                              .message = event->sent.message,
                              .wave = b->wave,
                              .rule = event->sent.rule,
                              .stopped_at = ASSAY_NEVER,
                              .free = event->sent.free};
    note_kind(world, b, event, c);
    if (c->free)
        note_conditions(b, event, c);
}

static void note_told(const struct assay_belief_world *world, struct assay_belief *b, const struct assay_upper *upper)
{
    uint32_t before = b->tale.count;
    struct assay_told *t = assay_tale_add(&b->tale, world->config.model, upper, world->stream);
    if (!t)
        return;
    if (b->tale.count == before && b->told_seen == before) /* what was seen in full has grown */
        b->told_seen--;
    t->rule = b->last_rule;
    t->state = b->last_state;
    t->event = b->last_event;
}

static void show_text(const struct assay_belief_world *world, struct assay_belief *b, struct assay_span text,
                      bool release)
{
    struct assay_span kept = {b->kept.p, b->kept.n};
    if (release && kept.n)
        note_told(world, b, &(struct assay_upper){.kind = ASSAY_UPPER_TEXT, .count = 1, .spans = &kept});
    if (release)
        b->kept.n = 0;
    if (text.n)
        note_told(world, b, &(struct assay_upper){.kind = ASSAY_UPPER_TEXT, .count = 1, .spans = &text});
}

/* What the terminal shows of an effect: the arguments stand in the first slots. */
static void show_effect(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    struct assay_env *env = &world->lens.env;
    uint16_t code = world->terminal->effects[event->effect.effect];
    struct assay_range args = world->config.model->effects[event->effect.effect].args;
    struct assay_span text;
    assay_val v;
    assay_lens_clear(&world->lens);
    for (uint16_t i = 0; i < event->count && i < ASSAY_SLOTS_MAX; i++) {
        bool bytes = assay_type_is_bytes(world->config.model, world->config.model->params[args.first + i].type);
        uint8_t *p = bytes ? assay_scratch(env, event->spans[i].n) : NULL;
        if (p && event->spans[i].n)
            memcpy(p, event->spans[i].p, event->spans[i].n);
        world->lens.slots[i] = bytes && p ? assay_scratch_val(env, p, event->spans[i].n) : event->values[i];
        env->known |= (uint64_t)1 << i;
    }
    if (code == ASSAY_NONE || !assay_eval(env, code, &v))
        return;
    text = assay_bytes(env, v);
    if (assay_effect_is(&world->config.model->effects[event->effect.effect], "gather"))
        assay_buf_add(&b->kept, text.p, text.n);
    else
        show_text(world, b, text, assay_effect_is(&world->config.model->effects[event->effect.effect], "release"));
}

static void tell_effect(struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    if (world->terminal) {
        show_effect(world, b, event);
        return;
    }
    struct assay_upper upper = {.kind = ASSAY_UPPER_EFFECT,
                                .index = event->effect.effect,
                                .count = event->count,
                                .values = event->values,
                                .spans = event->spans};
    if (world->hands_out)
        note_told(world, b, &upper);
}

static void tell_result(const struct assay_belief_world *world, struct assay_belief *b, const struct assay_event *event)
{
    bool ok = event->result.outcome == ASSAY_CALL_OK;
    struct assay_upper upper = {.kind = ok ? ASSAY_UPPER_RESULT : ASSAY_UPPER_ERROR,
                                .index = event->result.call,
                                .outcome = event->result.outcome,
                                .count = ok ? event->count : 0,
                                .values = event->values,
                                .spans = event->spans};
    if (!world->terminal)
        note_told(world, b, &upper);
    b->calling = false;
    b->over = b->over || world->config.model->calls[upper.index].opens != ASSAY_NONE;
}

static void note_step(struct assay_belief *b, const struct assay_event *event)
{
    b->met |= assay_fold(event->step.event);
    for (; b->chunk_placed < b->chunk_count; b->chunk_placed++) {
        b->chunks[b->chunk_placed].state = event->step.before;
        b->chunks[b->chunk_placed].event = event->step.event;
    }
    if (b->world->config.model->events[event->step.event].kind == ASSAY_EVK_ROW) /* the log's, not the input's */
        return;
    b->last_rule = event->step.rule;
    b->last_state = event->step.before;
    b->last_event = event->step.event;
    b->heard = b->heard || b->world->config.model->events[event->step.event].kind == ASSAY_EVK_MESSAGE;
    b->faulted = b->faulted || event->step.otherwise || event->step.event == ASSAY_EV_NO_ROOM;
    if (b->steps++)
        return;
    b->first_rule = event->step.rule;
    b->first_event = event->step.event;
}

static void harvest_events(struct assay_belief_world *world, struct assay_belief *b, struct harvest *h)
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
            b->finished = event.ended.finished;
            b->ended_at = b->clock;
            b->cause = event.ended.cause;
            b->met |= event.ended.cause == ASSAY_NONE ? 0 : assay_fold(event.ended.cause);
        } else if (event.type == ASSAY_EVENT_RESULT) {
            tell_result(world, b, &event);
        } else if (event.type == ASSAY_EVENT_EFFECT) {
            assay_record_note(world, b, &event);
            tell_effect(world, b, &event);
            if (world->circumstance.failing != event.effect.effect + 1)
                assay_rows_add(world, b, &event);
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

/* The link of a call that made it ends in order with the call. */
static void end_with_call(struct assay_belief *b)
{
    assay_drop(b->engine, b->sid);
    b->ended = b->finished = true;
    b->how = ASSAY_END_CLOSE;
    b->ended_at = b->clock;
}

/* One call, with that much room for output. */
static enum assay_rc call_once(struct assay_belief_world *world, struct assay_belief *b, int64_t now, engine_call *call,
                               const void *arg, struct harvest *h, uint32_t room)
{
    if (!assay_buf_reserve(&b->out, b->out.n + room))
        return ASSAY_STALE;
    struct assay_out out = out_of(b);
    out.cap = b->out.n + room;
    out.cuts = world->cuts;
    out.cuts_cap = world->cuts_cap;
    b->clock = now > b->clock ? now : b->clock;
    enum assay_rc rc = call(b, b->clock, arg, &out);
    b->out.n = out.len;
    harvest_events(world, b, h);
    assay_copies_count(world, b);
    if (b->over && !b->ended)
        end_with_call(b);
    return rc;
}

static enum assay_rc call_engine(struct assay_belief_world *world, struct assay_belief *b, int64_t now,
                                 engine_call *call, const void *arg, struct harvest *h)
{
    uint32_t room = world->config.model->out_max + 64;
    uint8_t met = b->choices.met;
    for (; room <= 1u << 28; room *= 2) {
        b->choices.met = met; /* what did not fit has not been */
        enum assay_rc rc = call_once(world, b, now, call, arg, h, room);
        if (rc != ASSAY_FULL || h->count)
            return rc;
    }
    return ASSAY_STALE;
}

/* Sessions that follow a log get the rows that they lack. */
static void give_rows(struct assay_belief_world *world, struct assay_belief *b, int64_t now)
{
    struct assay_hunger hunger;
    struct harvest h;
    while (world->config.model->logs_count && b->open && !b->ended && assay_rows_next(b, &hunger)) {
        uint32_t most = hunger.most;
        for (; most > 0 && call_engine(world, b, now, assay_rows_give, &hunger, &h) == ASSAY_OK; most--)
            hunger.from++;
        if (most == hunger.most)
            break;
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
        if (other && assay_beliefs_add(set, other)) {
            forget_last_effect(other);
            complete_with(world, set, other, now, h->answers[i].token, false);
            other->more = true;
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

/* How much of its input a belief's engine gets at once. */
static uint32_t next_input(struct assay_belief *b)
{
    struct assay_belief_world *world = b->world;
    const struct assay_model *model = world->config.model;
    uint16_t machine = world->config.machine;
    if (!world->one_by_one || world->datagrams)
        return b->in.n;
    assay_lens_clear(&world->lens);
    struct assay_frame_found f =
        assay_frame_find(&world->lens.env, model->machines[machine].frame_in, assay_tester_role(model, machine),
                         (struct assay_span){b->in.p, b->in.n}, 0, false);
    return f.status == ASSAY_FRAME_WHOLE ? (uint32_t)f.size : b->in.n;
}

static enum assay_rc do_feed(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    uint32_t used = 0;
    (void)arg;
    enum assay_rc rc = assay_feed(b->engine, b->sid, now, (struct assay_span){b->in.p, next_input(b)}, &used, out);
    assay_buf_drop(&b->in, used);
    b->datagram = b->datagram && rc != ASSAY_OK && rc != ASSAY_ENDED;
    return rc;
}

static bool again(enum assay_rc rc, const struct harvest *h)
{
    return rc == ASSAY_PENDING || rc == ASSAY_TAKE || (rc == ASSAY_FULL && h->count);
}

static void run_signal(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                       int64_t now, const void *arg);
static void run_waiting(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                        int64_t now);

/* Handle input with one call of the engine. Little room keeps it to few choices. */
static void run_some(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                     int64_t now, const void *arg)
{
    struct harvest h;
    uint32_t had = b->in.n, most = world->config.model->out_max;
    uint8_t met = b->choices.met;
    enum assay_rc rc = call_once(world, b, now, do_feed, arg, &h, world->branches ? most + 1 : most + 4096);
    if (rc == ASSAY_FULL && h.count == 0 && b->in.n == had) {
        b->choices.met = met;
        rc = call_engine(world, b, now, do_feed, arg, &h);
    }
    bool go = again(rc, &h) || ((rc == ASSAY_FULL || (world->one_by_one && b->in.n)) && b->in.n < had);
    answer_all(world, set, b, now, &h);
    b->more = go && !b->ended;
    if (b->ended)
        b->in.n = 0;
    if (!b->more)
        give_rows(world, b, now);
    if (!b->more)
        run_waiting(world, set, b, now);
    if (b->behind && rc != ASSAY_EARLY && !b->more && !b->ended)
        run_signal(world, set, b, now, &(enum assay_builtin_event){(enum assay_builtin_event)b->behind});
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
    const enum assay_builtin_event *event = arg;
    enum assay_rc rc = ASSAY_TAKE;
    while (!b->ended && (rc == ASSAY_TAKE || rc == ASSAY_PENDING)) {
        rc = call_engine(world, b, now, do_signal, arg, &h);
        answer_all(world, set, b, now, &h);
    }
    b->behind = rc == ASSAY_EARLY ? (uint16_t)*event : 0;
}

static void run_tick(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                     int64_t now, const void *arg)
{
    struct harvest h;
    (void)arg;
    call_engine(world, b, now, do_tick, NULL, &h);
    answer_all(world, set, b, now, &h);
    b->more = b->in.n > 0; /* what waited for a call may be for a rule now */
    give_rows(world, b, now);
    run_waiting(world, set, b, now);
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
    b->choices.met = 0;
    memcpy(b->choices.pick, pick, fixed);
    run(world, set, b, now, arg);
    struct assay_choices choices = b->choices;
    b->choices.picks = 0;
    set->overflow = set->overflow || choices.met == ASSAY_CHOICES_MAX; /* there may have been more */
    for (uint8_t i = fixed; before && i < choices.met && i < ASSAY_CHOICES_MAX; i++)
        for (uint8_t way = 1; way < choices.ways[i]; way++) {
            uint8_t path[ASSAY_CHOICES_MAX] = {0};
            struct assay_belief *other = assay_belief_copy(world, before);
            memcpy(path, choices.pick, fixed);
            path[i] = way;
            if (assay_beliefs_add(set, other))
                run_branches(world, set, other, now, run, arg, (uint8_t)(i + 1), path);
        }
    for (uint16_t rule = 0; before && world->shoulds && rule < world->config.model->rules_count; rule++) {
        if (before->choices.stances[rule] == choices.stances[rule])
            continue;
        struct assay_belief *other = assay_belief_copy(world, before);
        before->choices.stances[rule] = ASSAY_STANCE_FOLLOWED; /* in those that come now */
        if (!assay_beliefs_add(set, other))
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

/* Handle what input is left, to the end. */
static void settle(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now)
{
    for (size_t i = 0; i < set->count; i++)
        while (set->items[i]->more) {
            struct assay_belief *b = set->items[i];
            b->more = false;
            if ((b->in.n > 0 || b->datagram) && b->open && !b->ended)
                run_all_ways(world, set, b, now, run_some, NULL);
        }
}

static void stimulate(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now, stimulus *run,
                      const void *arg)
{
    size_t count = set->count; /* those that are added on the way have been run */
    for (size_t i = 0; i < count; i++)
        if (!set->items[i]->ended)
            run_all_ways(world, set, set->items[i], now, run, arg);
    settle(world, set, now);
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
    assay_identify(b->engine, b->sid, (struct assay_span){&b->link, 1});
    answer_all(world, set, b, now, &h);
}

bool assay_beliefs_open(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now)
{
    struct assay_belief *b = assay_belief_new(world);
    if (b)
        b->link = set->link;
    if (!assay_beliefs_add(set, b))
        return false;
    stimulate(world, set, now, run_open, NULL);
    return true;
}

/* A datagram of a source whose session is over makes another one. */
static bool comes_anew(const struct assay_belief_world *world)
{
    return world->datagrams && !world->client && world->config.model->machines[world->config.machine].stateless;
}

/* It stands where it began, with nothing in flight: the next datagram is that of a stranger. */
static bool is_nobody(const struct assay_belief *b)
{
    struct assay_waiting w;
    const struct assay_machine *machine = &b->world->model->machines[b->world->config.machine];
    if (!b->open || b->ended || b->wave == 0 || assay_state(b->engine, b->sid) != machine->start)
        return false;
    return !assay_waiting(b->engine, b->sid, &w) || (w.sent == 0 && w.held == 0);
}

static void open_anew(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                      int64_t now)
{
    b->ended = b->finished = b->open = false;
    b->forked = INT64_MIN;
    run_open(world, set, b, now, NULL);
}

void assay_beliefs_share(struct assay_belief_world *world, const struct assay_belief *best,
                         struct assay_belief_set *other, int64_t now)
{
    for (size_t i = 0; i < other->count; i++)
        if (other->items[i]->rows.n < best->rows.n && assay_rows_take(other->items[i], &best->rows))
            give_rows(world, other->items[i], now);
}

void assay_beliefs_restart(struct assay_belief_world *world, struct assay_belief_set *set,
                           const struct assay_belief *before, int64_t now)
{
    assay_beliefs_clear(set);
    assay_beliefs_open(world, set, now);
    for (size_t i = 0; i < set->count; i++)
        assay_rows_inherit(set->items[i], before);
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
    for (size_t i = 0; i < set->count; i++) {
        struct assay_belief *b = set->items[i];
        if (comes_anew(world) && is_nobody(b)) {
            assay_drop(b->engine, b->sid);
            b->ended = true;
        }
        if (b->ended && comes_anew(world))
            open_anew(world, set, b, now);
        if (b->ended)
            continue;
        assay_buf_add(&b->in, bytes.p, bytes.n);
        b->wave++;
        b->more = true;
        b->datagram = world->datagrams;
    }
    settle(world, set, now);
}

void assay_beliefs_signal(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                          enum assay_builtin_event event)
{
    for (size_t i = 0; i < set->count; i++)
        set->items[i]->shut = true;
    stimulate(world, set, now, run_signal, &event);
}

static enum assay_rc do_call(struct assay_belief *b, int64_t now, const void *arg, struct assay_out *out)
{
    const struct assay_belief_call *c = arg;
    int64_t deadline = b->world->call_timeout ? now + b->world->call_timeout : ASSAY_NEVER;
    return assay_call(b->engine, b->sid, now, c->call, c->values, c->spans, deadline, out);
}

/* As many messages wait to be acknowledged as may. */
static bool window_is_full(const struct assay_belief *b)
{
    struct assay_waiting w;
    return b->world->reliable && assay_waiting(b->engine, b->sid, &w) && w.sent >= b->world->reliable->window;
}

/* Whether it has to wait until the window has room; tried on a copy, as what it draws is drawn. */
static bool has_to_wait(struct assay_belief_world *world, const struct assay_belief *b, int64_t now,
                        const struct assay_belief_call *call)
{
    struct harvest h;
    struct assay_belief *trial = window_is_full(b) ? assay_belief_copy(world, b) : NULL;
    bool waits = trial && call_once(world, trial, now, do_call, call, &h, world->model->out_max + 64) == ASSAY_FULL;
    assay_belief_free(trial);
    return waits;
}

static void start_call(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                       int64_t now, const struct assay_belief_call *call)
{
    struct harvest h;
    b->calling = true;
    call_engine(world, b, now, do_call, call, &h);
    answer_all(world, set, b, now, &h);
}

static void run_waiting(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                        int64_t now)
{
    while (b->waiting_count && !b->ended && !window_is_full(b)) {
        struct assay_belief_call call = b->waiting[0];
        memmove(b->waiting, b->waiting + 1, --b->waiting_count * sizeof b->waiting[0]);
        start_call(world, set, b, now, &call);
    }
}

static void run_call(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                     int64_t now, const void *arg)
{
    const struct assay_belief_call *call = arg;
    if (b->waiting_count == 0 && !has_to_wait(world, b, now, call))
        start_call(world, set, b, now, call);
    else if (b->waiting_count < ASSAY_CALLS_WAIT_MAX)
        b->waiting[b->waiting_count++] = *call;
    else
        set->overflow = true;
    b->calling = b->calling || b->waiting_count;
}

void assay_beliefs_call(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now,
                        const struct assay_belief_call *call)
{
    struct assay_upper closed = {.kind = ASSAY_UPPER_ERROR, .index = call->call, .outcome = ASSAY_CALL_CLOSED};
    for (size_t i = 0; i < set->count; i++)
        if (set->items[i]->ended && !world->terminal)
            note_told(world, set->items[i], &closed);
    stimulate(world, set, now, run_call, call);
    for (size_t i = 0; i < set->count; i++)
        set->items[i]->more = set->items[i]->more || set->items[i]->in.n;
    settle(world, set, now);
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

#define CALL_LATE 1000000000 /* ns that a call may take longer than it should: the spec has no word on it */

/* The widest of the timers that may be the one that is due. */
static struct tolerance tolerance_of(const struct assay_belief_set *set, const struct assay_belief *b)
{
    const struct assay_belief_world *world = b->world;
    const struct assay_model *model = world->config.model;
    struct assay_range timers = model->machines[world->config.machine].timers;
    struct tolerance t = {0, 0};
    uint16_t state = assay_state(b->engine, b->sid);
    if (b->calling)
        t.late = CALL_LATE;
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
    if (assay_gives_up_at(b, assay_deadline(b->engine))) {
        int64_t share = world->give_up / 100 * world->reliable->tolerance;
        t.early = share > t.early ? share : t.early;
        t.late = share > t.late ? share : t.late;
    }
    t.early += set->unsure;
    return t;
}

/* When something may happen by itself. */
static assay_time next_due(const struct assay_belief *b)
{
    return b->open && !b->ended ? assay_deadline(b->engine) : ASSAY_NEVER;
}

/* The model sends again what was not acknowledged; what the target does is judged by when it was seen. */
static void pass_copies(struct assay_belief_world *world, struct assay_belief_set *set, struct assay_belief *b,
                        int64_t now)
{
    int64_t due;
    while ((due = assay_copies_due(b)) <= now && due == next_due(b)) {
        set->timed = true;
        run_tick(world, set, b, due, NULL);
    }
}

assay_time assay_belief_due(const struct assay_belief_set *set, const struct assay_belief *b)
{
    assay_time due = next_due(b);
    return due == ASSAY_NEVER ? due : due - tolerance_of(set, b).early;
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
    pass_copies(world, set, b, now);
    assay_time due = next_due(b);
    if (due == ASSAY_NEVER)
        return false;
    struct tolerance t = tolerance_of(set, b);
    if (now < due - t.early)
        return false;
    set->timed = true;
    if (b->forked != due) {
        struct assay_belief *fired = assay_belief_copy(world, b);
        if (!assay_beliefs_add(set, fired))
            return false;
        b->forked = due;
        run_all_ways(world, set, fired, due, run_tick, NULL);
    }
    return now > due + t.late;
}

void assay_beliefs_time(struct assay_belief_world *world, struct assay_belief_set *set, int64_t now)
{
    world->now = now > world->now ? now : world->now;
    for (size_t i = 0; i < set->count;)
        if (pass_time(world, set, set->items[i], now))
            remove_at(set, i);
        else
            i++;
    settle(world, set, now);
}
