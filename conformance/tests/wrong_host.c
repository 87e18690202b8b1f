#include "conformance/tests/wrong_host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/engine.h"
#include "net/loop.h"
#include "net/socket.h"

#define IN_CAP       (256u * 1024)
#define OUT_CAP      (256u * 1024)
#define LATE_BY      (50 * ASSAY_MS)
#define HANG_UP_TIME (50 * ASSAY_MS) /* until it looks at its input: the end behind it has come by then */
#define PARTIAL_MOST 8

const char *const wrong_host_words[] = {
#define X(name, word, text) [WRONG_##name] = word,
    WRONG_HOST_FAULTS(X)
#undef X
};

struct host {
    const struct assay_model *model;
    enum wrong_host_fault fault;
    struct assay_loop *loop;
    struct assay_engine *engine;
    struct assay_watch listener;
    assay_sid shared;     /* SHARED: the session of all */
    struct conn *serving; /* STALL: the only one */
    unsigned conns;
    int data;
};

struct conn {
    struct assay_watch watch;
    struct assay_alarm alarm; /* LATE: output is due; HANG_UP: input is looked at */
    struct host *host;
    assay_sid sid;
    bool eof, ended, shut, answered;
    uint32_t in_n, out_n;
    uint8_t in[IN_CAP], out[OUT_CAP];
};

static void close_conn(struct conn *c, bool reset)
{
    struct host *h = c->host;
    assay_loop_watch(h->loop, &c->watch, 0);
    assay_loop_cancel(h->loop, &c->alarm);
    if (!c->ended && h->fault != WRONG_SHARED)
        assay_drop(h->engine, c->sid);
    if (reset)
        assay_reset(c->watch.fd);
    else
        close(c->watch.fd);
    if (h->serving == c) {
        h->serving = NULL;
        assay_loop_watch(h->loop, &h->listener, ASSAY_READ);
    }
    if (--h->conns == 0)
        h->shared = 0;
    free(c);
}

/* ---- effects ----------------------------------------------------------- */

static void append(const struct host *h, const struct assay_event *event)
{
    int times = h->fault == WRONG_FORGET ? 0 : h->fault == WRONG_TWICE ? 2 : 1;
    const char *verb = h->model->effects[event->effect.effect].verb;
    bool appends = verb && strcmp(verb, "append") == 0 && h->data >= 0;
    for (int t = 0; t < times && appends; t++)
        for (uint16_t i = 0; i < event->count; i++)
            if (write(h->data, event->spans[i].p, event->spans[i].n) != (ssize_t)event->spans[i].n)
                abort();
}

/* Take all events. True: an effect was completed, so that the input has to be presented again. */
static bool take_events(struct conn *c, struct assay_out *out)
{
    struct host *h = c->host;
    struct assay_event event;
    assay_token token = 0;
    bool completed = false;
    do {
        token = 0;
        while (assay_next_event(h->engine, &event)) {
            if (event.type == ASSAY_EVENT_EFFECT) {
                append(h, &event);
                token = event.effect.token ? event.effect.token : token;
            }
            if (event.type == ASSAY_EVENT_STEP && event.step.event == ASSAY_EV_UNKNOWN && h->fault == WRONG_CRASH) {
                fprintf(stderr, "unknown kind, and no idea what to do\n");
                abort();
            }
            c->ended = c->ended || event.type == ASSAY_EVENT_ENDED;
            if (event.type == ASSAY_EVENT_ENDED)
                h->shared = 0;
        }
        if (token)
            assay_complete(h->engine, token, assay_loop_now(h->loop), true, out);
        completed = completed || token;
    } while (token);
    return completed;
}

/* ---- input ------------------------------------------------------------- */

static void use_up(struct conn *c, uint32_t n)
{
    c->in_n -= n;
    memmove(c->in, c->in + n, c->in_n);
}

