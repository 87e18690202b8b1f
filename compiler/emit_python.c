/* A client in Python: errors, enums and calls of the protocol, then its tables, then what runs them. */
#include <inttypes.h>

#include "compiler/emit_python.h"
#include "compiler/python_text.h"

static void module_doc(const struct assay_model *model, FILE *to)
{
    fputs("\"\"\"", to);
    assay_python_doc(to, model->title && *model->title ? model->title : model->protocol);
    fputs(": a client", to);
    if (model->version && *model->version) {
        fputs(" for version ", to);
        assay_python_doc(to, model->version);
    }
    fprintf(to, ".\n\nMade from %s by `assay gen python`: changes belong there.\n", assay_emit_source_name(model));
    fprintf(to, "Needs nothing but Python 3.8 or newer, on any system with sockets.\n\n"
                "    with Client(\"127.0.0.1\", 7000) as client:\n        client.");
    if (model->calls_count)
        assay_python_method(to, model->calls[0].name);
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
        assay_python_error(model, to, error->name);
        fputs("(CallFailed):\n", to);
        if (error->text && *error->text) {
            fputs("    \"\"\"", to);
            assay_python_doc(to, error->text);
            fputs("\"\"\"\n\n", to);
        }
        fputs("    name = ", to);
        assay_python_string(to, error->name);
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
        assay_python_class(to, e->name);
        fputs("(enum.IntEnum):\n", to);
        for (uint16_t k = 0; k < e->items.count; k++) {
            const struct assay_enum_item *item = &model->enum_items[e->items.first + k];
            fputs("    ", to);
            assay_emit_name(to, item->name, ASSAY_UPPER_SNAKE);
            fprintf(to, " = %" PRId64 "\n", item->value);
        }
    }
}

static void result_types(const struct assay_model *model, FILE *to)
{
    for (uint16_t i = 0; i < model->calls_count; i++) {
        const struct assay_call *call = &model->calls[i];
        if (call->results.count < 2)
            continue;
        fputs("\n\n", to);
        assay_python_class(to, call->name);
        fputs("Result = collections.namedtuple(\"", to);
        assay_python_class(to, call->name);
        fputs("Result\", \"", to);
        for (uint16_t k = 0; k < call->results.count; k++) {
            fputs(k ? " " : "", to);
            assay_python_variable(to, model->params[call->results.first + k].name);
        }
        fputs("\")\n", to);
    }
}

void assay_emit_python(const struct assay_model *model, FILE *to)
{
    module_doc(model, to);
    fputs(assay_python_head, to);
    error_classes(model, to);
    enum_classes(model, to);
    result_types(model, to);
    assay_emit_python_client(model, to);
    assay_emit_python_tables(model, to);
    fputs(assay_python_runtime, to);
    if (model->reliables_count)
        fputs(assay_python_reliable, to);
    fputs("\n\nif __name__ == \"__main__\":\n    sys.exit(_main(Client, sys.argv[1:]))\n", to);
}
