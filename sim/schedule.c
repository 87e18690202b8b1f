/* Schedules as lists, and as plans of a link with what a link cannot do as comments. */
#include "sim/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DIRECTIVE "#sim "

bool assay_sim_schedule_add(struct assay_sim_schedule *s, const struct assay_sim_fault *fault)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 16;
        struct assay_sim_fault *grown = realloc(s->faults, capacity * sizeof *grown);
        if (!grown)
            return false;
        s->faults = grown;
        s->capacity = capacity;
    }
    s->faults[s->count++] = *fault;
    return true;
}

bool assay_sim_schedule_copy(struct assay_sim_schedule *to, const struct assay_sim_schedule *from)
{
    to->seed = from->seed;
    to->near_wrap = from->near_wrap;
    to->blackout = from->blackout;
    to->count = 0;
    for (size_t i = 0; i < from->count; i++)
        if (!assay_sim_schedule_add(to, &from->faults[i]))
            return false;
    return true;
}

void assay_sim_schedule_free(struct assay_sim_schedule *s)
{
    free(s->faults);
    *s = (struct assay_sim_schedule){0};
}

static const char *const words[] = {[ASSAY_SIM_MEETS] = "", [ASSAY_SIM_CRASHES] = "crash", [ASSAY_SIM_FAILS] = "fail"};

/* ---- writing ----------------------------------------------------------- */

static const char *name_of(const struct assay_model *model, unsigned node)
{
    return node == 0 ? "server" : model->actors[node - 1].name;
}

void assay_sim_fault_write(const struct assay_sim_fault *f, const struct assay_model *model, FILE *to)
{
    char line[ASSAY_LINK_LINE_MAX];
    if (f->kind != ASSAY_SIM_MEETS) {
        fprintf(to, DIRECTIVE "%s %s %" PRIu64 "\n", words[f->kind], name_of(model, f->node), f->nth);
        return;
    }
    assay_link_print(&f->link, line);
    fprintf(to, "%s\n", line);
}

bool assay_sim_schedule_write(const struct assay_sim_schedule *s, const struct assay_model *model, FILE *to)
{
    fprintf(to, DIRECTIVE "seed %" PRIu64 "\n", s->seed);
    if (s->near_wrap)
        fprintf(to, DIRECTIVE "number -1\n");
    if (s->blackout)
        fprintf(to, DIRECTIVE "blackout %" PRIu64 "\n", s->blackout);
    for (size_t i = 0; i < s->count; i++)
        assay_sim_fault_write(&s->faults[i], model, to);
    return !ferror(to);
}

/* ---- reading ----------------------------------------------------------- */

static bool node_of(const struct assay_model *model, const char *name, uint8_t *node)
{
    for (unsigned i = 0; i <= model->actors_count && i < UINT8_MAX; i++)
        if (strcmp(name_of(model, i), name) == 0) {
            *node = (uint8_t)i;
            return true;
        }
    return false;
}

static bool take_fault(struct assay_sim_schedule *s, const struct assay_model *model, const char *line)
{
    char word[8], name[65];
    int end = 0;
    struct assay_sim_fault f = {.kind = ASSAY_SIM_CRASHES};
    if (sscanf(line, "%7s %64s %" SCNu64 " %n", word, name, &f.nth, &end) != 3 || !end || line[end] || f.nth == 0 ||
        !node_of(model, name, &f.node))
        return false;
    if (strcmp(word, words[ASSAY_SIM_FAILS]) == 0)
        f.kind = ASSAY_SIM_FAILS;
    else if (strcmp(word, words[ASSAY_SIM_CRASHES]) != 0)
        return false;
    return assay_sim_schedule_add(s, &f);
}

static bool take_directive(struct assay_sim_schedule *s, const struct assay_model *model, const char *line)
{
    int end = 0;
    if (sscanf(line, "seed %" SCNu64 " %n", &s->seed, &end) == 1 && end && !line[end])
        return true;
    if (sscanf(line, "blackout %" SCNu64 " %n", &s->blackout, &end) == 1 && end && !line[end])
        return s->blackout > 0;
    end = 0;
    (void)sscanf(line, "number -1 %n", &end);
    if (end && !line[end]) {
        s->near_wrap = true;
        return true;
    }
    return take_fault(s, model, line);
}

static bool take_directives(struct assay_sim_schedule *s, const struct assay_model *model, const char *name,
                            const char *text, size_t size, struct assay_link_error *error)
{
    size_t number = 1;
    for (const char *p = text, *end = text + size; p < end; number++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p), head = strlen(DIRECTIVE);
        char line[128];
        if (n > head && n - head < sizeof line && memcmp(p, DIRECTIVE, head) == 0) {
            memcpy(line, p + head, n - head);
            line[n - head] = '\0';
            if (!take_directive(s, model, line)) {
                snprintf(error->text, sizeof error->text,
                         "%.200s:%zu:1: expected seed N, number -1, blackout N, crash NODE STEP, or fail NODE N behind "
                         "'#sim'",
                         name, number);
                return false;
            }
        }
        p = stop ? stop + 1 : end;
    }
    return true;
}

bool assay_sim_schedule_read(struct assay_sim_schedule *s, const struct assay_model *model, const char *name,
                             const char *text, size_t size, struct assay_link_error *error)
{
    struct assay_link_plan plan = {.transport = ASSAY_LINK_DATAGRAMS};
    bool ok =
        take_directives(s, model, name, text, size, error) && assay_link_plan_read(&plan, name, text, size, error);
    for (size_t i = 0; i < plan.count && ok; i++)
        ok = assay_sim_schedule_add(s, &(struct assay_sim_fault){.link = plan.faults[i]});
    assay_link_plan_free(&plan);
    return ok;
}

/* NULL: errno says why. */
static char *read_all(FILE *in, size_t *size)
{
    size_t cap = 0, n = 0, got;
    char *text = NULL;
    do {
        cap = cap ? 2 * cap : 4096;
        char *grown = realloc(text, cap);
        if (!grown) {
            free(text);
            return NULL;
        }
        text = grown;
        got = fread(text + n, 1, cap - n, in);
        n += got;
    } while (n == cap);
    *size = n;
    if (!ferror(in))
        return text;
    int why = errno;
    free(text);
    errno = why;
    return NULL;
}

bool assay_sim_schedule_load(struct assay_sim_schedule *s, const struct assay_model *model, const char *path,
                             struct assay_link_error *error)
{
    size_t size;
    FILE *in = fopen(path, "r");
    char *text = in ? read_all(in, &size) : NULL;
    bool ok = text != NULL;
    if (!ok)
        snprintf(error->text, sizeof error->text, "%.200s: cannot be read: %s", path, strerror(errno));
    else
        ok = assay_sim_schedule_read(s, model, path, text, size, error);
    free(text);
    if (in)
        fclose(in);
    return ok;
}
