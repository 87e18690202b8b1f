/* A client in Python: errors, enums and calls of the protocol, then its tables, then what runs them. */
#include <inttypes.h>
#include <string.h>

#include "compiler/emit.h"
#include "compiler/python_text.h"
#include "core/code.h"
#include "core/value.h"

/* ---- names and literals ------------------------------------------------ */

static bool in_list(const char *const *list, const char *name)
{
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

static void variable(FILE *to, const char *name)
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
static void method(FILE *to, const char *name)
{
    static const char *const taken[] = {"open",      "close",           "wait",     "run",   "stop",      "send",
                                        "connected", "on_effect",       "on_retry", "trace", "host",      "port",
                                        "timeout",   "connect_timeout", "lenient",  "defer", "transport", "machine",
                                        "bind",      "ports",           "params",   NULL};
    variable(to, name);
    if (in_list(taken, name))
        fputs("_call", to);
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
static void class_name(FILE *to, const char *name)
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
static void error_class(const struct assay_model *model, FILE *to, const char *name)
{
    char text[256] = "";
    capital(text, sizeof text, name);
    class_name(to, name);
    if (enum_named(model, text))
        fputs("Error", to);
}

static void literal(FILE *to, const uint8_t *p, size_t n)
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

static void string(FILE *to, const char *text)
{
    if (text)
        literal(to, (const uint8_t *)text, strlen(text));
    else
        fputs("None", to);
}

static void bytes(FILE *to, struct assay_blob blob)
{
    fputc('b', to);
    literal(to, blob.p, blob.n);
}

static void number(FILE *to, uint16_t value)
{
    if (value == ASSAY_NONE)
        fputs("None", to);
    else
        fprintf(to, "%u", value);
}

static void range(FILE *to, struct assay_range r)
{
    fprintf(to, "(%u, %u)", r.first, r.count);
}

/* A comma-separated part of a row. */
static void part(FILE *to, uint16_t value)
{
    fputs(", ", to);
    number(to, value);
}

static const char *truth(bool value)
{
    return value ? "True" : "False";
}

/* ---- what applications see --------------------------------------------- */

/* Docstrings: nothing of a spec may end them, and they stay plain ASCII. */
static void doc(FILE *to, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p == '\\' || *p == '"')
            fprintf(to, "\\%c", *p);
        else if (*p == '\n' || *p == '\r' || *p == '\t')
            fputc(' ', to);
        else
            fputc(*p, to);
}

static void module_doc(const struct assay_model *model, FILE *to)
{
    fputs("\"\"\"", to);
    doc(to, model->title && *model->title ? model->title : model->protocol);
    fputs(": a client", to);
    if (model->version && *model->version) {
        fputs(" for version ", to);
        doc(to, model->version);
    }
    fprintf(to, ".\n\nMade from %s by `assay gen python`: changes belong there.\n", assay_emit_source_name(model));
    fprintf(to, "Needs nothing but Python 3.8 or newer, on any system with sockets.\n\n"
                "    with Client(\"127.0.0.1\", 7000) as client:\n        client.");
    if (model->calls_count)
        method(to, model->calls[0].name);
    fputs("(...)\n\nCalls wait for their answer, return their results and raise a subclass of ClientError.\n\"\"\"\n\n",
          to);
}

static void error_classes(const struct assay_model *model, FILE *to)
{
    for (uint16_t i = 0; i < model->errors_count; i++) {
        const struct assay_error *error = &model->errors[i];
        if (assay_emit_repeated_error(model, i))
            continue;
        fputs("\n\nclass ", to);
        error_class(model, to, error->name);
        fputs("(CallFailed):\n", to);
        if (error->text && *error->text) {
            fputs("    \"\"\"", to);
            doc(to, error->text);
            fputs("\"\"\"\n\n", to);
        }
        fputs("    name = ", to);
        string(to, error->name);
        fputs("\n", to);
    }
}

static void enum_classes(const struct assay_model *model, FILE *to)
{
    for (uint16_t i = 0; i < model->enums_count; i++) {
        const struct assay_enum *e = &model->enums[i];
        if (!e->name || e->items.count == 0)
            continue;
        fputs("\n\nclass ", to);
        class_name(to, e->name);
        fputs("(enum.IntEnum):\n", to);
        for (uint16_t k = 0; k < e->items.count; k++) {
            const struct assay_enum_item *item = &model->enum_items[e->items.first + k];
            fputs("    ", to);
            assay_emit_name(to, item->name, ASSAY_UPPER_SNAKE);
            fprintf(to, " = %" PRId64 "\n", item->value);
        }
    }
}

static void annotation(const struct assay_model *model, FILE *to, uint16_t index)
{
    const struct assay_type *type = &model->types[index];
    static const char *const names[] = {"int", "bool", "int", "float", "bytes", "str", "list"};
    if (type->kind == ASSAY_T_ENUM && model->enums[type->of].name)
        class_name(to, model->enums[type->of].name);
    else
        fputs(names[type->kind], to);
}

/* A value as applications write it: what the runtime's _to_value() takes. */
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
        class_name(to, e->name);
        fputc('.', to);
        assay_emit_name(to, item->name, ASSAY_UPPER_SNAKE);
        return;
    }
    fprintf(to, "%" PRId64, n);
}

