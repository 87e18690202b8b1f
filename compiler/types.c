#include "compiler/types.h"

#include <stdlib.h>
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
    return type->kind <= ASSAY_T_LIST    ? names[type->kind]
           : type->kind == SPEC_T_NONE   ? "nothing"
           : type->kind == SPEC_T_RECORD ? "a record"
                                         : "anything";
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
    return wanted->kind != SPEC_T_NONE && wanted->kind != SPEC_T_RECORD;
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

/* ---- built-in names ---------------------------------------------------- */

static void set_int(struct spec_type *t, unsigned bits, bool is_signed)
{
    t->kind = ASSAY_T_INT;
    t->form = ASSAY_FORM_INT;
    t->bits = (uint8_t)bits;
    t->wire = t->bounded = true;
    t->min = is_signed ? INT64_MIN >> (64 - bits) : 0;
    t->max = is_signed || bits == 64 ? INT64_MAX >> (is_signed ? 64 - bits : 0) : (int64_t)(((uint64_t)1 << bits) - 1);
    t->flags = is_signed ? ASSAY_F_SIGNED : 0;
}

/* u1..u64, i2..i64, with be or le behind. */
static bool int_name(struct assay_spec *spec, const char *name, struct spec_type *t)
{
    char *end;
    if ((name[0] != 'u' && name[0] != 'i') || name[1] < '1' || name[1] > '9')
        return false;
    unsigned long bits = strtoul(name + 1, &end, 10);
    bool is_signed = name[0] == 'i', big = strcmp(end, "be") == 0, little = strcmp(end, "le") == 0;
    if (bits > 64 || (is_signed && bits < 2) || (*end && ((!big && !little) || bits % 8)))
        return false;
    set_int(t, (unsigned)bits, is_signed);
    if (little || (!big && spec->little && bits % 8 == 0))
        t->flags |= ASSAY_F_LITTLE;
    return true;
}

static bool builtin(struct assay_spec *spec, const char *name, struct spec_type *t)
{
    static const struct {
        const char *name;
        uint8_t kind, charset;
    } values[] = {{"bytes", ASSAY_T_BYTES, ASSAY_CS_BYTES},
                  {"text", ASSAY_T_TEXT, ASSAY_CS_UTF8},
                  {"duration", ASSAY_T_DURATION, 0},
                  {"bool", ASSAY_T_BOOL, 0}};
    *t = (struct spec_type){.name = name};
    if (int_name(spec, name, t))
        return true;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        if (strcmp(values[i].name, name) != 0)
            continue;
        t->kind = values[i].kind;
        t->charset = values[i].charset;
        t->max = t->kind == ASSAY_T_DURATION ? INT64_MAX : UINT32_MAX;
        if (t->kind == ASSAY_T_BOOL) {
            t->max = t->bits = 1;
            t->form = ASSAY_FORM_INT;
            t->wire = t->bounded = true;
        }
        return true;
    }
    return false;
}

struct spec_type *assay_type_builtin(struct assay_spec *spec, const char *name)
{
    struct spec_type t;
    if (!builtin(spec, name, &t))
        return NULL;
    t.name = assay_arena_text(&spec->arena, name, strlen(name));
    return assay_arena_copy(&spec->arena, &t, sizeof t);
}
