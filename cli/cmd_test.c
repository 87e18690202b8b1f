#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/settings.h"
#include "cli/test_parts.h"
#include "conformance/runner.h"

#define REPORTS_MAX 4
#define JOBS        32
#define FAULTS_MAX  16
#define NO_ROOM     "no-room"
#define JOBS_MAX    1024

struct test {
    const char *places[2]; /* SPEC, TARGET */
    const char *filter, *timed, *junit, *tap, *json, *role, *upper, *transport;
    struct assay_arg_list observe, fault, params, limits, lenient;
    uint64_t seed, jobs, repeat;
    double timeout_scale;
    bool strict, list, verbose;
};

static enum assay_args_result read_args(struct test *t, int argc, char **argv, size_t *given)
{
    const struct assay_arg options[] = {
        {"role", ASSAY_ARG_STRING, &t->role, "ROLE", "what TARGET is: server (default), client, or peer"},
        {"transport", ASSAY_ARG_STRING, &t->transport, "NAME", "judge it over this one alone"},
        {"upper", ASSAY_ARG_STRING, &t->upper, "WAY", "how a client is told what to do: lines, terminal or exit"},
        {"observe", ASSAY_ARG_LIST, &t->observe, "NAME=FILE|CMD",
         "where effect NAME shows: a file, cmd:COMMAND, stdout, stderr"},
        {"fault", ASSAY_ARG_LIST, &t->fault, "NAME=COMMAND", "start a target in which effect NAME fails, or no-room"},
        {"param", ASSAY_ARG_LIST, &t->params, "NAME=VALUE", "a fact of the target that the spec asks for"},
        {"limit", ASSAY_ARG_LIST, &t->limits, "NAME=VALUE", "a limit of the spec that the target runs with otherwise"},
        {"lenient", ASSAY_ARG_LIST, &t->lenient, "NAME=0|1", "whether the target has this leniency"},
        {"strict", ASSAY_ARG_FLAG, &t->strict, NULL, "all leniencies off; a missed SHOULD is a failure"},
        {"filter", ASSAY_ARG_STRING, &t->filter, "GLOB", "only cases whose id matches"},
        {"timed", ASSAY_ARG_STRING, &t->timed, "WHICH",
         "cases that wait for real timers (leases, pauses, giving up): only, or none"},
        {"list", ASSAY_ARG_FLAG, &t->list, NULL, "list the cases; TARGET is not needed"},
        {"seed", ASSAY_ARG_UINT, &t->seed, "N", "of every random choice (1)"},
        {"jobs", ASSAY_ARG_UINT, &t->jobs, "N",
         "cases in flight (32); their connections never exceed the limit of sessions. So many targets at most run "
         "at once, and four a processor, where cases want one for themselves and the command has {data}"},
        {"repeat", ASSAY_ARG_UINT, &t->repeat, "N", "judge all cases N times; the worst verdict counts"},
        {"timeout-scale", ASSAY_ARG_REAL, &t->timeout_scale, "X", "stretch all waiting (1.0)"},
        {"junit", ASSAY_ARG_STRING, &t->junit, "FILE", "write JUnit XML; - is stdout"},
        {"tap", ASSAY_ARG_STRING, &t->tap, "[FILE]", "write TAP version 14; without FILE to stdout"},
        {"json", ASSAY_ARG_STRING, &t->json, "[FILE]", "write JSON; without FILE to stdout"},
        {"verbose", ASSAY_ARG_FLAG, &t->verbose, NULL, "show every case with its exchange"},
        {0},
    };
    struct assay_arg_spec spec = {
        .usage = "test SPEC TARGET [OPTIONS]",
        .text =
            "Judge an implementation by a spec. TARGET is tcp:HOST:PORT (tcp:[::1]:5555) or udp:HOST:PORT of a server "
            "that runs,\n"
            "or exec:COMMAND, which is started here: it prints the ADDR:PORT where it listens, or finds a free\n"
            "port in place of {port}. {data} becomes an empty folder of its own for each start,\n"
            "but for one that is killed in the middle of a case and started again.\n"
            "A client is started anew for each case: --role client with exec:COMMAND, in which {address} (or {host} "
            "and\n"
            "{port}) becomes the address that it has to use. It is told what to do on its standard input and tells "
            "what\n"
            "happens on its standard output (--upper lines: spec/LANGUAGE.md, section 14), is typed to (terminal), or "
            "runs\n"
            "by itself (exit). A peer is both: it listens on {port}, and connects to {peer_host} and {peer_port}.\n"
            "Cases of an effect that fails need a target in which it does (--fault record='COMMAND', say with its\n"
            "data on a full device), those of short memory one that has 32 bytes for the variables of all sessions\n"
            "(--fault no-room='COMMAND', for ours with --limit memory=32); else they are unsupported.\n"
            "Ends with 0: conformant, 1: failures, 2: interrupted, 4: usage or spec error, 5: no case ran,\n"
            "69: the target cannot be reached.",
        .options = options,
        .positional = t->places,
        .least = 1,
        .most = 2,
    };
    enum assay_args_result result = assay_args_read(&spec, argc, argv);
    *given = spec.count;
    return result;
}