static void value(const struct assay_model *model, FILE *to, const struct assay_env *env, uint16_t index, assay_val v)
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
        fputs(truth(v != 0), to);
        break;
    case ASSAY_T_ENUM:
        enum_value(model, to, type->of, (int64_t)v);
        break;
    case ASSAY_T_DURATION:
        fprintf(to, "%.9g", (double)(int64_t)v / 1e9);
        break;
    case ASSAY_T_BYTES:
    case ASSAY_T_TEXT: /* of any bytes: the runtime takes them, too */
        bytes(to, (struct assay_blob){s.p, s.n});
        break;
    case ASSAY_T_LIST:
        list_value(to, s);
        break;
    }
}

static void default_value(const struct assay_model *model, FILE *to, const struct assay_param *param)
{
    uint8_t scratch[4096];
    assay_val slots[ASSAY_SLOTS_MAX], v;
    struct assay_env env = {
        .model = model, .slots = slots, .frame = scratch, .scratch = scratch, .scratch_cap = sizeof scratch};
    if (param->init == ASSAY_NONE || !assay_eval(&env, param->init, &v))
        return;
    value(model, to, &env, param->type, v);
}

/* Python wants parameters without a default in front: those that follow one with a default must be named. */
static bool named_from_here(const struct assay_model *model, const struct assay_call *call, uint16_t at)
{
    bool before = false;
    for (uint16_t i = 0; i < at; i++) {
        bool has = model->params[call->args.first + i].init != ASSAY_NONE;
        if (before && !has)
            return false; /* told already */
        before = before || has;
    }
    return before && model->params[call->args.first + at].init == ASSAY_NONE;
}

static void signature(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fputs("    def ", to);
    method(to, call->name);
    fputs("(self", to);
    for (uint16_t i = 0; i < call->args.count; i++) {
        const struct assay_param *param = &model->params[call->args.first + i];
        fputs(named_from_here(model, call, i) ? ", *, " : ", ", to);
        variable(to, param->name);
        fputs(": ", to);
        annotation(model, to, param->type);
        if (param->init != ASSAY_NONE) {
            fputs(" = ", to);
            default_value(model, to, param);
        }
    }
    fputs(")", to);
    if (call->results.count == 1) {
        fputs(" -> ", to);
        annotation(model, to, model->params[call->results.first].type);
    }
    if (call->results.count > 1) {
        fputs(" -> ", to);
        class_name(to, call->name);
        fputs("Result", to);
    }
    fputs(":\n", to);
}

static void bounds_note(const struct assay_type *type, FILE *to)
{
    if (type->kind == ASSAY_T_DURATION)
        fputs("seconds", to);
    else if (type->kind == ASSAY_T_INT)
        fprintf(to, "%" PRId64 " to %" PRId64, type->min, type->max);
    else if (type->kind == ASSAY_T_LIST && type->max < UINT32_MAX)
        fprintf(to, "at most %" PRId64 " elements", type->max);
    else if ((type->kind == ASSAY_T_BYTES || type->kind == ASSAY_T_TEXT) && type->max < UINT32_MAX)
        fprintf(to, "%" PRId64 " to %" PRId64 " bytes", type->min, type->max);
}

/* What a value is, and in which unit or bounds. */
static void unit_note(const struct assay_model *model, FILE *to, struct assay_range params)
{
    for (uint16_t i = 0; i < params.count; i++) {
        const struct assay_param *param = &model->params[params.first + i];
        char bounds[96] = "";
        FILE *into = fmemopen(bounds, sizeof bounds, "w");
        if (into) {
            bounds_note(&model->types[param->type], into);
            fclose(into);
        }
        bool text = param->text && *param->text;
        if (!text && !*bounds)
            continue;
        fprintf(to, "        %s: ", param->name);
        doc(to, text ? param->text : "");
        fprintf(to, "%s%s\n", text && *bounds ? "; " : "", bounds);
    }
}

