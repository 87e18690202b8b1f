/* Names, types and signatures as C writes them. */
#include <stdlib.h>
#include <string.h>

#include "compiler/emit_c.h"

/* ---- names ------------------------------------------------------------- */

static const char *const reserved[] = {
    "alignas", "alignof",  "and",      "asm",      "auto",      "bool",     "break",    "case",      "catch",
    "char",    "class",    "client",   "const",    "continue",  "default",  "delete",   "do",        "double",
    "else",    "enum",     "event",    "explicit", "export",    "extern",   "false",    "float",     "for",
    "friend",  "goto",     "if",       "inline",   "int",       "long",     "mutable",  "namespace", "new",
    "not",     "operator", "or",       "private",  "protected", "public",   "register", "restrict",  "return",
    "short",   "signed",   "sizeof",   "static",   "status",    "struct",   "switch",   "template",  "this",
    "throw",   "true",     "try",      "typedef",  "typeid",    "typename", "union",    "unsigned",  "using",
    "virtual", "void",     "volatile", "while",    "xor",       "args",     "results",  "values",    NULL,
};

static bool in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static bool among(const struct assay_model *model, struct assay_range params, const char *name)
{
    for (uint16_t i = 0; i < params.count; i++)
        if (strcmp(model->params[params.first + i].name, name) == 0)
            return true;
    return false;
}

void assay_c_variable(FILE *to, const char *name)
{
    assay_emit_name(to, name, ASSAY_LOWER_SNAKE);
    if (in_list(reserved, name))
        fputc('_', to);
}

/* A result that is named like an argument gives way. */
void assay_c_result_variable(const struct assay_model *model, const struct assay_call *call, FILE *to, const char *name)
{
    if (!among(model, call->args, name)) {
        assay_c_variable(to, name);
        return;
    }
    fputs("new_", to);
    assay_emit_name(to, name, ASSAY_LOWER_SNAKE);
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name), t = strlen(tail);
    return n >= t && strcmp(name + n - t, tail) == 0;
}

/* Functions of the generated interface that are no calls keep their names. */
void assay_c_call_name(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    static const char *const taken[] = {"new",    "open", "open_with", "close", "reconnect", "message",
                                        "detail", "base", "run",       "stop",  "model",     NULL};
    static const char *const tails[] = {"_start", "_results", "_effect", "_with", "_defaults", "_args", NULL};
    fprintf(to, "%s_", model->protocol);
    assay_emit_name(to, call->name, ASSAY_LOWER_SNAKE);
    bool like_another = in_list(taken, call->name);
    for (const char *const *tail = tails; *tail; tail++)
        like_another = like_another || ends_with(call->name, *tail);
    fputs(like_another ? "_call" : "", to);
}

void assay_c_constant(const struct assay_model *model, FILE *to, const char *kind, const char *name)
{
    assay_emit_name(to, model->protocol, ASSAY_UPPER_SNAKE);
    fputs("_", to);
    assay_emit_name(to, kind, ASSAY_UPPER_SNAKE);
    fputs("_", to);
    assay_emit_name(to, name, ASSAY_UPPER_SNAKE);
}

/* Types of the spec make room for the enums that every generated header has. */
void assay_c_enum_name(FILE *to, const char *name, enum assay_case custom)
{
    static const char *const taken[] = {"Call", "call", "Error", "error", "Effect", "effect", "Client", "client", NULL};
    assay_emit_name(to, name, custom);
    if (in_list(taken, name))
        fputs(custom == ASSAY_UPPER_SNAKE ? "_VALUE" : "_value", to);
}

/* ---- types ------------------------------------------------------------- */

const struct assay_type *assay_c_type_of(const struct assay_model *model, const struct assay_param *param)
{
    return &model->types[param->type];
}

static bool fits_int(const struct assay_model *model, const struct assay_enum *e)
{
    for (uint16_t i = 0; i < e->items.count; i++) {
        int64_t value = model->enum_items[e->items.first + i].value;
        if (value > INT32_MAX || value < INT32_MIN)
            return false;
    }
    return e->items.count > 0;
}

/* C enums hold an int: a type that can hold more, or any number, stays a number. */
bool assay_c_is_enum(const struct assay_model *model, uint16_t of)
{
    return of != ASSAY_NONE && model->enums[of].name && !model->enums[of].open && fits_int(model, &model->enums[of]);
}

