/* From a schedule that breaks a promise to a small one that breaks the same. */
#include <string.h>

#include "sim/world.h"

static bool same_wrong(const struct assay_sim_finding *a, const struct assay_sim_finding *b)
{
    return a->wrong == b->wrong && a->promise == b->promise && a->req == b->req;
}

/* Whether this schedule is as wrong; then the finding is its. What is wrong without any fault is worse. */
static bool still(struct assay_sim *sim, const struct assay_sim_schedule *s, struct assay_sim_finding *finding)
{
    struct assay_sim_finding found;
    assay_sim_replay(sim, s, &found, NULL);
    bool at_all = found.wrong != ASSAY_SIM_NOTHING && s->count == 0 && !s->blackout;
    if (!at_all && !same_wrong(&found, finding))
        return false;
    *finding = found;
    return true;
}

static void take_out(struct assay_sim_schedule *s, size_t at, size_t n)
{
    s->count -= n;
    memmove(&s->faults[at], &s->faults[at + n], (s->count - at) * sizeof *s->faults);
}

/* Halves, quarters, ... single ones; true: something went. */
static bool fewer(struct assay_sim *sim, struct assay_sim_schedule *s, struct assay_sim_finding *finding)
{
    bool any = false;
    for (size_t n = s->count > 1 ? s->count / 2 : 1; n > 0 && s->count > 0; n = n > 1 ? (n + 1) / 2 : 0)
        for (size_t at = 0; at + n <= s->count;) {
            struct assay_sim_schedule less = {0};
            bool ok = assay_sim_schedule_copy(&less, s);
            if (ok)
                take_out(&less, at, n);
            if (ok && still(sim, &less, finding)) {
                take_out(s, at, n);
                any = true;
            } else {
                at++;
            }
            assay_sim_schedule_free(&less);
        }
    return any;
}

static bool try_instead(struct assay_sim *sim, struct assay_sim_schedule *s, size_t at,
                        const struct assay_sim_fault *fault, struct assay_sim_finding *finding)
{
    struct assay_sim_fault was = s->faults[at];
    s->faults[at] = *fault;
    if (memcmp(&was, fault, sizeof was) != 0 && still(sim, s, finding))
        return true;
    s->faults[at] = was;
    return false;
}

/* The simplest kind of fault that does it; then the shortest spans, the places that come first. */
static void simpler(struct assay_sim *sim, struct assay_sim_schedule *s, size_t at, struct assay_sim_finding *finding)
{
    struct assay_sim_fault f = s->faults[at], g = f;
    if (f.kind != ASSAY_SIM_MEETS)
        return;
    g.link.kind = ASSAY_LINK_DROP;
    g.link.size = g.link.mask = 0;
    g.link.span = 0;
    if (try_instead(sim, s, at, &g, finding))
        return;
    g = f;
    g.link.size = f.link.kind == ASSAY_LINK_SWAP ? 0 : f.link.size;
    try_instead(sim, s, at, &g, finding);
    g = s->faults[at];
    g.link.span = f.link.kind == ASSAY_LINK_DUPLICATE ? 0 : sim->delay;
    if (f.link.span)
        try_instead(sim, s, at, &g, finding);
}

static void sooner(struct assay_sim *sim, struct assay_sim_schedule *s, size_t at, struct assay_sim_finding *finding)
{
    uint64_t least = 1, here = s->faults[at].kind != ASSAY_SIM_MEETS ? s->faults[at].nth : s->faults[at].link.at;
    for (; least < here && least < 64; least++) {
        struct assay_sim_fault f = s->faults[at];
        *(f.kind != ASSAY_SIM_MEETS ? &f.nth : &f.link.at) = least;
        if (try_instead(sim, s, at, &f, finding))
            return;
    }
}

void assay_sim_shrink(struct assay_sim *sim, struct assay_sim_schedule *s, struct assay_sim_finding *finding)
{
    if (!still(sim, s, finding))
        return;
    while (fewer(sim, s, finding))
        continue;
    for (size_t i = 0; i < s->count; i++) {
        simpler(sim, s, i, finding);
        sooner(sim, s, i, finding);
    }
    fewer(sim, s, finding);
    uint64_t seed = s->seed;
    s->seed = sim->config.seed;
    if (seed != s->seed && !still(sim, s, finding))
        s->seed = seed;
    bool wrap = s->near_wrap;
    s->near_wrap = false;
    if (wrap && !still(sim, s, finding))
        s->near_wrap = wrap;
    (void)still(sim, s, finding);
}
