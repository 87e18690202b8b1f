/* libassay: the client side of a protocol that is described by an Assay spec.
 *
 * A client is one link to one server (or peer): a connection, or datagrams.
 * It runs the protocol's tables, which `assay gen c` writes as C (or a spec
 * reader builds at run time), and offers the calls that the spec names.
 * Generated headers wrap all of this in typed functions; this one is what they
 * stand on, and what they do not hide.
 *
 *     struct assay_client *client;
 *     struct assay_value args[] = {assay_number(12), assay_number(0)}, amount;
 *     int status = assay_client_open(&lamp_model, "127.0.0.1:8080", NULL, &client);
 *     if (status == ASSAY_CLIENT_OK)
 *         status = assay_client_call(client, assay_client_find(client, "brightness"), args, &amount);
 *     if (status != ASSAY_CLIENT_OK)
 *         fprintf(stderr, "%s\n", assay_client_message(client));
 *     assay_client_close(client);
 *
 * Which machine. A client plays one of the spec's machines over one of its
 * transports: those of the address ("udp:HOST:PORT"), or of the options, else
 * those that the spec names first. A call that the spec says to open a link of
 * its own needs no connection: it makes its link, does its steps, ends the link
 * in order, and only then is through. One call runs at a time.
 *
 * Machines that run by themselves. What a machine does without being told to
 * begins with the connection; assay_client_run() waits for its end. A machine
 * that reconnects does so in assay_client_run() and in the form that does not
 * wait; assay_client_connect() tries once.
 *
 * Memory. assay_client_new() and assay_client_open() allocate one block for
 * everything, sized by the protocol's limits; nothing is allocated afterwards
 * (the C library may, when it looks up a host name). Whatever a function hands
 * out (texts, bytes, events) belongs to the client and is valid until the next
 * call on this client that is not said to leave it alone. What the application
 * hands in is copied before the function returns, but for the model and the
 * options' `user`, which must outlive the client.
 *
 * Threads. Clients share nothing: any number may be used at once, each by one
 * thread at a time.
 *
 * Units. Times are milliseconds, spinning is microseconds, sizes are bytes;
 * names say so.
 *
 * Errors. Functions that return `int` return 0, a positive number for an error
 * that the spec itself names (its place in the spec's list, from 1), or one of
 * enum assay_client_status. assay_client_message() is a sentence about the
 * last failure that names the server.
 *
 * Datagrams. A UDP client is reached by its server alone, unless it is bound.
 * A refused datagram ends a call that waits with UNREACHABLE, and with it the
 * session; where no call runs the machine goes on. Where the protocol sends
 * messages again until they are acknowledged, a refused datagram is one that
 * was lost: the server may be about to start anew, and the session outlives that.
 *
 * Messages that are acknowledged. What is not acknowledged goes out again
 * during blocking calls, in assay_client_run() and in assay_client_process(): a
 * client that waits for something else in between, in the blocking form, calls
 * assay_client_run() in the meantime, with 0 or with the time that it has to
 * wait. A call that finds as many messages unacknowledged as the protocol
 * allows begins as soon as there is room, within its time.
 *
 * State after an error. The spec's own errors leave the connection as the spec
 * says. CLOSED, TIMEOUT and PROTOCOL end it: a reply that comes too late can
 * never be taken for that of a later call. BUSY, VALUE and NOT_OPEN sent
 * nothing, and the connection goes on; VALUE also tells of an argument within
 * its bounds that the protocol's messages cannot carry all the same. Without a
 * connection calls return NOT_OPEN until assay_client_connect() has made a new one.
 *
 * Binary interface. The soname stands for this header and the layout of the
 * tables (assay/model.h) together; the version's first number is in it.
 */
#ifndef ASSAY_H
#define ASSAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of all parts of Assay, which are released together; the Makefile and `assay --version` have it from here. */
#define ASSAY_VERSION "0.1.0"