static const char *integer(int64_t min, int64_t max)
{
    static const struct {
        int64_t min, max;
        const char *name;
    } types[] = {
        {0, UINT8_MAX, "uint8_t"},         {INT8_MIN, INT8_MAX, "int8_t"}, {0, UINT16_MAX, "uint16_t"},
        {INT16_MIN, INT16_MAX, "int16_t"}, {0, UINT32_MAX, "uint32_t"},    {INT32_MIN, INT32_MAX, "int32_t"},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].min <= min && max <= types[i].max)
            return types[i].name;
    return "int64_t";
}

void assay_c_number_type(const struct assay_model *model, FILE *to, const struct assay_type *type)
{
    if (type->kind == ASSAY_T_ENUM && assay_c_is_enum(model, type->of)) {
        fprintf(to, "enum %s_", model->protocol);
        assay_c_enum_name(to, model->enums[type->of].name, ASSAY_LOWER_SNAKE);
    } else if (type->kind == ASSAY_T_BOOL) {
        fputs("bool", to);
    } else if (type->kind == ASSAY_T_INT) {
        fputs(integer(type->min, type->max), to);
    } else {
        fputs("int64_t", to);
    }
}

void assay_c_parameter(const struct assay_model *model, FILE *to, const struct assay_param *param, const char *between)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    if (type->kind == ASSAY_T_TEXT) {
        fputs("const char *", to);
        assay_c_variable(to, param->name);
    } else if (type->kind >= ASSAY_T_BYTES) {
        fputs(type->kind == ASSAY_T_LIST ? "const int64_t *" : "const void *", to);
        assay_c_variable(to, param->name);
        fprintf(to, "%ssize_t ", between);
        assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
        fputs(type->kind == ASSAY_T_LIST ? "_count" : "_size", to);
    } else {
        assay_c_number_type(model, to, type);
        fputc(' ', to);
        assay_c_variable(to, param->name);
    }
    if (type->kind == ASSAY_T_DURATION)
        fputs("_ns", to);
}

void assay_c_argument(const struct assay_model *model, FILE *to, const struct assay_param *param, const char *between)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    assay_c_variable(to, param->name);
    fputs(type->kind == ASSAY_T_DURATION ? "_ns" : "", to);
    if (type->kind < ASSAY_T_BYTES || type->kind == ASSAY_T_TEXT)
        return;
    fputs(between, to);
    assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
    fputs(type->kind == ASSAY_T_LIST ? "_count" : "_size", to);
}

static void result_parameter(const struct assay_model *model, FILE *to, const struct assay_call *call,
                             const struct assay_param *param)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    if (type->kind >= ASSAY_T_BYTES) {
        fputs(type->kind == ASSAY_T_LIST   ? "const int64_t **"
              : type->kind == ASSAY_T_TEXT ? "const char **"
                                           : "const uint8_t **",
              to);
        assay_c_result_variable(model, call, to, param->name);
        fputs(", size_t *", to);
        assay_c_result_variable(model, call, to, param->name);
        fputs(type->kind == ASSAY_T_LIST ? "_count" : "_size", to);
    } else {
        assay_c_number_type(model, to, type);
        fputs(" *", to);
        assay_c_result_variable(model, call, to, param->name);
    }
    if (type->kind == ASSAY_T_DURATION)
        fputs("_ns", to);
}

static void parameters(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fprintf(to, "struct %s_client *client", model->protocol);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(", ", to);
        assay_c_parameter(model, to, &model->params[call->args.first + i], ", ");
    }
}

void assay_c_result_parameters(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->results.count; i++) {
        fputs(", ", to);
        result_parameter(model, to, call, &model->params[call->results.first + i]);
    }
}

void assay_c_result_names(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->results.count; i++) {
        const struct assay_param *param = &model->params[call->results.first + i];
        uint8_t kind = assay_c_type_of(model, param)->kind;
        fputs(", ", to);
        assay_c_result_variable(model, call, to, param->name);
        fputs(kind == ASSAY_T_DURATION ? "_ns" : "", to);
        if (kind >= ASSAY_T_BYTES) {
            fputs(", ", to);
            assay_c_result_variable(model, call, to, param->name);
            fputs(kind == ASSAY_T_LIST ? "_count" : "_size", to);
        }
    }
}

static const char *pointer(const struct assay_type *type)
{
    return type->kind == ASSAY_T_LIST   ? "const int64_t *"
           : type->kind == ASSAY_T_TEXT ? "const char *"
                                        : "const uint8_t *";
}

