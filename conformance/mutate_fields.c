/* Mutation operators: fields on the wire and their types. */
#include "conformance/operator.h"

static const char *name_of(const struct assay_lab *lab)
{
    const char *name = lab->m->fields[lab->mutation->index].name;
    return name ? name : "padding";
}

/* A type of its own for a field: others that share it are not changed. */
static struct assay_type *own_type(struct assay_lab *lab)
{
    struct assay_field *f = assay_lab_field(lab);
    ASSAY_OWN(lab, types, 1);
    struct assay_type *t = ASSAY_MUTABLE(struct assay_type, &lab->m->types[lab->m->types_count]);
    *t = lab->m->types[f->type];
    f->type = lab->m->types_count++;
    return t;
}

static void each_flag(struct assay_lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    bool number = f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_VARINT;
    if ((f->form == ASSAY_FORM_INT && f->bits > 8) || f->form == ASSAY_FORM_VARINT ||
        (f->extent == ASSAY_EXT_PREFIX && !number && f->extent_arg != 8))
        assay_mutation_add(l, field, ASSAY_F_LITTLE, 0);
    if (f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_DECIMAL)
        assay_mutation_add(l, field, ASSAY_F_SIGNED, 0);
    if (f->type != ASSAY_NONE && l->m->types[f->type].kind == ASSAY_T_ENUM && f->form == ASSAY_FORM_BYTES)
        assay_mutation_add(l, field, ASSAY_F_FOLD, 0);
}

static bool flag_wrong(struct assay_lab *lab)
{
    struct assay_field *f = assay_lab_field(lab);
    f->flags ^= (uint8_t)lab->mutation->at;
    assay_lab_say(lab,
                  lab->mutation->at == ASSAY_F_LITTLE   ? "wrong byte order of"
                  : lab->mutation->at == ASSAY_F_SIGNED ? "wrong sign of"
                                                        : "wrong case folding of",
                  name_of(lab));
    return true;
}

static void each_loose(struct assay_lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    for (unsigned bit = 1; bit <= ASSAY_LOOSE_TAIL && f->leniency != ASSAY_NONE; bit *= 2)
        if (f->form == ASSAY_FORM_DECIMAL || f->form == ASSAY_FORM_HEX || (f->loose & bit))
            assay_mutation_add(l, field, bit, 0);
}

static bool leniency_wrong(struct assay_lab *lab)
{
    assay_lab_field(lab)->loose ^= (uint8_t)lab->mutation->at;
    assay_lab_say(lab, "wrong leniency of", name_of(lab));
    return true;
}

static void each_computed(struct assay_lister *l, uint16_t field)
{
    if (l->m->fields[field].is == ASSAY_NONE || l->m->fields[field].form == ASSAY_FORM_CALC)
        return;
    assay_mutation_add(l, field, 0, 1);
    assay_mutation_add(l, field, 0, -1);
    assay_mutation_add(l, field, 0, 0);
}

static uint16_t code_plus(struct assay_lab *lab, uint16_t code, int32_t n)
{
    const uint32_t put[] = {assay_ins(ASSAY_OP_INT, 0, (unsigned)n & 0xffff), assay_ins(ASSAY_OP_ADD, 0, 0)};
    return assay_lab_rewrite(lab, code, assay_code_end(lab->m, code), 0, put, 2);
}

static bool computed_wrong(struct assay_lab *lab)
{
    struct assay_field *f = assay_lab_field(lab);
    if (lab->m->types[f->type].kind >= ASSAY_T_BYTES)
        return false;
    f->is = lab->mutation->variant ? code_plus(lab, f->is, lab->mutation->variant) : ASSAY_NONE;
    assay_lab_say(lab, lab->mutation->variant ? "computed off by one:" : "not checked:", name_of(lab));
    return f->is != ASSAY_NONE || lab->mutation->variant == 0;
}

static void each_length(struct assay_lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    if (f->form == ASSAY_FORM_INT || f->form == ASSAY_FORM_CONST || f->form == ASSAY_FORM_CALC)
        return;
    if (f->extent == ASSAY_EXT_CODE || f->extent == ASSAY_EXT_COUNT || f->extent == ASSAY_EXT_FIXED) {
        assay_mutation_add(l, field, 0, 1);
        assay_mutation_add(l, field, 0, -1);
    }
    if (f->extent == ASSAY_EXT_PREFIX)
        assay_mutation_add(l, field, 0, 8);
}

