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

static bool read_role(const char *name, uint8_t *role)
{
    bool client = name && strcmp(name, "client") == 0;
    *role = client ? ASSAY_CLIENT : ASSAY_SERVER;
    if (!name || client || strcmp(name, "server") == 0)
        return true;
    fprintf(stderr, "assay: %s is no role; server and client are\n", name);
    return false;
}

/* Whether a client's machine has links over a transport: its own, or those that calls make. */
static bool plays_over(const struct assay_model *model, uint16_t machine, uint16_t transport)
{
    bool plays = model->transports[transport].client == machine;
    for (uint16_t i = 0; i < model->calls_count; i++)
        plays = plays || (model->calls[i].opens == transport && model->calls[i].machine == machine);
    return plays;
}

/* The next transport from `from` on that it plays over; transports_count: none. */
static uint16_t played_over(const struct assay_model *model, uint16_t machine, uint16_t from)
{
    while (from < model->transports_count && !plays_over(model, machine, from))
        from++;
    return from;
}

static bool say_clients(const struct assay_model *model, const char *name)
{
    fprintf(stderr, "assay: %s is no machine of a client of %s, which has:", name, model->protocol);
    for (uint16_t i = 0; i < model->machines_count; i++)
        if (played_over(model, i, 0) < model->transports_count)
            fprintf(stderr, " %s", model->machines[i].name);
    fputc('\n', stderr);
    return false;
}

static bool find_machine(struct assay_suite_options *options, const struct assay_model *model,
                         const struct assay_cli_side *given)
{
    uint16_t machine = 0;
    while (machine < model->machines_count && strcmp(model->machines[machine].name, given->machine) != 0)
        machine++;
    if (machine == model->machines_count || played_over(model, machine, 0) == model->transports_count)
        return say_clients(model, given->machine);
    if (given->role && options->role != ASSAY_CLIENT) {
        fprintf(stderr, "assay: --machine %s: a client's, not for --role %s\n", given->machine, given->role);
        return false;
    }
    options->role = ASSAY_CLIENT;
    options->machine = given->machine;
    if (!given->transport)
        options->transport = played_over(model, machine, 0);
    if (plays_over(model, machine, options->transport))
        return true;
    fprintf(stderr, "assay: machine %s has no links over %s\n", given->machine,
            model->transports[options->transport].name);
    return false;
}

bool assay_cli_side(struct assay_suite_options *options, const struct assay_model *model,
                    const struct assay_cli_side *given)
{
    if (!read_role(given->role, &options->role) || !find_transport(model, given->transport, &options->transport))
        return false;
    if (given->machine)
        return find_machine(options, model, given);
    if (assay_suite_machine(model, options) != ASSAY_NONE)
        return true;
    fprintf(stderr, "assay: %s has no %s over %s\n", model->protocol,
            options->role == ASSAY_CLIENT ? "client" : "server", model->transports[options->transport].name);
    return false;
}