static void call_doc(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fputs("        \"\"\"", to);
    doc(to, call->text && *call->text ? call->text : call->name);
    fputs("\n\n", to);
    unit_note(model, to, call->args);
    unit_note(model, to, call->results);
    if (call->results.count > 1) {
        fputs("        Returns", to);
        for (uint16_t i = 0; i < call->results.count; i++)
            fprintf(to, "%s %s", i ? "," : "", model->params[call->results.first + i].name);
        fputs(" (by these names).\n", to);
    }
    for (uint16_t i = 0; i < call->errors.count; i++) {
        fputs(i ? ", " : "        Raises ", to);
        error_class(model, to, model->errors[call->errors.first + i].name);
    }
    fputs(call->errors.count ? ".\n        \"\"\"\n" : "        Raises what ClientError covers.\n        \"\"\"\n", to);
}

static void call_body(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t index)
{
    fputs(call->results.count ? "        results = " : "        ", to);
    fprintf(to, "self._call(%u, (", index);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(i ? ", " : "", to);
        variable(to, model->params[call->args.first + i].name);
    }
    fputs(call->args.count == 1 ? ",))\n" : "))\n", to);
    if (call->results.count == 1)
        fputs("        return results[0]\n", to);
    if (call->results.count > 1) {
        fputs("        return ", to);
        class_name(to, call->name);
        fputs("Result(*results)\n", to);
    }
}

static void result_types(const struct assay_model *model, FILE *to)
{
    for (uint16_t i = 0; i < model->calls_count; i++) {
        const struct assay_call *call = &model->calls[i];
        if (call->results.count < 2)
            continue;
        fputs("\n\n", to);
        class_name(to, call->name);
        fputs("Result = collections.namedtuple(\"", to);
        class_name(to, call->name);
        fputs("Result\", \"", to);
        for (uint16_t k = 0; k < call->results.count; k++) {
            fputs(k ? " " : "", to);
            variable(to, model->params[call->results.first + k].name);
        }
        fputs("\")\n", to);
    }
}

/* ---- the client's class: what it can be told, and its calls ------------- */

static bool plays_client(const struct assay_model *model, uint32_t machine)
{
    return (model->machines[machine].role & ASSAY_CLIENT) != 0;
}

/* Whether a piece of code looks at a param. */
static bool code_reads(const struct assay_model *model, uint16_t start, uint16_t option)
{
    if (start == ASSAY_NONE)
        return false;
    for (uint32_t at = start, end = assay_code_end(model, start); at < end; at++)
        if (assay_ins_op(model->code[at]) == ASSAY_OP_OPTION && assay_ins_b(model->code[at]) == option)
            return true;
    return false;
}

static bool machine_reads(const struct assay_model *model, const struct assay_machine *m, uint16_t option)
{
    for (uint32_t i = m->rules.first; i < (uint32_t)m->rules.first + m->rules.count; i++) {
        const struct assay_rule *rule = &model->rules[i];
        if (code_reads(model, rule->guard, option) || code_reads(model, rule->body, option) ||
            code_reads(model, rule->otherwise, option))
            return true;
    }
    for (uint32_t i = m->timers.first; i < (uint32_t)m->timers.first + m->timers.count; i++)
        if (code_reads(model, model->timers[i].after, option))
            return true;
    return code_reads(model, m->reconnect.pause, option);
}

/* Params that no client's machine looks at are not its business. */
static bool clients_read(const struct assay_model *model, uint16_t option)
{
    for (uint32_t i = 0; i < model->machines_count; i++)
        if (plays_client(model, i) && machine_reads(model, &model->machines[i], option))
            return true;
    return false;
}

static void param_name(FILE *to, const char *name)
{
    static const char *const taken[] = {"host",    "port",      "timeout", "connect_timeout", "lenient", "defer",
                                        "machine", "transport", "bind",    "ports",           "trace",   NULL};
    variable(to, name);
    if (in_list(taken, name))
        fputc('_', to);
}

static void param_default(const struct assay_model *model, FILE *to, const struct assay_option *option)
{
    const struct assay_type *type = &model->types[option->type];
    struct assay_env env = {.model = model};
    if (type->kind == ASSAY_T_TEXT) {
        literal(to, option->blob.p, option->blob.n);
    } else if (type->kind >= ASSAY_T_BYTES) {
        bytes(to, option->blob);
    } else {
        value(model, to, &env, option->type, (assay_val)option->value);
    }
}

