/* Runs a suite against a target: many cases in flight in one single-threaded
 * loop, each on fresh connections, and reports them in the order of their ids.
 *
 * Cases that want the target for themselves have several of it at once, where these share nothing (assay_target_twin());
 * else they run alone, as do those that an observer has to watch, or whose verdict may stem from a delay. When the target dies, the
 * cases in flight run again alone, and the one that kills it is the finding.
 */
#ifndef ASSAY_CONFORMANCE_RUNNER_H
#define ASSAY_CONFORMANCE_RUNNER_H

#include "conformance/observe.h"
#include "conformance/report.h"
#include "conformance/target.h"

struct assay_progress {
    void (*show)(struct assay_progress *progress, size_t judged, size_t cases, size_t failed);
    void (*clear)(struct assay_progress *progress); /* before a report writes */
};

/* A bar on a terminal; NULL where `to` is none, or TERM=dumb. */
struct assay_progress *assay_progress_bar(FILE *to);

/* Whether to use colours on `to`: a terminal, NO_COLOR, CLICOLOR_FORCE, TERM=dumb. */
bool assay_color_wanted(FILE *to);

/* A target in which something is wrong on purpose, for the cases that are about it. */
struct assay_faulty {
    struct assay_circumstance circumstance;
    struct assay_target *target;
};

struct assay_run_options {
    struct assay_run_facts facts;
    struct assay_oracle_config oracle;
    struct assay_target *target;          /* one that listens; NULL: */
    const struct assay_guest_plan *guest; /* a client, which is started anew for each case */
    const struct assay_faulty *faulty;    /* cases of other circumstances are unsupported */
    size_t faulty_count;
    struct assay_observers *observers;
    struct assay_report **reports;
    size_t report_count;
    struct assay_progress *progress; /* or NULL */
    unsigned jobs;                   /* cases in flight */
    unsigned repeat;                 /* how often all cases are judged; the worst verdict of each counts */
    double timeout_scale;
    bool strict;
    bool datagrams; /* over UDP */
    bool screen;    /* of a target that listens and was started here: what it shows at its terminal is judged */
    bool continues; /* a run before this one is reported as one with it: *summary goes on */
    bool more;      /* another one follows */
    int interrupts; /* of assay_run_interrupts(); -1: nobody interrupts */
};

enum assay_run_end { ASSAY_RUN_DONE, ASSAY_RUN_UNREACHABLE, ASSAY_RUN_INTERRUPTED, ASSAY_RUN_NO_RESOURCES };

/* From here on SIGINT and SIGTERM no longer end this process but interrupt the runs that are given the descriptor, with
 * reports ended properly. So call it before the first report is begun. The caller closes it; -1: no descriptor left. */
int assay_run_interrupts(void);

/* *error says why UNREACHABLE. */
enum assay_run_end assay_run(const struct assay_run_options *options, struct assay_run_summary *summary,
                             struct assay_net_error *error);

#endif
