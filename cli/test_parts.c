#include "cli/test_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"

struct maker {
    struct assay_test_parts *parts;
    const struct assay_test_wanted *wanted;
    const struct assay_spec *spec;
    const struct assay_settings *settings;
    struct assay_target *target;
    uint8_t roles; /* bit set of enum assay_role */
};

static bool read_role(const struct assay_test_wanted *w, uint8_t *roles)
{
    static const struct {
        const char *name;
        uint8_t roles;
    } names[] = {{"server", ASSAY_SERVER}, {"client", ASSAY_CLIENT}, {"peer", ASSAY_SERVER | ASSAY_CLIENT}};
    *roles = w->role ? 0 : ASSAY_SERVER;
    for (size_t i = 0; w->role && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(w->role, names[i].name) == 0)
            *roles = names[i].roles;
    if (*roles == 0)
        fprintf(stderr, "assay: --role %s: expected server, client or peer\n", w->role);
    return *roles;
}

static enum assay_carrier carrier_of(const struct assay_transport *transport)
{
    return strcmp(transport->name, "udp") == 0 ? ASSAY_CARRIER_UDP : ASSAY_CARRIER_TCP;
}

/* ---- clients ----------------------------------------------------------- */

static bool has_calls(const struct assay_model *model)
{
    return model->calls_count > 0;
}

static bool make_guest(const struct maker *m, struct assay_guest_plan *guest)
{
    const struct assay_test_wanted *w = m->wanted;
    const struct assay_model *model = &m->settings->model;
    *guest = (struct assay_guest_plan){.way = has_calls(model) ? ASSAY_UPPER_LINES : ASSAY_UPPER_EXIT,
                                       .terminal = assay_spec_terminal(m->spec),
                                       .peer = m->roles == (ASSAY_SERVER | ASSAY_CLIENT)};
    if (guest->peer && guest->terminal)
        guest->way = ASSAY_UPPER_TERMINAL;
    if (w->upper && !assay_upper_way_named(w->upper, &guest->way)) {
        fprintf(stderr, "assay: --upper %s: expected lines, terminal or exit\n", w->upper);
        return false;
    }
    if (guest->way == ASSAY_UPPER_TERMINAL && !guest->terminal) {
        fprintf(stderr, "assay: --upper terminal: the spec does not say how it looks from a terminal\n");
        return false;
    }
    if (!w->place) /* only to be listed */
        return true;
    if (strncmp(w->place, "exec:", 5) != 0 || w->place[5] == '\0') {
        fprintf(stderr, "assay: a client is started here, for each case: expected exec:COMMAND, not %s\n", w->place);
        return false;
    }
    guest->command = w->place + 5;
    return true;
}

/* Where a server is driven from a terminal, as peers are, it is read there, too. */
static bool looks_at_terminal(const struct maker *m)
{
    enum assay_upper_way way = m->roles == ASSAY_SERVER ? ASSAY_UPPER_EXIT : ASSAY_UPPER_TERMINAL;
    if (m->wanted->upper)
        assay_upper_way_named(m->wanted->upper, &way);
    return assay_spec_terminal(m->spec) && way == ASSAY_UPPER_TERMINAL;
}

/* ---- parts ------------------------------------------------------------- */

static bool offered(const struct maker *m, uint8_t role, const struct assay_transport *transport)
{
    const char *wanted = m->wanted->transport;
    if (wanted)
        return strcmp(wanted, transport->name) == 0 &&
               (!m->target || role == ASSAY_CLIENT || !m->wanted->place || assay_target_owned(m->target) ||
                assay_target_aim(m->target, carrier_of(transport)));
    if (role == ASSAY_CLIENT) /* one command sends over one of them: which, is said where it is not the first */
        return carrier_of(transport) == ASSAY_CARRIER_TCP || m->settings->model.transports_count == 1;
    if (!m->target || (m->settings->model.transports_count == 1 && assay_target_owned(m->target)))
        return true;
    return assay_target_offers(m->target, carrier_of(transport));
}

static char *part_name(uint8_t role, const char *transport, const char *machine)
{
    char *name = NULL;
    size_t size;
    FILE *f = open_memstream(&name, &size);
    if (!f)
        return NULL;
    fprintf(f, "%s over %s%s%s", role == ASSAY_CLIENT ? "client" : "server", transport, machine ? ", machine " : "",
            machine ? machine : "");
    fclose(f);
    return name;
}

/* A client that is not judged now: said, and how to have it judged. */
static void pass_over(struct maker *m, uint16_t transport, uint16_t machine, bool by_orders)
{
    const struct assay_model *model = &m->settings->model;
    struct assay_text text = {m->parts->passed_over, sizeof m->parts->passed_over, strlen(m->parts->passed_over)};
    if (m->wanted->transport && !by_orders) /* it was said which one is wanted */
        return;
    char *name = part_name(ASSAY_CLIENT, model->transports[transport].name,
                           machine == ASSAY_NONE ? NULL : model->machines[machine].name);
    assay_text_add(&text, "%s%s (%s%s)", text.n ? "; " : "", name ? name : "",
                   by_orders ? "--upper lines" : "--transport ", by_orders ? "" : model->transports[transport].name);
    free(name);
}