static void params_of_client(const struct assay_model *model, FILE *to)
{
    bool any = false;
    for (uint16_t i = 0; i < model->options_count; i++) {
        if (!clients_read(model, i))
            continue;
        fputs(any ? ", " : ", *, ", to);
        any = true;
        param_name(to, model->options[i].name);
        fputs(": ", to);
        annotation(model, to, model->options[i].type);
        fputs(" = ", to);
        param_default(model, to, &model->options[i]);
    }
}

static void params_doc(const struct assay_model *model, FILE *to)
{
    for (uint16_t i = 0; i < model->options_count; i++) {
        const struct assay_option *option = &model->options[i];
        if (!clients_read(model, i))
            continue;
        fputs("    ", to);
        param_name(to, option->name);
        fputs(model->types[option->type].kind == ASSAY_T_DURATION ? ": seconds; " : ": ", to);
        doc(to, option->text ? option->text : option->name);
        fputs(".\n", to);
    }
}

static void params_handed_on(const struct assay_model *model, FILE *to)
{
    fputs("        super().__init__(host, port, {", to);
    bool any = false;
    for (uint16_t i = 0; i < model->options_count; i++) {
        if (!clients_read(model, i))
            continue;
        fprintf(to, "%s\"%s\": ", any ? ", " : "", model->options[i].name);
        param_name(to, model->options[i].name);
        any = true;
    }
    fputs("}, **options)\n", to);
}

static uint16_t default_port(const struct assay_model *model)
{
    return model->transports_count ? model->transports[0].port : 0;
}

/* Whether a machine of the client's does something without being told to. */
static bool runs_by_itself(const struct assay_model *model)
{
    for (uint32_t i = 0; i < model->machines_count; i++)
        if (plays_client(model, i) && model->machines[i].reconnect.pause != ASSAY_NONE)
            return true;
    return false;
}

static void client_class(const struct assay_model *model, FILE *to)
{
    fputs("\n\nclass Client(BaseClient):\n    \"\"\"A connection to a server", to);
    if (model->title && *model->title) {
        fputs(" of: ", to);
        doc(to, model->title);
    }
    fputs(".\n\n    host, port: the server.\n", to);
    params_doc(model, to);
    fputs("    Further options, by name, are those of BaseClient: timeout, connect_timeout, lenient, defer, ...\n", to);
    if (runs_by_itself(model))
        fputs("    run() does what the protocol has a client do by itself, connecting again as it says.\n", to);
    fprintf(to, "    \"\"\"\n\n    def __init__(self, host: str = \"127.0.0.1\", port: int = %u", default_port(model));
    params_of_client(model, to);
    fputs(", **options):\n", to);
    params_handed_on(model, to);
    for (uint16_t i = 0; i < model->calls_count; i++) {
        fputc('\n', to);
        signature(model, to, &model->calls[i]);
        call_doc(model, to, &model->calls[i]);
        call_body(model, to, &model->calls[i], i);
    }
}

/* ---- tables ------------------------------------------------------------ */

static const char rows[] =
    "\n\n# ---- tables: the spec, resolved ----\n\n"
    "_Type = collections.namedtuple(\"_Type\", \"name kind charset of set min max\")\n"
    "_Enum = collections.namedtuple(\"_Enum\", \"type open names values texts\")\n"
    "_Field = collections.namedtuple(\n    \"_Field\", \"name form type slot extent extent_arg element present is_ "
    "init check fault leniency loose\"\n"
    "    \" bits little signed fold member optional\")\n"
    "_Frame = collections.namedtuple(\n    \"_Frame\", \"end fields body tag delims segment_leniency max walked trim "
    "blank transports\")\n"
    "_Ahead = collections.namedtuple(\"_Ahead\", \"kind text before\")\n"
    "_Pairs = collections.namedtuple(\n    \"_Pairs\", \"separator assign quote escape escapes duplicates sorted "
    "quote_if name_type value_type name_first\"\n    \" value_first most\")\n"
    "_Object = collections.namedtuple(\"_Object\", \"members rest\")\n"
    "_Message = collections.namedtuple(\n    \"_Message\", \"name from_server tag_kind tag fields wheres leads event "
    "transports\")\n"
    "_Where = collections.namedtuple(\"_Where\", \"that fault\")\n"
    "_Event = collections.namedtuple(\"_Event\", \"name kind\")\n"
    "_Machine = collections.namedtuple(\n    \"_Machine\", \"name start end vars timers rules frame_in frame_out "
    "reconnect\")\n"
    "_Reconnect = collections.namedtuple(\"_Reconnect\", \"pause growth cap most\")\n"
    "_Transport = collections.namedtuple(\"_Transport\", \"name port machine\")\n"
    "_Timer = collections.namedtuple(\"_Timer\", \"name event after states restart\")\n"
    "_Rule = collections.namedtuple(\"_Rule\", \"guard body otherwise\")\n"
    "_Effect = collections.namedtuple(\"_Effect\", \"name args fallible\")\n"
    "_Param = collections.namedtuple(\"_Param\", \"name type default\")\n"
    "_Call = collections.namedtuple(\"_Call\", \"name event args results first_var within machine opens\")\n"
    "_Option = collections.namedtuple(\"_Option\", \"name type value\")\n\n";

