#include "compiler/types.h"

#include <string.h>

const struct spec_type assay_type_int = {.name = "number", .kind = ASSAY_T_INT, .min = INT64_MIN, .max = INT64_MAX};
const struct spec_type assay_type_bool = {.name = "bool", .kind = ASSAY_T_BOOL, .max = 1};
const struct spec_type assay_type_duration = {
    .name = "duration", .kind = ASSAY_T_DURATION, .min = INT64_MIN, .max = INT64_MAX};
const struct spec_type assay_type_bytes = {.name = "bytes", .kind = ASSAY_T_BYTES, .max = UINT32_MAX};
const struct spec_type assay_type_any = {.name = "any", .kind = SPEC_T_ANY, .min = INT64_MIN, .max = INT64_MAX};
const struct spec_type assay_type_list = {.name = "list", .kind = ASSAY_T_LIST, .max = UINT32_MAX};

const char *assay_type_says(const struct spec_type *type)
{
    static _Thread_local char texts[2][80];
    static _Thread_local unsigned turn;
    if (type->kind == ASSAY_T_ENUM) {
        char *text = texts[turn++ % 2];
        snprintf(text, sizeof texts[0], "a value of %s", type->of && type->of->name ? type->of->name : "an enum");
        return text;
    }
    static const char *const names[] = {
        [ASSAY_T_INT] = "a number",        [ASSAY_T_BOOL] = "true or false", [ASSAY_T_ENUM] = "an enum",
        [ASSAY_T_DURATION] = "a duration", [ASSAY_T_BYTES] = "bytes",        [ASSAY_T_TEXT] = "text",
        [ASSAY_T_LIST] = "a list",
    };
    return type->kind <= ASSAY_T_LIST ? names[type->kind] : type->kind == SPEC_T_NONE ? "nothing" : "anything";
}

bool assay_type_usable(const struct spec_type *wanted, const struct spec_type *is)
{
    if (wanted->kind == SPEC_T_ANY || is->kind == SPEC_T_ANY)
        return true;
    if (assay_kind_is_bytes(wanted->kind))
        return assay_kind_is_bytes(is->kind);
    if (wanted->kind != is->kind)
        return false;
    if (wanted->kind == ASSAY_T_ENUM)
        return wanted->of == is->of;
    if (wanted->kind == ASSAY_T_LIST)
        return !wanted->element || !is->element || assay_type_usable(wanted->element, is->element);
    return wanted->kind != SPEC_T_NONE;
}

const struct spec_enum_item *assay_enum_item_named(const struct spec_enum *e, const char *name)
{
    if (e)
        SPEC_EACH (struct spec_enum_item, item, &e->items)
            if (strcmp(item->name, name) == 0)
                return item;
    return NULL;
}

struct spec_enum *assay_find_enum(const struct assay_spec *spec, const char *name)
{
    SPEC_EACH (struct spec_enum, e, &spec->enums)
        if (e->name && strcmp(e->name, name) == 0)
            return e;
    return NULL;
}
