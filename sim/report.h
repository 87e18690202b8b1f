/* What came of a search, for machines. */
#ifndef ASSAY_SIM_REPORT_H
#define ASSAY_SIM_REPORT_H

#include "sim/sim.h"

struct assay_sim_told {
    const char *spec;                      /* its file */
    const struct assay_sim_search *search; /* NULL: one schedule was run, that of the report */
    const struct assay_sim_report *report;
    uint64_t seed;
    const char *plan, *again; /* where the schedule stands, and a command that replays it; NULL: none */
    double seconds;
};

/* One JSON object. False: `to` had an error, or there is no memory. */
bool assay_sim_report_json(struct assay_sim *sim, const struct assay_model *model, const struct assay_sim_told *told,
                           FILE *to);

#endif
