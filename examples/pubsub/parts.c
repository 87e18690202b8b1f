#include "parts.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define WINDOW   64   /* lines on their way to a reader */
#define PAUSE_MS 1000 /* before a session is tried again that could not even begin */
#define LEAVE_MS 5000 /* for what is under way when the program is told to end */

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void)number;
    signals++;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- saying something ----------------------------------------------------------------- */

static void hide(const struct app *app)
{
    if (app->terminal)
        app->terminal->hide();
}

static void show(const struct app *app)
{
    if (app->terminal)
        app->terminal->show();
}

static void __attribute__((format(printf, 2, 3))) say(const struct app *app, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    hide(app);
    fprintf(stderr, "%s: ", app->role->name);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    show(app);
    va_end(args);
}

/* The first thing that went wrong decides. */
static void fail(struct app *app, int code)
{
    app->code = app->code ? app->code : code;
}

static struct assay_client *base(const struct app *app)
{
    return pubsub_base(app->client);
}

/* ---- the state file ------------------------------------------------------------------- */

#define STATE_FORMAT "pubsub 1\ntoken %s\ncursor %020" PRIu64 "\noutput %016" PRIx64 " %016" PRIx64 " %020" PRId64 "\n"
#define STATE_SCAN   "pubsub 1\ntoken %32[0-9a-f]\ncursor %" SCNu64 "\noutput %" SCNx64 " %" SCNx64 " %" SCNd64

static int state_text(const struct state *s, char *to, size_t size)
{
    char token[2 * TOKEN_BYTES + 1];
    for (int i = 0; i < TOKEN_BYTES; i++)
        sprintf(token + 2 * i, "%02x", s->token[i]);
    return snprintf(to, size, STATE_FORMAT, token, s->cursor, s->device, s->inode, s->size);
}

/* One write of always the same size, so that a program that is killed leaves the old or the new. */
static bool state_save(const struct state *s)
{
    char text[256];
    int n = state_text(s, text, sizeof text);
    return pwrite(s->fd, text, (size_t)n, 0) == n;
}

static bool state_load(struct state *s)
{
    char text[256], token[2 * TOKEN_BYTES + 1];
    ssize_t n = pread(s->fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    if (sscanf(text, STATE_SCAN, token, &s->cursor, &s->device, &s->inode, &s->size) != 5 ||
        strlen(token) != 2 * TOKEN_BYTES)
        return false;
    for (int i = 0; i < TOKEN_BYTES; i++)
        sscanf(token + 2 * i, "%2hhx", &s->token[i]);
    return true;
}

/* The folders that a path stands in. */
static void make_folders(char *path)
{
    for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
}

/* Under its name there is a whole file, or none; of several programs that make it at once one does. */
static bool state_make(struct state *s)
{
    char temporary[sizeof s->path + 8];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", s->path);
    s->fd = mkstemp(temporary);
    if (s->fd < 0)
        return false;
    bool made = getrandom(s->token, sizeof s->token, 0) == sizeof s->token && state_save(s) && fsync(s->fd) == 0 &&
                (link(temporary, s->path) == 0 || errno == EEXIST);
    int why = errno;
    unlink(temporary);
    close(s->fd);
    errno = why;
    return made;
}

/* A name in a path: what is not plain is percent-encoded. */
static size_t plain(char *to, size_t room, const char *name)
{
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)name; *p && n + 4 < room; p++) {
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') || *p == '-' ||
                    *p == '_' || (*p == '.' && n > 0);
        n += (size_t)sprintf(to + n, good ? "%c" : "%%%02x", *p);
    }
    return n;
}

static bool default_path(struct state *s, const struct options *o)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char user[3 * USER_BYTES_MAX + 8], place[512];
    plain(user, sizeof user, o->user);
    plain(place, sizeof place, o->address);
    if (state && state[0] == '/')
        snprintf(s->path, sizeof s->path, "%.3000s/pubsub/%s_%s/%s", state, place, o->port, user);
    else if (home)
        snprintf(s->path, sizeof s->path, "%.3000s/.local/state/pubsub/%s_%s/%s", home, place, o->port, user);
    else
        return false;
    make_folders(s->path);
    return true;
}

