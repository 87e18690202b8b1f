#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/settings.h"
#include "sim/report.h"

#define USUAL_RANDOM 1000
#define USUAL_MOST   1000000

struct sim_options {
    const char *places[1]; /* SPEC */
    const char *faults, *random, *plan, *save, *json;
    struct assay_arg_list limits, params, lenient;
    uint64_t seed, most;
    int64_t latency;
    bool strict, diagram;
};

static enum assay_args_result read_args(struct sim_options *o, int argc, char **argv)
{
    const struct assay_arg options[] = {
        {"faults", ASSAY_ARG_STRING, &o->faults, "K", "try all sets of up to K faults (as the spec says)"},
        {"random", ASSAY_ARG_STRING, &o->random, "TIME|N", "then random schedules, for TIME or N of them (1000)"},
        {"most", ASSAY_ARG_UINT, &o->most, "N", "end the sets of faults after N schedules (1000000); 0: never"},
        {"seed", ASSAY_ARG_UINT, &o->seed, "N", "of random values, flipped bits and random schedules (1)"},
        {"plan", ASSAY_ARG_STRING, &o->plan, "FILE", "run this one schedule and draw it"},
        {"save", ASSAY_ARG_STRING, &o->save, "FILE", "where the schedule that fails goes (PROTOCOL.plan)"},
        {"json", ASSAY_ARG_STRING, &o->json, "FILE",
         "write what came of it as JSON; - is stdout, and nothing else goes there"},
        {"latency", ASSAY_ARG_DURATION, &o->latency, "TIME", "of each way (10ms)"},
        {"diagram", ASSAY_ARG_FLAG, &o->diagram, NULL, "draw the run in which nothing goes wrong, too"},
        {"limit", ASSAY_ARG_LIST, &o->limits, "NAME=VALUE", "another limit than the simulation's own small ones"},
        {"param", ASSAY_ARG_LIST, &o->params, "NAME=VALUE", "a parameter of the spec"},
        {"lenient", ASSAY_ARG_LIST, &o->lenient, "NAME=0|1", "switch a leniency of the spec"},
        {"strict", ASSAY_ARG_FLAG, &o->strict, NULL, "switch all leniencies off"},
        {0},
    };
    struct assay_arg_spec spec = {
        .usage = "sim SPEC [OPTIONS]",
        .text = "Have the spec's server and the clients of its `impair` talk over a bad network in virtual time, and\n"
                "hold what happens against its promises. A schedule that breaks one is made small, drawn, and kept in "
                "a file\n"
                "that --plan replays; `assay link --plan` has real processes meet the same faults (but for crashes and "
                "effects that fail).\n"
                "Ends with 0, 1: a promise is broken, 4: spec error.",
        .options = options,
        .positional = o->places,
        .least = 1,
        .most = 1,
    };
    return assay_args_read(&spec, argc, argv);
}

/* ---- what is wanted ---------------------------------------------------- */

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Of random schedules: from the first one on. */
struct budget {
    double span, until; /* seconds; 0: none, not begun */
};

static bool time_is_up(void *context)
{
    struct budget *b = context;
    double now = now_seconds();
    b->until = b->until > 0 ? b->until : now + b->span;
    return b->span > 0 && now >= b->until;
}

/* "30s" is a time, "30" a number of schedules. */
static bool read_random(const char *text, uint64_t *count, int64_t *span)
{
    size_t n = strlen(text);
    *span = 0;
    if (n > 0 && isdigit((unsigned char)text[n - 1]))
        return assay_parse_size(text, count);
    *count = UINT64_MAX;
    return assay_parse_duration(text, span);
}

static bool read_search(const struct sim_options *o, const struct assay_impair *impair, struct assay_sim_search *search,
                        int64_t *span)
{
    uint64_t faults = impair->up_to;
    *search = (struct assay_sim_search){.kinds = impair->faults,
                                        .crashes = impair->crashes,
                                        .blackouts = true,
                                        .wraps = true,
                                        .most = o->most,
                                        .random = USUAL_RANDOM};
    if (o->faults && (!assay_parse_size(o->faults, &faults) || faults > 64)) {
        fprintf(stderr, "assay sim: --faults: expected a number up to 64, found '%s'\n", o->faults);
        return false;
    }
    search->faults = (unsigned)faults;
    if (o->random && !read_random(o->random, &search->random, span)) {
        fprintf(stderr, "assay sim: --random: expected a number of schedules, or a time as 30s, found '%s'\n",
                o->random);
        return false;
    }
    return true;
}

/* ---- what came of it --------------------------------------------------- */

/* Stdout is for JSON alone. */
static bool is_quiet(const struct sim_options *o)
{
    return o->json && strcmp(o->json, "-") == 0;
}

