/* All calls of the bundled protocols over a link in memory, with the system's faults at each place in turn: every byte
 * alone, reads and writes that are cut short, that cannot be done now, waits that are interrupted, connections that
 * break or end at each byte in either direction. Results are right or a clean error; nothing hangs: a wait that nothing
 * can end is a failure.
 *
 * The server is an engine with the server's machine of the same spec; time is virtual. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "libclient/client.h"

extern const struct assay_model candy_model, msglog_model, relay_model, dispatch_model;

/* ---- faults -------------------------------------------------------------- */

enum fault {
    NONE,         /* only small pieces, if `piece` says so */
    AGAIN_AT,     /* read or write number `at` cannot be done now */
    INTERRUPT_AT, /* wait number `at` is interrupted */
    REFUSE_AT,    /* connection number `at` is refused */
    CUT_OUT,      /* the first connection breaks when the client has sent `at` bytes */
    CUT_IN,       /* ... when it has received `at` bytes */
    END_IN,       /* the server ends the first connection then */
    FAULTS,
};
static const char *const fault_names[FAULTS] = {"none", "again", "interrupt", "refuse", "cut-out", "cut-in", "end-in"};

struct plan {
    enum fault fault;
    unsigned at;
    size_t piece; /* longest read and write; 0: any */
};

/* ---- the world ----------------------------------------------------------- */

#define CONNECTIONS 64
#define BUFFER      ((size_t)1 << 18)
#define FD_FIRST    5000

struct pipe {
    uint8_t *bytes;
    size_t from, to;
};

struct connection {
    bool open, refused, datagrams, shut, broken, closed; /* closed: by the server, behind what it sent */
    bool late;                                           /* something was sent to a server that had closed */
    bool told;                                           /* the server knows of the client's end */
    struct pipe out, in;                                 /* of the client */
    size_t sizes[64];                                    /* datagrams: of those in `out` */
    unsigned count;
    struct assay_engine *server;
    assay_sid sid;
};

struct world {
    const struct assay_model *model;
    struct plan plan;
    int64_t now;
    unsigned io, waits, dials, rounds;
    size_t sent, received; /* over the first connection */
    struct connection connections[CONNECTIONS];
    unsigned used;
    char log[BUFFER]; /* what the server was to do */
    size_t log_size;
    const char *last;
    bool breaking; /* what the server does about a connection that broke is its own affair */
};

static struct world *now_running;
static const char *now_doing = "";