static int state_trouble(const struct app *app, int code, const char *why)
{
    say(app, "state file %s: %s", app->state.path, why);
    return code;
}

/* Who reads moves the cursor: no other program may do that meanwhile. */
static int state_open(struct app *app)
{
    struct state *s = &app->state;
    const struct options *o = &app->options;
    if (o->state)
        snprintf(s->path, sizeof s->path, "%s", o->state);
    else if (!default_path(s, o))
        return state_trouble(app, EX_USAGE, "there is no HOME to keep it in: say --state FILE");
    s->fd = open(s->path, O_RDWR | O_CLOEXEC);
    if (s->fd < 0 && errno == ENOENT && state_make(s))
        s->fd = open(s->path, O_RDWR | O_CLOEXEC);
    if (s->fd < 0)
        return state_trouble(app, EX_CANTCREAT, strerror(errno));
    if (app->role->reads && flock(s->fd, LOCK_EX | LOCK_NB) != 0)
        return state_trouble(app, EX_TEMPFAIL, "another program reads with it: say --state with another FILE");
    if (!state_load(s))
        return state_trouble(app, EX_CONFIG, "this is none");
    if (o->from_start)
        s->cursor = s->inode = 0;
    return EX_OK;
}

/* ---- entries -------------------------------------------------------------------------- */

/* Standard output as a file: where its end is. False: it is a pipe, a terminal or the like. */
static bool output_end(struct stat *st)
{
    return fstat(STDOUT_FILENO, st) == 0 && S_ISREG(st->st_mode);
}

/* Note where the output ends before the line at the cursor. */
static bool note_output(struct app *app, uint64_t cursor)
{
    struct state *s = &app->state;
    struct stat st;
    bool file = output_end(&st);
    s->cursor = cursor;
    s->device = file ? st.st_dev : 0;
    s->inode = file ? st.st_ino : 0;
    s->size = file ? st.st_size : 0;
    return state_save(s);
}

/* How much of an entry stands at the end of the output already: it was printed when the program was killed. */
static size_t printed_before(const struct app *app, const struct output *o)
{
    char there[sizeof o->bytes + 1];
    const struct state *s = &app->state;
    struct stat st;
    if (!output_end(&st) || st.st_dev != s->device || st.st_ino != s->inode || st.st_size <= s->size)
        return 0;
    int fd = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : pread(fd, there, sizeof there, s->size);
    close(fd);
    size_t tail = n > 0 ? (size_t)n : 0;
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

static void take_entry(struct app *app, const struct assay_client_event *event)
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
    say(app, "standard output: %s", strerror(errno));
    assay_client_complete(base(app), app->output.token, false);
    app->output.token = 0;
    fail(app, EX_IOERR);
    app->stopping = true;
}

/* Write what there is room for; an entry is done when it stands in the output and the cursor is behind it. */
static void write_entry(struct app *app)
{
    struct output *o = &app->output;
    struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (o->token && o->written < o->size && poll(&room, 1, 0) > 0) {
        hide(app);
        ssize_t n = write(STDOUT_FILENO, o->bytes + o->written, o->size - o->written);
        show(app);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            output_failed(app);
        else if (n > 0)
            o->written += (size_t)n;
    }
    if (!o->token || o->written < o->size)
        return;
    if (!note_output(app, o->number + 1))
        (void)state_trouble(app, 0, strerror(errno));
    assay_client_complete(base(app), o->token, true);
    o->token = 0;
}

/* ---- lines ------------------------------------------------------------------------------ */

static void refuse(struct app *app, uint64_t number, const char *why)
{
    say(app, "line %" PRIu64 ": not written: %s", number, why);
    fail(app, EX_DATAERR);
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
               status == ASSAY_CLIENT_VALUE ? "it is not UTF-8" : assay_client_message(base(app)));
    }
}

/* Hand a line over, if there is one. */
static bool write_line(struct app *app)
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

static void read_input(struct app *app)
{
    struct input *in = &app->input;
    ssize_t n = read(STDIN_FILENO, in->bytes + in->size, sizeof in->bytes - 1 - in->size);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) {
        say(app, "standard input: %s", strerror(errno));
        fail(app, EX_IOERR);
    }
    in->ended = n <= 0;
    in->size += n > 0 ? (size_t)n : 0;
}

