/* What was promised, held against what happened. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/vm.h"
#include "sim/world.h"

const char *const assay_sim_wrongs[ASSAY_SIM_WRONGS] = {
    [ASSAY_SIM_NOTHING] = "nothing", [ASSAY_SIM_MISSING] = "missing", [ASSAY_SIM_TWICE] = "twice",
    [ASSAY_SIM_ORDER] = "order",     [ASSAY_SIM_STUCK] = "stuck",     [ASSAY_SIM_UNWELL] = "unwell",
    [ASSAY_SIM_WAITS] = "waits",     [ASSAY_SIM_TRAFFIC] = "traffic", [ASSAY_SIM_FULL] = "full",
    [ASSAY_SIM_LEAK] = "leak",
};

__attribute__((format(printf, 5, 6))) static bool wrong(struct assay_sim_finding *f, enum assay_sim_wrong what,
                                                        uint16_t promise, uint16_t req, const char *format, ...)
{
    if (!f)
        return false;
    va_list args;
    va_start(args, format);
    f->wrong = what;
    f->promise = promise;
    f->req = req;
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
    return false;
}

/* ---- promises in words ------------------------------------------------- */

/* A promise at one place. */
struct place {
    struct assay_sim *sim;
    const struct assay_promise *promise;
    uint16_t index;
    unsigned node;
    struct assay_sim_finding *finding;
};

static const char *name_of(const struct assay_sim *sim, unsigned node)
{
    return node == ASSAY_SIM_SERVER ? "server" : sim->model->actors[node - 1].name;
}

static bool is_call(const struct place *p, const struct assay_sim_call *c)
{
    return p->sim->model->acts[c->act].call == p->promise->call;
}

static bool is_done(const struct place *p, const struct assay_sim_done *d)
{
    return d->effect == p->promise->effect && d->node == p->node;
}

