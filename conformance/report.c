#include "conformance/report.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct assay_report *assay_report_new(struct assay_report plain)
{
    struct assay_report *report = malloc(sizeof *report);
    if (report)
        *report = plain;
    return report;
}

bool assay_report_free(struct assay_report *report)
{
    if (!report)
        return true;
    if (report->free)
        report->free(report);
    bool written = fflush(report->to) == 0 && !ferror(report->to);
    int why = errno;
    if (report->owns && fclose(report->to) != 0 && written) {
        written = false;
        why = errno;
    }
    free(report->own);
    free(report);
    errno = why;
    return written;
}

static const struct assay_requirement *requirement(const struct assay_report *report, uint16_t req)
{
    const struct assay_model *model = report->facts->model;
    return model && req < model->requirements_count ? &model->requirements[req] : NULL;
}

const struct assay_requirement *assay_report_req(const struct assay_report *report, const struct assay_result *result)
{
    return requirement(report, result->req);
}

const struct assay_requirement *assay_report_case_req(const struct assay_report *report,
                                                      const struct assay_result *result)
{
    return result->c->req != result->req ? requirement(report, result->c->req) : NULL;
}

const struct assay_requirement *assay_report_field_req(const struct assay_report *report,
                                                       const struct assay_result *result)
{
    return requirement(report, result->c->field_req);
}

void assay_report_shell_word(const char *word, FILE *to)
{
    bool plain = *word != '\0';
    for (const char *p = word; *p && plain; p++)
        plain = isalnum((unsigned char)*p) || strchr("_-./:=,+@%", *p);
    if (plain) {
        fputs(word, to);
        return;
    }
    fputc('\'', to);
    for (const char *p = word; *p; p++)
        if (*p == '\'')
            fputs("'\\''", to);
        else
            fputc(*p, to);
    fputc('\'', to);
}

void assay_report_id(const struct assay_report *report, const struct assay_result *result, FILE *to)
{
    fputs(result->c->id, to);
    if (report->facts->part)
        fprintf(to, " [%s]", report->facts->part);
}

size_t assay_report_cases(const struct assay_run_facts *facts)
{
    return facts->cases ? facts->cases : facts->suite->count;
}

void assay_report_again(const struct assay_report *report, const struct assay_result *result, FILE *to)
{
    fprintf(to, "%s --filter ", report->facts->again);
    assay_report_shell_word(result->c->id, to);
    fputs(" --verbose", to);
}

static void print_rule(const struct assay_report *report, const struct assay_result *result, const char *indent,
                       FILE *to)
{
    const struct assay_model *model = report->facts->model;
    if (!model || result->rule >= model->rules_count)
        return;
    const struct assay_rule *rule = &model->rules[result->rule];
    const char *state = rule->state < model->states_count ? model->states[rule->state].name : "*";
    fprintf(to, "%srule         %s:%" PRIu32 ", state %s\n", indent, report->facts->spec_path, rule->line, state);
}

static void print_req(const struct assay_report *report, const struct assay_result *result, const char *indent,
                      FILE *to)
{
    const struct assay_requirement *req = assay_report_req(report, result);
    if (req)
        fprintf(to, "%srequirement  %s (%s): %s [%s]\n", indent, req->id, assay_level_name(result->level), req->text,
                req->ref);
    else
        fprintf(to, "%srequirement  %s, of the language itself: framing and totality (spec/LANGUAGE.md)\n", indent,
                assay_level_name(result->level));
    const struct assay_requirement *own = assay_report_case_req(report, result);
    const struct assay_requirement *field = assay_report_field_req(report, result);
    if (own)
        fprintf(to, "%sand          %s (of the case): %s [%s]\n", indent, own->id, own->text, own->ref);
    if (field && field != req)
        fprintf(to, "%sand          %s (of the field): %s [%s]\n", indent, field->id, field->text, field->ref);
}

#define SAID_LINES 24

static const char *last_lines(const char *text, int n)
{
    const char *p = text + strlen(text);
    for (; p > text; p--)
        if (p[-1] == '\n' && *p && --n == 0)
            break;
    return p;
}

static void print_said(const struct assay_result *result, const char *indent, FILE *to)
{
    if (!result->target_said)
        return;
    const char *p = last_lines(result->target_said, SAID_LINES);
    fprintf(to, "%sits stderr ended with\n", indent);
    while (*p) {
        size_t n = strcspn(p, "\n");
        fprintf(to, "%s    %.*s\n", indent, (int)n, p);
        p += n + (p[n] == '\n');
    }
}

void assay_report_details(const struct assay_report *report, const struct assay_result *result, const char *indent,
                          FILE *to)
{
    char deeper[32];
    uint8_t role = report->facts->target_role ? report->facts->target_role : ASSAY_SERVER;
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    if (result->c->text && *result->c->text)
        fprintf(to, "%scase         %s\n", indent, result->c->text);
    print_req(report, result, indent, to);
    print_rule(report, result, indent, to);
    if (result->expected[0] || result->seen[0])
        fprintf(to, "%sexpected     %s\n%sseen         %s\n", indent, result->expected, indent, result->seen);
    if (result->exchange.count) {
        fprintf(to, "%sexchange     (> to the target, < from it)\n", indent);
        assay_exchange_print(&result->exchange, report->facts->model, report->facts->leniencies, role,
                             result->c->links > 1, deeper, to);
    }
    print_said(result, indent, to);
    if (result->cuts_requested)
        fprintf(to, "%snote         cuts were requested; that the target saw them as cuts is not proven\n", indent);
    if (result->silence_waited)
        fprintf(to,
                "%snote         silence rests on a quiet time; the target's socket is not in this machine's table\n",
                indent);
    if (result->repeated)
        fprintf(to, "%snote         this is what a repetition with nothing beside it gave\n", indent);
    fprintf(to, "%sagain        ", indent);
    assay_report_again(report, result, to);
    fputc('\n', to);
}
