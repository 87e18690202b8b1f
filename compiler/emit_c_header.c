/* PROTOCOL.h: the typed interface of a client. */
#include <inttypes.h>
#include <string.h>

#include "compiler/emit_c.h"
#include "core/value.h"

/* ---- types and errors -------------------------------------------------- */

static void enum_items(const struct assay_model *model, FILE *to, const struct assay_enum *e, bool as_enum)
{
    for (uint16_t i = 0; i < e->items.count; i++) {
        const struct assay_enum_item *item = &model->enum_items[e->items.first + i];
        fputs(as_enum ? "    " : "#define ", to);
        assay_emit_name(to, model->protocol, ASSAY_UPPER_SNAKE);
        fputc('_', to);
        assay_c_enum_name(to, e->name, ASSAY_UPPER_SNAKE);
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
    bool as_enum = assay_c_is_enum(model, index);
    if (as_enum) {
        fprintf(to, "enum %s_", model->protocol);
        assay_c_enum_name(to, e->name, ASSAY_LOWER_SNAKE);
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
        assay_c_constant(model, to, "error", model->errors[i].name);
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
        assay_c_constant(model, to, kind, strcmp(kind, "call") == 0 ? model->calls[i].name : model->effects[i].name);
        fprintf(to, " = %u%s\n", i, i + 1 < count ? "," : "");
    }
    fputs("};\n\n", to);
}

/* ---- calls ------------------------------------------------------------- */

static void call_errors(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->errors.count; i++) {
        fputs(i ? ", " : " * Errors: ", to);
        assay_c_constant(model, to, "error", model->errors[call->errors.first + i].name);
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
        const struct assay_type *type = assay_c_type_of(model, param);
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
    for (enum assay_c_form which = ASSAY_C_BLOCKING; which <= ASSAY_C_TAKING; which++) {
        if (which == ASSAY_C_TAKING && call->results.count == 0)
            continue;
        assay_c_signature(model, to, call, which);
        fputs(";\n", to);
    }
    fputc('\n', to);
    assay_c_declare_defaults(model, to, call);
}

/* ---- effects ----------------------------------------------------------- */

static void declare_effect(const struct assay_model *model, FILE *to, const struct assay_effect *effect)
{
    if (effect->args.count == 0)
        return;
    fprintf(to, "/* Effect %s: its arguments, taken from the event that orders it. */\nstruct %s_", effect->name,
            model->protocol);
    assay_emit_name(to, effect->name, ASSAY_LOWER_SNAKE);
    fputs("_effect {\n", to);
    for (uint16_t i = 0; i < effect->args.count; i++)
        assay_c_member(model, to, &model->params[effect->args.first + i]);
    fputs("};\n", to);
    assay_c_effect_signature(model, to, effect);
    fputs(";\n\n", to);
}

/* ---- all --------------------------------------------------------------- */

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
    assay_c_banner(model, to, "Client");
    fprintf(to, "\n *\n * Calls wait for their answer and return 0, or an error; results are set when 0 is returned, "
                "and may be\n"
                " * NULL. Bytes handed out are valid until the next call. For each call, NAME_start() begins it "
                "without waiting,\n"
                " * NAME_results() takes its results from the event that ends it. Where arguments have defaults, "
                "NAME_defaults() "
                "gives\n * a struct of all arguments that begins with them, to be completed and handed to NAME_with() "
                "or\n * NAME_with_start(). assay.h tells the rest.\n */\n");
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
    for (uint16_t i = 0; i < model->effects_count; i++)
        declare_effect(model, to, &model->effects[i]);
    fputs("#ifdef __cplusplus\n}\n#endif\n#endif\n", to);
}
