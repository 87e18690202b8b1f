#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/again.h"
#include "conformance/belief.h"
#include "conformance/memory.h"
#include "conformance/records.h"

/* The target's side of one link: a belief that is not believed in. */
struct pipe_end {
    struct assay_belief_set set;
    uint32_t shown;           /* bytes of its output that the tester has seen */
    uint32_t told, told_size; /* entries of its tale that the tester has seen; bytes of the one that `begun` is about */
    bool begun;               /* the next entry has been seen in part: it may still grow */
    bool end_shown, shut, reset;
    bool arrives, open;             /* the target makes it; it is there */
    bool planned;                   /* it is over, and the target has made up its mind whether to try again */
    const struct assay_step *first; /* the call that makes it */
    uint32_t chunk;                 /* datagrams shown */
};

struct run {
    const struct assay_memory_config *config;
    const struct assay_case *c;
    struct assay_belief_world world;
    struct assay_oracle *oracle; /* NULL: only hash */
    struct pipe_end links[UINT8_MAX];
    uint32_t by_hand[UINT8_MAX]; /* cases by hand: bytes that the steps have named */
    int64_t now;
    size_t next; /* step of the case */
    unsigned repeats;
    bool refusing;
    uint8_t last;             /* of the links that the target made */
    uint8_t first_alive;      /* of the links: those before it are gone with the process that they led to */
    struct assay_tries tries; /* of a target that connects again */
    int64_t next_try;
    struct assay_bytes_buf filled;
    uint64_t hash;
    struct assay_memory_result *result;
};

static struct assay_belief *end_of(struct run *run, uint8_t link)
{
    return run->links[link].set.count ? run->links[link].set.items[0] : NULL;
}

/* Where the target may choose, it takes the first way. */
static void first_way(struct assay_belief_set *set)
{
    while (set->count > 1)
        assay_belief_free(set->items[--set->count]);
}

static void hash_bytes(struct run *run, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    for (size_t i = 0; i < n; i++)
        run->hash = (run->hash ^ bytes[i]) * 0x100000001b3u;
}

static bool fail(struct run *run, uint8_t link, size_t step)
{
    if (run->result) {
        run->result->passed = false;
        run->result->link = link;
        run->result->step = step;
        if (run->oracle)
            assay_oracle_blame(run->oracle, link, &run->result->blame);
    }
    return false;
}

/* ---- what the target does ---------------------------------------------- */

static bool mute(const struct run *run)
{
    return run->config->host == ASSAY_HOST_MUTE || run->config->host == ASSAY_HOST_CLOSER;
}

static bool has_ended(struct run *run, uint8_t link)
{
    if (run->config->host == ASSAY_HOST_CLOSER)
        return true;
    if (run->config->host == ASSAY_HOST_MUTE)
        return run->links[link].shut;
    return end_of(run, link)->ended;
}

/* The bytes that the tester sees next: of datagrams one. */
static struct assay_span fresh_bytes(struct run *run, uint8_t link)
{
    struct assay_belief *b = end_of(run, link);
    struct pipe_end *p = &run->links[link];
    struct assay_span fresh = {b->out.p + p->shown, b->out.n - p->shown};
    if (run->world.datagrams && p->chunk < b->chunk_count)
        fresh.n = b->chunks[p->chunk++].size;
    return fresh;
}

static bool show_bytes(struct run *run, uint8_t link)
{
    struct pipe_end *p = &run->links[link];
    uint32_t datagrams = run->world.datagrams && !mute(run) ? end_of(run, link)->chunk_count : 0;
    while (!mute(run) && (p->shown < end_of(run, link)->out.n || p->chunk < datagrams)) {
        struct assay_span fresh = fresh_bytes(run, link);
        hash_bytes(run, &link, sizeof link);
        hash_bytes(run, fresh.p, fresh.n);
        p->shown += fresh.n;
        if (run->oracle && !run->c->by_hand && !p->reset && !assay_oracle_received(run->oracle, link, fresh))
            return false;
    }
    return true;
}

