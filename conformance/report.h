/* Reports: one stream of events (a run begins, a case is judged, the run ends),
 * written by any number of writers. Cases come in the order of their ids.
 */
#ifndef ASSAY_CONFORMANCE_REPORT_H
#define ASSAY_CONFORMANCE_REPORT_H

#include <stdio.h>

#include "conformance/verdict.h"

/* Facts of a run that every writer may want. */
struct assay_run_facts {
    const struct assay_suite *suite;
    const struct assay_model *model;
    uint64_t leniencies, seed;
    const char *spec_path, *target; /* as the user named them */
    uint8_t target_role;            /* enum assay_role: which side of the wire the target is; 0: the server's */
    const char *role;               /* "server", "client" or "peer" */
    const char *part;               /* of a run that judges several machines or transports: which one; else NULL */
    size_t cases;                   /* of all parts; 0: those of `suite` */
    const char *again;       /* the command line that judges once more, up to the filter; see assay_report_again() */
    const char *passed_over; /* what of the role is not judged, and how to have it judged; or NULL */
    bool verbose;
};

struct assay_run_summary {
    struct assay_tally tally;
    int64_t took; /* ns */
    int64_t round_trip;
    size_t connections; /* the most that were open at once while cases ran beside each other */
    size_t targets;     /* the most that ran at once with a case each */
    bool interrupted;
    bool died;   /* the target died, and no case that was not reported yet carries that */
    bool serial; /* alone the target gave answers that it left out with others beside it: the rest ran one by one */
    const char *stopped; /* why not all cases ran; or NULL */
};

struct assay_report {
    void (*begin)(struct assay_report *report, const struct assay_run_facts *facts);
    void (*judged)(struct assay_report *report, const struct assay_result *result);
    void (*end)(struct assay_report *report, const struct assay_run_summary *summary);
    void (*free)(struct assay_report *report);
    const struct assay_run_facts *facts; /* set by begin */
    FILE *to;
    bool owns;  /* `to` is closed by free */
    bool color; /* for terminals */
    void *own;  /* the writer's */
};

/* NULL: no memory. Ownership of `to` passes when `owns`. */
struct assay_report *assay_report_text(FILE *to, bool owns, bool color);
struct assay_report *assay_report_junit(FILE *to, bool owns);
struct assay_report *assay_report_tap(FILE *to, bool owns);
struct assay_report *assay_report_json(FILE *to, bool owns);

/* For writers: a report with these parts. */
struct assay_report *assay_report_new(struct assay_report plain);
/* False with errno: it could not be written whole. */
bool assay_report_free(struct assay_report *report);

/* The requirement that a verdict speaks of, or NULL. */
const struct assay_requirement *assay_report_req(const struct assay_report *report, const struct assay_result *result);

/* That of the case, where a verdict speaks of another one that was broken on the way; else NULL. */
const struct assay_requirement *assay_report_case_req(const struct assay_report *report,
                                                      const struct assay_result *result);

/* That of the field whose constraint the case probes, or NULL. */
const struct assay_requirement *assay_report_field_req(const struct assay_report *report,
                                                       const struct assay_result *result);

/* What a failed case has to show, as text: requirement, exchange, expected, seen, how to repeat it. */
void assay_report_details(const struct assay_report *report, const struct assay_result *result, const char *indent,
                          FILE *to);

/* The shell command that runs this one case again. */
void assay_report_again(const struct assay_report *report, const struct assay_result *result, FILE *to);

/* A case's id, and which part of the run it belongs to. */
void assay_report_id(const struct assay_report *report, const struct assay_result *result, FILE *to);
size_t assay_report_cases(const struct assay_run_facts *facts);

/* A word as the shell reads it back. */
void assay_report_shell_word(const char *word, FILE *to);

#endif
