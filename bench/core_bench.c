/* Nanoseconds a request, 16 pipelined frames at a time, without any I/O.
 * usage: core_bench [BATCHES [notes|sums]] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/engine.h"
#include "core/tests/models.h"

enum { BATCH = 16, ROUNDS = 9 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct bench {
    struct assay_engine *engine;
    assay_sid sid;
    struct assay_out out;
    struct assay_cut cuts[BATCH];
    uint8_t bytes[4096];
    uint64_t replies;
};

static void open_bench(struct bench *b, const struct assay_model *model, bool gates)
{
    struct assay_config config = {.model = model, .limits = model->limits, .gates = gates};
    config.limits.effects = 64;
    size_t size = assay_engine_size(&config);
    b->engine = assay_engine_init(malloc(size), size, &config);
    b->out = (struct assay_out){b->bytes, sizeof b->bytes, 0, b->cuts, BATCH, 0};
    b->replies = 0;
    assay_open(b->engine, 0, &b->sid, &b->out);
}

static void feed(struct bench *b, const void *p, size_t n)
{
    uint32_t used;
    struct assay_event event;
    assay_token tokens[BATCH];
    unsigned pending = 0;
    assay_feed(b->engine, b->sid, 0, (struct assay_span){p, (uint32_t)n}, &used, &b->out);
    while (assay_next_event(b->engine, &event))
        if (event.type == ASSAY_EVENT_EFFECT)
            tokens[pending++] = event.effect.token;
    for (unsigned i = 0; i < pending; i++)
        assay_complete(b->engine, tokens[i], 0, true, &b->out);
    b->replies += b->out.len;
    b->out.len = 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double measure(struct bench *b, const void *p, size_t n, long batches)
{
    double rounds[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        double start = now_ns();
        for (long i = 0; i < batches; i++)
            feed(b, p, n);
        rounds[r] = (now_ns() - start) / ((double)batches * BATCH);
    }
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    return rounds[ROUNDS / 2];
}

static size_t repeat(char *to, const char *frame, size_t n)
{
    for (int i = 0; i < BATCH; i++)
        memcpy(to + (size_t)i * n, frame, n);
    return n * BATCH;
}

static void tell(const char *what, const struct bench *b, double ns)
{
    printf("%-29s %6.1f ns a request, %llu bytes answered\n", what, ns, (unsigned long long)b->replies);
}

static void notes(struct bench *b, long batches)
{
    static const char message[] = "\3\40\0"
                                  "0123456789abcdef0123456789abcdef";
    char in[4096];
    open_bench(b, notes_model(true), true);
    feed(b, "\1\3\0bob\2\3\0abc", 12);
    size_t n = repeat(in, message, sizeof message - 1);
    tell("notes (append behind a gate):", b, measure(b, in, n, batches));
}

static void sums(struct bench *b, long batches)
{
    char in[4096];
    open_bench(b, sums_model(), false);
    size_t n = repeat(in, "square 12345\n", 13);
    tell("sums (text):", b, measure(b, in, n, batches));
}

int main(int argc, char **argv)
{
    static struct bench b;
    long batches = argc > 1 ? atol(argv[1]) : 20000;
    const char *which = argc > 2 ? argv[2] : "";
    if (strcmp(which, "sums") != 0)
        notes(&b, batches);
    if (strcmp(which, "notes") != 0)
        sums(&b, batches);
    return 0;
}
