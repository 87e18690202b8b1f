/* A process of the target's: started through the shell, in a group of its own, with pipes to it.
 *
 * Nothing of it is left behind: assay_process_stop() ends the whole group, and the kernel ends what is left when this
 * program dies. Several may run at once.
 */
#ifndef ASSAY_CONFORMANCE_PROCESS_H
#define ASSAY_CONFORMANCE_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "net/address.h"

#define ASSAY_SAID_MAX 4096

struct assay_process {
    pid_t pid;        /* 0: none runs */
    int pidfd;        /* readable when it has ended; -1: not to be had */
    int in, out, err; /* our ends of its stdin, stdout and stderr; -1: none, or closed */
    int status;       /* as wait(2) gives it, once assay_process_ended() */
    bool ended;
    char end[128];                 /* how it ended, in words */
    char said[ASSAY_SAID_MAX + 1]; /* the end of what it wrote to stderr, as far as it was told */
    size_t said_n;
};

/* No process, no pipes. */
void assay_process_init(struct assay_process *process);

/* Run `command`. `talk`: its stdin is a pipe, else empty. Our ends do not block. False: *error. */
bool assay_process_start(struct assay_process *process, const char *command, bool talk, struct assay_net_error *error);

/* Whether it has ended (or never began). Its group keeps its number until assay_process_stop(). */
bool assay_process_ended(struct assay_process *process);

/* The kernel has begun to end it: it closes its sockets before it can be waited for. */
bool assay_process_exiting(const struct assay_process *process);

/* The same of it or anything that it started. */
bool assay_process_any_exiting(const struct assay_process *process);

/* Kill what is left of its group, reap it, close the pipes. Does not wait for anything but the kernel. */
void assay_process_stop(struct assay_process *process);

/* Remember what it said on stderr. */
void assay_process_remember(struct assay_process *process, const char *bytes, size_t n);

/* How long it has worked so far, ns; -1: not known. */
struct assay_work {
    int64_t used;   /* on a processor */
    int64_t waited; /* for one that others had; 0: the kernel does not say */
};
struct assay_work assay_process_work(const struct assay_process *process);

/* `command` with each "{name}" of `names` (NULL ends them) replaced by the text of the same index; the caller frees
 * it. Where that is one plain command, the shell gives way to it. NULL: no memory. */
char *assay_process_command(const char *command, const char *const *names, const char *const *texts);

#endif
