/* Rows of tables and logs as bytes: each column in order, numbers as 8 bytes, bytes behind their size in 4 (both in
 * this machine's order: such rows never leave the process). */
#ifndef ASSAY_REF_SERVER_CELLS_H
#define ASSAY_REF_SERVER_CELLS_H

#include "core/value.h"

/* Which columns are bytes; the others are numbers. */
struct assay_shape {
    uint16_t count;
    uint32_t bytes; /* bit i: column i */
};

/* As in struct assay_event. What spans point to is borrowed. */
struct assay_cells {
    assay_val values[ASSAY_COLUMNS_MAX];
    struct assay_span spans[ASSAY_COLUMNS_MAX];
};

/* The pieces that a row's bytes are put together of; they point into the row, and into this struct. */
struct assay_pieces {
    struct assay_span spans[2 * ASSAY_COLUMNS_MAX];
    uint32_t sizes[ASSAY_COLUMNS_MAX];
    uint16_t count;
};
void assay_cells_cut(const struct assay_shape *shape, const assay_val *values, const struct assay_span *spans,
                     struct assay_pieces *pieces);

/* The row that bytes hold, which it points into. False: they hold none. */
bool assay_cells_read(const struct assay_shape *shape, struct assay_span bytes, struct assay_cells *row);

#endif
