/* A real server in a process of its own, and blocking clients to try it with.
 * Its protocols are those of core/tests/models.h. */
#ifndef ASSAY_REF_SERVER_TESTS_HOST_H
#define ASSAY_REF_SERVER_TESTS_HOST_H

#include <sys/types.h>

#include "net/clock.h"
#include "core/model.h"
#include "ref-server/assay_server.h"

struct host {
    pid_t pid;
    uint16_t port;
    uint16_t ports[8];                 /* of all its addresses; the first is `port` */
    char folder[64];                   /* its data folder; removed by host_end() */
    int errors;                        /* its stderr, to read from */
    int output;                        /* its stdout, behind the lines that tell the addresses */
    struct assay_server_config config; /* `limits` is set from the field below */
    struct assay_limits limits;        /* sessions 0: host_limits() */
    int (*run)(int argc, char **argv); /* instead of the config: a command, whose arguments end in NULL */
    char **argv;
};

/* `limits` that do not matter to a test: much of everything. */
struct assay_limits host_limits(void);

/* Zero-initialised but for what the test sets in `config`; the rest is filled
 * in. `before` runs in the server's process before it starts; may be NULL. */
void host_start(struct host *host, const struct assay_model *model, void (*before)(void));

/* The same folder and config, after the server has ended. */
void host_restart(struct host *host, void (*before)(void));

void host_signal(const struct host *host, int number);

/* What it has said on stderr so far (after its end: all), until the next call. */
const char *host_errors(const struct host *host);
/* Wait until it has said that, what it said before and nobody read yet included. */
void host_await_errors(const struct host *host, const char *expected);

/* Its exit code (the enum assay_server_end), or 256 + the signal that killed it. */
int host_wait(struct host *host);
int host_wait_done(struct host *host); /* host_wait(), then host_remove() */

/* Remove the folder of one that has ended. */
void host_remove(const struct host *host);

/* SIGTERM, and it must end well; removes the folder. */
void host_end(struct host *host);

/* The log's bytes, with a NUL behind them; freed by the next call. */
const char *host_log(const struct host *host, size_t *size);

/* Resident memory of the server, in bytes, and its CPU time so far, in seconds. */
size_t host_memory(const struct host *host);
double host_cpu(const struct host *host);

/* Clients: blocking, with a limit of 10 s on everything. They fail the test when anything goes wrong. */
int dial(const struct host *host);
int dial_udp(const struct host *host, size_t address); /* its i-th address */
void tell(int fd, const char *datagram);
void told(int fd, const char *datagram); /* exactly this comes next */
void say(int fd, const void *bytes, size_t size);
void say_text(int fd, const char *text);
void hear(int fd, const void *bytes, size_t size); /* exactly these come next */
void hear_text(int fd, const char *text);
void hear_end(int fd);                                      /* FIN comes next */
void login(int fd);                                         /* of notes, up to the state in which messages are taken */
size_t message(uint8_t *to, const char *text, size_t size); /* a frame of notes; returns its size */
void say_message(int fd, const char *text);

#endif
