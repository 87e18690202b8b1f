#include "conformance/weave.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 200000 /* beyond that only the order of the records itself is tried: texts that are all alike */

struct loom {
    const struct assay_record *records;
    uint32_t count, left;
    struct assay_span bytes;
    bool *used;
    uint32_t steps;
    enum assay_sight found;
};

static bool fits(const struct loom *l, const struct assay_record *r, uint32_t at)
{
    uint32_t n = l->bytes.n - at < r->bytes.n ? l->bytes.n - at : r->bytes.n;
    return n == 0 || memcmp(l->bytes.p + at, r->bytes.p, n) == 0;
}

/* Go on from `at` with the next record of some link. */
static void weave(struct loom *l, uint32_t at)
{
    uint64_t tried[4] = {0}; /* links */
    if (at == l->bytes.n)
        l->found = l->left ? ASSAY_SIGHT_PART : ASSAY_SIGHT_SAME;
    for (uint32_t i = 0; i < l->count && at < l->bytes.n && l->found == ASSAY_SIGHT_OTHER; i++) {
        const struct assay_record *r = &l->records[i];
        if (l->used[i] || tried[r->link >> 6] >> (r->link & 63) & 1)
            continue;
        tried[r->link >> 6] |= (uint64_t)1 << (r->link & 63);
        if (!fits(l, r, at) || l->steps++ > STEPS_MAX)
            continue;
        if (l->bytes.n - at < r->bytes.n) {
            l->found = ASSAY_SIGHT_PART;
            return;
        }
        l->used[i] = true;
        l->left--;
        weave(l, at + r->bytes.n);
        l->used[i] = false;
        l->left++;
    }
}

enum assay_sight assay_weave(const struct assay_record *records, uint32_t count, struct assay_span bytes)
{
    struct loom l = {.records = records, .count = count, .bytes = bytes, .found = ASSAY_SIGHT_OTHER};
    l.used = calloc(count + 1u, sizeof *l.used);
    if (!l.used)
        return ASSAY_SIGHT_BLIND;
    for (uint32_t i = 0; i < count; i++) {
        l.used[i] = records[i].bytes.n == 0;
        l.left += !l.used[i];
    }
    weave(&l, 0);
    free(l.used);
    return l.found;
}

struct assay_record *assay_records_copy(const struct assay_record *records, uint32_t count)
{
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++)
        size += records[i].bytes.n;
    struct assay_record *copy = count ? malloc(count * sizeof *copy + size) : NULL;
    uint8_t *p = copy ? (uint8_t *)(copy + count) : NULL;
    for (uint32_t i = 0; copy && i < count; i++) {
        copy[i] = records[i];
        copy[i].bytes.p = p;
        if (records[i].bytes.n)
            memcpy(p, records[i].bytes.p, records[i].bytes.n);
        p += records[i].bytes.n;
    }
    return copy;
}