static bool show_entry(struct run *run, uint8_t link, uint32_t i, uint32_t from)
{
    const struct assay_tale *tale = &end_of(run, link)->tale;
    const struct assay_told *t = &tale->items[i];
    struct assay_told_room room;
    struct assay_upper upper = assay_tale_entry(tale, i, run->world.config.model, &room);
    if (t->run)
        room.spans[0] = (struct assay_span){room.spans[0].p + from, room.spans[0].n - from};
    hash_bytes(run, &t->kind, sizeof t->kind);
    hash_bytes(run, &t->index, sizeof t->index);
    hash_bytes(run, &t->outcome, sizeof t->outcome);
    hash_bytes(run, tale->bytes.p + t->at + from, t->size - from);
    return !run->oracle || run->c->by_hand || assay_oracle_upper(run->oracle, link, &upper);
}

/* What the application above the target is told. An entry that may come in pieces comes so, as it grows. */
static bool show_told(struct run *run, uint8_t link)
{
    struct pipe_end *p = &run->links[link];
    const struct assay_tale *tale = &end_of(run, link)->tale;
    if (mute(run) || run->config->host == ASSAY_HOST_UNTOLD)
        return true;
    while (p->told < tale->count) {
        const struct assay_told *t = &tale->items[p->told];
        bool fresh = !p->begun || p->told_size < t->size;
        if (fresh && !show_entry(run, link, p->told, p->begun ? p->told_size : 0))
            return false;
        p->begun = t->run && p->told + 1 == tale->count;
        p->told_size = t->size;
        if (p->begun)
            break;
        p->told++;
    }
    return true;
}

static bool show_end(struct run *run, uint8_t link)
{
    struct pipe_end *p = &run->links[link];
    if (!has_ended(run, link) || p->end_shown)
        return true;
    bool abort_it = !mute(run) && end_of(run, link)->how == ASSAY_END_ABORT;
    hash_bytes(run, abort_it ? "R" : "F", 1);
    p->end_shown = true;
    if (!run->oracle || run->c->by_hand || p->reset)
        return true;
    return abort_it ? assay_oracle_rst(run->oracle, link) : assay_oracle_fin(run->oracle, link);
}

static bool show(struct run *run, uint8_t link, size_t step)
{
    if (!run->links[link].open)
        return true;
    first_way(&run->links[link].set);
    return (show_bytes(run, link) && show_told(run, link) && show_end(run, link)) || fail(run, link, step);
}

/* ---- steps ------------------------------------------------------------- */

/* What the tester fills in; with nobody to judge, as the target itself would have it. */
static struct assay_span filled(struct run *run, const struct assay_step *s)
{
    struct assay_span template = {s->bytes.p, s->bytes.n};
    bool known = true;
    if (!run->world.reliable && assay_mark_find(template, 0) == template.n)
        return template;
    if (run->oracle)
        template = assay_oracle_fill(run->oracle, s->link, s->from, s->stamp, template, &known);
    run->filled.n = 0;
    assay_buf_add(&run->filled, template.p, template.n);
    if (!run->oracle && !mute(run))
        assay_belief_stamp(&run->world, end_of(run, s->link), s->stamp, &run->filled);
    if (!known)
        assay_marks_spoil(&run->world, run->filled.p, run->filled.n);
    return (struct assay_span){run->filled.p, run->filled.n};
}

/* What one session keeps is there for all. */
static bool share(struct run *run, uint8_t link, size_t step)
{
    const struct assay_belief *b = mute(run) || link < run->first_alive ? NULL : end_of(run, link);
    for (uint8_t i = run->first_alive; b && b->rows.n && i < run->c->links; i++) {
        if (i == link)
            continue;
        assay_beliefs_share(&run->world, b, &run->links[i].set, run->now);
        if (!show(run, i, step))
            return false;
    }
    return true;
}

static bool share_all(struct run *run, size_t step)
{
    for (uint8_t i = run->first_alive; i < run->c->links; i++)
        if (!share(run, i, step))
            return false;
    return true;
}

