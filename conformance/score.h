/* The mutation score of a suite: which mutant is killed by which case. */
#ifndef ASSAY_CONFORMANCE_SCORE_H
#define ASSAY_CONFORMANCE_SCORE_H

#include "conformance/case.h"

enum assay_fate {
    ASSAY_KILLED,
    ASSAY_NO_DIFFERENCE, /* proven equal within the cap: no verdict could tell it */
    ASSAY_SURVIVED,
};

struct assay_score_row {
    const char *kind, *text; /* of the mutant */
    uint16_t rule, req;      /* that it breaks; ASSAY_NONE: the language's own rules */
    uint8_t fate;            /* enum assay_fate */
    bool right;              /* KILLED: some case blames the requirement that the mutant breaks */
    const char *killer;      /* KILLED: id of the case; the one that blames rightly if there is one */
    uint16_t blamed;         /* KILLED: requirement that it blamed, or ASSAY_NONE */
    const char *trace;       /* else: what tells it apart, or how far was looked */
};

struct assay_score {
    struct assay_score_row *rows;
    size_t count, killed, right, equal, survived, malformed; /* malformed: mutations that made no valid model */
    size_t cases, cases_run;
};

struct assay_score_options {
    uint64_t seed;
    uint16_t transport;  /* in model->transports */
    uint8_t role;        /* enum assay_role: whose machine is made wrong; 0: the server's */
    const char *machine; /* as in struct assay_suite_options */
    const char *filter;  /* glob over kinds of mutation, or NULL */
    void (*progress)(void *context, size_t done, size_t of);
    void *context;
};

/* Timers that the defaults leave off are switched on: their mutants count, too. Where a text is empty by default and is
 * no file, there are two suites, the second with some text in it; a case of either may kill. NULL: out of memory, or
 * the right model failed its own suite, or there is no such machine. */
struct assay_score *assay_score_make(const struct assay_spec *spec, const struct assay_model *model,
                                     const struct assay_score_options *options);
void assay_score_free(struct assay_score *score);

#endif
