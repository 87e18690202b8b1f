/* A client whose datagrams get lost, against an engine with the server's machine, in memory and virtual time: each
 * datagram of a scenario in turn is dropped, doubled, made late, corrupted, refused, or the server is killed there and
 * comes back; then every two of these at any two places nearby. An effect that fails is done when it comes again.
 * Whatever happens calls end well, each line is stored once, and shown once and in order.
 *
 * usage: lossy: prints how many runs there were. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/engine.h"
#include "libclient/client.h"
#include "pubsub.h"

/* ---- faults -------------------------------------------------------------- */

enum fault { NONE, DROP, TWICE, LATE, CORRUPT, REFUSE, KILL, AGAIN, FAIL_SHOW, FAULTS };
static const char *const names[FAULTS] = {"none",   "drop", "twice", "late",     "corrupt",
                                          "refuse", "kill", "again", "fail-show"};

struct fault_at {
    enum fault what;
    unsigned at; /* datagram, in either direction; FAIL_SHOW: effect */
};

/* ---- the world ----------------------------------------------------------- */

#define FD            7000
#define QUEUE         512
#define ROWS          256
#define DOWN          (600 * ASSAY_MS)
#define LATE_BY       (90 * ASSAY_MS)
#define ON_WAY        (1 * ASSAY_MS)
#define LIMIT         (600 * ASSAY_MS * 1000)
#define BYTES_MAX     1300
#define LINES         90 /* more than a window holds */
#define TEXT_MAX      1000
#define KEY           "127.0.0.1:1"
#define MACHINE_OF(m) ((m)->transports[0].server)

struct datagram {
    int64_t due;
    size_t size;
    bool up;
    uint8_t bytes[BYTES_MAX];
};

/* A row of the log, or of the table, as it lies on the disk. */
struct row {
    uint8_t bytes[3][BYTES_MAX];
    uint32_t sizes[3];
};

struct world {
    struct fault_at plan[2];
    int64_t now, down_until;
    unsigned datagrams, effects, queued, rounds;
    bool refused, again;
    struct datagram queue[QUEUE];
    struct row rows[ROWS], users[4];
    unsigned rows_count, users_count;
    void *block;
    size_t size;
    struct assay_engine *server;
    struct assay_config config;
    assay_sid sid;
    char shown[LINES * 2][TEXT_MAX];
    unsigned shown_count;
};

static struct world *world;

static void fail(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s at %u, %s at %u: ", names[world->plan[0].what], world->plan[0].at, names[world->plan[1].what],
            world->plan[1].at);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static bool planned(const struct world *w, enum fault what, unsigned at)
{
    return (w->plan[0].what == what && w->plan[0].at == at) || (w->plan[1].what == what && w->plan[1].at == at);
}

/* ---- the network ------------------------------------------------------------ */

static void server_starts(struct world *w);

static void enqueue(struct world *w, const uint8_t *bytes, size_t size, bool up, int64_t due)
{
    struct datagram *d = &w->queue[w->queued++];
    if (w->queued == QUEUE || size > BYTES_MAX)
        fail("too much is on its way");
    *d = (struct datagram){.due = due, .size = size, .up = up};
    memcpy(d->bytes, bytes, size);
}

static void transmit(struct world *w, const uint8_t *bytes, size_t size, bool up)
{
    unsigned n = w->datagrams++;
    int64_t due = w->now + ON_WAY + (planned(w, LATE, n) ? LATE_BY : 0);
    if (planned(w, KILL, n)) {
        w->down_until = w->now + DOWN;
        w->sid = 0;
    }
    w->again = w->again || planned(w, AGAIN, n);
    w->refused = w->refused || planned(w, REFUSE, n);
    if (planned(w, DROP, n) || (planned(w, REFUSE, n) && up))
        return;
    enqueue(w, bytes, size, up, due);
    if (planned(w, CORRUPT, n))
        w->queue[w->queued - 1].bytes[n % size] ^= 0x40;
    if (planned(w, TWICE, n))
        enqueue(w, bytes, size, up, due + LATE_BY);
}

