/* All schedules of up to so many faults: each forks from a snapshot of the world right before its last fault. */
#include <stdlib.h>

#include "sim/seen.h"

#define ASKS_EVERY 256u

/* A world on the way, with the counts as they were. */
struct mark {
    struct assay_sim_seen_entry before;
    uint64_t deliveries; /* that it took to get there */
    int64_t traffic;     /* and so far */
};

struct explorer {
    struct assay_sim *sim;
    const struct assay_sim_search *search;
    struct assay_sim_report *report;
    struct assay_sim_schedule path; /* what has gone wrong so far */
    size_t least;                   /* faults of those schedules that are judged; the others were before */
    struct assay_sim_seen seen;
    struct mark *trail; /* worlds on the way here */
    size_t trail_count, trail_cap;
    uint64_t ask_at; /* schedules */
    bool stopped;    /* `enough` said so */
    bool over;
};

/* ---- kinds of faults --------------------------------------------------- */

enum span {
    AT_ONCE,
    SOON, /* while the next exchange is under way */
    LATE, /* longer than the first pause before something is sent again */
};

struct variety {
    enum assay_impairment of;
    enum assay_link_kind kind;
    enum span span;
    bool more; /* beyond one for each kind */
};
static const struct variety varieties[] = {
    {ASSAY_IMPAIR_DROP, ASSAY_LINK_DROP, AT_ONCE, false},
    {ASSAY_IMPAIR_DUPLICATE, ASSAY_LINK_DUPLICATE, AT_ONCE, false},
    {ASSAY_IMPAIR_DUPLICATE, ASSAY_LINK_DUPLICATE, SOON, true},
    {ASSAY_IMPAIR_DUPLICATE, ASSAY_LINK_DUPLICATE, LATE, true},
    {ASSAY_IMPAIR_SWAP, ASSAY_LINK_SWAP, AT_ONCE, false},
    {ASSAY_IMPAIR_DELAY, ASSAY_LINK_DELAY, LATE, false},
    {ASSAY_IMPAIR_CORRUPT, ASSAY_LINK_CORRUPT, AT_ONCE, false},
};
#define VARIETIES (sizeof varieties / sizeof *varieties)

static int64_t span_of(const struct assay_sim *sim, const struct variety *v)
{
    switch (v->span) {
    case AT_ONCE:
        return 0;
    case SOON:
        return sim->config.latency / 2;
    case LATE:
        break;
    }
    return sim->delay;
}

/* ---- the way here ------------------------------------------------------ */

/* Of a schedule that is over. */
static void note_traffic(struct explorer *x, int64_t traffic)
{
    struct mark *last = x->trail_count ? &x->trail[x->trail_count - 1] : NULL;
    if (last && traffic > last->before.traffic)
        last->before.traffic = traffic;
}

/* ---- one schedule is over ---------------------------------------------- */

static void count(struct assay_sim_count *to, const struct assay_sim *sim)
{
    to->schedules++;
    to->whole += sim->s.deliveries;
    to->calls += sim->s.calls;
    to->failed += sim->s.failed;
}

/* Whether to go on; ends it else. */
static void ask(struct explorer *x)
{
    uint64_t n = x->report->count.schedules;
    bool cut = x->search->most && n >= x->search->most;
    if (!cut && x->search->enough && n >= x->ask_at) {
        x->ask_at = n + ASKS_EVERY;
        cut = x->stopped = x->search->enough(x->search->context);
    }
    if (cut)
        x->report->cut = x->over = true;
}

static void end_schedule(struct explorer *x)
{
    struct assay_sim_finding finding;
    if (x->path.count < x->least)
        return;
    count(&x->report->count, x->sim);
    note_traffic(x, assay_sim_traffic(x->sim, true));
    if (!assay_sim_judge(x->sim, &finding) && !(finding.wrong == ASSAY_SIM_TRAFFIC && x->search->any_traffic)) {
        x->report->finding = finding;
        x->over = !assay_sim_schedule_copy(&x->report->schedule, &x->path) || true;
    } else {
        ask(x);
    }
}

/* ---- the tree ---------------------------------------------------------- */

static void explore(struct explorer *x, unsigned left);

static bool push(struct explorer *x, const struct assay_sim_fault *fault)
{
    bool ok = assay_sim_schedule_add(&x->path, fault);
    x->over = x->over || !ok;
    return ok;
}

/* Steps that a branch takes are counted once, by whoever takes them. */
static void step(struct explorer *x, enum assay_sim_next next, const struct assay_link_fault *fault)
{
    uint64_t deliveries = x->sim->s.deliveries;
    assay_sim_step(x->sim, next, &fault, fault ? 1 : 0);
    x->report->count.deliveries += x->sim->s.deliveries - deliveries;
    x->report->count.datagrams += next == ASSAY_SIM_LAUNCH;
    x->report->count.steps++;
}

