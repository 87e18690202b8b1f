/* What stands in front of a reader, looked at without taking it. */
#include <string.h>

#include "core/fields.h"

static bool starts(struct assay_span s, struct assay_blob text)
{
    return s.n >= text.n && (text.n == 0 || memcmp(s.p, text.p, text.n) == 0);
}

static struct assay_span behind(struct assay_span s, uint32_t n)
{
    return (struct assay_span){s.p + n, s.n - n};
}

static bool any_starts(const struct assay_model *model, struct assay_range blobs, struct assay_span s)
{
    for (uint32_t i = 0; i < blobs.count; i++)
        if (starts(s, model->blobs[blobs.first + i]))
            return true;
    return false;
}

static struct assay_byteset first_bytes(const struct assay_model *model, struct assay_range blobs)
{
    struct assay_byteset set = {{0}};
    for (uint32_t i = 0; i < blobs.count; i++) {
        uint8_t first = model->blobs[blobs.first + i].p[0];
        set.bits[first >> 6] |= (uint64_t)1 << (first & 63);
    }
    return set;
}

uint32_t assay_delim_before(const struct assay_model *model, uint16_t delims, struct assay_span s)
{
    struct assay_range blobs = model->delims[delims].blobs;
    struct assay_byteset firsts = first_bytes(model, blobs);
    for (uint32_t at = 0; at < s.n; at++)
        if (assay_set_has(&firsts, s.p[at]) && any_starts(model, blobs, behind(s, at)))
            return at;
    return s.n;
}

/* Where a text first occurs; s.n: nowhere. */
static uint32_t find(struct assay_span s, struct assay_blob text)
{
    for (uint32_t at = 0; text.n && at < s.n; at++) {
        const uint8_t *hit = memchr(s.p + at, text.p[0], s.n - at);
        if (!hit)
            return s.n;
        at = (uint32_t)(hit - s.p);
        if (starts(behind(s, at), text))
            return at;
    }
    return text.n ? s.n : 0;
}

/* What is to come may still decide. */
static enum assay_read wait(struct assay_reader *r, uint32_t more)
{
    r->need = (uint64_t)r->n + more;
    r->open = true;
    return ASSAY_READ_SHORT;
}

static enum assay_read begins(struct assay_blob text, struct assay_reader *r, struct assay_span s, assay_val *v)
{
    uint32_t n = s.n < text.n ? s.n : text.n;
    *v = starts(s, text);
    bool still_may = r->cut_off && s.n < text.n && (n == 0 || memcmp(s.p, text.p, n) == 0);
    return still_may ? wait(r, text.n - n) : ASSAY_READ;
}

static enum assay_read holds(const struct assay_model *model, const struct assay_ahead *ahead, struct assay_reader *r,
                             struct assay_span s, assay_val *v)
{
    uint32_t limit = ahead->before == ASSAY_NONE ? s.n : assay_delim_before(model, ahead->before, s);
    *v = find(s, ahead->text) < limit;
    return r->cut_off && !*v && limit == s.n ? wait(r, 1) : ASSAY_READ;
}

enum assay_read assay_read_ahead(struct assay_env *env, const struct assay_field *f, struct assay_reader *r,
                                 assay_val *v)
{
    const struct assay_ahead *ahead = &env->model->aheads[f->element];
    struct assay_span s = {r->p + r->pos, r->n - r->pos};
    if (r->bit)
        return ASSAY_READ_LOST;
    switch ((enum assay_ahead_kind)ahead->kind) {
    case ASSAY_AHEAD_BEGINS:
        return begins(ahead->text, r, s, v);
    case ASSAY_AHEAD_HOLDS:
        return holds(env->model, ahead, r, s, v);
    case ASSAY_AHEAD_LEFT:
        break;
    }
    *v = s.n > 0;
    return r->cut_off && s.n == 0 ? wait(r, 1) : ASSAY_READ;
}
