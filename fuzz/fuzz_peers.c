/* Peers that send datagrams to one engine: sessions that are made, let go and refused, reliable messages in and out of
 * turn, effects that complete late or fail, rows of tables and logs, deadlines. The input is a script (script.h).
 *
 * What must hold: the engine makes progress, all that it sends are messages, all of its memory is accounted for behind
 * each action and free behind the last session, and a copy does what its model does. */
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/account.h"
#include "fuzz/forge.h"
#include "fuzz/script.h"

enum {
    PEERS = 4,
    SESSIONS = 3, /* fewer than peers: one is refused, or gets what is free of state */
    EFFECTS = 5,
    ROWS = 3,
    MEMORY = 1 << 14,
    MEMORY_TIGHT = 1 << 11,
    OUT_SLACK = 4096,
    CUTS = 64,
    ARGS_MAX = 32,
    TICKS_MAX = 4096,
    ACTIONS_MAX = 400,
    TURNS_MAX = 64,
};

struct peer {
    assay_sid sid;
    struct assay_out out;
    struct assay_cut cuts[CUTS];
    uint8_t *bytes;             /* of the output */
    uint8_t waiting[FORGE_MAX]; /* a datagram that is to be presented again */
    uint32_t waiting_n;
    bool waits, stops;
    struct forge_sent sent;
};

struct in_flight {
    assay_token token;
    uint32_t peer;
    bool failing;
};

struct world {
    struct assay_engine *engine;
    assay_time now;
    struct peer peers[PEERS];
    struct in_flight flights[EFFECTS];
    uint32_t flights_n, effects;
    uint64_t rows[8]; /* of the first logs */
    uint64_t said;    /* hash of all that the engine said */
    uint8_t failing;
    bool hold, begun;
};

static struct assay_config config;
static struct world worlds[2];
static void *blocks[2];
static size_t block_size;
static uint32_t out_cap;

static struct assay_config configured(uint8_t flags)
{
    const struct assay_model *model = fuzz_model();
    struct assay_config c = {.model = model,
                             .machine = fuzz_machine(),
                             .limits = model->limits,
                             .secret = {1, 2},
                             .marked = flags & PEERS_MARKED,
                             .gates = flags & PEERS_GATES,
                             .chains = flags & PEERS_GATES, /* done in any order: rows may stand in another */
                             .judge = flags & PEERS_JUDGE,
                             .trace = flags & PEERS_TRACE,
                             .calls = flags & PEERS_CALLS};
    c.limits.sessions = SESSIONS;
    c.limits.effects = EFFECTS;
    c.limits.rows = ROWS;
    c.limits.memory = flags & PEERS_TIGHT ? MEMORY_TIGHT : MEMORY;
    return c;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    for (unsigned flags = 0; flags < 256; flags++) {
        struct assay_config c = configured((uint8_t)flags);
        size_t size = assay_engine_size(&c);
        block_size = size > block_size ? size : block_size;
    }
    for (unsigned i = 0; i < 2; i++) {
        blocks[i] = malloc(block_size);
        fuzz_require(blocks[i], "out of memory");
        for (unsigned k = 0; k < PEERS; k++) {
            worlds[i].peers[k].bytes = malloc(fuzz_model()->out_max + OUT_SLACK);
            fuzz_require(worlds[i].peers[k].bytes, "out of memory");
        }
    }
    return 0;
}

/* ---- what the engine says ----------------------------------------------- */

static void hash(struct world *w, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        w->said = (w->said ^ p[i]) * 0x100000001b3u;
}

static void hash_number(struct world *w, uint64_t number)
{
    hash(w, &number, sizeof number);
}

static struct peer *peer_of(struct world *w, assay_sid sid)
{
    for (uint32_t i = 0; i < PEERS; i++)
        if (w->peers[i].sid == sid)
            return &w->peers[i];
    return NULL;
}

static void take_effect(struct world *w, const struct peer *p, const struct assay_event *event)
{
    fuzz_require(w->flights_n < EFFECTS, "more effects in flight than allowed");
    bool failing = w->failing >> (w->effects++ % 8) & 1;
    w->flights[w->flights_n++] = (struct in_flight){event->effect.token, (uint32_t)(p - w->peers), failing};
}