void app_typed(struct app *app, const char *line)
{
    struct input *in = &app->input;
    size_t size = line ? strlen(line) : 0;
    if (!line) {
        in->ended = true;
    } else if (size + 1 > sizeof in->bytes - 1 - in->size) {
        say(app, "too much waits to be written");
    } else {
        memcpy(in->bytes + in->size, line, size);
        in->bytes[in->size + size] = '\n';
        in->size += size + 1;
    }
}

static bool wants_input(const struct app *app)
{
    return app->role->writes && !app->input.ended && !app->stopping && sizeof app->input.bytes - app->input.size > 8192;
}

/* ---- lines on their way ------------------------------------------------------------------- */

static uint64_t take_first(struct on_way *w)
{
    uint64_t line = w->lines[w->first];
    w->first = (w->first + 1) % ON_WAY_MAX;
    w->count--;
    return line;
}

/* The oldest `n`, and if that is one more than there are the one that is being handed over. */
static void tell_lost(struct app *app, uint64_t n)
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
        say(app, "line %" PRIu64 ": the server did not say that it is stored", first);
    else
        say(app, "lines %" PRIu64 " to %" PRIu64 ": the server did not say that they are stored", first, last);
    fail(app, EX_UNAVAILABLE);
}

/* What was acknowledged is stored. */
static void note_progress(struct app *app)
{
    uint64_t given_up = assay_client_given_up(base(app));
    unsigned waiting = assay_client_unacknowledged(base(app));
    if (given_up > app->given_up)
        tell_lost(app, given_up - app->given_up);
    app->given_up = given_up;
    while (app->on_way.count > waiting)
        (void)take_first(&app->on_way);
}

/* All that there was is stored, or lost: the program is through. */
static bool is_done(const struct app *app)
{
    return app->role->writes && app->input.ended && app->input.size == 0 && app->on_way.count == 0;
}

/* ---- the session --------------------------------------------------------------------------- */

static void session_lost(struct app *app)
{
    tell_lost(app, UINT64_MAX);
    app->given_up = 0;
    app->calling = false;
    app->output.token = 0;
    app->phase = app->phase == PHASE_LEAVING || app->stopping ? PHASE_OVER : PHASE_DOWN;
    app->retry = now_ms() + PAUSE_MS;
}

static void begin_session(struct app *app)
{
    int status = assay_client_begin(base(app));
    app->given_up = 0;
    app->phase = PHASE_REGISTERING;
    app->calling = false;
    if (status == ASSAY_CLIENT_OK)
        return;
    if (!app->troubled)
        say(app, "%s", pubsub_message(app->client));
    app->troubled = true;
    if (!app->registered && !app->options.wait) {
        fail(app, status == ASSAY_CLIENT_ADDRESS ? EX_NOHOST : EX_UNAVAILABLE);
        app->phase = PHASE_OVER;
    } else {
        session_lost(app);
    }
}

static void start_register(struct app *app)
{
    const struct options *o = &app->options;
    const struct state *s = &app->state;
    int status = pubsub_register_start(app->client, o->user, s->token, sizeof s->token, app->role->reads, o->batch,
                                       WINDOW, (int64_t)s->cursor);
    app->phase = PHASE_REGISTERING;
    app->calling = status == ASSAY_CLIENT_OK;
    if (status == ASSAY_CLIENT_OK)
        return;
    say(app, "%s", pubsub_message(app->client));
    fail(app, status == ASSAY_CLIENT_VALUE ? EX_USAGE : EX_SOFTWARE);
    app->phase = PHASE_OVER;
}

/* A name that another has is another's for good; all else may change. */
static void refused(struct app *app)
{
    bool taken = strcmp(pubsub_detail(app->client), "taken") == 0;
    if (taken)
        say(app, "the user name '%s' is taken: it belongs to whoever registered it first, and %s holds another token",
            app->options.user, app->state.path);
    else if (!app->troubled)
        say(app, "the server takes nobody else for now");
    app->troubled = true;
    if (taken || (!app->registered && !app->options.wait)) {
        fail(app, taken ? EX_NOPERM : EX_TEMPFAIL);
        app->phase = PHASE_OVER;
        return;
    }
    app->phase = PHASE_DOWN;
    app->retry = now_ms() + PAUSE_MS;
}

