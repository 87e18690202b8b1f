#include "conformance/mutate.h"
#include "conformance/operator.h"
#include "conformance/side.h"

static const struct assay_operator *const families[] = {
    assay_operators_rules,    assay_operators_actions,   assay_operators_states, assay_operators_fields,
    assay_operators_messages, assay_operators_timers,    assay_operators_text,   assay_operators_calls,
    assay_operators_reliable, assay_operators_strangers,
};
#define FAMILIES (sizeof families / sizeof families[0])

/* The operator of a kind: operators are numbered through all families. NULL: there are fewer. */
static const struct assay_operator *operator_at(size_t kind)
{
    for (size_t i = 0; i < FAMILIES; i++)
        for (const struct assay_operator *op = families[i]; op->name; op++)
            if (kind-- == 0)
                return op;
    return NULL;
}

size_t assay_mutation_operators(void)
{
    size_t count = 0;
    while (operator_at(count))
        count++;
    return count;
}

const char *assay_mutation_operator(size_t i)
{
    return operator_at(i)->name;
}

/* ---- the places of an operator ----------------------------------------- */

static void list_instructions(struct assay_lister *l, const struct assay_operator *op, uint16_t rule,
                              enum assay_part part)
{
    uint16_t code = assay_part_of(&l->m->rules[rule], part);
    if (code == ASSAY_NONE)
        return;
    for (uint32_t pc = code, end = assay_code_end(l->m, code); pc < end; pc++)
        if (op->code)
            op->code(l, rule, part, pc);
        else if (part != ASSAY_PART_GUARD && assay_ins_op(l->m->code[pc]) == op->action)
            assay_mutation_add(l, rule, pc, 0);
}

static bool is_on_rules(const struct assay_operator *op)
{
    return op->rules || op->code || op->action;
}

static void list_on_rules(struct assay_lister *l, const struct assay_operator *op)
{
    for (uint16_t r = 0; r < l->m->rules_count; r++) {
        if (l->m->rules[r].machine != l->machine)
            continue;
        if (op->rules)
            op->rules(l, r);
        else
            for (enum assay_part p = ASSAY_PART_GUARD; p < ASSAY_PARTS; p++)
                list_instructions(l, op, r, p);
    }
}

static bool in_range(struct assay_range range, uint32_t i)
{
    return i >= range.first && i < (uint32_t)range.first + range.count;
}

/* Whether the machine reads or writes the field. */
static bool on_wire(const struct assay_lister *l, uint16_t field)
{
    const struct assay_model *m = l->m;
    const struct assay_machine *judged = &m->machines[l->machine];
    if (in_range(m->frames[judged->frame_in].fields, field) || in_range(m->frames[judged->frame_out].fields, field))
        return true;
    for (uint16_t k = 0; k < m->messages_count; k++)
        if (in_range(m->messages[k].fields, field) && assay_known_in(m, judged->frame_in, k))
            return true;
    return false;
}

static void list_places(struct assay_lister *l, const struct assay_operator *op)
{
    if (is_on_rules(op))
        list_on_rules(l, op);
    for (uint16_t i = 0; op->fields && i < l->m->fields_count; i++)
        if (on_wire(l, i))
            op->fields(l, i);
    if (op->model)
        op->model(l);
}

void assay_mutations_list(const struct assay_model *model, uint16_t machine, struct assay_mutations *mutations)
{
    const struct assay_operator *op;
    for (uint16_t kind = 0; (op = operator_at(kind)); kind++) {
        struct assay_lister l = {model, machine, mutations, kind};
        list_places(&l, op);
    }
}

/* ---- a mutant ---------------------------------------------------------- */

static void place(struct assay_mutant *mutant, const struct assay_model *model)
{
    const char *text = mutant->text ? mutant->text : "";
    if (mutant->rule != ASSAY_NONE && mutant->req == ASSAY_NONE)
        mutant->req = model->rules[mutant->rule].req;
    if (mutant->rule != ASSAY_NONE)
        mutant->text =
            assay_store_text(&mutant->store, "%s (rule in line %u)", text, (unsigned)model->rules[mutant->rule].line);
}

bool assay_mutant_make(const struct assay_model *model, uint16_t machine, const struct assay_mutation *mutation,
                       struct assay_mutant *mutant)
{
    const struct assay_operator *op = operator_at(mutation->kind);
    *mutant = (struct assay_mutant){.model = *model, .kind = op->name, .rule = ASSAY_NONE, .req = ASSAY_NONE};
    struct assay_lab lab = {mutant, &mutant->model, mutation, machine};
    uint32_t where;
    if (is_on_rules(op))
        mutant->rule = mutation->index;
    if (op->fields)
        mutant->req = model->fields[mutation->index].req;
    if (!(op->apply ? op->apply(&lab) : assay_lab_replace(&lab, 1, NULL, 0, op->cut)))
        return false;
    place(mutant, model);
    return assay_code_verify(&mutant->model, &where);
}

void assay_mutant_free(struct assay_mutant *mutant)
{
    assay_store_free(&mutant->store);
}
