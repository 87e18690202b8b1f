/* Bytes in words: `Reply{status=failed} (ff)`. For failures and reports. */
#ifndef ASSAY_CONFORMANCE_DESCRIBE_H
#define ASSAY_CONFORMANCE_DESCRIBE_H

#include "core/codec.h"
#include "core/show.h"

void assay_text_add(struct assay_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All messages in `bytes`, decoded, each with its bytes in hex: those that the side which plays `machine` sent
 * (`outgoing`), or received. */
void assay_describe_link(struct assay_text *text, const struct assay_model *model, uint16_t machine,
                         uint64_t leniencies, bool outgoing, struct assay_span bytes);

/* The same by who sent them (enum assay_role), on a link of the first transport. */
void assay_describe(struct assay_text *text, const struct assay_model *model, uint64_t leniencies, uint8_t from,
                    struct assay_span bytes);

#endif
