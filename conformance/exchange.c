#include "conformance/exchange.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/describe.h"

static const struct {
    const char *name, *mark, *text;
} happenings[ASSAY_HAPPENINGS] = {
    [ASSAY_DID_CONNECT] = {"connected", ">", "connected"},
    [ASSAY_DID_SEND] = {"sent", ">", NULL},
    [ASSAY_DID_SHUT] = {"shut", ">", "write side shut"},
    [ASSAY_DID_RESTART] = {"restart", ">", "killed and started again"},
    [ASSAY_DID_RESET] = {"reset", ">", "reset"},
    [ASSAY_DID_TELL] = {"told", ">", NULL},
    [ASSAY_DID_REFUSE] = {"refused", ">", "connections are refused from here on"},
    [ASSAY_DID_WELCOME] = {"welcomed", ">", "connections are taken again"},
    [ASSAY_SAW_CONNECTION] = {"connection", "<", "it connects"},
    [ASSAY_SAW_TOLD] = {"heard", "<", NULL},
    [ASSAY_SAW_BYTES] = {"received", "<", NULL},
    [ASSAY_SAW_CLOSE] = {"FIN", "<", "FIN (the target closed the connection)"},
    [ASSAY_SAW_SHUT] = {"FIN, still reading", "<", "FIN (the target shut its write side, it still reads)"},
    [ASSAY_SAW_FIN] = {"FIN", "<", "FIN"},
    [ASSAY_SAW_RST] = {"RST", "<", "RST (the target reset the connection)"},
    [ASSAY_SAW_NOTHING] = {"silence", "<", "silence, the connection open"},
};

const char *assay_happening_name(enum assay_happening what)
{
    return happenings[what].name;
}

static bool grow(void **p, size_t size, size_t used, size_t more, size_t *cap)
{
    if (used + more <= *cap)
        return true;
    size_t wanted = *cap * 2 > used + more ? *cap * 2 : used + more + 16;
    void *bigger = realloc(*p, wanted * size);
    if (!bigger)
        return false;
    *p = bigger;
    *cap = wanted;
    return true;
}

static uint32_t keep(struct assay_exchange *x, struct assay_span bytes)
{
    uint32_t room = ASSAY_EXCHANGE_KEPT - x->used;
    uint32_t n = bytes.n < room ? bytes.n : room;
    size_t cap = x->bytes_cap;
    void *p = x->bytes;
    if (n == 0 || !grow(&p, 1, x->used, n, &cap))
        return x->used;
    x->bytes = p;
    x->bytes_cap = (uint32_t)cap;
    memcpy(x->bytes + x->used, bytes.p, n);
    x->used += n;
    return x->used - n;
}

void assay_exchange_add(struct assay_exchange *x, int64_t at, uint8_t link, enum assay_happening what,
                        struct assay_span bytes)
{
    void *p = x->moments;
    if (!grow(&p, sizeof *x->moments, x->count, 1, &x->cap))
        return;
    x->moments = p;
    uint32_t offset = keep(x, bytes);
    x->moments[x->count++] =
        (struct assay_moment){.at = at, .what = (uint8_t)what, .link = link, .offset = offset, .size = bytes.n};
}

void assay_exchange_free(struct assay_exchange *x)
{
    free(x->moments);
    free(x->bytes);
    *x = (struct assay_exchange){0};
}

struct assay_span assay_exchange_bytes(const struct assay_exchange *x, const struct assay_moment *m)
{
    uint32_t kept = m->offset < x->used ? x->used - m->offset : 0;
    return (struct assay_span){x->bytes ? x->bytes + m->offset : NULL, m->size < kept ? m->size : kept};
}

/* ---- as text ----------------------------------------------------------- */

#define HEX_SHOWN  48u
#define TEXT_SHOWN 400u
#define LINE_MAX_  1200
#define RUN_SHOWN  6u  /* of a run of like moments: three at each end */
#define HEAD_SHOWN 20u /* of an exchange that is long: how it began, */
#define TAIL_SHOWN 60u /* and how it ended */

static void print_bytes(const struct assay_exchange *x, const struct assay_moment *m, const struct assay_model *model,
                        uint64_t leniencies, uint8_t target, FILE *to)
{
    const uint8_t tester = target == ASSAY_CLIENT ? ASSAY_SERVER : ASSAY_CLIENT;
    char line[LINE_MAX_];
    struct assay_text text = {line, sizeof line, 0};
    struct assay_span bytes = assay_exchange_bytes(x, m);
    line[0] = '\0';
    if (m->what == ASSAY_DID_TELL || m->what == ASSAY_SAW_TOLD) {
        fprintf(to, m->what == ASSAY_DID_TELL ? "told: " : "told us: ");
        assay_show_quoted(&text, bytes, TEXT_SHOWN);
        fputs(line, to);
        return;
    }
    if (model)
        assay_describe(&text, model, leniencies, m->what == ASSAY_DID_SEND ? tester : target, bytes);
    else
        assay_show_hex(&text, bytes, HEX_SHOWN);
    fprintf(to, "%s", line);
    if (m->size > 1)
        fprintf(to, "  [%" PRIu32 " bytes]", m->size);
}

static void print_moment(const struct assay_exchange *x, const struct assay_moment *m, const struct assay_model *model,
                         uint64_t leniencies, uint8_t target, bool links, FILE *to)
{
    fprintf(to, "%9.3f ms ", (double)m->at / 1e6);
    if (links)
        fprintf(to, "#%u ", m->link + 1u);
    fprintf(to, "%s ", happenings[m->what].mark);
    if (happenings[m->what].text)
        fputs(happenings[m->what].text, to);
    else
        print_bytes(x, m, model, leniencies, target, to);
    fputc('\n', to);
}

/* How many moments from `i` on are of one kind. */
static size_t run_of(const struct assay_exchange *x, size_t i)
{
    size_t n = 1;
    while (i + n < x->count && x->moments[i + n].what == x->moments[i].what &&
           x->moments[i + n].link == x->moments[i].link)
        n++;
    return n;
}

void assay_exchange_print(const struct assay_exchange *x, const struct assay_model *model, uint64_t leniencies,
                          uint8_t target, bool links, const char *indent, FILE *to)
{
    for (size_t i = 0; i < x->count;) {
        if (i >= HEAD_SHOWN && i + TAIL_SHOWN < x->count && x->count > 2 * (HEAD_SHOWN + TAIL_SHOWN)) {
            fprintf(to, "%s             ... (%zu more)\n", indent, x->count - TAIL_SHOWN - i);
            i = x->count - TAIL_SHOWN;
        }
        size_t run = run_of(x, i);
        for (size_t k = 0; k < run; k++) {
            bool left_out = run > RUN_SHOWN + 1 && k >= RUN_SHOWN / 2 && k < run - RUN_SHOWN / 2;
            if (left_out && k == RUN_SHOWN / 2)
                fprintf(to, "%s             ... (%zu more like these)\n", indent, run - RUN_SHOWN);
            if (left_out)
                continue;
            fputs(indent, to);
            print_moment(x, &x->moments[i + k], model, leniencies, target, links, to);
        }
        i += run;
    }
}