/* `machine`: that calls make links for; ASSAY_NONE: the transport's own. */
static bool add_part(struct maker *m, uint8_t role, uint16_t i, uint16_t machine)
{
    const struct assay_transport *transport = &m->settings->model.transports[i];
    struct assay_test_part *part = &m->parts->items[m->parts->count];
    struct assay_suite_options options = {.transport = i,
                                          .role = role,
                                          .machine =
                                              machine == ASSAY_NONE ? NULL : m->settings->model.machines[machine].name,
                                          .seed = m->wanted->seed,
                                          .filter = m->wanted->filter,
                                          .timed = m->wanted->timed,
                                          .faults = true,
                                          .real_time = true,
                                          .stops = true,
                                          .strict = m->wanted->strict,
                                          .model = &m->settings->model,
                                          .leniencies = &m->settings->leniencies};
    *part = (struct assay_test_part){.carrier = carrier_of(transport), .role = role};
    if (role == ASSAY_CLIENT && !make_guest(m, &part->guest))
        return false;
    if (role == ASSAY_SERVER) {
        part->terminal = assay_spec_terminal(m->spec);
        part->screen = looks_at_terminal(m);
    } else if (part->guest.way == ASSAY_UPPER_TERMINAL)
        part->terminal = part->guest.terminal;
    part->guest.datagrams = part->carrier == ASSAY_CARRIER_UDP;
    part->suite = assay_suite_make(m->spec, &options);
    if (!part->suite) {
        fprintf(stderr, "assay: no suite could be made: out of memory\n");
        return false;
    }
    part->name = part_name(role, transport->name, options.machine);
    m->parts->count++;
    return true;
}

/* Whether a call makes links of that transport for a machine which has none of another's making. */
static bool is_made_by_calls(const struct assay_model *model, uint16_t transport, uint16_t machine)
{
    bool made = false;
    for (uint16_t i = 0; i < model->transports_count; i++)
        if (model->transports[i].client == machine)
            return false;
    for (uint16_t i = 0; i < model->calls_count; i++)
        made = made || (model->calls[i].opens == transport && model->calls[i].machine == machine);
    return made;
}

/* Orders are needed for a call, and this way gives none. */
static bool takes_no_calls(const struct maker *m)
{
    enum assay_upper_way way = has_calls(&m->settings->model) ? ASSAY_UPPER_LINES : ASSAY_UPPER_EXIT;
    if (m->wanted->upper)
        assay_upper_way_named(m->wanted->upper, &way);
    return way == ASSAY_UPPER_EXIT;
}

static bool has_room(const struct maker *m)
{
    return m->parts->count < ASSAY_TEST_PARTS_MAX;
}

static bool add_machines_of_calls(struct maker *m, uint16_t i)
{
    const struct assay_model *model = &m->settings->model;
    for (uint16_t machine = 0; machine < model->machines_count && has_room(m); machine++) {
        if (!is_made_by_calls(model, i, machine))
            continue;
        if (!offered(m, ASSAY_CLIENT, &model->transports[i]))
            pass_over(m, i, machine, false);
        else if (takes_no_calls(m))
            pass_over(m, i, machine, true);
        else if (!add_part(m, ASSAY_CLIENT, i, machine))
            return false;
    }
    return true;
}

static bool add_role(struct maker *m, uint8_t role)
{
    const struct assay_model *model = &m->settings->model;
    for (uint16_t i = 0; i < model->transports_count && has_room(m); i++) {
        uint16_t machine = role == ASSAY_CLIENT ? model->transports[i].client : model->transports[i].server;
        bool there = offered(m, role, &model->transports[i]);
        if (machine != ASSAY_NONE && there && !add_part(m, role, i, ASSAY_NONE))
            return false;
        if (machine != ASSAY_NONE && !there && role == ASSAY_CLIENT)
            pass_over(m, i, ASSAY_NONE, false);
        if (role == ASSAY_CLIENT && !add_machines_of_calls(m, i))
            return false;
    }
    return true;
}

static void say_nothing_offered(const struct maker *m)
{
    const struct assay_model *model = &m->settings->model;
    const struct assay_test_wanted *w = m->wanted;
    bool client = m->roles == ASSAY_CLIENT;
    fprintf(stderr, "assay: %s: nothing to judge%s%s%s%s: %s", w->spec_path, w->transport ? " over " : "",
            w->transport ? w->transport : "", w->place ? " at " : "", w->place ? w->place : "",
            client ? "clients are judged over tcp, unless --transport says otherwise; the spec has " : "the spec has ");
    for (uint16_t i = 0; i < model->transports_count; i++)
        fprintf(stderr, "%s%s", i ? ", " : "", model->transports[i].name);
    fputc('\n', stderr);
}

bool assay_test_parts_make(struct assay_test_parts *parts, const struct assay_test_wanted *wanted,
                           const struct assay_spec *spec, const struct assay_settings *settings,
                           struct assay_target *target)
{
    struct maker m = {.parts = parts, .wanted = wanted, .spec = spec, .settings = settings, .target = target};
    if (!read_role(wanted, &m.roles))
        return false;
    if (target && looks_at_terminal(&m)) /* a knock would show there, too */
        assay_target_never_knock(target);
    if ((m.roles & ASSAY_SERVER && !add_role(&m, ASSAY_SERVER)) ||
        (m.roles & ASSAY_CLIENT && !add_role(&m, ASSAY_CLIENT)))
        return false;
    if (parts->count == 0)
        say_nothing_offered(&m);
    if (parts->count == 1) {
        free(parts->items[0].name);
        parts->items[0].name = NULL;
    }
    return parts->count > 0;
}

void assay_test_parts_free(struct assay_test_parts *parts)
{
    while (parts->count) {
        struct assay_test_part *part = &parts->items[--parts->count];
        assay_suite_free(part->suite);
        free(part->name);
    }
}

size_t assay_test_parts_cases(const struct assay_test_parts *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < parts->count; i++)
        n += parts->items[i].suite->count;
    return n;
}
