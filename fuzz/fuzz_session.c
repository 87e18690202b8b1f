/* A session under arbitrary input, splits, calls, closes, time and failing
 * effects. The input is a script (script.h); it is run four ways, as it
 * stands and byte by byte, with and without gates, and all four must give the
 * same output and the same end. Where the borders of arrivals mean something
 * (datagrams, segments, streams) they are left as the script has them. */
#include "fuzz/target.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz/script.h"

enum {
    OUTPUT_CAP = 1 << 20,
    INPUT_CAP = 1 << 18,
    ARGS_MAX = 32,
    CUTS_CAP = 64,
    SESSIONS = 2,
    MEMORY = 1 << 16,
    OUTPUT_ENOUGH = 1 << 12
};

/* Of one arrival, bytes that come one by one; the rest comes in pieces of an odd size, or a run would take too long. */
enum { SINGLES = 64, PIECE = 61 };

struct way {
    bool single; /* byte by byte */
    bool gates;
};

struct run {
    struct assay_engine *engine;
    assay_sid sid;
    assay_time now;
    struct assay_out out;
    struct assay_cut cuts[CUTS_CAP];
    uint8_t *in;
    uint32_t in_len;
    uint32_t effects; /* ordered so far: decides which fail */
    uint8_t failing;  /* bit i: effects with number i mod 8 fail */
    assay_token pending[CUTS_CAP + 1];
    bool outcome[CUTS_CAP + 1];
    size_t pending_count;
    bool ended;
    uint16_t cause;
};

static struct assay_config config;
static bool borders, datagrams; /* of arrivals: they mean something; each is a datagram */
static void *memory;
static size_t memory_size;
static uint8_t *outputs[4], *input, counting[1 << 17];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const struct assay_model *model = fuzz_model();
    config = (struct assay_config){.model = model, .machine = fuzz_machine(), .limits = model->limits, .gates = true};
    uint8_t end = model->frames[model->machines[config.machine].frame_in].end;
    datagrams = end == ASSAY_END_DATAGRAM;
    borders = datagrams || end == ASSAY_END_SEGMENT || end == ASSAY_END_STREAM;
    config.limits.sessions = SESSIONS;
    config.limits.memory = MEMORY;
    memory_size = assay_engine_size(&config);
    memory = malloc(memory_size);
    input = malloc(INPUT_CAP);
    for (size_t i = 0; i < sizeof counting; i++)
        counting[i] = (uint8_t)i;
    for (size_t i = 0; i < 4; i++)
        outputs[i] = malloc(OUTPUT_CAP);
    fuzz_require(memory && input && outputs[3], "out of memory");
    return 0;
}

static void take_events(struct run *r)
{
    struct assay_event e;
    while (assay_next_event(r->engine, &e)) {
        if (e.type == ASSAY_EVENT_ENDED) {
            r->ended = true;
            r->cause = e.ended.cause;
        }
        if (e.type != ASSAY_EVENT_EFFECT || e.effect.token == 0)
            continue;
        fuzz_require(r->pending_count <= CUTS_CAP, "more effects in flight than cuts");
        r->pending[r->pending_count] = e.effect.token;
        r->outcome[r->pending_count++] = (r->failing >> (r->effects++ % 8) & 1) == 0;
    }
}

static void check(const struct run *r)
{
    fuzz_require(r->out.len <= r->out.cap, "output beyond its buffer");
    fuzz_require(r->out.cuts_len <= r->out.cuts_cap, "cuts beyond their table");
}

/* Cuts between datagrams, of which there may be more than the table holds in a whole run. */
static void forget_borders(struct run *r)
{
    uint16_t kept = 0;
    for (uint16_t i = 0; i < r->out.cuts_len; i++)
        if (r->out.cuts[i].gate)
            r->out.cuts[kept++] = r->out.cuts[i];
    r->out.cuts_len = kept;
}

