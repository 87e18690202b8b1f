/* What the engine's entry points begin and end with. */
#ifndef ASSAY_CORE_FEED_H
#define ASSAY_CORE_FEED_H

#include "core/session.h"

/* False: events are left over. */
bool assay_enter(struct assay_engine *e, assay_time now, struct assay_out *out);
/* Handle all frames of `in`; `input` is set if there was one. */
enum assay_rc assay_frames(struct assay_engine *e, struct assay_session *s, struct assay_span in, uint32_t *used,
                           bool *input);
enum assay_rc assay_leave(struct assay_engine *e, struct assay_session *s, enum assay_rc rc, bool input);

#endif
