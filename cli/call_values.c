#include "cli/call_values.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/args.h"
#include "base/escape.h"
#include "compiler/diag.h"
#include "core/number.h"
#include "core/show.h"
#include "libclient/drive.h"

/* ---- reading ----------------------------------------------------------- */

static bool parse_number(const char *text, int64_t *number)
{
    char *end;
    bool hex = strncmp(text, "0x", 2) == 0;
    errno = 0;
    *number = strtoll(text, &end, hex ? 16 : 10);
    return errno == 0 && end != text && *end == '\0' && strchr("-0123456789", text[0]);
}

static bool parse_bool(const char *text, int64_t *number)
{
    *number = strcmp(text, "true") == 0;
    return *number || strcmp(text, "false") == 0;
}

static bool parse_enum(const struct assay_model *model, uint16_t of, const char *text, int64_t *number, char *why,
                       size_t why_size)
{
    struct assay_range items = model->enums[of].items;
    struct assay_near near = {.wanted = text};
    for (uint16_t i = 0; i < items.count; i++) {
        const struct assay_enum_item *item = &model->enum_items[items.first + i];
        if (strcmp(item->name, text) == 0) {
            *number = item->value;
            return true;
        }
        assay_near_add(&near, item->name);
    }
    if (parse_number(text, number))
        return true;
    int n = snprintf(why, why_size, "no value of %s%s", model->enums[of].name ? model->enums[of].name : "this enum",
                     near.best ? assay_near_text(&near) : "; known:");
    for (uint16_t i = 0; i < items.count && !near.best && n >= 0 && (size_t)n < why_size; i++)
        n += snprintf(why + n, why_size - (size_t)n, " %s", model->enum_items[items.first + i].name);
    return false;
}

static bool parse_hex(const char *text, struct assay_value *value)
{
    uint8_t *bytes = malloc(strlen(text) / 2 + 1);
    size_t n = 0;
    for (; bytes && *text; text++) {
        if (*text == ' ')
            continue;
        int high = assay_word_hex_digit(text[0]), low = high < 0 ? -1 : assay_word_hex_digit(text[1]);
        if (low < 0) {
            free(bytes);
            return false;
        }
        bytes[n++] = (uint8_t)(high * 16 + low);
        text++;
    }
    *value = assay_blob_value(bytes, n);
    return bytes != NULL;
}

static bool read_all(FILE *from, struct assay_value *value)
{
    size_t size = 0, cap = 65536;
    char *bytes = malloc(cap);
    while (bytes) {
        size += fread(bytes + size, 1, cap - size, from);
        if (size < cap)
            break;
        char *more = realloc(bytes, cap *= 2);
        if (!more)
            free(bytes);
        bytes = more;
    }
    *value = assay_blob_value(bytes, size);
    return bytes && !ferror(from);
}

static bool parse_file(const char *path, struct assay_value *value, char *why, size_t why_size)
{
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    bool good = from && read_all(from, value);
    if (!good)
        snprintf(why, why_size, "cannot read '%s': %s", path, strerror(errno));
    if (from && from != stdin)
        fclose(from);
    return good;
}

static bool parse_bytes(const char *text, struct assay_value *value, char *why, size_t why_size)
{
    if (text[0] == '@')
        return parse_file(text + 1, value, why, why_size);
    if (strncmp(text, "hex:", 4) == 0) {
        snprintf(why, why_size, "not hexadecimal digits in pairs");
        return parse_hex(text + 4, value);
    }
    const char *plain = strncmp(text, "text:", 5) == 0 ? text + 5 : text;
    *value = assay_blob_value(strdup(plain), strlen(plain));
    return value->bytes != NULL;
}

static bool parse_list(const char *text, struct assay_value *value)
{
    int64_t *items = malloc((strlen(text) / 2 + 1) * sizeof *items);
    size_t n = 0;
    while (items && *text) {
        char item[32];
        size_t size = strcspn(text, ",");
        if (size >= sizeof item)
            break;
        memcpy(item, text, size);
        item[size] = '\0';
        if (!parse_number(item, &items[n++]))
            break;
        text += size;
        text += *text == ',' && text[1] ? 1 : 0;
    }
    if (!items || *text) {
        free(items);
        return false;
    }
    *value = assay_blob_value(items, n * sizeof *items);
    return true;
}

bool assay_value_parse(const struct assay_model *model, uint16_t index, const char *text, struct assay_value *value,
                       char *why, size_t why_size)
{
    const struct assay_type *type = &model->types[index];
    *value = assay_number(0);
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
        snprintf(why, why_size, "not a number");
        return parse_number(text, &value->number);
    case ASSAY_T_BOOL:
        snprintf(why, why_size, "neither true nor false");
        return parse_bool(text, &value->number);
    case ASSAY_T_ENUM:
        return parse_enum(model, type->of, text, &value->number, why, why_size);
    case ASSAY_T_DURATION:
        snprintf(why, why_size, "not a duration such as 200ms");
        return assay_parse_duration(text, &value->number);
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        return parse_bytes(text, value, why, why_size);
    case ASSAY_T_LIST:
        break;
    }
    snprintf(why, why_size, "not a list of numbers such as 1,2,3");
    return parse_list(text, value);
}

