#include "base/args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit durations[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {"min", 60000000000}, {"", 1000000000}, {NULL, 0},
};
static const struct unit sizes[] = {{"KiB", 1024}, {"MiB", 1024 * 1024}, {"", 1}, {NULL, 0}};

/* A whole number followed by one of `units`. */
static bool parse_scaled(const char *text, const struct unit *units, uint64_t *value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    uint64_t n = strtoull(text, &end, text[0] == '0' && text[1] == 'x' ? 16 : 10);
    if (errno != 0 || end == text)
        return false;
    for (; units->name; units++)
        if (strcmp(end, units->name) == 0)
            return !__builtin_mul_overflow(n, units->factor, value);
    return false;
}

bool assay_parse_duration(const char *text, int64_t *ns)
{
    uint64_t value;
    if (!parse_scaled(text, durations, &value) || value > INT64_MAX)
        return false;
    *ns = (int64_t)value;
    return true;
}

bool assay_parse_size(const char *text, uint64_t *n)
{
    return parse_scaled(text, sizes, n);
}

static void help(const struct assay_arg_spec *spec)
{
    printf("usage: assay %s\n", spec->usage);
    if (spec->text)
        printf("\n%s\n", spec->text);
    if (spec->options && spec->options->name)
        puts("\noptions:");
    for (const struct assay_arg *o = spec->options; o && o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-28s %s%s\n", left, o->text, o->kind == ASSAY_ARG_LIST ? " (may be given several times)" : "");
    }
}

static bool bad_option(const struct assay_arg_spec *spec, const struct assay_arg *option, const char *value)
{
    fprintf(stderr, "assay: --%s takes %s, and '%s' is none\nusage: assay %s\n", option->name, option->value, value,
            spec->usage);
    return false;
}

static bool bad(const struct assay_arg_spec *spec, const char *what, const char *about)
{
    fprintf(stderr, "assay: %s '%s'\nusage: assay %s\n", what, about, spec->usage);
    return false;
}

#define REAL_MOST 1e6 /* times what waits anywhere is still a time */

static bool store_real(const char *text, double *target)
{
    char *end;
    *target = strtod(text, &end);
    return end != text && *end == '\0' && *target > 0 && *target <= REAL_MOST;
}

static bool store_item(const char *text, struct assay_arg_list *list)
{
    if (list->count == ASSAY_ARG_LIST_MAX)
        return false;
    list->items[list->count++] = text;
    return true;
}

static bool store(const struct assay_arg *o, const char *text)
{
    switch (o->kind) {
    case ASSAY_ARG_FLAG:
        *(bool *)o->target = true;
        return true;
    case ASSAY_ARG_STRING:
        *(const char **)o->target = text;
        return true;
    case ASSAY_ARG_LIST:
        return store_item(text, o->target);
    case ASSAY_ARG_UINT:
        return assay_parse_size(text, o->target);
    case ASSAY_ARG_REAL:
        return store_real(text, o->target);
    case ASSAY_ARG_DURATION:
        return assay_parse_duration(text, o->target);
    }
    return false;
}

static const struct assay_arg *find(const struct assay_arg_spec *spec, const char *name, size_t n)
{
    for (const struct assay_arg *o = spec->options; o && o->name; o++)
        if (strlen(o->name) == n && memcmp(o->name, name, n) == 0)
            return o;
    return NULL;
}

/* Reads the option at argv[*i]; moves *i past a value in an argument of its own. */
static bool read_option(const struct assay_arg_spec *spec, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2;
    size_t n = strcspn(name, "=");
    const struct assay_arg *o = find(spec, name, n);
    if (!o)
        return bad(spec, "unknown option", argv[*i]);
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    if (o->kind == ASSAY_ARG_FLAG) {
        if (value)
            return bad(spec, "this option takes no value:", argv[*i]);
    } else if (!value) {
        if (*i + 1 >= argc)
            return bad(spec, "a value is missing after", argv[*i]);
        value = argv[++*i];
    }
    return store(o, value) || bad_option(spec, o, value);
}

enum assay_args_result assay_args_read(struct assay_arg_spec *spec, int argc, char **argv)
{
    bool options = true;
    spec->count = 0;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (options && (strcmp(arg, "-h") == 0 || strcmp(arg, "--help") == 0)) {
            help(spec);
            return ASSAY_ARGS_HELP;
        } else if (options && strcmp(arg, "--") == 0) {
            options = false;
        } else if (options && arg[0] == '-' && arg[1] == '-') {
            if (!read_option(spec, argc, argv, &i))
                return ASSAY_ARGS_BAD;
        } else if (spec->count < spec->most) {
            spec->positional[spec->count++] = arg;
        } else {
            bad(spec, "one argument too many:", arg);
            return ASSAY_ARGS_BAD;
        }
    }
    if (spec->count < spec->least) {
        fprintf(stderr, "assay: an argument is missing\nusage: assay %s\n", spec->usage);
        return ASSAY_ARGS_BAD;
    }
    return ASSAY_ARGS_OK;
}
