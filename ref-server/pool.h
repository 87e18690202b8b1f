/* Buffers of power-of-two sizes for one thread: taken while there is something
 * in them, given back when they are empty. Each size keeps a few for the next
 * taker, the rest goes back to the system. */
#ifndef ASSAY_REF_SERVER_POOL_H
#define ASSAY_REF_SERVER_POOL_H

#include <stddef.h>
#include <stdint.h>

#define ASSAY_POOL_LEAST   64u
#define ASSAY_POOL_CLASSES 24

struct assay_pool_class {
    void *free; /* each begins with the address of the next */
    uint32_t kept;
};

/* Zero-initialised is empty. */
struct assay_pool {
    struct assay_pool_class classes[ASSAY_POOL_CLASSES];
    size_t taken; /* bytes in use */
};

/* At least `size` bytes; *cap is how many there are. NULL: no memory. */
void *assay_pool_take(struct assay_pool *pool, size_t size, uint32_t *cap);

/* Give back what came with `cap`. NULL is fine. */
void assay_pool_give(struct assay_pool *pool, void *buffer, uint32_t cap);

void assay_pool_free(struct assay_pool *pool);

#endif
