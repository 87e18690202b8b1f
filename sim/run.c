/* One step after another, and when it is over. */
#include "sim/world.h"

static int64_t first_deadline(const struct assay_sim *sim, unsigned *node)
{
    int64_t first = ASSAY_NEVER;
    for (unsigned i = 0; i < sim->nodes; i++)
        if (sim->node[i].deadline < first) {
            first = sim->node[i].deadline;
            *node = i;
        }
    return first;
}

static bool all_acted(const struct assay_sim *sim)
{
    for (unsigned i = 1; i < sim->nodes; i++)
        if (sim->node[i].calling || !sim->node[i].up)
            return false;
    return sim->node[ASSAY_SIM_SERVER].up;
}

/* At rest when everything is done, nothing is on its way and nothing more came of it for a while, but for what idle
 * nodes say now and then; or when the world has had all the time there is. */
static bool at_rest(struct assay_sim *sim, int64_t next)
{
    if (next == ASSAY_NEVER || sim->s.full || sim->memory || next - sim->s.moved > sim->horizon)
        return true;
    if (sim->s.events)
        return false;
    if (!all_acted(sim) || (sim->reliable && assay_sim_waits(sim))) {
        sim->s.quiet = ASSAY_NEVER;
        return false;
    }
    if (sim->s.quiet == ASSAY_NEVER)
        sim->s.quiet = sim->s.now;
    return next - sim->s.quiet > sim->linger && assay_sim_promises(sim, NULL);
}

static unsigned concerns(const struct assay_sim *sim, const struct assay_sim_event *e)
{
    if (e->kind != ASSAY_SIM_ARRIVE)
        return e->node;
    return e->datagram.direction == ASSAY_LINK_UP ? ASSAY_SIM_SERVER : sim->flow[e->datagram.flow].client;
}

enum assay_sim_next assay_sim_peek(struct assay_sim *sim, unsigned *node)
{
    if (sim->s.box_head < sim->s.box_tail)
        return ASSAY_SIM_LAUNCH;
    int64_t timer = first_deadline(sim, node), next = timer;
    if (sim->s.events && sim->events.items[0].at <= timer) {
        next = sim->events.items[0].at;
        *node = concerns(sim, &sim->events.items[0]);
    }
    return at_rest(sim, next) ? ASSAY_SIM_REST : ASSAY_SIM_EVENT;
}

/* ---- events ------------------------------------------------------------ */

static void arrive(struct assay_sim *sim, const struct assay_sim_event *e)
{
    sim->s.held -= e->held > 0; /* those that were to pass it did not come */
    assay_sim_arrive(sim, &e->datagram);
}

static void store(struct assay_sim *sim, const struct assay_sim_event *e)
{
    assay_sim_store(sim, e->what);
}

static void complete(struct assay_sim *sim, const struct assay_sim_event *e)
{
    assay_sim_complete(sim, e->what, !e->failed);
}

static void act(struct assay_sim *sim, const struct assay_sim_event *e)
{
    assay_sim_act(sim, e->node);
}

static void restart(struct assay_sim *sim, const struct assay_sim_event *e)
{
    assay_sim_note(sim, (struct assay_sim_trace){.kind = ASSAY_SIM_T_RESTART, .node = e->node});
    if (e->node == ASSAY_SIM_SERVER)
        assay_sim_start_server(sim);
    else
        assay_sim_start_client(sim, e->node);
}

static void (*const doers[])(struct assay_sim *, const struct assay_sim_event *) = {[ASSAY_SIM_ARRIVE] = arrive,
                                                                                    [ASSAY_SIM_STORE] = store,
                                                                                    [ASSAY_SIM_COMPLETE] = complete,
                                                                                    [ASSAY_SIM_ACT] = act,
                                                                                    [ASSAY_SIM_RESTART] = restart};

static void next_event(struct assay_sim *sim)
{
    unsigned node = 0;
    int64_t timer = first_deadline(sim, &node);
    if (sim->s.events == 0 || sim->events.items[0].at > timer) {
        sim->s.now = timer > sim->s.now ? timer : sim->s.now;
        assay_sim_tick(sim, node);
        return;
    }
    struct assay_sim_event e = assay_sim_pop(sim);
    sim->s.now = e.at > sim->s.now ? e.at : sim->s.now;
    if (e.kind == ASSAY_SIM_ARRIVE || e.life == sim->node[e.node].life)
        doers[e.kind](sim, &e);
}

void assay_sim_step(struct assay_sim *sim, enum assay_sim_next next, const struct assay_link_fault *const *faults,
                    size_t count)
{
    sim->s.steps++;
    if (next == ASSAY_SIM_LAUNCH)
        assay_sim_launch(sim, faults, count);
    else
        next_event(sim);
}