static void tell_args(struct world *w, const struct assay_event *event)
{
    for (uint16_t i = 0; i < event->count; i++) {
        hash_number(w, event->values[i]);
        if (event->spans[i].n)
            hash(w, event->spans[i].p, event->spans[i].n);
    }
}

static void forget(struct peer *p)
{
    p->sid = 0;
    p->waits = p->stops = false;
}

/* `p`: whose session it is if that has no id yet. */
static void take_events(struct world *w, struct peer *p)
{
    struct assay_event event;
    while (assay_next_event(w->engine, &event)) {
        struct peer *whose = peer_of(w, event.sid);
        whose = whose ? whose : p;
        hash_number(w, (uint64_t)event.type << 32 | event.count);
        hash_number(w, event.sid);
        tell_args(w, &event);
        if (event.type == ASSAY_EVENT_EFFECT && event.effect.token)
            take_effect(w, whose, &event);
        if (event.type == ASSAY_EVENT_ENDED)
            forget(whose);
    }
}

static void send_one(struct world *w, struct peer *p, uint32_t from, uint32_t to)
{
    struct assay_span datagram = {p->out.bytes + from, to - from};
    hash_number(w, datagram.n);
    hash(w, datagram.p, datagram.n);
    forge_note(&p->sent, datagram);
}

/* All in front of the first gate leaves. */
static void send_out(struct world *w, struct peer *p)
{
    struct assay_out *out = &p->out;
    fuzz_require(out->len <= out->cap && out->cuts_len <= out->cuts_cap && out->cap == out_cap && out->cuts_cap == CUTS,
                 "output beyond its room");
    uint16_t done = 0;
    uint32_t from = 0;
    for (; done < out->cuts_len && !out->cuts[done].gate; done++) {
        fuzz_require(out->cuts[done].at >= from, "cuts out of order");
        if (out->cuts[done].at > from)
            send_one(w, p, from, out->cuts[done].at);
        from = out->cuts[done].at;
    }
    uint32_t until = done < out->cuts_len ? out->cuts[done].at : out->len;
    if (until > from)
        send_one(w, p, from, until);
    memmove(out->bytes, out->bytes + until, out->len - until);
    out->len -= until;
    out->cuts_len = (uint16_t)(out->cuts_len - done);
    for (uint16_t i = 0; i < out->cuts_len; i++)
        out->cuts[i] = (struct assay_cut){out->cuts[i + done].at - until, out->cuts[i + done].gate};
}

static void complete_at(struct world *w, uint32_t index, bool done);

/* Behind each call of the engine. */
static void settle(struct world *w, struct peer *p, enum assay_rc rc)
{
    hash_number(w, rc);
    take_events(w, p);
    send_out(w, p);
}

static void complete_all(struct world *w)
{
    while (w->flights_n)
        complete_at(w, 0, !w->flights[0].failing);
}

static bool comes_again(enum assay_rc rc)
{
    return rc == ASSAY_PENDING || rc == ASSAY_EARLY || rc == ASSAY_FULL || rc == ASSAY_TAKE;
}

/* FULL and TAKE are no answer where all was drained and nothing is in flight. */
static bool at_once(const struct world *w, enum assay_rc rc, uint32_t *turns)
{
    if ((rc != ASSAY_FULL && rc != ASSAY_TAKE) || (rc == ASSAY_FULL && w->flights_n))
        return false;
    fuzz_require(++*turns < TURNS_MAX, "the engine makes no progress");
    return true;
}

/* ---- datagrams ---------------------------------------------------------- */

static enum assay_rc present(struct world *w, struct peer *p)
{
    struct assay_span in = {p->waiting, p->waiting_n};
    uint8_t who = (uint8_t)(p - w->peers);
    uint32_t used = 0;
    if (p->sid)
        return assay_feed(w->engine, p->sid, w->now, in, &used, &p->out);
    return assay_datagram(w->engine, w->now, (struct assay_span){&who, 1}, in, &p->sid, &p->out);
}

