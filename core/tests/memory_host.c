#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/tests/memory_host.h"

static void append(struct host_bytes *to, const void *p, uint32_t n)
{
    assert(n <= HOST_PIPE_MAX - to->n);
    if (n)
        memcpy(to->p + to->n, p, n);
    to->n += n;
}

static void consume(struct host_bytes *from, uint32_t n)
{
    memmove(from->p, from->p + n, from->n - n);
    from->n -= n;
}

/* Each write, sync and send is a point at which the power may go. */
static bool alive(struct host *h)
{
    if (!h->crashed && ++h->points == h->crash_at)
        h->crashed = true;
    return !h->crashed;
}

void host_init(struct host *h, struct assay_config config)
{
    memset(h, 0, sizeof *h);
    if (config.limits.sessions == 0)
        config.limits = config.model->limits;
    size_t size = assay_engine_size(&config);
    h->block = malloc(size);
    assert(h->block);
    memset(h->block, 0xa5, size); /* nothing may depend on zeroed memory */
    h->engine = assay_engine_init(h->block, size, &config);
    assert(h->engine);
    h->out = (struct assay_out){h->out_bytes, sizeof h->out_bytes, 0, h->cuts, 16, 0};
}

void host_free(struct host *h)
{
    free(h->block);
}

static void write_effect(struct host *h, const struct assay_event *event)
{
    if (!event->effect.token) {
        h->notices++;
        return;
    }
    assert(h->tokens_n < HOST_TOKENS_MAX);
    bool fails = ++h->effects == h->fail_at;
    if (!fails && alive(h))
        append(&h->cached, event->spans[0].p, event->spans[0].n);
    h->fails[h->tokens_n] = fails;
    h->tokens[h->tokens_n++] = event->effect.token;
}

static void take_events(struct host *h)
{
    struct assay_event event;
    while (assay_next_event(h->engine, &event)) {
        switch (event.type) {
        case ASSAY_EVENT_EFFECT:
            write_effect(h, &event);
            break;
        case ASSAY_EVENT_RESULT:
            h->result = event;
            h->results++;
            break;
        case ASSAY_EVENT_STEP:
            h->steps++;
            break;
        case ASSAY_EVENT_SENT:
            break;
        case ASSAY_EVENT_ENDED:
            h->ended = true;
            h->end = event;
            break;
        case ASSAY_EVENT_STRAY:
            h->strays++;
            break;
        }
    }
}

/* What no gate holds back leaves. */
static void flush(struct host *h)
{
    uint32_t n = h->out.cuts_len ? h->out.cuts[0].at : h->out.len;
    if (n == 0 || !alive(h))
        return;
    append(&h->sent, h->out.bytes, n);
    memmove(h->out.bytes, h->out.bytes + n, h->out.len - n);
    h->out.len -= n;
    for (uint16_t i = 0; i < h->out.cuts_len; i++)
        h->out.cuts[i].at -= n;
}

static enum assay_rc settle(struct host *h, enum assay_rc rc)
{
    take_events(h);
    flush(h);
    return rc;
}

void host_open(struct host *h)
{
    assert(assay_open(h->engine, h->now, &h->sid, &h->out) == ASSAY_OK);
    settle(h, ASSAY_OK);
}

static enum assay_rc present(struct host *h)
{
    uint32_t used = 0;
    struct assay_span in = {h->in.p, h->in.n};
    enum assay_rc rc = assay_feed(h->engine, h->sid, h->now, in, &used, &h->out);
    settle(h, rc); /* before the bytes move: events point into them */
    consume(&h->in, used);
    return rc;
}

static enum assay_rc once(struct host *h)
{
    if (h->in.n || !h->eof) {
        enum assay_rc rc = present(h);
        if (rc != ASSAY_MORE && rc != ASSAY_OK)
            return rc;
        if (!h->eof)
            return rc;
    }
    if (h->ended)
        return ASSAY_ENDED;
    return settle(
        h, assay_signal(h->engine, h->sid, h->now, ASSAY_EV_EOF, (struct assay_span){h->in.p, h->in.n}, &h->out));
}

enum assay_rc host_pump(struct host *h)
{
    enum assay_rc rc;
    for (int turns = 0;; turns++) {
        assert(turns < 10000);
        if (h->ended || h->crashed)
            return ASSAY_ENDED;
        rc = once(h);
        bool again = rc == ASSAY_TAKE || rc == ASSAY_FULL;
        if (!h->hold && h->tokens_n) {
            host_sync(h);
            again = true;
        }
        if (!again)
            return rc;
    }
}

enum assay_rc host_feed(struct host *h, const void *p, uint32_t n)
{
    append(&h->in, p, n);
    return host_pump(h);
}

void host_eof(struct host *h)
{
    h->eof = true;
    host_pump(h);
}

void host_sync(struct host *h)
{
    uint32_t n = h->tokens_n;
    assay_token tokens[HOST_TOKENS_MAX];
    bool fails[HOST_TOKENS_MAX];
    if (!alive(h))
        return;
    append(&h->disk, h->cached.p, h->cached.n);
    h->cached.n = 0;
    memcpy(tokens, h->tokens, sizeof tokens);
    memcpy(fails, h->fails, sizeof fails);
    h->tokens_n = 0;
    for (uint32_t i = 0; i < n && !h->crashed; i++)
        settle(h, assay_complete(h->engine, tokens[i], h->now, !fails[i], &h->out));
}

enum assay_rc host_call(struct host *h, uint16_t call, const struct assay_span *spans, assay_time deadline)
{
    return settle(h, assay_call(h->engine, h->sid, h->now, call, NULL, spans, deadline, &h->out));
}

void host_advance(struct host *h, assay_time ns)
{
    assay_sid sid;
    h->now += ns;
    for (int turns = 0; assay_due(h->engine, h->now, &sid); turns++) {
        assert(turns < 100);
        settle(h, assay_tick(h->engine, sid, h->now, &h->out));
    }
}
