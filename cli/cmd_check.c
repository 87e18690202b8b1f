#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/dump.h"

static void say_ok(const char *path, const struct assay_model *m)
{
    if (m)
        printf("%s: ok (%u messages, %u states, %u rules, %u requirements)\n", path, m->messages_count, m->states_count,
               m->rules_count, m->requirements_count);
    else
        printf("%s: ok, but this version cannot run what the notes name\n", path);
}

static bool check(const char *path, bool dump)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path, &diags);
    fflush(stdout);
    assay_diags_print(&diags, stderr);
    if (spec)
        say_ok(path, assay_spec_model(spec));
    else
        fprintf(stderr, "%s: %zu error%s\n", path, diags.errors, diags.errors == 1 ? "" : "s");
    if (spec && dump && assay_spec_model(spec))
        assay_dump(assay_spec_model(spec), stdout);
    bool good = spec != NULL;
    assay_spec_free(spec);
    assay_diags_free(&diags);
    return good;
}

int assay_cmd_check(int argc, char **argv)
{
    bool dump = false;
    const char **paths = calloc((size_t)argc, sizeof *paths);
    if (!paths)
        return ASSAY_EXIT_INTERNAL;
    const struct assay_arg options[] = {
        {"dump", ASSAY_ARG_FLAG, &dump, NULL, "also print the model that a spec becomes, code and all"},
        {0},
    };
    struct assay_arg_spec spec = {
        .usage = "check SPEC... [OPTIONS]",
        .text = "Hold specs against the language (spec/LANGUAGE.md). Every error of a file is reported as\n"
                "file:line:column: error: what is wrong, and what would be right.",
        .options = options,
        .positional = paths,
        .least = 1,
        .most = (size_t)argc,
    };
    enum assay_args_result read = assay_args_read(&spec, argc, argv);
    bool good = true;
    for (size_t i = 0; read == ASSAY_ARGS_OK && i < spec.count; i++)
        good = check(paths[i], dump) && good;
    free(paths);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    return good ? ASSAY_EXIT_OK : ASSAY_EXIT_USAGE;
}
