/* What the engine's entry points begin and end with. */
#ifndef ASSAY_CORE_FEED_H
#define ASSAY_CORE_FEED_H

#include "core/session.h"

/* False: events are left over. */
bool assay_enter(struct assay_engine *e, assay_time now, struct assay_out *out);
enum assay_rc assay_leave(struct assay_engine *e, struct assay_session *s, enum assay_rc rc, bool input);

#endif
