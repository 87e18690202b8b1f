/* Random schedules: rates from mild to bad, for a while; then the network is well, before anybody has to give up. */
#include "sim/world.h"

struct weather {
    uint64_t state;
    unsigned rate, crash_rate; /* of 1024 */
    uint64_t lasts;            /* datagrams */
    unsigned kinds, crashes;
    int64_t delay; /* the longest */
};

static uint64_t draw(struct weather *w)
{
    return assay_sim_mix(w->state++);
}

static struct weather weather_of(const struct assay_sim *sim, const struct assay_sim_search *search, uint64_t nth)
{
    struct weather w = {.state = assay_sim_mix(sim->config.seed) ^ nth << 20};
    w.rate = 20 + (unsigned)(draw(&w) % 400);
    w.crash_rate = search->crashes ? (unsigned)(draw(&w) % 24) : 0;
    w.lasts = 1 + draw(&w) % (3 * sim->base + 8);
    w.kinds = (unsigned)draw(&w) & search->kinds;
    w.kinds = w.kinds ? w.kinds : search->kinds;
    w.crashes = search->crashes;
    w.delay = (1 + (int64_t)(draw(&w) % 8)) * sim->delay;
    return w;
}

static const enum assay_link_kind kinds[] = {ASSAY_LINK_DROP, ASSAY_LINK_DUPLICATE, ASSAY_LINK_SWAP, ASSAY_LINK_DELAY,
                                             ASSAY_LINK_CORRUPT};
#define KINDS        (sizeof kinds / sizeof *kinds)
#define OF_DATAGRAMS ((1u << KINDS) - 1)

/* Short ones as often as long ones; whole microseconds, as plans are read by people. */
static int64_t draw_span(struct weather *w)
{
    int64_t most = w->delay >> draw(w) % 12;
    return 1000 * (1 + (int64_t)(draw(w) % (uint64_t)most) / 1000);
}

static bool is_over(const struct assay_sim *sim, const struct weather *w)
{
    return sim->s.datagrams >= w->lasts || sim->s.now >= sim->trouble;
}

static bool draw_fault(const struct assay_sim *sim, struct weather *w, struct assay_sim_fault *f)
{
    if (is_over(sim, w) || !(w->kinds & OF_DATAGRAMS) || draw(w) % 1024 >= w->rate)
        return false;
    unsigned at = (unsigned)(draw(w) % KINDS);
    while (!(w->kinds >> at & 1))
        at = (at + 1) % KINDS;
    *f = (struct assay_sim_fault){.link = {.kind = kinds[at]}};
    if (f->link.kind == ASSAY_LINK_DELAY)
        f->link.span = draw_span(w);
    if (f->link.kind == ASSAY_LINK_DUPLICATE && draw(w) % 2)
        f->link.span = draw_span(w);
    if (f->link.kind == ASSAY_LINK_SWAP)
        f->link.size = 1 + draw(w) % 3;
    assay_sim_settle(sim, &f->link);
    return true;
}

static bool draw_crash(const struct assay_sim *sim, struct weather *w, unsigned node, struct assay_sim_fault *f)
{
    unsigned role = node == ASSAY_SIM_SERVER ? ASSAY_SERVER : ASSAY_CLIENT;
    if (is_over(sim, w) || !(w->crashes & role) || !sim->node[node].up || draw(w) % 1024 >= w->crash_rate)
        return false;
    *f = (struct assay_sim_fault){.kind = ASSAY_SIM_CRASHES, .node = (uint8_t)node, .nth = sim->s.steps + 1};
    return true;
}

static bool draw_failure(const struct assay_sim *sim, struct weather *w, struct assay_sim_fault *f)
{
    uint32_t order = w->kinds & ASSAY_IMPAIR_FAIL ? assay_sim_next_order(sim) : ASSAY_SIM_NONE;
    if (order == ASSAY_SIM_NONE || is_over(sim, w) || draw(w) % 1024 >= w->rate)
        return false;
    const struct assay_sim_order *o = &sim->orders.items[order];
    *f = (struct assay_sim_fault){.kind = ASSAY_SIM_FAILS, .node = o->node, .nth = o->nth};
    return true;
}

/* A datagram goes. False: no memory. */
static bool launch(struct assay_sim *sim, struct weather *w, struct assay_sim_schedule *path)
{
    struct assay_sim_fault f;
    const struct assay_link_fault *met = &f.link;
    bool hit = draw_fault(sim, w, &f);
    if (hit && !assay_sim_schedule_add(path, &f))
        return false;
    assay_sim_step(sim, ASSAY_SIM_LAUNCH, &met, hit);
    return true;
}

static bool happen(struct assay_sim *sim, struct weather *w, unsigned node, struct assay_sim_schedule *path)
{
    struct assay_sim_fault f;
    if (draw_crash(sim, w, node, &f)) {
        assay_sim_crash(sim, node);
        return assay_sim_schedule_add(path, &f);
    }
    if (draw_failure(sim, w, &f)) {
        assay_sim_step_failing(sim);
        return assay_sim_schedule_add(path, &f);
    }
    assay_sim_step(sim, ASSAY_SIM_EVENT, NULL, 0);
    return true;
}

static bool run(struct assay_sim *sim, struct weather *w, struct assay_sim_schedule *path)
{
    enum assay_sim_next next;
    unsigned node = 0;
    bool ok = true;
    while (ok && (next = assay_sim_peek(sim, &node)) != ASSAY_SIM_REST)
        ok = next == ASSAY_SIM_LAUNCH ? launch(sim, w, path) : happen(sim, w, node, path);
    return ok;
}

static bool try_one(struct assay_sim *sim, const struct assay_sim_search *search, uint64_t nth,
                    struct assay_sim_schedule *path, struct assay_sim_report *report)
{
    struct assay_sim_finding finding;
    struct weather w = weather_of(sim, search, nth);
    path->count = 0;
    path->seed = assay_sim_mix(sim->config.seed + nth) >> 1; /* plans hold no more */
    path->near_wrap = sim->reliable && draw(&w) % 4 == 0;
    assay_sim_begin(sim, path->seed, path->near_wrap);
    if (!run(sim, &w, path))
        return false;
    struct assay_sim_count *c = &report->random;
    c->schedules++;
    c->datagrams += sim->s.datagrams;
    c->deliveries += sim->s.deliveries;
    c->steps += sim->s.steps;
    c->calls += sim->s.calls;
    c->failed += sim->s.failed;
    if (assay_sim_judge(sim, &finding))
        return true;
    report->finding = finding;
    (void)assay_sim_schedule_copy(&report->schedule, path);
    return false;
}

void assay_sim_try_random(struct assay_sim *sim, const struct assay_sim_search *search, struct assay_sim_report *report)
{
    struct assay_sim_schedule path = {0};
    bool go = true;
    for (uint64_t nth = 0; go && nth < search->random; nth++) {
        go = try_one(sim, search, nth, &path, report);
        if (go && nth % 16 == 15 && search->enough_random && search->enough_random(search->context))
            go = false;
    }
    assay_sim_schedule_free(&path);
}