/* ---- the server ------------------------------------------------------------ */

static void send_all(struct world *w, struct assay_out *out)
{
    for (uint16_t i = 0; i < out->cuts_len; i++) {
        uint32_t end = i + 1 < out->cuts_len ? out->cuts[i + 1].at : out->len;
        transmit(w, out->bytes + out->cuts[i].at, end - out->cuts[i].at, false);
    }
    out->len = 0;
    out->cuts_len = 0;
}

static void keep(struct row *row, const struct assay_event *event)
{
    for (uint16_t i = 0; i < event->count; i++) {
        memcpy(row->bytes[i], event->spans[i].p, event->spans[i].n);
        row->sizes[i] = event->spans[i].n;
    }
}

static bool same(const struct row *a, const struct row *b, int column)
{
    return a->sizes[column] == b->sizes[column] && memcmp(a->bytes[column], b->bytes[column], a->sizes[column]) == 0;
}

/* One user's id stands for one line. */
static void append(struct world *w, const struct assay_event *event)
{
    struct row *row = &w->rows[w->rows_count];
    if (w->rows_count + 1 == ROWS)
        fail("too many rows");
    keep(row, event);
    for (unsigned i = 0; i < w->rows_count; i++)
        if (same(row, &w->rows[i], 0) && same(row, &w->rows[i], 1))
            return;
    w->rows_count++;
}

static void take_effect(struct world *w, const struct assay_event *event, struct assay_out *out)
{
    const struct assay_effect *effect = &w->config.model->effects[event->effect.effect];
    assay_token token = event->effect.token;
    if (effect->log != ASSAY_NONE)
        append(w, event);
    else if (effect->table != ASSAY_NONE)
        keep(&w->users[w->users_count++], event);
    else
        fail("the server orders %s", effect->name);
    (void)assay_complete(w->server, token, w->now, true, out);
    if (effect->log != ASSAY_NONE)
        assay_log_grew(w->server, effect->log, w->rows_count);
}

static void take_server_events(struct world *w, struct assay_out *out)
{
    struct assay_event event;
    while (assay_next_event(w->server, &event)) {
        if (event.type == ASSAY_EVENT_ENDED)
            w->sid = 0;
        if (event.type == ASSAY_EVENT_EFFECT)
            take_effect(w, &event, out);
    }
}

static void feed_rows(struct world *w, struct assay_out *out)
{
    struct assay_hunger h;
    while (assay_hungry(w->server, &h))
        for (uint32_t i = 0; i < h.most; i++) {
            const struct row *row = &w->rows[h.from + i];
            assay_val values[3] = {0};
            struct assay_span spans[3];
            for (int k = 0; k < 3; k++)
                spans[k] = (struct assay_span){row->bytes[k], row->sizes[k]};
            if (assay_row(w->server, h.sid, w->now, h.log, h.from + i, values, spans, out) != ASSAY_OK)
                break;
            take_server_events(w, out);
            send_all(w, out);
        }
}

/* Do something with the server: feed it a datagram, or let the time pass. */
static void serve(struct world *w, const struct datagram *d)
{
    static uint8_t bytes[1 << 16];
    struct assay_cut cuts[256];
    struct assay_out out = {.bytes = bytes, .cap = sizeof bytes, .cuts = cuts, .cuts_cap = 256};
    enum assay_rc rc = d ? ASSAY_FULL : ASSAY_OK;
    for (int tries = 0; rc != ASSAY_OK && rc != ASSAY_ENDED; tries++) {
        uint32_t used = 0;
        struct assay_span in = {d->bytes, (uint32_t)d->size}, peer = {(const uint8_t *)KEY, sizeof KEY - 1};
        rc = w->sid ? assay_feed(w->server, w->sid, w->now, in, &used, &out)
                    : assay_datagram(w->server, w->now, peer, in, &w->sid, &out);
        take_server_events(w, &out);
        send_all(w, &out);
        if (tries > 100)
            fail("the server takes a datagram again and again");
    }
    for (assay_sid due; assay_due(w->server, w->now, &due);) {
        (void)assay_tick(w->server, due, w->now, &out);
        take_server_events(w, &out);
        send_all(w, &out);
    }
    feed_rows(w, &out);
}