/* A client is there before anything arrives. */
static void open_link(struct world *w, struct peer *p)
{
    uint8_t who = (uint8_t)(p - w->peers);
    if (p->sid || !(config.model->machines[config.machine].role & ASSAY_CLIENT))
        return;
    enum assay_rc rc = assay_open(w->engine, w->now, &p->sid, &p->out);
    if (p->sid)
        assay_identify(w->engine, p->sid, (struct assay_span){&who, 1});
    settle(w, p, rc);
}

static void present_waiting(struct world *w, struct peer *p)
{
    enum assay_rc rc;
    uint32_t turns = 0;
    if (!p->waits)
        return;
    do {
        bool known = p->sid != 0;
        rc = present(w, p);
        fuzz_require(!known || rc != ASSAY_MORE, "MORE for a datagram");
        settle(w, p, rc);
    } while (at_once(w, rc, &turns));
    if (!comes_again(rc))
        p->waits = false;
}

static void present_stop(struct world *w, struct peer *p)
{
    enum assay_rc rc = ASSAY_OK;
    uint32_t turns = 0;
    while (p->stops && p->sid) {
        rc = assay_signal(w->engine, p->sid, w->now, ASSAY_EV_SHUTDOWN, (struct assay_span){NULL, 0}, &p->out);
        settle(w, p, rc);
        if (!at_once(w, rc, &turns))
            break;
    }
    p->stops = p->stops && p->sid && comes_again(rc);
}

static void present_all(struct world *w)
{
    for (uint32_t i = 0; i < PEERS; i++) {
        present_waiting(w, &w->peers[i]);
        if (!w->peers[i].waits)
            present_stop(w, &w->peers[i]);
    }
}

static void complete_at(struct world *w, uint32_t index, bool done)
{
    struct in_flight flight = w->flights[index];
    struct peer *p = &w->peers[flight.peer];
    uint32_t turns = 0;
    enum assay_rc rc;
    w->flights_n--;
    memmove(&w->flights[index], &w->flights[index + 1], (w->flights_n - index) * sizeof *w->flights);
    do {
        rc = assay_complete(w->engine, flight.token, w->now, done, &p->out);
        settle(w, p, rc);
    } while (rc == ASSAY_FULL && ++turns < TURNS_MAX);
    fuzz_require(rc != ASSAY_FULL, "a completion does not go on");
    present_all(w);
}

static void arrive(struct world *w, struct peer *p, enum peers_action how, uint8_t delta, const uint8_t *bytes,
                   uint32_t n)
{
    open_link(w, p);
    w->begun = true;
    if (p->waits || n > FORGE_MAX)
        return;
    memcpy(p->waiting, bytes, n);
    if (how != PEERS_RAW) {
        forge_marks(&p->sent, p->waiting, n);
        forge_sum(p->waiting, n);
    }
    p->waiting_n = how == PEERS_TURN && p->sid ? forge_turn(w->engine, p->sid, delta, p->waiting, n) : n;
    p->waits = true;
    present_waiting(w, p);
}

/* ---- time --------------------------------------------------------------- */

static void tick_all(struct world *w)
{
    assay_sid due;
    for (uint32_t ticks = 0; assay_due(w->engine, w->now, &due); ticks++) {
        struct peer *p = peer_of(w, due);
        fuzz_require(p, "a deadline of no session");
        fuzz_require(ticks < TICKS_MAX, "deadlines that do not go by");
        enum assay_rc rc = assay_tick(w->engine, due, w->now, &p->out);
        settle(w, p, rc);
        if (rc == ASSAY_FULL && w->flights_n)
            break;
    }
}

static void pass_time(struct world *w, assay_time by)
{
    w->now += w->now < INT64_MAX / 4 ? by : 0;
    tick_all(w);
    present_all(w);
}

static void next_deadlines(struct world *w, uint32_t n)
{
    for (; n && assay_deadline(w->engine) != ASSAY_NEVER; n--) {
        assay_time next = assay_deadline(w->engine);
        w->now = next > w->now ? next : w->now;
        tick_all(w);
        if (!w->hold)
            complete_all(w);
        present_all(w);
    }
}

