/* Params of the spec from "NAME=VALUE". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/fields.h"
#include "core/vm.h"
#include "libclient/client.h"

struct unit {
    const char *name;
    int64_t times;
};

static const struct unit durations[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"min", 60000000000}, {"", 1000000000}, {NULL, 0}};
static const struct unit sizes[] = {{"", 1}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {NULL, 0}};

/* A decimal number, or 0x and hexadecimal digits, and a unit. */
static bool read_number(const char *text, const struct unit *units, int64_t *number)
{
    char *end;
    bool minus = text[0] == '-';
    const char *digits = text + minus;
    if (digits[0] < '0' || digits[0] > '9')
        return false;
    errno = 0;
    int64_t n = strtoll(digits, &end, strncmp(digits, "0x", 2) == 0 ? 16 : 10);
    while (units->name && strcmp(units->name, end) != 0)
        units++;
    return errno == 0 && units->name && !__builtin_mul_overflow(minus ? -n : n, units->times, number);
}

static bool read_bool(const char *text, int64_t *number)
{
    *number = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *number || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool read_enum(const struct assay_model *model, uint16_t of, const char *text, int64_t *number)
{
    const struct assay_range items = model->enums[of].items;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (strcmp(model->enum_items[i].name, text) == 0) {
            *number = model->enum_items[i].value;
            return true;
        }
    return false;
}

/* What the type wants; NULL: the value is set. */
static const char *read_value(const struct assay_model *model, struct assay_option *option, const char *text)
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
    option->blob = (struct assay_blob){(const uint8_t *)text, (uint32_t)strlen(text)};
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

static int set_param(const struct assay_model *model, struct assay_option *option, const char *text)
{
    if (strlen(text) > ASSAY_BYTES_MAX)
        return assay_problem(ASSAY_CLIENT_VALUE, "param %s: the value is too long", option->name);
    const char *wanted = read_value(model, option, text);
    if (wanted)
        return assay_problem(ASSAY_CLIENT_VALUE, "param %s: '%.100s' is no value for it: expected %s", option->name,
                             text, wanted);
    if (!fits(model, option))
        return assay_problem(ASSAY_CLIENT_VALUE, "param %s: '%.100s' is outside of what the spec allows", option->name,
                             text);
    return ASSAY_CLIENT_OK;
}

static int find_and_set(const struct assay_model *model, struct assay_option *options, const char *text)
{
    size_t n = strcspn(text, "=");
    if (text[n] != '=')
        return assay_problem(ASSAY_CLIENT_VALUE, "param '%.100s': expected NAME=VALUE", text);
    for (uint16_t i = 0; i < model->options_count; i++)
        if (strlen(options[i].name) == n && memcmp(options[i].name, text, n) == 0)
            return set_param(model, &options[i], text + n + 1);
    return assay_problem(ASSAY_CLIENT_VALUE, "the spec has no param '%.*s'", n < 100 ? (int)n : 100, text);
}

int assay_params_read(const struct assay_model *model, const char *const *params, struct assay_option *options)
{
    int status = ASSAY_CLIENT_OK;
    for (; params && *params && status == ASSAY_CLIENT_OK; params++)
        status = find_and_set(model, options, *params);
    return status;
}
