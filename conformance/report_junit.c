#include <stdlib.h>
#include <string.h>

#include "conformance/report.h"

/* JUnit's XML. The counts stand before the cases, so the cases wait in memory until the end. */
struct waiting {
    FILE *cases;
    char *text;
    size_t size;
};

static void put_xml(const char *text, FILE *to)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'<', "&lt;"}, {'>', "&gt;"}, {'&', "&amp;"}, {'"', "&quot;"}, {'\n', "&#10;"}};
    for (; *text; text++) {
        const char *as = NULL;
        for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
            if (*text == escapes[i].c)
                as = escapes[i].as;
        unsigned char c = (unsigned char)*text;
        if (as)
            fputs(as, to);
        else
            fputc((c < 0x20 && c != '\t') || c == 0x7f ? '?' : c, to); /* XML 1.0 has no way to say them */
    }
}

static void begin(struct assay_report *t, const struct assay_run_facts *facts)
{
    struct waiting *w = calloc(1, sizeof *w);
    t->facts = facts;
    t->own = w;
    if (w)
        w->cases = open_memstream(&w->text, &w->size);
}

static const char *const elements[ASSAY_VERDICTS] = {
    [ASSAY_VERDICT_FAIL] = "failure",
    [ASSAY_VERDICT_ERROR] = "error",
    [ASSAY_VERDICT_INCONCLUSIVE] = "error",
    [ASSAY_VERDICT_UNSUPPORTED] = "skipped",
};

static char *details_of(const struct assay_report *t, const struct assay_result *r)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    assay_report_details(t, r, "", f);
    fclose(f);
    return text;
}

static void put_element(struct assay_report *t, const struct assay_result *r, FILE *to)
{
    const struct assay_requirement *req = assay_report_req(t, r);
    fprintf(to, "    <%s message=\"", elements[r->verdict]);
    if (r->verdict == ASSAY_VERDICT_INCONCLUSIVE)
        fputs("inconclusive: ", to);
    put_xml(r->why, to);
    if (r->verdict == ASSAY_VERDICT_UNSUPPORTED) {
        fputs("\"/>\n", to);
        return;
    }
    fputs("\" type=\"", to);
    put_xml(req ? req->id : "language", to);
    fputs("\">", to);
    char *details = details_of(t, r);
    put_xml(details ? details : "", to);
    free(details);
    fprintf(to, "</%s>\n", elements[r->verdict]);
}

/* The class is the id up to its last part. */
static void put_names(const struct assay_report *t, const struct assay_result *r, FILE *to)
{
    const char *slash = strrchr(r->c->id, '/');
    char class[256];
    const char *part = t->facts->part ? t->facts->part : "";
    snprintf(class, sizeof class, "%s%s%.*s", part, *part ? "." : "", slash ? (int)(slash - r->c->id) : 0, r->c->id);
    fputs("classname=\"", to);
    put_xml(class[0] ? class : "assay", to);
    fputs("\" name=\"", to);
    put_xml(slash ? slash + 1 : r->c->id, to);
    fprintf(to, "\" time=\"%.6f\"", (double)r->took / 1e9);
}

static void judged(struct assay_report *t, const struct assay_result *r)
{
    struct waiting *w = t->own;
    FILE *to = w ? w->cases : NULL;
    if (!to)
        return;
    fputs("  <testcase ", to);
    put_names(t, r, to);
    if (r->verdict == ASSAY_VERDICT_PASS) {
        fputs("/>\n", to);
        return;
    }
    fputs(">\n", to);
    if (elements[r->verdict]) {
        put_element(t, r, to);
    } else {
        fputs("    <system-out>warning: ", to);
        put_xml(r->why, to);
        fputs("</system-out>\n", to);
    }
    fputs("  </testcase>\n", to);
}

static void end(struct assay_report *t, const struct assay_run_summary *s)
{
    struct waiting *w = t->own;
    const struct assay_tally *tally = &s->tally;
    if (!w || !w->cases)
        return;
    fclose(w->cases);
    w->cases = NULL;
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"", t->to);
    put_xml(t->facts->model->protocol, t->to);
    fprintf(t->to, "\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.6f\">\n", tally->cases,
            tally->by_verdict[ASSAY_VERDICT_FAIL],
            tally->by_verdict[ASSAY_VERDICT_ERROR] + tally->by_verdict[ASSAY_VERDICT_INCONCLUSIVE],
            tally->by_verdict[ASSAY_VERDICT_UNSUPPORTED], (double)s->took / 1e9);
    fwrite(w->text, 1, w->size, t->to);
    fputs("</testsuite>\n</testsuites>\n", t->to);
}

static void let_go(struct assay_report *t)
{
    struct waiting *w = t->own;
    if (w && w->cases)
        fclose(w->cases);
    if (w)
        free(w->text);
}

struct assay_report *assay_report_junit(FILE *to, bool owns)
{
    return assay_report_new(
        (struct assay_report){.to = to, .owns = owns, .begin = begin, .judged = judged, .end = end, .free = let_go});
}