static const char *const kinds[] = {"int", "bool", "enum", "duration", "bytes", "text", "list"};
static const char *const charsets[] = {"bytes", "ascii", "utf-8"};
static const char *const forms[] = {"int",  "varint", "decimal", "hex",   "bytes", "const",
                                    "list", "calc",   "ahead",   "pairs", "object"};
static const char *const extents[] = {"fixed", "code", "count", "prefix", "until", "rest", "before"};
static const char *const ends[] = {"fields", "until", "eof", "segment", "datagram", "stream"};
static const char *const aheads[] = {"begins", "holds", "left"};
static const char *const duplicates[] = {"last", "first", "fault"};
static const char *const tag_kinds[] = {"none", "value", "text", "code"};
static const char *const event_kinds[] = {"builtin", "fault", "timer", "message", "call"};

static void one_type(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_type *t = &model->types[i];
    fputs("_Type(", to);
    string(to, t->name);
    fprintf(to, ", \"%s\", \"%s\"", kinds[t->kind], charsets[t->charset]);
    part(to, t->of);
    part(to, t->set);
    fprintf(to, ", %" PRId64 ", %" PRId64 ")", t->min, t->max);
}

static void one_set(const struct assay_model *model, FILE *to, uint32_t i)
{
    const uint64_t *bits = model->sets[i].bits;
    fprintf(to, "0x%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, bits[3], bits[2], bits[1], bits[0]);
}

static void one_enum(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_enum *e = &model->enums[i];
    fputs("_Enum(", to);
    if (e->name && e->items.count)
        class_name(to, e->name);
    else
        fputs("int", to);
    fprintf(to, ", %s, {", truth(e->open));
    for (uint16_t k = 0; k < e->items.count; k++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + k];
        fprintf(to, "%s%" PRId64 ": \"%s\"", k ? ", " : "", item->value, item->name);
    }
    fputs("}, {", to);
    for (uint16_t k = 0; k < e->items.count; k++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + k];
        fprintf(to, "%s\"%s\": %" PRId64, k ? ", " : "", item->name, item->value);
    }
    fputs("}, (", to);
    for (uint16_t k = 0; e->text && k < e->items.count; k++) {
        bytes(to, model->enum_items[e->items.first + k].text);
        fputs(", ", to);
    }
    fputs("))", to);
}

static void loose(FILE *to, uint8_t bits)
{
    static const char *const names[] = {"space", "plus", "zeros", "tail"};
    if (bits == 0) {
        fputs("None", to);
        return;
    }
    fputs("frozenset((", to);
    for (unsigned i = 0; i < 4; i++)
        if (bits >> i & 1)
            fprintf(to, "\"%s\", ", names[i]);
    fputs("))", to);
}

static void one_field(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_field *f = &model->fields[i];
    fputs("_Field(", to);
    string(to, f->name);
    fprintf(to, ", \"%s\"", forms[f->form]);
    part(to, f->type);
    part(to, f->slot);
    fprintf(to, ", \"%s\"", extents[f->extent]);
    const uint16_t references[] = {f->extent_arg, f->element, f->present, f->is,
                                   f->init,       f->check,   f->fault,   f->leniency};
    for (size_t k = 0; k < sizeof references / sizeof references[0]; k++)
        part(to, references[k]);
    fputs(", ", to);
    loose(to, f->loose);
    fprintf(to, ", %u, %s, %s, %s, %s, %s)", f->bits, truth(f->flags & ASSAY_F_LITTLE),
            truth(f->flags & ASSAY_F_SIGNED), truth(f->flags & ASSAY_F_FOLD), truth(f->flags & ASSAY_F_MEMBER),
            truth(f->flags & ASSAY_F_OPTIONAL));
}

static void one_ahead(const struct assay_model *model, FILE *to, uint32_t i)
{
    fprintf(to, "_Ahead(\"%s\", ", aheads[model->aheads[i].kind]);
    bytes(to, model->aheads[i].text);
    part(to, model->aheads[i].before);
    fputc(')', to);
}

static void optional_byte(FILE *to, uint8_t value)
{
    if (value)
        fprintf(to, ", %u", value);
    else
        fputs(", None", to);
}

