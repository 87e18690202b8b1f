#include <stdlib.h>
#include <string.h>

#include "conformance/report.h"

/* TAP version 14. A warning is ok with a comment; what was not judged for want of something is skipped. */

static void begin(struct assay_report *t, const struct assay_run_facts *facts)
{
    t->facts = facts;
    t->own = calloc(1, sizeof(size_t));
    fprintf(t->to, "TAP version 14\n1..%zu\n", assay_report_cases(facts));
}

/* '#' and '\' have a meaning in a description. */
static void put_escaped(const char *text, FILE *to)
{
    for (; *text; text++) {
        if (*text == '#' || *text == '\\')
            fputc('\\', to);
        fputc(*text == '\n' ? ' ' : *text, to);
    }
}

static void put_quoted(const char *text, FILE *to)
{
    fputc('\'', to);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', to);
        fputc((unsigned char)*text < 0x20 ? ' ' : *text, to);
    }
    fputs("'\n", to);
}

static void put_block(const char *key, const char *text, FILE *to)
{
    fprintf(to, "  %s: |\n", key);
    while (*text) {
        size_t n = strcspn(text, "\n");
        fprintf(to, "    %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void put_yaml(struct assay_report *t, const struct assay_result *r)
{
    char *details = NULL;
    size_t size;
    FILE *f = open_memstream(&details, &size);
    const struct assay_requirement *req = assay_report_req(t, r);
    fprintf(t->to, "  ---\n  verdict: %s\n  level: %s\n", assay_verdict_name(r->verdict), assay_level_name(r->level));
    if (req)
        fprintf(t->to, "  requirement: %s\n", req->id);
    fputs("  message: ", t->to);
    put_quoted(r->why, t->to);
    if (f) {
        assay_report_details(t, r, "", f);
        fclose(f);
        put_block("details", details, t->to);
        free(details);
    }
    fprintf(t->to, "  ...\n");
}

static void judged(struct assay_report *t, const struct assay_result *r)
{
    size_t *n = t->own;
    bool ok =
        r->verdict == ASSAY_VERDICT_PASS || r->verdict == ASSAY_VERDICT_WARN || r->verdict == ASSAY_VERDICT_UNSUPPORTED;
    fprintf(t->to, "%s %zu - ", ok ? "ok" : "not ok", n ? ++*n : 0);
    put_escaped(r->c->id, t->to);
    if (t->facts->part)
        fprintf(t->to, " [%s]", t->facts->part);
    if (r->verdict == ASSAY_VERDICT_UNSUPPORTED) {
        fputs(" # SKIP unsupported: ", t->to);
        put_escaped(r->why, t->to);
    }
    fputc('\n', t->to);
    if (r->verdict != ASSAY_VERDICT_PASS && r->verdict != ASSAY_VERDICT_UNSUPPORTED)
        put_yaml(t, r);
}

static void end(struct assay_report *t, const struct assay_run_summary *s)
{
    if (s->died)
        fputs("Bail out! the target died with cases in flight\n", t->to);
    if (s->stopped)
        fprintf(t->to, "# not all cases ran: %s\n", s->stopped);
    fflush(t->to);
}

struct assay_report *assay_report_tap(FILE *to, bool owns)
{
    return assay_report_new(
        (struct assay_report){.to = to, .owns = owns, .begin = begin, .judged = judged, .end = end});
}
