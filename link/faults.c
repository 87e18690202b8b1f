#include "link/faults.h"

#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX

/* Blocks that a rule of a small rate looks ahead at once. */
#define LOOK_AHEAD 4096u

const struct assay_link_kind_row assay_link_kinds[ASSAY_LINK_KINDS] = {
    [ASSAY_LINK_REFUSE] = {"refuse", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE",
                           "reset the connections with these numbers at once"},
    [ASSAY_LINK_SPLIT] = {"split", ASSAY_LINK_STREAM, ASSAY_LINK_SIZES, "N[..M]",
                          "write at most N bytes at a time, or N to M at random"},
    [ASSAY_LINK_CUT] = {"cut", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE", "end a write at these places"},
    [ASSAY_LINK_COALESCE] = {"coalesce", ASSAY_LINK_STREAM, ASSAY_LINK_HOLD, "N[/TIME]",
                             "hold bytes until there are N, or for TIME (20ms)"},
    [ASSAY_LINK_STALL] = {"stall", ASSAY_LINK_STREAM, ASSAY_LINK_SPAN, "TIME[..TIME]@PLACE", "pass nothing for a time"},
    [ASSAY_LINK_BANDWIDTH] = {"bandwidth", ASSAY_LINK_STREAM, ASSAY_LINK_BYTES, "N", "pass N bytes a second"},
    [ASSAY_LINK_CLOSE] = {"close", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE",
                          "end the stream; what is sent later is lost"},
    [ASSAY_LINK_RESET] = {"reset", ASSAY_LINK_STREAM, ASSAY_LINK_NOTHING, "PLACE", "reset both ends"},
    [ASSAY_LINK_DROP] = {"drop", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_NOTHING, "PLACE", "lose datagrams"},
    [ASSAY_LINK_TRUNCATE] = {"truncate", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_BYTES, "PLACE",
                             "lose the end of datagrams, some bytes of it"},
    [ASSAY_LINK_CORRUPT] = {"corrupt", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_FLIP, "PLACE", "change a bit of datagrams"},
    [ASSAY_LINK_DELAY] = {"delay", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_SPAN, "TIME[..TIME][@PLACE]",
                          "hand datagrams on later"},
    [ASSAY_LINK_SWAP] = {"swap", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_NOTHING, "PLACE",
                         "hand datagrams on after the next one"},
    [ASSAY_LINK_DUPLICATE] = {"duplicate", ASSAY_LINK_DATAGRAMS, ASSAY_LINK_LATER, "PLACE", "hand datagrams on twice"},
};

/* ---- drawing ----------------------------------------------------------- */

/* The finalizer of splitmix64: every bit of the input changes half of the output. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static uint64_t draw(const struct assay_link_cursor *c, uint32_t what, uint64_t place)
{
    const uint64_t words[] = {c->faults->seed, c->connection, (uint64_t)c->direction, what, place};
    uint64_t h = 0;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        h = mix(h + 0x9e3779b97f4a7c15 + words[i]);
    return h;
}

/* Which rule, and the how-manieth draw of it at a place. */
static uint32_t rule_draw(const struct assay_link_rule *rule, unsigned nth)
{
    return (uint32_t)rule->kind << 16 | rule->ordinal << 4 | nth;
}

static bool happens(uint64_t drawn, double rate)
{
    return rate >= 1 || (double)(drawn >> 11) * 0x1p-53 < rate;
}

static uint64_t between(uint64_t drawn, uint64_t lo, uint64_t hi)
{
    return hi <= lo ? lo : lo + drawn % (hi - lo + 1);
}

uint64_t assay_link_draw_between(const struct assay_link_cursor *cursor, enum assay_link_kind kind, uint64_t place,
                                 uint64_t lo, uint64_t hi)
{
    return between(draw(cursor, (uint32_t)kind << 16 | 0xffff, place), lo, hi);
}

/* ---- plans ------------------------------------------------------------- */

void assay_link_faults_free(struct assay_link_faults *faults)
{
    free(faults->planned);
    faults->planned = NULL;
    faults->planned_count = 0;
}

bool assay_link_add(struct assay_link_faults *faults, const struct assay_link_fault *fault)
{
    size_t n = faults->planned_count;
    if ((n & (n - 1)) == 0) {
        struct assay_link_fault *grown = realloc(faults->planned, (n ? 2 * n : 1) * sizeof *grown);
        if (!grown)
            return false;
        faults->planned = grown;
    }
    faults->planned[n] = *fault;
    faults->planned[n].order = (uint32_t)n;
    faults->planned_count++;
    return true;
}

static int three_way(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_walk(const struct assay_link_fault *a, uint32_t connection, enum assay_link_direction direction)
{
    int c = three_way(a->connection, connection);
    return c ? c : three_way(a->direction, direction);
}

static int by_place(const void *pa, const void *pb)
{
    const struct assay_link_fault *a = pa, *b = pb;
    int c = by_walk(a, b->connection, b->direction);
    c = c ? c : three_way(a->at, b->at);
    return c ? c : three_way(a->order, b->order);
}

void assay_link_sort(struct assay_link_faults *faults)
{
    if (faults->planned_count > 0)
        qsort(faults->planned, faults->planned_count, sizeof *faults->planned, by_place);
}

/* The first planned fault of a walk, or of those that come after it. */
static size_t first_of(const struct assay_link_faults *f, uint32_t connection, enum assay_link_direction direction,
                       bool after)
{
    size_t lo = 0, hi = f->planned_count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = by_walk(&f->planned[mid], connection, direction);
        if (c < 0 || (after && c == 0))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* ---- walking ----------------------------------------------------------- */

static uint64_t block_of(const struct assay_link_faults *faults)
{
    return faults->transport == ASSAY_LINK_STREAM ? ASSAY_LINK_BLOCK : 1;
}

/* From `block` on: where a rule of some rate acts, or up to where it does not. */
static void look_ahead(struct assay_link_cursor *c, unsigned i, uint64_t block)
{
    const struct assay_link_rule *rule = &c->faults->rules[i];
    uint64_t size = block_of(c->faults);
    for (uint64_t end = block + LOOK_AHEAD; block < end; block++) {
        if (!happens(draw(c, rule_draw(rule, 0), block), rule->rate))
            continue;
        c->rules[i].at = block * size + between(draw(c, rule_draw(rule, 1), block), 0, size - 1);
        c->rules[i].acts = true;
        return;
    }
    c->rules[i].at = block * size;
    c->rules[i].acts = false;
}

static void set_rule(struct assay_link_cursor *c, unsigned i, uint64_t at)
{
    c->rules[i].at = at;
    c->rules[i].acts = at != NEVER;
}

static void start_rule(struct assay_link_cursor *c, unsigned i)
{
    const struct assay_link_rule *rule = &c->faults->rules[i];
    if (!rule->directions[c->direction] || rule->kind == ASSAY_LINK_REFUSE)
        set_rule(c, i, NEVER);
    else if (rule->where == ASSAY_LINK_RATE)
        look_ahead(c, i, c->faults->transport == ASSAY_LINK_DATAGRAMS);
    else
        set_rule(c, i, rule->n);
}

static void advance_rule(struct assay_link_cursor *c, unsigned i)
{
    const struct assay_link_rule *rule = &c->faults->rules[i];
    uint64_t at = c->rules[i].at, size = block_of(c->faults);
    switch (rule->where) {
    case ASSAY_LINK_AT:
        set_rule(c, i, NEVER);
        break;
    case ASSAY_LINK_EVERY:
        set_rule(c, i, at + rule->n > at ? at + rule->n : NEVER);
        break;
    case ASSAY_LINK_RATE:
        look_ahead(c, i, at / size + c->rules[i].acts);
        break;
    }
}

static void make_fault(const struct assay_link_cursor *c, unsigned i, struct assay_link_fault *fault)
{
    const struct assay_link_rule *rule = &c->faults->rules[i];
    uint64_t at = c->rules[i].at, drawn = draw(c, rule_draw(rule, 2), at);
    *fault = (struct assay_link_fault){
        .kind = rule->kind,
        .connection = c->connection,
        .direction = c->direction,
        .at = at,
        .size = rule->size,
        .size_max = rule->size_max,
        .span = (int64_t)between(drawn, (uint64_t)rule->span, (uint64_t)rule->span_max),
        .open = rule->kind == ASSAY_LINK_CORRUPT || rule->kind == ASSAY_LINK_TRUNCATE,
        .draw = drawn,
    };
}

void assay_link_cursor_init(struct assay_link_cursor *cursor, const struct assay_link_faults *faults,
                            uint32_t connection, enum assay_link_direction direction)
{
    *cursor = (struct assay_link_cursor){.faults = faults, .connection = connection, .direction = direction};
    for (unsigned i = 0; i < faults->rules_count; i++)
        start_rule(cursor, i);
    for (unsigned i = 0; i < 2; i++) {
        cursor->planned[i].next = first_of(faults, i ? connection : 0, direction, false);
        cursor->planned[i].end = first_of(faults, i ? connection : 0, direction, true);
    }
}

static bool next_planned(struct assay_link_cursor *c, uint64_t place, struct assay_link_fault *fault)
{
    for (unsigned i = 0; i < 2; i++) {
        while (c->planned[i].next < c->planned[i].end && c->faults->planned[c->planned[i].next].at <= place) {
            *fault = c->faults->planned[c->planned[i].next++];
            fault->connection = c->connection;
            if (fault->kind != ASSAY_LINK_REFUSE)
                return true;
        }
    }
    return false;
}

/* The earliest first; of equals, that of the rule that was given first. */
static unsigned earliest_rule(const struct assay_link_cursor *c)
{
    unsigned first = 0;
    for (unsigned i = 1; i < c->faults->rules_count; i++)
        if (c->rules[i].at < c->rules[first].at)
            first = i;
    return first;
}

bool assay_link_next(struct assay_link_cursor *cursor, uint64_t place, struct assay_link_fault *fault)
{
    if (next_planned(cursor, place, fault))
        return true;
    while (cursor->faults->rules_count > 0) {
        unsigned i = earliest_rule(cursor);
        if (cursor->rules[i].at > place || cursor->rules[i].at == NEVER)
            return false;
        bool acts = cursor->rules[i].acts;
        if (acts)
            make_fault(cursor, i, fault);
        advance_rule(cursor, i);
        if (acts)
            return true;
    }
    return false;
}

uint64_t assay_link_border(const struct assay_link_cursor *cursor)
{
    uint64_t border = NEVER;
    for (unsigned i = 0; i < cursor->faults->rules_count; i++)
        if (cursor->rules[i].at < border)
            border = cursor->rules[i].at;
    for (unsigned i = 0; i < 2; i++) {
        size_t next = cursor->planned[i].next;
        if (next < cursor->planned[i].end && cursor->faults->planned[next].at < border)
            border = cursor->faults->planned[next].at;
    }
    return border;
}

/* ---- what is not a matter of the walk ----------------------------------- */

static bool refused_by_rule(const struct assay_link_faults *faults, const struct assay_link_rule *rule, uint32_t n)
{
    struct assay_link_cursor c = {.faults = faults, .connection = n};
    if (rule->kind != ASSAY_LINK_REFUSE)
        return false;
    switch (rule->where) {
    case ASSAY_LINK_AT:
        return n == rule->n;
    case ASSAY_LINK_EVERY:
        return n % rule->n == 0;
    case ASSAY_LINK_RATE:
        return happens(draw(&c, rule_draw(rule, 0), 0), rule->rate);
    }
    return false;
}

bool assay_link_refused(const struct assay_link_faults *faults, uint32_t n)
{
    for (unsigned i = 0; i < faults->rules_count; i++)
        if (refused_by_rule(faults, &faults->rules[i], n))
            return true;
    for (unsigned k = 0; k < 2; k++)
        for (size_t i = first_of(faults, k ? n : 0, ASSAY_LINK_UP, false),
                    end = first_of(faults, k ? n : 0, ASSAY_LINK_UP, true);
             i < end; i++)
            if (faults->planned[i].kind == ASSAY_LINK_REFUSE)
                return true;
    return false;
}

bool assay_link_settle(struct assay_link_fault *fault, size_t size)
{
    bool flips = fault->kind == ASSAY_LINK_CORRUPT, cuts = fault->kind == ASSAY_LINK_TRUNCATE;
    if ((flips || cuts) && fault->open && size > 0) {
        fault->size = fault->draw % size;
        fault->mask = (uint8_t)(1u << (fault->draw >> 61));
        fault->open = false;
    }
    return !(flips || cuts) || (!fault->open && fault->size < size);
}