bool assay_value_default(const struct assay_model *model, const struct assay_param *param, struct assay_value *value)
{
    _Alignas(8) uint8_t room[ASSAY_WORD_DEFAULT_MAX];
    size_t used = 0;
    if (!assay_word_default(model, param, value, room, &used))
        return false;
    if (model->types[param->type].kind < ASSAY_T_BYTES)
        return true;
    char *copy = malloc(value->size + 1u);
    if (copy && value->size)
        memcpy(copy, value->bytes, value->size);
    *value = assay_blob_value(copy, value->size);
    return copy != NULL;
}

void assay_value_free(struct assay_value *value)
{
    free((void *)(uintptr_t)value->bytes);
    *value = assay_number(0);
}

/* ---- printing ---------------------------------------------------------- */

static void print_duration(int64_t ns, FILE *to)
{
    static const struct {
        int64_t ns;
        const char *unit;
    } units[] = {{60000000000, "min"}, {1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    size_t i = 0;
    while (ns % units[i].ns != 0)
        i++;
    fprintf(to, "%" PRId64 "%s", ns / units[i].ns, ns == 0 ? "s" : units[i].unit);
}

static bool is_plain(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < ' ' || p[i] == 0x7f)
            return false;
    return n <= UINT32_MAX && assay_charset_holds(ASSAY_CS_UTF8, (struct assay_span){p, (uint32_t)n});
}

static bool is_marked(const char *p, size_t n)
{
    return (n > 0 && p[0] == '@') || (n >= 4 && memcmp(p, "hex:", 4) == 0) || (n >= 5 && memcmp(p, "text:", 5) == 0);
}

static void print_bytes(const uint8_t *p, size_t n, FILE *to)
{
    if (is_plain(p, n)) {
        fputs(is_marked((const char *)p, n) ? "text:" : "", to);
        fwrite(p, 1, n, to);
        return;
    }
    fputs("hex:", to);
    assay_print_hex(to, p, n);
}

void assay_value_print(const struct assay_model *model, uint16_t index, const struct assay_value *value, FILE *to)
{
    const struct assay_type *type = &model->types[index];
    const char *name = type->kind == ASSAY_T_ENUM ? assay_enum_name(model, type->of, value->number) : NULL;
    if (type->kind == ASSAY_T_LIST)
        assay_word_list(value, to);
    else if (type->kind >= ASSAY_T_BYTES)
        print_bytes(value->bytes, value->size, to);
    else if (type->kind == ASSAY_T_DURATION)
        print_duration(value->number, to);
    else if (type->kind == ASSAY_T_BOOL)
        fputs(value->number ? "true" : "false", to);
    else if (name)
        fputs(name, to);
    else
        fprintf(to, "%" PRId64, value->number);
}

static void json_string(const uint8_t *p, size_t n, FILE *to)
{
    fputc('"', to);
    for (size_t i = 0; i < n; i++)
        if (p[i] == '"' || p[i] == '\\')
            fprintf(to, "\\%c", p[i]);
        else if (p[i] < ' ' || p[i] == 0x7f)
            fprintf(to, "\\u%04x", p[i]);
        else
            fputc(p[i], to);
    fputc('"', to);
}

void assay_bytes_json(const void *bytes, size_t size, FILE *to)
{
    const uint8_t *p = bytes;
    if (size <= UINT32_MAX && assay_charset_holds(ASSAY_CS_UTF8, (struct assay_span){p, (uint32_t)size})) {
        json_string(p, size, to);
        return;
    }
    fputs("{\"hex\": \"", to);
    assay_print_hex(to, p, size);
    fputs("\"}", to);
}

void assay_value_json(const struct assay_model *model, uint16_t index, const struct assay_value *value, FILE *to)
{
    const struct assay_type *type = &model->types[index];
    const char *name = type->kind == ASSAY_T_ENUM ? assay_enum_name(model, type->of, value->number) : NULL;
    if (type->kind == ASSAY_T_LIST) {
        fputc('[', to);
        assay_word_list(value, to);
        fputc(']', to);
    } else if (type->kind >= ASSAY_T_BYTES) {
        assay_bytes_json(value->bytes, value->size, to);
    } else if (type->kind == ASSAY_T_BOOL) {
        fputs(value->number ? "true" : "false", to);
    } else if (name) {
        json_string((const uint8_t *)name, strlen(name), to);
    } else {
        fprintf(to, "%" PRId64, value->number);
    }
}
