#include <inttypes.h>
#include <stdlib.h>

#include "conformance/report.h"

/* What the writer counts for its summary: verdicts by requirement; the last one is the language itself. A case counts
 * for the requirement that its verdict speaks of, for its own, and for that of the field that it probes. */
struct by_req {
    size_t count[ASSAY_VERDICTS];
};

static const char *const colors[ASSAY_VERDICTS] = {
    [ASSAY_VERDICT_PASS] = "\033[32m",  [ASSAY_VERDICT_UNSUPPORTED] = "\033[2m",
    [ASSAY_VERDICT_WARN] = "\033[33m",  [ASSAY_VERDICT_INCONCLUSIVE] = "\033[35m",
    [ASSAY_VERDICT_ERROR] = "\033[35m", [ASSAY_VERDICT_FAIL] = "\033[1;31m",
};

static void print_verdict(const struct assay_report *t, enum assay_verdict verdict)
{
    fprintf(t->to, "%s%-12s%s", t->color ? colors[verdict] : "", assay_verdict_name(verdict),
            t->color ? "\033[0m" : "");
}

static void begin(struct assay_report *t, const struct assay_run_facts *facts)
{
    t->facts = facts;
    t->own = calloc(facts->model->requirements_count + 1u, sizeof(struct by_req));
    fprintf(t->to, "%s against %s%s%s: %zu cases, seed %" PRIu64 "\n", facts->model->protocol,
            facts->role ? facts->role : "", facts->role ? " " : "", facts->target, assay_report_cases(facts),
            facts->seed);
}

static void judged(struct assay_report *t, const struct assay_result *r)
{
    struct by_req *by = t->own;
    uint16_t last = t->facts->model->requirements_count;
    if (by)
        by[r->req < last ? r->req : last].count[r->verdict]++;
    if (by && r->c->req < last && r->c->req != r->req)
        by[r->c->req].count[r->verdict]++;
    if (by && r->c->field_req < last && r->c->field_req != r->req && r->c->field_req != r->c->req)
        by[r->c->field_req].count[r->verdict]++;
    bool quiet = r->verdict == ASSAY_VERDICT_PASS || r->verdict == ASSAY_VERDICT_UNSUPPORTED;
    if (quiet && !t->facts->verbose)
        return;
    print_verdict(t, r->verdict);
    fputc(' ', t->to);
    assay_report_id(t, r, t->to);
    fprintf(t->to, "  (%.1f ms)%s%s\n", (double)r->took / 1e6, r->why[0] ? "  " : "", r->why);
    if (!quiet || t->facts->verbose)
        assay_report_details(t, r, "    ", t->to);
}

static void print_levels(struct assay_report *t, const struct assay_tally *tally)
{
    for (int level = ASSAY_MUST; level <= ASSAY_MAY; level++) {
        size_t all = 0;
        for (int v = 0; v < ASSAY_VERDICTS; v++)
            all += tally->by_level[level][v];
        if (all == 0)
            continue;
        fprintf(t->to, "  %-8s %5zu", assay_level_name((enum assay_level)level), all);
        for (int v = 0; v < ASSAY_VERDICTS; v++)
            if (tally->by_level[level][v])
                fprintf(t->to, "  %s %zu", assay_verdict_name((enum assay_verdict)v), tally->by_level[level][v]);
        fputc('\n', t->to);
    }
}

static void print_requirement(struct assay_report *t, const char *id, const struct by_req *by)
{
    size_t all = 0;
    for (int v = 0; v < ASSAY_VERDICTS; v++)
        all += by->count[v];
    fprintf(t->to, "  %-12s %5zu", id, all);
    for (int v = 0; v < ASSAY_VERDICTS; v++)
        if (by->count[v])
            fprintf(t->to, "  %s %zu", assay_verdict_name((enum assay_verdict)v), by->count[v]);
    fprintf(t->to, all ? "\n" : "  no case names it\n");
}

/* A requirement that no case names is shown, too: it was not judged. */
static void print_requirements(struct assay_report *t)
{
    const struct assay_model *model = t->facts->model;
    const struct by_req *by = t->own;
    for (uint16_t i = 0; by && i < model->requirements_count; i++)
        print_requirement(t, model->requirements[i].id, &by[i]);
    if (by)
        print_requirement(t, "language", &by[model->requirements_count]);
}

static void print_notes(struct assay_report *t, const struct assay_run_summary *s)
{
    for (const char *const *n = t->facts->suite->notes; n && *n && t->facts->verbose; n++)
        fprintf(t->to, "note: %s\n", *n);
    if (s->died)
        fprintf(t->to, "The target died with cases in flight, and none of those not yet reported kills it alone.\n");
    if (s->serial)
        fprintf(t->to,
                "Alone the target gave answers that it left out with others beside it: the rest ran one by one.\n");
    if (s->stopped)
        fprintf(t->to, "Not all cases ran: %s.\n", s->stopped);
    if (s->interrupted)
        fprintf(t->to, "Interrupted.\n");
    if (t->facts->passed_over)
        fprintf(t->to, "Not judged: %s.\n", t->facts->passed_over);
    if (s->tally.timed)
        fprintf(t->to, "%zu cases waited for real timers: %.2f s together, %.2f s the longest.\n", s->tally.timed,
                (double)s->tally.timed_took / 1e9, (double)s->tally.timed_longest / 1e9);
    if (s->tally.ran == 0)
        fprintf(t->to, "No case ran: that is a failure.\n");
}

static void end(struct assay_report *t, const struct assay_run_summary *s)
{
    const struct assay_tally *tally = &s->tally;
    double seconds = (double)s->took / 1e9;
    fprintf(t->to, "\n");
    print_requirements(t);
    fprintf(t->to, "\n");
    print_levels(t, tally);
    print_notes(t, s);
    fprintf(t->to, "\n");
    for (int v = ASSAY_VERDICTS - 1; v >= 0; v--)
        if (tally->by_verdict[v])
            fprintf(t->to, "%s%zu %s%s, ", t->color ? colors[v] : "", tally->by_verdict[v],
                    assay_verdict_name((enum assay_verdict)v), t->color ? "\033[0m" : "");
    fprintf(t->to, "%zu cases in %.2f s (%.0f a second, round trip %.3f ms)\n", tally->cases, seconds,
            seconds > 0 ? (double)tally->ran / seconds : 0.0, (double)s->round_trip / 1e6);
}

struct assay_report *assay_report_text(FILE *to, bool owns, bool color)
{
    return assay_report_new(
        (struct assay_report){.to = to, .owns = owns, .color = color, .begin = begin, .judged = judged, .end = end});
}
