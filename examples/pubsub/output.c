/* Lines that arrive: each is printed once, also by a program that was killed while it printed. */
#include "app.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* How much of an entry stands at the end of the output already: it was printed when the program was killed. */
static size_t printed_before(const struct app *app, const struct output *o)
{
    char there[sizeof o->bytes + 1];
    size_t tail = state_printed(app, there, sizeof there);
    return tail <= o->size && memcmp(there, o->bytes, tail) == 0 ? tail : 0;
}

/* What could move the cursor of a terminal elsewhere, or change how it looks. */
static bool is_control(const unsigned char *p, size_t left)
{
    return *p < 0x20 || *p == 0x7f || (*p == 0xc2 && left > 1 && p[1] >= 0x80 && p[1] < 0xa0);
}

static void make_harmless(char *text, size_t size)
{
    unsigned char *p = (unsigned char *)text;
    for (size_t i = 0; i < size; i++) {
        if (!is_control(p + i, size - i) || p[i] == '\t')
            continue;
        if (p[i] == 0xc2)
            p[i++] = '?';
        p[i] = '?';
    }
}

void output_take(struct app *app, const struct assay_client_event *event)
{
    struct pubsub_show_effect entry;
    struct output *o = &app->output;
    pubsub_show_effect(event, &entry);
    int n = snprintf(o->bytes, sizeof o->bytes, "%.*s: %.*s", (int)entry.user_size, entry.user, (int)entry.text_size,
                     entry.text);
    o->size = (size_t)n;
    if (isatty(STDOUT_FILENO))
        make_harmless(o->bytes, o->size);
    o->bytes[o->size++] = '\n';
    o->number = (uint64_t)entry.number;
    o->token = event->token;
    o->written = printed_before(app, o);
}

static void output_failed(struct app *app)
{
    app_say(app, "standard output: %s", strerror(errno));
    assay_client_complete(app_base(app), app->output.token, false);
    app->output.token = 0;
    app_fail(app, EX_IOERR);
    app->stopping = true;
}

void output_write(struct app *app)
{
    struct output *o = &app->output;
    struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (o->token && o->written < o->size && poll(&room, 1, 0) > 0) {
        app_hide(app);
        ssize_t n = write(STDOUT_FILENO, o->bytes + o->written, o->size - o->written);
        app_show(app);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            output_failed(app);
        else if (n > 0)
            o->written += (size_t)n;
    }
    if (!o->token || o->written < o->size)
        return;
    if (!state_note(app, o->number + 1))
        (void)state_trouble(app, 0, strerror(errno));
    assay_client_complete(app_base(app), o->token, true);
    o->token = 0;
}

void output_let_go(struct app *app)
{
    struct output *o = &app->output;
    if (!app->stopping || !o->token || o->written > 0)
        return;
    assay_client_complete(app_base(app), o->token, false);
    o->token = 0;
}