/* Effects complete in the order in which they were ordered. */
static void complete_effects(struct run *r)
{
    while (r->pending_count > 0) {
        assay_token token = r->pending[0];
        bool done = r->outcome[0];
        r->pending_count--;
        memmove(r->pending, r->pending + 1, r->pending_count * sizeof *r->pending);
        memmove(r->outcome, r->outcome + 1, r->pending_count * sizeof *r->outcome);
        assay_complete(r->engine, token, r->now, done, &r->out);
        take_events(r);
        check(r);
        forget_borders(r);
        if (done && r->out.cuts_len > 0 && r->out.cuts[0].gate == token) {
            r->out.cuts_len--;
            memmove(r->out.cuts, r->out.cuts + 1, r->out.cuts_len * sizeof *r->out.cuts);
        }
    }
}

/* Presents the input until the engine wants no more of it for now. */
static void handle_input(struct run *r)
{
    for (size_t turns = 0; !r->ended; turns++) {
        uint32_t used = 0;
        enum assay_rc rc = assay_feed(r->engine, r->sid, r->now, (struct assay_span){r->in, r->in_len}, &used, &r->out);
        fuzz_require(used <= r->in_len, "used more than there was");
        check(r);
        memmove(r->in, r->in + used, r->in_len - used);
        r->in_len -= used;
        take_events(r);
        forget_borders(r);
        complete_effects(r);
        if (datagrams && rc != ASSAY_PENDING && rc != ASSAY_TAKE && rc != ASSAY_FULL)
            r->in_len = 0;
        if (rc == ASSAY_OK || rc == ASSAY_MORE || rc == ASSAY_ENDED || rc == ASSAY_STALE)
            return;
        if (r->out.cap - r->out.len < config.model->out_max)
            return; /* FULL is right: the script wrote more than we hold */
        fuzz_require(turns < INPUT_CAP * 2, "the engine makes no progress");
    }
}

static void arrive(struct run *r, const struct way *way, const uint8_t *bytes, uint32_t n)
{
    for (uint32_t singles = SINGLES; n > 0 && !r->ended && r->in_len < INPUT_CAP - (1 << 16);) {
        uint32_t piece = singles > 0 ? 1 : PIECE < n ? PIECE : n;
        uint32_t step = way->single && !borders ? piece : n;
        singles -= singles > 0;
        memcpy(r->in + r->in_len, bytes, step);
        r->in_len += step;
        bytes += step;
        n -= step;
        handle_input(r);
    }
}

/* Arguments from the bytes of a script: a number from 8 of them; a length byte and so many. */
static void call(struct run *r, unsigned which, const uint8_t *bytes, size_t n)
{
    const struct assay_model *model = config.model;
    assay_val values[ARGS_MAX] = {0};
    struct assay_span spans[ARGS_MAX] = {{NULL, 0}};
    if (model->calls_count == 0)
        return;
    uint16_t index = (uint16_t)(which % model->calls_count);
    const struct assay_call *c = &model->calls[index];
    if (c->machine != config.machine || c->args.count > ARGS_MAX || r->ended)
        return;
    for (uint16_t i = 0; i < c->args.count; i++) {
        size_t take = n > 0 ? bytes[0] : 0;
        take = take > n - (n > 0) ? n - (n > 0) : take;
        spans[i] = (struct assay_span){bytes + (n > 0), (uint32_t)take};
        for (size_t k = 0; k < take && k < 8; k++)
            values[i] = values[i] << 8 | bytes[1 + k];
        bytes += take + (n > 0);
        n -= take + (n > 0);
    }
    assay_call(r->engine, r->sid, r->now, index, values, spans, ASSAY_NEVER, &r->out);
    take_events(r);
    forget_borders(r);
    check(r);
    complete_effects(r);
}

static void pass_time(struct run *r, assay_time by)
{
    assay_sid due;
    r->now += by;
    while (!r->ended && assay_due(r->engine, r->now, &due)) {
        fuzz_require(due == r->sid, "a timer of no session");
        assay_tick(r->engine, due, r->now, &r->out);
        take_events(r);
        check(r);
        complete_effects(r);
    }
}

