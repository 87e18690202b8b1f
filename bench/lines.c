/* What the length of a line of name=value text costs to read: nanoseconds a
 * byte, which stay level when the cost is linear. usage: lines SPEC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "compiler/compiler.h"
#include "core/codec.h"

enum { ROUNDS = 7, LEAST_NS = 20 * 1000 * 1000 };

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

struct text {
    char *p;
    size_t n, cap;
};

static void add(struct text *t, const char *what, size_t n)
{
    if (t->n + n > t->cap)
        abort();
    memcpy(t->p + t->n, what, n);
    t->n += n;
}

static void add_text(struct text *t, const char *what)
{
    add(t, what, strlen(what));
}

/* ---- lines of a size ---------------------------------------------------- */

static void long_value(struct text *t, size_t size)
{
    add_text(t, "LINE a=");
    while (t->n < size)
        add(t, "x", 1);
}

static void long_escaped(struct text *t, size_t size)
{
    add_text(t, "LINE b=1;a=\"");
    while (t->n + 3 < size)
        add_text(t, "\\\"");
    add_text(t, "\"");
}

/* As many pairs as the grammar allows, sorted or in the worst order, the rest of the size in their values. */
static void pairs_of(struct text *t, size_t size, int forward)
{
    char name[16];
    size_t pairs = size / 16 < 1000 ? size / 16 : 1000, each = size / (pairs ? pairs : 1);
    add_text(t, "LINE ");
    for (size_t i = 0; i < pairs; i++) {
        size_t start = t->n;
        snprintf(name, sizeof name, "%sn%05zu=", i ? ";" : "", forward ? i : 99999 - i);
        add_text(t, name);
        while (t->n - start < each)
            add(t, "v", 1);
    }
}

static void sorted_pairs(struct text *t, size_t size)
{
    pairs_of(t, size, 1);
}

static void reversed_pairs(struct text *t, size_t size)
{
    pairs_of(t, size, 0);
}

static void json(struct text *t, size_t size)
{
    add_text(t, "{\"command\": \"LINE\", \"b\": 1, \"a\": \"");
    while (t->n + 4 < size)
        add_text(t, "\\n");
    add_text(t, "\"}");
}

static const struct shape {
    const char *name;
    void (*make)(struct text *t, size_t size);
} shapes[] = {
    {"one long value", long_value},           {"all of it escaped", long_escaped}, {"1000 pairs, sorted", sorted_pairs},
    {"1000 pairs, reversed", reversed_pairs}, {"JSON, all escaped", json},
};

/* ---- measuring ---------------------------------------------------------- */

struct reader {
    const struct assay_model *model;
    struct assay_env env;
    assay_val slots[ASSAY_SLOTS_MAX];
    uint16_t frame;
};

static void read_once(struct reader *r, const struct text *t)
{
    r->env.scratch_used = 0;
    struct assay_span content = {(const uint8_t *)t->p, (uint32_t)t->n};
    r->env.frame = content.p;
    struct assay_decoded d = assay_decode(&r->env, r->frame, ASSAY_CLIENT, content);
    if (d.message == ASSAY_NONE || d.event != r->model->messages[d.message].event) {
        fprintf(stderr, "lines: a line does not decode: %.60s...\n", t->p);
        exit(1);
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median of rounds that each last long enough for the clock. */
static double ns_a_line(struct reader *r, const struct text *t)
{
    double rounds[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        long done = 0;
        double start = now_ns(), end;
        do {
            for (int k = 0; k < 8; k++, done++)
                read_once(r, t);
            end = now_ns();
        } while (end - start < LEAST_NS);
        rounds[i] = (end - start) / (double)done;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, ascending);
    return rounds[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {256, 4096, 65536, 1000000};
    struct assay_diags diags = {0};
    struct assay_spec *spec = argc == 2 ? assay_spec_load(argv[1], &diags) : NULL;
    const struct assay_model *model = spec ? assay_spec_model(spec) : NULL;
    if (!model) {
        assay_diags_print(&diags, stderr);
        return 4;
    }
    struct reader r = {.model = model, .frame = model->machines[model->server].frame_in};
    uint32_t scratch = model->scratch + model->frame_max;
    r.env = (struct assay_env){.model = model, .slots = r.slots, .scratch = malloc(scratch), .scratch_cap = scratch};
    struct text t = {.p = malloc(1u << 20), .cap = 1u << 20};
    printf("%-22s", "ns a byte, by size");
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        printf(" %9zu", sizes[s]);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        printf("\n%-22s", shapes[i].name);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            t.n = 0;
            shapes[i].make(&t, sizes[s]);
            printf(" %9.2f", ns_a_line(&r, &t) / (double)t.n);
            fflush(stdout);
        }
    }
    putchar('\n');
    free(t.p);
    free(r.env.scratch);
    assay_spec_free(spec);
    return 0;
}
