/* Memory for the bytes of variables: a buddy allocator inside one block.
 *
 * Blocks are named by their offset; their size is the caller's to remember
 * (references to bytes hold it). What is allocated wastes less than half; free
 * buddies join at once. Everything is offsets, so the block may be copied. */
#ifndef ASSAY_CORE_HEAP_H
#define ASSAY_CORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/value.h"

#define ASSAY_HEAP_UNIT   32u /* smallest block */
#define ASSAY_HEAP_ORDERS 27

struct assay_heap {
    uint8_t *bytes;  /* `units` blocks of ASSAY_HEAP_UNIT */
    uint8_t *orders; /* a byte for each unit: 1 + order where a free block begins, else 0 */
    uint32_t units;
    uint32_t free[ASSAY_HEAP_ORDERS]; /* 1 + first unit of the first free block of each order; 0: none */
};

/* How many units hold `size` bytes of variables. */
uint32_t assay_heap_units(uint32_t size);

/* All free. `bytes` (aligned to 4) and `orders` belong to the heap from now on. */
void assay_heap_init(struct assay_heap *heap, uint8_t *bytes, uint8_t *orders, uint32_t units);

/* Room for size > 0 bytes, zeros behind them up to the block's end; false: there is none. */
bool assay_heap_alloc(struct assay_heap *heap, uint32_t size, uint32_t *offset);
void assay_heap_free(struct assay_heap *heap, uint32_t offset, uint32_t size);

/* What a block for that many bytes takes, and what all blocks take that are not free. */
uint32_t assay_heap_block(uint32_t size);
uint32_t assay_heap_used(const struct assay_heap *heap);

/* All that stands in the heap: blocks in use, side by side, and the beginnings of free ones. What `orders` and `free`
 * hold follows from it. `*unit` is 0 at first; false: that was all. */
bool assay_heap_part(const struct assay_heap *heap, uint32_t *unit, struct assay_span *part);

#endif
