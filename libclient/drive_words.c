#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/code.h"
#include "core/show.h"
#include "core/vm.h"
#include "libclient/drive.h"

/* ---- printing ---------------------------------------------------------- */

static bool is_plain(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           (byte && strchr("-._~", byte));
}

void assay_word_bytes(const void *bytes, size_t size, FILE *to)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size; i++)
        if (is_plain(p[i]))
            putc(p[i], to);
        else
            fprintf(to, "%%%02X", p[i]);
}

void assay_word_list(const struct assay_value *value, FILE *to)
{
    const int64_t *items = value->bytes;
    for (size_t i = 0; i < value->size / sizeof *items; i++)
        fprintf(to, "%s%" PRId64, i ? "," : "", items[i]);
}

void assay_word_print(const struct assay_model *model, uint16_t index, const struct assay_value *value, FILE *to)
{
    const struct assay_type *type = &model->types[index];
    const char *name = type->kind == ASSAY_T_ENUM ? assay_enum_name(model, type->of, value->number) : NULL;
    if (type->kind == ASSAY_T_LIST)
        assay_word_list(value, to);
    else if (type->kind >= ASSAY_T_BYTES)
        assay_word_bytes(value->bytes, value->size, to);
    else if (type->kind == ASSAY_T_BOOL)
        fputs(value->number ? "true" : "false", to);
    else if (name)
        fputs(name, to);
    else
        fprintf(to, "%" PRId64, value->number);
}

/* ---- reading ----------------------------------------------------------- */

int assay_word_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_bytes(char *word, struct assay_value *value)
{
    char *to = word, *start = word;
    for (; *word; word++) {
        if (*word != '%') {
            *to++ = *word;
            continue;
        }
        int high = assay_word_hex_digit(word[1]), low = high < 0 ? -1 : assay_word_hex_digit(word[2]);
        if (low < 0)
            return false;
        *to++ = (char)(high * 16 + low);
        word += 2;
    }
    *value = assay_blob_value(start, (size_t)(to - start));
    return true;
}

static bool read_number(const char *word, char **end, int64_t *number)
{
    bool digits = word[0] == '-' ? word[1] >= '0' && word[1] <= '9' : word[0] >= '0' && word[0] <= '9';
    errno = 0;
    *number = strtoll(word, end, 10);
    return digits && errno == 0;
}

static bool read_list(const char *word, struct assay_value *value, uint8_t *room, size_t *used)
{
    int64_t *items = (int64_t *)(void *)(room + *used), number;
    size_t n = 0;
    char *end = (char *)(uintptr_t)word;
    while (*end) {
        if (n > 0 && *end++ != ',')
            return false;
        if (!read_number(end, &end, &number))
            return false;
        items[n++] = number;
    }
    *used += n * sizeof *items;
    *value = assay_blob_value(items, n * sizeof *items);
    return true;
}

static bool read_enum(const struct assay_model *model, uint16_t of, const char *word, int64_t *number)
{
    struct assay_range items = model->enums[of].items;
    char *end;
    for (uint16_t i = 0; i < items.count; i++)
        if (strcmp(model->enum_items[items.first + i].name, word) == 0) {
            *number = model->enum_items[items.first + i].value;
            return true;
        }
    return read_number(word, &end, number) && *end == '\0';
}

bool assay_word_read(const struct assay_model *model, uint16_t index, char *word, struct assay_value *value,
                     uint8_t *room, size_t *used)
{
    const struct assay_type *type = &model->types[index];
    char *end;
    *value = assay_number(0);
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
    case ASSAY_T_DURATION:
        return read_number(word, &end, &value->number) && *end == '\0';
    case ASSAY_T_BOOL:
        value->number = strcmp(word, "true") == 0;
        return value->number || strcmp(word, "false") == 0;
    case ASSAY_T_ENUM:
        return read_enum(model, type->of, word, &value->number);
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
        return read_bytes(word, value);
    case ASSAY_T_LIST:
        break;
    }
    return read_list(word, value, room, used);
}

bool assay_word_default(const struct assay_model *model, const struct assay_param *param, struct assay_value *value,
                        uint8_t *room, size_t *used)
{
    uint8_t scratch[ASSAY_WORD_DEFAULT_MAX];
    assay_val slots[ASSAY_SLOTS_MAX], v;
    struct assay_env env = {
        .model = model, .slots = slots, .frame = scratch, .scratch = scratch, .scratch_cap = sizeof scratch};
    *value = assay_number(0);
    if (param->init == ASSAY_NONE || !assay_eval(&env, param->init, &v))
        return false;
    value->number = (int64_t)v;
    if (!assay_is_bytes(model, param->type))
        return true;
    struct assay_span bytes = assay_bytes(&env, v);
    if (bytes.n > ASSAY_WORD_DEFAULT_MAX)
        return false;
    *value = assay_blob_value(room + *used, bytes.n);
    if (bytes.n)
        memcpy(room + *used, bytes.p, bytes.n);
    *used += (bytes.n + 7u) / 8 * 8;
    return true;
}
