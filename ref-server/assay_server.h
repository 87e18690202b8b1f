/* The reference server as a library: serves the server machines of a spec, over
 * every transport that it names, inside a program of yours.
 *
 *     struct assay_server_config config = {.model = &lamp_model, .application = do_effect, .user = me};
 *     char why[ASSAY_SERVER_ERROR_MAX];
 *     struct assay_server *server = assay_server_open(&config, why);
 *     if (!server)
 *         return complain(why);
 *     printf("%s\n", assay_server_address(server, 0));      "tcp:127.0.0.1:8080"
 *     assay_server_start(server);                           or assay_server_run(server)
 *     ...
 *     assay_server_stop(server);
 *     assay_server_close(server);
 *
 * The tables (`lamp_model`) are those that `assay gen c` writes. One event loop
 * for each core; each has an engine for each transport, connections and sockets
 * (which share their addresses). Files are written by threads that all loops share.
 * What sessions share, the tables and logs of a spec, is one engine's: such a
 * server runs one loop, and with tables listens on one transport.
 *
 * Threads. assay_server_stop(), assay_server_stop_taking(), assay_server_tell()
 * and assay_server_answer() may be called by any thread, the first two also
 * from a signal handler. The rest belongs to the thread that opened the server.
 * assay_server_open() makes the process ignore
 * SIGPIPE and SIGXFSZ: writes that fail are errors, not the end.
 *
 * stdout and stderr. What the server and its effects say there is written by
 * threads of its own. While it serves they wait for whoever reads; from
 * assay_server_stop() on, for the limit drain_time without progress, and not at
 * all after the second one. What was not taken then is lost, which stderr is
 * told, if that does not wait either.
 *
 * Memory. What is handed in is copied, but for the model, which must outlive
 * the server. What is handed out is valid as long as the function says.
 */
#ifndef ASSAY_SERVER_H
#define ASSAY_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_SERVER_API __attribute__((visibility("default")))

struct assay_model;
struct assay_limits;
struct assay_server;
struct assay_server_order;

#define ASSAY_SERVER_ERROR_MAX   320
#define ASSAY_SERVER_ADDRESS_MAX 72

/* ---- effects that the application does --------------------------------- */

/* An argument. Numbers, booleans, enums and durations (nanoseconds) are
 * `number` (`bytes` is NULL); bytes and text are `size` bytes, a list is `size`
 * bytes of int64_t. */
struct assay_server_value {
    const char *name;
    int64_t number;
    const void *bytes;
    size_t size;
};

struct assay_server_effect {
    const char *name;
    size_t count;
    const struct assay_server_value *values;
    uint64_t session; /* whose effect it is: equal for all effects of one session, never used again */
};

enum assay_server_answer {
    ASSAY_SERVER_DONE,
    ASSAY_SERVER_FAILED, /* the rule's `else` runs */
    ASSAY_SERVER_LATER,  /* assay_server_answer() will tell; the session waits, others go on */
};

/* Do an effect. Called in the thread of a loop, which waits meanwhile: what
 * takes long is better answered LATER. `effect` is valid during the call.
 * `order` is NULL for effects that cannot fail: nobody waits for them. */
typedef enum assay_server_answer assay_server_application(void *user, const struct assay_server_effect *effect,
                                                          struct assay_server_order *order);

/* Ends an order that was answered LATER, exactly once, from any thread (even
 * before the callback has returned). Every one must be ended, also those of
 * sessions that are over and after the server was told to stop:
 * assay_server_close() waits for them. */
ASSAY_SERVER_API void assay_server_answer(struct assay_server_order *order, bool done);

/* ---- a server ---------------------------------------------------------- */

/* All zero but for `model` is the default. */
struct assay_server_config {
    const struct assay_model *model;
    const char *const *params;         /* "NAME=VALUE", NULL at the end: params of the spec; NULL: its defaults */
    const struct assay_limits *limits; /* NULL: those of the model */
    const uint64_t *leniencies;        /* bit i: model->leniencies[i] is on; NULL: as the spec says */

    /* Where to listen: "tcp:HOST:PORT", "udp:HOST:PORT", or without a name before it for the first transport that is
     * served; HOST "*": every address; port 0: any free one. None: where the spec says, over every transport. */
    const char *const *listen;
    size_t listen_count;

    const char *data; /* folder of the files that effects name, and of PROTOCOL.db, where durable tables and logs are
                         kept (one server's at a time); NULL: the current one */
    unsigned loops;   /* 0: one for each core that this process may use; a spec with tables or logs runs one */
    bool trace;       /* tell each message and step on stderr; runs one loop */
    bool stats;       /* tell the counts of effects on stderr at the end */
    bool announce;    /* tell on stdout "listening on ADDRESS", a line each, once the server is open */

    /* Take SIGTERM and SIGINT (stop), SIGHUP (open files anew) and SIGUSR1 (tell counts): blocks them in the thread
     * that opens the server. */
    bool signals;

    /* Does the effects that the spec binds to `application`; NULL: they count as done. */
    assay_server_application *application;
    void *user;

    /* A session is over: no more effects of it will be ordered. Called in the thread of its loop. NULL: nobody is told.
     */
    void (*ended)(void *user, uint64_t session);

    /* Effects, by name, that go to `application` whatever the spec binds them to; the last one NULL. NULL: none. */
    const char *const *override;
};

enum assay_server_end {
    ASSAY_SERVER_STOPPED,     /* by a signal, by assay_server_stop() or by the protocol, after all was answered */
    ASSAY_SERVER_UNUSABLE,    /* it never ran, or a thread could not be started */
    ASSAY_SERVER_INTERRUPTED, /* told to stop twice; connections were cut */
};

/* Bind all addresses, open all files. From now on the system takes connections
 * for the server. A port that another server is just giving up is waited for,
 * one second at most. NULL: `error` (may be NULL) says why. */
ASSAY_SERVER_API struct assay_server *assay_server_open(const struct assay_server_config *config,
                                                        char error[ASSAY_SERVER_ERROR_MAX]);

/* The i-th address that is listened on, ports as they are: "tcp:127.0.0.1:8080",
 * "udp:[::1]:53"; NULL: there are not so many. Valid until the server is closed. */
ASSAY_SERVER_API const char *assay_server_address(const struct assay_server *server, size_t i);

/* Serve until the end: in the calling thread, or in one of its own (false: it cannot be started). Once: the second
 * time UNUSABLE or false, and the first goes on. */
ASSAY_SERVER_API enum assay_server_end assay_server_run(struct assay_server *server);
ASSAY_SERVER_API bool assay_server_start(struct assay_server *server);

/* Stop: no more connections, everything received is answered, then sessions are
 * ended in order. The second time connections are cut. */
ASSAY_SERVER_API void assay_server_stop(struct assay_server *server);

/* No more connections: listening sockets close, sessions of datagrams end;
 * connections go on, and the server ends with the last one. (The effect `stop`.) */
ASSAY_SERVER_API void assay_server_stop_taking(struct assay_server *server);

/* Tell on `to`, a line each, how often each effect was ordered by now, and how many datagrams were given up. */
ASSAY_SERVER_API void assay_server_tell(const struct assay_server *server, FILE *to);

/* Wait for the end of one that was started (it must have been told to stop, or
 * end by itself), and free it. NULL is fine: UNUSABLE. */
ASSAY_SERVER_API enum assay_server_end assay_server_close(struct assay_server *server);

#ifdef __cplusplus
}
#endif

#endif
