/* Verdicts: what a finding means. */
#ifndef ASSAY_CONFORMANCE_VERDICT_H
#define ASSAY_CONFORMANCE_VERDICT_H

#include "conformance/play.h"

/* From best to worst. Only PASS counts as a pass. */
enum assay_verdict {
    ASSAY_VERDICT_PASS,
    ASSAY_VERDICT_UNSUPPORTED,  /* the target lacks what is optional, or nobody can see the effect */
    ASSAY_VERDICT_WARN,         /* a SHOULD was missed */
    ASSAY_VERDICT_INCONCLUSIVE, /* no judgement: permitted choices or time led away from it */
    ASSAY_VERDICT_ERROR,        /* the harness's own trouble; the case was not judged */
    ASSAY_VERDICT_FAIL,
    ASSAY_VERDICTS,
};

const char *assay_verdict_name(enum assay_verdict verdict); /* "pass", "unsupported", ... */
const char *assay_level_name(enum assay_level level);       /* "MUST", ... */

/* A judged case. */
struct assay_result {
    const struct assay_case *c;
    enum assay_verdict verdict;
    enum assay_level level; /* that the verdict speaks of: the case's, or the weaker one that was broken */
    uint16_t req;           /* in model->requirements; ASSAY_NONE */
    uint16_t rule;          /* in model->rules, that was expected to act; ASSAY_NONE */
    bool ran;
    bool late;     /* first, beside others, something owed did not come, and the harness was in time */
    bool repeated; /* judged again alone, and this is what came of it */
    char why[320]; /* one line; "" for a plain pass */
    char expected[1024], seen[1024];
    int64_t took; /* ns */
    bool cuts_requested, silence_waited;
    struct assay_exchange exchange;
    char *target_said; /* the end of the target's stderr, where it died; owned; or NULL */
};

void assay_result_free(struct assay_result *result);

/* Judge `played` (whose exchange moves to the result). `alone`: nothing else
 * was in flight. `late`: the harness itself was late meanwhile. `strict`: a
 * SHOULD counts like a MUST. */
struct assay_judging {
    const struct assay_model *model;
    bool strict, alone, late;
};
void assay_judge(const struct assay_judging *judging, const struct assay_case *c, struct assay_played *played,
                 struct assay_result *result);

/* Whether the finding may stem from time, so that the case has to run again alone before it is judged. */
bool assay_judge_again(const struct assay_judging *judging, const struct assay_played *played);

/* A case that was not judged, or was judged by something else than its wire. */
void assay_result_set(struct assay_result *result, const struct assay_case *c, enum assay_verdict verdict,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- all of them ------------------------------------------------------- */

struct assay_tally {
    size_t cases, ran;
    size_t by_verdict[ASSAY_VERDICTS];
    size_t by_level[3][ASSAY_VERDICTS];
    size_t must_inconclusive;
    size_t timed;                      /* of those that ran: they waited for real timers, */
    int64_t timed_took, timed_longest; /* that long together (some beside each other), and the longest, ns */
};

void assay_tally_add(struct assay_tally *tally, const struct assay_result *result);

/* The exit code (cli/cli.h): 0, 1 or 5. */
int assay_tally_exit(const struct assay_tally *tally);

#endif