static bool pass_until(struct run *run, int64_t until, size_t step);

/* What it has the target do at once without another stimulus is done, too. */
static bool step_send(struct run *run, const struct assay_step *s, size_t step)
{
    struct assay_span bytes = filled(run, s);
    hash_bytes(run, "S", 1);
    if (run->oracle)
        assay_oracle_sent(run->oracle, s->link, run->now, bytes);
    if (!mute(run))
        assay_beliefs_feed(&run->world, &run->links[s->link].set, run->now, bytes);
    return share(run, s->link, step) && show(run, s->link, step) && pass_until(run, run->now, step);
}

static bool step_await(struct run *run, const struct assay_step *s, size_t step)
{
    hash_bytes(run, "A", 1);
    if (!run->oracle || run->c->by_hand)
        return true;
    struct assay_owed owed = assay_oracle_owed(run->oracle, s->link);
    return owed.maybe || !(owed.bytes || owed.end || owed.upper) || fail(run, s->link, step);
}

static bool step_quiet(struct run *run, const struct assay_step *s, size_t step)
{
    hash_bytes(run, "Q", 1);
    if (!run->oracle || run->c->by_hand || has_ended(run, s->link))
        return true;
    return assay_oracle_silence(run->oracle, s->link) || fail(run, s->link, step);
}

static bool step_eof(struct run *run, const struct assay_step *s, size_t step)
{
    if (run->oracle)
        assay_oracle_shut(run->oracle, s->link, run->now);
    run->links[s->link].shut = true;
    if (!mute(run))
        assay_beliefs_signal(&run->world, &run->links[s->link].set, run->now, ASSAY_EV_EOF);
    hash_bytes(run, "E", 1);
    return show(run, s->link, step);
}

static bool step_reset(struct run *run, const struct assay_step *s, size_t step)
{
    if (run->oracle)
        assay_oracle_reset(run->oracle, s->link, run->now);
    run->links[s->link].reset = run->links[s->link].shut = true;
    if (!mute(run))
        assay_beliefs_signal(&run->world, &run->links[s->link].set, run->now, ASSAY_EV_RESET);
    return show(run, s->link, step);
}

static bool show_all(struct run *run, size_t step)
{
    for (uint8_t i = 0; i < run->c->links; i++)
        if (!show(run, i, step))
            return false;
    return true;
}

static int64_t next_deadline(struct run *run)
{
    int64_t next = run->next_try;
    for (uint8_t i = 0; i < run->c->links; i++) {
        struct assay_belief *b = end_of(run, i);
        int64_t due = !b || mute(run) || b->ended ? ASSAY_NEVER : assay_deadline(b->engine);
        next = due < next ? due : next;
    }
    return next;
}

/* The target's timers fire exactly when they are due. */
static void tick_all(struct run *run)
{
    for (uint8_t i = 0; i < run->c->links; i++) {
        struct assay_belief_set *set = &run->links[i].set;
        struct assay_belief *b = end_of(run, i);
        if (b && !mute(run) && !b->ended && assay_deadline(b->engine) <= run->now)
            assay_beliefs_tick(&run->world, set, run->now);
    }
}

/* ---- links that the target makes --------------------------------------- */

static const struct assay_reconnect *reconnect_of(struct run *run)
{
    const struct assay_config *config = &run->world.config;
    return &config->model->machines[config->machine].reconnect;
}

static void plan_try(struct run *run)
{
    int64_t pause;
    const struct assay_reconnect *r = reconnect_of(run);
    run->next_try = ASSAY_NEVER;
    if ((r->most && run->tries.refused >= r->most) || !assay_tries_pause(&run->tries, &pause))
        return;
    if (__builtin_add_overflow(run->now, pause > 0 ? pause : 0, &run->next_try))
        run->next_try = ASSAY_NEVER;
}

