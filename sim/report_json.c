#include "sim/report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/escape.h"

/* ---- members ----------------------------------------------------------- */

static void put_text(const char *key, const char *text, FILE *to)
{
    fprintf(to, "\"%s\": ", key);
    assay_print_json(to, text);
}

static void put_number(const char *key, uint64_t n, FILE *to)
{
    fprintf(to, ", \"%s\": %" PRIu64, key, n);
}

static void put_truth(const char *key, bool truth, FILE *to)
{
    fprintf(to, ", \"%s\": %s", key, truth ? "true" : "false");
}

static void put_words(const char *key, const char *const *words, unsigned count, unsigned bits, FILE *to)
{
    const char *before = "";
    fprintf(to, ", \"%s\": [", key);
    for (unsigned i = 0; i < count; i++)
        if (bits >> i & 1) {
            fprintf(to, "%s\"%s\"", before, words[i]);
            before = ", ";
        }
    fputc(']', to);
}

/* What some function writes, as one text. */
struct written {
    FILE *to;
    char *text;
    size_t size;
};

static bool begin(struct written *w)
{
    w->to = open_memstream(&w->text, &w->size);
    return w->to != NULL;
}

static bool put_written(const char *key, struct written *w, FILE *to)
{
    bool ok = fclose(w->to) == 0;
    if (ok) {
        fputs(",\n  ", to);
        put_text(key, w->text, to);
    }
    free(w->text);
    return ok;
}

/* ---- parts ------------------------------------------------------------- */

static void put_search(const struct assay_sim_search *search, FILE *to)
{
    static const char *const kinds[] = {"drop", "duplicate", "swap", "delay", "corrupt", "fail"};
    static const char *const sides[] = {"client", "server"};
    fprintf(to, ",\n \"search\": {\"up_to\": %u", search->faults);
    put_words("faults", kinds, sizeof kinds / sizeof *kinds, search->kinds, to);
    put_words("crashes", sides, 2, search->crashes, to);
    put_truth("blackouts", search->blackouts, to);
    put_truth("wraps", search->wraps, to);
    put_number("most", search->most, to);
    fputc('}', to);
}

/* One is broken at most: what comes behind it is not looked at. */
static void put_promise(const struct assay_model *model, uint16_t index, const struct assay_sim_finding *f, FILE *to)
{
    const struct assay_promise *p = &model->promises[index];
    const char *before = "";
    fprintf(to, "%s\n  {", index ? "," : "");
    put_text("call", model->calls[p->call].name, to);
    fputs(", ", to);
    put_text("effect", model->effects[p->effect].name, to);
    fputs(", \"at\": [", to);
    for (unsigned bit = 0; bit < 64; bit++)
        if (p->at >> bit & 1) {
            fputs(before, to);
            assay_print_json(to, bit == 63 ? "server" : model->actors[bit].name);
            before = ", ";
        }
    fputc(']', to);
    if (p->req != ASSAY_NONE) {
        fputs(", ", to);
        put_text("requirement", model->requirements[p->req].id, to);
    }
    put_truth("kept", f->wrong == ASSAY_SIM_NOTHING || f->promise != index, to);
    fputc('}', to);
}

static void put_count(const char *key, const struct assay_sim_count *c, FILE *to)
{
    fprintf(to, ",\n \"%s\": {\"schedules\": %" PRIu64, key, c->schedules);
    put_number("deliveries", c->whole ? c->whole : c->deliveries, to);
    put_number("deliveries_run", c->deliveries, to);
    put_number("calls", c->calls, to);
    put_number("calls_failed", c->failed, to);
    fputc('}', to);
}

static bool put_broken(struct assay_sim *sim, const struct assay_model *model, const struct assay_sim_told *told,
                       FILE *to)
{
    const struct assay_sim_finding *f = &told->report->finding;
    const struct assay_sim_schedule *s = &told->report->schedule;
    struct written plan, diagram;
    fputs(",\n \"broken\": {", to);
    put_text("what", assay_sim_wrongs[f->wrong], to);
    fputs(", ", to);
    put_text("why", f->text, to);
    if (f->req != ASSAY_NONE) {
        fputs(", ", to);
        put_text("requirement", model->requirements[f->req].id, to);
    }
    put_number("faults", s->count, to);
    if (told->report->shrunk_from > s->count)
        put_number("found_with", told->report->shrunk_from, to);
    if (told->plan) {
        fputs(", ", to);
        put_text("plan_file", told->plan, to);
    }
    if (told->again) {
        fputs(", ", to);
        put_text("again", told->again, to);
    }
    bool ok = begin(&plan) && (assay_sim_schedule_write(s, model, plan.to) & put_written("plan", &plan, to));
    ok = ok && begin(&diagram) && (assay_sim_diagram(sim, s, diagram.to) & put_written("diagram", &diagram, to));
    fputc('}', to);
    return ok;
}

bool assay_sim_report_json(struct assay_sim *sim, const struct assay_model *model, const struct assay_sim_told *told,
                           FILE *to)
{
    const struct assay_sim_report *r = told->report;
    bool broken = r->finding.wrong != ASSAY_SIM_NOTHING, ok = true;
    fputc('{', to);
    put_text("protocol", model->protocol, to);
    fputs(", ", to);
    put_text("spec", told->spec, to);
    put_number("seed", told->seed, to);
    fputs(",\n ", to);
    put_text("verdict", broken ? "broken" : "kept", to);
    if (told->search)
        put_search(told->search, to);
    fputs(",\n \"promises\": [", to);
    for (uint16_t i = 0; i < model->promises_count; i++)
        put_promise(model, i, &r->finding, to);
    fputc(']', to);
    put_count("sets", &r->count, to);
    if (r->random.schedules)
        put_count("random", &r->random, to);
    if (broken)
        ok = put_broken(sim, model, told, to);
    if (told->search) {
        fprintf(to, ",\n \"datagrams_where_nothing_goes_wrong\": %" PRIu64, r->base);
        put_truth("cut", r->cut, to);
    }
    fprintf(to, ",\n \"seconds\": %.6f}\n", told->seconds);
    return ok && !ferror(to);
}
