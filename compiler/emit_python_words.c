/* Names, literals and values as Python writes them. */
#include <inttypes.h>
#include <string.h>

#include "compiler/emit_python.h"
#include "core/code.h"

/* ---- names ------------------------------------------------------------- */

static bool in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

void assay_python_variable(FILE *to, const char *name)
{
    static const char *const reserved[] = {
        "and",    "as",   "assert", "async",  "await",    "break", "class", "continue", "def",
        "del",    "elif", "else",   "except", "finally",  "for",   "from",  "global",   "if",
        "import", "in",   "is",     "lambda", "nonlocal", "not",   "or",    "pass",     "raise",
        "return", "self", "try",    "while",  "with",     "yield", NULL,
    };
    assay_emit_name(to, name, ASSAY_LOWER_SNAKE);
    if (in_list(reserved, name))
        fputc('_', to);
}

/* What a client can do by itself keeps its name. */
void assay_python_method(FILE *to, const char *name)
{
    static const char *const taken[] = {"open",      "close",           "wait",     "run",   "stop",      "send",
                                        "connected", "on_effect",       "on_retry", "trace", "host",      "port",
                                        "timeout",   "connect_timeout", "lenient",  "defer", "transport", "machine",
                                        "bind",      "ports",           "params",   "state", "waiting",   "given_up",
                                        NULL};
    assay_python_variable(to, name);
    if (in_list(taken, name))
        fputs("_call", to);
}

void assay_python_param(FILE *to, const char *name)
{
    static const char *const taken[] = {"host",    "port",      "timeout", "connect_timeout", "lenient", "defer",
                                        "machine", "transport", "bind",    "ports",           "trace",   NULL};
    assay_python_variable(to, name);
    if (in_list(taken, name))
        fputc('_', to);
}

static void capital(char *text, size_t size, const char *name)
{
    FILE *into = fmemopen(text, size, "w");
    if (!into)
        return;
    assay_emit_name(into, name, ASSAY_CAMEL);
    fclose(into);
    text[size - 1] = '\0';
}

/* The same for the names of the module. */
void assay_python_class(FILE *to, const char *name)
{
    static const char *const taken[] = {"Client",       "BaseClient",
                                        "ClientError",  "Unreachable",
                                        "NotConnected", "ConnectionLost",
                                        "CallTimeout",  "ProtocolViolation",
                                        "BadArgument",  "CallFailed",
                                        "None",         "True",
                                        "False",        NULL};
    char text[256] = "";
    capital(text, sizeof text, name);
    fprintf(to, "%s%s", text, in_list(taken, text) ? "_" : "");
}

static bool enum_named(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->enums_count; i++)
        if (model->enums[i].name && strcmp(model->enums[i].name, name) == 0)
            return true;
    return false;
}

/* An error that is called like a type gives way. */
void assay_python_error(const struct assay_model *model, FILE *to, const char *name)
{
    char text[256] = "";
    capital(text, sizeof text, name);
    assay_python_class(to, name);
    if (enum_named(model, text))
        fputs("Error", to);
}

/* ---- literals ---------------------------------------------------------- */

void assay_python_literal(FILE *to, const uint8_t *p, size_t n)
{
    fputc('"', to);
    for (size_t i = 0; i < n; i++)
        if (p[i] == '"' || p[i] == '\\')
            fprintf(to, "\\%c", p[i]);
        else if (p[i] < ' ' || p[i] > '~')
            fprintf(to, "\\x%02x", p[i]);
        else
            fputc(p[i], to);
    fputc('"', to);
}

void assay_python_string(FILE *to, const char *text)
{
    if (text)
        assay_python_literal(to, (const uint8_t *)text, strlen(text));
    else
        fputs("None", to);
}

void assay_python_bytes(FILE *to, struct assay_blob blob)
{
    fputc('b', to);
    assay_python_literal(to, blob.p, blob.n);
}

const char *assay_python_truth(bool value)
{
    return value ? "True" : "False";
}

/* Docstrings: nothing of a spec may end them, and prose stays one line. */
void assay_python_doc(FILE *to, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '\\' || *p == '"')
            fprintf(to, "\\%c", *p);
        else if (*p == '\n' || *p == '\r' || *p == '\t')
            fputc(' ', to);
        else
            fputc(*p, to);
}

/* ---- values ------------------------------------------------------------ */

static void list_value(FILE *to, struct assay_span s)
{
    fputc('(', to);
    for (uint32_t at = 0; at + sizeof(int64_t) <= s.n; at += (uint32_t)sizeof(int64_t)) {
        int64_t n = 0;
        memcpy(&n, s.p + at, sizeof n);
        fprintf(to, "%" PRId64 ", ", n);
    }
    fputc(')', to);
}

static void enum_value(const struct assay_model *model, FILE *to, uint16_t index, int64_t n)
{
    const struct assay_enum *e = &model->enums[index];
    for (uint16_t i = 0; e->name && i < e->items.count; i++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + i];
        if (item->value != n)
            continue;
        assay_python_class(to, e->name);
        fputc('.', to);
        assay_emit_name(to, item->name, ASSAY_UPPER_SNAKE);
        return;
    }
    fprintf(to, "%" PRId64, n);
}

void assay_python_value(const struct assay_model *model, FILE *to, const struct assay_env *env, uint16_t index,
                        assay_val v)
{
    const struct assay_type *type = &model->types[index];
    struct assay_span s = {0};
    if (type->kind >= ASSAY_T_BYTES)
        s = assay_bytes(env, v);
    switch ((enum assay_type_kind)type->kind) {
    case ASSAY_T_INT:
        fprintf(to, "%" PRId64, (int64_t)v);
        break;
    case ASSAY_T_BOOL:
        fputs(assay_python_truth(v != 0), to);
        break;
    case ASSAY_T_ENUM:
        enum_value(model, to, type->of, (int64_t)v);
        break;
    case ASSAY_T_DURATION:
        fprintf(to, "%.9g", (double)(int64_t)v / 1e9);
        break;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT: /* of any bytes: the runtime takes them, too */
        assay_python_bytes(to, (struct assay_blob){s.p, s.n});
        break;
    case ASSAY_T_LIST:
        list_value(to, s);
        break;
    }
}

void assay_python_default(const struct assay_model *model, FILE *to, const struct assay_param *param)
{
    uint8_t scratch[4096];
    assay_val slots[ASSAY_SLOTS_MAX], v;
    struct assay_env env = {
        .model = model, .slots = slots, .frame = scratch, .scratch = scratch, .scratch_cap = sizeof scratch};
    if (param->init == ASSAY_NONE || !assay_eval(&env, param->init, &v))
        return;
    assay_python_value(model, to, &env, param->type, v);
}