#ifdef __cplusplus
extern "C" {
#endif

#define ASSAY_API __attribute__((visibility("default")))

struct assay_model; /* the protocol's tables */
struct assay_client;

enum assay_client_status {
    ASSAY_CLIENT_OK = 0,
    ASSAY_CLIENT_CLOSED = -1,      /* the server closed or reset the connection before the call was through */
    ASSAY_CLIENT_TIMEOUT = -2,     /* the call took too long */
    ASSAY_CLIENT_PROTOCOL = -3,    /* the server sent what the protocol does not allow there */
    ASSAY_CLIENT_UNREACHABLE = -4, /* no connection: refused, no route, or too slow */
    ASSAY_CLIENT_ADDRESS = -5,     /* not an address, or a name that nobody knows */
    ASSAY_CLIENT_NOT_OPEN = -6,    /* there is no connection */
    ASSAY_CLIENT_BUSY = -7,        /* a call is running */
    ASSAY_CLIENT_VALUE = -8,       /* an argument, or the call's number, is outside what the spec allows */
    ASSAY_CLIENT_MEMORY = -9,
    ASSAY_CLIENT_MODEL = -10,  /* the protocol has no client side that this library can run */
    ASSAY_CLIENT_STOPPED = -11 /* assay_client_stop() was called */
};

/* ---- values ------------------------------------------------------------ */

/* An argument or result. Which part counts stands in the spec: numbers,
 * booleans, enums and durations (nanoseconds) are `number`; bytes and text are
 * `size` bytes; a list is `size` bytes of int64_t. Bytes handed out are
 * aligned for int64_t and followed by a NUL that does not count. */
struct assay_value {
    int64_t number;
    const void *bytes;
    size_t size;
};

static inline struct assay_value assay_number(int64_t number)
{
    struct assay_value value = {number, NULL, 0};
    return value;
}

static inline struct assay_value assay_blob_value(const void *bytes, size_t size)
{
    struct assay_value value = {0, bytes, size};
    return value;
}

/* ---- a client ---------------------------------------------------------- */

struct assay_client_event;

/* A frame that was sent or received. */
struct assay_client_frame {
    bool sent;           /* else received */
    const char *message; /* its name in the spec; NULL: it cannot be read, or the application made it */
    const void *bytes;   /* as on the wire, delimiter included; valid during the callback */
    size_t size;
    const char *address; /* of the other side, as it was given */
    const char *text; /* what it holds, as `Name{field=value text="..."}`, long values cut; NULL: it cannot be read */
};

/* All zero (or NULL instead of the struct) is the default. */
struct assay_client_options {
    int64_t connect_ms; /* how long connecting may take; 0: 10 s */
    int64_t call_ms;    /* how long a call may take; 0: as long as the spec says, 30 s if it does not; below 0: without
                           limit */
    int64_t spin_us;    /* blocking calls look for the answer this long before they sleep: faster, at the cost of the
                           processor */
    uint64_t seed;      /* of the protocol's random choices, where runs are to repeat; 0: the system's random source */

    /* Names of leniencies of the spec to grant the server, the last one NULL; NULL: none at all. */
    const char *const *lenient;

    /* Does what the protocol wants done by the application, during blocking
     * calls; returns whether it succeeded. Must not call the client. NULL: where
     * the machine orders what can fail, connecting and running in the blocking
     * form return VALUE. The non-blocking form hands these out as events. */
    bool (*effect)(void *user, const struct assay_client_event *effect);
    void *user;

    /* Which of the spec's transports and machines, by name. NULL: as the address says, else the first transport; the
     * machine that plays the client there. */
    const char *transport, *machine;

    /* Params of the spec, "NAME=VALUE" each, the last one NULL: numbers (0x10, 64KiB), true and false, names of enums,
     * durations (200ms, 2s, 1min; a bare number: seconds), texts as they are. NULL: the defaults. */
    const char *const *params;

    /* Address to send from ("HOST:PORT", port 0: any). A UDP client that is bound hears whoever sends there, all as one
     * session, and what its machine sends goes to who was heard last. NULL: the system chooses. */
    const char *bind;

    /* Told of every frame, in the order of the wire in each direction. Must not call the client. */
    void (*trace)(void *user, const struct assay_client_frame *frame);
};

/* A client for the server at `address`, not connected yet: "HOST:PORT" or
 * "[IPV6]:PORT", each also with a transport's name ("tcp:", "udp:") before it.
 * Behind commas may stand where it is reached over its other transports:
 * "10.0.0.1:3001,udp:10.0.0.1:3002"; a call over a transport that is not named
 * goes to the same host, at the port of the spec. A host name is looked up when
 * it is first needed, and again before each new try. MEMORY, MODEL, or VALUE
 * (an option that the spec does not have, or a value that it does not allow;
 * assay_client_problem() tells which): *client is NULL. */
ASSAY_API int assay_client_new(const struct assay_model *model, const char *address,
                               const struct assay_client_options *options, struct assay_client **client);

/* The same, and connect. When only that fails the client is there all the
 * same: it can tell why, try again, and must be closed. */
ASSAY_API int assay_client_open(const struct assay_model *model, const char *address,
                                const struct assay_client_options *options, struct assay_client **client);

/* Why assay_client_new() or assay_client_open() gave no client, as a sentence; of this thread, valid until the next. */
ASSAY_API const char *assay_client_problem(void);

/* Make a new connection and wait for it; one that is there is ended first.
 * Nothing of the old session survives. OK, UNREACHABLE, ADDRESS, or VALUE
 * (options.effect is missing). */
ASSAY_API int assay_client_connect(struct assay_client *client);

/* End the connection as the protocol wants it ended. Where an answer may still be
 * under way, the server is given the spec's drain time to take note. */
ASSAY_API void assay_client_disconnect(struct assay_client *client);

/* Disconnect and free. NULL is allowed. */
ASSAY_API void assay_client_close(struct assay_client *client);

/* Take over a connected stream socket (one that was accepted, say) in place of
 * a connection made here; it becomes the client's. For peers: a machine plays
 * on a connection that the other side made. OK or UNREACHABLE (it is no socket). */
ASSAY_API int assay_client_adopt(struct assay_client *client, int fd);

ASSAY_API bool assay_client_connected(const struct assay_client *client);

/* The state that the client's machine is in, by its name in the spec; "" without a session. */
ASSAY_API const char *assay_client_state(const struct assay_client *client);

/* Of the messages that are to be acknowledged: how many wait for that, those sent last; and how many of this session
 * were forgotten, because nothing was acknowledged for too long (given-up): all that waited then. */
ASSAY_API unsigned assay_client_unacknowledged(const struct assay_client *client);
ASSAY_API uint64_t assay_client_given_up(const struct assay_client *client);

/* What went wrong last, as a sentence with the server's address; "" if nothing
 * did. Leaves everything alone; NULL is allowed (an allocation that failed). */
ASSAY_API const char *assay_client_message(const struct assay_client *client);

/* The text that came with the last error of the spec, NUL-terminated; "" if none did. */
ASSAY_API const char *assay_client_detail(const struct assay_client *client, size_t *size);

/* The name of a status: of the spec's own errors as the spec writes it, of the
 * others in lower case. */
ASSAY_API const char *assay_client_status_name(const struct assay_client *client, int status);

/* ---- calls that wait --------------------------------------------------- */

/* The number of a call by its name; -1 if there is none. */
ASSAY_API int assay_client_find(const struct assay_client *client, const char *name);

/* Do a call: its arguments in the order of the spec, room for its results
 * (may be NULL where they do not matter). They are set if OK is returned. */
ASSAY_API int assay_client_call(struct assay_client *client, int call, const struct assay_value *args,
                                struct assay_value *results);

/* A frame that the application made itself, sent as it is, past the machine;
 * waits until it has left. For tools that send anything. VALUE: it is not
 * exactly one frame of the client's transport, and nothing was sent. */
ASSAY_API int assay_client_send(struct assay_client *client, const void *frame, size_t size);

/* ---- machines that run by themselves ------------------------------------ */

/* Connect (unless that is so already) and let the machine do what it does by
 * itself, connecting again as the spec says, until it is through:
 *   OK            it came to its end
 *   CLOSED, PROTOCOL, UNREACHABLE, ADDRESS   it has no connection and will not
 *                 try again (any more)
 *   TIMEOUT       `deadline_ms` are over (below 0: there is no limit; then a
 *                 message that only a call would take ends it with PROTOCOL)
 *   STOPPED       assay_client_stop() was called
 *   VALUE         options.effect is missing
 * What can be done without waiting is done even with 0. After TIMEOUT and
 * STOPPED everything stands as it did: calling this again goes on, disconnecting ends it in order. Sleeps while there
 * is nothing to do. */
ASSAY_API int assay_client_run(struct assay_client *client, int64_t deadline_ms);

/* Have assay_client_run() return, or the next one if none runs. May be called from a signal handler or another thread.
 */
ASSAY_API void assay_client_stop(struct assay_client *client);

/* ---- calls that do not wait -------------------------------------------- */

/* A loop of one's own: begin, start calls, and whenever the descriptor is
 * ready as assay_client_wants() says, or the time of assay_client_wait_ms() is
 * up, process; then take all events. None of these functions waits.
 *
 *     struct pollfd p = {assay_client_fd(c), assay_client_wants(c), 0};
 *     poll(&p, 1, assay_client_wait_ms(c));
 *     assay_client_process(c);
 *     while (assay_client_next(c, &event))
 *         ...
 */

enum assay_client_event_kind {
    ASSAY_CLIENT_CONNECTED, /* calls may be started */
    ASSAY_CLIENT_RESULT,    /* the call ended: `status`; if OK with its results */
    ASSAY_CLIENT_EFFECT,    /* the application is to do something */
    ASSAY_CLIENT_ENDED,     /* the connection is over; `status`: why (OK: as the protocol wants it) */
    ASSAY_CLIENT_RETRYING   /* so is a connection of a machine that connects again, or a try failed: the next one begins
                               after `pause_ms`; `status`: why */
};

struct assay_client_event {
    enum assay_client_event_kind kind;
    int status;
    int index;        /* RESULT: the call; EFFECT: the effect, as numbered in the model */
    const char *name; /* of that, in the spec */
    uint32_t token;   /* EFFECT: 0, or what assay_client_complete() is told; until then the session waits */
    unsigned count;   /* results, or arguments of the effect */
    const struct assay_value *values; /* those of a RESULT stay valid until the next call is started */
    int64_t pause_ms;                 /* RETRYING */
    bool finished;                    /* ENDED: the machine came to its end */
};

/* Begin to connect; a connection that is there is closed first. Only a host
 * name that has to be looked up can make this wait. The event CONNECTED or
 * ENDED follows (or RETRYING, where the machine reconnects: then ENDED comes
 * when it is through or gives up); ADDRESS and UNREACHABLE can come at once. */
ASSAY_API int assay_client_begin(struct assay_client *client);

/* Start a call, after all events were taken and no effect is in flight on its
 * link (else BUSY); the event RESULT follows, unless this fails. A message that
 * a call of the spec begins with waits for that call, and all else behind it:
 * a server may speak first. Any other call ends the link then (PROTOCOL). */
ASSAY_API int assay_client_start(struct assay_client *client, int call, const struct assay_value *args);

/* The descriptor to wait for; -1: none. It changes while connecting. While a
 * call runs over a link of its own it is that one's, unless the client's own
 * link is there, too: then there are two, and assay_client_fds() has both. */
ASSAY_API int assay_client_fd(const struct assay_client *client);

/* All descriptors to wait for now, as poll(2) wants them, at most ASSAY_CLIENT_FDS; returns how many. */
#define ASSAY_CLIENT_FDS 2
struct pollfd;
ASSAY_API unsigned assay_client_fds(const struct assay_client *client, struct pollfd *fds);

/* POLLIN and POLLOUT, as poll(2) wants them. */
ASSAY_API short assay_client_wants(const struct assay_client *client);

/* How long to wait for it at most; 0: process at once, -1: as long as it takes. */
ASSAY_API int assay_client_wait_ms(const struct assay_client *client);

/* Read, write and mind the time. Does nothing while events are left to take. */
ASSAY_API void assay_client_process(struct assay_client *client);

/* The next event. False: there is none. */
ASSAY_API bool assay_client_next(struct assay_client *client, struct assay_client_event *event);

/* An effect was done, or failed. A token of a session that is over is ignored. */
ASSAY_API void assay_client_complete(struct assay_client *client, uint32_t token, bool done);

/* ---- a program for every protocol --------------------------------------- */

/* The main function of a program that is driven by lines on standard input and
 * tells on standard output what happens (LANGUAGE.md, section 14):
 *     PROGRAM ADDRESS [--run] [--transport NAME] [--machine NAME] [--param NAME=VALUE] [--lenient NAME]
 *             [--bind ADDRESS] [--trace]
 * --run: connect at once and exit when the machine is through, 0 if it came to
 * its end. Returns the exit status. */
ASSAY_API int assay_client_drive(const struct assay_model *model, int argc, char **argv);

/* ---- about the protocol ------------------------------------------------ */

ASSAY_API const struct assay_model *assay_client_model(const struct assay_client *client);

#ifdef __cplusplus
}
#endif
#endif
