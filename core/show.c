#include "core/show.h"

#include <string.h>

#include "core/number.h"

#define SHOWN_BYTES 48u
#define SHOWN_ITEMS 12u
#define CUT         "..."

void assay_show(struct assay_text *text, const char *bytes, size_t n)
{
    size_t room = text->cap - text->n - 1, taken = n < room ? n : room;
    if (taken)
        memcpy(text->p + text->n, bytes, taken);
    text->n += taken;
    text->p[text->n] = '\0';
    if (taken < n && text->cap >= sizeof CUT)
        memcpy(text->p + text->cap - sizeof CUT, CUT, sizeof CUT);
}

void assay_show_name(struct assay_text *text, const char *name)
{
    size_t n = 0;
    while (name[n])
        n++;
    assay_show(text, name, n);
}

void assay_show_number(struct assay_text *text, int64_t value)
{
    uint8_t digits[ASSAY_DECIMAL_MAX];
    assay_show(text, (const char *)digits, assay_format_decimal(value, digits));
}

static void show_digits(struct assay_text *text, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    const char pair[] = {digits[byte >> 4], digits[byte & 15]};
    assay_show(text, pair, sizeof pair);
}

static void show_rest(struct assay_text *text, uint32_t n, uint32_t most, const char *of_what)
{
    if (n <= most)
        return;
    assay_show_name(text, CUT " ");
    assay_show_number(text, n);
    assay_show_name(text, of_what);
}

void assay_show_hex(struct assay_text *text, struct assay_span bytes, uint32_t most)
{
    for (uint32_t i = 0; i < bytes.n && i < most; i++)
        show_digits(text, bytes.p[i]);
    show_rest(text, bytes.n, most, " bytes");
}

static void show_byte(struct assay_text *text, uint8_t byte)
{
    static const char letters[] = "\n\r\t\0\\\"", names[] = "nrt0\\\"";
    const char *special = memchr(letters, byte, sizeof letters - 1);
    if (special) {
        const char escaped[] = {'\\', names[special - letters]};
        assay_show(text, escaped, sizeof escaped);
    } else if (byte >= 0x20 && byte < 0x7f) {
        assay_show(text, &(const char){(char)byte}, 1);
    } else {
        assay_show_name(text, "\\x");
        show_digits(text, byte);
    }
}

void assay_show_quoted(struct assay_text *text, struct assay_span bytes, uint32_t most)
{
    assay_show_name(text, "\"");
    for (uint32_t i = 0; i < bytes.n && i < most; i++)
        show_byte(text, bytes.p[i]);
    assay_show_name(text, "\"");
    show_rest(text, bytes.n, most, " bytes");
}

static void show_list(struct assay_text *text, struct assay_span items)
{
    uint32_t count = items.n / 8;
    assay_show_name(text, "[");
    for (uint32_t i = 0; i < count && i < SHOWN_ITEMS; i++) {
        assay_show_name(text, i ? "," : "");
        assay_show_number(text, assay_load_item(items.p + (size_t)i * 8));
    }
    assay_show_name(text, "]");
    show_rest(text, count, SHOWN_ITEMS, " items");
}

const char *assay_enum_name(const struct assay_model *model, uint16_t of, int64_t value)
{
    struct assay_range items = model->enums[of].items;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (model->enum_items[i].value == value)
            return model->enum_items[i].name;
    return NULL;
}

static void show_enum(struct assay_text *text, const struct assay_model *model, uint16_t index, int64_t value)
{
    const char *name = assay_enum_name(model, index, value);
    if (name)
        assay_show_name(text, name);
    else
        assay_show_number(text, value);
}

static void show_value(struct assay_text *text, const struct assay_env *env, uint16_t type, assay_val v)
{
    const struct assay_type *t = &env->model->types[type];
    switch ((enum assay_type_kind)t->kind) {
    case ASSAY_T_ENUM:
        show_enum(text, env->model, t->of, (int64_t)v);
        return;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        assay_show_quoted(text, assay_bytes(env, v), SHOWN_BYTES);
        return;
    case ASSAY_T_LIST:
        show_list(text, assay_bytes(env, v));
        return;
    case ASSAY_T_INT:
    case ASSAY_T_BOOL:
    case ASSAY_T_DURATION:
        break;
    }
    assay_show_number(text, (int64_t)v);
}

static void show_fields(struct assay_text *text, const struct assay_env *env, struct assay_range fields, uint16_t body,
                        uint64_t skip)
{
    for (uint32_t i = fields.first; i < (uint32_t)fields.first + fields.count; i++) {
        const struct assay_field *f = &env->model->fields[i];
        if (!f->name || f->slot == ASSAY_NONE || i == body || !(env->known >> f->slot & 1))
            continue;
        assay_show_name(text, text->n && text->p[text->n - 1] == '{' ? "" : " ");
        assay_show_name(text, f->name);
        assay_show_name(text, "=");
        if (skip >> f->slot & 1)
            assay_show_name(text, "any");
        else
            show_value(text, env, f->type, env->slots[f->slot]);
    }
}

void assay_show_message(struct assay_text *text, const struct assay_env *env, uint16_t message, uint16_t frame,
                        uint64_t skip)
{
    const struct assay_model *model = env->model;
    assay_show_name(text, model->messages[message].name);
    assay_show_name(text, "{");
    show_fields(text, env, model->frames[frame].fields, model->frames[frame].body, skip);
    show_fields(text, env, model->messages[message].fields, ASSAY_NONE, skip);
    assay_show_name(text, "}");
}
