#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "link/link.h"
#include "link/plan.h"
#include "link/words.h"

#define SEED_DEFAULT 1

/* As long as a translator of addresses should remember a flow (RFC 4787, REQ-5). */
#define IDLE_DEFAULT (300 * (int64_t)1000000000)

struct link {
    const char *listen, *to, *plan, *log;
    struct assay_arg_list faults[ASSAY_LINK_KINDS];
    uint64_t seed;
    int64_t idle;
    bool unproven;
};

static const char text[] =
    "Stand between real clients and a real server, and go wrong on purpose. Prints a line \"listening on "
    "tcp:ADDR:PORT\"\n"
    "when it is ready; SIGTERM and SIGINT end it with a summary. udp: before an address links datagrams.\n"
    "\n"
    "Faults happen in both directions unless up: (towards the server) or down: stands before them. PLACE is\n"
    "  N           once: after N bytes (64KiB) of a stream; the N-th datagram; the N-th connection\n"
    "  every=N     after every N bytes, at every N-th datagram\n"
    "  rate=0.01   or 1%: the chance of each datagram, each connection, each KiB of a stream\n"
    "and may follow a value: --split 1@64KiB, --stall up:10ms..50ms@rate=1%, --delay 30ms@every=10. Without it a "
    "value\n"
    "holds from the beginning. The same seed does the same faults at the same places, whatever the time.\n"
    "\n"
    "A piece of a split stream is sent when the socket table says that the one before was read (see --unproven).\n"
    "A log is a plan: lines such as `1 up 4096 stall 200ms` (connection, direction, place, fault, value), `3 refuse`,\n"
    "`* down 2 drop`, `1 up 3 corrupt 12:40` (byte 12 is changed by the bits 0x40). Only a plan knows `1 up 5 truncate "
    "8`\n"
    "(8 bytes remain) and `1 up 5 duplicate 30ms` (the second one comes later).";

static enum assay_args_result read_args(struct link *link, int argc, char **argv)
{
    struct assay_arg options[ASSAY_LINK_KINDS + 8] = {
        {"listen", ASSAY_ARG_STRING, &link->listen, "ADDR:PORT", "where clients connect; port 0: any free one"},
        {"to", ASSAY_ARG_STRING, &link->to, "ADDR:PORT", "the server"},
        {"seed", ASSAY_ARG_UINT, &link->seed, "N", "what chance is drawn from (1)"},
        {"plan", ASSAY_ARG_STRING, &link->plan, "FILE", "do the faults of a plan or log, and nothing else"},
        {"log", ASSAY_ARG_STRING, &link->log, "FILE", "write each fault done, in a line that a plan can hold"},
        {"unproven", ASSAY_ARG_FLAG, &link->unproven, NULL, "split without waiting until pieces were read: fast"},
        {"idle", ASSAY_ARG_DURATION, &link->idle, "TIME",
         "of datagrams: forget a client that nothing is heard of (5min); if it comes back it is another one"},
    };
    for (int k = 0, n = 7; k < ASSAY_LINK_KINDS; k++) {
        const struct assay_link_kind_row *row = &assay_link_kinds[k];
        options[n++] = (struct assay_arg){row->name, ASSAY_ARG_LIST, &link->faults[k], row->takes, row->text};
    }
    struct assay_arg_spec spec = {
        .usage = "link --listen ADDR:PORT --to ADDR:PORT [FAULTS]",
        .text = text,
        .options = options,
    };
    return assay_args_read(&spec, argc, argv);
}

static bool bad(const char *what, const char *about)
{
    fprintf(stderr, "assay: %s%s\n", what, about);
    return false;
}

/* ---- what kind of link ------------------------------------------------- */

static bool find_transport(const struct link *link, enum assay_link_transport *transport)
{
    if (!link->listen || !link->to)
        return bad("an address is missing: ", "assay link --listen ADDR:PORT --to ADDR:PORT");
    bool udp = assay_address_is_udp(link->listen) || assay_address_is_udp(link->to);
    bool tcp = assay_address_is_tcp(link->listen) || assay_address_is_tcp(link->to);
    if (udp && tcp)
        return bad("one address is of tcp, the other of udp: a link has one transport", "");
    *transport = udp ? ASSAY_LINK_DATAGRAMS : ASSAY_LINK_STREAM;
    return true;
}