/* ---- calls, rows -------------------------------------------------------- */

/* Values from the bytes of a script: for each a length byte and so many bytes, which may be a number. */
static void read_values(assay_val *values, struct assay_span *spans, uint32_t count, const uint8_t *bytes, size_t n)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t left = n > 0 ? n - 1 : 0, take = n > 0 && bytes[0] < left ? bytes[0] : left;
        spans[i] = (struct assay_span){bytes + (n > 0), (uint32_t)take};
        values[i] = 0;
        for (size_t k = 0; k < take && k < 8; k++)
            values[i] = values[i] << 8 | bytes[1 + k];
        bytes += take + (n > 0);
        n -= take + (n > 0);
    }
}

static void call(struct world *w, struct peer *p, uint8_t which, const uint8_t *bytes, size_t n)
{
    const struct assay_model *model = config.model;
    assay_val values[ARGS_MAX];
    struct assay_span spans[ARGS_MAX];
    uint16_t index = (uint16_t)(model->calls_count ? which % model->calls_count : ASSAY_NONE);
    if (index == ASSAY_NONE || model->calls[index].machine != config.machine ||
        model->calls[index].args.count > ARGS_MAX)
        return;
    w->begun = true;
    open_link(w, p);
    if (!p->sid)
        return;
    read_values(values, spans, model->calls[index].args.count, bytes, n);
    settle(w, p, assay_call(w->engine, p->sid, w->now, index, values, spans, ASSAY_NEVER, &p->out));
    present_waiting(w, p);
}

static void restore(struct world *w, uint8_t which, const uint8_t *bytes, size_t n)
{
    assay_val values[ARGS_MAX];
    struct assay_span spans[ARGS_MAX];
    if (w->begun || !config.model->tables_count)
        return;
    uint16_t table = (uint16_t)(which % config.model->tables_count);
    uint32_t count = 1u + config.model->tables[table].columns.count;
    if (count > ARGS_MAX)
        return;
    read_values(values, spans, count, bytes, n);
    hash_number(w, assay_restore(w->engine, table, values, spans));
}

static void grow(struct world *w, uint8_t how)
{
    if (!config.model->logs_count)
        return;
    uint32_t log = (uint32_t)how % config.model->logs_count;
    if (log >= sizeof w->rows / sizeof *w->rows)
        return;
    w->rows[log] += 1u + how / 16u;
    assay_log_grew(w->engine, (uint16_t)log, w->rows[log]);
}

/* A row's columns, all of their types: the number of the row is in them. */
static void make_row(const struct assay_log *log, uint64_t number, assay_val *values, struct assay_span *spans,
                     uint8_t *bytes, uint32_t cap)
{
    for (uint32_t i = 0; i < log->columns.count; i++) {
        const struct assay_type *type = &config.model->types[config.model->params[log->columns.first + i].type];
        int64_t size = type->min > 3 ? type->min : type->max < 3 ? type->max : 3;
        size = size < (int64_t)cap ? size : (int64_t)cap;
        memset(bytes, 'a' + (int)(number % 26), cap);
        values[i] = (assay_val)size;
        spans[i] = (struct assay_span){bytes, (uint32_t)size};
    }
}

static bool give_row(struct world *w, const struct assay_hunger *hunger)
{
    const struct assay_log *log = &config.model->logs[hunger->log];
    struct peer *p = peer_of(w, hunger->sid);
    assay_val values[ARGS_MAX] = {0};
    struct assay_span spans[ARGS_MAX] = {{NULL, 0}};
    uint8_t bytes[64];
    uint32_t turns = 0;
    enum assay_rc rc;
    fuzz_require(p && hunger->most > 0 && hunger->from + hunger->most <= w->rows[hunger->log], "hungry for no rows");
    if (log->columns.count > ARGS_MAX)
        return false;
    make_row(log, hunger->from, values, spans, bytes, sizeof bytes);
    do {
        rc = assay_row(w->engine, hunger->sid, w->now, hunger->log, hunger->from, values, spans, &p->out);
        settle(w, p, rc);
    } while (at_once(w, rc, &turns));
    return true;
}