/* ---- `--tap` and `--json` may stand without a value -------------------- */

static bool takes_no_value(const char *option)
{
    return strcmp(option, "--tap") == 0 || strcmp(option, "--json") == 0;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_file_argument(const char *next)
{
    return next && (next[0] != '-' || next[1] == '\0') && strncmp(next, "tcp:", 4) != 0 &&
           strncmp(next, "udp:", 4) != 0 && strncmp(next, "exec:", 5) != 0 && !ends_with(next, ".yaml") &&
           !ends_with(next, ".yml");
}

/* A copy of argv in which a bare `--tap` reads `--tap=-`. */
static char **with_values(int argc, char **argv)
{
    static char tap[] = "--tap=-", json[] = "--json=-";
    char **copy = calloc((size_t)argc + 1, sizeof *copy);
    for (int i = 0; copy && i < argc; i++) {
        bool bare = takes_no_value(argv[i]) && !is_file_argument(argv[i + 1]);
        copy[i] = !bare ? argv[i] : strcmp(argv[i], "--tap") == 0 ? tap : json;
    }
    return copy;
}

/* ---- reports ----------------------------------------------------------- */

struct reports {
    struct assay_report *items[REPORTS_MAX];
    const char *paths[REPORTS_MAX];
    size_t count;
    bool stdout_taken;
};

/* A file named "-" is stdout, which only one can have. */
static FILE *open_report(struct reports *r, const char *path, bool *owns)
{
    *owns = strcmp(path, "-") != 0;
    if (!*owns && r->stdout_taken) {
        fprintf(stderr, "assay: two reports cannot both go to stdout\n");
        return NULL;
    }
    r->stdout_taken = r->stdout_taken || !*owns;
    FILE *f = *owns ? fopen(path, "we") : stdout;
    if (!f)
        perror(path);
    return f;
}

typedef struct assay_report *report_fn(FILE *to, bool owns);

static bool add_report(struct reports *r, const char *path, report_fn *make)
{
    bool owns;
    FILE *to = path ? open_report(r, path, &owns) : NULL;
    if (!path)
        return true;
    r->items[r->count] = to ? make(to, owns) : NULL;
    r->paths[r->count] = path;
    return r->items[r->count] && ++r->count;
}

static bool open_reports(struct reports *r, const struct test *t)
{
    if (!add_report(r, t->junit, assay_report_junit) || !add_report(r, t->tap, assay_report_tap) ||
        !add_report(r, t->json, assay_report_json))
        return false;
    if (r->stdout_taken)
        return true;
    r->paths[r->count] = "-";
    r->items[r->count] = assay_report_text(stdout, false, assay_color_wanted(stdout));
    return r->items[r->count] && ++r->count;
}

/* False: one is not written whole. Who does not read on has read enough. */
static bool close_reports(struct reports *r)
{
    bool written = true;
    while (r->count) {
        r->count--;
        if (assay_report_free(r->items[r->count]) || errno == EPIPE)
            continue;
        bool file = strcmp(r->paths[r->count], "-") != 0;
        fprintf(stderr, "assay: %s cannot be written: %s\n", file ? r->paths[r->count] : "standard output",
                strerror(errno));
        written = false;
    }
    return written;
}

/* ---- the command that judges once more --------------------------------- */

static void put_list(FILE *to, const char *option, const struct assay_arg_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        fprintf(to, " --%s ", option);
        assay_report_shell_word(list->items[i], to);
    }
}