/* ---- faults ------------------------------------------------------------ */

static bool add_rule(struct assay_link_faults *faults, enum assay_link_kind kind, const char *value, unsigned ordinal)
{
    const struct assay_link_kind_row *row = &assay_link_kinds[kind];
    if (row->transport != faults->plan.transport) {
        fprintf(stderr, "assay: --%s is for %s\n", row->name,
                row->transport == ASSAY_LINK_STREAM ? "streams, and this link is of udp"
                                                    : "datagrams, and this link is of tcp");
        return false;
    }
    if (faults->rules_count == ASSAY_LINK_RULES_MAX)
        return bad("too many faults for options; a plan takes any number", "");
    struct assay_link_rule *rule = &faults->rules[faults->rules_count++];
    if (!assay_link_read_option(kind, value, rule)) {
        fprintf(stderr, "assay: --%s takes [up:|down:]%s, and '%s' is none; `assay link --help` tells more\n",
                row->name, row->takes, value);
        return false;
    }
    rule->ordinal = ordinal;
    return true;
}

static bool add_rules(const struct link *link, struct assay_link_faults *faults)
{
    for (int k = 0; k < ASSAY_LINK_KINDS; k++)
        for (unsigned i = 0; i < link->faults[k].count; i++)
            if (!add_rule(faults, (enum assay_link_kind)k, link->faults[k].items[i], i))
                return false;
    return true;
}

static bool read_plan(const struct link *link, struct assay_link_faults *faults)
{
    struct assay_link_error error;
    if (faults->rules_count > 0)
        return bad("--plan does the faults of its file and nothing else: ", "it takes no other fault beside it");
    if (!assay_link_plan_load(&faults->plan, link->plan, &error))
        return bad(error.text, "");
    assay_link_plan_sort(&faults->plan);
    return true;
}

/* ---- running ----------------------------------------------------------- */

static int run(const struct link *link, const struct assay_link_faults *faults)
{
    struct assay_net_error error;
    struct assay_link_config config = {
        .faults = faults, .listen = link->listen, .to = link->to, .unproven = link->unproven, .idle = link->idle};
    if (link->log && !(config.log = fopen(link->log, "we"))) {
        fprintf(stderr, "assay: cannot write %s: %s\n", link->log, strerror(errno));
        return ASSAY_EXIT_USAGE;
    }
    if (config.log)
        setvbuf(config.log, NULL, _IOLBF, 0);
    enum assay_link_end end = assay_link_run(&config, stdout, &error);
    bool lost = config.log && (ferror(config.log) | fclose(config.log)) != 0;
    if (lost)
        fprintf(stderr, "assay: the log %s could not be written whole\n", link->log);
    switch (end) {
    case ASSAY_LINK_STOPPED:
        return lost ? ASSAY_EXIT_FAILED : ASSAY_EXIT_OK;
    case ASSAY_LINK_INTERRUPTED:
        return ASSAY_EXIT_INTERRUPTED;
    case ASSAY_LINK_UNUSABLE:
        break;
    }
    fprintf(stderr, "assay: %s\n", error.text);
    return ASSAY_EXIT_USAGE;
}

int assay_cmd_link(int argc, char **argv)
{
    struct link link = {.seed = SEED_DEFAULT, .idle = IDLE_DEFAULT};
    struct assay_link_faults faults = {0};
    enum assay_args_result read = read_args(&link, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    faults.plan.seed = link.seed;
    int code = ASSAY_EXIT_USAGE;
    if (find_transport(&link, &faults.plan.transport) && add_rules(&link, &faults) &&
        (!link.plan || read_plan(&link, &faults)))
        code = run(&link, &faults);
    assay_link_plan_free(&faults.plan);
    return code;
}
