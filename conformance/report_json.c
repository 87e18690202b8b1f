#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "conformance/report.h"

/* One JSON document, written as the cases come. */

static void put_member(const char *key, const char *text, FILE *to)
{
    fprintf(to, "\"%s\": ", key);
    assay_print_json(to, text);
}

/* One behind another. */
static void put_next(const char *key, const char *text, FILE *to)
{
    fputs(", ", to);
    put_member(key, text, to);
}

static void begin(struct assay_report *t, const struct assay_run_facts *facts)
{
    t->facts = facts;
    t->own = calloc(1, sizeof(bool)); /* whether a case stands there already */
    fputs("{", t->to);
    put_member("protocol", facts->model->protocol, t->to);
    put_next("spec", facts->spec_path, t->to);
    put_next("target", facts->target, t->to);
    if (facts->role)
        put_next("role", facts->role, t->to);
    fprintf(t->to, ", \"seed\": %" PRIu64 ",\n \"cases\": [", facts->seed);
}

static void put_moment(const struct assay_exchange *x, const struct assay_moment *m, FILE *to)
{
    struct assay_span bytes = assay_exchange_bytes(x, m);
    fprintf(to, "{\"at_ns\": %" PRId64 ", \"link\": %u, ", m->at, m->link);
    put_member("what", assay_happening_name((enum assay_happening)m->what), to);
    bool text = m->what == ASSAY_DID_TELL || m->what == ASSAY_SAW_TOLD;
    if (text || m->what == ASSAY_DID_SEND || m->what == ASSAY_SAW_BYTES) {
        fprintf(to, ", \"size\": %" PRIu32 ", \"hex\": \"", m->size);
        assay_print_hex(to, bytes.p, bytes.n);
        fputc('"', to);
    }
    fputc('}', to);
}

static void put_exchange(const struct assay_exchange *x, FILE *to)
{
    fputs(", \"exchange\": [", to);
    for (size_t i = 0; i < x->count; i++) {
        fputs(i ? ",\n    " : "\n    ", to);
        put_moment(x, &x->moments[i], to);
    }
    fputc(']', to);
}

static void put_again(struct assay_report *t, const struct assay_result *r)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return;
    assay_report_again(t, r, f);
    fclose(f);
    put_next("again", text, t->to);
    free(text);
}

static void put_failure(struct assay_report *t, const struct assay_result *r)
{
    const char *const texts[][2] = {{"expected", r->expected}, {"seen", r->seen}, {"stderr", r->target_said}};
    for (size_t i = 0; i < 3; i++) {
        if (!texts[i][1] || !texts[i][1][0])
            continue;
        put_next(texts[i][0], texts[i][1], t->to);
    }
    put_exchange(&r->exchange, t->to);
    put_again(t, r);
}

static void judged(struct assay_report *t, const struct assay_result *r)
{
    const struct assay_requirement *req = assay_report_req(t, r), *field = assay_report_field_req(t, r);
    const struct assay_requirement *own = assay_report_case_req(t, r);
    bool *any = t->own;
    fputs(any && *any ? ",\n  {" : "\n  {", t->to);
    if (any)
        *any = true;
    put_member("id", r->c->id, t->to);
    if (t->facts->part)
        put_next("part", t->facts->part, t->to);
    put_next("verdict", assay_verdict_name(r->verdict), t->to);
    put_next("level", assay_level_name(r->level), t->to);
    if (req)
        put_next("requirement", req->id, t->to);
    if (own)
        put_next("case_requirement", own->id, t->to);
    if (field && field != req)
        put_next("field_requirement", field->id, t->to);
    fprintf(t->to, ", \"time_ns\": %" PRId64 ", \"ran\": %s, \"cuts_proven\": %s, \"silence_proven\": %s", r->took,
            r->ran ? "true" : "false", r->cuts_requested ? "false" : "true", r->silence_waited ? "false" : "true");
    if (r->why[0])
        put_next("why", r->why, t->to);
    if (r->verdict != ASSAY_VERDICT_PASS && r->verdict != ASSAY_VERDICT_UNSUPPORTED)
        put_failure(t, r);
    fputc('}', t->to);
}

static void end(struct assay_report *t, const struct assay_run_summary *s)
{
    fputs("\n ],\n \"summary\": {", t->to);
    for (int v = 0; v < ASSAY_VERDICTS; v++)
        fprintf(t->to, "\"%s\": %zu, ", assay_verdict_name((enum assay_verdict)v), s->tally.by_verdict[v]);
    fprintf(t->to, "\"cases\": %zu, \"ran\": %zu, \"seconds\": %.6f, \"interrupted\": %s, \"died\": %s, \"serial\": %s",
            s->tally.cases, s->tally.ran, (double)s->took / 1e9, s->interrupted ? "true" : "false",
            s->died ? "true" : "false", s->serial ? "true" : "false");
    fprintf(t->to, ", \"timed\": {\"cases\": %zu, \"seconds\": %.6f, \"longest\": %.6f}", s->tally.timed,
            (double)s->tally.timed_took / 1e9, (double)s->tally.timed_longest / 1e9);
    if (s->stopped)
        put_next("stopped", s->stopped, t->to);
    if (t->facts->passed_over)
        put_next("not_judged", t->facts->passed_over, t->to);
    fputs("}}\n", t->to);
}

struct assay_report *assay_report_json(FILE *to, bool owns)
{
    return assay_report_new(
        (struct assay_report){.to = to, .owns = owns, .begin = begin, .judged = judged, .end = end});
}