/* A link that ended makes a target that is not through try again. */
static void plan_again(struct run *run)
{
    struct pipe_end *p = &run->links[run->last];
    struct assay_belief *b = end_of(run, run->last);
    if (!p->open || p->planned || !b || mute(run) || !b->ended)
        return;
    p->planned = true;
    if (reconnect_of(run)->pause == ASSAY_NONE || b->finished)
        return;
    if (b->heard)
        run->tries.grown = 0;
    run->tries.refused = 0;
    plan_try(run);
}

static bool call_now(struct run *run, const struct assay_step *s, size_t step)
{
    struct assay_belief_call call = {s->call, s->values, s->spans};
    if (!mute(run))
        assay_beliefs_call(&run->world, &run->links[s->link].set, run->now, &call);
    return show(run, s->link, step);
}

static bool open_link(struct run *run, uint8_t link, size_t step)
{
    struct pipe_end *p = &run->links[link];
    if (run->oracle)
        assay_oracle_connect(run->oracle, link, run->now);
    if (!assay_beliefs_open(&run->world, &p->set, run->now))
        return false;
    p->open = true;
    if (p->arrives)
        run->last = link;
    hash_bytes(run, "L", 1);
    hash_bytes(run, &run->now, sizeof run->now);
    if (p->first && !call_now(run, p->first, step))
        return false;
    return show(run, link, step);
}

static bool say(struct run *run, uint8_t link, size_t step, const char *expected);

/* The target tries now. It must be in time, and permitted. */
static bool try_again(struct run *run, size_t step)
{
    uint8_t link = (uint8_t)(run->last + 1);
    run->tries.grown++;
    run->tries.refused++;
    if (run->refusing) {
        plan_try(run);
        return true;
    }
    run->next_try = ASSAY_NEVER;
    if (run->oracle) {
        struct assay_again again = assay_oracle_again(run->oracle, run->last);
        if (!again.may)
            return say(run, run->last, step, "no more connections");
        if (run->now < again.earliest || run->now > again.latest)
            return say(run, run->last, step, "a connection after the pause");
    }
    return link >= run->c->links || !run->links[link].arrives || open_link(run, link, step);
}

static bool pass_until(struct run *run, int64_t until, size_t step)
{
    int64_t due;
    plan_again(run);
    for (int i = 0; i < 1000 && (due = next_deadline(run)) <= until; i++) {
        run->now = due > run->now ? due : run->now;
        if (run->oracle)
            assay_oracle_time(run->oracle, run->now);
        if (run->next_try <= run->now && !try_again(run, step))
            return false;
        tick_all(run);
        hash_bytes(run, &run->now, sizeof run->now);
        if (!show_all(run, step) || !share_all(run, step))
            return false;
        plan_again(run);
    }
    run->now = until;
    if (run->oracle)
        assay_oracle_time(run->oracle, run->now);
    return show_all(run, step);
}

static bool step_pause(struct run *run, const struct assay_step *s, size_t step)
{
    hash_bytes(run, "P", 1);
    return pass_until(run, run->now + s->pause, step);
}

static bool step_call(struct run *run, const struct assay_step *s, size_t step)
{
    if (run->oracle)
        assay_oracle_call(run->oracle, s->link, run->now, s->call, s->values, s->spans);
    hash_bytes(run, "C", 1);
    if (run->links[s->link].open)
        return call_now(run, s, step);
    run->links[s->link].first = s;
    return true;
}

static bool step_arrive(struct run *run, const struct assay_step *s, size_t step)
{
    bool again = s->link > 0 && run->links[s->link - 1].arrives && run->c->again;
    if (run->links[s->link].open)
        return true;
    if (!again)
        return open_link(run, s->link, step);
    plan_again(run);
    if (run->next_try != ASSAY_NEVER && !pass_until(run, run->next_try, step))
        return false;
    while (!run->links[s->link].open && run->next_try != ASSAY_NEVER && run->now < ASSAY_NEVER / 2)
        if (!pass_until(run, run->next_try, step))
            return false;
    return run->links[s->link].open || say(run, s->link, step, "a connection after the pause");
}

