/* Whether an engine knows where all of its memory is. */
#ifndef ASSAY_FUZZ_ACCOUNT_H
#define ASSAY_FUZZ_ACCOUNT_H

#include "core/engine.h"

/* Ends the program where a block of the engine's heap belongs to nobody, to two, or is free and belongs to somebody.
 * All events were taken. */
void fuzz_account(const struct assay_engine *e);

/* The same behind the last session; and no effect is in flight, and no row is on its way. */
void fuzz_account_end(struct assay_engine *e);

#endif
