/* What a decoded message holds, as text on one line: `Line{seq=0 text="hi"}`.
 * Bytes are in quotes, escaped; of long ones the beginning is shown. */
#ifndef ASSAY_CORE_SHOW_H
#define ASSAY_CORE_SHOW_H

#include <stddef.h>

#include "core/value.h"

/* Text that grows, and is cut off with dots where it would not fit in `cap` bytes with its NUL (cap > 0). */
struct assay_text {
    char *p;
    size_t cap, n;
};

void assay_show(struct assay_text *text, const char *bytes, size_t n);
void assay_show_name(struct assay_text *text, const char *name);
void assay_show_number(struct assay_text *text, int64_t value);
/* At most `most` of the bytes, then how many there are. */
void assay_show_hex(struct assay_text *text, struct assay_span bytes, uint32_t most);
void assay_show_quoted(struct assay_text *text, struct assay_span bytes, uint32_t most);

/* The name of a value; NULL: it has none. */
const char *assay_enum_name(const struct assay_model *model, uint16_t of, int64_t value);

/* What the slots of `env` hold after assay_decode(); slots in `skip` are shown as `any`. */
void assay_show_message(struct assay_text *text, const struct assay_env *env, uint16_t message, uint16_t frame,
                        uint64_t skip);

#endif