static void unreachable(struct app *app)
{
    if (app->stopping || (app->registered && is_done(app))) {
        app->phase = PHASE_OVER;
    } else if (app->registered || app->options.wait) {
        if (!app->troubled)
            say(app, "no answer from %s port %s; trying on", app->options.address, app->options.port);
        app->troubled = true;
        start_register(app);
    } else {
        say(app, "no answer from %s port %s", app->options.address, app->options.port);
        fail(app, EX_UNAVAILABLE);
        app->phase = PHASE_OVER;
    }
}

static void registered(struct app *app, int status)
{
    if (status == ASSAY_CLIENT_OK) {
        if (app->troubled)
            say(app, "registered again");
        app->troubled = false;
        app->registered = true;
        app->phase = PHASE_LIVE;
    } else if (status == PUBSUB_ERROR_REFUSED) {
        refused(app);
    } else if (status == PUBSUB_ERROR_UNREACHABLE) {
        unreachable(app);
    } /* else the session is over, which is told next */
}

static void posted(struct app *app, int status)
{
    struct on_way *w = &app->on_way;
    uint64_t line = app->posting;
    app->posting = 0;
    if (status == ASSAY_CLIENT_VALUE || status == ASSAY_CLIENT_PROTOCOL)
        refuse(app, line, pubsub_message(app->client));
    else if (line)
        w->lines[(w->first + w->count++) % ON_WAY_MAX] = line;
}

static void call_ended(struct app *app, const struct assay_client_event *event)
{
    app->calling = false;
    switch ((enum pubsub_call)event->index) {
    case PUBSUB_CALL_REGISTER:
        registered(app, event->status);
        break;
    case PUBSUB_CALL_POST:
        posted(app, event->status);
        break;
    case PUBSUB_CALL_FLUSH:
        app->flushed = true;
        break;
    case PUBSUB_CALL_LEAVE:
        app->phase = PHASE_OVER;
        break;
    case PUBSUB_CALL_WRITE: /* lines are posted */
        break;
    }
}

static void take_event(struct app *app, const struct assay_client_event *event)
{
    switch (event->kind) {
    case ASSAY_CLIENT_CONNECTED:
        start_register(app);
        break;
    case ASSAY_CLIENT_RESULT:
        call_ended(app, event);
        break;
    case ASSAY_CLIENT_EFFECT:
        if (event->index == PUBSUB_EFFECT_SHOW)
            take_entry(app, event);
        else if (event->token)
            assay_client_complete(base(app), event->token, false);
        break;
    case ASSAY_CLIENT_ENDED:
        if (app->phase != PHASE_OVER)
            session_lost(app);
        break;
    case ASSAY_CLIENT_RETRYING: /* it does not by itself */
        break;
    }
}

static void take_events(struct app *app)
{
    struct assay_client_event event;
    while (assay_client_next(base(app), &event))
        take_event(app, &event);
    write_entry(app);
}

/* ---- what is next ---------------------------------------------------------------------------- */

static bool is_in(const struct app *app, const char *state)
{
    return strcmp(assay_client_state(base(app)), state) == 0;
}

static void leave(struct app *app)
{
    app->phase = PHASE_LEAVING;
    app->calling = pubsub_leave_start(app->client) == ASSAY_CLIENT_OK;
    if (!app->calling)
        app->phase = PHASE_OVER;
}

/* Registered, and no call runs. */
static void live(struct app *app)
{
    bool gone = is_in(app, "Lost") || is_in(app, "Refused");
    if (gone && (app->stopping || is_done(app))) {
        app->phase = PHASE_OVER;
    } else if (gone) {
        start_register(app);
    } else if (app->stopping || (is_done(app) && app->flushed)) {
        leave(app);
    } else if (is_done(app)) {
        app->calling = pubsub_flush_start(app->client) == ASSAY_CLIENT_OK;
    } else if (write_line(app)) {
        app->flushed = false;
    }
}

