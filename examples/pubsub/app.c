#include "app.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define LEAVE_MS 5000 /* for what is under way when the program is told to end */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

int64_t app_now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- saying something ----------------------------------------------------------------- */

void app_hide(const struct app *app)
{
    if (app->terminal)
        app->terminal->hide();
}

void app_show(const struct app *app)
{
    if (app->terminal)
        app->terminal->show();
}

void app_say(const struct app *app, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    app_hide(app);
    fprintf(stderr, "%s: ", app->role->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    app_show(app);
    va_end(args);
}

void app_fail(struct app *app, int code)
{
    app->code = app->code ? app->code : code;
}

struct assay_client *app_base(const struct app *app)
{
    return pubsub_base(app->client);
}

/* ---- the loop --------------------------------------------------------------------------- */

/* Told to end: what is under way has some time left. */
static void stop(struct app *app)
{
    if (signals > 1 || (app->leave_by && app_now_ms() >= app->leave_by))
        app->phase = PHASE_OVER;
    if (signals && !app->leave_by) {
        app->stopping = true;
        app->leave_by = app_now_ms() + LEAVE_MS;
    }
    if (app->stopping && app->phase != PHASE_LIVE && app->phase != PHASE_LEAVING)
        app->phase = PHASE_OVER;
}

static int shorter(int a, int64_t b)
{
    b = b < 0 ? 0 : b;
    return a < 0 || b < a ? (int)b : a;
}

static int wait_ms(const struct app *app)
{
    int ms = assay_client_wait_ms(app_base(app));
    if (app->phase == PHASE_DOWN)
        ms = shorter(ms, app->retry - app_now_ms());
    if (app->leave_by)
        ms = shorter(ms, app->leave_by - app_now_ms());
    if (session_is_free(app) && app->input.size && memchr(app->input.bytes, '\n', app->input.size))
        ms = 0;
    return ms;
}

bool app_step(struct app *app, bool typing)
{
    struct pollfd fds[2 + ASSAY_CLIENT_FDS] = {
        {.fd = input_wanted(app) || typing ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = app->output.token ? STDOUT_FILENO : -1, .events = POLLOUT},
    };
    unsigned n = 2 + assay_client_fds(app_base(app), fds + 2);
    int ms = wait_ms(app);
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    if (ppoll(fds, n, ms < 0 ? NULL : &limit, &app->waiting) < 0)
        fds[0].revents = 0;
    output_write(app);
    assay_client_process(app_base(app));
    on_way_look(app);
    session_take_events(app);
    on_way_look(app);
    if (fds[0].revents && !typing && app->terminal)
        app->terminal->input(app);
    else if (fds[0].revents && !typing)
        input_read(app);
    stop(app);
    output_let_go(app);
    session_go_on(app);
    return app->phase != PHASE_OVER;
}

/* ---- main -------------------------------------------------------------------------------- */

/* Signals are seen while waiting, and nowhere else. */
static void catch_signals(struct app *app)
{
    struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, &app->waiting);
    sigdelset(&app->waiting, SIGINT);
    sigdelset(&app->waiting, SIGTERM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

static int make_client(struct app *app)
{
    const struct options *o = &app->options;
    const struct assay_client_options options = {.params = o->params};
    char place[300];
    bool v6 = strchr(o->address, ':') && o->address[0] != '[';
    snprintf(place, sizeof place, v6 ? "udp:[%.250s]:%ld" : "udp:%.250s:%ld", o->address, o->port);
    if (pubsub_new(place, &options, &app->client) == ASSAY_CLIENT_OK)
        return EX_OK;
    app_say(app, "%s", assay_client_problem());
    return EX_USAGE;
}

static void run(struct app *app)
{
    const struct terminal *terminal = app->role->terminal;
    if (terminal && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal->begin(app))
        app->terminal = terminal;
    session_begin(app);
    while (app->phase != PHASE_OVER && app_step(app, false))
        ;
    if (app->terminal)
        app->terminal->end();
    app->terminal = NULL;
    on_way_look(app);
    on_way_lost(app, UINT64_MAX);
    if (app->input.size > 0) {
        app_say(app, "what follows line %" PRIu64 " was not written", app->input.number);
        app_fail(app, EX_TEMPFAIL);
    }
}

int app_main(const struct role *role, int argc, char **argv)
{
    static struct app app;
    app.role = role;
    int code = app_options(&app, argc, argv);
    if (code >= 0)
        return code;
    catch_signals(&app);
    code = state_open(&app);
    code = code ? code : make_client(&app);
    if (code)
        return code;
    run(&app);
    if (role->reads)
        fdatasync(app.state.fd);
    pubsub_close(app.client);
    return app.code;
}
