#include "ref-server/cells.h"

#include <string.h>

static void add(struct assay_pieces *pieces, const void *p, uint32_t n)
{
    pieces->spans[pieces->count++] = (struct assay_span){p, n};
}

void assay_cells_cut(const struct assay_shape *shape, const assay_val *values, const struct assay_span *spans,
                     struct assay_pieces *pieces)
{
    pieces->count = 0;
    for (uint16_t i = 0; i < shape->count; i++) {
        if (!(shape->bytes >> i & 1)) {
            add(pieces, &values[i], sizeof values[i]);
            continue;
        }
        pieces->sizes[i] = spans[i].n;
        add(pieces, &pieces->sizes[i], sizeof pieces->sizes[i]);
        add(pieces, spans[i].p, spans[i].n);
    }
}

static bool take(struct assay_span *from, void *to, uint32_t n)
{
    if (n > from->n)
        return false;
    memcpy(to, from->p, n);
    from->p += n;
    from->n -= n;
    return true;
}

bool assay_cells_read(const struct assay_shape *shape, struct assay_span bytes, struct assay_cells *row)
{
    for (uint16_t i = 0; i < shape->count; i++) {
        uint32_t size;
        if (!(shape->bytes >> i & 1)) {
            if (!take(&bytes, &row->values[i], sizeof row->values[i]))
                return false;
            continue;
        }
        if (!take(&bytes, &size, sizeof size) || size > bytes.n)
            return false;
        row->spans[i] = (struct assay_span){bytes.p, size};
        bytes.p += size;
        bytes.n -= size;
    }
    return bytes.n == 0;
}
