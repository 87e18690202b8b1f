/* Constants of guards, and the numbers at which guards change their mind. */
#include <stdlib.h>
#include <string.h>

#include "conformance/lens.h"
#include "conformance/witness.h"
#include "core/code.h"

void assay_atoms_add(struct assay_atoms *atoms, int64_t n)
{
    int64_t *to = assay_items_add((void **)&atoms->ints, &atoms->int_count, &atoms->int_cap, sizeof *to);
    *to = n;
}

static void add_around(struct assay_atoms *atoms, int64_t n)
{
    assay_atoms_add(atoms, n);
    if (n > INT64_MIN)
        assay_atoms_add(atoms, n - 1);
    if (n < INT64_MAX)
        assay_atoms_add(atoms, n + 1);
}

static void add_blob(struct assay_atoms *atoms, struct assay_blob blob)
{
    struct assay_blob *to = assay_items_add((void **)&atoms->blobs, &atoms->blob_count, &atoms->blob_cap, sizeof *to);
    *to = blob;
}

void assay_atoms_collect(const struct assay_model *model, uint16_t code, struct assay_atoms *atoms)
{
    if (code == ASSAY_NONE)
        return;
    for (uint32_t pc = code, end = assay_code_end(model, code); pc < end; pc++) {
        uint32_t ins = model->code[pc];
        unsigned b = assay_ins_b(ins);
        enum assay_op op = assay_ins_op(ins);
        if (op == ASSAY_OP_INT)
            add_around(atoms, (int16_t)b);
        else if (op == ASSAY_OP_WIDE || op == ASSAY_OP_WITHIN)
            add_around(atoms, model->ints[b]);
        else if (op == ASSAY_OP_BLOB)
            add_blob(atoms, model->blobs[b]);
        else if (op == ASSAY_OP_OPTION && model->types[model->options[b].type].kind >= ASSAY_T_BYTES)
            add_blob(atoms, model->options[b].blob);
        if (op == ASSAY_OP_WITHIN)
            add_around(atoms, model->ints[b + 1]);
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void assay_atoms_sort(struct assay_atoms *atoms)
{
    size_t kept = 0;
    if (atoms->int_count)
        qsort(atoms->ints, atoms->int_count, sizeof atoms->ints[0], by_value);
    for (size_t i = 0; i < atoms->int_count; i++)
        if (kept == 0 || atoms->ints[kept - 1] != atoms->ints[i])
            atoms->ints[kept++] = atoms->ints[i];
    atoms->int_count = kept;
}

void assay_atoms_free(struct assay_atoms *atoms)
{
    free(atoms->ints);
    free(atoms->blobs);
    *atoms = (struct assay_atoms){0};
}

/* ---- borders ----------------------------------------------------------- */

struct guard {
    struct assay_lens lens;
    assay_val *vars;
    const struct assay_input *base;
    uint16_t code, slot;
};

static void load_slots(struct assay_lens *lens, uint16_t frame, const struct assay_input *input)
{
    const struct assay_model *model = lens->env.model;
    struct assay_range ranges[] = {model->frames[frame].fields, model->messages[input->message].fields};
    assay_lens_clear(lens);
    for (size_t r = 0; r < 2; r++)
        for (uint32_t i = ranges[r].first; i < (uint32_t)ranges[r].first + ranges[r].count; i++) {
            const struct assay_field *f = &model->fields[i];
            if (f->slot == ASSAY_NONE || !(input->known >> f->slot & 1))
                continue;
            struct assay_value v = input->values[f->slot];
            uint8_t *p = NULL;
            if (model->types[f->type].kind >= ASSAY_T_BYTES && (p = assay_scratch(&lens->env, v.bytes.n)) && v.bytes.n)
                memcpy(p, v.bytes.p, v.bytes.n);
            lens->slots[f->slot] = p ? assay_scratch_val(&lens->env, p, v.bytes.n) : (assay_val)v.n;
            lens->env.known |= (uint64_t)1 << f->slot;
        }
}

static bool guard_holds(struct guard *g, int64_t n)
{
    uint32_t used = g->lens.env.scratch_used;
    g->lens.slots[g->slot] = (assay_val)n;
    g->lens.env.known |= (uint64_t)1 << g->slot;
    bool holds = assay_holds(&g->lens.env, g->code);
    g->lens.env.scratch_used = used;
    return holds;
}

/* Between low and high the guard changes at least once; find one place. */
static void bisect(struct guard *g, int64_t low, int64_t high, struct assay_atoms *atoms)
{
    bool at_low = guard_holds(g, low);
    while ((uint64_t)high - (uint64_t)low > 1) {
        int64_t middle = low + (int64_t)(((uint64_t)high - (uint64_t)low) / 2);
        if (guard_holds(g, middle) == at_low)
            low = middle;
        else
            high = middle;
    }
    assay_atoms_add(atoms, low);
    assay_atoms_add(atoms, high);
}

static void search(struct guard *g, const struct assay_atoms *points, struct assay_atoms *atoms)
{
    for (size_t i = 0; i + 1 < points->int_count; i++)
        if (guard_holds(g, points->ints[i]) != guard_holds(g, points->ints[i + 1]))
            bisect(g, points->ints[i], points->ints[i + 1], atoms);
}

static void keep_within(struct assay_atoms *atoms, int64_t min, int64_t max)
{
    size_t kept = 0;
    for (size_t i = 0; i < atoms->int_count; i++)
        if (atoms->ints[i] >= min && atoms->ints[i] <= max)
            atoms->ints[kept++] = atoms->ints[i];
    atoms->int_count = kept;
}

/* Where to look: the seeds, the ends and powers of two. */
static void add_points(const struct assay_atoms *seeds, int64_t min, int64_t max, struct assay_atoms *points)
{
    for (size_t i = 0; i < seeds->int_count; i++)
        assay_atoms_add(points, seeds->ints[i]);
    assay_atoms_add(points, min);
    assay_atoms_add(points, max);
    for (unsigned bit = 0; bit < 62; bit += 2) {
        assay_atoms_add(points, (int64_t)1 << bit);
        assay_atoms_add(points, -((int64_t)1 << bit));
    }
    keep_within(points, min, max);
    assay_atoms_sort(points);
}

static bool names_event(const struct assay_witness_config *config, uint16_t rule, uint16_t event)
{
    const struct assay_model *model = config->model;
    struct assay_range states = model->machines[config->machine].states;
    for (uint32_t s = states.first; s < (uint32_t)states.first + states.count; s++) {
        uint16_t at = model->transitions[(size_t)s * model->events_count + event];
        for (const uint16_t *r = at == ASSAY_NONE ? NULL : &model->rule_lists[at]; r && *r != ASSAY_NONE; r++)
            if (*r == rule)
                return true;
    }
    return false;
}

void assay_atoms_borders(const struct assay_witness_config *config, uint16_t message, uint16_t slot,
                         const struct assay_input *base, int64_t min, int64_t max, struct assay_atoms *atoms)
{
    const struct assay_model *model = config->model;
    struct assay_atoms points = {0};
    struct guard g = {.base = base, .slot = slot};
    add_points(atoms, min, max, &points);
    g.vars = calloc(model->vars_count + 1u, sizeof *g.vars);
    if (!g.vars || !assay_lens_init(&g.lens, model, config->options, config->leniencies, 2 * model->frame_max))
        abort();
    for (uint16_t i = 0; i < model->vars_count; i++)
        g.vars[i] = model->types[model->vars[i].type].kind >= ASSAY_T_BYTES ? ASSAY_VAL_EMPTY : 0;
    g.lens.env.vars = g.vars;
    load_slots(&g.lens, assay_frame_in(config), base);
    for (uint16_t r = 0; r < model->rules_count; r++) {
        g.code = model->rules[r].guard;
        if (g.code != ASSAY_NONE && names_event(config, r, model->messages[message].event))
            search(&g, &points, atoms);
    }
    assay_lens_free(&g.lens);
    free(g.vars);
    assay_atoms_free(&points);
}
