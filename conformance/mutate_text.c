/* Mutation operators: structured text - pairs, members, objects, what stands around a message. */
#include "conformance/operator.h"
#include "conformance/side.h"

#define SPARE_SLOT (ASSAY_SLOTS_MAX - 1u)

/* ---- pairs ------------------------------------------------------------- */

enum pairs_fault { NOT_QUOTED, NOT_ESCAPED, FIRST_WINS, NOT_SORTED, ONE_MORE, ONE_LESS, PAIRS_FAULTS };

static void list_pairs(struct assay_lister *l)
{
    for (uint16_t i = 0; i < l->m->pairs_count; i++)
        for (int32_t v = NOT_QUOTED; v < PAIRS_FAULTS; v++)
            assay_mutation_add(l, i, 0, v);
}

/* The requirement of the field that holds such pairs. */
static uint16_t req_of_pairs(const struct assay_model *m, uint16_t pairs)
{
    for (uint16_t i = 0; i < m->fields_count; i++)
        if (m->fields[i].form == ASSAY_FORM_PAIRS && m->fields[i].element == pairs)
            return m->fields[i].req;
    return ASSAY_NONE;
}

static bool pairs_wrong(struct assay_lab *lab)
{
    static const char *const texts[] = {"values are not quoted",        "values are not escaped",
                                        "the first of two pairs holds", "pairs are not sorted",
                                        "one pair more is taken",       "one pair less is taken"};
    ASSAY_OWN(lab, pairs, 0);
    struct assay_pairs *p = ASSAY_MUTABLE(struct assay_pairs, &lab->m->pairs[lab->mutation->index]);
    const struct assay_pairs old = *p;
    switch ((enum pairs_fault)lab->mutation->variant) {
    case NOT_QUOTED:
        p->quote_if = ASSAY_NONE;
        break;
    case NOT_ESCAPED:
        p->escapes = 0;
        break;
    case FIRST_WINS:
        p->duplicates = ASSAY_DUP_FIRST;
        break;
    case NOT_SORTED:
        p->sorted = false;
        break;
    case ONE_MORE:
        p->most++;
        break;
    case ONE_LESS:
        p->most--;
        break;
    case PAIRS_FAULTS:
        return false;
    }
    bool grammar = p->sorted != old.sorted || p->duplicates != old.duplicates;
    lab->mutant->req = grammar && p->req != ASSAY_NONE ? p->req : req_of_pairs(lab->m, lab->mutation->index);
    assay_lab_say(lab, texts[lab->mutation->variant], "");
    return p->quote_if != old.quote_if || p->escapes != old.escapes || p->duplicates != old.duplicates ||
           p->sorted != old.sorted || (p->most != old.most && p->most > 0 && p->most <= ASSAY_PAIRS_MAX);
}

/* ---- fields that need not be there --------------------------------------- */

static const struct assay_field *field_of(const struct assay_lister *l, uint32_t slot)
{
    for (uint16_t i = 0; i < l->m->fields_count; i++)
        if (l->m->fields[i].slot == slot &&
            (l->m->fields[i].present != ASSAY_NONE || (l->m->fields[i].flags & ASSAY_F_MEMBER)))
            return &l->m->fields[i];
    return NULL;
}

static void each_optional(struct assay_lister *l, uint16_t rule, enum assay_part part, uint32_t pc)
{
    uint32_t ins = l->m->code[pc];
    const struct assay_field *f =
        part != ASSAY_PART_GUARD && assay_ins_op(ins) == ASSAY_OP_OUT ? field_of(l, assay_ins_b(ins)) : NULL;
    if (f)
        assay_mutation_add(l, rule, pc, (int32_t)(f - l->m->fields));
}

static bool left_out(struct assay_lab *lab)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_LOCAL, 0, SPARE_SLOT)};
    ASSAY_OWN(lab, fields, 0);
    struct assay_field *f = ASSAY_MUTABLE(struct assay_field, &lab->m->fields[lab->mutation->variant]);
    if (f->flags & ASSAY_F_MEMBER)
        f->flags |= ASSAY_F_OPTIONAL;
    return assay_lab_replace(
        lab, 1, put, 1, assay_store_text(&lab->mutant->store, "%s is left out in the", f->name ? f->name : "padding"));
}

/* ---- objects ----------------------------------------------------------- */

static void each_object(struct assay_lister *l, uint16_t field)
{
    if (l->m->fields[field].form == ASSAY_FORM_OBJECT)
        assay_mutation_add(l, field, 0, 0);
}

static bool object_refused(struct assay_lab *lab)
{
    const uint32_t never[] = {assay_ins(ASSAY_OP_INT, 0, 0), assay_ins(ASSAY_OP_END, 0, 0)};
    struct assay_field *f = assay_lab_field(lab);
    uint32_t *code = assay_lab_copy(lab, lab->m->code, lab->m->code_count, 2, sizeof *code);
    code[lab->m->code_count] = never[0];
    code[lab->m->code_count + 1] = never[1];
    f->present = lab->m->code_count;
    lab->m->code = code;
    lab->m->code_count = (uint16_t)(lab->m->code_count + 2);
    assay_lab_say(lab, "objects are", "not taken");
    return true;
}

/* ---- what stands around a message ---------------------------------------- */

enum around { NOT_TRIMMED, BLANK_COUNTS };

static void list_around(struct assay_lister *l)
{
    uint16_t index = l->m->machines[l->machine].frame_in;
    if (l->m->frames[index].trim != ASSAY_NONE)
        assay_mutation_add(l, index, 0, NOT_TRIMMED);
    if (l->m->frames[index].blank)
        assay_mutation_add(l, index, 0, BLANK_COUNTS);
}

static bool around_wrong(struct assay_lab *lab)
{
    bool trim = lab->mutation->variant == NOT_TRIMMED;
    ASSAY_OWN(lab, frames, 0);
    struct assay_frame *f = ASSAY_MUTABLE(struct assay_frame, &lab->m->frames[lab->mutation->index]);
    if (trim)
        f->trim = ASSAY_NONE;
    else
        f->blank = false;
    lab->mutant->req = assay_tag_req(lab->m, lab->mutation->index);
    assay_lab_say(lab, trim ? "what stands around a frame is" : "frames without content are",
                  trim ? "not trimmed" : "not ignored");
    return true;
}

const struct assay_operator assay_operators_text[] = {
    {"pairs-wrong", .model = list_pairs, .apply = pairs_wrong},
    {"field-left-out", .code = each_optional, .apply = left_out},
    {"object-refused", .fields = each_object, .apply = object_refused},
    {"around-wrong", .model = list_around, .apply = around_wrong},
    {0},
};
