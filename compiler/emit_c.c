/* The typed C interface of a protocol, and what stands behind it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compiler/emit.h"
#include "core/value.h"

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

static void variable(FILE *to, const char *name)
{
    assay_emit_name(to, name, ASSAY_LOWER_SNAKE);
    if (in_list(reserved, name))
        fputc('_', to);
}

/* A result that is named like an argument gives way. */
static void result_variable(const struct assay_model *model, const struct assay_call *call, FILE *to, const char *name)
{
    if (!among(model, call->args, name)) {
        variable(to, name);
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
static void call_name(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    static const char *const taken[] = {"new",    "open", "open_with", "close", "reconnect", "message",
                                        "detail", "base", "run",       "stop",  "model",     NULL};
    fprintf(to, "%s_", model->protocol);
    assay_emit_name(to, call->name, ASSAY_LOWER_SNAKE);
    if (in_list(taken, call->name) || ends_with(call->name, "_start") || ends_with(call->name, "_results"))
        fputs("_call", to);
}

static void upper(const struct assay_model *model, FILE *to, const char *kind, const char *name)
{
    assay_emit_name(to, model->protocol, ASSAY_UPPER_SNAKE);
    fputs("_", to);
    assay_emit_name(to, kind, ASSAY_UPPER_SNAKE);
    fputs("_", to);
    assay_emit_name(to, name, ASSAY_UPPER_SNAKE);
}

/* Types of the spec make room for the enums that every generated header has. */
static void enum_name(FILE *to, const char *name, enum assay_case custom)
{
    static const char *const taken[] = {"Call", "call", "Error", "error", "Effect", "effect", "Client", "client", NULL};
    assay_emit_name(to, name, custom);
    if (in_list(taken, name))
        fputs(custom == ASSAY_UPPER_SNAKE ? "_VALUE" : "_value", to);
}

/* ---- types ------------------------------------------------------------- */

static const struct assay_type *type_of(const struct assay_model *model, const struct assay_param *param)
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
static bool is_c_enum(const struct assay_model *model, uint16_t of)
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

static void number_type(const struct assay_model *model, FILE *to, const struct assay_type *type)
{
    if (type->kind == ASSAY_T_ENUM && is_c_enum(model, type->of)) {
        fprintf(to, "enum %s_", model->protocol);
        enum_name(to, model->enums[type->of].name, ASSAY_LOWER_SNAKE);
    } else if (type->kind == ASSAY_T_BOOL) {
        fputs("bool", to);
    } else if (type->kind == ASSAY_T_INT) {
        fputs(integer(type->min, type->max), to);
    } else {
        fputs("int64_t", to);
    }
}

static void parameter(const struct assay_model *model, FILE *to, const struct assay_param *param)
{
    const struct assay_type *type = type_of(model, param);
    if (type->kind == ASSAY_T_TEXT) {
        fputs("const char *", to);
        variable(to, param->name);
    } else if (type->kind >= ASSAY_T_BYTES) {
        fputs(type->kind == ASSAY_T_LIST ? "const int64_t *" : "const void *", to);
        variable(to, param->name);
        fputs(", size_t ", to);
        assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
        fputs(type->kind == ASSAY_T_LIST ? "_count" : "_size", to);
    } else {
        number_type(model, to, type);
        fputc(' ', to);
        variable(to, param->name);
    }
    if (type->kind == ASSAY_T_DURATION)
        fputs("_ns", to);
}

static void result_parameter(const struct assay_model *model, FILE *to, const struct assay_call *call,
                             const struct assay_param *param)
{
    const struct assay_type *type = type_of(model, param);
    if (type->kind >= ASSAY_T_BYTES) {
        fputs(type->kind == ASSAY_T_LIST   ? "const int64_t **"
              : type->kind == ASSAY_T_TEXT ? "const char **"
                                           : "const uint8_t **",
              to);
        result_variable(model, call, to, param->name);
        fputs(", size_t *", to);
        result_variable(model, call, to, param->name);
        fputs(type->kind == ASSAY_T_LIST ? "_count" : "_size", to);
    } else {
        number_type(model, to, type);
        fputs(" *", to);
        result_variable(model, call, to, param->name);
    }
    if (type->kind == ASSAY_T_DURATION)
        fputs("_ns", to);
}

static void parameters(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fprintf(to, "struct %s_client *client", model->protocol);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(", ", to);
        parameter(model, to, &model->params[call->args.first + i]);
    }
}

static void result_parameters(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->results.count; i++) {
        fputs(", ", to);
        result_parameter(model, to, call, &model->params[call->results.first + i]);
    }
}

