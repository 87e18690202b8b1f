#include <string.h>

#include "core/heap.h"

/* Free blocks of one order form a doubly linked list; the links stand in the blocks, as 1 + unit, 0 is none. The order
 * stands there for assay_heap_part(). */
struct links {
    uint32_t next, prev, order;
};

static struct links links_of(const struct assay_heap *heap, uint32_t unit)
{
    struct links links;
    memcpy(&links, heap->bytes + (size_t)unit * ASSAY_HEAP_UNIT, sizeof links);
    return links;
}

static void set_links(struct assay_heap *heap, uint32_t unit, struct links links)
{
    memcpy(heap->bytes + (size_t)unit * ASSAY_HEAP_UNIT, &links, sizeof links);
}

static void insert(struct assay_heap *heap, uint32_t unit, uint32_t order)
{
    uint32_t next = heap->free[order];
    set_links(heap, unit, (struct links){next, 0, order});
    if (next) {
        struct links after = links_of(heap, next - 1);
        after.prev = unit + 1;
        set_links(heap, next - 1, after);
    }
    heap->free[order] = unit + 1;
    heap->orders[unit] = (uint8_t)(order + 1);
}

static void take(struct assay_heap *heap, uint32_t unit, uint32_t order)
{
    struct links links = links_of(heap, unit);
    if (links.next) {
        struct links after = links_of(heap, links.next - 1);
        after.prev = links.prev;
        set_links(heap, links.next - 1, after);
    }
    if (links.prev) {
        struct links before = links_of(heap, links.prev - 1);
        before.next = links.next;
        set_links(heap, links.prev - 1, before);
    } else {
        heap->free[order] = links.next;
    }
    heap->orders[unit] = 0;
}

static uint32_t order_of(uint32_t size)
{
    uint32_t units = (size - 1) / ASSAY_HEAP_UNIT;
    return units ? 32 - (uint32_t)__builtin_clz(units) : 0;
}

uint32_t assay_heap_units(uint32_t size)
{
    return size / ASSAY_HEAP_UNIT + (size % ASSAY_HEAP_UNIT != 0);
}

void assay_heap_init(struct assay_heap *heap, uint8_t *bytes, uint8_t *orders, uint32_t units)
{
    memset(heap, 0, sizeof *heap);
    memset(orders, 0, units);
    heap->bytes = bytes;
    heap->orders = orders;
    heap->units = units;
    /* the largest powers of two first: each then lies on a multiple of its size */
    for (uint32_t at = 0, order = ASSAY_HEAP_ORDERS; order-- > 0;)
        for (; units - at >= 1u << order; at += 1u << order)
            insert(heap, at, order);
}

bool assay_heap_alloc(struct assay_heap *heap, uint32_t size, uint32_t *offset)
{
    uint32_t wanted = order_of(size), order = wanted;
    while (order < ASSAY_HEAP_ORDERS && !heap->free[order])
        order++;
    if (order >= ASSAY_HEAP_ORDERS)
        return false;
    uint32_t unit = heap->free[order] - 1;
    take(heap, unit, order);
    while (order > wanted) {
        order--;
        insert(heap, unit + (1u << order), order);
    }
    *offset = unit * ASSAY_HEAP_UNIT;
    memset(heap->bytes + *offset + size, 0, ((size_t)ASSAY_HEAP_UNIT << wanted) - size);
    return true;
}

void assay_heap_free(struct assay_heap *heap, uint32_t offset, uint32_t size)
{
    uint32_t unit = offset / ASSAY_HEAP_UNIT, order = order_of(size);
    for (; order + 1 < ASSAY_HEAP_ORDERS; order++) {
        uint32_t buddy = unit ^ 1u << order;
        if (buddy >= heap->units || heap->orders[buddy] != order + 1)
            break;
        take(heap, buddy, order);
        unit &= ~(1u << order);
    }
    insert(heap, unit, order);
}

bool assay_heap_part(const struct assay_heap *heap, uint32_t *unit, struct assay_span *part)
{
    uint32_t from = *unit, to = from;
    if (from >= heap->units)
        return false;
    part->p = heap->bytes + (size_t)from * ASSAY_HEAP_UNIT;
    if (heap->orders[from]) {
        part->n = sizeof(struct links);
        *unit = from + (1u << (heap->orders[from] - 1));
        return true;
    }
    while (to < heap->units && !heap->orders[to])
        to++;
    part->n = (to - from) * ASSAY_HEAP_UNIT;
    *unit = to;
    return true;
}

uint32_t assay_heap_block(uint32_t size)
{
    return ASSAY_HEAP_UNIT << order_of(size);
}

uint32_t assay_heap_used(const struct assay_heap *heap)
{
    struct assay_span part;
    uint32_t used = 0;
    for (uint32_t unit = 0, from = 0; assay_heap_part(heap, &unit, &part); from = unit)
        used += heap->orders[from] ? 0 : part.n;
    return used;
}