static void one_pairs(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_pairs *p = &model->pairs[i];
    fprintf(to, "_Pairs(%u, %u", p->separator, p->assign);
    optional_byte(to, p->quote);
    optional_byte(to, p->escape);
    fputs(", {", to);
    for (unsigned k = 0; k < p->escapes; k++)
        fprintf(to, "%s%u: %u", k ? ", " : "", p->letters[k], p->stands[k]);
    fprintf(to, "}, \"%s\", %s", duplicates[p->duplicates], truth(p->sorted));
    part(to, p->quote_if);
    part(to, p->name_type);
    part(to, p->value_type);
    part(to, p->name_first);
    part(to, p->value_first);
    fprintf(to, ", %u)", p->most);
}

static void one_object(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_object *object = &model->objects[i];
    fputs("_Object((", to);
    for (uint16_t k = 0; k < object->members.count; k++) {
        const struct assay_object_member *member = &model->object_members[object->members.first + k];
        fputc('(', to);
        bytes(to, member->name);
        fprintf(to, ", %u), ", member->field);
    }
    fputs(")", to);
    part(to, object->rest);
    fputc(')', to);
}

static void one_frame(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_frame *f = &model->frames[i];
    fprintf(to, "_Frame(\"%s\", ", ends[f->end]);
    range(to, f->fields);
    part(to, f->body);
    part(to, f->tag);
    part(to, f->delims);
    part(to, f->segment_leniency);
    fprintf(to, ", %" PRIu32 ", %s", f->max, truth(f->walked & ASSAY_SERVER));
    part(to, f->trim);
    fprintf(to, ", %s, 0x%04x)", truth(f->blank), f->transports);
}

static void one_transport(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_transport *t = &model->transports[i];
    fprintf(to, "_Transport(\"%s\", %u", t->name, t->port);
    part(to, t->client);
    fputc(')', to);
}

static void one_delims(const struct assay_model *model, FILE *to, uint32_t i)
{
    struct assay_range r = model->delims[i].blobs;
    fputc('(', to);
    for (uint16_t k = 0; k < r.count; k++) {
        bytes(to, model->blobs[r.first + k]);
        fputs(", ", to);
    }
    fputc(')', to);
}

static void one_message(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_message *m = &model->messages[i];
    fprintf(to, "_Message(\"%s\", %s, \"%s\", ", m->name, truth(m->from & ASSAY_SERVER), tag_kinds[m->tag_kind]);
    switch ((enum assay_tag_kind)m->tag_kind) {
    case ASSAY_TAG_NONE:
        fputs("None", to);
        break;
    case ASSAY_TAG_VALUE:
        fprintf(to, "%" PRId64, m->tag);
        break;
    case ASSAY_TAG_TEXT:
        bytes(to, m->tag_text);
        break;
    case ASSAY_TAG_CODE:
        number(to, m->tag_code);
        break;
    }
    fputs(", ", to);
    range(to, m->fields);
    fputs(", ", to);
    range(to, m->wheres);
    part(to, m->leads);
    part(to, m->event);
    fprintf(to, ", 0x%04x)", m->transports);
}

static void one_where(const struct assay_model *model, FILE *to, uint32_t i)
{
    fputs("_Where(", to);
    number(to, model->wheres[i].that);
    part(to, model->wheres[i].fault);
    fputc(')', to);
}

static void one_event(const struct assay_model *model, FILE *to, uint32_t i)
{
    fputs("_Event(", to);
    string(to, model->events[i].name);
    fprintf(to, ", \"%s\")", event_kinds[model->events[i].kind]);
}

static void one_effect(const struct assay_model *model, FILE *to, uint32_t i)
{
    fprintf(to, "_Effect(\"%s\", ", model->effects[i].name);
    range(to, model->effects[i].args);
    fprintf(to, ", %s)", truth(model->effects[i].fallible));
}

static void one_param(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_param *param = &model->params[i];
    fprintf(to, "_Param(\"%s\", %u, ", param->name, param->type);
    if (param->init == ASSAY_NONE)
        fputs("None", to);
    else
        default_value(model, to, param);
    fputc(')', to);
}

static void one_call(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_call *c = &model->calls[i];
    fprintf(to, "_Call(\"%s\", %u, ", c->name, c->event);
    range(to, c->args);
    fputs(", ", to);
    range(to, c->results);
    part(to, c->first_var);
    fprintf(to, ", %" PRId64, c->within);
    part(to, c->machine);
    part(to, c->opens);
    fputc(')', to);
}

