#include "link/faults.h"

#include <stdlib.h>
#include <string.h>

#define NEVER UINT64_MAX

/* Blocks that a rule of a small rate looks ahead at once. */
#define LOOK_AHEAD 4096u

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
    const uint64_t words[] = {c->faults->plan.seed, c->flow, (uint64_t)c->direction, what, place};
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

static int three_way(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_walk(const struct assay_link_fault *a, uint32_t flow, enum assay_link_direction direction)
{
    int c = three_way(a->flow, flow);
    return c ? c : three_way(a->direction, direction);
}

/* The first planned fault of a walk, or of those that come after it. */
static size_t first_of(const struct assay_link_faults *f, uint32_t flow, enum assay_link_direction direction,
                       bool after)
{
    size_t lo = 0, hi = f->plan.count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = by_walk(&f->plan.faults[mid], flow, direction);
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
    return faults->plan.transport == ASSAY_LINK_STREAM ? ASSAY_LINK_BLOCK : 1;
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
        look_ahead(c, i, c->faults->plan.transport == ASSAY_LINK_DATAGRAMS);
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
        .flow = c->flow,
        .direction = c->direction,
        .at = at,
        .size = rule->size,
        .size_max = rule->size_max,
        .span = (int64_t)between(drawn, (uint64_t)rule->span, (uint64_t)rule->span_max),
        .mask = rule->mask,
        .open = rule->open,
        .draw = drawn,
    };
}

void assay_link_cursor_init(struct assay_link_cursor *cursor, const struct assay_link_faults *faults, uint32_t flow,
                            enum assay_link_direction direction)
{
    *cursor = (struct assay_link_cursor){.faults = faults, .flow = flow, .direction = direction};
    for (unsigned i = 0; i < faults->rules_count; i++)
        start_rule(cursor, i);
    for (unsigned i = 0; i < 2; i++) {
        cursor->planned[i].next = first_of(faults, i ? flow : 0, direction, false);
        cursor->planned[i].end = first_of(faults, i ? flow : 0, direction, true);
    }
}

static bool next_planned(struct assay_link_cursor *c, uint64_t place, struct assay_link_fault *fault)
{
    for (unsigned i = 0; i < 2; i++) {
        while (c->planned[i].next < c->planned[i].end && c->faults->plan.faults[c->planned[i].next].at <= place) {
            *fault = c->faults->plan.faults[c->planned[i].next++];
            fault->flow = c->flow;
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
        if (next < cursor->planned[i].end && cursor->faults->plan.faults[next].at < border)
            border = cursor->faults->plan.faults[next].at;
    }
    return border;
}

/* ---- what is not a matter of the walk ----------------------------------- */

static bool refused_by_rule(const struct assay_link_faults *faults, const struct assay_link_rule *rule, uint32_t n)
{
    struct assay_link_cursor c = {.faults = faults, .flow = n};
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

static bool refused_by_plan(const struct assay_link_faults *faults, uint32_t flow, struct assay_link_fault *fault)
{
    size_t end = first_of(faults, flow, ASSAY_LINK_UP, true);
    for (size_t i = first_of(faults, flow, ASSAY_LINK_UP, false); i < end; i++) {
        if (faults->plan.faults[i].kind != ASSAY_LINK_REFUSE)
            continue;
        *fault = faults->plan.faults[i];
        return true;
    }
    return false;
}

bool assay_link_refused(const struct assay_link_faults *faults, uint32_t n, struct assay_link_fault *fault)
{
    *fault = (struct assay_link_fault){.kind = ASSAY_LINK_REFUSE};
    bool refused = refused_by_plan(faults, 0, fault) || refused_by_plan(faults, n, fault);
    for (unsigned i = 0; i < faults->rules_count && !refused; i++)
        refused = refused_by_rule(faults, &faults->rules[i], n);
    fault->flow = n;
    return refused;
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
