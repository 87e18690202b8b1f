#include <stdlib.h>
#include <string.h>

#include "conformance/site.h"
#include "core/code.h"

static bool same_code(const struct assay_model *a, uint16_t x, const struct assay_model *b, uint16_t y)
{
    if (x == ASSAY_NONE || y == ASSAY_NONE)
        return x == y;
    uint32_t n = assay_code_end(a, x) - x;
    return n == assay_code_end(b, y) - y && memcmp(a->code + x, b->code + y, n * sizeof *a->code) == 0;
}

static bool same_rule(const struct assay_model *a, const struct assay_model *b, uint16_t rule)
{
    const struct assay_rule *x = &a->rules[rule], *y = &b->rules[rule];
    return same_code(a, x->guard, b, y->guard) && same_code(a, x->body, b, y->body) &&
           same_code(a, x->otherwise, b, y->otherwise) && x->flags == y->flags && x->level == y->level &&
           x->locals == y->locals && x->out_max == y->out_max;
}

static bool same_cell(const struct assay_model *a, const struct assay_model *b, size_t cell)
{
    uint16_t x = a->transitions[cell], y = b->transitions[cell];
    if (x == ASSAY_NONE || y == ASSAY_NONE)
        return x == y;
    const uint16_t *r = &a->rule_lists[x], *s = &b->rule_lists[y];
    for (; *r == *s && *r != ASSAY_NONE; r++, s++)
        if (!same_rule(a, b, *r))
            return false;
    return *r == *s;
}

static void compare_cells(struct assay_site *site, const struct assay_model *a, const struct assay_model *b)
{
    size_t cells = (size_t)a->states_count * a->events_count;
    for (size_t i = 0; i < cells; i++) {
        site->cells[i] = !same_cell(a, b, i);
        if (site->cells[i])
            site->events |= assay_fold((uint32_t)(i % a->events_count));
    }
    if (site->events & assay_fold(ASSAY_EV_CONNECT)) /* all of a session follows from how it began */
        site->everywhere = true;
}

/* A field of a frame is one of every message. */
static void touch_field(struct assay_site *site, const struct assay_model *m, uint16_t field)
{
    bool own = false;
    for (uint16_t k = 0; k < m->messages_count; k++) {
        struct assay_range r = m->messages[k].fields;
        if (field < r.first || field >= r.first + r.count)
            continue;
        own = true;
        site->messages |= assay_fold(k);
        site->faults |= assay_fold(m->messages[k].event);
    }
    site->everywhere = site->everywhere || !own;
}

static void compare_fields(struct assay_site *site, const struct assay_model *a, const struct assay_model *b)
{
    for (uint16_t i = 0; a->fields != b->fields && i < a->fields_count; i++)
        if (memcmp(&a->fields[i], &b->fields[i], sizeof *a->fields) != 0)
            touch_field(site, a, i);
    for (uint16_t i = 0; i < a->events_count; i++)
        if (a->events[i].kind == ASSAY_EVK_FAULT ||
            (a->events[i].kind == ASSAY_EVK_BUILTIN && i >= ASSAY_EV_MALFORMED && i <= ASSAY_EV_EOF_IN_FRAME))
            site->faults |= assay_fold(i);
    for (uint16_t k = 0; k < a->messages_count; k++) /* of frames that do not tell which message it is */
        site->everywhere =
            site->everywhere || (site->messages && a->messages[k].tag_kind == ASSAY_TAG_NONE && a->messages[k].from);
}

/* Some tables only grow: what is added matters where it is referred to. */
#define SAME_BEGINNING(a, b, table)                                                                                    \
    ((b)->table##_count >= (a)->table##_count &&                                                                       \
     ((a)->table == (b)->table || (a)->table##_count == 0 ||                                                           \
      memcmp((a)->table, (b)->table, (a)->table##_count * sizeof *(a)->table) == 0))

#define TAKE(to, from, table) ((to).table = (from)->table, (to).table##_count = (from)->table##_count)

static bool same_elsewhere(const struct assay_model *a, const struct assay_model *b)
{
    struct assay_model rest = *b;
    if (!SAME_BEGINNING(a, b, code) || !SAME_BEGINNING(a, b, types) || !SAME_BEGINNING(a, b, sets) ||
        !SAME_BEGINNING(a, b, blobs) || !SAME_BEGINNING(a, b, ints) || a->fields_count != b->fields_count)
        return false;
    TAKE(rest, a, code);
    TAKE(rest, a, types);
    TAKE(rest, a, sets);
    TAKE(rest, a, blobs);
    TAKE(rest, a, ints);
    TAKE(rest, a, fields);
    TAKE(rest, a, rules);
    rest.transitions = a->transitions;
    rest.rule_lists = a->rule_lists;
    rest.rule_lists_count = a->rule_lists_count;
    return a->rules_count == b->rules_count && memcmp(&rest, a, sizeof rest) == 0;
}

bool assay_site_find(struct assay_site *site, const struct assay_model *model, const struct assay_model *mutant)
{
    *site = (struct assay_site){.model = model};
    site->cells = calloc((size_t)model->states_count * model->events_count + 1, sizeof *site->cells);
    site->everywhere = !same_elsewhere(model, mutant);
    if (!site->cells || site->everywhere)
        return site->cells;
    compare_cells(site, model, mutant);
    compare_fields(site, model, mutant);
    return true;
}

void assay_site_free(struct assay_site *site)
{
    free(site->cells);
}

static bool cell(const struct assay_site *site, uint16_t state, uint16_t event)
{
    return state != ASSAY_NONE && site->cells[(size_t)state * site->model->events_count + event];
}

static bool any_state(const struct assay_site *site, uint16_t event)
{
    for (uint16_t s = 0; s < site->model->states_count; s++)
        if (cell(site, s, event))
            return true;
    return false;
}

/* Where an event met rules that are others there. What found no room was another event before. */
static bool meets_cell(const struct assay_site *site, const struct assay_met *met)
{
    bool all = met->events & assay_fold(ASSAY_EV_NO_ROOM), waits = met->wait != ASSAY_NONE || met->called;
    for (uint16_t e = 0; e < site->model->events_count; e++) {
        if (!(site->events & assay_fold(e)))
            continue;
        if (e == ASSAY_EV_AWAITED ? !waits && !met->many : !all && !(met->events & assay_fold(e)))
            continue;
        bool anywhere = met->many || met->called || all;
        if (anywhere ? any_state(site, e) : cell(site, met->state, e) || cell(site, met->wait, e))
            return true;
    }
    return false;
}

bool assay_site_touched(const struct assay_site *site, const struct assay_met *met)
{
    if (site->everywhere)
        return true;
    if (site->messages && (met->failed || met->messages & site->messages || met->events & site->faults))
        return true;
    return site->events && meets_cell(site, met);
}
