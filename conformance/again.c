#include "conformance/again.h"
#include "core/code.h"

/* b times percent/100, as far as there is room. */
static int64_t grow(int64_t pause, uint16_t percent)
{
    int64_t product;
    if (__builtin_mul_overflow(pause, (int64_t)percent, &product))
        return ASSAY_NEVER / 4;
    return product / 100;
}

static int64_t later(int64_t t, int64_t by)
{
    int64_t sum;
    return __builtin_add_overflow(t, by, &sum) ? ASSAY_NEVER - 1 : sum;
}

bool assay_tries_pause(const struct assay_tries *tries, int64_t *pause)
{
    const struct assay_reconnect *r = tries->reconnect;
    assay_val v;
    assay_lens_clear(tries->lens);
    if (!assay_eval(&tries->lens->env, r->pause, &v))
        return false;
    *pause = (int64_t)v;
    for (uint32_t i = 0; i < tries->grown && r->growth != 100; i++) {
        *pause = grow(*pause, r->growth);
        if ((r->cap > 0 && *pause >= r->cap) || *pause >= ASSAY_NEVER / 4)
            break;
    }
    if (r->cap > 0 && *pause > r->cap)
        *pause = r->cap;
    return true;
}

bool assay_tries_next(struct assay_tries *tries, int64_t *earliest, int64_t *latest)
{
    const struct assay_reconnect *r = tries->reconnect;
    int64_t pause;
    if ((r->most && tries->refused >= r->most) || !assay_tries_pause(tries, &pause))
        return false;
    *earliest = tries->lo = later(tries->lo, pause - (r->early < pause ? r->early : pause));
    *latest = tries->hi = later(tries->hi, later(pause, r->late));
    tries->grown++;
    tries->refused++;
    return true;
}