/* Told to end: what is under way has some time left. */
static void stop(struct app *app)
{
    if (signals > 1 || (app->leave_by && now_ms() >= app->leave_by))
        app->phase = PHASE_OVER;
    if (signals && !app->leave_by) {
        app->stopping = true;
        app->leave_by = now_ms() + LEAVE_MS;
    }
    if (app->stopping && app->phase != PHASE_LIVE && app->phase != PHASE_LEAVING)
        app->phase = PHASE_OVER;
}

/* An entry that finds no room when the program is told to end is left to its next start. */
static void let_go(struct app *app)
{
    struct output *o = &app->output;
    if (!app->stopping || !o->token || o->written > 0)
        return;
    assay_client_complete(base(app), o->token, false);
    o->token = 0;
}

static bool is_free(const struct app *app)
{
    return app->phase == PHASE_LIVE && !app->calling && !app->output.token;
}

static void go_on(struct app *app)
{
    stop(app);
    let_go(app);
    if (app->phase == PHASE_DOWN && now_ms() >= app->retry && assay_client_connected(base(app)))
        start_register(app);
    else if (app->phase == PHASE_DOWN && now_ms() >= app->retry)
        begin_session(app);
    for (int i = 0; i < WINDOW && is_free(app); i++) {
        live(app);
        take_events(app);
        note_progress(app);
        if (!app->calling && !app->role->writes)
            break;
    }
}

/* ---- the loop ----------------------------------------------------------------------------------- */

static int shorter(int a, int64_t b)
{
    b = b < 0 ? 0 : b;
    return a < 0 || b < a ? (int)b : a;
}

static int wait_ms(const struct app *app)
{
    int ms = assay_client_wait_ms(base(app));
    if (app->phase == PHASE_DOWN)
        ms = shorter(ms, app->retry - now_ms());
    if (app->leave_by)
        ms = shorter(ms, app->leave_by - now_ms());
    if (is_free(app) && app->input.size && memchr(app->input.bytes, '\n', app->input.size))
        ms = 0;
    return ms;
}

bool app_step(struct app *app, bool typing)
{
    struct pollfd fds[2 + ASSAY_CLIENT_FDS] = {
        {.fd = wants_input(app) || typing ? STDIN_FILENO : -1, .events = POLLIN},
        {.fd = app->output.token ? STDOUT_FILENO : -1, .events = POLLOUT},
    };
    unsigned n = 2 + assay_client_fds(base(app), fds + 2);
    int ms = wait_ms(app);
    struct timespec limit = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
    if (ppoll(fds, n, ms < 0 ? NULL : &limit, &app->waiting) < 0)
        fds[0].revents = 0;
    write_entry(app);
    assay_client_process(base(app));
    note_progress(app);
    take_events(app);
    note_progress(app);
    if (fds[0].revents && !typing && app->terminal)
        app->terminal->input(app);
    else if (fds[0].revents && !typing)
        read_input(app);
    go_on(app);
    return app->phase != PHASE_OVER;
}

/* ---- the command line ------------------------------------------------------------------------------ */

static int usage(const struct role *role, FILE *to)
{
    fprintf(to,
            "usage: %s --username NAME [OPTIONS]\n\n%s\n\n"
            "  --username NAME   who you are: 1 to 64 bytes; the name is yours from its first use on\n"
            "  --address HOST    of the server (127.0.0.1)\n"
            "  --port PORT       of the server (12345)\n",
            role->name, role->summary);
    if (role->reads)
        fputs("  --delay N         be sent lines when there are at least N (1)\n"
              "  --from-start      read everything once more\n",
              to);
    else
        fputs("  --delay N         has no meaning here\n", to);
    fputs("  --state FILE      where token and place are kept\n"
          "                    ($XDG_STATE_HOME or ~/.local/state, pubsub/HOST_PORT/NAME)\n"
          "  --wait            go on trying when no server answers at first\n"
          "  --param NAME=VALUE  lease, beat, first, cap, give_up: times as the protocol has them\n"
          "  -h, --help        this\n\n"
          "A server that restarts is waited for. ",
          to);
    fputs(role->writes ? "Lines end with LF, hold at most 1024 bytes of UTF-8, no NUL and no CR; others are\n"
                         "refused, with their number, and the rest goes. The end of the input ends the program when\n"
                         "all is stored. Lines of which that is not known are told.\n"
                       : "Started again it goes on behind the last line that it printed.\n",
          to);
    fputs("SIGINT and SIGTERM say good-bye first; a second one does not.\n\n"
          "Exit status: 0; 64 usage; 65 lines were refused; 68 unknown host; 69 no server, or lines may not be\n"
          "stored; 73, 78 the state file; 74 input or output; 75 try later; 77 the name is taken.\n",
          to);
    return to == stdout ? EX_OK : EX_USAGE;
}