static bool length_wrong(struct assay_lab *lab)
{
    struct assay_field *f = assay_lab_field(lab);
    int32_t v = lab->mutation->variant;
    if (f->extent == ASSAY_EXT_CODE || f->extent == ASSAY_EXT_COUNT) {
        uint16_t code = code_plus(lab, f->extent_arg, v);
        if (code == ASSAY_NONE)
            return false;
        f->extent_arg = code;
    } else if (f->extent == ASSAY_EXT_FIXED) {
        if (f->extent_arg == 0 && v < 0)
            return false;
        f->extent_arg = (uint16_t)(f->extent_arg + v);
    } else {
        f->extent_arg = f->extent_arg == 8 ? 16 : 8;
    }
    assay_lab_say(lab, "wrong length of", name_of(lab));
    return true;
}

/* What can be wrong about a type. */
enum constraint {
    NOT_CHECKED,
    ENUM_OPEN,
    MIN_LESS,
    MIN_MORE,
    MAX_LESS,
    MAX_MORE,
    ANY_CHARACTER,
    ANY_BYTE,
};

static void each_type(struct assay_lister *l, uint16_t field)
{
    const struct assay_field *f = &l->m->fields[field];
    if (f->check != ASSAY_NONE)
        assay_mutation_add(l, field, 0, NOT_CHECKED);
    if (f->type == ASSAY_NONE || f->form == ASSAY_FORM_CONST)
        return;
    const struct assay_type *t = &l->m->types[f->type];
    if (t->kind == ASSAY_T_ENUM) {
        assay_mutation_add(l, field, 0, ENUM_OPEN);
        return;
    }
    for (int32_t v = MIN_LESS; v <= MAX_MORE; v++)
        assay_mutation_add(l, field, 0, v);
    if (t->kind == ASSAY_T_TEXT && t->charset != ASSAY_CS_BYTES)
        assay_mutation_add(l, field, 0, ANY_CHARACTER);
    if (t->set != ASSAY_NONE)
        assay_mutation_add(l, field, 0, ANY_BYTE);
}

static bool open_enum(struct assay_lab *lab)
{
    struct assay_type *t = own_type(lab);
    ASSAY_OWN(lab, enums, 1);
    struct assay_enum *e = ASSAY_MUTABLE(struct assay_enum, &lab->m->enums[lab->m->enums_count]);
    *e = lab->m->enums[t->of];
    e->open = true;
    t->of = lab->m->enums_count++;
    assay_lab_say(lab, "unknown values are taken:", name_of(lab));
    return !e->text;
}

static bool bound_moved(struct assay_lab *lab, enum constraint wrong)
{
    struct assay_type *t = own_type(lab);
    bool min = wrong == MIN_LESS || wrong == MIN_MORE;
    int64_t *bound = min ? &t->min : &t->max;
    if (__builtin_add_overflow(*bound, (int64_t)(wrong == MIN_MORE || wrong == MAX_MORE ? 1 : -1), bound))
        return false;
    if (t->kind >= ASSAY_T_BYTES && (t->min < 0 || t->max > ASSAY_BYTES_MAX))
        return false;
    assay_lab_say(lab, min ? "wrong minimum of" : "wrong maximum of", name_of(lab));
    return true;
}

static bool type_wrong(struct assay_lab *lab)
{
    switch ((enum constraint)lab->mutation->variant) {
    case NOT_CHECKED:
        assay_lab_field(lab)->check = ASSAY_NONE;
        assay_lab_say(lab, "not checked:", name_of(lab));
        return true;
    case ENUM_OPEN:
        return open_enum(lab);
    case MIN_LESS:
    case MIN_MORE:
    case MAX_LESS:
    case MAX_MORE:
        return bound_moved(lab, (enum constraint)lab->mutation->variant);
    case ANY_CHARACTER:
        own_type(lab)->charset = ASSAY_CS_BYTES;
        assay_lab_say(lab, "any character is taken in", name_of(lab));
        return true;
    case ANY_BYTE:
        own_type(lab)->set = ASSAY_NONE;
        assay_lab_say(lab, "any byte is taken in", name_of(lab));
        return true;
    }
    return false;
}

const struct assay_operator assay_operators_fields[] = {
    {"field-encoding", .fields = each_flag, .apply = flag_wrong},
    {"leniency-wrong", .fields = each_loose, .apply = leniency_wrong},
    {"computed-wrong", .fields = each_computed, .apply = computed_wrong},
    {"length-wrong", .fields = each_length, .apply = length_wrong},
    {"constraint-wrong", .fields = each_type, .apply = type_wrong},
    {0},
};