static void branch_fault(struct explorer *x, unsigned left, const struct variety *v)
{
    struct assay_sim_fault fault = {.link = {.kind = v->kind, .span = span_of(x->sim, v)}};
    assay_sim_settle(x->sim, &fault.link);
    if (!push(x, &fault))
        return;
    step(x, ASSAY_SIM_LAUNCH, &fault.link);
    explore(x, left - 1);
    x->path.count--;
    if (!x->over)
        assay_sim_restore(x->sim, left);
}

static void branch_faults(struct explorer *x, unsigned left)
{
    if (x->search->kinds == 0 || (x->search->first && x->sim->s.datagrams >= x->search->first))
        return;
    if (!assay_sim_save(x->sim, left)) {
        x->over = true;
        return;
    }
    for (size_t i = 0; i < VARIETIES && !x->over; i++)
        if ((varieties[i].of & x->search->kinds) && !(varieties[i].more && x->search->plain))
            branch_fault(x, left, &varieties[i]);
}

/* Nothing happens to a node between its own events: crashes fall in front of these. */
static void branch_crash(struct explorer *x, unsigned left, unsigned node)
{
    unsigned role = node == ASSAY_SIM_SERVER ? ASSAY_SERVER : ASSAY_CLIENT;
    struct assay_sim_fault fault = {.kind = ASSAY_SIM_CRASHES, .node = (uint8_t)node, .nth = x->sim->s.steps + 1};
    if (!(x->search->crashes & role) || !x->sim->node[node].up)
        return;
    if (!assay_sim_save(x->sim, left) || !push(x, &fault)) {
        x->over = true;
        return;
    }
    assay_sim_crash(x->sim, node);
    explore(x, left - 1);
    x->path.count--;
    if (!x->over)
        assay_sim_restore(x->sim, left);
}

static void branch_failure(struct explorer *x, unsigned left)
{
    uint32_t order = x->search->kinds & ASSAY_IMPAIR_FAIL ? assay_sim_next_order(x->sim) : ASSAY_SIM_NONE;
    if (x->over || order == ASSAY_SIM_NONE)
        return;
    const struct assay_sim_order *o = &x->sim->orders.items[order];
    struct assay_sim_fault fault = {.kind = ASSAY_SIM_FAILS, .node = o->node, .nth = o->nth};
    if (!assay_sim_save(x->sim, left) || !push(x, &fault)) {
        x->over = true;
        return;
    }
    assay_sim_step_failing(x->sim);
    x->report->count.steps++;
    explore(x, left - 1);
    x->path.count--;
    if (!x->over)
        assay_sim_restore(x->sim, left);
}

/* ---- worlds seen before ------------------------------------------------ */

/* Of how many faults to come it depends on what follows: none can meet datagrams beyond the first so many. */
static uint64_t faults_to_come(const struct explorer *x, unsigned left)
{
    uint64_t first = x->search->first, sent = x->sim->s.datagrams;
    if (first == 0 || x->search->crashes || (x->search->kinds & ASSAY_IMPAIR_FAIL))
        return left;
    uint64_t open = sent < first ? first - sent : 0;
    return open < left ? open : left;
}

static struct assay_sim_seen_entry so_far(const struct explorer *x, uint64_t key)
{
    const struct assay_sim_count *c = &x->report->count;
    return (struct assay_sim_seen_entry){key, c->schedules, c->calls, c->failed, c->whole, INT64_MIN};
}

static bool note_on_trail(struct explorer *x, uint64_t key)
{
    if (x->trail_count == x->trail_cap) {
        size_t cap = x->trail_cap ? 2 * x->trail_cap : 64;
        struct mark *grown = realloc(x->trail, cap * sizeof *grown);
        if (!grown)
            return false;
        x->trail = grown;
        x->trail_cap = cap;
    }
    x->trail[x->trail_count++] = (struct mark){so_far(x, key), x->sim->s.deliveries, assay_sim_traffic(x->sim, false)};
    return true;
}

/* Whether this world was here before: then all that follows is counted at once. */
static bool was_here(struct explorer *x, unsigned left)
{
    uint64_t to_come = faults_to_come(x, left), first = x->search->first, sent = x->sim->s.datagrams;
    uint64_t missing = x->path.count < x->least ? x->least - x->path.count : 0;
    if (x->search->every || (first && sent > first))
        return false;
    uint64_t key = assay_sim_world_key(x->sim, to_come << 48 | missing << 32 | (first ? sent : 0));
    const struct assay_sim_seen_entry *e = assay_sim_seen_find(&x->seen, key);
    int64_t traffic = assay_sim_traffic(x->sim, false) + (e ? e->traffic : 0);
    if (!e || (!x->search->any_traffic && traffic > (int64_t)x->sim->base)) {
        if (!e)
            (void)note_on_trail(x, key);
        return false;
    }
    note_traffic(x, traffic);
    x->report->count.schedules += e->schedules;
    x->report->count.calls += e->calls;
    x->report->count.failed += e->failed;
    x->report->count.whole += e->deliveries + e->schedules * x->sim->s.deliveries;
    ask(x);
    return true;
}

