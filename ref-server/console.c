#include "ref-server/console.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SAY_MAX 512

static void ended(struct assay_worker *worker)
{
    struct assay_console *c = ((struct assay_appender *)worker->owner)->console;
    uint64_t one = 1;
    atomic_fetch_sub(&c->unfinished, 1);
    if (write(c->ended, &one, sizeof one) < 0)
        return; /* it counts already */
}

static bool start(struct assay_console *c, struct assay_appender *a)
{
    a->console = c;
    a->worker.ended = ended;
    if (!assay_appender_start(a))
        return false;
    atomic_fetch_add(&c->unfinished, 1);
    return true;
}

bool assay_console_open(struct assay_console *c, struct assay_net_error *error)
{
    c->ended = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    c->to_out = assay_appender_stream(&c->out, STDOUT_FILENO, error);
    c->to_err = assay_appender_stream(&c->err, STDERR_FILENO, error);
    if (c->ended >= 0 && c->to_out && c->to_err && start(c, &c->err))
        return true;
    snprintf(error->text, sizeof error->text, "cannot write to stdout and stderr: %s", strerror(errno));
    return false;
}

bool assay_console_use_out(struct assay_console *c)
{
    return c->out.worker.running || start(c, &c->out);
}

/* ---- saying ------------------------------------------------------------ */

void assay_console_write(struct assay_console *c, const char *text, size_t size)
{
    assay_appender_say(&c->err, c->to_err, text, size);
}

void assay_console_write_out(struct assay_console *c, const char *text, size_t size)
{
    assay_appender_say(&c->out, c->to_out, text, size);
}

void assay_console_say(struct assay_console *c, const char *format, ...)
{
    char text[SAY_MAX];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n > 0)
        assay_console_write(c, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- the end ----------------------------------------------------------- */

void assay_console_wait(struct assay_console *c, int64_t patience)
{
    if (c->to_out)
        assay_stream_wait(&c->to_out->stream, patience);
    if (c->to_err)
        assay_stream_wait(&c->to_err->stream, patience);
}

bool assay_console_finish(struct assay_console *c)
{
    uint64_t times;
    assay_worker_finish(&c->out.worker);
    assay_worker_finish(&c->err.worker);
    if (read(c->ended, &times, sizeof times) < 0 && errno != EAGAIN)
        return true;
    return atomic_load(&c->unfinished) == 0;
}

/* Without waiting, whatever has become of stderr. */
static void tell_lost(struct assay_stream *to, const struct assay_sink *sink)
{
    char text[128];
    unsigned long long lost = atomic_load(&sink->lost);
    int n =
        snprintf(text, sizeof text, "assay: %s was not read in time: %llu bytes of it are lost\n", sink->name, lost);
    to->given_up = false;
    assay_stream_wait(to, 0);
    if (lost > 0)
        assay_stream_write(to, text, (size_t)n);
}

void assay_console_close(struct assay_console *c)
{
    struct pollfd p = {.fd = c->ended, .events = POLLIN};
    assay_console_wait(c, 0);
    while (c->err.worker.running && !assay_console_finish(c))
        poll(&p, 1, -1);
    if (c->to_out && c->to_err) {
        tell_lost(&c->to_err->stream, c->to_out);
        tell_lost(&c->to_err->stream, c->to_err);
    }
    assay_appender_stop(&c->out);
    assay_appender_stop(&c->err);
    c->to_out = c->to_err = NULL;
    if (c->ended >= 0)
        close(c->ended);
}
