#include "cli/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- names ------------------------------------------------------------- */

struct pair {
    char name[64];
    const char *value;
};

static bool split(const char *option, const char *text, struct pair *pair)
{
    size_t n = strcspn(text, "=");
    if (text[n] != '=' || n == 0 || n >= sizeof pair->name) {
        fprintf(stderr, "assay: --%s %s: expected NAME=VALUE\n", option, text);
        return false;
    }
    memcpy(pair->name, text, n);
    pair->name[n] = '\0';
    pair->value = text + n + 1;
    return true;
}

/* Edits (insert, remove, replace) that make b of a; more than 60 characters count as far. */
static unsigned distance(const char *a, const char *b)
{
    enum { MOST = 60 };
    unsigned row[MOST + 1];
    size_t n = strlen(b);
    if (n > MOST || strlen(a) > MOST)
        return MOST;
    for (unsigned k = 0; k <= n; k++)
        row[k] = k;
    for (unsigned i = 0; a[i]; i++) {
        unsigned diagonal = row[0];
        row[0] = i + 1;
        for (unsigned k = 0; k < n; k++) {
            unsigned best = diagonal + (a[i] != b[k]);
            best = row[k] + 1 < best ? row[k] + 1 : best;
            best = row[k + 1] + 1 < best ? row[k + 1] + 1 : best;
            diagonal = row[k + 1];
            row[k + 1] = best;
        }
    }
    return row[n];
}

typedef const char *name_at(const void *table, size_t i);

static bool unknown(const char *what, const char *name, const void *table, size_t count, name_at *at)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)strlen(name) / 3 + 2;
    fprintf(stderr, "assay: unknown %s '%s'", what, name);
    for (size_t i = 0; i < count; i++)
        if (distance(name, at(table, i)) < best) {
            best = distance(name, at(table, i));
            nearest = at(table, i);
        }
    if (nearest) {
        fprintf(stderr, "; did you mean '%s'?\n", nearest);
        return false;
    }
    fprintf(stderr, count ? "; known:" : "; the spec has none");
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, " %s", at(table, i));
    fputc('\n', stderr);
    return false;
}

static bool bad_value(const char *what, const struct pair *pair, const char *expected)
{
    fprintf(stderr, "assay: %s '%s': '%s' is no value for it: expected %s\n", what, pair->name, pair->value, expected);
    return false;
}

/* ---- limits ------------------------------------------------------------ */

struct limit {
    const char *name;
    size_t offset; /* of its uint32_t, or of its int64_t: a time */
    bool time;
    uint64_t least;
};

static const struct limit limits[] = {
    {"sessions", offsetof(struct assay_limits, sessions), false, 1},
    {"memory", offsetof(struct assay_limits, memory), false, 0},
    {"effects", offsetof(struct assay_limits, effects), false, 1},
    {"output", offsetof(struct assay_limits, output), false, 0},
    {"drain", offsetof(struct assay_limits, drain), false, 0},
    {"drain_time", offsetof(struct assay_limits, drain_time), true, 0},
    {"rows", offsetof(struct assay_limits, rows), false, 1},
    {"seal", offsetof(struct assay_limits, seal), true, 0},
};
#define LIMITS (sizeof limits / sizeof limits[0])

static const char *limit_name(const void *table, size_t i)
{
    return ((const struct limit *)table)[i].name;
}

static bool store_limit(struct assay_limits *to, const struct limit *limit, const struct pair *pair)
{
    uint64_t n;
    void *at = (uint8_t *)to + limit->offset;
    if (limit->time)
        return assay_parse_duration(pair->value, at) || bad_value("limit", pair, "a duration like 500ms or 2s");
    if (!assay_parse_size(pair->value, &n) || n > INT32_MAX || n < limit->least)
        return bad_value("limit", pair, limit->least ? "a number from 1 to 2147483647" : "a size like 4096 or 64KiB");
    *(uint32_t *)at = (uint32_t)n;
    return true;
}

static bool set_limit(struct assay_limits *to, const char *text)
{
    struct pair pair;
    if (!split("limit", text, &pair))
        return false;
    for (size_t i = 0; i < LIMITS; i++)
        if (strcmp(limits[i].name, pair.name) == 0)
            return store_limit(to, &limits[i], &pair);
    return unknown("limit", pair.name, limits, LIMITS, limit_name);
}

/* ---- params ------------------------------------------------------------ */

static const char *option_name(const void *table, size_t i)
{
    return ((const struct assay_option *)table)[i].name;
}

static bool parse_int(const char *text, int64_t *n)
{
    uint64_t size;
    char *end;
    if (assay_parse_size(text, &size) && size <= INT64_MAX) {
        *n = (int64_t)size;
        return true;
    }
    *n = strtoll(text, &end, 10);
    return text[0] == '-' && text[1] >= '0' && text[1] <= '9' && *end == '\0';
}