/* Whether an effect bound to `stop` was ordered on any link. */
static bool was_stopped(struct run *run)
{
    const struct assay_model *model = run->world.config.model;
    for (uint8_t i = 0; i < run->c->links && !mute(run); i++) {
        struct assay_belief *b = end_of(run, i);
        for (uint32_t k = 0; b && k < b->effect_count; k++) {
            const char *verb = model->effects[b->effects[k].effect].verb;
            if (verb && strcmp(verb, "stop") == 0)
                return true;
        }
    }
    return false;
}

/* Whether a row was added to a table or log. */
static bool has_shared(struct run *run)
{
    const struct assay_model *model = run->world.config.model;
    for (uint8_t i = 0; i < run->c->links && !mute(run); i++) {
        struct assay_belief *b = end_of(run, i);
        for (uint32_t k = 0; b && k < b->effect_count; k++) {
            const struct assay_effect *effect = &model->effects[b->effects[k].effect];
            if (effect->table != ASSAY_NONE || effect->log != ASSAY_NONE)
                return true;
        }
    }
    return false;
}

static bool step_deaf(struct run *run, const struct assay_step *s, size_t step)
{
    bool stopped = was_stopped(run);
    hash_bytes(run, &stopped, sizeof stopped);
    return stopped || !run->oracle || say(run, s->link, step, "no new connections");
}

static bool step_gone(struct run *run, const struct assay_step *s, size_t step)
{
    bool gone = was_stopped(run);
    for (uint8_t i = 0; i < run->c->links; i++)
        gone = gone && has_ended(run, i);
    hash_bytes(run, &gone, sizeof gone);
    return gone || !run->oracle || say(run, s->link, step, "the end of the process");
}

static bool step_gate(struct run *run, const struct assay_step *s, size_t step)
{
    (void)step;
    run->refusing = s->kind == ASSAY_STEP_REFUSE;
    if (run->oracle)
        assay_oracle_refuse(run->oracle, run->now, run->refusing);
    return true;
}

static bool say(struct run *run, uint8_t link, size_t step, const char *expected)
{
    if (!run->result)
        return false;
    fail(run, link, step);
    snprintf(run->result->blame.expected, sizeof run->result->blame.expected, "%s", expected);
    run->result->blame.rule = run->result->blame.state = run->result->blame.event = ASSAY_NONE;
    run->result->blame.req = run->c->req;
    run->result->blame.level = run->c->level;
    return false;
}

static bool step_expect(struct run *run, const struct assay_step *s, size_t step)
{
    struct assay_belief *b = end_of(run, s->link);
    uint32_t at = run->by_hand[s->link];
    if (mute(run) || b->out.n - at < s->bytes.n || memcmp(b->out.p + at, s->bytes.p, s->bytes.n) != 0)
        return say(run, s->link, step, "the bytes that the case names");
    run->by_hand[s->link] += s->bytes.n;
    return true;
}

static bool step_expect_end(struct run *run, const struct assay_step *s, size_t step)
{
    bool ended = has_ended(run, s->link);
    unsigned seen = ASSAY_SEEN_SILENCE;
    if (ended)
        seen = !mute(run) && end_of(run, s->link)->how == ASSAY_END_ABORT ? ASSAY_SEEN_RST : ASSAY_SEEN_FIN;
    bool rest = !mute(run) && end_of(run, s->link)->out.n > run->by_hand[s->link];
    return ((seen & s->ends) && !rest) ||
           say(run, s->link, step, "the end that the case names, and no bytes before it");
}

/* The target is killed and started again. */
static bool step_restart(struct run *run, const struct assay_step *s, size_t step)
{
    hash_bytes(run, "K", 1);
    if (run->oracle)
        assay_oracle_restart(run->oracle, s->link, run->now);
    for (uint8_t i = 0; i < s->link; i++)
        run->links[i].reset = run->links[i].shut = true;
    run->first_alive = s->link;
    for (uint8_t i = s->link; !mute(run) && i < run->c->links; i++)
        assay_beliefs_restart(&run->world, &run->links[i].set, end_of(run, (uint8_t)(s->link - 1)), run->now);
    return show_all(run, step);
}