static bool read_number(const char *text, long most, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return end != text && *end == '\0' && errno == 0 && *number >= 1 && *number <= most;
}

static const struct option long_options[] = {
    {"username", required_argument, NULL, 'u'}, {"delay", required_argument, NULL, 'd'},
    {"address", required_argument, NULL, 'a'},  {"port", required_argument, NULL, 'p'},
    {"state", required_argument, NULL, 's'},    {"param", required_argument, NULL, 'P'},
    {"from-start", no_argument, NULL, 'f'},     {"wait", no_argument, NULL, 'w'},
    {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
};

/* One option; -1: it is good, else how the program ends. */
static int read_option(struct app *app, int option, size_t *params)
{
    struct options *o = &app->options;
    long number;
    switch (option) {
    case 'u':
        o->user = optarg;
        break;
    case 'a':
        o->address = optarg;
        break;
    case 's':
        o->state = optarg;
        break;
    case 'p':
        o->port = optarg;
        return read_number(optarg, 65535, &number) ? -1 : usage(app->role, stderr);
    case 'd':
        if (!read_number(optarg, 65535, &number))
            return usage(app->role, stderr);
        o->batch = (uint16_t)number;
        break;
    case 'P':
        if (*params == PARAMS_MAX)
            return usage(app->role, stderr);
        o->params[(*params)++] = optarg;
        break;
    case 'f':
        o->from_start = true;
        break;
    case 'w':
        o->wait = true;
        break;
    case 'h':
        return usage(app->role, stdout);
    default:
        return usage(app->role, stderr);
    }
    return -1;
}

static int read_command_line(struct app *app, int argc, char **argv)
{
    struct options *o = &app->options;
    size_t params = 0;
    *o = (struct options){.address = "127.0.0.1", .port = "12345", .batch = 1};
    for (int option; (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1;) {
        int code = read_option(app, option, &params);
        if (code >= 0)
            return code;
    }
    if (optind < argc || !o->user)
        return usage(app->role, stderr);
    if (o->user[0] && strlen(o->user) <= USER_BYTES_MAX && !strpbrk(o->user, "\r\n"))
        return -1;
    say(app, "a user name has 1 to %d bytes, on one line", USER_BYTES_MAX);
    return EX_USAGE;
}

/* ---- main --------------------------------------------------------------------------------------------- */

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
    snprintf(place, sizeof place, v6 ? "udp:[%.250s]:%s" : "udp:%.250s:%s", o->address, o->port);
    if (pubsub_new(place, &options, &app->client) == ASSAY_CLIENT_OK)
        return EX_OK;
    say(app, "%s", assay_client_problem());
    return EX_USAGE;
}

static void run(struct app *app)
{
    const struct terminal *terminal = app->role->terminal;
    if (terminal && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal->begin(app))
        app->terminal = terminal;
    begin_session(app);
    while (app->phase != PHASE_OVER && app_step(app, false))
        ;
    if (app->terminal)
        app->terminal->end();
    app->terminal = NULL;
    note_progress(app);
    tell_lost(app, UINT64_MAX);
    if (app->input.size > 0) {
        say(app, "what follows line %" PRIu64 " was not written", app->input.number);
        fail(app, EX_TEMPFAIL);
    }
}

int app_main(const struct role *role, int argc, char **argv)
{
    static struct app app;
    app.role = role;
    int code = read_command_line(&app, argc, argv);
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
