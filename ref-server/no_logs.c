/* Until core's side of logs is there, nobody is hungry. To be removed with it. */
#include "core/engine.h"

#define WEAK __attribute__((weak))

WEAK void assay_log_grew(struct assay_engine *e, uint16_t log, uint64_t rows)
{
    (void)e, (void)log, (void)rows;
}

WEAK bool assay_hungry(struct assay_engine *e, struct assay_hunger *hunger)
{
    (void)e, (void)hunger;
    return false;
}

WEAK void assay_fetching(struct assay_engine *e, assay_sid sid, bool on)
{
    (void)e, (void)sid, (void)on;
}

WEAK enum assay_rc assay_row(struct assay_engine *e, assay_sid sid, assay_time now, uint16_t log, uint64_t number,
                             const assay_val *values, const struct assay_span *spans, struct assay_out *out)
{
    (void)e, (void)sid, (void)now, (void)log, (void)number, (void)values, (void)spans, (void)out;
    return ASSAY_STALE;
}
