/* Connecting again, as a machine of the spec says. */
#include "core/code.h"
#include "libclient/client.h"

static const struct assay_reconnect *rules_of(const struct assay_link *l)
{
    return &l->pump.machine->reconnect;
}

/* The first pause, from the params; not below 0. */
static int64_t first_pause(const struct assay_link *l)
{
    assay_val slots[ASSAY_SLOTS_MAX], pause;
    uint8_t scratch[64];
    struct assay_env env = {.model = &l->client->model,
                            .slots = slots,
                            .frame = scratch,
                            .scratch = scratch,
                            .scratch_cap = sizeof scratch};
    if (!assay_eval(&env, rules_of(l)->pause, &pause) || (int64_t)pause < 0)
        return 0;
    return (int64_t)pause;
}

static int64_t grown(int64_t pause, uint16_t percent)
{
    int64_t product;
    if (__builtin_mul_overflow(pause, (int64_t)percent, &product))
        return ASSAY_CLOCK_NEVER / 2;
    return product / 100;
}

static int64_t next_pause(const struct assay_link *l)
{
    const struct assay_reconnect *r = rules_of(l);
    int64_t pause = l->pause == 0 ? first_pause(l) : grown(l->pause, r->growth);
    return r->cap > 0 && pause > r->cap ? r->cap : pause;
}

/* Why the connection is over, where no failure says so. */
static void explain(struct assay_link *l)
{
    struct assay_client *c = l->client;
    const struct assay_event_def *event = l->cause == ASSAY_NONE ? NULL : &c->model.events[l->cause];
    if (event)
        assay_report_link(l, "the connection ended (%s)", event->name);
    if (event && event->kind == ASSAY_EVK_TIMER && l->ended_status == ASSAY_CLIENT_OK)
        l->ended_status = ASSAY_CLIENT_TIMEOUT;
    if (l->ended_status == ASSAY_CLIENT_OK)
        l->ended_status = ASSAY_CLIENT_CLOSED;
}

bool assay_retry_later(struct assay_link *l, int64_t now)
{
    const struct assay_reconnect *r = rules_of(l);
    if (!l->persistent || r->pause == ASSAY_NONE || l->finished)
        return false;
    explain(l);
    l->tries = l->heard ? 0 : l->tries + 1;
    if (r->most > 0 && l->tries >= r->most)
        return false;
    l->pause = l->heard ? 0 : l->pause;
    l->pause = next_pause(l);
    l->state = ASSAY_LINK_PAUSING;
    l->deadline = assay_clock_after(now, l->pause);
    return true;
}
