#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/side.h"
#include "conformance/score.h"

struct mutants {
    const char *places[1]; /* SPEC */
    const char *filter;
    struct assay_cli_side side;
    uint64_t seed, survivors;
    bool list;
};

static enum assay_args_result read_args(struct mutants *m, int argc, char **argv)
{
    const struct assay_arg options[] = {
        {"list", ASSAY_ARG_FLAG, &m->list, NULL, "every mutant with the case that kills it"},
        {"filter", ASSAY_ARG_STRING, &m->filter, "GLOB", "only these kinds of mutation"},
        {"role", ASSAY_ARG_STRING, &m->side.role, "ROLE", "who is made wrong: server (default) or client"},
        {"transport", ASSAY_ARG_STRING, &m->side.transport, "NAME", "only on this transport of the spec"},
        {"machine", ASSAY_ARG_STRING, &m->side.machine, "NAME", "only this one of a spec's clients"},
        {"seed", ASSAY_ARG_UINT, &m->seed, "N", "of every random choice (1)"},
        {"survivors", ASSAY_ARG_UINT, &m->survivors, "N", "as many are known and no failure (0)"},
        {0},
    };
    struct assay_arg_spec spec = {
        .usage = "mutants SPEC [OPTIONS]",
        .text = "Measure the suite of a spec: deliberately wrong servers (or clients) are made from it and put to\n"
                "its cases, in this process and on virtual time. A mutant survives when some trace tells it from the\n"
                "spec but no case does. Ends with 0, 1: there are survivors (more than --survivors), 4: spec error,\n"
                "5: there are no mutants.",
        .options = options,
        .positional = m->places,
        .least = 1,
        .most = 1,
    };
    return assay_args_read(&spec, argc, argv);
}

static const char *requirement(const struct assay_model *model, uint16_t req)
{
    return req == ASSAY_NONE ? "-" : model->requirements[req].id;
}

static void print_row(const struct assay_model *model, const struct assay_score_row *row)
{
    static const char *const fates[] = {
        [ASSAY_KILLED] = "killed", [ASSAY_NO_DIFFERENCE] = "equal", [ASSAY_SURVIVED] = "SURVIVED"};
    printf("%-8s %-6s %s: %s\n", fates[row->fate], requirement(model, row->req), row->kind, row->text);
    if (row->fate == ASSAY_KILLED)
        printf("         by %s, which blames %s%s\n", row->killer, requirement(model, row->blamed),
               row->right ? "" : " (another requirement than the one broken)");
    else
        printf("         %s\n", row->trace);
}

static void print_score(const struct assay_model *model, const struct assay_suite_options *side,
                        const struct assay_score *score, bool list, double seconds)
{
    for (size_t i = 0; i < score->count; i++) {
        const struct assay_score_row *row = &score->rows[i];
        if (list || row->fate == ASSAY_SURVIVED || (row->fate == ASSAY_KILLED && !row->right))
            print_row(model, row);
    }
    size_t telling = score->count - score->equal;
    printf("%s, %s over %s: %zu of %zu mutants killed (%.1f%%), %zu of them for the requirement that they break\n",
           model->protocol, model->machines[assay_suite_machine(model, side)].name,
           model->transports[side->transport].name, score->killed, telling,
           telling ? 100.0 * (double)score->killed / (double)telling : 0.0, score->right);
    printf("%zu more show no difference within the cap of the search, %zu survive\n", score->equal, score->survived);
    printf("%zu cases, %zu runs of a case, %.2f s\n", score->cases, score->cases_run, seconds);
}

static void progress(void *context, size_t done, size_t of)
{
    (void)context;
    if (done % 16 == 0 || done == of)
        fprintf(stderr, "\r%zu/%zu mutants%s", done, of, done == of ? "\r\033[K" : "");
}

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct sums {
    size_t mutants, survived;
};

static bool measure_side(const struct mutants *m, const struct assay_spec *spec, const struct assay_suite_options *side,
                         struct sums *sums)
{
    const struct assay_model *model = assay_spec_model(spec);
    struct assay_score_options options = {.seed = m->seed,
                                          .transport = side->transport,
                                          .role = side->role,
                                          .machine = side->machine,
                                          .filter = m->filter,
                                          .progress = isatty(STDERR_FILENO) ? progress : NULL};
    double start = now_seconds();
    struct assay_score *score = assay_score_make(spec, model, &options);
    if (!score)
        return false;
    print_score(model, side, score, m->list, now_seconds() - start);
    sums->mutants += score->count;
    sums->survived += score->survived;
    assay_score_free(score);
    return true;
}

static int measure(const struct mutants *m, const struct assay_spec *spec)
{
    size_t count = 0;
    struct sums sums = {0};
    struct assay_suite_options *sides = assay_cli_sides(assay_spec_model(spec), &m->side, &count);
    int code = sides ? count ? ASSAY_EXIT_OK : ASSAY_EXIT_USAGE : ASSAY_EXIT_INTERNAL;
    /* engines come and go by the thousand: their blocks are better kept than given back to the kernel */
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    for (size_t i = 0; i < count && code == ASSAY_EXIT_OK; i++)
        if (!measure_side(m, spec, &sides[i], &sums))
            code = ASSAY_EXIT_INTERNAL;
    free(sides);
    if (code != ASSAY_EXIT_OK)
        return code;
    return sums.survived > m->survivors ? ASSAY_EXIT_FAILED : sums.mutants ? ASSAY_EXIT_OK : ASSAY_EXIT_NOTHING_RAN;
}

int assay_cmd_mutants(int argc, char **argv)
{
    struct mutants m = {.seed = 1};
    enum assay_args_result read = read_args(&m, argc, argv);
    if (read != ASSAY_ARGS_OK)
        return assay_cli_exit(read);
    struct assay_spec *spec = assay_cli_spec(m.places[0]);
    if (!spec)
        return ASSAY_EXIT_USAGE;
    int code = measure(&m, spec);
    assay_spec_free(spec);
    return code;
}
