#include "conformance/verdict.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdicts[ASSAY_VERDICTS] = {
    [ASSAY_VERDICT_PASS] = "pass",   [ASSAY_VERDICT_UNSUPPORTED] = "unsupported",
    [ASSAY_VERDICT_WARN] = "warn",   [ASSAY_VERDICT_INCONCLUSIVE] = "inconclusive",
    [ASSAY_VERDICT_ERROR] = "error", [ASSAY_VERDICT_FAIL] = "fail",
};

static const char *const levels[] = {[ASSAY_MUST] = "MUST", [ASSAY_SHOULD] = "SHOULD", [ASSAY_MAY] = "MAY"};

const char *assay_verdict_name(enum assay_verdict verdict)
{
    return verdicts[verdict];
}

const char *assay_level_name(enum assay_level level)
{
    return levels[level];
}

void assay_result_free(struct assay_result *result)
{
    assay_exchange_free(&result->exchange);
    free(result->target_said);
    result->target_said = NULL;
}

void assay_result_set(struct assay_result *result, const struct assay_case *c, enum assay_verdict verdict,
                      const char *format, ...)
{
    va_list args;
    result->c = c;
    result->verdict = verdict;
    result->level = (enum assay_level)c->level;
    result->req = c->req;
    result->rule = ASSAY_NONE;
    va_start(args, format);
    vsnprintf(result->why, sizeof result->why, format, args);
    va_end(args);
}

static enum assay_verdict missed(enum assay_level level, bool strict)
{
    if (level == ASSAY_MUST || (level == ASSAY_SHOULD && strict))
        return ASSAY_VERDICT_FAIL;
    return level == ASSAY_SHOULD ? ASSAY_VERDICT_WARN : ASSAY_VERDICT_UNSUPPORTED;
}

/* The weaker of what the case is about and what was broken decides, and its requirement is named. */
static void judge_miss(const struct assay_judging *j, const struct assay_played *p, struct assay_result *r,
                       const char *why)
{
    const struct assay_blame *b = &p->blame;
    enum assay_level level = b->level > r->c->level ? (enum assay_level)b->level : (enum assay_level)r->c->level;
    assay_result_set(r, r->c, missed(level, j->strict), "%s", why);
    r->level = level;
    r->rule = b->rule;
    if (b->req != ASSAY_NONE && (b->level >= r->c->level || r->c->req == ASSAY_NONE))
        r->req = b->req;
    else if (r->req == ASSAY_NONE)
        r->req = r->c->field_req;
    memcpy(r->expected, b->expected, sizeof r->expected);
    memcpy(r->seen, b->seen, sizeof r->seen);
    if (p->by_time && j->late)
        assay_result_set(r, r->c, ASSAY_VERDICT_INCONCLUSIVE, "%s, but the harness itself was late meanwhile", why);
}

static void judge_agreement(const struct assay_judging *j, const struct assay_played *p, struct assay_result *r)
{
    assay_result_set(r, r->c, ASSAY_VERDICT_PASS, "%s", "");
    if (p->astray)
        assay_result_set(r, r->c, ASSAY_VERDICT_INCONCLUSIVE,
                         "%u times it began with a number from which it does not come to wrap", ASSAY_REPEATS_MOST);
    if (p->warned)
        judge_miss(j, p, r, "what should be done was not");
}

/* What the program did is no matter of the wire: it weighs as a MUST. */
static void judge_broken(const struct assay_judging *j, const struct assay_played *p, struct assay_result *r)
{
    bool late = p->by_time && j->late;
    assay_result_set(r, r->c, late ? ASSAY_VERDICT_INCONCLUSIVE : ASSAY_VERDICT_FAIL, "%s%s", p->trouble,
                     late ? ", but the harness itself was late meanwhile" : "");
    r->level = ASSAY_MUST;
    r->rule = p->blame.rule;
    if (r->req == ASSAY_NONE)
        r->req = p->blame.req != ASSAY_NONE ? p->blame.req : r->c->field_req;
    memcpy(r->expected, p->blame.expected, sizeof r->expected);
    snprintf(r->seen, sizeof r->seen, "%s", p->trouble);
}

void assay_judge(const struct assay_judging *j, const struct assay_case *c, struct assay_played *p,
                 struct assay_result *r)
{
    r->c = c;
    switch (p->finding) {
    case ASSAY_FOUND_AGREES:
        judge_agreement(j, p, r);
        break;
    case ASSAY_FOUND_MISMATCH:
        judge_miss(j, p, r, p->by_end ? "the connection ended where it must not" : "the target sent something else");
        break;
    case ASSAY_FOUND_LATE:
        judge_miss(j, p, r, "what the target owes did not come");
        break;
    case ASSAY_FOUND_BROKEN:
        judge_broken(j, p, r);
        break;
    case ASSAY_FOUND_REFUSED:
        assay_result_set(r, c, ASSAY_VERDICT_ERROR, "the target refused the connection");
        break;
    case ASSAY_FOUND_TROUBLE:
        assay_result_set(r, c, ASSAY_VERDICT_ERROR, "%s", p->trouble);
        break;
    }
    r->ran = p->finding != ASSAY_FOUND_REFUSED && p->finding != ASSAY_FOUND_TROUBLE;
    r->took = p->took;
    free(r->target_said);
    r->target_said = p->said;
    p->said = NULL;
    r->cuts_requested = p->cuts_requested;
    r->silence_waited = p->silence_waited;
    assay_exchange_free(&r->exchange);
    r->exchange = p->exchange;
    p->exchange = (struct assay_exchange){0};
}

bool assay_judge_again(const struct assay_judging *j, const struct assay_played *p)
{
    bool judged = p->finding == ASSAY_FOUND_MISMATCH || p->warned;
    judged = judged || p->finding == ASSAY_FOUND_BROKEN;
    bool by_time = p->finding == ASSAY_FOUND_LATE || (judged && p->by_time);
    /* Ended before the first byte: it may have been one connection too many. */
    bool crowded = p->finding == ASSAY_FOUND_TROUBLE || p->finding == ASSAY_FOUND_REFUSED || (p->by_end && !p->saw_any);
    return p->slow || (by_time && (!j->alone || j->late)) || (crowded && !j->alone);
}

void assay_tally_add(struct assay_tally *t, const struct assay_result *r)
{
    t->cases++;
    t->ran += r->ran;
    t->by_verdict[r->verdict]++;
    t->by_level[r->level][r->verdict]++;
    if (r->ran && r->c->timed) {
        t->timed++;
        t->timed_took += r->took;
        t->timed_longest = r->took > t->timed_longest ? r->took : t->timed_longest;
    }
    t->must_inconclusive += r->verdict == ASSAY_VERDICT_INCONCLUSIVE && r->level == ASSAY_MUST;
}

int assay_tally_exit(const struct assay_tally *t)
{
    if (t->by_verdict[ASSAY_VERDICT_FAIL] || t->by_verdict[ASSAY_VERDICT_ERROR] || t->must_inconclusive)
        return 1;
    return t->ran ? 0 : 5;
}
