/* For judges: what a target has sealed or drawn takes the place of what was put there for it. */
#include <string.h>

#include "core/reliable.h"
#include "core/sums.h"

/* Replace what equals the placeholder in bytes that lie one behind another. True: there was some. */
static bool replace_all(uint8_t *p, size_t n, struct assay_span placeholder, const uint8_t *actual)
{
    bool found = false;
    while (n >= placeholder.n) {
        uint8_t *hit = memchr(p, placeholder.p[0], n - placeholder.n + 1);
        if (!hit)
            break;
        n -= (size_t)(hit - p), p = hit;
        bool here = memcmp(p, placeholder.p, placeholder.n) == 0;
        uint32_t step = here ? placeholder.n : 1;
        if (here)
            memcpy(p, actual, placeholder.n);
        found |= here;
        p += step, n -= step;
    }
    return found;
}

/* All that is allocated in the heap: variables, rows, messages that wait. */
static bool learn_heap(struct assay_heap *heap, struct assay_span placeholder, const uint8_t *actual)
{
    bool found = false;
    for (uint32_t unit = 0, first = 0; unit < heap->units; first = unit) {
        while (unit < heap->units && !heap->orders[unit])
            unit++;
        found |= replace_all(heap->bytes + (size_t)first * ASSAY_HEAP_UNIT, (size_t)(unit - first) * ASSAY_HEAP_UNIT,
                             placeholder, actual);
        if (unit < heap->units)
            unit += 1u << (heap->orders[unit] - 1);
    }
    return found;
}

/* What waits to be acknowledged has the sum that it would have had, and goes out under the number that it has by now.
 */
static void learn_kept(struct assay_engine *e, struct assay_session *s)
{
    struct assay_flow *flow = assay_flow_of(e, s);
    for (uint64_t i = flow->base; i < flow->next; i++) {
        uint64_t place = (flow->head + (i - flow->base)) % e->window;
        struct assay_kept *kept = &assay_flow_kept(e, flow)[place];
        e->made.scratch_used = e->env.scratch_used;
        (void)assay_sum_again(&e->made, e->machine->frame_out, e->heap.bytes + kept->at, kept->size);
        kept->anew = true;
    }
    e->made.known = 0;
}

void assay_learn(struct assay_engine *e, struct assay_span placeholder, const uint8_t *actual)
{
    uint8_t was[ASSAY_RANDOM_MAX], now[ASSAY_RANDOM_MAX]; /* they may stand in what is replaced */
    if (placeholder.n < ASSAY_RANDOM_MIN || placeholder.n > sizeof was)
        return;
    memcpy(was, placeholder.p, placeholder.n);
    memcpy(now, actual, placeholder.n);
    placeholder.p = was;
    assay_seals_learn(e, placeholder, now);
    if (!learn_heap(&e->heap, placeholder, now))
        return;
    assay_rows_rehash(e);
    for (uint32_t i = 0; e->reliable && i < e->sessions_used; i++)
        if (assay_session_at(e, i)->live)
            learn_kept(e, assay_session_at(e, i));
}
