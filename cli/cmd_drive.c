/* `assay drive`: a client of a spec that is driven by lines, as LANGUAGE.md section 14 says. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/settings.h"
#include "libclient/drive.h"

static const char text[] =
    "A client of a spec that reads orders from standard input and tells on standard output what happens, a line each:\n"
    "\n"
    "  connect            connected, unreachable; later: ended\n"
    "  call NAME ARG=...  result NAME FIELD=..., error NAME KIND TEXT\n"
    "  close              ended\n"
    "\n"
    "Effects of the client's machine are told as `effect NAME ARG=...`. Bytes of a value other than A-Z a-z 0-9 - . _ "
    "~\n"
    "are percent-encoded. The end of standard input ends the program. With --run it connects at once and ends with "
    "its\n"
    "machine: exit status 0 when that came to its end. ADDRESS is HOST:PORT or TRANSPORT:HOST:PORT; behind commas may\n"
    "stand where other transports are.";

struct words {
    struct assay_arg_list params, lenient;
};

static void copy_list(const struct assay_arg_list *from, const char **to)
{
    memcpy(to, from->items, from->count * sizeof *to);
    to[from->count] = NULL;
}

int assay_cmd_drive(int argc, char **argv)
{
    struct assay_drive drive = {0};
    struct words w = {0};
    const char *words[2], *params[ASSAY_ARG_LIST_MAX + 1], *lenient[65] = {NULL};
    const struct assay_arg options[] = {
        {"run", ASSAY_ARG_FLAG, &drive.run, NULL, "connect at once, exit when the machine is through"},
        {"transport", ASSAY_ARG_STRING, &drive.options.transport, "NAME", "which of the spec's (as the address says)"},
        {"machine", ASSAY_ARG_STRING, &drive.options.machine, "NAME", "which of the spec's (the transport's)"},
        {"param", ASSAY_ARG_LIST, &w.params, "NAME=VALUE", "set a param of the spec"},
        {"lenient", ASSAY_ARG_LIST, &w.lenient, "NAME=0|1", "grant the server a leniency (none by default)"},
        {"bind", ASSAY_ARG_STRING, &drive.options.bind, "ADDRESS", "be reachable there (datagrams)"},
        {"trace", ASSAY_ARG_FLAG, &drive.trace, NULL, "show all messages on standard error"},
        {0},
    };
    struct assay_arg_spec args = {.usage = "drive SPEC ADDRESS [OPTIONS]",
                                  .text = text,
                                  .options = options,
                                  .positional = words,
                                  .least = 2,
                                  .most = 2};
    enum assay_args_result read = assay_args_read(&args, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    struct assay_spec *spec = assay_cli_spec(words[0]);
    struct assay_settings settings = {0};
    int code = ASSAY_EXIT_USAGE;
    if (spec && assay_settings_read(&settings, assay_spec_model(spec), NULL, NULL, &w.lenient, true)) {
        for (unsigned i = 0, n = 0; i < settings.model.leniencies_count && i < 64; i++)
            if (settings.leniencies >> i & 1)
                lenient[n++] = settings.model.leniencies[i].name;
        copy_list(&w.params, params);
        drive.model = assay_spec_model(spec);
        drive.address = words[1];
        drive.options.params = params;
        drive.options.lenient = lenient;
        code = assay_drive(&drive);
    }
    assay_settings_free(&settings);
    assay_spec_free(spec);
    return code;
}
