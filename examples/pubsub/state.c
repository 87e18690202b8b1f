/* The state file. */
#include "app.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

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

/* One program reads with a state, while it has it open. */
static bool state_lock(const struct app *app)
{
    return !app->role->reads || flock(app->state.fd, LOCK_EX | LOCK_NB) == 0;
}

/* Under its name there is a whole file, which its maker has, or none; of several that make it at once one does. */
static bool state_make(struct app *app)
{
    struct state *s = &app->state;
    char temporary[sizeof s->path + 8];
    snprintf(temporary, sizeof temporary, "%s.XXXXXX", s->path);
    s->fd = mkostemp(temporary, O_CLOEXEC);
    if (s->fd < 0)
        return false;
    bool made = getrandom(s->token, sizeof s->token, 0) == sizeof s->token && state_save(s) && fsync(s->fd) == 0 &&
                state_lock(app) && link(temporary, s->path) == 0;
    int why = errno;
    unlink(temporary);
    if (!made)
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
        snprintf(s->path, sizeof s->path, "%.3000s/pubsub/%s_%ld/%s", state, place, o->port, user);
    else if (home)
        snprintf(s->path, sizeof s->path, "%.3000s/.local/state/pubsub/%s_%ld/%s", home, place, o->port, user);
    else
        return false;
    make_folders(s->path);
    return true;
}

int state_trouble(const struct app *app, int code, const char *why)
{
    app_say(app, "state file %s: %s", app->state.path, why);
    return code;
}

int state_open(struct app *app)
{
    struct state *s = &app->state;
    const struct options *o = &app->options;
    if (o->state)
        snprintf(s->path, sizeof s->path, "%s", o->state);
    else if (!default_path(s, o))
        return state_trouble(app, EX_USAGE, "there is no HOME to keep it in: say --state FILE");
    s->fd = open(s->path, O_RDWR | O_CLOEXEC);
    if (s->fd < 0 && errno == ENOENT && !state_make(app))
        s->fd = errno == EEXIST ? open(s->path, O_RDWR | O_CLOEXEC) : -1;
    if (s->fd < 0)
        return state_trouble(app, EX_CANTCREAT, strerror(errno));
    if (!state_lock(app))
        return state_trouble(app, EX_TEMPFAIL, "another program reads with it: say --state with another FILE");
    if (!state_load(s))
        return state_trouble(app, EX_CONFIG, "this is none");
    if (o->from_start)
        s->cursor = s->inode = 0;
    return EX_OK;
}

/* ---- the output ------------------------------------------------------------------ */

/* Standard output as a file: where its end is. False: it is a pipe, a terminal or the like. */
static bool output_end(struct stat *st)
{
    return fstat(STDOUT_FILENO, st) == 0 && S_ISREG(st->st_mode);
}

bool state_note(struct app *app, uint64_t cursor)
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

size_t state_printed(const struct app *app, char *bytes, size_t size)
{
    const struct state *s = &app->state;
    struct stat st;
    if (!output_end(&st) || st.st_dev != s->device || st.st_ino != s->inode || st.st_size <= s->size)
        return 0;
    int fd = open("/proc/self/fd/1", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : pread(fd, bytes, size, s->size);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}
