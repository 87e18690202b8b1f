#include <stdio.h>

#include "cli/cli.h"
#include "cli/settings.h"
#include "ref-server/assay_server.h"

struct serve {
    const char *spec, *data;
    struct assay_arg_list listen, limits, params, lenient;
    bool strict, trace, stats;
};

static enum assay_args_result read_args(struct serve *serve, int argc, char **argv)
{
    const struct assay_arg options[] = {
        {"listen", ASSAY_ARG_LIST, &serve->listen, "[tcp:|udp:]ADDR:PORT",
         "where to listen, and nowhere else; port 0: any free one"},
        {"data", ASSAY_ARG_STRING, &serve->data, "DIR",
         "folder of the files that effects name, and of tables and logs (.)"},
        {"limit", ASSAY_ARG_LIST, &serve->limits, "NAME=VALUE", "override a limit of the spec"},
        {"param", ASSAY_ARG_LIST, &serve->params, "NAME=VALUE", "set a param of the spec"},
        {"lenient", ASSAY_ARG_LIST, &serve->lenient, "NAME=0|1", "switch a leniency"},
        {"strict", ASSAY_ARG_FLAG, &serve->strict, NULL, "switch all leniencies off"},
        {"stats", ASSAY_ARG_FLAG, &serve->stats, NULL, "tell at the end how often each effect was ordered"},
        {"trace", ASSAY_ARG_FLAG, &serve->trace, NULL, "tell each message and step on stderr"},
        {0},
    };
    struct assay_arg_spec spec = {
        .usage = "serve SPEC [OPTIONS]",
        .text = "Run the reference server of a spec, over every transport that the spec names. Prints a line\n"
                "\"listening on tcp:ADDR:PORT\" (or udp:) for each address when it is ready.\n"
                "SIGTERM and SIGINT end it after all requests received were answered; the second one ends it at once.\n"
                "If nobody reads its stdout or stderr, the first one waits as long as the limit drain_time says, then\n"
                "gives up and tells on stderr, if that can be written to, how many bytes were lost.\n"
                "SIGHUP opens its files anew; SIGUSR1 tells on stderr how often each effect was ordered.",
        .options = options,
        .positional = &serve->spec,
        .least = 1,
        .most = 1,
    };
    return assay_args_read(&spec, argc, argv);
}

static int run(const struct serve *serve, const struct assay_settings *settings)
{
    char error[ASSAY_SERVER_ERROR_MAX];
    struct assay_server_config config = {
        .model = &settings->model,
        .limits = &settings->limits,
        .leniencies = &settings->leniencies,
        .listen = serve->listen.items,
        .listen_count = serve->listen.count,
        .data = serve->data,
        .trace = serve->trace,
        .stats = serve->stats,
        .announce = true,
        .signals = true,
    };
    struct assay_server *server = assay_server_open(&config, error);
    if (!server) {
        fprintf(stderr, "assay: %s\n", error);
        return ASSAY_EXIT_USAGE;
    }
    assay_server_run(server);
    switch (assay_server_close(server)) {
    case ASSAY_SERVER_STOPPED:
        return ASSAY_EXIT_OK;
    case ASSAY_SERVER_INTERRUPTED:
        return ASSAY_EXIT_INTERRUPTED;
    case ASSAY_SERVER_UNUSABLE:
        break;
    }
    fprintf(stderr, "assay: cannot start a thread\n");
    return ASSAY_EXIT_USAGE;
}

int assay_cmd_serve(int argc, char **argv)
{
    struct serve serve = {.data = "."};
    enum assay_args_result read = read_args(&serve, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    struct assay_spec *spec = assay_cli_spec(serve.spec);
    if (!spec)
        return ASSAY_EXIT_USAGE;
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_settings settings = {0};
    int code = ASSAY_EXIT_USAGE;
    if (assay_settings_read(&settings, model, &serve.limits, &serve.params, &serve.lenient, serve.strict))
        code = run(&serve, &settings);
    assay_settings_free(&settings);
    assay_spec_free(spec);
    return code;
}
