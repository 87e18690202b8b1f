/* What a server says on stdout and stderr: lines that effects print, and its own.
 *
 * Each of the two has a thread, so that nobody waits for whoever reads it, but
 * the sessions whose effects say so. */
#ifndef ASSAY_REF_SERVER_CONSOLE_H
#define ASSAY_REF_SERVER_CONSOLE_H

#include "ref-server/append.h"

struct assay_console {
    struct assay_appender out, err;
    struct assay_sink *to_out, *to_err;
    atomic_uint unfinished; /* threads */
    int ended;              /* eventfd: one of them has */
};

/* Opens both and starts the thread of stderr. False: *error says why. */
bool assay_console_open(struct assay_console *console, struct assay_net_error *error);

/* stdout is used: from now on it has its thread, too. */
bool assay_console_use_out(struct assay_console *console);

/* Say on stderr, or on stdout if it is used. From any thread; never waits. */
__attribute__((format(printf, 2, 3))) void assay_console_say(struct assay_console *console, const char *format, ...);
void assay_console_write(struct assay_console *console, const char *text, size_t size);
void assay_console_write_out(struct assay_console *console, const char *text, size_t size);

/* How long without progress either waits for its reader. From any thread and signal handler. */
void assay_console_wait(struct assay_console *console, int64_t patience);

/* Have everything that waits written, as far as patience goes. True: that is done; else `ended` becomes readable when
 * it is to be asked again. */
bool assay_console_finish(struct assay_console *console);

/* Write what can be written at once, tell on stderr what was lost. */
void assay_console_close(struct assay_console *console);

#endif