static char *again(const struct test *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fputs("assay test ", f);
    assay_report_shell_word(t->places[0], f);
    fputc(' ', f);
    assay_report_shell_word(t->places[1], f);
    if (t->role)
        fprintf(f, " --role %s", t->role);
    if (t->transport)
        fprintf(f, " --transport %s", t->transport);
    if (t->upper)
        fprintf(f, " --upper %s", t->upper);
    fprintf(f, " --seed %llu", (unsigned long long)t->seed);
    put_list(f, "observe", &t->observe);
    put_list(f, "fault", &t->fault);
    put_list(f, "param", &t->params);
    put_list(f, "limit", &t->limits);
    put_list(f, "lenient", &t->lenient);
    if (t->strict)
        fputs(" --strict", f);
    if (t->timeout_scale < 1 || t->timeout_scale > 1)
        fprintf(f, " --timeout-scale %g", t->timeout_scale);
    fclose(f);
    return text;
}

/* ---- running ----------------------------------------------------------- */

static const char *const classes[] = {[ASSAY_CASE_LOCAL] = "local",
                                      [ASSAY_CASE_SHARED] = "shared",
                                      [ASSAY_CASE_EXCLUSIVE] = "exclusive",
                                      [ASSAY_CASE_TIMED] = "timed"};

static int list_cases(const struct assay_suite *suite)
{
    for (size_t i = 0; i < suite->count; i++) {
        const struct assay_case *c = &suite->cases[i];
        const char *req =
            c->req < suite->model->requirements_count ? suite->model->requirements[c->req].id : "language";
        char class[32];
        snprintf(class, sizeof class, "%s%s", classes[c->class],
                 c->timed && c->class != ASSAY_CASE_TIMED ? ",timed" : "");
        printf("%-48s %-6s %-10s %-15s %s\n", c->id, assay_level_name((enum assay_level)c->level), req, class,
               c->text ? c->text : "");
    }
    return suite->count ? ASSAY_EXIT_OK : ASSAY_EXIT_NOTHING_RAN;
}

static int exit_code(enum assay_run_end end, const struct assay_run_summary *summary)
{
    switch (end) {
    case ASSAY_RUN_UNREACHABLE:
        return ASSAY_EXIT_UNREACHABLE;
    case ASSAY_RUN_INTERRUPTED:
        return ASSAY_EXIT_INTERRUPTED;
    case ASSAY_RUN_NO_RESOURCES:
        return ASSAY_EXIT_INTERNAL;
    case ASSAY_RUN_DONE:
        break;
    }
    return summary->died ? ASSAY_EXIT_FAILED : assay_tally_exit(&summary->tally);
}

/* ---- targets in which something is wrong ------------------------------- */

struct faults {
    struct assay_faulty items[FAULTS_MAX];
    size_t count;
};

/* The circumstance called `name` (its first n characters). False: there is none. */
static bool circumstance_of(const struct assay_model *model, const char *name, size_t n,
                            struct assay_circumstance *circumstance)
{
    *circumstance = (struct assay_circumstance){0};
    for (uint16_t i = 0; i < model->effects_count && !circumstance->failing; i++)
        if (model->effects[i].fallible && strlen(model->effects[i].name) == n &&
            strncmp(model->effects[i].name, name, n) == 0)
            circumstance->failing = (uint16_t)(i + 1);
    if (n == strlen(NO_ROOM) && strncmp(name, NO_ROOM, n) == 0)
        circumstance->memory = ASSAY_SHORT_MEMORY;
    return circumstance->failing || circumstance->memory;
}