/* With nobody to judge what the target draws has no value: once is enough. */
static bool step_repeat(struct run *run, const struct assay_step *s, size_t step)
{
    (void)step;
    hash_bytes(run, "N", 1);
    if (!run->oracle || run->repeats == ASSAY_REPEATS_MOST)
        return true;
    uint64_t left = assay_oracle_left(run->oracle, s->link, (enum assay_stamp_kind)s->repeat.kind);
    if (!assay_repeat_is_through(&s->repeat, left)) {
        run->repeats++;
        run->next = s->repeat.back;
    }
    return true;
}

typedef bool take_step(struct run *run, const struct assay_step *s, size_t step);
static take_step *const steps[] = {
    [ASSAY_STEP_SEND] = step_send,       [ASSAY_STEP_AWAIT] = step_await,
    [ASSAY_STEP_QUIET] = step_quiet,     [ASSAY_STEP_EOF] = step_eof,
    [ASSAY_STEP_RESET] = step_reset,     [ASSAY_STEP_PAUSE] = step_pause,
    [ASSAY_STEP_EXPECT] = step_expect,   [ASSAY_STEP_EXPECT_END] = step_expect_end,
    [ASSAY_STEP_CALL] = step_call,       [ASSAY_STEP_ARRIVE] = step_arrive,
    [ASSAY_STEP_REFUSE] = step_gate,     [ASSAY_STEP_WELCOME] = step_gate,
    [ASSAY_STEP_DEAF] = step_deaf,       [ASSAY_STEP_GONE] = step_gone,
    [ASSAY_STEP_RESTART] = step_restart, [ASSAY_STEP_REPEAT] = step_repeat,
};

/* ---- a case ------------------------------------------------------------ */

static bool open_links(struct run *run)
{
    for (size_t i = 0; i < run->c->step_count; i++)
        if (run->c->steps[i].kind == ASSAY_STEP_ARRIVE)
            run->links[run->c->steps[i].link].arrives = true;
    for (uint8_t i = 0; i < run->c->links; i++)
        if (!run->links[i].arrives && !open_link(run, i, 0))
            return false;
    return true;
}

/* By hand: what is left after the last step counts as wrong bytes, too. */
static bool finish_by_hand(struct run *run, uint8_t link)
{
    struct assay_belief *b = end_of(run, link);
    if (!mute(run) && b->out.n > run->by_hand[link])
        return say(run, link, run->c->step_count, "no more bytes than the case names");
    return true;
}

static bool finish_link(struct run *run, uint8_t link)
{
    struct assay_step eof = {.kind = ASSAY_STEP_EOF, .link = link};
    size_t step = run->c->step_count;
    struct pipe_end *p = &run->links[link];
    if (!p->open)
        return true;
    if (!run->world.datagrams && !p->shut && !p->end_shown && !step_eof(run, &eof, step))
        return false;
    if (run->c->by_hand && run->oracle)
        return finish_by_hand(run, link);
    if (!run->oracle)
        return true;
    struct assay_owed owed = assay_oracle_owed(run->oracle, link);
    if (!owed.maybe && (owed.bytes || owed.end || owed.upper))
        return fail(run, link, step);
    if (p->reset || p->end_shown)
        return true;
    return assay_oracle_silence(run->oracle, link) || fail(run, link, step);
}

static void effect_bytes(struct run *run, uint16_t effect, struct assay_bytes_buf *all)
{
    struct assay_belief *links[UINT8_MAX];
    struct assay_records records = {0};
    for (uint8_t i = 0; i < run->c->links; i++)
        links[i] = mute(run) ? NULL : end_of(run, i);
    assay_records_collect(&records, links, run->c->links, effect);
    assay_records_join(&records, all);
    assay_records_free(&records);
}

static uint16_t effect_named(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->effects_count; i++)
        if (strcmp(model->effects[i].name, name) == 0)
            return i;
    return ASSAY_NONE;
}

