/* Fields that are more than a value: what stands ahead, pairs, JSON objects; and the lines of a terminal. */
#include <string.h>

#include "compiler/lower.h"

/* ---- ahead ------------------------------------------------------------- */

/* One of the fields has a value; pairs are not empty besides. */
static uint16_t gen_written(struct lower *l, const struct spec_ahead *ahead)
{
    uint16_t skips[ASSAY_SLOTS_MAX], at = assay_here(l);
    size_t count = 0;
    SPEC_EACH (struct spec_field, f, &ahead->of) {
        if (count > 0 && count < ASSAY_SLOTS_MAX)
            skips[count - 1] = assay_emit(l, ASSAY_OP_OR_ELSE, 0, 0);
        assay_emit(l, ASSAY_OP_KNOWN, 0, f->slot);
        if (f->type->form == ASSAY_FORM_PAIRS) {
            uint16_t unknown = assay_emit(l, ASSAY_OP_AND_ELSE, 0, 0);
            assay_emit(l, ASSAY_OP_SLOT, 0, f->slot);
            assay_emit(l, ASSAY_OP_SIZE, 0, 0);
            assay_gen_int(l, 0);
            assay_emit(l, ASSAY_OP_GT, 0, 0);
            assay_patch(l, unknown);
        }
        count++;
    }
    for (size_t i = 0; i + 1 < count; i++)
        assay_patch(l, skips[i]);
    if (count == 0)
        assay_gen_int(l, 0);
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

static void lower_ahead(struct lower *l, const struct spec_ahead *ahead, struct assay_field *f)
{
    struct assay_ahead out = {.kind = ahead->kind, .text = ahead->text, .before = ASSAY_NONE};
    if (ahead->before.count)
        out.before = assay_lower_delims(l, &ahead->before);
    f->is = gen_written(l, ahead);
    f->element = assay_push(l, &l->aheads, &out, sizeof out);
}

/* ---- pairs ------------------------------------------------------------- */

static uint16_t lower_pairs(struct lower *l, struct spec_pairs *pairs)
{
    struct assay_pairs out = pairs->is;
    out.quote_if = assay_lower_set(l, pairs->quote_if);
    out.name_type = assay_lower_type(l, pairs->name);
    out.value_type = assay_lower_type(l, pairs->value);
    out.name_first = assay_lower_set(l, pairs->name->first);
    out.value_first = assay_lower_set(l, pairs->value->first);
    out.req = pairs->req ? pairs->req->index : ASSAY_NONE;
    pairs->index = assay_push(l, &l->pairs, &out, sizeof out);
    return pairs->index;
}

static void lower_member(struct lower *l, const struct spec_field *field, struct assay_field *f)
{
    f->flags |= ASSAY_F_MEMBER | (field->optional ? ASSAY_F_OPTIONAL : 0);
    f->element = field->pairs->index;
    f->extent = ASSAY_EXT_REST;
    f->extent_arg = assay_lower_blob(l, field->key);
}

/* When a field is there: as it says, and nothing else gives it its value. */
uint16_t assay_gen_presence(struct lower *l, const struct spec_field *field)
{
    uint16_t at = assay_here(l), skip = ASSAY_NONE;
    if (!field->unless)
        return assay_gen_value(l, field->present);
    assay_emit(l, ASSAY_OP_SLOT, 0, field->unless->slot);
    assay_emit(l, ASSAY_OP_NOT, 0, 0);
    if (field->present) {
        skip = assay_emit(l, ASSAY_OP_AND_ELSE, 0, 0);
        assay_gen_expr(l, field->present);
        assay_patch(l, skip);
    }
    assay_emit(l, ASSAY_OP_END, 0, 0);
    return at;
}

/* ---- objects ----------------------------------------------------------- */

static void may_lack(struct lower *l, const struct spec_field *field)
{
    if (assay_may_lack(field))
        ((struct assay_field *)l->fields.items)[field->index].flags |= ASSAY_F_OPTIONAL;
}

static uint16_t lower_object(struct lower *l, const struct spec_object *o)
{
    struct assay_object out = {.members = {(uint16_t)l->object_members.count, (uint16_t)o->members.count}};
    SPEC_EACH (struct spec_object_member, m, &o->members) {
        PUSH(l, object_members, struct assay_object_member, {.name = m->name, .field = m->field->index});
        may_lack(l, m->field);
    }
    if (o->rest_field)
        may_lack(l, o->rest_field);
    out.rest = o->rest_field ? o->rest_field->index : ASSAY_NONE;
    return assay_push(l, &l->objects, &out, sizeof out);
}

void assay_lower_objects(struct lower *l, const struct spec_list *fields)
{
    SPEC_EACH (struct spec_field, f, fields)
        if (f->type->form == ASSAY_FORM_OBJECT) {
            uint16_t object = lower_object(l, f->type->object);
            ((struct assay_field *)l->fields.items)[f->index].element = object;
        }
}

void assay_lower_structured(struct lower *l, const struct spec_field *field, struct assay_field *f)
{
    if (field->ahead)
        lower_ahead(l, field->ahead, f);
    if (field->type->form == ASSAY_FORM_PAIRS)
        f->element = lower_pairs(l, field->type->pairs);
    if (field->pairs)
        lower_member(l, field, f);
}

/* ---- the terminal ------------------------------------------------------ */

static uint16_t *no_lines(struct lower *l, size_t count)
{
    uint16_t *lines = assay_arena_alloc(&l->spec->arena, (count + 1) * sizeof *lines);
    for (size_t i = 0; i <= count; i++)
        lines[i] = ASSAY_NONE;
    return lines;
}

void assay_lower_terminal(struct lower *l)
{
    struct assay_spec *spec = l->spec;
    uint16_t *calls = no_lines(l, spec->calls.count), *effects = no_lines(l, spec->effects.count);
    if (!assay_node_get(spec->root, "terminal"))
        return;
    SPEC_EACH (struct spec_terminal_line, line, &spec->terminal) {
        l->args = line->call ? &line->call->args : &line->effect->args;
        uint16_t code = assay_gen_value(l, line->text);
        if (line->call)
            calls[line->call->index] = code;
        else
            effects[line->effect->index] = code;
        assay_need_scratch(l, 1024 + assay_scratch_max(line->text));
    }
    l->args = NULL;
    spec->shown = ASSAY_NEW(&spec->arena, struct assay_terminal);
    *spec->shown = (struct assay_terminal){calls, effects};
}
