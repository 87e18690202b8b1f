#include "ref-server/pool.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that a size may keep for later. */
#define KEEP (512u * 1024)

static unsigned class_of(size_t size)
{
    unsigned k = 0;
    while (((size_t)ASSAY_POOL_LEAST << k) < size)
        k++;
    return k;
}

void *assay_pool_take(struct assay_pool *pool, size_t size, uint32_t *cap)
{
    unsigned k = class_of(size);
    if (k >= ASSAY_POOL_CLASSES)
        return NULL;
    struct assay_pool_class *c = &pool->classes[k];
    void *buffer = c->free;
    if (buffer) {
        memcpy(&c->free, buffer, sizeof c->free);
        c->kept--;
    } else {
        buffer = malloc((size_t)ASSAY_POOL_LEAST << k);
    }
    if (buffer) {
        *cap = ASSAY_POOL_LEAST << k;
        pool->taken += *cap;
    }
    return buffer;
}

void assay_pool_give(struct assay_pool *pool, void *buffer, uint32_t cap)
{
    if (!buffer)
        return;
    struct assay_pool_class *c = &pool->classes[class_of(cap)];
    pool->taken -= cap;
    if ((size_t)(c->kept + 1) * cap > KEEP) {
        free(buffer);
        return;
    }
    memcpy(buffer, &c->free, sizeof c->free);
    c->free = buffer;
    c->kept++;
}

void assay_pool_free(struct assay_pool *pool)
{
    for (unsigned k = 0; k < ASSAY_POOL_CLASSES; k++)
        for (void *next, *p = pool->classes[k].free; p; p = next) {
            memcpy(&next, p, sizeof next);
            free(p);
        }
    memset(pool, 0, sizeof *pool);
}
