/* Hand-made protocols beside those of core/tests/models.h. */
#ifndef ASSAY_REF_SERVER_TESTS_MODELS_H
#define ASSAY_REF_SERVER_TESTS_MODELS_H

#include "core/model.h"

/* sums over tcp, and over udp with a line in each datagram, without its end. */
const struct assay_model *sums_over_both(void);

/* desk, over tcp (lines) and udp. A letter, then content; the answer is "+"
 * and the content, or "-" and the content if the effect failed.
 *
 *   g gather, r release (to `window`)   w append a line to "log"   a apply (can fail)
 *   e report   v tell   s stop   o reopen   q: the end
 *
 * Params: count, of u8, and place, which `window` may name as "$place".
 * `apply` and `tell` are the application's: content, and its size. */
#define DESK_MAX 65536
const struct assay_model *desk_model(const char *window);

#endif