/* ---- signatures -------------------------------------------------------- */

enum signature { BLOCKING, STARTING, TAKING };

static void signature_text(const struct assay_model *model, FILE *to, const struct assay_call *call,
                           enum signature which)
{
    fputs(which == TAKING ? "void " : "int ", to);
    call_name(model, to, call);
    fputs(which == STARTING ? "_start(" : which == TAKING ? "_results(" : "(", to);
    if (which == TAKING)
        fputs("const struct assay_client_event *event", to);
    else
        parameters(model, to, call);
    if (which != STARTING)
        result_parameters(model, to, call);
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

static void wrapped(FILE *to, FILE *from, char **text, const char *indent)
{
    fclose(from);
    wrap(to, *text, indent);
    free(*text);
}

static FILE *begin_wrapped(char **text, size_t *size)
{
    FILE *into = open_memstream(text, size);
    if (!into)
        abort();
    return into;
}

static void signature(const struct assay_model *model, FILE *to, const struct assay_call *call, enum signature which)
{
    char *text;
    size_t size;
    FILE *into = begin_wrapped(&text, &size);
    signature_text(model, into, call, which);
    wrapped(to, into, &text, "    ");
}

/* ---- the header -------------------------------------------------------- */

static void enum_items(const struct assay_model *model, FILE *to, const struct assay_enum *e, bool as_enum)
{
    for (uint16_t i = 0; i < e->items.count; i++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + i];
        fputs(as_enum ? "    " : "#define ", to);
        assay_emit_name(to, model->protocol, ASSAY_UPPER_SNAKE);
        fputc('_', to);
        enum_name(to, e->name, ASSAY_UPPER_SNAKE);
        fputc('_', to);
        assay_emit_name(to, item->name, ASSAY_UPPER_SNAKE);
        if (as_enum)
            fprintf(to, " = %" PRId64 "%s\n", item->value, i + 1 < e->items.count ? "," : "");
        else
            fprintf(to, " INT64_C(%" PRId64 ")\n", item->value);
    }
}

static void one_enum(const struct assay_model *model, FILE *to, uint16_t index)
{
    const struct assay_enum *e = &model->enums[index];
    if (!e->name || e->items.count == 0)
        return;
    bool as_enum = is_c_enum(model, index);
    if (as_enum) {
        fprintf(to, "enum %s_", model->protocol);
        enum_name(to, e->name, ASSAY_LOWER_SNAKE);
        fputs(" {\n", to);
    } else {
        fprintf(to, "/* %s%s */\n", e->name, e->open ? ": values without a name occur, too" : "");
    }
    enum_items(model, to, e, as_enum);
    fputs(as_enum ? "};\n\n" : "\n", to);
}

static void errors(const struct assay_model *model, FILE *to)
{
    if (model->errors_count == 0)
        return;
    fprintf(to,
            "/* The errors of this protocol: positive results of its calls. Negative ones are those of enum\n"
            " * assay_client_status. */\nenum %s_error {\n",
            model->protocol);
    bool first = true;
    for (uint16_t i = 0; i < model->errors_count; i++) {
        if (assay_emit_repeated_error(model, i))
            continue;
        fputs(first ? "    " : ",\n    ", to);
        first = false;
        upper(model, to, "error", model->errors[i].name);
        fprintf(to, " = %u", assay_emit_error_number(model, i));
        if (model->errors[i].text && *model->errors[i].text) {
            fputs(" /* ", to);
            assay_emit_comment(to, model->errors[i].text);
            fputs(" */", to);
        }
    }
    fputs("\n};\n\n", to);
}

static void numbers(const struct assay_model *model, FILE *to, const char *kind, uint16_t count)
{
    if (count == 0)
        return;
    fprintf(to, "enum %s_%s {\n", model->protocol, kind);
    for (uint16_t i = 0; i < count; i++) {
        fputs("    ", to);
        upper(model, to, kind, strcmp(kind, "call") == 0 ? model->calls[i].name : model->effects[i].name);
        fprintf(to, " = %u%s\n", i, i + 1 < count ? "," : "");
    }
    fputs("};\n\n", to);
}

static void call_errors(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->errors.count; i++) {
        fputs(i ? ", " : " * Errors: ", to);
        upper(model, to, "error", model->errors[call->errors.first + i].name);
    }
    if (call->errors.count)
        fputs(".\n", to);
}

