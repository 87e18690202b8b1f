/* PROTOCOL.c: what stands behind the typed interface, then the tables; and PROTOCOL_main.c. */
#include <string.h>

#include "compiler/emit_c.h"

/* ---- a client ---------------------------------------------------------- */

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

/* ---- calls ------------------------------------------------------------- */

static void argument(const struct assay_model *model, FILE *to, const struct assay_param *param)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    if (type->kind < ASSAY_T_BYTES) {
        fputs("assay_number((int64_t)", to);
        assay_c_variable(to, param->name);
        fputs(type->kind == ASSAY_T_DURATION ? "_ns)" : ")", to);
        return;
    }
    fputs("assay_blob_value(", to);
    assay_c_variable(to, param->name);
    fputs(type->kind == ASSAY_T_TEXT ? ", strlen(" : ", ", to);
    if (type->kind == ASSAY_T_TEXT)
        assay_c_variable(to, param->name);
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
    FILE *into = assay_c_begin_wrapped(&text, &size);
    fputs("    const struct assay_value args[] = {", into);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(i ? ", " : "", into);
        argument(model, into, &model->params[call->args.first + i]);
    }
    fputs("};", into);
    assay_c_end_wrapped(to, into, &text, "        ");
    fputc('\n', to);
}

static void store(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t i)
{
    const struct assay_param *param = &model->params[call->results.first + i];
    const struct assay_type *type = assay_c_type_of(model, param);
    const char *suffix = type->kind == ASSAY_T_DURATION ? "_ns" : "";
    fputs("    if (", to);
    assay_c_result_variable(model, call, to, param->name);
    fprintf(to, "%s)\n        *", suffix);
    assay_c_result_variable(model, call, to, param->name);
    if (type->kind < ASSAY_T_BYTES) {
        fprintf(to, "%s = (", suffix);
        assay_c_number_type(model, to, type);
        fprintf(to, ")values[%u].number;\n", i);
        return;
    }
    bool list = type->kind == ASSAY_T_LIST;
    fprintf(to, " = (const %s *)values[%u].bytes;\n    if (",
            list                         ? "int64_t"
            : type->kind == ASSAY_T_TEXT ? "char"
                                         : "uint8_t",
            i);
    assay_c_result_variable(model, call, to, param->name);
    fprintf(to, "%s)\n        *", list ? "_count" : "_size");
    assay_c_result_variable(model, call, to, param->name);
    fprintf(to, "%s = values[%u].size%s;\n", list ? "_count" : "_size", i, list ? " / sizeof(int64_t)" : "");
}

static void store_function(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    char *text;
    size_t size;
    FILE *into = assay_c_begin_wrapped(&text, &size);
    fputs("static void ", into);
    assay_emit_name(into, call->name, ASSAY_LOWER_SNAKE);
    fputs("_store(const struct assay_value *values", into);
    assay_c_result_parameters(model, into, call);
    fputc(')', into);
    assay_c_end_wrapped(to, into, &text, "    ");
    fputs("\n{\n", to);
    for (uint16_t i = 0; i < call->results.count; i++)
        store(model, to, call, i);
    fputs("}\n\n", to);
}

static void store_call(const struct assay_model *model, FILE *to, const struct assay_call *call, const char *from)
{
    char *text;
    size_t size;
    FILE *into = assay_c_begin_wrapped(&text, &size);
    assay_emit_name(into, call->name, ASSAY_LOWER_SNAKE);
    fprintf(into, "_store(%s", from);
    assay_c_result_names(model, into, call);
    fputs(");", into);
    assay_c_end_wrapped(to, into, &text, "            ");
    fputc('\n', to);
}

static void blocking(const struct assay_model *model, FILE *to, const struct assay_call *call, uint16_t index)
{
    const char *p = model->protocol, *args = call->args.count ? "args" : "NULL";
    assay_c_signature(model, to, call, ASSAY_C_BLOCKING);
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
    assay_c_signature(model, to, call, ASSAY_C_STARTING);
    fputs("\n{\n", to);
    arguments(model, to, call);
    fprintf(to, "    return assay_client_start(%s_base(client), %u, %s);\n}\n\n", model->protocol, index,
            call->args.count ? "args" : "NULL");
}

static void taking(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    assay_c_signature(model, to, call, ASSAY_C_TAKING);
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
    assay_c_define_defaults(model, to, call);
}

static void define_effect(const struct assay_model *model, FILE *to, const struct assay_effect *effect)
{
    if (effect->args.count == 0)
        return;
    assay_c_effect_signature(model, to, effect);
    fputs("\n{\n", to);
    for (uint16_t i = 0; i < effect->args.count; i++)
        assay_c_set_member(model, to, &model->params[effect->args.first + i], i);
    fputs("}\n\n", to);
}

/* ---- all --------------------------------------------------------------- */

void assay_emit_c_source(const struct assay_model *model, FILE *to)
{
    assay_c_banner(model, to, "Client");
    fprintf(to, " */\n#include \"%s.h\"\n\n#include <string.h>\n\n#include <assay/model.h>\n\n", model->protocol);
    lifecycle_bodies(model, to);
    for (uint16_t i = 0; i < model->calls_count; i++)
        define_call(model, to, i);
    for (uint16_t i = 0; i < model->effects_count; i++)
        define_effect(model, to, &model->effects[i]);
    fputs("/* ---- tables: the spec, resolved -------------------------------------------- */\n\n", to);
    assay_emit_c_tables(model, to);
}

void assay_emit_c_main(const struct assay_model *model, FILE *to)
{
    assay_c_banner(model, to, "Program");
    fprintf(to,
            "\n *\n * Orders come on standard input, what happens is told on standard output: `PROGRAM --help`.\n */\n"
            "#include \"%s.h\"\n\nint main(int argc, char **argv)\n{\n"
            "    return assay_client_drive(&%s_model, argc, argv);\n}\n",
            model->protocol, model->protocol);
}
