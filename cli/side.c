#include <stdio.h>
#include <stdlib.h>
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

static bool plays_somewhere(const struct assay_model *model, uint16_t machine)
{
    for (uint16_t i = 0; i < model->transports_count; i++)
        if (assay_suite_plays(model, machine, i))
            return true;
    return false;
}

static bool say_clients(const struct assay_model *model, const char *name)
{
    fprintf(stderr, "assay: %s is no machine of a client of %s, which has:", name, model->protocol);
    for (uint16_t i = 0; i < model->machines_count; i++)
        if (plays_somewhere(model, i))
            fprintf(stderr, " %s", model->machines[i].name);
    fputc('\n', stderr);
    return false;
}

/* The first transport that the machine has links over; transports_count: none. */
static uint16_t first_played(const struct assay_model *model, const char *machine)
{
    struct assay_suite_options options = {.role = ASSAY_CLIENT, .machine = machine};
    while (options.transport < model->transports_count && assay_suite_machine(model, &options) == ASSAY_NONE)
        options.transport++;
    return options.transport;
}

static bool find_machine(struct assay_suite_options *options, const struct assay_model *model,
                         const struct assay_cli_side *given)
{
    uint16_t first = first_played(model, given->machine);
    if (first == model->transports_count)
        return say_clients(model, given->machine);
    if (given->role && options->role != ASSAY_CLIENT) {
        fprintf(stderr, "assay: --machine %s: a client's, not for --role %s\n", given->machine, given->role);
        return false;
    }
    options->role = ASSAY_CLIENT;
    options->machine = given->machine;
    if (!given->transport)
        options->transport = first;
    if (assay_suite_machine(model, options) != ASSAY_NONE)
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

/* ---- all that are left open -------------------------------------------- */

static bool is_or_open(const char *given, const char *name)
{
    return !given || strcmp(given, name) == 0;
}

static bool is_meant(const struct assay_model *model, const struct assay_cli_side *given, uint16_t transport,
                     uint16_t machine, uint8_t role)
{
    return is_or_open(given->transport, model->transports[transport].name) &&
           is_or_open(given->machine, model->machines[machine].name) &&
           is_or_open(given->role, role == ASSAY_CLIENT ? "client" : "server") &&
           (role == ASSAY_CLIENT ? assay_suite_plays(model, machine, transport)
                                 : model->transports[transport].server == machine);
}

struct assay_suite_options *assay_cli_sides(const struct assay_model *model, const struct assay_cli_side *given,
                                            size_t *count)
{
    uint8_t role = given->machine || (given->role && strcmp(given->role, "server") != 0) ? ASSAY_CLIENT : ASSAY_SERVER;
    struct assay_suite_options *sides =
        calloc((size_t)model->transports_count * model->machines_count + 1, sizeof *sides);
    *count = 0;
    for (uint16_t i = 0; sides && i < model->transports_count; i++)
        for (uint16_t k = 0; k < model->machines_count; k++)
            if (is_meant(model, given, i, k, role))
                sides[(*count)++] = (struct assay_suite_options){
                    .transport = i,
                    .role = role,
                    .machine = role == ASSAY_CLIENT ? model->machines[k].name : NULL,
                };
    if (sides && *count == 0 && assay_cli_side(sides, model, given)) /* or it says what is wrong */
        *count = 1;
    return sides;
}