static void server_starts(struct world *w)
{
    memset(w->block, 0, w->size);
    w->config.secret[0]++;
    w->server = assay_engine_init(w->block, w->size, &w->config);
    w->sid = 0;
    for (unsigned i = 0; i < w->users_count; i++) {
        assay_val values[2] = {0};
        struct assay_span spans[2];
        for (int k = 0; k < 2; k++)
            spans[k] = (struct assay_span){w->users[i].bytes[k], w->users[i].sizes[k]};
        if (!assay_restore(w->server, 0, values, spans))
            fail("a user has no room");
    }
    assay_log_grew(w->server, 0, w->rows_count);
}

/* ---- the system that the client sees ----------------------------------------- */

static int64_t now(void *user)
{
    return ((struct world *)user)->now;
}

static int dial(void *user, const struct assay_dial *to, struct assay_net_error *error)
{
    (void)user;
    (void)error;
    return to->datagrams ? FD : -1;
}

static int connected(void *user, int fd)
{
    struct world *w = user;
    (void)fd;
    return w->refused ? ECONNREFUSED : 0;
}

static struct datagram *first_due(struct world *w, bool up)
{
    struct datagram *first = NULL;
    for (unsigned i = 0; i < w->queued; i++)
        if (w->queue[i].up == up && w->queue[i].due <= w->now && (!first || w->queue[i].due < first->due))
            first = &w->queue[i];
    return first;
}

static void take_out(struct world *w, const struct datagram *d)
{
    size_t i = (size_t)(d - w->queue);
    memmove(&w->queue[i], &w->queue[i + 1], (--w->queued - i) * sizeof *d);
}

static ssize_t receive(void *user, int fd, void *bytes, size_t size, bool datagrams, struct assay_path *path)
{
    struct world *w = user;
    (void)fd;
    (void)datagrams;
    (void)path;
    if (w->refused) {
        w->refused = false;
        return ASSAY_IO_REFUSED;
    }
    struct datagram *d = first_due(w, false);
    if (!d)
        return ASSAY_IO_AGAIN;
    size_t n = d->size < size ? d->size : size;
    memcpy(bytes, d->bytes, n);
    take_out(w, d);
    return (ssize_t)n;
}

static ssize_t send_some(void *user, int fd, const void *bytes, size_t size, bool datagrams,
                         const struct assay_path *path)
{
    struct world *w = user;
    (void)fd;
    (void)datagrams;
    (void)path;
    if (w->refused || w->again) {
        bool refused = w->refused;
        w->refused = w->again = false;
        return refused ? (ssize_t)ASSAY_IO_REFUSED : (ssize_t)ASSAY_IO_AGAIN;
    }
    transmit(w, bytes, size, true);
    return (ssize_t)size;
}

static void ignore(void *user, int fd)
{
    (void)user;
    (void)fd;
}

/* What arrives at the server by now; where there is none, the news of that. */
static void let_arrive(struct world *w)
{
    bool down = w->down_until > w->now;
    if (!down && w->down_until) {
        w->down_until = 0;
        server_starts(w);
    }
    for (struct datagram *d; (d = first_due(w, true));) {
        struct datagram taken = *d;
        take_out(w, d);
        w->refused = w->refused || down;
        if (!down)
            serve(w, &taken);
    }
    if (!down)
        serve(w, NULL);
}

static int64_t next_time(const struct world *w)
{
    int64_t next = w->down_until ? w->down_until : assay_deadline(w->server);
    for (unsigned i = 0; i < w->queued; i++)
        next = w->queue[i].due < next ? w->queue[i].due : next;
    return next;
}