static void describe(FILE *to, const char *role, const struct assay_param *param)
{
    fprintf(to, " * %s %s: ", role, param->name);
    assay_emit_comment(to, param->text);
    fputc('\n', to);
}

static void param_notes(const struct assay_model *model, FILE *to, struct assay_range params, const char *role)
{
    for (uint16_t i = 0; i < params.count; i++) {
        const struct assay_param *param = &model->params[params.first + i];
        const struct assay_type *type = type_of(model, param);
        if (param->text && *param->text)
            describe(to, role, param);
        else if (type->kind == ASSAY_T_BYTES && type->max < ASSAY_BYTES_MAX)
            fprintf(to, " * %s %s: at most %" PRId64 " bytes.\n", role, param->name, type->max);
    }
}

/* What a call works on, where that is not the client's connection. */
static void call_link(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    if (call->opens != ASSAY_NONE)
        fprintf(to, " * Makes a link of its own over %s, which ends with it; needs no connection.\n",
                model->transports[call->opens].name);
    else if (call->machine != ASSAY_NONE && call->machine != model->client)
        fprintf(to, " * Of clients that play machine %s (see options.machine).\n", model->machines[call->machine].name);
}

static void declare_call(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fprintf(to, "/* %s\n", call->name);
    if (call->text)
        assay_emit_prose(to, " * ", call->text);
    call_link(model, to, call);
    param_notes(model, to, call->args, "Argument");
    param_notes(model, to, call->results, "Result");
    call_errors(model, to, call);
    fputs(" */\n", to);
    for (enum signature which = BLOCKING; which <= TAKING; which++) {
        if (which == TAKING && call->results.count == 0)
            continue;
        signature(model, to, call, which);
        fputs(";\n", to);
    }
    fputc('\n', to);
}

static void banner(const struct assay_model *model, FILE *to, const char *what)
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

static void guard(const struct assay_model *model, FILE *to, const char *line, const char *end)
{
    fputs(line, to);
    assay_emit_name(to, model->protocol, ASSAY_UPPER_SNAKE);
    fputs(end, to);
}

static void lifecycle(const struct assay_model *model, FILE *to)
{
    const char *p = model->protocol;
    fprintf(to, "struct %s_client;\n\nextern const struct assay_model %s_model;\n\n", p, p);
    fprintf(
        to,
        "/* Connect to \"HOST:PORT\". When only that fails, the client is there all the same: it tells why, can\n"
        " * %s_reconnect(), and must be closed. `options` may be NULL. %s_new() does not connect. */\n"
        "int %s_open(const char *address, struct %s_client **client);\n"
        "int %s_open_with(const char *address, const struct assay_client_options *options, struct %s_client "
        "**client);\n"
        "int %s_new(const char *address, const struct assay_client_options *options, struct %s_client **client);\n\n",
        p, p, p, p, p, p, p, p);
    fprintf(
        to,
        "/* A new connection in place of the old one. */\n"
        "int %s_reconnect(struct %s_client *client);\n"
        "void %s_close(struct %s_client *client);\n\n"
        "/* Connect, unless that is so, and let the machine do what it does by itself until it is through (0), cannot\n"
        " * connect (again), or `deadline_ms` are over (below 0: no limit). %s_stop() ends that from a signal handler. "
        "*/\n"
        "int %s_run(struct %s_client *client, int64_t deadline_ms);\n"
        "void %s_stop(struct %s_client *client);\n\n"
        "/* What went wrong last, as a sentence; and the text that the server gave with an error. */\n"
        "const char *%s_message(const struct %s_client *client);\n"
        "const char *%s_detail(const struct %s_client *client);\n\n"
        "/* For everything else that assay.h offers. */\n"
        "struct assay_client *%s_base(struct %s_client *client);\n\n",
        p, p, p, p, p, p, p, p, p, p, p, p, p, p, p);
}