static void give_rows(struct world *w, uint32_t n)
{
    struct assay_hunger hunger;
    for (; n && assay_hungry(w->engine, &hunger); n--)
        if (!give_row(w, &hunger))
            return;
}

static void learn(struct world *w, struct peer *p, uint8_t k, const uint8_t *bytes, size_t n)
{
    uint8_t was[64], actual[64] = {0};
    struct assay_span value = forge_value(&p->sent, k);
    if (value.n < sizeof ASSAY_MARK || value.n > sizeof was || memcmp(value.p, ASSAY_MARK, sizeof ASSAY_MARK - 1) != 0)
        return;
    memcpy(was, value.p, value.n);
    value.p = was;
    memcpy(actual, bytes, n < sizeof actual ? n : sizeof actual);
    assay_learn(w->engine, value, actual);
    for (uint32_t i = 0; i < PEERS; i++) {
        forge_learn(w->peers[i].waiting, w->peers[i].waiting_n, value, actual);
        for (uint32_t j = 0; j < FORGE_KEPT; j++)
            forge_learn(w->peers[i].sent.bytes[j], w->peers[i].sent.n[j], value, actual);
    }
}

static void drop(struct world *w, struct peer *p)
{
    if (!p->sid)
        return;
    assay_drop(w->engine, p->sid);
    forget(p);
    p->out.len = 0;
    p->out.cuts_len = 0;
}

/* ---- scripts ------------------------------------------------------------- */

struct script {
    const uint8_t *p;
    size_t n;
};

static uint8_t next(struct script *s)
{
    if (!s->n)
        return 0;
    s->n--;
    return *s->p++;
}

/* A length byte, and so many bytes. */
static struct assay_span next_bytes(struct script *s)
{
    size_t n = next(s);
    n = n < s->n ? n : s->n;
    struct assay_span bytes = {s->p, (uint32_t)n};
    s->p += n;
    s->n -= n;
    return bytes;
}

struct step {
    enum peers_action action;
    uint8_t how, more;
    struct assay_span bytes;
};

static void do_arrive(struct world *w, struct peer *p, const struct step *step)
{
    arrive(w, p, step->action, step->more, step->bytes.p, step->bytes.n);
}

static void do_time(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    pass_time(w, (assay_time)1 << step->how % 40);
}

static void do_deadline(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    next_deadlines(w, 1u + step->how % 16u);
}

static void do_complete(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    if (w->flights_n)
        complete_at(w, step->how / 2u % w->flights_n, step->how & 1);
}

static void do_hold(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    w->hold = step->how & 1;
}

static void do_grow(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    grow(w, step->how);
}

static void do_rows(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    give_rows(w, step->how % 32u);
}

static void do_fetching(struct world *w, struct peer *p, const struct step *step)
{
    assay_fetching(w->engine, p->sid, step->how & 0x80);
}

static void do_learn(struct world *w, struct peer *p, const struct step *step)
{
    learn(w, p, step->more, step->bytes.p, step->bytes.n);
}

static void do_drop(struct world *w, struct peer *p, const struct step *step)
{
    (void)step;
    drop(w, p);
}

static void do_stop(struct world *w, struct peer *p, const struct step *step)
{
    (void)step;
    p->stops = p->sid != 0;
    if (!p->waits)
        present_stop(w, p);
}

static void do_call(struct world *w, struct peer *p, const struct step *step)
{
    call(w, p, step->more, step->bytes.p, step->bytes.n);
}

static void do_restore(struct world *w, struct peer *p, const struct step *step)
{
    (void)p;
    restore(w, step->how, step->bytes.p, step->bytes.n);
}

static void do_nothing(struct world *w, struct peer *p, const struct step *step)
{
    (void)w, (void)p, (void)step;
}