static bool same(struct assay_span a, struct assay_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static struct assay_span value_of_call(const struct place *p, uint32_t call)
{
    return assay_sim_arg(p->sim, p->sim->calls.items[call].args, p->promise->call_arg);
}

static struct assay_span value_of_done(const struct place *p, uint32_t done)
{
    return assay_sim_arg(p->sim, p->sim->dones.items[done].args, p->promise->effect_arg);
}

static bool ended_well(const struct assay_sim *sim, uint32_t call)
{
    for (uint32_t i = 0; i < sim->s.results; i++)
        if (sim->results.items[i].call == call)
            return sim->results.items[i].outcome == ASSAY_CALL_OK;
    return false;
}

/* Values as a person reads them. */
static const char *show(const struct place *p, struct assay_span v, char text[48])
{
    const struct assay_call *call = &p->sim->model->calls[p->promise->call];
    uint16_t type = p->sim->model->params[call->args.first + p->promise->call_arg].type;
    int64_t n = 0;
    if (assay_is_bytes(p->sim->model, type)) {
        snprintf(text, 48, "'%.*s'", v.n > 40 ? 40 : (int)v.n, (const char *)v.p);
        return text;
    }
    memcpy(&n, v.p, v.n < 8 ? v.n : 8);
    snprintf(text, 48, "%lld", (long long)n);
    return text;
}

/* A client that was told an error, as an effect failed, is nobody whom the others reach any more. */
static bool was_refused(const struct assay_sim *sim, unsigned node)
{
    int32_t last = ASSAY_CALL_OK;
    for (uint32_t i = 0; i < sim->s.results && sim->s.failed_effect; i++)
        if (sim->calls.items[sim->results.items[i].call].node == node)
            last = sim->results.items[i].outcome;
    return node != ASSAY_SIM_SERVER && last >= 0;
}

/* How often the effect is there, beside how often it was asked for. */
static bool counts_agree(const struct place *p, uint32_t call)
{
    struct assay_span v = value_of_call(p, call);
    unsigned well = 0, made = 0, done = 0;
    char text[48];
    for (uint32_t i = 0; i < p->sim->s.calls; i++)
        if (is_call(p, &p->sim->calls.items[i]) && same(value_of_call(p, i), v)) {
            well += ended_well(p->sim, i);
            made++;
        }
    for (uint32_t i = 0; i < p->sim->s.dones; i++)
        done += is_done(p, &p->sim->dones.items[i]) && same(value_of_done(p, i), v);
    if ((done >= well || p->sim->s.blackout || was_refused(p->sim, p->node)) && done <= made)
        return true;
    const char *effect = p->sim->model->effects[p->promise->effect].name;
    const char *name = p->sim->model->calls[p->promise->call].name;
    if (done < well)
        return wrong(p->finding, ASSAY_SIM_MISSING, p->index, p->promise->req,
                     "%s of %s ended well, but %s is not done at %s", name, show(p, v, text), effect,
                     name_of(p->sim, p->node));
    return wrong(p->finding, ASSAY_SIM_TWICE, p->index, p->promise->req,
                 "%s of %s is done %u times at %s, for %u call%s", effect, show(p, v, text), done,
                 name_of(p->sim, p->node), made, made == 1 ? "" : "s");
}

/* The call whose effect this is: calls of equal values in their order. ASSAY_SIM_NONE: nobody's. */
static uint32_t call_behind(const struct place *p, uint32_t done)
{
    struct assay_span v = value_of_done(p, done);
    unsigned nth = 0;
    for (uint32_t i = 0; i < done; i++)
        nth += is_done(p, &p->sim->dones.items[i]) && same(value_of_done(p, i), v);
    for (uint32_t i = 0; i < p->sim->s.calls; i++)
        if (is_call(p, &p->sim->calls.items[i]) && same(value_of_call(p, i), v) && nth-- == 0)
            return i;
    return ASSAY_SIM_NONE;
}

/* What calls of several clients have in common does not tell whose effect it is. */
static bool is_of_one_client(const struct place *p, uint32_t call)
{
    struct assay_span v = value_of_call(p, call);
    unsigned node = p->sim->calls.items[call].node;
    for (uint32_t i = 0; i < p->sim->s.calls; i++)
        if (p->sim->calls.items[i].node != node && is_call(p, &p->sim->calls.items[i]) && same(value_of_call(p, i), v))
            return false;
    return true;
}

/* Those of one client come in the order in which it made its calls. */
static bool keeps_order(const struct place *p)
{
    uint32_t last[ASSAY_SIM_NODES_MAX];
    char text[48], before[48];
    for (unsigned i = 0; i < ASSAY_SIM_NODES_MAX; i++)
        last[i] = ASSAY_SIM_NONE;
    for (uint32_t i = 0; i < p->sim->s.dones; i++) {
        if (!is_done(p, &p->sim->dones.items[i]))
            continue;
        uint32_t call = call_behind(p, i);
        if (call == ASSAY_SIM_NONE || !is_of_one_client(p, call))
            continue;
        unsigned who = p->sim->calls.items[call].node;
        if (last[who] != ASSAY_SIM_NONE && last[who] > call)
            return wrong(p->finding, ASSAY_SIM_ORDER, p->index, p->promise->req,
                         "at %s %s of %s comes behind that of %s, which %s called later", name_of(p->sim, p->node),
                         p->sim->model->effects[p->promise->effect].name, show(p, value_of_call(p, call), text),
                         show(p, value_of_call(p, last[who]), before), name_of(p->sim, who));
        last[who] = call;
    }
    return true;
}

static uint32_t place_of_call(const struct place *p, uint32_t call)
{
    uint32_t nth = 0;
    for (uint32_t i = 0; i < p->sim->s.dones; i++) {
        if (!is_done(p, &p->sim->dones.items[i]))
            continue;
        if (call_behind(p, i) == call)
            return nth;
        nth++;
    }
    return ASSAY_SIM_NONE;
}

/* Two places show what both have in one order. */
static bool agree(const struct place *a, const struct place *b)
{
    uint32_t last = 0, last_call = ASSAY_SIM_NONE;
    char text[48], before[48];
    for (uint32_t i = 0; i < a->sim->s.dones; i++) {
        if (!is_done(a, &a->sim->dones.items[i]))
            continue;
        uint32_t call = call_behind(a, i), at = call == ASSAY_SIM_NONE ? ASSAY_SIM_NONE : place_of_call(b, call);
        if (at == ASSAY_SIM_NONE)
            continue;
        if (last_call != ASSAY_SIM_NONE && at < last)
            return wrong(a->finding, ASSAY_SIM_ORDER, a->index, a->promise->req,
                         "%s and %s do not show %s and %s in one order", name_of(a->sim, a->node),
                         name_of(a->sim, b->node), show(a, value_of_call(a, last_call), before),
                         show(a, value_of_call(a, call), text));
        last = at;
        last_call = call;
    }
    return true;
}

static bool holds_at(const struct place *p)
{
    for (uint32_t i = 0; i < p->sim->s.calls; i++)
        if (is_call(p, &p->sim->calls.items[i]) && !counts_agree(p, i))
            return false;
    return !p->promise->same_order || keeps_order(p);
}

static bool is_place(const struct assay_promise *promise, unsigned node)
{
    return promise->at >> (node == ASSAY_SIM_SERVER ? 63 : node - 1) & 1;
}

static bool promise_holds(struct assay_sim *sim, uint16_t index, struct assay_sim_finding *finding)
{
    struct place first = {0}, p = {sim, &sim->model->promises[index], index, 0, finding};
    for (p.node = 0; p.node < sim->nodes; p.node++) {
        if (!is_place(p.promise, p.node))
            continue;
        if (!holds_at(&p) || (first.sim && p.promise->same_order && !agree(&first, &p)))
            return false;
        first = first.sim ? first : p;
    }
    return true;
}

bool assay_sim_promises(struct assay_sim *sim, struct assay_sim_finding *finding)
{
    for (uint16_t i = 0; i < sim->model->promises_count; i++)
        if (!promise_holds(sim, i, finding))
            return false;
    return true;
}

/* ---- promises without words -------------------------------------------- */

static uint16_t req_of(const struct assay_sim *sim)
{
    return sim->model->impairs[0].req;
}

/* What a call is there for, unless the promises have a requirement of their own. */
static uint16_t req_of_call(const struct assay_sim *sim, uint32_t call)
{
    uint16_t index = sim->model->acts[sim->calls.items[call].act].call;
    for (uint16_t i = 0; i < sim->model->promises_count; i++)
        if (sim->model->promises[i].call == index)
            return sim->model->promises[i].req;
    return req_of(sim);
}

static const struct assay_sim_result *result_of(const struct assay_sim *sim, uint32_t call)
{
    for (uint32_t i = 0; i < sim->s.results; i++)
        if (sim->results.items[i].call == call)
            return &sim->results.items[i];
    return NULL;
}

/* The network was well for at least half of the time that the call had. */
static bool had_time(const struct assay_sim *sim, const struct assay_sim_call *c, const struct assay_sim_result *r)
{
    int64_t within = sim->model->calls[sim->model->acts[c->act].call].within;
    int64_t well = sim->s.last_fault > c->began ? sim->s.last_fault : c->began;
    return within > 0 && !sim->s.blackout && r->at - well >= within / 2;
}

static bool calls_end(struct assay_sim *sim, struct assay_sim_finding *f)
{
    for (uint32_t i = 0; i < sim->s.calls; i++) {
        const struct assay_sim_call *c = &sim->calls.items[i];
        const struct assay_sim_result *r = result_of(sim, i);
        const char *name = sim->model->calls[sim->model->acts[c->act].call].name;
        if (!r)
            return wrong(f, ASSAY_SIM_STUCK, ASSAY_NONE, req_of_call(sim, i), "%s of %s never ends", name,
                         name_of(sim, c->node));
        if (r->outcome == ASSAY_CALL_TIMEOUT && had_time(sim, c, r))
            return wrong(f, ASSAY_SIM_STUCK, ASSAY_NONE, req_of_call(sim, i),
                         "%s of %s runs out of time though the network is well", name, name_of(sim, c->node));
        if (r->outcome != ASSAY_CALL_OK && sim->s.faults == 0 && !sim->s.blackout)
            return wrong(f, ASSAY_SIM_UNWELL, ASSAY_NONE, req_of_call(sim, i),
                         "%s of %s does not end well though nothing went wrong", name, name_of(sim, c->node));
    }
    return true;
}

static unsigned waiting(const struct assay_sim *sim, unsigned node, assay_sid sid)
{
    struct assay_waiting w;
    return sid && sim->node[node].up && assay_waiting(sim->engines[node], sid, &w) ? w.sent + w.held : 0;
}

bool assay_sim_waits(const struct assay_sim *sim)
{
    for (unsigned i = 1; i < sim->nodes; i++)
        if (waiting(sim, i, sim->node[i].sid) && !was_refused(sim, i))
            return true;
    for (uint32_t i = 1; i < sim->s.flows; i++)
        if (waiting(sim, ASSAY_SIM_SERVER, sim->flow[i].sid))
            return true;
    return false;
}

/* What nodes say that have nothing to do, for as long as this run took longer. */
static uint64_t idle_talk(const struct assay_sim *sim)
{
    double longer = sim->s.now > sim->base_end ? (double)(sim->s.now - sim->base_end) : 0;
    return (uint64_t)((double)sim->idle * longer / (double)sim->horizon);
}

/* Datagrams to a crashed client end when they are given up: they do not count. */
int64_t assay_sim_traffic(const struct assay_sim *sim, bool at_rest)
{
    int64_t sent = (int64_t)(sim->s.datagrams - sim->s.astray);
    int64_t free = (int64_t)sim->model->impairs[0].extra * sim->s.faults;
    return sent - free - (at_rest ? (int64_t)idle_talk(sim) : 0);
}

static bool traffic_is_small(const struct assay_sim *sim, struct assay_sim_finding *f)
{
    int64_t base = (int64_t)sim->base, over = assay_sim_traffic(sim, true) - base;
    uint64_t sent = sim->s.datagrams - sim->s.astray;
    if (base == 0 || sim->s.blackout || over <= 0)
        return true;
    return wrong(f, ASSAY_SIM_TRAFFIC, ASSAY_NONE, req_of(sim),
                 "%llu datagrams; %llu where nothing goes wrong, and %u more for each fault, would be %llu",
                 (unsigned long long)sent, (unsigned long long)sim->base, sim->model->impairs[0].extra,
                 (unsigned long long)sent - (unsigned long long)over);
}

/* Datagrams that the server has not taken by the end, as it had no room for what follows from them. */
static bool input_waits(const struct assay_sim *sim)
{
    for (uint32_t i = 0; i < sim->s.parked; i++)
        if (sim->parked[i].direction == ASSAY_LINK_UP)
            return true;
    return false;
}

/* At rest sessions have their variables, and tables their rows. Nothing else is kept, and nothing is lost. */
static bool memory_is_tidy(const struct assay_sim *sim, struct assay_sim_finding *f)
{
    for (unsigned i = 0; i < sim->nodes; i++) {
        struct assay_memory m;
        if (!sim->node[i].up)
            continue;
        assay_memory(sim->engines[i], &m);
        uint32_t owned = m.variables + m.messages + m.rows + m.passing;
        if (m.used != owned)
            return wrong(f, ASSAY_SIM_LEAK, ASSAY_NONE, req_of(sim), "%s keeps %u bytes, %u of them for nothing",
                         name_of(sim, i), m.used, m.used - owned);
        if (m.messages && !was_refused(sim, i))
            return wrong(f, ASSAY_SIM_LEAK, ASSAY_NONE, req_of(sim),
                         "%s keeps %u bytes of messages that wait for nobody", name_of(sim, i), m.messages);
    }
    return true;
}

bool assay_sim_judge(struct assay_sim *sim, struct assay_sim_finding *f)
{
    *f = (struct assay_sim_finding){.promise = ASSAY_NONE, .req = ASSAY_NONE};
    if (sim->s.full || input_waits(sim))
        return wrong(f, ASSAY_SIM_FULL, ASSAY_NONE, req_of(sim), "an engine has no room");
    if (!assay_sim_promises(sim, f) || !calls_end(sim, f))
        return false;
    if (sim->reliable && assay_sim_waits(sim))
        return wrong(f, ASSAY_SIM_WAITS, ASSAY_NONE, req_of(sim),
                     "messages wait to be acknowledged, or for one before them, for ever");
    return memory_is_tidy(sim, f) && traffic_is_small(sim, f);
}