void assay_emit_c_header(const struct assay_model *model, FILE *to)
{
    banner(model, to, "Client");
    fprintf(to, "\n *\n * Calls wait for their answer and return 0, or an error; results are set when 0 is returned, "
                "and may be\n"
                " * NULL. Bytes handed out are valid until the next call. For each call, NAME_start() begins it "
                "without waiting,\n"
                " * NAME_results() takes its results from the event that ends it. assay.h tells the rest.\n */\n");
    guard(model, to, "#ifndef ", "_CLIENT_H\n");
    guard(model, to, "#define ", "_CLIENT_H\n\n#include <assay.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    for (uint16_t i = 0; i < model->enums_count; i++)
        one_enum(model, to, i);
    errors(model, to);
    numbers(model, to, "call", model->calls_count);
    numbers(model, to, "effect", model->effects_count);
    lifecycle(model, to);
    for (uint16_t i = 0; i < model->calls_count; i++)
        declare_call(model, to, &model->calls[i]);
    fputs("#ifdef __cplusplus\n}\n#endif\n#endif\n", to);
}

/* ---- the source -------------------------------------------------------- */

static void making(const struct assay_model *model, FILE *to, const char *name, const char *how)
{
    const char *p = model->protocol;
    fprintf(to,
            "int %s_%s(const char *address, const struct assay_client_options *options, struct %s_client **client)\n"
            "{\n    struct assay_client *base;\n    int status = %s(&%s_model, address, options, &base);\n"
            "    *client = (struct %s_client *)base;\n    return status;\n}\n\n",
            p, name, p, how, p, p);
}

static void lifecycle_bodies(const struct assay_model *model, FILE *to)
{
    const char *p = model->protocol;
    fprintf(
        to,
        "/* A client of this protocol is a client of the library under a name of its own. */\n"
        "struct assay_client *%s_base(struct %s_client *client)\n{\n    return (struct assay_client *)client;\n}\n\n",
        p, p);
    making(model, to, "new", "assay_client_new");
    making(model, to, "open_with", "assay_client_open");
    fprintf(to,
            "int %s_open(const char *address, struct %s_client **client)\n{\n"
            "    return %s_open_with(address, NULL, client);\n}\n\n"
            "int %s_reconnect(struct %s_client *client)\n{\n    return assay_client_connect(%s_base(client));\n}\n\n"
            "void %s_close(struct %s_client *client)\n{\n    assay_client_close(%s_base(client));\n}\n\n",
            p, p, p, p, p, p, p, p, p);
    fprintf(to,
            "int %s_run(struct %s_client *client, int64_t deadline_ms)\n{\n"
            "    return assay_client_run(%s_base(client), deadline_ms);\n}\n\n"
            "void %s_stop(struct %s_client *client)\n{\n    assay_client_stop(%s_base(client));\n}\n\n",
            p, p, p, p, p, p);
    fprintf(to,
            "const char *%s_message(const struct %s_client *client)\n{\n"
            "    return assay_client_message((const struct assay_client *)client);\n}\n\n"
            "const char *%s_detail(const struct %s_client *client)\n{\n"
            "    return assay_client_detail((const struct assay_client *)client, NULL);\n}\n\n",
            p, p, p, p);
}

static void argument(const struct assay_model *model, FILE *to, const struct assay_param *param)
{
    const struct assay_type *type = type_of(model, param);
    if (type->kind < ASSAY_T_BYTES) {
        fputs("assay_number((int64_t)", to);
        variable(to, param->name);
        fputs(type->kind == ASSAY_T_DURATION ? "_ns)" : ")", to);
        return;
    }
    fputs("assay_blob_value(", to);
    variable(to, param->name);
    fputs(type->kind == ASSAY_T_TEXT ? ", strlen(" : ", ", to);
    if (type->kind == ASSAY_T_TEXT)
        variable(to, param->name);
    else
        assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
    fputs(type->kind == ASSAY_T_TEXT ? "))" : type->kind == ASSAY_T_LIST ? "_count * sizeof(int64_t))" : "_size)", to);
}

static void arguments(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    if (call->args.count == 0)
        return;
    char *text;
    size_t size;
    FILE *into = begin_wrapped(&text, &size);
    fputs("    const struct assay_value args[] = {", into);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(i ? ", " : "", into);
        argument(model, into, &model->params[call->args.first + i]);
    }
    fputs("};", into);
    wrapped(to, into, &text, "        ");
    fputc('\n', to);
}

static void store(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t i)
{
    const struct assay_param *param = &model->params[call->results.first + i];
    const struct assay_type *type = type_of(model, param);
    const char *suffix = type->kind == ASSAY_T_DURATION ? "_ns" : "";
    fputs("    if (", to);
    result_variable(model, call, to, param->name);
    fprintf(to, "%s)\n        *", suffix);
    result_variable(model, call, to, param->name);
    if (type->kind < ASSAY_T_BYTES) {
        fprintf(to, "%s = (", suffix);
        number_type(model, to, type);
        fprintf(to, ")values[%u].number;\n", i);
        return;
    }
    bool list = type->kind == ASSAY_T_LIST;
    fprintf(to, " = (const %s *)values[%u].bytes;\n    if (",
            list                         ? "int64_t"
            : type->kind == ASSAY_T_TEXT ? "char"
                                         : "uint8_t",
            i);
    result_variable(model, call, to, param->name);
    fprintf(to, "%s)\n        *", list ? "_count" : "_size");
    result_variable(model, call, to, param->name);
    fprintf(to, "%s = values[%u].size%s;\n", list ? "_count" : "_size", i, list ? " / sizeof(int64_t)" : "");
}