static bool add_fault(struct faults *faults, const char *text, const struct assay_model *model, int64_t patience)
{
    const char *command = strchr(text, '=');
    struct assay_faulty *f = &faults->items[faults->count];
    struct assay_net_error error = {""};
    if (!command || !command[1] || faults->count == FAULTS_MAX) {
        fprintf(stderr, "assay: --fault %s: expected NAME=COMMAND\n", text);
        return false;
    }
    if (!circumstance_of(model, text, (size_t)(command - text), &f->circumstance)) {
        fprintf(stderr, "assay: --fault %s: expected the name of an effect that can fail, or " NO_ROOM "\n", text);
        return false;
    }
    size_t size = strlen(command + 1) + sizeof "exec:";
    char *target = malloc(size);
    if (target) {
        snprintf(target, size, "exec:%s", command + 1);
        f->target = assay_target_new(target, patience, &error);
    }
    free(target);
    faults->count += f->target != NULL;
    return f->target;
}

static bool faults_of(const struct test *t, const struct assay_model *model, struct faults *faults)
{
    for (size_t i = 0; i < t->fault.count; i++)
        if (!add_fault(faults, t->fault.items[i], model, (int64_t)(5e9 * t->timeout_scale)))
            return false;
    return true;
}

static void free_faults(struct faults *faults)
{
    while (faults->count)
        assay_target_free(faults->items[--faults->count].target);
}

/* ---- observers --------------------------------------------------------- */

static const struct assay_effect *effect_named(const struct assay_model *model, const char *name)
{
    for (uint16_t i = 0; i < model->effects_count; i++)
        if (strcmp(model->effects[i].name, name) == 0)
            return &model->effects[i];
    return NULL;
}

static bool observers_of(const struct test *t, const struct assay_model *model, struct assay_observers *observers)
{
    for (size_t i = 0; i < t->observe.count; i++) {
        if (!assay_observer_add(observers, t->observe.items[i])) {
            fprintf(stderr, "assay: --observe %s: expected NAME=FILE, NAME=cmd:COMMAND, NAME=stdout or NAME=stderr\n",
                    t->observe.items[i]);
            return false;
        }
        struct assay_observer *o = &observers->items[observers->count - 1];
        const struct assay_effect *effect = effect_named(model, o->name);
        if (!effect) {
            fprintf(stderr, "assay: --observe %s: the spec has no effect '%s'\n", t->observe.items[i], o->name);
            return false;
        }
        o->lines = effect->verb && (strcmp(effect->verb, "print") == 0 || strcmp(effect->verb, "report") == 0);
        if (assay_observer_is_stream(o) && strncmp(t->places[1], "exec:", 5) != 0) {
            fprintf(stderr, "assay: --observe %s: only a target that is started here (exec:) has streams to watch\n",
                    t->observe.items[i]);
            return false;
        }
    }
    return true;
}

/* What a program shows at its terminal is on its standard output: it is read there as a whole, with every case. True:
 * this observer does just that, and is not needed besides. */
static bool reads_screen(const struct assay_observer *o, const struct assay_model *model,
                         const struct assay_terminal *terminal)
{
    const struct assay_effect *effect = effect_named(model, o->name);
    return terminal && o->kind == ASSAY_EYE_STDOUT && terminal->effects[effect - model->effects] != ASSAY_NONE;
}

static void look_at_screens(struct assay_test_parts *parts, struct assay_observers *observers,
                            const struct assay_model *model)
{
    for (size_t i = 0; i < parts->count; i++)
        for (size_t k = 0; k < observers->count; k++)
            if (parts->items[i].role == ASSAY_SERVER &&
                reads_screen(&observers->items[k], model, parts->items[i].terminal))
                parts->items[i].screen = true;
    for (size_t k = 0; k < observers->count;)
        if (parts->count && reads_screen(&observers->items[k], model, parts->items[0].terminal))
            assay_observer_remove(observers, k);
        else
            k++;
}