/* SHARED: when one connection ended the session, the next input of any begins a new one for all. */
static void share(struct conn *c, struct assay_out *out)
{
    struct host *h = c->host;
    if (!h->shared)
        assay_open(h->engine, assay_loop_now(h->loop), &h->shared, out);
    c->sid = h->shared;
}

static enum assay_rc feed(struct conn *c, struct assay_out *out)
{
    struct host *h = c->host;
    enum assay_rc rc;
    if (h->fault == WRONG_SHARED)
        share(c, out);
    do {
        uint32_t used = 0;
        rc = assay_feed(h->engine, c->sid, assay_loop_now(h->loop), (struct assay_span){c->in, c->in_n}, &used, out);
        use_up(c, used);
    } while ((take_events(c, out) || rc == ASSAY_TAKE) && !c->ended && rc != ASSAY_FULL);
    return rc;
}

static void signal_eof(struct conn *c, struct assay_out *out)
{
    struct host *h = c->host;
    enum assay_rc rc;
    if (h->fault == WRONG_SHARED)
        share(c, out);
    do {
        rc = assay_signal(h->engine, c->sid, assay_loop_now(h->loop), ASSAY_EV_EOF, (struct assay_span){c->in, c->in_n},
                          out);
    } while ((take_events(c, out) || rc == ASSAY_TAKE) && !c->ended);
}

/* Handle what was read. False: the connection is gone. */
static bool handle(struct conn *c)
{
    struct host *h = c->host;
    struct assay_out out = {.bytes = c->out, .cap = OUT_CAP, .len = c->out_n};
    uint32_t before = out.len;
    enum assay_rc rc = c->ended || c->in_n == 0 ? ASSAY_OK : feed(c, &out);
    if (h->fault == WRONG_SPLIT && rc == ASSAY_MORE && !c->eof) {
        close_conn(c, false);
        return false;
    }
    if (c->eof && !c->ended && rc != ASSAY_FULL)
        signal_eof(c, &out);
    if (c->ended && h->fault != WRONG_UNREAD)
        c->in_n = 0;
    if (h->fault == WRONG_PARTIAL && out.len - before > PARTIAL_MOST)
        out.len = before + PARTIAL_MOST;
    c->answered = c->answered || out.len > before;
    c->out_n = h->fault == WRONG_SILENT ? 0 : out.len;
    return true;
}

/* ---- output ------------------------------------------------------------ */

/* False: the connection is gone. */
static bool finish(struct conn *c)
{
    enum wrong_host_fault fault = c->host->fault;
    if (fault == WRONG_EARLY && c->answered && !c->ended) {
        close_conn(c, false);
        return false;
    }
    if (!c->ended || fault == WRONG_OPEN || fault == WRONG_SILENT)
        return true;
    if (fault == WRONG_RESET || (fault == WRONG_UNREAD && !c->eof)) {
        close_conn(c, fault == WRONG_RESET);
        return false;
    }
    if (!c->shut)
        assay_shut(c->watch.fd);
    c->shut = true;
    if (!c->eof)
        return true;
    close_conn(c, false);
    return false;
}

static void flush(struct conn *c)
{
    while (c->out_n) {
        ssize_t n = assay_send(c->watch.fd, c->out, c->out_n);
        if (n == ASSAY_IO_AGAIN)
            break;
        uint32_t sent = n > 0 ? (uint32_t)n : c->out_n;
        c->out_n -= sent;
        memmove(c->out, c->out + sent, c->out_n);
    }
    if (c->out_n == 0 && !finish(c))
        return;
    unsigned reads = c->eof || c->in_n == IN_CAP ? 0 : ASSAY_READ;
    assay_loop_watch(c->host->loop, &c->watch, reads | (c->out_n ? ASSAY_WRITE : 0u));
}

static void act(struct conn *c)
{
    if (!handle(c))
        return;
    if (c->host->fault == WRONG_LATE && c->out_n) {
        if (c->alarm.place == 0)
            assay_loop_alarm(c->host->loop, &c->alarm, assay_loop_now(c->host->loop) + LATE_BY);
        assay_loop_watch(c->host->loop, &c->watch, 0);
        return;
    }
    flush(c);
}

