#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/settings.h"
#include "cli/side.h"
#include "conformance/export.h"
#include "core/engine.h"

struct cases {
    const char *places[1]; /* SPEC */
    const char *filter;
    struct assay_cli_side side;
    struct assay_arg_list params, lenient;
    uint64_t seed;
    int64_t call_timeout;
    bool list, json, strict;
};

static enum assay_args_result read_args(struct cases *c, int argc, char **argv)
{
    const struct assay_arg options[] = {
        {"list", ASSAY_ARG_FLAG, &c->list, NULL, "ids with level and requirement (default)"},
        {"json", ASSAY_ARG_FLAG, &c->json, NULL, "stimuli and permitted outcomes, for a second judge"},
        {"filter", ASSAY_ARG_STRING, &c->filter, "GLOB", "only cases whose id matches"},
        {"role", ASSAY_ARG_STRING, &c->side.role, "ROLE", "what is judged: server (default) or client"},
        {"transport", ASSAY_ARG_STRING, &c->side.transport, "NAME",
         "the spec's transport that it is judged on (the first)"},
        {"machine", ASSAY_ARG_STRING, &c->side.machine, "NAME",
         "which of a spec's clients is judged (the transport's)"},
        {"call-timeout", ASSAY_ARG_DURATION, &c->call_timeout, "TIME",
         "what a client's calls may take (as the spec says)"},
        {"seed", ASSAY_ARG_UINT, &c->seed, "N", "of every random choice (1)"},
        {"param", ASSAY_ARG_LIST, &c->params, "NAME=VALUE", "a fact of the target that the spec asks for"},
        {"lenient", ASSAY_ARG_LIST, &c->lenient, "NAME=0|1", "whether the target has this leniency"},
        {"strict", ASSAY_ARG_FLAG, &c->strict, NULL, "all leniencies off"},
        {0},
    };
    struct assay_arg_spec spec = {
        .usage = "cases SPEC [OPTIONS]",
        .text = "The conformance cases that a spec yields. Ends with 0, 4: spec error, 5: there are none.",
        .options = options,
        .positional = c->places,
        .least = 1,
        .most = 1,
    };
    return assay_args_read(&spec, argc, argv);
}

static void print_list(const struct assay_suite *suite)
{
    static const char *const levels[] = {[ASSAY_MUST] = "MUST", [ASSAY_SHOULD] = "SHOULD", [ASSAY_MAY] = "MAY"};
    for (size_t i = 0; i < suite->count; i++) {
        const struct assay_case *c = &suite->cases[i];
        const char *req = c->req == ASSAY_NONE ? "-" : suite->model->requirements[c->req].id;
        bool field = c->field_req != ASSAY_NONE && c->field_req != c->req;
        int width = (int)strlen(req) < 8 ? 8 : (int)strlen(req);
        printf("%-6s %s%s%-*s %-60s %s\n", levels[c->level], req, field ? "," : "",
               width - (int)strlen(req) - (field ? 1 : 0), field ? suite->model->requirements[c->field_req].id : "",
               c->id, c->text);
    }
    fprintf(stderr, "%zu cases; %zu combinations of state and variables, %zu inputs at each\n", suite->count,
            suite->states_explored, suite->inputs_alphabet);
    for (const char *const *note = suite->notes; *note; note++)
        fprintf(stderr, "note: %s\n", *note);
}

static int show(const struct cases *c, const struct assay_spec *spec, const struct assay_settings *settings)
{
    struct assay_suite_options options = {.seed = c->seed,
                                          .filter = c->filter,
                                          .strict = c->strict,
                                          .model = &settings->model,
                                          .leniencies = &settings->leniencies,
                                          .call_timeout = c->call_timeout};
    if (!assay_cli_side(&options, &settings->model, &c->side))
        return ASSAY_EXIT_USAGE;
    uint64_t leniencies = settings->leniencies;
    if (options.role == ASSAY_CLIENT && c->lenient.count == 0)
        leniencies = 0; /* clients grant none unless they are asked to */
    options.leniencies = &leniencies;
    struct assay_suite *suite = assay_suite_make(spec, &options);
    int code = ASSAY_EXIT_INTERNAL;
    if (!suite)
        return code;
    if (!c->json)
        print_list(suite);
    if (!c->json || assay_export_json(suite, NULL, leniencies, c->seed, stdout))
        code = suite->count ? ASSAY_EXIT_OK : ASSAY_EXIT_NOTHING_RAN;
    else
        fprintf(stderr, "assay: the cases cannot be written\n");
    assay_suite_free(suite);
    return code;
}

int assay_cmd_cases(int argc, char **argv)
{
    struct cases c = {.seed = 1};
    enum assay_args_result read = read_args(&c, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    struct assay_spec *spec = assay_cli_spec(c.places[0]);
    if (!spec)
        return ASSAY_EXIT_USAGE;
    struct assay_settings settings = {0};
    int code = ASSAY_EXIT_USAGE;
    if (assay_settings_read(&settings, assay_spec_model(spec), NULL, &c.params, &c.lenient, c.strict))
        code = show(&c, spec, &settings);
    assay_settings_free(&settings);
    assay_spec_free(spec);
    return code;
}
