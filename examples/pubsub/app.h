/* What reader, writer and chat share, a file for each job:
 *   app.c      the loop, and what all need
 *   options.c  the command line
 *   state.c    what outlives the program: the token, and the place in the lines
 *   session.c  the session with the server: this is where libassay is used
 *   output.c   lines that arrive
 *   input.c    lines that are written
 *
 * One loop does everything: it waits for the server, for standard input and for room on standard output at once, and
 * for signals. A session that is lost is taken up again for as long as it takes. */
#ifndef PUBSUB_APP_H
#define PUBSUB_APP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "pubsub.h"

#define LINE_BYTES_MAX 1024 /* of a line of the protocol */
#define USER_BYTES_MAX 64
#define TOKEN_BYTES    16
#define PARAMS_MAX     16

struct options {
    const char *user, *address, *state;
    long port, batch; /* batch: lines at a time */
    bool from_start, wait;
    const char *params[PARAMS_MAX + 1];
};

/* ---- the state file ------------------------------------------------------------------ */

/* What outlives the program: the token that proves the user name, the next line to be read, and how long the output
 * was before that line, so that one which was printed but not noted is found. */
struct state {
    int fd;
    char path[4096];
    uint8_t token[TOKEN_BYTES];
    uint64_t cursor;
    uint64_t device, inode; /* of the output; 0: it is no file */
    int64_t size;           /* of the output, with all lines before the cursor */
};

/* ---- a program ------------------------------------------------------------------------- */

struct app;

/* What makes a program of this. */
struct role {
    const char *name, *summary;
    bool reads, writes;
    /* Where a person types: NULL, or who edits the line. */
    const struct terminal *terminal;
};

/* A line that is being typed, and what is printed meanwhile. */
struct terminal {
    bool (*begin)(struct app *app); /* false: there is no terminal */
    void (*input)(struct app *app); /* there is something to read */
    void (*hide)(void);             /* before something is printed, and behind it */
    void (*show)(void);
    void (*end)(void);
};

enum phase {
    PHASE_DOWN,        /* no session; the next try is at `retry` */
    PHASE_REGISTERING, /* the call runs */
    PHASE_LIVE,
    PHASE_LEAVING, /* the call runs */
    PHASE_OVER,
};

/* Lines that wait to be written. */
struct input {
    char bytes[65536];
    size_t size;
    uint64_t number; /* of the last line taken, from 1 */
    bool ended;      /* nothing follows */
    bool overlong;   /* the rest of a line that is too long is passed over */
};

/* An entry that waits for room on standard output. */
struct output {
    uint32_t token; /* 0: there is none */
    uint64_t number;
    char bytes[USER_BYTES_MAX + LINE_BYTES_MAX + 3];
    size_t size, written;
};

/* Lines on their way: the numbers of those written that are not acknowledged, the oldest first. */
#define ON_WAY_MAX 256
struct on_way {
    uint64_t lines[ON_WAY_MAX];
    unsigned first, count;
};

struct app {
    const struct role *role;
    const struct terminal *terminal; /* NULL: nobody types */
    struct options options;
    struct state state;
    struct pubsub_client *client;
    enum phase phase;
    int code; /* exit status, as sysexits.h has them */
    bool calling, stopping, troubled, registered, flushed;
    uint64_t posting;  /* number of the line that is being handed over; 0: none */
    uint64_t given_up; /* messages, as far as they were told of */
    int64_t retry, leave_by;
    struct input input;
    struct output output;
    struct on_way on_way;
    sigset_t waiting; /* signals while waiting */
};

/* ---- app.c ------------------------------------------------------------------------------ */

/* The main function. */
int app_main(const struct role *role, int argc, char **argv);

/* Wait for something, and do what it brings. False: it is over. */
bool app_step(struct app *app, bool typing);

/* A line for the person, on standard error. */
void app_say(const struct app *app, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* How the program will end; the first thing that went wrong decides. */
void app_fail(struct app *app, int code);

/* Wipe the line that is being typed before something is printed, and draw it again. */
void app_hide(const struct app *app);
void app_show(const struct app *app);

int64_t app_now_ms(void);
struct assay_client *app_base(const struct app *app);

/* ---- options.c: exit status, or -1 to go on ---------------------------------------------- */

int app_options(struct app *app, int argc, char **argv);

/* ---- state.c: exit status ------------------------------------------------------------------ */

/* Who reads moves the cursor: no other program may do that meanwhile. */
int state_open(struct app *app);

/* Note the cursor, and where the output ends before the line that it is at. */
bool state_note(struct app *app, uint64_t cursor);
int state_trouble(const struct app *app, int code, const char *why);

/* How many bytes stand in the output already behind what the state file knows of; at most `size` are put to `bytes`. */
size_t state_printed(const struct app *app, char *bytes, size_t size);

/* ---- session.c -------------------------------------------------------------------------------- */

void session_begin(struct app *app);
void session_take_events(struct app *app);

/* Do what is next. */
void session_go_on(struct app *app);

/* Whether a call can be made. */
bool session_is_free(const struct app *app);

/* ---- output.c ---------------------------------------------------------------------------------- */

void output_take(struct app *app, const struct assay_client_event *event);

/* Write what there is room for; an entry is done when it stands in the output and the cursor is behind it. */
void output_write(struct app *app);

/* An entry that finds no room when the program is told to end is left to its next start. */
void output_let_go(struct app *app);

/* ---- input.c ------------------------------------------------------------------------------------- */

bool input_wanted(const struct app *app);
void input_read(struct app *app);

/* A line that a person typed; NULL: the end of it. */
void input_typed(struct app *app, const char *line);

/* Hand a line over, if there is one. */
bool input_hand_over(struct app *app);

/* The server has it, or said no. */
void input_posted(struct app *app, int status);

/* Look which lines are stored by now. */
void on_way_look(struct app *app);

/* It is not known of the oldest `n` whether they are stored. */
void on_way_lost(struct app *app, uint64_t n);

/* All that there was is stored, or lost. */
bool input_is_done(const struct app *app);

#endif