static void one_option(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_option *o = &model->options[i];
    fprintf(to, "_Option(\"%s\", %u, ", o->name, o->type);
    if (model->types[o->type].kind >= ASSAY_T_BYTES)
        bytes(to, o->blob);
    else
        fprintf(to, "%" PRId64, o->value);
    fputc(')', to);
}

static void one_leniency(const struct assay_model *model, FILE *to, uint32_t i)
{
    string(to, model->leniencies[i].name);
}

static void one_error_name(const struct assay_model *model, FILE *to, uint32_t i)
{
    string(to, model->errors[i].name);
}

static void one_blob(const struct assay_model *model, FILE *to, uint32_t i)
{
    bytes(to, model->blobs[i]);
}

static void one_int(const struct assay_model *model, FILE *to, uint32_t i)
{
    fprintf(to, "%" PRId64, model->ints[i]);
}

static void table(const struct assay_model *model, FILE *to, const char *name, uint32_t count,
                  void (*one)(const struct assay_model *, FILE *, uint32_t))
{
    fprintf(to, "%s = (", name);
    for (uint32_t i = 0; i < count; i++) {
        fputs("\n    ", to);
        one(model, to, i);
        fputc(',', to);
    }
    fputs(count ? "\n)\n" : ")\n", to);
}

static void plain_tables(const struct assay_model *model, FILE *to)
{
    table(model, to, "_TYPES", model->types_count, one_type);
    table(model, to, "_SETS", model->sets_count, one_set);
    table(model, to, "_ENUMS", model->enums_count, one_enum);
    table(model, to, "_FIELDS", model->fields_count, one_field);
    table(model, to, "_DELIMS", model->delims_count, one_delims);
    table(model, to, "_AHEADS", model->aheads_count, one_ahead);
    table(model, to, "_PAIRS", model->pairs_count, one_pairs);
    table(model, to, "_OBJECTS", model->objects_count, one_object);
    table(model, to, "_FRAMES", model->frames_count, one_frame);
    table(model, to, "_TRANSPORTS", model->transports_count, one_transport);
    table(model, to, "_MESSAGES", model->messages_count, one_message);
    table(model, to, "_WHERES", model->wheres_count, one_where);
    table(model, to, "_EVENTS", model->events_count, one_event);
    table(model, to, "_EFFECTS", model->effects_count, one_effect);
    table(model, to, "_PARAMS", model->params_count, one_param);
    table(model, to, "_CALLS", model->calls_count, one_call);
    table(model, to, "_OPTIONS", model->options_count, one_option);
    table(model, to, "_LENIENCIES", model->leniencies_count, one_leniency);
    table(model, to, "_ERROR_NAMES", model->errors_count, one_error_name);
    table(model, to, "_BLOBS", model->blobs_count, one_blob);
    table(model, to, "_INTS", model->ints_count, one_int);
}

static void error_table(const struct assay_model *model, FILE *to)
{
    fputs("_ERRORS = {", to);
    for (uint16_t i = 0; i < model->errors_count; i++) {
        if (assay_emit_repeated_error(model, i))
            continue;
        fprintf(to, "\"%s\": ", model->errors[i].name);
        error_class(model, to, model->errors[i].name);
        fputs(", ", to);
    }
    fputs("}\n_EVENT_NUMBERS = {", to);
    for (uint16_t i = 0; i < model->events_count; i++)
        if (model->events[i].kind == ASSAY_EVK_BUILTIN)
            fprintf(to, "\"%s\": %u, ", model->events[i].name, i);
    fputs("}\n", to);
}

/* ---- machines: those that play a client -------------------------------- */

/* What every client machine adds to a table that is numbered as in the model. */
static void of_machines(const struct assay_model *model, FILE *to, const char *head,
                        void (*add)(const struct assay_model *, FILE *, const struct assay_machine *))
{
    fputs(head, to);
    for (uint32_t i = 0; i < model->machines_count; i++)
        if (plays_client(model, i))
            add(model, to, &model->machines[i]);
    fputs("\n}\n", to);
}

static void variables(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t i = m->vars.first; i < (uint32_t)m->vars.first + m->vars.count; i++) {
        fprintf(to, "\n    %" PRIu32 ": (%u", i, model->vars[i].type);
        part(to, model->vars[i].init);
        fprintf(to, "),  # %s", model->vars[i].name);
    }
}

static void timer(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_timer *t = &model->timers[i];
    fprintf(to, "\n    %" PRIu32 ": _Timer(\"%s\", %u, %u, frozenset((", i, t->name, t->event, t->after);
    for (const uint16_t *state = &model->statesets[t->states]; *state != ASSAY_NONE; state++)
        fprintf(to, "%u, ", *state);
    fputs(")), frozenset((", to);
    fputs(t->restart & ASSAY_RESTART_INPUT ? "\"input\", " : "", to);
    fputs(t->restart & ASSAY_RESTART_SEND ? "\"send\", " : "", to);
    fputs("))),", to);
}