/* ---- one run of all parts ---------------------------------------------- */

static const char *role_name(const struct test *t)
{
    return t->role ? t->role : "server";
}

static enum assay_run_end run_part(struct assay_run_options o, const struct assay_test_part *part,
                                   struct assay_run_summary *summary)
{
    struct assay_net_error error = {""};
    o.facts.suite = part->suite;
    o.facts.part = part->name;
    o.facts.target_role = part->role;
    o.oracle.machine = part->suite->machine;
    o.guest = part->role == ASSAY_CLIENT ? &part->guest : NULL;
    o.datagrams = part->carrier == ASSAY_CARRIER_UDP;
    o.oracle.terminal = part->terminal;
    o.screen = part->screen;
    if (o.guest)
        o.target = NULL;
    else
        assay_target_aim(o.target, part->carrier);
    for (size_t i = 0; i < o.faulty_count; i++)
        assay_target_aim(o.faulty[i].target, part->carrier);
    enum assay_run_end end = assay_run(&o, summary, &error);
    if (end == ASSAY_RUN_UNREACHABLE)
        fprintf(stderr, "assay: %s\n", error.text);
    if (end == ASSAY_RUN_NO_RESOURCES)
        fprintf(stderr, "assay: out of memory or descriptors\n");
    return end;
}

static int run_parts(struct assay_run_options *o, const struct assay_test_parts *parts)
{
    struct assay_run_summary summary = {0};
    enum assay_run_end end = ASSAY_RUN_DONE;
    o->progress = assay_progress_bar(stderr);
    for (size_t i = 0; i < parts->count && end == ASSAY_RUN_DONE; i++) {
        o->continues = i > 0;
        o->more = i + 1 < parts->count;
        end = run_part(*o, &parts->items[i], &summary);
    }
    free(o->progress);
    return exit_code(end, &summary);
}

static int judge(const struct test *t, struct assay_test_parts *parts, struct assay_target *target,
                 const struct assay_settings *settings)
{
    struct assay_observers observers = {0};
    struct reports reports = {0};
    struct faults faults = {0};
    char *command = again(t);
    struct assay_run_options o = {
        .facts = {.model = &settings->model,
                  .leniencies = settings->leniencies,
                  .seed = t->seed,
                  .spec_path = t->places[0],
                  .target = t->places[1],
                  .role = role_name(t),
                  .again = command,
                  .cases = assay_test_parts_cases(parts),
                  .passed_over = parts->passed_over[0] ? parts->passed_over : NULL,
                  .verbose = t->verbose},
        .oracle = {.model = &settings->model, .leniencies = settings->leniencies, .seed = t->seed},
        .target = target,
        .observers = &observers,
        .jobs = (unsigned)t->jobs,
        .repeat = (unsigned)t->repeat,
        .timeout_scale = t->timeout_scale,
        .strict = t->strict,
        .interrupts = assay_run_interrupts(),
    };
    int code = ASSAY_EXIT_USAGE;
    bool ready = command && observers_of(t, &settings->model, &observers) && faults_of(t, &settings->model, &faults);
    if (ready)
        look_at_screens(parts, &observers, &settings->model);
    o.faulty = faults.items;
    o.faulty_count = faults.count;
    if (ready && open_reports(&reports, t)) {
        o.reports = reports.items;
        o.report_count = reports.count;
        code = run_parts(&o, parts);
    }
    if (!close_reports(&reports) && code == ASSAY_EXIT_OK)
        code = ASSAY_EXIT_INTERNAL;
    free_faults(&faults);
    assay_observers_free(&observers);
    free(command);
    if (o.interrupts >= 0)
        close(o.interrupts);
    return code;
}

static int list_parts(const struct assay_test_parts *parts)
{
    size_t n = 0;
    for (size_t i = 0; i < parts->count; n += parts->items[i++].suite->count) {
        if (parts->items[i].name)
            printf("%s:\n", parts->items[i].name);
        list_cases(parts->items[i].suite);
    }
    return n ? ASSAY_EXIT_OK : ASSAY_EXIT_NOTHING_RAN;
}

