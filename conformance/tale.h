/* What the application above a client is told, in order: results and errors of
 * calls, and effects. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_TALE_H
#define ASSAY_CONFORMANCE_TALE_H

#include "conformance/describe.h"
#include "conformance/oracle.h"

struct assay_bytes_buf {
    uint8_t *p;
    uint32_t n, cap;
};
bool assay_buf_add(struct assay_bytes_buf *buf, const uint8_t *p, uint32_t n);
void assay_buf_drop(struct assay_bytes_buf *buf, uint32_t n); /* the first n */

struct assay_told {
    uint8_t kind; /* enum assay_upper_kind */
    bool run;     /* bytes that may have come in any number of pieces: those of effects of a stream without borders */
    uint16_t index, count;
    int32_t outcome;
    bool value;                  /* told as such */
    uint32_t at, size;           /* its values in `bytes` */
    uint16_t rule, state, event; /* that brought it about; ASSAY_NONE: not told */
};

struct assay_tale {
    struct assay_told *items;
    uint32_t count, cap;
    struct assay_bytes_buf bytes;
};

/* `pieces`: effects that follow each other and take bytes alone are one. The new entry, or the one that it went on
 * with; NULL: out of memory. */
struct assay_told *assay_tale_add(struct assay_tale *tale, const struct assay_model *model,
                                  const struct assay_upper *upper, bool pieces);
bool assay_tale_copy(struct assay_tale *to, const struct assay_tale *from);
void assay_tale_free(struct assay_tale *tale);

/* Whether what was seen is how the tale begins; *whole is how many of its entries were seen in full. */
bool assay_tale_agrees(const struct assay_tale *tale, const struct assay_tale *seen, uint32_t *whole);

/* An entry as it was added; what it points to is valid until the tale changes, the arrays until the next call. */
#define ASSAY_TOLD_VALUES 64
struct assay_told_room {
    assay_val values[ASSAY_TOLD_VALUES];
    struct assay_span spans[ASSAY_TOLD_VALUES];
};
struct assay_upper assay_tale_entry(const struct assay_tale *tale, uint32_t i, const struct assay_model *model,
                                    struct assay_told_room *room);

/* What a call ended with: an error of the spec by its name, or `closed` and the like. */
const char *assay_outcome_name(const struct assay_model *model, int32_t outcome);

/* In words: `result brightness{level=3}`. */
void assay_tale_describe(struct assay_text *text, const struct assay_tale *tale, uint32_t i,
                         const struct assay_model *model);

#endif
