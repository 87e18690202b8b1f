/* Calls whose arguments have defaults: all arguments as a struct, which begins with these. */
#include <inttypes.h>
#include <string.h>

#include "compiler/emit_c.h"
#include "core/code.h"
#include "core/number.h"

#define VALUE_MAX 4096 /* bytes of a default */

static bool has_defaults(const struct assay_model *model, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->args.count; i++)
        if (model->params[call->args.first + i].init != ASSAY_NONE)
            return true;
    return false;
}

static const struct assay_param *arg(const struct assay_model *model, const struct assay_call *call, uint16_t i)
{
    return &model->params[call->args.first + i];
}

/* ---- what is declared -------------------------------------------------- */

static void struct_name(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    fputs("struct ", to);
    assay_c_call_name(model, to, call);
    fputs("_args", to);
}

/* As the parameters of the call, with semicolons. */
static void members(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs("    ", to);
        assay_c_parameter(model, to, arg(model, call, i), ";\n    ");
        fputs(";\n", to);
    }
}

static void defaults_signature(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    struct_name(model, to, call);
    fputc(' ', to);
    assay_c_call_name(model, to, call);
    fputs("_defaults(void)", to);
}

static void with_signature(const struct assay_model *model, FILE *to, const struct assay_call *call,
                           enum assay_c_form which)
{
    char *text;
    size_t size;
    FILE *into = assay_c_begin_wrapped(&text, &size);
    fputs("int ", into);
    assay_c_call_name(model, into, call);
    fprintf(into, "_with%s(struct %s_client *client, const ", which == ASSAY_C_STARTING ? "_start" : "",
            model->protocol);
    struct_name(model, into, call);
    fputs(" *args", into);
    if (which == ASSAY_C_BLOCKING)
        assay_c_result_parameters(model, into, call);
    fputc(')', into);
    assay_c_end_wrapped(to, into, &text, "    ");
}

void assay_c_declare_defaults(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    if (!has_defaults(model, call))
        return;
    struct_name(model, to, call);
    fputs(" {\n", to);
    members(model, to, call);
    fputs("};\n", to);
    defaults_signature(model, to, call);
    fputs(";\n", to);
    for (enum assay_c_form which = ASSAY_C_BLOCKING; which <= ASSAY_C_STARTING; which++) {
        with_signature(model, to, call, which);
        fputs(";\n", to);
    }
    fputc('\n', to);
}

/* ---- defaults as C writes them ------------------------------------------ */

struct value {
    assay_val number;
    struct assay_span bytes;
    uint8_t room[VALUE_MAX];
};

static bool evaluate(const struct assay_model *model, const struct assay_param *param, struct value *value)
{
    assay_val slots[ASSAY_SLOTS_MAX];
    struct assay_env env = {.model = model,
                            .slots = slots,
                            .frame = value->room,
                            .scratch = value->room,
                            .scratch_cap = sizeof value->room};
    if (param->init == ASSAY_NONE || !assay_eval(&env, param->init, &value->number))
        return false;
    if (model->types[param->type].kind >= ASSAY_T_BYTES)
        value->bytes = assay_bytes(&env, value->number);
    return true;
}

static void number(FILE *to, int64_t value)
{
    bool small = value >= -INT32_MAX && value <= INT32_MAX;
    if (value == INT64_MIN)
        fputs("INT64_MIN", to);
    else
        fprintf(to, small ? "%" PRId64 : "INT64_C(%" PRId64 ")", value);
}

/* Octal escapes end after three digits, whatever follows; a question mark may begin a trigraph, and lines are broken
 * behind commas. */
static void literal(FILE *to, struct assay_span bytes)
{
    fputc('"', to);
    for (uint32_t i = 0; i < bytes.n; i++) {
        uint8_t byte = bytes.p[i];
        bool plain = byte >= 0x20 && byte < 0x7f && !memchr("\"\\?,", byte, 4);
        fprintf(to, plain ? "%c" : "\\%03o", byte);
    }
    fputc('"', to);
}

