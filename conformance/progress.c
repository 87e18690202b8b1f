#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conformance/runner.h"

#define WIDTH  40
#define REDRAW (50 * ASSAY_MS)

struct bar {
    struct assay_progress progress;
    FILE *to;
    int64_t drawn_at;
    bool drawn, color;
};

static bool dumb(void)
{
    const char *term = getenv("TERM");
    return !term || strcmp(term, "dumb") == 0;
}

bool assay_color_wanted(FILE *to)
{
    const char *force = getenv("CLICOLOR_FORCE"), *never = getenv("NO_COLOR");
    if (never && *never)
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return isatty(fileno(to)) && !dumb();
}

static void show(struct assay_progress *progress, size_t judged, size_t cases, size_t failed)
{
    struct bar *bar = (struct bar *)progress;
    int64_t now = assay_clock_now();
    if (cases == 0 || (bar->drawn && now - bar->drawn_at < REDRAW))
        return;
    char cells[WIDTH + 1];
    size_t full = judged * WIDTH / cases;
    memset(cells, ' ', WIDTH);
    memset(cells, '=', full);
    cells[WIDTH] = '\0';
    fprintf(bar->to, "\r\033[K[%s] %zu/%zu", cells, judged, cases);
    if (failed)
        fprintf(bar->to, "  %s%zu failed%s", bar->color ? "\033[1;31m" : "", failed, bar->color ? "\033[0m" : "");
    fflush(bar->to);
    bar->drawn = true;
    bar->drawn_at = now;
}

static void clear(struct assay_progress *progress)
{
    struct bar *bar = (struct bar *)progress;
    if (!bar->drawn)
        return;
    fputs("\r\033[K", bar->to);
    fflush(bar->to);
    bar->drawn = false;
}

struct assay_progress *assay_progress_bar(FILE *to)
{
    if (!isatty(fileno(to)) || dumb())
        return NULL;
    struct bar *bar = calloc(1, sizeof *bar);
    if (!bar)
        return NULL;
    *bar = (struct bar){.progress = {.show = show, .clear = clear}, .to = to, .color = assay_color_wanted(to)};
    return &bar->progress;
}
