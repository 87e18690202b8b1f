/* Lines that are written: from standard input or a person, until the server has stored them. */
#include "app.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static void refuse(struct app *app, uint64_t number, const char *why)
{
    app_say(app, "line %" PRIu64 ": not written: %s", number, why);
    app_fail(app, EX_DATAERR);
}

static void drop_input(struct input *in, size_t size)
{
    in->size -= size;
    memmove(in->bytes, in->bytes + size, in->size);
}

/* A line without its end, which a reader may not get; NULL: it is good. */
static const char *fault_of(const char *line, size_t size)
{
    if (size > LINE_BYTES_MAX)
        return "longer than 1024 bytes";
    if (memchr(line, '\0', size))
        return "it holds a NUL";
    return memchr(line, '\r', size) ? "it holds a carriage return" : NULL;
}

/* The next line, NUL-terminated in place; NULL: there is no whole one. *used is what it takes of the input. */
static char *next_line(struct app *app, size_t *size, size_t *used)
{
    struct input *in = &app->input;
    char *end = in->size ? memchr(in->bytes, '\n', in->size) : NULL;
    if (!end && in->size > LINE_BYTES_MAX + 2) { /* it is refused when its end is there */
        in->overlong = true;
        in->size = LINE_BYTES_MAX + 2;
    }
    if (!end && !(in->ended && in->size))
        return NULL;
    *size = end ? (size_t)(end - in->bytes) : in->size;
    *used = *size + (end != NULL);
    if (*size > 0 && in->bytes[*size - 1] == '\r' && !in->overlong)
        (*size)--;
    in->bytes[*size] = '\0';
    return in->bytes;
}

static void post_line(struct app *app, const char *line)
{
    int status = pubsub_post_start(app->client, line);
    if (status == ASSAY_CLIENT_OK) {
        app->posting = app->input.number;
        app->calling = true;
    } else {
        refuse(app, app->input.number,
               status == ASSAY_CLIENT_VALUE ? "it is not UTF-8" : assay_client_message(app_base(app)));
    }
}

bool input_hand_over(struct app *app)
{
    size_t size, used;
    struct input *in = &app->input;
    char *line = app->on_way.count < ON_WAY_MAX ? next_line(app, &size, &used) : NULL;
    if (!line)
        return false;
    const char *fault = fault_of(line, in->overlong ? LINE_BYTES_MAX + 1 : size);
    in->number++;
    in->overlong = false;
    if (fault)
        refuse(app, in->number, fault);
    else
        post_line(app, line);
    drop_input(in, used < in->size ? used : in->size);
    return true;
}

void input_read(struct app *app)
{
    struct input *in = &app->input;
    ssize_t n = read(STDIN_FILENO, in->bytes + in->size, sizeof in->bytes - 1 - in->size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) {
        app_say(app, "standard input: %s", strerror(errno));
        app_fail(app, EX_IOERR);
    }
    in->ended = n <= 0;
    in->size += n > 0 ? (size_t)n : 0;
}

void input_typed(struct app *app, const char *line)
{
    struct input *in = &app->input;
    size_t size = line ? strlen(line) : 0;
    if (!line) {
        in->ended = true;
    } else if (size + 1 > sizeof in->bytes - 1 - in->size) {
        app_say(app, "too much waits to be written");
    } else {
        memcpy(in->bytes + in->size, line, size);
        in->bytes[in->size + size] = '\n';
        in->size += size + 1;
    }
}

bool input_wanted(const struct app *app)
{
    return app->role->writes && !app->input.ended && !app->stopping && sizeof app->input.bytes - app->input.size > 8192;
}

void input_posted(struct app *app, int status)
{
    struct on_way *w = &app->on_way;
    uint64_t line = app->posting;
    app->posting = 0;
    if (status == ASSAY_CLIENT_VALUE || status == ASSAY_CLIENT_PROTOCOL)
        refuse(app, line, pubsub_message(app->client));
    else if (line)
        w->lines[(w->first + w->count++) % ON_WAY_MAX] = line;
}

/* ---- on their way ---------------------------------------------------------------------- */

static uint64_t take_first(struct on_way *w)
{
    uint64_t line = w->lines[w->first];
    w->first = (w->first + 1) % ON_WAY_MAX;
    w->count--;
    return line;
}

/* The oldest `n`, and if that is one more than there are the one that is being handed over. */
void on_way_lost(struct app *app, uint64_t n)
{
    struct on_way *w = &app->on_way;
    uint64_t first = 0, last = 0;
    for (; n > 0 && (w->count || app->posting); n--) {
        if (w->count) {
            last = take_first(w);
        } else {
            last = app->posting;
            app->posting = 0;
        }
        first = first ? first : last;
    }
    if (!first)
        return;
    if (first == last)
        app_say(app, "line %" PRIu64 ": the server did not say that it is stored", first);
    else
        app_say(app, "lines %" PRIu64 " to %" PRIu64 ": the server did not say that they are stored", first, last);
    app_fail(app, EX_UNAVAILABLE);
}

/* What was acknowledged is stored. */
void on_way_look(struct app *app)
{
    uint64_t given_up = assay_client_given_up(app_base(app));
    unsigned waiting = assay_client_unacknowledged(app_base(app));
    if (given_up > app->given_up)
        on_way_lost(app, given_up - app->given_up);
    app->given_up = given_up;
    while (app->on_way.count > waiting)
        (void)take_first(&app->on_way);
}

bool input_is_done(const struct app *app)
{
    return app->role->writes && app->input.ended && app->input.size == 0 && app->on_way.count == 0;
}
