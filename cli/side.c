#include <stdio.h>
#include <string.h>

#include "cli/side.h"

static bool find_transport(const struct assay_model *model, const char *name, uint16_t *transport)
{
    for (*transport = 0; *transport < model->transports_count; ++*transport)
        if (!name || strcmp(model->transports[*transport].name, name) == 0)
            return true;
    fprintf(stderr, "assay: %s is no transport of %s, which has:", name ? name : "(none)", model->protocol);
    for (uint16_t i = 0; i < model->transports_count; i++)
        fprintf(stderr, " %s", model->transports[i].name);
    fputc('\n', stderr);
    return false;
}

bool assay_cli_side(struct assay_suite_options *options, const struct assay_model *model, const char *role,
                    const char *transport)
{
    bool client = role && strcmp(role, "client") == 0;
    if (role && !client && strcmp(role, "server") != 0) {
        fprintf(stderr, "assay: %s is no role; server and client are\n", role);
        return false;
    }
    if (!find_transport(model, transport, &options->transport))
        return false;
    options->role = client ? ASSAY_CLIENT : ASSAY_SERVER;
    if (assay_suite_machine(model, options) != ASSAY_NONE)
        return true;
    fprintf(stderr, "assay: %s has no %s over %s\n", model->protocol, client ? "client" : "server",
            model->transports[options->transport].name);
    return false;
}