static enum assay_suite_timed timed_of(const struct test *t)
{
    if (!t->timed)
        return ASSAY_TIMED_TOO;
    return strcmp(t->timed, "only") == 0 ? ASSAY_TIMED_ONLY : ASSAY_TIMED_NONE;
}

static int with_spec(const struct test *t, struct assay_target *target)
{
    struct assay_spec *spec = assay_cli_spec(t->places[0]);
    if (!spec)
        return ASSAY_EXIT_USAGE;
    struct assay_settings settings = {0};
    struct assay_test_parts parts = {0};
    struct assay_test_wanted wanted = {.spec_path = t->places[0],
                                       .place = t->places[1],
                                       .role = t->role,
                                       .transport = t->transport,
                                       .upper = t->upper,
                                       .filter = t->filter,
                                       .timed = timed_of(t),
                                       .seed = t->seed,
                                       .strict = t->strict};
    int code = ASSAY_EXIT_USAGE;
    bool read = assay_settings_read(&settings, assay_spec_model(spec), &t->limits, &t->params, &t->lenient, t->strict);
    if (t->role && strcmp(t->role, "client") == 0 && t->lenient.count == 0)
        settings.leniencies = 0; /* clients grant none unless they are asked to */
    settings.model.limits = settings.limits;
    if (read && assay_test_parts_make(&parts, &wanted, spec, &settings, target))
        code = t->list ? list_parts(&parts) : judge(t, &parts, target, &settings);
    assay_test_parts_free(&parts);
    assay_settings_free(&settings);
    assay_spec_free(spec);
    return code;
}

static bool is_used_by_a_person(const struct test *t)
{
    bool person = (t->role && strcmp(t->role, "peer") == 0) || (t->upper && strcmp(t->upper, "terminal") == 0);
    for (size_t i = 0; i < t->observe.count; i++) {
        const char *place = strchr(t->observe.items[i], '=');
        person = person || (place && strcmp(place, "=stdout") == 0);
    }
    return person;
}

/* A client is started for each case; everything else is one target. */
static int with_target(const struct test *t)
{
    struct assay_net_error error = {""};
    if (t->list || (t->role && strcmp(t->role, "client") == 0))
        return with_spec(t, NULL);
    struct assay_target *target = assay_target_new(t->places[1], (int64_t)(5e9 * t->timeout_scale), &error);
    if (!target) {
        fprintf(stderr, "assay: %s\n", error.text);
        return ASSAY_EXIT_USAGE;
    }
    if (is_used_by_a_person(t))
        assay_target_hold_stdin(target);
    int code = with_spec(t, target);
    assay_target_free(target);
    return code;
}

int assay_cmd_test(int argc, char **argv)
{
    struct test t = {.seed = 1, .jobs = JOBS, .repeat = 1, .timeout_scale = 1.0};
    size_t given = 0;
    char **args = with_values(argc, argv);
    enum assay_args_result read = args ? read_args(&t, argc, args, &given) : ASSAY_ARGS_BAD;
    int code = ASSAY_EXIT_USAGE;
    if (read != ASSAY_ARGS_OK)
        code = assay_cli_exit(read);
    else if (given < 2 && !t.list)
        fprintf(stderr, "assay: a TARGET is missing: tcp:HOST:PORT, udp:HOST:PORT or exec:COMMAND\n");
    else if (t.timed && strcmp(t.timed, "only") != 0 && strcmp(t.timed, "none") != 0)
        fprintf(stderr, "assay: --timed is only or none, not '%s'\n", t.timed);
    else if (t.jobs < 1 || t.jobs > JOBS_MAX || t.repeat < 1 || t.repeat > UINT32_MAX)
        fprintf(stderr, "assay: --jobs is from 1 to %d, --repeat at least 1\n", JOBS_MAX);
    else
        code = with_target(&t);
    free(args);
    return code;
}
