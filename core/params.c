#include "core/params.h"

#include <string.h>

#include "core/fields.h"
#include "core/vm.h"

struct text {
    const char *p;
    size_t n;
};

struct unit {
    const char *name;
    int64_t times;
};

static const struct unit durations[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"min", 60000000000}, {"", 1000000000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};

static bool is(struct text text, const char *name)
{
    for (size_t i = 0; i < text.n; i++)
        if (name[i] == '\0' || name[i] != text.p[i])
            return false;
    return name[text.n] == '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : 16;
}

/* A decimal number, or 0x and hexadecimal digits, and a unit. */
static bool read_number(struct text text, const struct unit *units, int64_t *number)
{
    int64_t n = 0;
    bool minus = text.n > 0 && text.p[0] == '-';
    size_t i = minus;
    bool hex = text.n - i > 2 && text.p[i] == '0' && text.p[i + 1] == 'x';
    size_t from = i += hex ? 2 : 0;
    for (int base = hex ? 16 : 10; i < text.n && digit(text.p[i]) < base; i++)
        if (__builtin_mul_overflow(n, base, &n) || __builtin_add_overflow(n, digit(text.p[i]), &n))
            return false;
    while (units->name && !is((struct text){text.p + i, text.n - i}, units->name))
        units++;
    return i > from && units->name && !__builtin_mul_overflow(minus ? -n : n, units->times, number);
}

static bool read_bool(struct text text, int64_t *number)
{
    *number = is(text, "true") || is(text, "1");
    return *number || is(text, "false") || is(text, "0");
}

static bool read_enum(const struct assay_model *model, uint16_t of, struct text text, int64_t *number)
{
    const struct assay_range items = model->enums[of].items;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (is(text, model->enum_items[i].name)) {
            *number = model->enum_items[i].value;
            return true;
        }
    return false;
}

/* What the type wants; NULL: the value is set. */
static const char *read_value(const struct assay_model *model, struct assay_option *option, struct text text)
{
    const struct assay_type *type = &model->types[option->type];
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
        return read_number(text, sizes, &option->value) ? NULL : "a number";
    case ASSAY_T_BOOL:
        return read_bool(text, &option->value) ? NULL : "true or false";
    case ASSAY_T_ENUM:
        return read_enum(model, type->of, text, &option->value) ? NULL : "one of the names that the spec gives";
    case ASSAY_T_DURATION:
        return read_number(text, durations, &option->value) ? NULL : "a duration such as 200ms";
    case ASSAY_T_LIST:
        return "nothing: lists cannot be given here";
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        break;
    }
    option->blob = (struct assay_blob){(const uint8_t *)text.p, (uint32_t)text.n};
    return NULL;
}

static bool fits(const struct assay_model *model, const struct assay_option *option)
{
    struct assay_env env = {.model = model, .frame = option->blob.p};
    assay_val v = (assay_val)option->value;
    if (assay_is_bytes(model, option->type))
        v = assay_val_bytes(ASSAY_REGION_FRAME, 0, option->blob.n);
    return assay_fits(&env, option->type, v) == ASSAY_FIT;
}

static void set(const struct assay_model *model, struct assay_option *options, struct text value,
                struct assay_param_read *read)
{
    struct assay_option option = options[read->option];
    if (value.n > ASSAY_BYTES_MAX) {
        read->status = ASSAY_PARAM_TOO_LONG;
        return;
    }
    read->wanted = read_value(model, &option, value);
    if (read->wanted)
        read->status = ASSAY_PARAM_NO_VALUE;
    else if (!fits(model, &option))
        read->status = ASSAY_PARAM_OUTSIDE;
    else
        options[read->option] = option;
}

struct assay_param_read assay_param_read(const struct assay_model *model, const char *text, size_t size,
                                         struct assay_option *options)
{
    struct assay_param_read read = {.status = ASSAY_PARAM_NO_PAIR};
    const char *at = memchr(text, '=', size);
    if (!at)
        return read;
    struct text name = {text, (size_t)(at - text)}, value = {at + 1, size - name.n - 1};
    while (read.option < model->options_count && !is(name, options[read.option].name))
        read.option++;
    read.status = read.option < model->options_count ? ASSAY_PARAM_SET : ASSAY_PARAM_UNKNOWN;
    read.value = value.p;
    if (read.status == ASSAY_PARAM_SET)
        set(model, options, value, &read);
    return read;
}
