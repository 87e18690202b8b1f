/* What a simulated delivery costs, beside a heap that does nothing else; and how long all schedules of one exchange
 * take. usage: sim_bench SPEC [ROUNDS] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/compiler.h"
#include "sim/sim.h"

enum { ROUNDS = 7, PENDING = 8 };

/* Time of the processor: one thread is all there is, and others may be busy beside it. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_size);
    return v[n / 2];
}

/* ---- a bare heap ------------------------------------------------------- */

struct item {
    int64_t at;
    uint64_t order, payload[4];
};

static int earlier(const struct item *a, const struct item *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void push(struct item *heap, unsigned n, struct item item)
{
    for (; n > 0 && earlier(&item, &heap[(n - 1) / 2]); n = (n - 1) / 2)
        heap[n] = heap[(n - 1) / 2];
    heap[n] = item;
}

static struct item pop(struct item *heap, unsigned n)
{
    struct item first = heap[0], last = heap[--n];
    unsigned i = 0;
    for (unsigned child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && earlier(&heap[child + 1], &heap[child]);
        if (!earlier(&heap[child], &last))
            break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return first;
}

static volatile uint64_t sink;

/* Events a second: one is taken, one is put in, as with datagrams on their way. */
static double bare_heap(void)
{
    struct item heap[PENDING + 1];
    uint64_t seed = 1, order = 0, events = 4000000;
    memset(heap, 0, sizeof heap);
    for (unsigned i = 0; i < PENDING; i++)
        push(heap, i, (struct item){.at = (int64_t)i, .order = order++});
    double start = now();
    for (uint64_t i = 0; i < events; i++) {
        struct item item = pop(heap, PENDING);
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        item.at += (int64_t)(seed >> 44);
        item.order = order++;
        push(heap, PENDING - 1, item);
    }
    sink = heap[0].order;
    return (double)events / (now() - start);
}

/* ---- the simulation ---------------------------------------------------- */

static double deliveries(struct assay_sim *sim, unsigned kinds)
{
    struct assay_sim_search search = {.kinds = kinds, .random = 20000};
    struct assay_sim_report report;
    double start = now();
    if (!assay_sim_explore(sim, &search, &report) || report.finding.wrong != ASSAY_SIM_NOTHING) {
        fprintf(stderr, "sim_bench: %s\n", report.finding.text);
        exit(1);
    }
    return (double)report.random.deliveries / (now() - start);
}

static void time_sets(struct assay_sim *sim, const char *name, const struct assay_sim_search *search, int rounds,
                      double bare)
{
    double times[64];
    struct assay_sim_report report;
    for (int i = 0; i < rounds; i++) {
        double start = now();
        if (!assay_sim_explore(sim, search, &report) || report.finding.wrong != ASSAY_SIM_NOTHING) {
            fprintf(stderr, "sim_bench: %s\n", report.finding.text);
            exit(1);
        }
        times[i] = now() - start;
    }
    double t = median(times, rounds);
    const struct assay_sim_count *c = &report.count;
    printf("%-18s %7llu schedules, %7llu deliveries of which %llu are done: %6.2f ms, %.0f a second, %.2f of it\n",
           name, (unsigned long long)c->schedules, (unsigned long long)c->whole, (unsigned long long)c->deliveries,
           1e3 * t, (double)c->whole / t, (double)c->whole / t / bare);
}

static void time_first_12(struct assay_sim *sim, const char *name, unsigned kinds, int rounds, double bare)
{
    struct assay_sim_search search = {.kinds = kinds, .faults = 12, .first = 12, .plain = true, .any_traffic = true};
    time_sets(sim, name, &search, rounds, bare);
}

/* What `assay sim` tries before random schedules. */
static void time_usual(struct assay_sim *sim, const struct assay_impair *impair, int rounds, double bare)
{
    struct assay_sim_search search = {
        .kinds = impair->faults, .faults = impair->up_to, .crashes = impair->crashes, .blackouts = true, .wraps = true};
    time_sets(sim, "as the spec says", &search, rounds, bare);
}

int main(int argc, char **argv)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = argc > 1 ? assay_spec_load(argv[1], &diags) : NULL;
    const struct assay_model *model = spec ? assay_spec_model(spec) : NULL;
    int rounds = argc > 2 ? atoi(argv[2]) : ROUNDS;
    struct assay_sim_config config;
    char error[ASSAY_SIM_ERROR_MAX] = "no spec";
    double heap[64], sim_rate[64];
    rounds = rounds < 1 || rounds > 64 ? ROUNDS : rounds;
    if (model)
        assay_sim_defaults(&config, model);
    struct assay_sim *sim = model ? assay_sim_new(&config, error) : NULL;
    if (!sim) {
        assay_diags_print(&diags, stderr);
        fprintf(stderr, "sim_bench: %s\n", error);
        return 1;
    }
    for (int i = 0; i < rounds; i++) {
        heap[i] = bare_heap();
        sim_rate[i] = deliveries(sim, model->impairs[0].faults);
    }
    double bare = median(heap, rounds), ours = median(sim_rate, rounds);
    printf("bare heap   %10.0f events a second\n", bare);
    printf("simulation  %10.0f deliveries a second, %.2f of it, where each is done\n", ours, ours / bare);
    time_usual(sim, &model->impairs[0], rounds, bare);
    time_first_12(sim, "drop, first 12", ASSAY_IMPAIR_DROP, rounds, bare);
    time_first_12(sim, "drop or duplicate", ASSAY_IMPAIR_DROP | ASSAY_IMPAIR_DUPLICATE, rounds, bare);
    assay_sim_free(sim);
    assay_spec_free(spec);
    return 0;
}