static void signal_session(struct run *r, enum assay_builtin_event event)
{
    for (size_t turns = 0; !r->ended && turns < 8; turns++) {
        enum assay_rc rc =
            assay_signal(r->engine, r->sid, r->now, event, (struct assay_span){r->in, r->in_len}, &r->out);
        take_events(r);
        check(r);
        complete_effects(r);
        if (rc != ASSAY_PENDING && rc != ASSAY_TAKE)
            return;
    }
}

/* One action at *data; what it takes from the script is taken off. */
static bool act(struct run *r, const struct way *way, const uint8_t **data, size_t *size)
{
    const uint8_t *p = *data;
    size_t left = *size;
    enum action action = (enum action)(p[0] % ACTION_COUNT);
    size_t taken = 1;
    switch (action) {
    case ACTION_FEED:
        if (left < 2)
            return false;
        taken = 2u + p[1] > left ? left : 2u + p[1];
        arrive(r, way, p + 2, (uint32_t)(taken - 2));
        break;
    case ACTION_LONG:
        if (left < 4)
            return false;
        arrive(r, way, counting + p[3], (uint32_t)p[1] << p[2] % 9);
        taken = 4;
        break;
    case ACTION_TIME:
        if (left < 2)
            return false;
        pass_time(r, (assay_time)1 << p[1] % 40);
        taken = 2;
        break;
    case ACTION_CALL:
        if (left < 3)
            return false;
        taken = 3u + p[2] > left ? left : 3u + p[2];
        call(r, p[1], p + 3, taken - 3);
        break;
    case ACTION_EOF:
        if (datagrams)
            return false;
        signal_session(r, r->in_len > 0 ? ASSAY_EV_EOF_IN_FRAME : ASSAY_EV_EOF);
        return false;
    case ACTION_RESET:
        if (datagrams)
            return false;
        signal_session(r, ASSAY_EV_RESET);
        return false;
    case ACTION_STOP:
        signal_session(r, ASSAY_EV_SHUTDOWN);
        return false;
    case ACTION_COUNT:
        return false;
    }
    *data += taken;
    *size -= taken;
    return !r->ended;
}

static void run(struct run *r, const struct way *way, uint8_t *output, const uint8_t *data, size_t size)
{
    *r = (struct run){.in = input, .failing = data[0]};
    r->out = (struct assay_out){.bytes = output, .cap = OUTPUT_CAP, .cuts = r->cuts, .cuts_cap = CUTS_CAP};
    config.gates = way->gates;
    r->engine = assay_engine_init(memory, memory_size, &config);
    fuzz_require(r->engine != NULL, "the engine does not start");
    fuzz_require(assay_open(r->engine, r->now, &r->sid, &r->out) != ASSAY_REFUSED, "the first session is refused");
    take_events(r);
    complete_effects(r);
    data++;
    size--;
    while (size > 0 && r->out.len < OUTPUT_ENOUGH && act(r, way, &data, &size))
        ;
    if (r->ended) {
        uint32_t used;
        fuzz_require(assay_feed(r->engine, r->sid, r->now, (struct assay_span){data, 0}, &used, &r->out) == ASSAY_STALE,
                     "a session that ended goes on");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct way ways[4] = {{false, false}, {true, false}, {false, true}, {true, true}};
    static struct run runs[4];
    if (size == 0)
        return 0;
    for (size_t i = 0; i < 4; i++)
        run(&runs[i], &ways[i], outputs[i], data, size);
    for (size_t i = 1; i < 4; i++) {
        fuzz_require(runs[i].out.len == runs[0].out.len && memcmp(outputs[i], outputs[0], runs[0].out.len) == 0,
                     "splits or gates change the output");
        fuzz_require(runs[i].ended == runs[0].ended && runs[i].cause == runs[0].cause,
                     "splits or gates change the end");
    }
    return 0;
}
