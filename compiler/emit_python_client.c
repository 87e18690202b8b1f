/* class Client: what it can be told, and a method for each call. */
#include <inttypes.h>

#include "compiler/emit_python.h"
#include "core/code.h"

/* ---- calls ------------------------------------------------------------- */

static void annotation(const struct assay_model *model, FILE *to, uint16_t index)
{
    const struct assay_type *type = &model->types[index];
    static const char *const names[] = {"int", "bool", "int", "float", "bytes", "str", "list"};
    if (type->kind == ASSAY_T_ENUM && model->enums[type->of].name)
        assay_python_class(to, model->enums[type->of].name);
    else
        fputs(names[type->kind], to);
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
    assay_python_method(to, call->name);
    fputs("(self", to);
    for (uint16_t i = 0; i < call->args.count; i++) {
        const struct assay_param *param = &model->params[call->args.first + i];
        fputs(named_from_here(model, call, i) ? ", *, " : ", ", to);
        assay_python_variable(to, param->name);
        fputs(": ", to);
        annotation(model, to, param->type);
        if (param->init != ASSAY_NONE) {
            fputs(" = ", to);
            assay_python_default(model, to, param);
        }
    }
    fputs(")", to);
    if (call->results.count == 1) {
        fputs(" -> ", to);
        annotation(model, to, model->params[call->results.first].type);
    }
    if (call->results.count > 1) {
        fputs(" -> ", to);
        assay_python_class(to, call->name);
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
        assay_python_doc(to, text ? param->text : "");
        fprintf(to, "%s%s\n", text && *bounds ? "; " : "", bounds);
    }
}

static void call_doc(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fputs("        \"\"\"", to);
    assay_python_doc(to, call->text && *call->text ? call->text : call->name);
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
        assay_python_error(model, to, model->errors[call->errors.first + i].name);
    }
    fputs(call->errors.count ? ".\n        \"\"\"\n" : "        Raises what ClientError covers.\n        \"\"\"\n", to);
}

static void call_body(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t index)
{
    fputs(call->results.count ? "        results = " : "        ", to);
    fprintf(to, "self._call(%u, (", index);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(i ? ", " : "", to);
        assay_python_variable(to, model->params[call->args.first + i].name);
    }
    fputs(call->args.count == 1 ? ",))\n" : "))\n", to);
    if (call->results.count == 1)
        fputs("        return results[0]\n", to);
    if (call->results.count > 1) {
        fputs("        return ", to);
        assay_python_class(to, call->name);
        fputs("Result(*results)\n", to);
    }
}

/* ---- params: those that a client looks at ------------------------------ */

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
    for (uint32_t i = m->vars.first; i < (uint32_t)m->vars.first + m->vars.count; i++)
        if (code_reads(model, model->vars[i].init, option))
            return true;
    return code_reads(model, m->reconnect.pause, option) || code_reads(model, m->first_number, option);
}

/* Whether what is done about acknowledged messages looks at it. */
static bool reliable_reads(const struct assay_model *model, uint16_t option)
{
    const struct assay_reliable *r = model->reliables;
    return model->reliables_count && (code_reads(model, r->first, option) || code_reads(model, r->cap, option) ||
                                      code_reads(model, r->give_up, option));
}

/* Params that no client's machine looks at are not its business. */
static bool clients_read(const struct assay_model *model, uint16_t option)
{
    for (uint32_t i = 0; i < model->machines_count; i++)
        if (assay_python_plays(model, i) && machine_reads(model, &model->machines[i], option))
            return true;
    return reliable_reads(model, option);
}

static void param_default(const struct assay_model *model, FILE *to, const struct assay_option *option)
{
    const struct assay_type *type = &model->types[option->type];
    struct assay_env env = {.model = model};
    if (type->kind == ASSAY_T_TEXT) {
        assay_python_literal(to, option->blob.p, option->blob.n);
    } else if (type->kind >= ASSAY_T_BYTES) {
        assay_python_bytes(to, option->blob);
    } else {
        assay_python_value(model, to, &env, option->type, (assay_val)option->value);
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
        assay_python_param(to, model->options[i].name);
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
        assay_python_param(to, option->name);
        fputs(model->types[option->type].kind == ASSAY_T_DURATION ? ": seconds; " : ": ", to);
        assay_python_doc(to, option->text ? option->text : option->name);
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
        assay_python_param(to, model->options[i].name);
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
        if (assay_python_plays(model, i) && model->machines[i].reconnect.pause != ASSAY_NONE)
            return true;
    return false;
}

/* ---- all --------------------------------------------------------------- */

void assay_emit_python_client(const struct assay_model *model, FILE *to)
{
    fputs("\n\nclass Client(BaseClient):\n    \"\"\"A connection to a server", to);
    if (model->title && *model->title) {
        fputs(" of: ", to);
        assay_python_doc(to, model->title);
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