static void timers(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t i = m->timers.first; i < (uint32_t)m->timers.first + m->timers.count; i++)
        timer(model, to, i);
}

static void rules(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t i = m->rules.first; i < (uint32_t)m->rules.first + m->rules.count; i++) {
        fprintf(to, "\n    %" PRIu32 ": _Rule(", i);
        number(to, model->rules[i].guard);
        part(to, model->rules[i].body);
        part(to, model->rules[i].otherwise);
        fputs("),", to);
    }
}

static void transitions(const struct assay_model *model, FILE *to, const struct assay_machine *m)
{
    for (uint32_t s = m->states.first; s < (uint32_t)m->states.first + m->states.count; s++)
        for (uint32_t e = 0; e < model->events_count; e++) {
            uint16_t at = model->transitions[(size_t)s * model->events_count + e];
            if (at == ASSAY_NONE)
                continue;
            fprintf(to, "\n    (%" PRIu32 ", %" PRIu32 "): (", s, e);
            for (; model->rule_lists[at] != ASSAY_NONE; at++)
                fprintf(to, "%u, ", model->rule_lists[at]);
            fprintf(to, "),  # %s, %s", model->states[s].name, model->events[e].name);
        }
}

static void waiting_states(const struct assay_model *model, FILE *to)
{
    fputs("_WAITING_STATES = frozenset((", to);
    for (uint32_t i = 0; i < model->states_count; i++)
        if (model->states[i].kind == ASSAY_STATE_WAIT)
            fprintf(to, "%" PRIu32 ", ", i);
    fputs("))\n", to);
}

static void one_machine(const struct assay_model *model, FILE *to, uint32_t i)
{
    const struct assay_machine *m = &model->machines[i];
    if (!plays_client(model, i)) {
        fputs("None", to);
        return;
    }
    fprintf(to, "_Machine(\"%s\", %u, %u, ", m->name, m->start, m->states.first + m->states.count - 1u);
    range(to, m->vars);
    fputs(", ", to);
    range(to, m->timers);
    fputs(", ", to);
    range(to, m->rules);
    fprintf(to, ", %u, %u, ", m->frame_in, m->frame_out);
    if (m->reconnect.pause == ASSAY_NONE)
        fputs("None)", to);
    else
        fprintf(to, "_Reconnect(%u, %u, %" PRId64 ", %" PRIu32 "))", m->reconnect.pause, m->reconnect.growth,
                m->reconnect.cap, m->reconnect.most);
}

static void machines(const struct assay_model *model, FILE *to)
{
    fprintf(to, "_DRAIN_BYTES, _DRAIN_SECONDS = %" PRIu32 ", %.3f\n", model->limits.drain,
            (double)model->limits.drain_time / 1e9);
    table(model, to, "_MACHINES", model->machines_count, one_machine);
    of_machines(model, to, "_VARS = {  # number: (type, initial value)", variables);
    of_machines(model, to, "_TIMERS = {", timers);
    of_machines(model, to, "_RULES = {", rules);
    waiting_states(model, to);
    of_machines(model, to, "_TRANSITIONS = {  # (state, event): rules to try in order", transitions);
}

static void code(const struct assay_model *model, FILE *to)
{
    static const char *const ops[] = {
#define X(name, pops, pushes, what) #name,
        ASSAY_OPS(X)
#undef X
    };
    fputs("_OPS = (", to);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        fprintf(to, "%s\"%s\",", i % 12 ? " " : "\n    ", ops[i]);
    fputs("\n)\n_CODE = (  # 8 bits operation, 8 bits a, 16 bits b", to);
    for (uint32_t i = 0; i < model->code_count; i++)
        fprintf(to, "%s0x%08" PRIx32 ",", i % 10 ? " " : "\n    ", model->code[i]);
    fputs("\n)\n\n\n", to);
}

void assay_emit_python(const struct assay_model *model, FILE *to)
{
    module_doc(model, to);
    fputs(assay_python_head, to);
    error_classes(model, to);
    enum_classes(model, to);
    result_types(model, to);
    client_class(model, to);
    fputs(rows, to);
    plain_tables(model, to);
    error_table(model, to);
    machines(model, to);
    code(model, to);
    fputs(assay_python_runtime, to);
    fputs("\n\nif __name__ == \"__main__\":\n    sys.exit(_main(Client, sys.argv[1:]))\n", to);
}
