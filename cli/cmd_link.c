#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/cli.h"
#include "link/link.h"
#include "link/plan.h"
#include "link/words.h"

#define SEED_DEFAULT 1

/* Words of a command. */
#define COMMAND_MAX 64

/* The kernel allows no namespace; what test runners take for "skipped". */
#define EXIT_REFUSED 77

/* As long as a translator of addresses should remember a flow (RFC 4787, REQ-5). */
#define IDLE_DEFAULT (300 * (int64_t)1000000000)

struct link {
    const char *listen, *to, *plan, *log;
    struct assay_arg_list faults[ASSAY_LINK_KINDS];
    uint64_t seed;
    int64_t idle;
    bool unproven, netns;
    const char *command[COMMAND_MAX + 1]; /* ended by NULL */
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
    "and may follow a value: --split 1@64KiB, --stall up:10ms..50ms@rate=1%, --delay 30ms@every=10, --swap 3@5%. "
    "Without\n"
    "it a value holds from the beginning. The same seed does the same faults at the same places, whatever the time.\n"
    "\n"
    "A piece of a split stream is sent when the socket table says that the one before was read (see --unproven).\n"
    "\n"
    "A log is a plan. A plan has a fault in each line: FLOW DIRECTION PLACE FAULT [VALUE]\n"
    "  1 up 3 drop               the third datagram of client 1 is lost\n"
    "  2 down 1 duplicate 30ms   the first one to client 2 arrives twice, the second time later; or at once: "
    "duplicate\n"
    "  1 up 4 delay 1500us       it arrives so much later\n"
    "  1 up 4 swap 3/2s          it arrives after the three next ones, or 2 s later if they do not come; swap alone: "
    "1/100ms\n"
    "  1 up 5 truncate 8         8 bytes of it arrive\n"
    "  1 up 5 corrupt 12:40      byte 12 (from 0) is changed by the bits 0x40\n"
    "  1 up 4096 stall 200ms     of a stream: after 4096 bytes\n"
    "  3 refuse                  the third connection is reset\n"
    "  * down 2 drop             * is every flow, and in the place of a direction both\n"
    "  seed 7                    for what a line leaves to chance\n"
    "A flow is a connection, or the datagrams of one address of a client, numbered as they first come. Datagrams are\n"
    "numbered for each flow and direction; what was lost counts, and what is sent again counts again. A server that\n"
    "answers from another port stays in its flow; a client that comes from another one is another flow. The summary\n"
    "names what of a plan was not done.\n"
    "\n"
    "--netns: COMMAND sees the loopback interface of a network namespace of its own and reaches nothing but this "
    "link.\n"
    "Its output goes to standard error; it ends with the link, and the link with it. Exit status 77: the kernel "
    "refuses.";

static enum assay_args_result read_args(struct link *link, int argc, char **argv)
{
    struct assay_arg options[ASSAY_LINK_KINDS + 9] = {
        {"listen", ASSAY_ARG_STRING, &link->listen, "ADDR:PORT", "where clients connect; port 0: any free one"},
        {"to", ASSAY_ARG_STRING, &link->to, "ADDR:PORT", "the server"},
        {"seed", ASSAY_ARG_UINT, &link->seed, "N", "what chance is drawn from (1)"},
        {"plan", ASSAY_ARG_STRING, &link->plan, "FILE", "do the faults of a plan or log, and nothing else"},
        {"log", ASSAY_ARG_STRING, &link->log, "FILE", "write each fault done, in a line that a plan can hold"},
        {"unproven", ASSAY_ARG_FLAG, &link->unproven, NULL, "split without waiting until pieces were read: fast"},
        {"idle", ASSAY_ARG_DURATION, &link->idle, "TIME",
         "forget a client of udp after such a silence (5min): if it comes back, it is another one"},
        {"netns", ASSAY_ARG_FLAG, &link->netns, NULL,
         "run COMMAND in a network namespace of its own; --to is an address in there"},
    };
    for (int k = 0, n = 8; k < ASSAY_LINK_KINDS; k++) {
        const struct assay_link_kind_row *row = &assay_link_kinds[k];
        options[n++] = (struct assay_arg){row->name, ASSAY_ARG_LIST, &link->faults[k], row->takes, row->text};
    }
    struct assay_arg_spec spec = {
        .usage = "link --listen ADDR:PORT --to ADDR:PORT [FAULTS] [--netns -- COMMAND]",
        .text = text,
        .options = options,
        .positional = link->command,
        .most = COMMAND_MAX,
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

/* A schedule of the simulator has more in it than a link can do. */
static void name_passed_over(const char *path)
{
    static const char *const words[] = {"crash ", "fail ", "blackout ", "number "};
    char line[ASSAY_LINK_LINE_MAX];
    FILE *in = fopen(path, "r");
    for (unsigned number = 1; in && fgets(line, sizeof line, in); number++) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strncmp(line, "#sim ", 5) == 0 && strncmp(line + 5, words[i], strlen(words[i])) == 0)
                fprintf(stderr, "assay: %s:%u: not done, as only `assay sim` can: %s\n", path, number, line + 5);
    }
    if (in)
        fclose(in);
}

static bool read_plan(const struct link *link, struct assay_link_faults *faults)
{
    struct assay_link_error error;
    if (faults->rules_count > 0)
        return bad("--plan does the faults of its file and nothing else: ", "it takes no other fault beside it");
    if (!assay_link_plan_load(&faults->plan, link->plan, &error))
        return bad(error.text, "");
    name_passed_over(link->plan);
    assay_link_plan_sort(&faults->plan);
    return true;
}

static bool check_command(const struct link *link)
{
    if (link->netns && !link->command[0])
        return bad("--netns needs a command: ", "assay link --netns ... -- COMMAND");
    return link->netns || !link->command[0] || bad("a command is for --netns: ", link->command[0]);
}

/* ---- running ----------------------------------------------------------- */

/* Whether a command ended badly by itself. */
static bool tell_end(const char *command, int status)
{
    if (WIFSIGNALED(status))
        fprintf(stderr, "assay: %s was ended by signal %d\n", command, WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        fprintf(stderr, "assay: %s ended with exit status %d\n", command, WEXITSTATUS(status));
    return status != 0;
}

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
    if (link->netns)
        memcpy(&config.command, &(const char *const *){link->command},
               sizeof config.command); /* execvp() knows no const */
    int status = 0;
    enum assay_link_end end = assay_link_run(&config, stdout, &error, &status);
    bool lost = config.log && (ferror(config.log) | fclose(config.log)) != 0;
    if (lost)
        fprintf(stderr, "assay: the log %s could not be written whole\n", link->log);
    switch (end) {
    case ASSAY_LINK_STOPPED:
        return lost ? ASSAY_EXIT_FAILED : ASSAY_EXIT_OK;
    case ASSAY_LINK_INTERRUPTED:
        return ASSAY_EXIT_INTERRUPTED;
    case ASSAY_LINK_ENDED:
        return tell_end(link->command[0], status) || lost ? ASSAY_EXIT_FAILED : ASSAY_EXIT_OK;
    case ASSAY_LINK_REFUSED:
        fprintf(stderr, "assay: --netns is not possible here: %s\n", error.text);
        return EXIT_REFUSED;
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
    if (check_command(&link) && find_transport(&link, &faults.plan.transport) && add_rules(&link, &faults) &&
        (!link.plan || read_plan(&link, &faults)))
        code = run(&link, &faults);
    assay_link_plan_free(&faults.plan);
    return code;
}