/* All that follows from the worlds on the way from `base` is known now. */
static void leave_trail(struct explorer *x, size_t base)
{
    while (x->trail_count > base) {
        const struct mark *mark = &x->trail[--x->trail_count];
        const struct assay_sim_seen_entry *was = &mark->before;
        struct assay_sim_seen_entry now = so_far(x, was->key);
        now.schedules -= was->schedules;
        now.calls -= was->calls;
        now.failed -= was->failed;
        now.deliveries -= was->deliveries + now.schedules * mark->deliveries;
        if (now.schedules == 0)
            continue;
        now.traffic = was->traffic - mark->traffic;
        note_traffic(x, was->traffic);
        if (!x->over)
            assay_sim_seen_add(&x->seen, &now);
    }
}

static void branch(struct explorer *x, unsigned left, enum assay_sim_next next, unsigned node)
{
    if (next == ASSAY_SIM_LAUNCH) {
        branch_faults(x, left);
        return;
    }
    branch_crash(x, left, node);
    branch_failure(x, left);
}

static void run_on(struct explorer *x, unsigned left)
{
    enum assay_sim_next next;
    unsigned node = 0;
    while (!x->over && (next = assay_sim_peek(x->sim, &node)) != ASSAY_SIM_REST) {
        if (next == ASSAY_SIM_LAUNCH && was_here(x, left))
            return;
        if (left)
            branch(x, left, next, node);
        if (!x->over)
            step(x, next, NULL);
    }
    if (!x->over)
        end_schedule(x);
}

static void explore(struct explorer *x, unsigned left)
{
    size_t base = x->trail_count;
    run_on(x, left);
    leave_trail(x, base);
}

/* ---- total loss -------------------------------------------------------- */

static void black_out(struct explorer *x)
{
    uint64_t first = 1;
    for (; !x->over && first <= x->sim->base; first++) {
        assay_sim_begin(x->sim, x->path.seed, x->path.near_wrap);
        x->path.blackout = first;
        assay_sim_run(x->sim, &x->path);
        x->report->count.datagrams += x->sim->s.datagrams;
        x->report->count.deliveries += x->sim->s.deliveries;
        x->report->count.steps += x->sim->s.steps;
        end_schedule(x);
    }
    x->path.blackout = 0;
}

/* None, then one, then all others, as what is found with few is easy to read. */
static void explore_all(struct explorer *x)
{
    unsigned most = x->search->faults;
    for (unsigned faults = 0; faults <= 2 && faults <= most && !x->over; faults++) {
        x->least = faults;
        assay_sim_begin(x->sim, x->path.seed, x->path.near_wrap);
        explore(x, faults < 2 ? faults : most);
    }
    x->least = 0;
    if (x->search->blackouts)
        black_out(x);
}

bool assay_sim_explore(struct assay_sim *sim, const struct assay_sim_search *search, struct assay_sim_report *report)
{
    struct explorer x = {.sim = sim, .search = search, .report = report, .path.seed = sim->config.seed};
    *report = (struct assay_sim_report){.base = sim->base};
    explore_all(&x);
    x.path.near_wrap = sim->reliable && search->wraps;
    if (x.path.near_wrap && !x.over) {
        assay_sim_seen_free(&x.seen);
        explore_all(&x);
    }
    assay_sim_schedule_free(&x.path);
    report->worlds = x.seen.count;
    assay_sim_seen_free(&x.seen);
    free(x.trail);
    if (report->finding.wrong == ASSAY_SIM_NOTHING && search->random && !x.stopped)
        assay_sim_try_random(sim, search, report);
    report->shrunk_from = (unsigned)report->schedule.count;
    if (report->finding.wrong != ASSAY_SIM_NOTHING)
        assay_sim_shrink(sim, &report->schedule, &report->finding);
    return !sim->memory;
}

void assay_sim_replay(struct assay_sim *sim, const struct assay_sim_schedule *schedule,
                      struct assay_sim_finding *finding, struct assay_sim_count *total)
{
    assay_sim_begin(sim, schedule->seed, schedule->near_wrap);
    assay_sim_run(sim, schedule);
    assay_sim_judge(sim, finding);
    if (!total)
        return;
    count(total, sim);
    total->datagrams += sim->s.datagrams;
    total->deliveries += sim->s.deliveries;
    total->steps += sim->s.steps;
}