static void print_count(const char *what, const struct assay_sim_count *c)
{
    printf("%s%" PRIu64 " schedules, %" PRIu64 " deliveries, %" PRIu64 " of %" PRIu64 " calls did not end well\n", what,
           c->schedules, c->deliveries, c->failed, c->calls);
}

static void print_finding(const struct assay_model *model, const struct assay_sim_finding *f)
{
    if (f->req == ASSAY_NONE)
        printf("broken: %s\n", f->text);
    else
        printf("broken: %s: %s\n        %s\n", model->requirements[f->req].id, f->text,
               model->requirements[f->req].text);
}

static bool save(const struct assay_model *model, const struct assay_sim_schedule *schedule, const char *path)
{
    FILE *to = fopen(path, "w");
    bool ok = to && assay_sim_schedule_write(schedule, model, to);
    if (to && fclose(to) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "assay sim: %s cannot be written\n", path);
    return ok;
}

/* A link has real processes meet what happens to datagrams, and nothing else. */
static void tell_replay(const struct sim_options *o, const struct assay_sim_schedule *s, const char *path)
{
    size_t met = 0;
    for (size_t i = 0; i < s->count; i++)
        met += s->faults[i].kind == ASSAY_SIM_MEETS;
    printf("\nreplay: assay sim %s --plan %s\n", o->places[0], path);
    if (met)
        printf("        assay link --listen udp:ADDR:PORT --to udp:ADDR:PORT --plan %s%s\n", path,
               met < s->count || s->blackout || s->near_wrap ? " (only what happens to datagrams)" : "");
}

static void tell_failure(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model,
                         const struct assay_sim_told *told)
{
    const struct assay_sim_report *report = told->report;
    putchar('\n');
    assay_sim_diagram(sim, &report->schedule, stdout);
    putchar('\n');
    print_finding(model, &report->finding);
    printf("\nschedule of %zu fault%s", report->schedule.count, report->schedule.count == 1 ? "" : "s");
    if (report->shrunk_from > report->schedule.count)
        printf(" (found with %u)", report->shrunk_from);
    printf(":\n");
    assay_sim_schedule_write(&report->schedule, model, stdout);
    if (told->plan)
        tell_replay(o, &report->schedule, told->plan);
}

static void tell(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model,
                 const struct assay_sim_told *told)
{
    const struct assay_sim_report *report = told->report;
    unsigned faults = told->search->faults;
    bool broken = report->finding.wrong != ASSAY_SIM_NOTHING;
    if (broken)
        tell_failure(sim, o, model, told);
    printf("%s: %" PRIu64 " datagrams where nothing goes wrong\n", model->protocol, report->base);
    printf("all sets of up to %u fault%s%s: ", faults, faults == 1 ? "" : "s",
           report->cut ? ", cut by --most"
           : broken    ? ", up to the first that is wrong"
                       : "");
    print_count("", &report->count);
    if (report->random.schedules)
        print_count("at random: ", &report->random);
    printf("%s, %.2f s\n", broken ? "a promise is broken" : "all promises are kept", told->seconds);
}

static bool write_json(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model,
                       const struct assay_sim_told *told)
{
    bool own = !is_quiet(o);
    FILE *to = own ? fopen(o->json, "w") : stdout;
    bool ok = to && assay_sim_report_json(sim, model, told, to);
    if (to && (own ? fclose(to) : fflush(to)) != 0)
        ok = false;
    if (!ok)
        fprintf(stderr, "assay sim: %s cannot be written: %s\n", o->json, strerror(errno));
    return ok;
}

static int report(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model,
                  struct assay_sim_told *told)
{
    char path[256], again[600];
    bool broken = told->report->finding.wrong != ASSAY_SIM_NOTHING;
    snprintf(path, sizeof path, "%s", o->plan ? o->plan : o->save ? o->save : "");
    if (!path[0])
        snprintf(path, sizeof path, "%s.plan", model->protocol);
    if (broken && (o->plan || save(model, &told->report->schedule, path))) {
        snprintf(again, sizeof again, "assay sim %s --plan %s", o->places[0], path);
        told->plan = path;
        told->again = again;
    }
    if (!o->plan && !is_quiet(o))
        tell(sim, o, model, told);
    if (o->json && !write_json(sim, o, model, told))
        return ASSAY_EXIT_INTERNAL;
    return broken ? ASSAY_EXIT_FAILED : ASSAY_EXIT_OK;
}