void assay_c_member(const struct assay_model *model, FILE *to, const struct assay_param *param)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    fputs("    ", to);
    if (type->kind < ASSAY_T_BYTES) {
        assay_c_number_type(model, to, type);
        fputc(' ', to);
        assay_c_variable(to, param->name);
        fputs(type->kind == ASSAY_T_DURATION ? "_ns;\n" : ";\n", to);
        return;
    }
    fputs(pointer(type), to);
    assay_c_variable(to, param->name);
    fputs(";\n    size_t ", to);
    assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
    fputs(type->kind == ASSAY_T_LIST ? "_count;\n" : "_size;\n", to);
}

void assay_c_set_member(const struct assay_model *model, FILE *to, const struct assay_param *param, uint16_t i)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    bool list = type->kind == ASSAY_T_LIST;
    fputs("    args->", to);
    assay_c_variable(to, param->name);
    if (type->kind < ASSAY_T_BYTES) {
        fputs(type->kind == ASSAY_T_DURATION ? "_ns = (" : " = (", to);
        assay_c_number_type(model, to, type);
        fprintf(to, ")event->values[%u].number;\n", i);
        return;
    }
    fprintf(to, " = (%s)event->values[%u].bytes;\n    args->", pointer(type), i);
    assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
    fprintf(to, "%s = event->values[%u].size%s;\n", list ? "_count" : "_size", i, list ? " / sizeof(int64_t)" : "");
}

void assay_c_effect_signature(const struct assay_model *model, FILE *to, const struct assay_effect *effect)
{
    fprintf(to, "void %s_", model->protocol);
    assay_emit_name(to, effect->name, ASSAY_LOWER_SNAKE);
    fprintf(to, "_effect(const struct assay_client_event *event, struct %s_", model->protocol);
    assay_emit_name(to, effect->name, ASSAY_LOWER_SNAKE);
    fputs("_effect *args)", to);
}

/* ---- signatures -------------------------------------------------------- */

static void signature_text(const struct assay_model *model, FILE *to, const struct assay_call *call,
                           enum assay_c_form which)
{
    fputs(which == ASSAY_C_TAKING ? "void " : "int ", to);
    assay_c_call_name(model, to, call);
    fputs(which == ASSAY_C_STARTING ? "_start(" : which == ASSAY_C_TAKING ? "_results(" : "(", to);
    if (which == ASSAY_C_TAKING)
        fputs("const struct assay_client_event *event", to);
    else
        parameters(model, to, call);
    if (which != ASSAY_C_STARTING)
        assay_c_result_parameters(model, to, call);
    fputc(')', to);
}

#define COLUMNS 110u

/* Lines are broken behind commas. */
static void wrap(FILE *to, const char *text, const char *indent)
{
    size_t column = 0;
    while (*text) {
        const char *comma = strstr(text, ", ");
        size_t n = comma ? (size_t)(comma - text) + 1 : strlen(text);
        if (column > 0 && column + 1 + n > COLUMNS) {
            fprintf(to, "\n%s", indent);
            column = strlen(indent);
        } else if (column > 0) {
            fputc(' ', to);
            column++;
        }
        fwrite(text, 1, n, to);
        column += n;
        text += n;
        text += *text == ' ';
    }
}

void assay_c_end_wrapped(FILE *to, FILE *from, char **text, const char *indent)
{
    fclose(from);
    wrap(to, *text, indent);
    free(*text);
}

FILE *assay_c_begin_wrapped(char **text, size_t *size)
{
    FILE *into = open_memstream(text, size);
    if (!into)
        abort();
    return into;
}

void assay_c_signature(const struct assay_model *model, FILE *to, const struct assay_call *call,
                       enum assay_c_form which)
{
    char *text;
    size_t size;
    FILE *into = assay_c_begin_wrapped(&text, &size);
    signature_text(model, into, call, which);
    assay_c_end_wrapped(to, into, &text, "    ");
}

/* ---- comments ---------------------------------------------------------- */

void assay_c_banner(const struct assay_model *model, FILE *to, const char *what)
{
    fprintf(to, "/* %s of ", what);
    assay_emit_comment(to, model->title && *model->title ? model->title : model->protocol);
    if (model->version && *model->version) {
        fputs(", version ", to);
        assay_emit_comment(to, model->version);
    }
    fputs(".\n * Made from ", to);
    assay_emit_comment(to, assay_emit_source_name(model));
    fputs(" by `assay gen c`: changes belong there.", to);
}
