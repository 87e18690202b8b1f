#include "core/members.h"

#include <string.h>

#include "core/number.h"
#include "core/pairs.h"

/* What a member of the message holds; `there`: it holds something. False: it must not be like that. */
static bool value_of(struct assay_env *env, const struct assay_field *f, bool *there)
{
    uint16_t code = f->is != ASSAY_NONE ? f->is : f->init;
    assay_val v;
    *there = false;
    if (f->present != ASSAY_NONE && !assay_holds(env, f->present))
        return true;
    if (code != ASSAY_NONE && (f->is != ASSAY_NONE || !assay_slot_known(env, f->slot)) && assay_eval(env, code, &v))
        assay_slot_set(env, f->slot, v);
    *there = assay_slot_known(env, f->slot);
    if (!*there)
        return f->flags & ASSAY_F_OPTIONAL;
    return assay_fits_quick(env, f->type, env->slots[f->slot]) == ASSAY_FIT && assay_holds(env, f->check);
}

/* Digits go to scratch. */
static bool number_text(struct assay_env *env, const struct assay_field *f, assay_val v, struct assay_span *s)
{
    bool decimal = f->form == ASSAY_FORM_DECIMAL;
    uint8_t *to = assay_scratch(env, ASSAY_DECIMAL_MAX);
    if (!to || ((int64_t)v < 0 && (!decimal || !(f->flags & ASSAY_F_SIGNED))))
        return false;
    *s = (struct assay_span){to, decimal ? assay_format_decimal((int64_t)v, to) : assay_format_hex(v, to)};
    return true;
}

static bool text_of(struct assay_env *env, const struct assay_field *f, struct assay_span *s)
{
    assay_val v = env->slots[f->slot];
    const struct assay_type *type = &env->model->types[f->type];
    if (f->form != ASSAY_FORM_BYTES)
        return number_text(env, f, v, s);
    *s = assay_bytes(env, v);
    if (type->kind == ASSAY_T_ENUM) {
        struct assay_blob text = env->model->enum_items[env->model->enums[type->of].items.first + v].text;
        *s = (struct assay_span){text.p, text.n};
    }
    return true;
}

static bool is_member(const struct assay_field *f, uint16_t pairs)
{
    return (f->flags & ASSAY_F_MEMBER) && f->element == pairs;
}

/* All members of one field of pairs to the end of its list. `field`: the first that cannot be. */
static bool add_members(struct assay_env *env, const struct assay_grammar *g, struct assay_range fields, uint16_t pairs,
                        struct assay_pair_list *list, uint16_t *field)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        bool there;
        struct assay_span value;
        if (!is_member(f, pairs))
            continue;
        *field = (uint16_t)i;
        if (!value_of(env, f, &there))
            return false;
        struct assay_blob name = env->model->blobs[f->extent_arg];
        if (there && (!text_of(env, f, &value) ||
                      !assay_pair_list_add(env, g, list, (struct assay_span){name.p, name.n}, value)))
            return false;
    }
    return true;
}

static uint32_t members_of(const struct assay_model *model, struct assay_range fields, uint16_t pairs)
{
    uint32_t count = 0;
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++)
        count += is_member(&model->fields[i], pairs);
    return count;
}

/* The pairs that were given, in canonical form. */
static bool given_pairs(struct assay_env *env, const struct assay_grammar *g, const struct assay_field *pairs,
                        struct assay_span *text, uint32_t *count)
{
    bool same;
    assay_val made;
    *text = (struct assay_span){NULL, 0};
    *count = 0;
    if (!assay_slot_known(env, pairs->slot))
        return true;
    *text = assay_bytes(env, env->slots[pairs->slot]);
    if (!assay_pairs_canonical(env, pairs->element, *text, &same, &made))
        return false;
    if (!same)
        *text = assay_bytes(env, made);
    return assay_pairs_survey(env, g, *text, count, &same);
}

static void keep(struct assay_env *env, struct assay_merged *merged, uint16_t slot)
{
    uint64_t bit = (uint64_t)1 << slot;
    merged->slots |= bit;
    merged->known |= env->known & bit;
    merged->was[slot] = env->slots[slot];
}

static bool merge_into(struct assay_env *env, const struct assay_message *m, uint16_t pairs, uint32_t members,
                       struct assay_merged *merged, uint16_t *field)
{
    const struct assay_field *f = &env->model->fields[pairs];
    struct assay_grammar g;
    struct assay_pair_list list;
    struct assay_span given;
    uint32_t count;
    bool canonical;
    assay_val made;
    assay_grammar_open(&g, env->model, f->element);
    *field = pairs;
    if (!given_pairs(env, &g, f, &given, &count) || !assay_pair_list_open(env, &list, count + members))
        return false;
    assay_pair_list_take(&g, &list, given);
    if (!add_members(env, &g, m->fields, pairs, &list, field))
        return false;
    *field = pairs;
    if (list.count == count) /* no member holds anything */
        return true;
    if (!assay_pair_list_close(env, &g, &list, ASSAY_DUP_LAST, &made) ||
        !assay_pairs_survey(env, &g, assay_bytes(env, made), &count, &canonical))
        return false;
    keep(env, merged, f->slot);
    assay_slot_set(env, f->slot, made);
    return true;
}

static bool merge_all(struct assay_env *env, struct assay_range fields, const struct assay_message *m,
                      struct assay_merged *merged, uint16_t *field)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        uint32_t members =
            env->model->fields[i].form == ASSAY_FORM_PAIRS ? members_of(env->model, m->fields, (uint16_t)i) : 0;
        if (members && !merge_into(env, m, (uint16_t)i, members, merged, field))
            return false;
    }
    return true;
}

bool assay_members_merge(struct assay_env *env, const struct assay_frame *frame, const struct assay_message *m,
                         struct assay_merged *merged, uint16_t *field)
{
    merged->slots = merged->known = 0;
    return merge_all(env, frame->fields, m, merged, field) && merge_all(env, m->fields, m, merged, field);
}

void assay_members_restore(struct assay_env *env, const struct assay_merged *merged)
{
    for (uint64_t left = merged->slots; left; left &= left - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(left);
        env->slots[slot] = merged->was[slot];
    }
    env->known = (env->known & ~merged->slots) | merged->known;
}
