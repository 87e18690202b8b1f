/* Whether values belong to their types, and the texts of enums. */
#include <string.h>

#include "core/fields.h"
#include "core/number.h"

static enum assay_fit within(const struct assay_type *type, int64_t x)
{
    return type->min <= x && x <= type->max ? ASSAY_FIT : ASSAY_FIT_OUTSIDE;
}

static enum assay_fit enum_fits(const struct assay_model *model, uint16_t of, int64_t x)
{
    const struct assay_enum *e = &model->enums[of];
    if (e->text)
        return x >= 0 && x < e->items.count ? ASSAY_FIT : ASSAY_FIT_UNNAMED;
    for (uint32_t i = 0; !e->open && i < e->items.count; i++)
        if (model->enum_items[e->items.first + i].value == x)
            return ASSAY_FIT;
    return e->open ? ASSAY_FIT : ASSAY_FIT_UNNAMED;
}

static bool set_holds(const struct assay_byteset *set, struct assay_span s)
{
    for (uint32_t i = 0; i < s.n; i++)
        if (!assay_set_has(set, s.p[i]))
            return false;
    return true;
}

enum assay_fit assay_span_fits(const struct assay_model *model, uint16_t index, struct assay_span s)
{
    const struct assay_type *type = &model->types[index];
    if (within(type, s.n) != ASSAY_FIT)
        return ASSAY_FIT_OUTSIDE;
    if (type->kind == ASSAY_T_TEXT && !assay_charset_holds((enum assay_charset)type->charset, s))
        return ASSAY_FIT_OUTSIDE;
    if (type->set != ASSAY_NONE && !set_holds(&model->sets[type->set], s))
        return ASSAY_FIT_OUTSIDE;
    return ASSAY_FIT;
}

/* A list of lists does not exist, so this goes one level deep only. */
static enum assay_fit list_fits(const struct assay_env *env, const struct assay_type *type, assay_val v)
{
    struct assay_span items = assay_bytes(env, v);
    enum assay_fit fit = within(type, items.n / 8);
    for (uint32_t at = 0; fit == ASSAY_FIT && type->of != ASSAY_NONE && at < items.n; at += 8)
        fit = assay_fits(env, type->of, (assay_val)assay_load_item(items.p + at));
    return fit;
}

enum assay_fit assay_fits(const struct assay_env *env, uint16_t index, assay_val v)
{
    if (index == ASSAY_NONE)
        return ASSAY_FIT;
    const struct assay_type *type = &env->model->types[index];
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
    case ASSAY_T_DURATION:
        return within(type, (int64_t)v);
    case ASSAY_T_BOOL:
        return v <= 1 ? ASSAY_FIT : ASSAY_FIT_OUTSIDE;
    case ASSAY_T_ENUM:
        return enum_fits(env->model, type->of, (int64_t)v);
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        return assay_span_fits(env->model, index, assay_bytes(env, v));
    case ASSAY_T_LIST:
        return list_fits(env, type, v);
    }
    return ASSAY_FIT_OUTSIDE;
}

static uint8_t lower(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? c | 0x20 : c;
}

static bool same_text(struct assay_blob x, struct assay_span y, bool fold)
{
    if (x.n != y.n)
        return false;
    if (!fold)
        return x.n == 0 || memcmp(x.p, y.p, x.n) == 0;
    for (uint32_t i = 0; i < x.n; i++)
        if (lower(x.p[i]) != lower(y.p[i]))
            return false;
    return true;
}

bool assay_enum_find(const struct assay_model *model, uint16_t of, struct assay_span text, bool fold,
                     assay_val *ordinal)
{
    struct assay_range items = model->enums[of].items;
    for (uint32_t i = 0; i < items.count; i++)
        if (same_text(model->enum_items[items.first + i].text, text, fold)) {
            *ordinal = i;
            return true;
        }
    return false;
}

unsigned assay_loose(const struct assay_env *env, const struct assay_field *field)
{
    if (field->loose == 0 || field->leniency >= 64)
        return 0;
    return env->leniencies >> field->leniency & 1 ? field->loose : 0;
}