static int wait_for(void *user, struct pollfd *fds, unsigned count, int ms)
{
    struct world *w = user;
    int64_t until = ms < 0 ? INT64_MAX : w->now + ms * ASSAY_MS;
    if (++w->rounds > 100000 || w->now > LIMIT)
        fail("it waits without end");
    for (;;) {
        let_arrive(w);
        bool there = first_due(w, false) || w->refused;
        int found = 0;
        for (unsigned i = 0; i < count; i++) {
            short what = (short)((there ? POLLIN : 0) | POLLOUT);
            fds[i].revents = fds[i].fd == FD ? (short)(fds[i].events & what) : 0;
            found += fds[i].revents != 0;
        }
        if (found || w->now >= until)
            return found;
        int64_t next = next_time(w);
        if (next > until)
            next = until;
        if (next == INT64_MAX)
            fail("it hangs: nothing can end this wait");
        w->now = next > w->now ? next : w->now + ASSAY_MS;
    }
}

static const struct assay_client_io memory = {
    .now = now,
    .dial = dial,
    .connected = connected,
    .receive = receive,
    .send = send_some,
    .shut = ignore,
    .close = ignore,
    .reset = ignore,
    .wait = wait_for,
};

/* ---- the application ------------------------------------------------------------ */

static bool show(void *user, const struct assay_client_event *event)
{
    struct world *w = user;
    struct pubsub_show_effect entry;
    if (planned(w, FAIL_SHOW, w->effects++))
        return false;
    pubsub_show_effect(event, &entry);
    if (w->shown_count == LINES * 2 || entry.number != w->shown_count)
        fail("entry %lld is shown behind %u", (long long)entry.number, w->shown_count);
    snprintf(w->shown[w->shown_count++], TEXT_MAX, "%.*s", (int)entry.text_size, entry.text);
    return true;
}

static void good(struct assay_client *c, int status, const char *what)
{
    if (status != ASSAY_CLIENT_OK)
        fail("%s: %s: %s", what, assay_client_status_name(c, status), assay_client_message(c));
}

static void call(struct assay_client *c, int index, const char *text)
{
    struct assay_value args[] = {assay_blob_value(text, text ? strlen(text) : 0)};
    good(c, assay_client_call(c, index, args, NULL), c->model.calls[index].name);
}

/* Where there are many they are long: what waits needs its memory. */
static void line_text(char text[TEXT_MAX], unsigned i, unsigned lines)
{
    int n = snprintf(text, TEXT_MAX, "line %u", i);
    if (lines == LINES) {
        memset(text + n, 'x', TEXT_MAX - 1 - (size_t)n);
        text[TEXT_MAX - 1] = '\0';
    }
}

/* The form that does not wait: the text is the caller's again at once, and an effect is done a round later. */
static void post_without_waiting(struct world *w, struct assay_client *c, char *text)
{
    struct assay_value args[] = {assay_blob_value(text, strlen(text))};
    struct assay_client_event event;
    uint32_t owed = 0;
    bool done = false, shown = false;
    good(c, assay_client_start(c, PUBSUB_CALL_POST, args), "post");
    memset(text, '?', strlen(text));
    while (!done || owed) {
        struct pollfd fds[ASSAY_CLIENT_FDS];
        (void)wait_for(w, fds, assay_client_fds(c, fds), owed ? 0 : assay_client_wait_ms(c));
        if (owed)
            assay_client_complete(c, owed, shown);
        owed = 0;
        assay_client_process(c);
        while (assay_client_next(c, &event)) {
            done = done || event.kind == ASSAY_CLIENT_RESULT;
            if (event.kind == ASSAY_CLIENT_RESULT)
                good(c, event.status, "post");
            if (event.kind == ASSAY_CLIENT_ENDED)
                fail("the session ended: %s", assay_client_message(c));
            owed = event.kind == ASSAY_CLIENT_EFFECT ? event.token : owed;
            shown = event.kind == ASSAY_CLIENT_EFFECT ? show(w, &event) : shown;
        }
    }
}