uint32_t assay_sim_next_order(const struct assay_sim *sim)
{
    unsigned node;
    const struct assay_sim_event *e = sim->events.items;
    if (sim->s.events == 0 || e->kind != ASSAY_SIM_STORE || e->life != sim->node[e->node].life ||
        e->at > first_deadline(sim, &node))
        return ASSAY_SIM_NONE;
    return sim->orders.items[e->what].nth && !assay_sim_doomed(sim, e->what) ? e->what : ASSAY_SIM_NONE;
}

void assay_sim_step_failing(struct assay_sim *sim)
{
    struct assay_sim_event e = assay_sim_pop(sim);
    sim->s.steps++;
    sim->s.now = e.at > sim->s.now ? e.at : sim->s.now;
    assay_sim_fail(sim, e.what);
}

#define IDLE_STEPS 100000

uint64_t assay_sim_idle(struct assay_sim *sim, int64_t span)
{
    uint64_t before = sim->s.datagrams;
    int64_t end = sim->s.now + span;
    for (int i = 0; i < IDLE_STEPS; i++) {
        unsigned node = 0;
        int64_t next = first_deadline(sim, &node);
        bool launch = sim->s.box_head < sim->s.box_tail;
        if (sim->s.events && sim->events.items[0].at < next)
            next = sim->events.items[0].at;
        if (!launch && next > end)
            break;
        assay_sim_step(sim, launch ? ASSAY_SIM_LAUNCH : ASSAY_SIM_EVENT, NULL, 0);
    }
    return sim->s.datagrams - before;
}

/* ---- schedules --------------------------------------------------------- */

#define MET_MAX 16

/* The faults of a schedule that the next datagram meets. */
static size_t met_by(const struct assay_sim *sim, const struct assay_sim_schedule *schedule,
                     const struct assay_link_fault *met[MET_MAX])
{
    const struct assay_sim_datagram *d = &sim->box.items[sim->s.box_head];
    size_t count = 0;
    for (size_t i = 0; i < schedule->count && count < MET_MAX; i++) {
        const struct assay_sim_fault *f = &schedule->faults[i];
        bool here = f->kind == ASSAY_SIM_MEETS && (f->link.flow == d->flow || f->link.flow == 0) &&
                    f->link.direction == d->direction && f->link.at == d->ordinal;
        if (here)
            met[count++] = &f->link;
    }
    return count;
}

static void crash_as_said(struct assay_sim *sim, const struct assay_sim_schedule *schedule)
{
    for (size_t i = 0; i < schedule->count; i++)
        if (schedule->faults[i].kind == ASSAY_SIM_CRASHES && schedule->faults[i].nth == sim->s.steps + 1)
            assay_sim_crash(sim, schedule->faults[i].node);
}

static bool fails_as_said(const struct assay_sim *sim, const struct assay_sim_schedule *schedule)
{
    uint32_t order = assay_sim_next_order(sim);
    if (!schedule || order == ASSAY_SIM_NONE)
        return false;
    const struct assay_sim_order *o = &sim->orders.items[order];
    for (size_t i = 0; i < schedule->count; i++) {
        const struct assay_sim_fault *f = &schedule->faults[i];
        if (f->kind == ASSAY_SIM_FAILS && f->node == o->node && f->nth == o->nth)
            return true;
    }
    return false;
}

void assay_sim_run(struct assay_sim *sim, const struct assay_sim_schedule *schedule)
{
    const struct assay_link_fault *met[MET_MAX];
    enum assay_sim_next next;
    unsigned node;
    while ((next = assay_sim_peek(sim, &node)) != ASSAY_SIM_REST) {
        size_t count = 0;
        if (schedule) {
            crash_as_said(sim, schedule);
            if ((next = assay_sim_peek(sim, &node)) == ASSAY_SIM_REST)
                return;
            if (next == ASSAY_SIM_LAUNCH)
                count = met_by(sim, schedule, met);
            sim->s.blackout |= schedule->blackout && sim->s.datagrams + 1 >= schedule->blackout;
        }
        if (next == ASSAY_SIM_EVENT && fails_as_said(sim, schedule))
            assay_sim_step_failing(sim);
        else
            assay_sim_step(sim, next, met, count);
    }
}

bool assay_sim_came_to(const struct assay_sim *sim, const struct assay_sim_fault *fault)
{
    if (fault->kind == ASSAY_SIM_CRASHES)
        return fault->nth <= sim->s.steps;
    if (fault->kind == ASSAY_SIM_FAILS)
        return fault->nth <= sim->node[fault->node].orders;
    for (uint32_t flow = 1; flow < sim->s.flows; flow++)
        if ((fault->link.flow == 0 || fault->link.flow == flow) &&
            fault->link.at <= sim->flow[flow].sent[fault->link.direction])
            return true;
    return false;
}