static void list(FILE *to, const struct assay_param *param, struct assay_span items)
{
    fputs("    static const int64_t ", to);
    assay_c_variable(to, param->name);
    fputs("[] = {", to);
    for (uint32_t i = 0; i + 8 <= items.n; i += 8) {
        fputs(i ? ", " : "", to);
        number(to, assay_load_item(items.p + i));
    }
    fputs(items.n ? "};\n" : "0};\n", to);
}

static void set_bytes(FILE *to, const struct assay_param *param, const struct assay_type *type,
                      const struct value *value)
{
    if (type->kind == ASSAY_T_LIST)
        assay_c_variable(to, param->name);
    else
        literal(to, value->bytes);
    if (type->kind == ASSAY_T_TEXT)
        return;
    fputs(", .", to);
    assay_emit_name(to, param->name, ASSAY_LOWER_SNAKE);
    if (type->kind == ASSAY_T_LIST)
        fprintf(to, "_count = %" PRIu32, value->bytes.n / 8);
    else
        fprintf(to, "_size = %" PRIu32, value->bytes.n);
}

static void set_number(const struct assay_model *model, FILE *to, const struct assay_type *type, int64_t value)
{
    if (type->kind == ASSAY_T_BOOL) {
        fputs(value ? "true" : "false", to);
        return;
    }
    fputc('(', to);
    assay_c_number_type(model, to, type);
    fputc(')', to);
    number(to, value);
}

/* A text that has no default is empty: nobody has to be able to read from NULL. */
static bool set(const struct assay_model *model, FILE *to, const struct assay_param *param, bool first)
{
    const struct assay_type *type = assay_c_type_of(model, param);
    struct value value = {0};
    if (!evaluate(model, param, &value) && type->kind != ASSAY_T_TEXT)
        return first;
    fputs(first ? "." : ", .", to);
    assay_c_variable(to, param->name);
    fputs(type->kind == ASSAY_T_DURATION ? "_ns = " : " = ", to);
    if (type->kind >= ASSAY_T_BYTES)
        set_bytes(to, param, type, &value);
    else
        set_number(model, to, type, (int64_t)value.number);
    return false;
}

static void define_values(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    char *text;
    size_t size;
    for (uint16_t i = 0; i < call->args.count; i++) {
        struct value value = {0};
        const struct assay_param *param = arg(model, call, i);
        if (assay_c_type_of(model, param)->kind == ASSAY_T_LIST && evaluate(model, param, &value))
            list(to, param, value.bytes);
    }
    FILE *into = assay_c_begin_wrapped(&text, &size);
    fputs("    return (", into);
    struct_name(model, into, call);
    fputs("){", into);
    for (uint16_t i = 0, first = true; i < call->args.count; i++)
        first = set(model, into, arg(model, call, i), first);
    fputs("};", into);
    assay_c_end_wrapped(to, into, &text, "        ");
    fputc('\n', to);
}

/* ---- what is defined ----------------------------------------------------- */

static void pass_on(const struct assay_model *model, FILE *to, const struct assay_call *call, enum assay_c_form which)
{
    char *text;
    size_t size;
    FILE *into = assay_c_begin_wrapped(&text, &size);
    fputs("    return ", into);
    assay_c_call_name(model, into, call);
    fputs(which == ASSAY_C_STARTING ? "_start(client" : "(client", into);
    for (uint16_t i = 0; i < call->args.count; i++) {
        fputs(", args->", into);
        assay_c_argument(model, into, arg(model, call, i), ", args->");
    }
    if (which == ASSAY_C_BLOCKING)
        assay_c_result_names(model, into, call);
    fputs(");", into);
    assay_c_end_wrapped(to, into, &text, "        ");
    fputc('\n', to);
}

void assay_c_define_defaults(const struct assay_model *model, FILE *to, const struct assay_call *call)
{
    if (!has_defaults(model, call))
        return;
    defaults_signature(model, to, call);
    fputs("\n{\n", to);
    define_values(model, to, call);
    fputs("}\n\n", to);
    for (enum assay_c_form which = ASSAY_C_BLOCKING; which <= ASSAY_C_STARTING; which++) {
        with_signature(model, to, call, which);
        fputs("\n{\n", to);
        pass_on(model, to, call, which);
        fputs("}\n\n", to);
    }
}