static void scenario(struct world *w, struct assay_client *c, unsigned lines)
{
    struct assay_value args[] = {assay_blob_value("ann", 3),
                                 assay_blob_value("0123456789abcdef", 16),
                                 assay_number(1),
                                 assay_number(1),
                                 assay_number(64),
                                 assay_number(0)};
    char text[TEXT_MAX];
    good(c, assay_client_connect(c), "connect");
    good(c, assay_client_call(c, PUBSUB_CALL_REGISTER, args, NULL), "register");
    for (unsigned i = 0; i < lines; i++) {
        line_text(text, i, lines);
        if (lines == LINES && i >= LINES / 2)
            post_without_waiting(w, c, text);
        else
            call(c, i == 1 ? PUBSUB_CALL_WRITE : PUBSUB_CALL_POST, text);
    }
    call(c, PUBSUB_CALL_FLUSH, NULL);
    if (assay_client_unacknowledged(c) != 0 || assay_client_given_up(c) != 0)
        fail("all was stored, but %u wait", assay_client_unacknowledged(c));
    w->now += 50 * ASSAY_MS;
    (void)assay_client_run(c, 0); /* what is there is taken without waiting */
    if (first_due(w, false))
        fail("something that came is left lying");
    while (w->shown_count < lines && w->now < LIMIT)
        if (assay_client_run(c, 100) != ASSAY_CLIENT_TIMEOUT)
            fail("the session ended: %s", assay_client_message(c));
    if (strcmp(assay_client_state(c), "Live") != 0 && w->plan[0].what != KILL && w->plan[1].what != KILL)
        fail("it is in state %s", assay_client_state(c));
    int status = assay_client_call(c, PUBSUB_CALL_LEAVE, NULL, NULL);
    if (status != ASSAY_CLIENT_OK && !w->down_until)
        good(c, status, "leave");
}

static void check(const struct world *w, unsigned lines)
{
    char text[TEXT_MAX];
    if (w->rows_count != lines || w->shown_count != lines)
        fail("%u lines were written, %u stored, %u shown", lines, w->rows_count, w->shown_count);
    for (unsigned i = 0; i < lines; i++) {
        line_text(text, i, lines);
        if (strcmp(w->shown[i], text) != 0)
            fail("'%.40s' is shown as line %u", w->shown[i], i);
    }
}

/* One run; how many datagrams there were. */
static unsigned run(struct fault_at first, struct fault_at second, unsigned lines)
{
    static struct world w;
    struct assay_client *c;
    struct assay_client_options options = {.effect = show, .user = &w, .seed = 7};
    struct assay_client_io io = memory;
    void *block = w.block;
    io.user = &w;
    memset(&w, 0, sizeof w);
    world = &w;
    w.plan[0] = first;
    w.plan[1] = second;
    w.now = 1000 * ASSAY_MS;
    w.config = (struct assay_config){.model = &pubsub_model, .machine = MACHINE_OF(&pubsub_model), .secret = {3, 4}};
    w.config.limits = pubsub_model.limits;
    w.config.limits.sessions = 4;
    w.config.limits.memory = 1 << 20;
    w.config.limits.rows = 8;
    w.size = assay_engine_size(&w.config);
    w.block = block ? block : malloc(w.size);
    server_starts(&w);
    if (assay_client_new_over(&io, &pubsub_model, "127.0.0.1:12345", &options, &c) != ASSAY_CLIENT_OK)
        fail("%s", assay_client_problem());
    scenario(&w, c, lines);
    assay_client_close(c);
    check(&w, lines);
    return w.datagrams;
}

int main(void)
{
    const struct fault_at none = {NONE, 0};
    unsigned runs = 0, count = run(none, none, 4);
    for (unsigned i = 0; i < count; i++)
        for (enum fault what = DROP; what < FAULTS; what++, runs++)
            (void)run((struct fault_at){what, i}, none, 4);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = i; k < i + 3; k++)
            for (enum fault what = DROP; what < FAULTS; what++)
                for (enum fault then = DROP; then < FAULTS; then++, runs++)
                    (void)run((struct fault_at){what, i}, (struct fault_at){then, k}, 4);
    count = run(none, none, LINES);
    for (unsigned i = 0; i < count; i += 6)
        for (enum fault what = DROP; what < FAULTS; what++, runs++)
            (void)run((struct fault_at){what, i}, none, LINES);
    printf("%u runs\n", runs);
    return 0;
}