static void result_names(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->results.count; i++) {
        const struct assay_param *param = &model->params[call->results.first + i];
        uint8_t kind = type_of(model, param)->kind;
        fputs(", ", to);
        result_variable(model, call, to, param->name);
        fputs(kind == ASSAY_T_DURATION ? "_ns" : "", to);
        if (kind >= ASSAY_T_BYTES) {
            fputs(", ", to);
            result_variable(model, call, to, param->name);
            fputs(kind == ASSAY_T_LIST ? "_count" : "_size", to);
        }
    }
}

static void store_function(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    char *text;
    size_t size;
    FILE *into = begin_wrapped(&text, &size);
    fputs("static void ", into);
    assay_emit_name(into, call->name, ASSAY_LOWER_SNAKE);
    fputs("_store(const struct assay_value *values", into);
    result_parameters(model, into, call);
    fputc(')', into);
    wrapped(to, into, &text, "    ");
    fputs("\n{\n", to);
    for (uint16_t i = 0; i < call->results.count; i++)
        store(model, to, call, i);
    fputs("}\n\n", to);
}

static void store_call(const struct assay_model *model, FILE *to, const struct assay_call *call, const char *from)
{
    char *text;
    size_t size;
    FILE *into = begin_wrapped(&text, &size);
    assay_emit_name(into, call->name, ASSAY_LOWER_SNAKE);
    fprintf(into, "_store(%s", from);
    result_names(model, into, call);
    fputs(");", into);
    wrapped(to, into, &text, "            ");
    fputc('\n', to);
}

static void blocking(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t index)
{
    const char *p = model->protocol, *args = call->args.count ? "args" : "NULL";
    signature(model, to, call, BLOCKING);
    fputs("\n{\n", to);
    arguments(model, to, call);
    if (call->results.count == 0) {
        fprintf(to, "    return assay_client_call(%s_base(client), %u, %s, NULL);\n}\n\n", p, index, args);
        return;
    }
    fprintf(to, "    struct assay_value results[%u];\n", call->results.count);
    fprintf(to, "    int status = assay_client_call(%s_base(client), %u, %s, results);\n", p, index, args);
    fputs("    if (status == ASSAY_CLIENT_OK)\n        ", to);
    store_call(model, to, call, "results");
    fputs("    return status;\n}\n\n", to);
}

static void starting(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t index)
{
    signature(model, to, call, STARTING);
    fputs("\n{\n", to);
    arguments(model, to, call);
    fprintf(to, "    return assay_client_start(%s_base(client), %u, %s);\n}\n\n", model->protocol, index,
            call->args.count ? "args" : "NULL");
}

static void taking(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    signature(model, to, call, TAKING);
    fputs("\n{\n    ", to);
    store_call(model, to, call, "event->values");
    fputs("}\n\n", to);
}

static void define_call(const struct assay_model *model, FILE *to, uint16_t index)
{
    const struct assay_call *call = &model->calls[index];
    if (call->results.count)
        store_function(model, to, call);
    blocking(model, to, call, index);
    starting(model, to, call, index);
    if (call->results.count)
        taking(model, to, call);
}

void assay_emit_c_source(const struct assay_model *model, FILE *to)
{
    banner(model, to, "Client");
    fprintf(to, " */\n#include \"%s.h\"\n\n#include <string.h>\n\n#include <assay/model.h>\n\n", model->protocol);
    lifecycle_bodies(model, to);
    for (uint16_t i = 0; i < model->calls_count; i++)
        define_call(model, to, i);
    fputs("/* ---- tables: the spec, resolved -------------------------------------------- */\n\n", to);
    assay_emit_c_tables(model, to);
}

void assay_emit_c_main(const struct assay_model *model, FILE *to)
{
    banner(model, to, "Program");
    fprintf(to,
            "\n *\n * Orders come on standard input, what happens is told on standard output: `PROGRAM --help`.\n */\n"
            "#include \"%s.h\"\n\nint main(int argc, char **argv)\n{\n"
            "    return assay_client_drive(&%s_model, argc, argv);\n}\n",
            model->protocol, model->protocol);
}
