/* What a session gathers before it is released: in memory up to 64 KiB, beyond
 * that in a file without a name. One thread at a time has a spool. */
#ifndef ASSAY_REF_SERVER_SPOOL_H
#define ASSAY_REF_SERVER_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/value.h"

#define ASSAY_SPOOL_MEMORY (64u * 1024)

/* A session has a list of them, one for each place that they are gathered for. */
struct assay_spool {
    struct assay_spool *next;
    const void *place;
    uint8_t *bytes; /* what was gathered last */
    uint32_t size, cap;
    int fd;        /* what was gathered before; -1: nothing */
    int64_t filed; /* bytes of it */
};

/* Add bytes to the list's spool for a place; `folder` is where files can be
 * made. False: no memory, or no room; the spool is as it was. */
bool assay_spool_add(struct assay_spool **list, const void *place, int folder, const struct assay_span *spans,
                     size_t count);

/* Take the spool for a place out of the list; NULL: nothing was gathered. */
struct assay_spool *assay_spool_take(struct assay_spool **list, const void *place);

/* Hand everything to `put`, in order. False: that failed, or it cannot be read. */
bool assay_spool_pour(const struct assay_spool *spool, bool (*put)(void *to, const void *bytes, size_t size), void *to);

uint64_t assay_spool_size(const struct assay_spool *spool); /* NULL: 0 */

void assay_spool_free(struct assay_spool *spool);
void assay_spool_free_all(struct assay_spool **list);

#endif