static void note_ran(struct run *run)
{
    for (uint8_t i = 0; i < run->c->links && run->result && !mute(run); i++) {
        struct assay_belief *b = end_of(run, i);
        for (uint32_t k = 0; b && k < b->chunk_count && run->result->ran_count < 32; k++)
            run->result->ran[run->result->ran_count++] = b->chunks[k].rule;
    }
}

static bool observe(struct run *run)
{
    uint16_t effect = run->c->observe ? effect_named(run->config->right.model, run->c->observe) : ASSAY_NONE;
    struct assay_bytes_buf all = {0};
    bool same = true;
    if (effect == ASSAY_NONE)
        return true;
    effect_bytes(run, effect, &all);
    hash_bytes(run, all.p, all.n);
    if (run->oracle) {
        struct assay_span expected = assay_oracle_effect(run->oracle, effect);
        same = expected.n == all.n && (all.n == 0 || memcmp(expected.p, all.p, all.n) == 0);
    }
    free(all.p);
    if (!same)
        note_ran(run);
    return same || say(run, 0, run->c->step_count, "the effect as the observer has to show it");
}

static bool keeps_what_should_be(struct run *run)
{
    if (run->c->by_hand || !run->oracle || !assay_oracle_broken(run->oracle, &run->result->blame))
        return true;
    run->result->passed = false;
    run->result->step = run->c->step_count;
    return false;
}

static bool run_case(struct run *run)
{
    if (!open_links(run))
        return false;
    for (size_t i = 0; i < run->c->step_count; i = run->next) {
        run->next = i + 1;
        if (!steps[run->c->steps[i].kind](run, &run->c->steps[i], i))
            return false;
    }
    for (uint8_t i = 0; i < run->c->links; i++)
        if (!finish_link(run, i))
            return false;
    return observe(run) && keeps_what_should_be(run);
}

static bool start(struct run *run, const struct assay_memory_config *config, const struct assay_case *c, bool judge)
{
    struct assay_oracle_config right = config->right, served;
    right.circumstance = c->circumstance;
    served = right;
    served.model = config->model;
    served.target = true;
    served.unmarked = judge;
    run->filled = (struct assay_bytes_buf){0};
    run->config = config;
    run->c = c;
    run->now = 0;
    run->hash = 0xcbf29ce484222325u;
    memset(run->links, 0, c->links * sizeof run->links[0]);
    for (uint8_t i = 0; i < c->links; i++)
        run->links[i].set.link = i;
    memset(run->by_hand, 0, c->links * sizeof run->by_hand[0]);
    run->refusing = false;
    run->repeats = 0;
    run->last = run->first_alive = 0;
    run->next_try = ASSAY_NEVER;
    run->oracle = judge ? assay_oracle_new(&right, c->links) : NULL;
    if (!assay_belief_world_init(&run->world, &served))
        return false;
    run->tries = (struct assay_tries){.reconnect = reconnect_of(run), .lens = &run->world.lens};
    return run->oracle || !judge;
}

static void stop(struct run *run)
{
    for (uint8_t i = 0; i < run->c->links; i++)
        assay_beliefs_clear(&run->links[i].set);
    assay_belief_world_free(&run->world);
    assay_oracle_free(run->oracle);
    free(run->filled.p);
}

bool assay_memory_run(const struct assay_memory_config *config, const struct assay_case *c,
                      struct assay_memory_result *result)
{
    struct run *run = malloc(sizeof *run);
    if (!run)
        return false;
    *result = (struct assay_memory_result){.passed = true};
    run->result = result;
    bool ok = start(run, config, c, true);
    if (ok)
        run_case(run);
    result->stopped = ok && was_stopped(run);
    result->shares = ok && has_shared(run);
    stop(run);
    free(run);
    return ok;
}

uint64_t assay_memory_hash(const struct assay_memory_config *config, const struct assay_case *c)
{
    struct run *run = malloc(sizeof *run);
    uint64_t hash = 0;
    if (!run)
        return 0;
    run->result = NULL;
    if (start(run, config, c, false)) {
        run_case(run);
        hash = run->hash;
    }
    stop(run);
    free(run);
    return hash;
}