static const struct {
    void (*act)(struct world *, struct peer *, const struct step *);
    bool more, bytes;
} acts[PEERS_COUNT] = {
    [PEERS_FEED] = {do_arrive, false, true},        [PEERS_TURN] = {do_arrive, true, true},
    [PEERS_RAW] = {do_arrive, false, true},         [PEERS_TIME] = {do_time, false, false},
    [PEERS_DEADLINE] = {do_deadline, false, false}, [PEERS_COMPLETE] = {do_complete, false, false},
    [PEERS_HOLDING] = {do_hold, false, false},      [PEERS_GROW] = {do_grow, false, false},
    [PEERS_ROWS] = {do_rows, false, false},         [PEERS_FETCHING] = {do_fetching, false, false},
    [PEERS_LEARN] = {do_learn, true, true},         [PEERS_DROP] = {do_drop, false, false},
    [PEERS_STOP] = {do_stop, false, false},         [PEERS_CALL] = {do_call, true, true},
    [PEERS_RESTORE] = {do_restore, false, true},    [PEERS_FORK] = {do_nothing, false, false},
};

/* False: from here on a copy does the same. */
static bool act(struct world *w, struct script *s)
{
    struct step step = {.action = (enum peers_action)(next(s) % PEERS_COUNT)};
    step.how = next(s);
    step.more = acts[step.action].more ? next(s) : 0;
    step.bytes = acts[step.action].bytes ? next_bytes(s) : (struct assay_span){s->p, 0};
    acts[step.action].act(w, &w->peers[step.how % PEERS], &step);
    if (!w->hold)
        complete_all(w);
    fuzz_account(w->engine);
    return step.action != PEERS_FORK;
}

static void finish(struct world *w)
{
    complete_all(w);
    for (uint32_t i = 0; i < PEERS; i++)
        drop(w, &w->peers[i]);
    complete_all(w);
    fuzz_account_end(w->engine);
}

/* To the end, or to where the script says that a copy is made; returns whether it does. */
static bool run(struct world *w, struct script *s)
{
    for (uint32_t i = 0; s->n && i < ACTIONS_MAX; i++)
        if (!act(w, s))
            return true;
    return false;
}

static void begin(struct world *w, uint8_t flags, uint8_t failing)
{
    struct world fresh = {.failing = failing, .hold = flags & PEERS_HOLD, .said = 0xcbf29ce484222325u};
    for (uint32_t i = 0; i < PEERS; i++)
        fresh.peers[i].bytes = w->peers[i].bytes;
    *w = fresh;
    config = configured(flags);
    out_cap = config.model->out_max + (flags & PEERS_SMALL ? 0 : OUT_SLACK);
    for (uint32_t i = 0; i < PEERS; i++)
        w->peers[i].out = (struct assay_out){w->peers[i].bytes, out_cap, 0, w->peers[i].cuts, CUTS, 0};
    memset(blocks[0], 0xa5, block_size);
    w->engine = assay_engine_init(blocks[0], block_size, &config);
    fuzz_require(w->engine, "the engine does not start");
}

static void copy(struct world *to, const struct world *from)
{
    uint8_t *bytes[PEERS];
    for (uint32_t i = 0; i < PEERS; i++)
        bytes[i] = to->peers[i].bytes;
    *to = *from;
    for (uint32_t i = 0; i < PEERS; i++) {
        struct peer *p = &to->peers[i];
        memcpy(bytes[i], p->bytes, out_cap);
        p->bytes = p->out.bytes = bytes[i];
        p->out.cuts = p->cuts;
    }
    memset(blocks[1], 0x5a, block_size);
    to->engine = blocks[1];
    assay_engine_copy(to->engine, from->engine);
}

/* Only the first copy of a script is made. */
static void run_out(struct world *w, struct script s)
{
    while (run(w, &s))
        ;
    finish(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct script script = {data + 2, size - 2};
    begin(&worlds[0], data[0], data[1]);
    bool forks = run(&worlds[0], &script);
    if (forks)
        copy(&worlds[1], &worlds[0]);
    run_out(&worlds[0], script);
    if (!forks)
        return 0;
    run_out(&worlds[1], script);
    fuzz_require(worlds[0].said == worlds[1].said, "a copy does not do what its model does");
    return 0;
}
