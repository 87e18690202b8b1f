/* Memory of a suite: allocated bit by bit, freed as a whole. Running out of
 * memory ends the program: a tester that goes on with half a suite would lie. */
#ifndef ASSAY_CONFORMANCE_STORE_H
#define ASSAY_CONFORMANCE_STORE_H

#include "core/model.h"

struct assay_store {
    struct assay_store_page *pages;
};

void *assay_store(struct assay_store *store, size_t size); /* zeroed, aligned for anything */
void *assay_store_copy(struct assay_store *store, const void *p, size_t size);
const char *assay_store_text(struct assay_store *store, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct assay_blob assay_store_blob(struct assay_store *store, const uint8_t *p, uint32_t n);
void assay_store_free(struct assay_store *store);

/* A list that grows: items of `size` bytes behind *items; returns the new one, zeroed. */
void *assay_items_add(void **items, size_t *count, size_t *cap, size_t size);

#endif