static bool parse_enum(const struct assay_model *model, uint16_t of, const char *text, int64_t *value)
{
    const struct assay_range items = model->enums[of].items;
    for (uint32_t i = items.first; i < (uint32_t)items.first + items.count; i++)
        if (strcmp(model->enum_items[i].name, text) == 0) {
            *value = model->enum_items[i].value;
            return true;
        }
    return false;
}

static bool parse_bool(const char *text, int64_t *value)
{
    *value = strcmp(text, "true") == 0 || strcmp(text, "1") == 0;
    return *value || strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
}

static bool parse_number(const struct assay_model *model, const struct assay_type *type, const char *text,
                         int64_t *value)
{
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
        return parse_int(text, value) && *value >= type->min && *value <= type->max;
    case ASSAY_T_BOOL:
        return parse_bool(text, value);
    case ASSAY_T_ENUM:
        return parse_enum(model, type->of, text, value);
    case ASSAY_T_DURATION:
        return assay_parse_duration(text, value) && *value >= type->min && *value <= type->max;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT:
    case ASSAY_T_LIST:
        break;
    }
    return false;
}

static bool store_param(struct assay_settings *s, size_t i, const struct pair *pair)
{
    struct assay_option *option = &s->options[i];
    const struct assay_type *type = &s->model.types[option->type];
    if (type->kind == ASSAY_T_LIST)
        return bad_value("param", pair, "nothing: lists cannot be given here");
    if (type->kind < ASSAY_T_BYTES)
        return parse_number(&s->model, type, pair->value, &option->value) || bad_value("param", pair, type->name);
    size_t n = strlen(pair->value);
    if ((int64_t)n < type->min || (int64_t)n > type->max)
        return bad_value("param", pair, "another length");
    free(s->texts[i]);
    s->texts[i] = strdup(pair->value);
    option->blob = (struct assay_blob){(const uint8_t *)s->texts[i], (uint32_t)n};
    return s->texts[i] != NULL;
}

static bool set_param(struct assay_settings *s, const char *text)
{
    struct pair pair;
    if (!split("param", text, &pair))
        return false;
    for (size_t i = 0; i < s->model.options_count; i++)
        if (strcmp(s->options[i].name, pair.name) == 0)
            return store_param(s, i, &pair);
    return unknown("param", pair.name, s->options, s->model.options_count, option_name);
}

/* ---- leniencies -------------------------------------------------------- */

static const char *leniency_name(const void *table, size_t i)
{
    return ((const struct assay_leniency *)table)[i].name;
}

static bool set_leniency(struct assay_settings *s, const char *text)
{
    struct pair pair;
    int64_t on;
    if (!split("lenient", text, &pair))
        return false;
    for (size_t i = 0; i < s->model.leniencies_count && i < 64; i++)
        if (strcmp(s->model.leniencies[i].name, pair.name) == 0) {
            if (!parse_bool(pair.value, &on))
                return bad_value("leniency", &pair, "0 or 1");
            s->leniencies = (s->leniencies & ~((uint64_t)1 << i)) | (uint64_t)on << i;
            return true;
        }
    return unknown("leniency", pair.name, s->model.leniencies, s->model.leniencies_count, leniency_name);
}

/* ---- all --------------------------------------------------------------- */

static bool copy_options(struct assay_settings *s, const struct assay_model *model)
{
    s->options = calloc(model->options_count + 1u, sizeof *s->options);
    s->texts = calloc(model->options_count + 1u, sizeof *s->texts);
    if (!s->options || !s->texts)
        return false;
    if (model->options_count > 0)
        memcpy(s->options, model->options, model->options_count * sizeof *s->options);
    s->model.options = s->options;
    return true;
}

bool assay_settings_read(struct assay_settings *s, const struct assay_model *model,
                         const struct assay_arg_list *limits_given, const struct assay_arg_list *params,
                         const struct assay_arg_list *lenient, bool strict)
{
    *s = (struct assay_settings){.model = *model, .limits = model->limits};
    s->leniencies = strict ? 0 : assay_leniencies_default(model);
    bool ok = copy_options(s, model);
    for (size_t i = 0; ok && limits_given && i < limits_given->count; i++)
        ok = set_limit(&s->limits, limits_given->items[i]);
    for (size_t i = 0; ok && params && i < params->count; i++)
        ok = set_param(s, params->items[i]);
    for (size_t i = 0; ok && lenient && i < lenient->count; i++)
        ok = set_leniency(s, lenient->items[i]);
    return ok;
}

void assay_settings_free(struct assay_settings *s)
{
    for (size_t i = 0; s->texts && i < s->model.options_count; i++)
        free(s->texts[i]);
    free(s->texts);
    free(s->options);
}