static void fail(const char *format, ...)
{
    va_list args;
    const struct plan *p = &now_running->plan;
    fprintf(stderr, "%s: %s, fault %s at %u, pieces of %zu: ", now_running->model->protocol, now_doing,
            fault_names[p->fault], p->at, p->piece);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static void put(struct pipe *pipe, const void *bytes, size_t size)
{
    if (pipe->to + size > BUFFER)
        fail("a pipe overflows");
    if (size)
        memcpy(pipe->bytes + pipe->to, bytes, size);
    pipe->to += size;
}

/* ---- the server ------------------------------------------------------------ */

/* Equal effects that follow each other are one: where a stream is cut is left open. */
static void note_effect(struct world *w, const struct assay_event *event)
{
    const struct assay_effect *effect = &w->model->effects[event->effect.effect];
    char *at = w->log + w->log_size;
    if (effect->name != w->last)
        at += sprintf(at, "\n%s:", effect->name);
    w->last = effect->name;
    for (uint16_t i = 0; i < event->count; i++) {
        if (event->spans[i].n)
            memcpy(at, event->spans[i].p, event->spans[i].n);
        at += event->spans[i].n;
    }
    w->log_size = (size_t)(at - w->log);
}

static void take_events(struct world *w, struct connection *c, struct assay_out *out)
{
    struct assay_event event;
    for (bool more = true; more;) {
        more = false;
        while (assay_next_event(c->server, &event)) {
            if (event.type == ASSAY_EVENT_ENDED)
                c->closed = true;
            if (event.type != ASSAY_EVENT_EFFECT)
                continue;
            if (!w->breaking)
                note_effect(w, &event);
            if (event.effect.token) {
                (void)assay_complete(c->server, event.effect.token, w->now, true, out);
                more = true;
                break;
            }
        }
    }
}

static void feed(struct world *w, struct connection *c, struct assay_out *out)
{
    size_t size = c->datagrams ? (c->count ? c->sizes[0] : 0) : c->out.to - c->out.from;
    bool there = c->datagrams ? c->count > 0 : size > 0;
    for (int tries = 0; there && !c->closed && tries < 1000; tries++) {
        uint32_t used = 0;
        struct assay_span in = {c->out.bytes + c->out.from, (uint32_t)size};
        enum assay_rc rc = assay_feed(c->server, c->sid, w->now, in, &used, out);
        take_events(w, c, out);
        size -= used;
        c->out.from += used;
        if (c->datagrams && rc == ASSAY_OK) {
            c->out.from += size;
            memmove(c->sizes, c->sizes + 1, --c->count * sizeof *c->sizes);
            return;
        }
        if (rc == ASSAY_MORE || rc == ASSAY_ENDED || size == 0)
            return;
    }
}

static void end(struct world *w, struct connection *c, struct assay_out *out)
{
    bool over = c->broken || (c->shut && !c->datagrams);
    if (!over || c->told || c->closed)
        return;
    w->breaking = c->broken;
    for (int tries = 0; tries < 1000 && !c->closed; tries++) {
        struct assay_span rest = {c->out.bytes + c->out.from, (uint32_t)(c->out.to - c->out.from)};
        enum assay_rc rc =
            assay_signal(c->server, c->sid, w->now, c->broken ? ASSAY_EV_RESET : ASSAY_EV_EOF, rest, out);
        take_events(w, c, out);
        if (rc != ASSAY_PENDING && rc != ASSAY_TAKE)
            break;
    }
    w->breaking = false;
    c->told = true;
}

static void tick(struct world *w, struct connection *c, struct assay_out *out)
{
    assay_sid sid;
    while (!c->closed && assay_due(c->server, w->now, &sid)) {
        (void)assay_tick(c->server, sid, w->now, out);
        take_events(w, c, out);
    }
}

static void serve(struct world *w, struct connection *c, bool opening)
{
    static uint8_t bytes[BUFFER];
    struct assay_cut cuts[16];
    struct assay_out out = {.bytes = bytes, .cap = sizeof bytes, .cuts = cuts, .cuts_cap = 16};
    if (c->refused)
        return;
    if (opening) {
        (void)assay_open(c->server, w->now, &c->sid, &out);
        take_events(w, c, &out);
    }
    feed(w, c, &out);
    end(w, c, &out);
    tick(w, c, &out);
    if (!c->broken && !c->datagrams)
        put(&c->in, bytes, out.len);
}

/* ---- the system that the client sees ----------------------------------------- */

static struct connection *at(struct world *w, int fd)
{
    return &w->connections[fd - FD_FIRST];
}

static int64_t now(void *user)
{
    struct world *w = user;
    return w->now += 1000;
}

static uint16_t server_of(const struct assay_model *model, bool datagrams)
{
    for (uint16_t i = 0; i < model->transports_count; i++)
        if ((strcmp(model->transports[i].name, "udp") == 0) == datagrams)
            return model->transports[i].server;
    return model->server;
}

static int dial(void *user, const struct assay_dial *dial, struct assay_net_error *error)
{
    struct world *w = user;
    (void)error;
    if (w->used == CONNECTIONS)
        fail("it connects without end");
    struct connection *c = &w->connections[w->used];
    struct assay_config config = {.model = w->model, .machine = server_of(w->model, dial->datagrams)};
    config.limits = w->model->limits;
    config.limits.sessions = 1;
    config.limits.memory = 1 << 18;
    size_t size = assay_engine_size(&config);
    *c = (struct connection){.open = true, .datagrams = dial->datagrams};
    c->out.bytes = malloc(BUFFER);
    c->in.bytes = malloc(BUFFER);
    c->server = assay_engine_init(malloc(size), size, &config);
    c->refused = w->plan.fault == REFUSE_AT && w->plan.at == w->dials;
    w->used++;
    w->dials++;
    serve(w, c, true);
    return FD_FIRST + (int)w->used - 1;
}

static int connected(void *user, int fd)
{
    struct world *w = user;
    return at(w, fd)->refused ? ECONNREFUSED : at(w, fd)->late ? EPIPE : 0;
}

static bool is_first(const struct world *w, const struct connection *c)
{
    return c == &w->connections[0];
}

/* Break a connection when its time has come. */
static void check_cut(struct world *w, struct connection *c)
{
    if (!is_first(w, c) || c->datagrams)
        return;
    bool out = w->plan.fault == CUT_OUT && w->sent >= w->plan.at;
    bool in = w->plan.fault == CUT_IN && w->received >= w->plan.at;
    if (out || in)
        c->broken = true;
    if (w->plan.fault != END_IN || w->received < w->plan.at || c->closed)
        return;
    if (c->out.to > c->out.from) /* closing with bytes unread is a reset */
        c->broken = true;
    else
        c->closed = true;
}

/* Until where the fault lets bytes pass. */
static size_t limit(const struct world *w, const struct connection *c, size_t size, bool out)
{
    size_t done = out ? w->sent : w->received;
    bool mine = out ? w->plan.fault == CUT_OUT : w->plan.fault == CUT_IN || w->plan.fault == END_IN;
    if (w->plan.piece && size > w->plan.piece && !c->datagrams)
        size = w->plan.piece;
    if (mine && is_first(w, c) && !c->datagrams && size > w->plan.at - done)
        size = w->plan.at - done;
    return size;
}

static bool not_now(struct world *w)
{
    return w->io++ == w->plan.at && w->plan.fault == AGAIN_AT;
}

static ssize_t receive(void *user, int fd, void *bytes, size_t size, bool datagrams, struct assay_path *path)
{
    struct world *w = user;
    struct connection *c = at(w, fd);
    (void)path;
    (void)datagrams;
    check_cut(w, c);
    if (not_now(w))
        return ASSAY_IO_AGAIN;
    if (c->broken)
        return ASSAY_IO_RESET;
    size_t there = c->in.to - c->in.from;
    bool all_there = w->plan.fault != END_IN || !is_first(w, c) || w->received < w->plan.at;
    if (there == 0 || !all_there)
        return c->closed ? (ssize_t)ASSAY_IO_EOF : (ssize_t)ASSAY_IO_AGAIN;
    size = limit(w, c, size < there ? size : there, false);
    memcpy(bytes, c->in.bytes + c->in.from, size);
    c->in.from += size;
    if (is_first(w, c))
        w->received += size;
    return (ssize_t)size;
}

static ssize_t send_some(void *user, int fd, const void *bytes, size_t size, bool datagrams,
                         const struct assay_path *path)
{
    struct world *w = user;
    struct connection *c = at(w, fd);
    (void)path;
    check_cut(w, c);
    if (not_now(w))
        return ASSAY_IO_AGAIN;
    if (c->broken)
        return ASSAY_IO_RESET;
    size = limit(w, c, size, true);
    put(&c->out, bytes, size);
    c->late = c->late || (c->closed && !datagrams);
    if (datagrams)
        c->sizes[c->count++] = size;
    if (is_first(w, c))
        w->sent += size;
    return (ssize_t)size;
}

static void shut(void *user, int fd)
{
    struct connection *c = at(user, fd);
    check_cut(user, c);
    c->shut = true;
}

static void close_it(void *user, int fd)
{
    struct connection *c = at(user, fd);
    if (!c->open)
        fail("a descriptor is closed twice");
    c->open = false;
    c->shut = true;
    serve(user, c, false);
    serve(user, c, false);
}

static void reset(void *user, int fd)
{
    at(user, fd)->broken = true;
    close_it(user, fd);
}

static short ready(struct world *w, const struct pollfd *fd)
{
    struct connection *c = at(w, fd->fd);
    check_cut(w, c);
    serve(w, c, false);
    bool there = c->in.to > c->in.from || c->closed || c->broken;
    return (short)((there ? POLLIN : 0) | POLLOUT) & (short)(fd->events | (c->broken ? POLLERR : 0));
}

static int wait_for(void *user, struct pollfd *fds, unsigned count, int ms)
{
    struct world *w = user;
    int found = 0;
    if (++w->rounds > 200000)
        fail("it waits without end");
    if (w->waits++ == w->plan.at && w->plan.fault == INTERRUPT_AT) {
        errno = EINTR;
        return -1;
    }
    for (unsigned i = 0; i < count; i++) {
        fds[i].revents = fds[i].fd >= FD_FIRST ? ready(w, &fds[i]) : 0;
        found += fds[i].revents != 0;
    }
    if (found || ms == 0)
        return found;
    if (ms < 0)
        fail("it hangs: nothing can end this wait");
    w->now += ms * ASSAY_MS;
    return 0;
}

/* ---- what is done ----------------------------------------------------------- */

enum act { CONNECT, CALL, RUN, DISCONNECT, DONE };

struct step {
    enum act act;
    const char *name;
    struct assay_value args[2];
};

/* What came of a step. */
struct outcome {
    int status;
    struct assay_value result; /* the first one, if it is a number */
    size_t log_size;           /* the server's by then */
};

#define STEPS 12
struct run {
    struct outcome outcomes[STEPS];
    unsigned steps; /* that were done */
    struct world *world;
};

static bool effect(void *user, const struct assay_client_event *event)
{
    (void)user;
    (void)event;
    return true;
}

static int do_step(struct assay_client *c, const struct step *step, struct outcome *to)
{
    struct assay_value results[4] = {{0, NULL, 0}};
    switch (step->act) {
    case CONNECT:
        return assay_client_connect(c);
    case CALL:
        to->status = assay_client_call(c, assay_client_find(c, step->name), step->args, results);
        to->result = assay_number(results[0].number);
        return to->status;
    case RUN:
        return assay_client_run(c, -1);
    case DISCONNECT:
        assay_client_disconnect(c);
        break;
    case DONE:
        break;
    }
    return ASSAY_CLIENT_OK;
}

static void play(const struct assay_model *model, const struct step *steps, struct plan plan, struct run *run)
{
    struct world *w = calloc(1, sizeof *w);
    struct assay_client_io io = {.now = now,
                                 .dial = dial,
                                 .connected = connected,
                                 .receive = receive,
                                 .send = send_some,
                                 .shut = shut,
                                 .close = close_it,
                                 .reset = reset,
                                 .wait = wait_for,
                                 .user = w};
    struct assay_client_options options = {.effect = effect, .seed = 1};
    struct assay_client *c;
    *run = (struct run){.world = w};
    w->model = model;
    w->plan = plan;
    now_running = w;
    if (assay_client_new_over(&io, model, "127.0.0.1:1", &options, &c) != ASSAY_CLIENT_OK)
        fail("no client: %s", assay_client_problem());
    for (; steps[run->steps].act != DONE; run->steps++) {
        struct outcome *o = &run->outcomes[run->steps];
        now_doing = steps[run->steps].name ? steps[run->steps].name : "machine";
        o->status = do_step(c, &steps[run->steps], o);
        o->log_size = steps[run->steps].act == CALL ? w->log_size : 0;
        if (o->status != ASSAY_CLIENT_OK)
            break;
    }
    assay_client_close(c);
    for (unsigned i = 0; i < w->used; i++)
        if (w->connections[i].open)
            fail("connection %u is left open", i);
}

static void clear(struct run *run)
{
    for (unsigned i = 0; i < run->world->used; i++) {
        free(run->world->connections[i].out.bytes);
        free(run->world->connections[i].in.bytes);
        free(run->world->connections[i].server);
    }
    free(run->world);
}

/* ---- what has to come of it ---------------------------------------------------- */

static bool is_clean(int status)
{
    return status == ASSAY_CLIENT_CLOSED || status == ASSAY_CLIENT_UNREACHABLE;
}

/* What is said to be done was done, with the right result; what failed failed cleanly. */
static void compare(const struct run *right, const struct run *run, bool must_succeed)
{
    const struct world *w = run->world, *r = right->world;
    for (unsigned i = 0; i < run->steps; i++) {
        const struct outcome *o = &run->outcomes[i], *e = &right->outcomes[i];
        if (o->result.number != e->result.number)
            fail("step %u: a wrong result: %lld, not %lld", i, (long long)o->result.number,
                 (long long)e->result.number);
        if (o->log_size < e->log_size)
            fail("step %u: told as done before the server did it", i);
    }
    if (run->steps < right->steps && !is_clean(run->outcomes[run->steps].status))
        fail("step %u: status %d", run->steps, run->outcomes[run->steps].status);
    if (run->steps < right->steps && must_succeed)
        fail("step %u: status %d though nothing was lost", run->steps, run->outcomes[run->steps].status);
    if (w->log_size > r->log_size || memcmp(w->log, r->log, w->log_size) != 0)
        fail("the server did what it was not told: '%.*s', not '%.*s'", (int)w->log_size, w->log, (int)r->log_size,
             r->log);
}

static unsigned runs;

static void with_plan(const struct assay_model *model, const struct step *steps, const struct run *right,
                      struct plan plan, bool must_succeed)
{
    struct run run;
    play(model, steps, plan, &run);
    compare(right, &run, must_succeed);
    clear(&run);
    runs++;
}

/* Every place of every fault. `persistent`: breaks are overcome. */
static void sweep(const struct assay_model *model, const struct step *steps, bool persistent)
{
    static const size_t pieces[] = {0, 1, 3};
    struct run right;
    play(model, steps, (struct plan){0}, &right);
    if (steps[right.steps].act != DONE)
        fail("it fails without a fault: status %d", right.outcomes[right.steps].status);
    for (unsigned p = 0; p < 3; p++) {
        struct run small;
        play(model, steps, (struct plan){.piece = pieces[p]}, &small);
        compare(&right, &small, true);
        const struct world *w = small.world;
        unsigned counts[FAULTS] = {
            1, w->io, w->waits, w->dials, (unsigned)w->sent + 1, (unsigned)w->received + 1, (unsigned)w->received + 1};
        for (enum fault f = AGAIN_AT; f < FAULTS; f++)
            for (unsigned k = 0; k < counts[f]; k++)
                with_plan(model, steps, &right, (struct plan){f, k, pieces[p]},
                          f == AGAIN_AT || f == INTERRUPT_AT || persistent);
        clear(&small);
    }
    clear(&right);
}

/* ---- the protocols ------------------------------------------------------------- */

#define TEXT(s)                                                                                                        \
    {                                                                                                                  \
        0, s, sizeof(s) - 1                                                                                            \
    }
#define NUMBER(n)                                                                                                      \
    {                                                                                                                  \
        n, NULL, 0                                                                                                     \
    }

static const struct step candy[] = {{CONNECT, NULL, {{0}}},
                                    {CALL, "fetch_candy", {NUMBER(12), NUMBER(0)}},
                                    {CALL, "fetch_candy", {NUMBER(20), NUMBER(1)}},
                                    {CALL, "fetch_candy", {NUMBER(1073741824), NUMBER(2)}},
                                    {DISCONNECT, NULL, {{0}}},
                                    {DONE, NULL, {{0}}}};
static const struct step msglog[] = {{CONNECT, NULL, {{0}}},
                                     {CALL, "connect", {TEXT("bob"), TEXT("abc")}},
                                     {CALL, "msg", {TEXT("first\r\n\0")}},
                                     {CALL, "msg", {TEXT("second")}},
                                     {CALL, "disconnect", {{0}}},
                                     {DONE, NULL, {{0}}}};
static const struct step say[] = {
    {CALL, "say", {TEXT("two\nlines")}}, {CALL, "say", {TEXT("again")}}, {DONE, NULL, {{0}}}};
static const struct step pass[] = {{CONNECT, NULL, {{0}}},        {CALL, "pass", {TEXT("one, ")}},
                                   {CALL, "pass", {TEXT("two")}}, {CALL, "finish", {{0}}},
                                   {DISCONNECT, NULL, {{0}}},     {DONE, NULL, {{0}}}};
static const struct step post[] = {{CALL, "post", {TEXT("datagram")}}, {CALL, "post", {TEXT("")}}, {DONE, NULL, {{0}}}};
static const struct step asking[] = {{RUN, NULL, {{0}}}, {DONE, NULL, {{0}}}};
static const struct step quit[] = {{CALL, "quit", {{0}}}, {DONE, NULL, {{0}}}};
static const struct step rotate[] = {{CALL, "log_rotate", {TEXT("a;b\n")}}, {DONE, NULL, {{0}}}};

int main(void)
{
    sweep(&candy_model, candy, false);
    sweep(&msglog_model, msglog, false);
    sweep(&relay_model, say, false);
    sweep(&relay_model, pass, false);
    sweep(&relay_model, post, false);
    sweep(&dispatch_model, asking, true);
    sweep(&dispatch_model, quit, false);
    sweep(&dispatch_model, rotate, false);
    printf("%u runs\n", runs);
    return 0;
}