static int search(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model)
{
    struct assay_sim_search wanted;
    struct assay_sim_report found;
    struct budget budget = {0};
    int64_t span = 0;
    if (!read_search(o, &model->impairs[0], &wanted, &span))
        return ASSAY_EXIT_USAGE;
    double start = now_seconds();
    budget.span = (double)span / 1e9;
    wanted.context = &budget;
    wanted.enough_random = time_is_up;
    if (!assay_sim_explore(sim, &wanted, &found)) {
        fprintf(stderr, "assay sim: no memory\n");
        return ASSAY_EXIT_INTERNAL;
    }
    struct assay_sim_told told = {
        .spec = o->places[0], .search = &wanted, .report = &found, .seed = o->seed, .seconds = now_seconds() - start};
    int code = report(sim, o, model, &told);
    assay_sim_schedule_free(&found.schedule);
    return code;
}

/* ---- one schedule ------------------------------------------------------ */

static void tell_not_done(const struct assay_sim *sim, const struct assay_model *model,
                          const struct assay_sim_schedule *schedule)
{
    for (size_t i = 0; i < schedule->count; i++)
        if (!assay_sim_came_to(sim, &schedule->faults[i])) {
            printf("not done: ");
            assay_sim_fault_write(&schedule->faults[i], model, stdout);
        }
}

static int replay(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model,
                  const struct assay_sim_schedule *schedule)
{
    struct assay_sim_report found = {.schedule = *schedule, .shrunk_from = (unsigned)schedule->count};
    double start = now_seconds();
    assay_sim_replay(sim, schedule, &found.finding, &found.count);
    struct assay_sim_told told = {
        .spec = o->places[0], .report = &found, .seed = schedule->seed, .seconds = now_seconds() - start};
    if (!is_quiet(o)) {
        assay_sim_diagram(sim, schedule, stdout);
        putchar('\n');
        tell_not_done(sim, model, schedule);
        if (found.finding.wrong == ASSAY_SIM_NOTHING)
            printf("all promises are kept\n");
        else
            print_finding(model, &found.finding);
    }
    return report(sim, o, model, &told);
}

static int replay_plan(struct assay_sim *sim, const struct sim_options *o, const struct assay_model *model)
{
    struct assay_link_error error;
    struct assay_sim_schedule schedule = {.seed = o->seed};
    int code = ASSAY_EXIT_USAGE;
    if (assay_sim_schedule_load(&schedule, model, o->plan, &error))
        code = replay(sim, o, model, &schedule);
    else
        fprintf(stderr, "%s\n", error.text);
    assay_sim_schedule_free(&schedule);
    return code;
}

/* Limits that were named hold; the others are the simulation's. */
static void take_limits(struct assay_limits *to, const struct assay_settings *settings,
                        const struct assay_limits *usual)
{
    const struct assay_limits *given = &settings->limits;
    to->sessions = given->sessions != usual->sessions ? given->sessions : to->sessions;
    to->memory = given->memory != usual->memory ? given->memory : to->memory;
    to->effects = given->effects != usual->effects ? given->effects : to->effects;
    to->rows = given->rows != usual->rows ? given->rows : to->rows;
    to->output = given->output;
    to->seal = given->seal;
}

static int simulate(const struct sim_options *o, const struct assay_model *plain)
{
    struct assay_settings settings;
    struct assay_sim_config config;
    char error[ASSAY_SIM_ERROR_MAX];
    if (!assay_settings_read(&settings, plain, &o->limits, &o->params, &o->lenient, o->strict))
        return ASSAY_EXIT_USAGE;
    assay_sim_defaults(&config, &settings.model);
    take_limits(&config.limits, &settings, &plain->limits);
    config.leniencies = settings.leniencies;
    config.seed = o->seed;
    config.latency = o->latency;
    struct assay_sim *sim = assay_sim_new(&config, error);
    int code = ASSAY_EXIT_USAGE;
    if (!sim)
        fprintf(stderr, "%s: %s\n", o->places[0], error);
    else
        code = o->plan ? replay_plan(sim, o, &settings.model) : ASSAY_EXIT_OK;
    if (sim && o->diagram && !o->plan && !is_quiet(o))
        assay_sim_diagram(sim, &(struct assay_sim_schedule){.seed = o->seed}, stdout);
    if (sim && !o->plan)
        code = search(sim, o, &settings.model);
    assay_sim_free(sim);
    assay_settings_free(&settings);
    return code;
}

int assay_cmd_sim(int argc, char **argv)
{
    struct sim_options o = {.seed = 1, .most = USUAL_MOST, .latency = 10000000};
    enum assay_args_result read = read_args(&o, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    struct assay_spec *spec = assay_cli_spec(o.places[0]);
    if (!spec)
        return ASSAY_EXIT_USAGE;
    int code = simulate(&o, assay_spec_model(spec));
    assay_spec_free(spec);
    return code;
}