static void fire(struct assay_loop *loop, struct assay_alarm *alarm)
{
    struct conn *c = (struct conn *)(void *)((char *)alarm - offsetof(struct conn, alarm));
    (void)loop;
    if (c->host->fault == WRONG_HANG_UP)
        act(c);
    else
        flush(c);
}

static void ready(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct conn *c = (struct conn *)(void *)watch;
    ssize_t n = ASSAY_IO_AGAIN;
    if (events & (ASSAY_READ | ASSAY_GONE) && c->in_n < IN_CAP && !(c->ended && c->host->fault == WRONG_UNREAD))
        n = assay_receive(c->watch.fd, c->in + c->in_n, c->host->fault == WRONG_UNREAD ? 8 : IN_CAP - c->in_n);
    if (n == ASSAY_IO_RESET || (n == ASSAY_IO_EOF && c->host->fault == WRONG_HANG_UP)) {
        close_conn(c, false);
        return;
    }
    c->eof = c->eof || n == ASSAY_IO_EOF;
    c->in_n += n > 0 ? (uint32_t)n : 0;
    if (c->host->fault == WRONG_HANG_UP && n > 0)
        assay_loop_alarm(loop, &c->alarm, assay_loop_now(loop) + HANG_UP_TIME);
    else if (n != ASSAY_IO_AGAIN)
        act(c);
    else
        flush(c);
}

static void accept_one(struct assay_loop *loop, struct assay_watch *watch, unsigned events)
{
    struct host *h = assay_loop_owner(loop);
    (void)events;
    int fd = assay_accept(watch->fd);
    struct conn *c = fd < 0 ? NULL : calloc(1, sizeof *c);
    if (!c)
        return;
    struct assay_out out = {.bytes = c->out, .cap = OUT_CAP};
    c->host = h;
    c->watch = (struct assay_watch){.ready = ready, .fd = fd};
    c->alarm.fire = fire;
    h->conns++;
    if (h->fault == WRONG_SHARED)
        share(c, &out);
    else
        assay_open(h->engine, assay_loop_now(loop), &c->sid, &out);
    take_events(c, &out);
    c->out_n = out.len;
    if (h->fault == WRONG_STALL) {
        h->serving = c;
        assay_loop_watch(loop, &h->listener, 0);
    }
    flush(c);
}

int wrong_host_serve(const struct assay_model *model, enum wrong_host_fault fault, const char *listen, const char *data)
{
    struct assay_address at[ASSAY_ADDRESSES_MAX];
    struct assay_net_error error;
    char text[ASSAY_ADDRESS_TEXT_MAX];
    struct host h = {.model = model, .fault = fault, .data = -1};
    struct assay_config config = {.model = model,
                                  .machine = model->server,
                                  .limits = model->limits,
                                  .leniencies = assay_leniencies_default(model),
                                  .secret = {1, 1},
                                  .trace = true};
    config.limits.sessions = 1024;
    size_t size = assay_engine_size(&config);
    void *block = malloc(size);
    h.engine = block ? assay_engine_init(block, size, &config) : NULL;
    h.loop = assay_loop_new(&h);
    if (data)
        h.data = open(data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (!h.engine || !h.loop || assay_address_resolve(listen, ASSAY_ADDRESS_LISTEN, at, &error) == 0)
        return 1;
    h.listener = (struct assay_watch){.ready = accept_one, .fd = assay_listen(&at[0], &error)};
    if (h.listener.fd < 0 || !assay_address_of(h.listener.fd, &at[0]))
        return 1;
    assay_address_format(&at[0], text);
    printf("listening on tcp:%s\n", text);
    fflush(stdout);
    assay_loop_watch(h.loop, &h.listener, ASSAY_READ);
    assay_loop_run(h.loop);
    return 0;
}
