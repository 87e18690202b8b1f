#include "conformance/target.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance/process.h"
#include "net/socket.h"
#include "net/socktable.h"

#define DEPTH_OPEN 16 /* descriptors, where a folder is removed */
#define TRIES      5  /* ports, where the target's own choice is not printed */

#define KEPT_MAX (16u << 20)

/* What it wrote to a stream, for those who want to see it. */
struct kept {
    bool wanted;
    uint8_t *p;
    size_t n, cap;
};

struct assay_target {
    char *command; /* NULL: runs already */
    char place[256];
    int64_t patience;
    bool looks;                 /* nobody knocks */
    bool holds;                 /* its stdin is kept open */
    int64_t since;              /* of its last start, or of the order to end */
    bool dismissed;             /* that order was given */
    int tries;                  /* starts so far that ended before it listened */
    enum assay_carrier carrier; /* that is judged now */
    struct assay_announced announced;
    unsigned port;    /* that {port} became; 0: none */
    char folder[256]; /* that {data} became; empty: none */
    struct assay_lines out, err;
    struct assay_process process;
    struct kept kept[2]; /* by enum assay_stream */
};

static bool refuse(struct assay_net_error *error, const char *what, const char *about)
{
    snprintf(error->text, sizeof error->text, "%s%s%s", what, *about ? ": " : "", about);
    return false;
}

struct assay_target *assay_target_new(const char *text, int64_t patience, struct assay_net_error *error)
{
    struct assay_target *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->patience = patience;
    assay_process_init(&t->process);
    if (strncmp(text, "exec:", 5) == 0 && text[5 + strspn(text + 5, " ")] != '\0') {
        t->command = strdup(text + 5);
        prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a shell leaves behind can be waited for */
    } else if (strncmp(text, "exec:", 5) == 0) {
        refuse(error, "exec: wants a command", "");
        goto bad;
    } else {
        struct assay_address found[ASSAY_ADDRESSES_MAX];
        if (strlen(text) >= sizeof t->place || assay_address_resolve(text, ASSAY_ADDRESS_CONNECT, found, error) == 0)
            goto bad;
        snprintf(t->place, sizeof t->place, "%s", text);
        t->carrier = assay_address_is_udp(text) ? ASSAY_CARRIER_UDP : ASSAY_CARRIER_TCP;
    }
    return t;
bad:
    free(t);
    return NULL;
}

struct assay_target *assay_target_twin(const struct assay_target *t)
{
    bool apart = t->command && strstr(t->command, "{data}");
    struct assay_target *twin = apart ? calloc(1, sizeof *twin) : NULL;
    if (!twin)
        return NULL;
    *twin = (struct assay_target){.patience = t->patience, .looks = t->looks, .holds = t->holds, .carrier = t->carrier};
    twin->command = strdup(t->command);
    assay_process_init(&twin->process);
    if (!twin->command) {
        free(twin);
        return NULL;
    }
    return twin;
}

bool assay_target_aim(struct assay_target *t, enum assay_carrier carrier)
{
    if (!t->command)
        return carrier == t->carrier;
    t->carrier = carrier;
    return true;
}

void assay_target_never_knock(struct assay_target *t)
{
    t->looks = t->command != NULL;
}

void assay_target_hold_stdin(struct assay_target *t)
{
    t->holds = true;
}

bool assay_target_owned(const struct assay_target *t)
{
    return t->command != NULL;
}

void assay_target_pipes(const struct assay_target *t, int fds[2])
{
    fds[0] = t->process.out;
    fds[1] = t->process.err;
}

/* ---- what it prints ---------------------------------------------------- */

static void keep(struct kept *k, const char *bytes, size_t n)
{
    if (k->n + n > k->cap) {
        size_t cap = 2 * (k->n + n);
        uint8_t *bigger = cap <= KEPT_MAX ? realloc(k->p, cap) : NULL;
        if (!bigger)
            return;
        k->p = bigger;
        k->cap = cap;
    }
    memcpy(k->p + k->n, bytes, n);
    k->n += n;
}

static void listen_to(struct assay_target *t, int fd, struct assay_lines *p)
{
    struct kept *k = &t->kept[p == &t->err ? ASSAY_STREAM_ERR : ASSAY_STREAM_OUT];
    char bytes[4096];
    ssize_t n;
    while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0) {
        if (p == &t->err)
            assay_process_remember(&t->process, bytes, (size_t)n);
        if (k->wanted)
            keep(k, bytes, (size_t)n);
        assay_announced_scan(&t->announced, p, bytes, (size_t)n);
    }
}

void assay_target_listen(struct assay_target *t)
{
    listen_to(t, t->process.out, &t->out);
    listen_to(t, t->process.err, &t->err);
}

bool assay_target_keep(struct assay_target *t, enum assay_stream stream)
{
    assay_target_listen(t);
    t->kept[stream].wanted = t->command != NULL;
    t->kept[stream].n = 0;
    return t->command != NULL;
}

struct assay_span assay_target_wrote(struct assay_target *t, enum assay_stream stream)
{
    assay_target_listen(t);
    return (struct assay_span){t->kept[stream].p, (uint32_t)t->kept[stream].n};
}

const char *assay_target_said(struct assay_target *t)
{
    listen_to(t, t->process.err, &t->err);
    return t->process.said;
}

/* ---- its process ------------------------------------------------------- */

/* At *port, or where it is 0 at one that becomes it. */
static bool binds(struct assay_address *at, int type, unsigned *port)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    bool bound = fd >= 0 && (*port ? bind(fd, &at->any, at->size) == 0 : assay_bind_aside(fd, at));
    *port = bound ? assay_address_port(at) : 0;
    if (fd >= 0)
        close(fd);
    return bound;
}

/* Free for both carriers. */
static unsigned free_port(void)
{
    struct assay_address at = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                               .size = sizeof at.v4};
    unsigned port = 0;
    for (int i = 0; i < TRIES; i++) {
        port = 0;
        if (binds(&at, SOCK_STREAM, &port) && binds(&at, SOCK_DGRAM, &port))
            return port;
    }
    return port;
}

static int remove_one(const char *path, const struct stat *s, int kind, struct FTW *where)
{
    (void)s;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_folder(struct assay_target *t)
{
    if (t->folder[0])
        nftw(t->folder, remove_one, DEPTH_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    t->folder[0] = '\0';
}

/* An empty folder for each start: what one case had it keep is not there for the next. */
static void make_folder(struct assay_target *t)
{
    const char *in = getenv("TMPDIR");
    remove_folder(t);
    snprintf(t->folder, sizeof t->folder, "%s/assay-XXXXXX", in && *in ? in : "/tmp");
    if (!mkdtemp(t->folder))
        t->folder[0] = '\0'; /* the command fails with an empty name, and tells */
}

/* The command with what stands in braces replaced; the caller frees it. `anew`: not by what it was before. */
static char *fill_in(struct assay_target *t, bool anew)
{
    static const char *const names[] = {"{port}", "{peer_host}", "{peer_port}", "{data}", NULL};
    char port[16] = "", peer[16] = "";
    const char *texts[] = {port, "127.0.0.1", peer, t->folder};
    if (anew && strstr(t->command, "{data}"))
        make_folder(t);
    if (anew)
        t->port = strstr(t->command, names[0]) ? free_port() : 0;
    snprintf(port, sizeof port, "%u", t->port);
    snprintf(peer, sizeof peer, "%u", free_port()); /* of a peer: nobody listens there */
    return assay_process_command(t->command, names, texts);
}

static bool spawn(struct assay_target *t, bool anew, struct assay_net_error *error)
{
    char *command = fill_in(t, anew);
    if (!command)
        return refuse(error, "cannot start the target", strerror(errno));
    t->announced = (struct assay_announced){0};
    t->out.n = t->err.n = 0;
    t->dismissed = false;
    bool started = assay_process_start(&t->process, command, t->holds, error);
    free(command);
    return started;
}

static bool wait_end(struct assay_target *t, int64_t patience)
{
    struct pollfd fd = {.fd = t->process.pidfd, .events = POLLIN};
    int64_t end = assay_clock_now() + patience;
    while (!assay_process_ended(&t->process) && assay_clock_now() < end) {
        poll(&fd, 1, t->process.pidfd < 0 ? 5 : (int)((end - assay_clock_now()) / ASSAY_MS) + 1);
        assay_target_listen(t);
    }
    return assay_process_ended(&t->process);
}

void assay_target_dismiss(struct assay_target *t)
{
    if (t->dismissed || t->process.pid <= 0)
        return; /* many a server takes a second signal as an order to break off */
    t->dismissed = true;
    t->since = assay_clock_now();
    if (!assay_process_ended(&t->process))
        kill(-t->process.pid, SIGTERM);
}

bool assay_target_dismissed(struct assay_target *t)
{
    if (t->process.pid <= 0)
        return true;
    assay_target_listen(t);
    if (!assay_process_ended(&t->process) && assay_clock_now() < t->since + t->patience)
        return false;
    assay_process_stop(&t->process);
    return true;
}

void assay_target_stop(struct assay_target *t)
{
    if (t->process.pid <= 0)
        return;
    assay_target_dismiss(t);
    wait_end(t, t->patience);
    assay_target_listen(t);
    assay_process_stop(&t->process);
}

void assay_target_free(struct assay_target *t)
{
    if (!t)
        return;
    assay_target_stop(t);
    remove_folder(t);
    for (size_t i = 0; i < 2; i++)
        free(t->kept[i].p);
    free(t->command);
    free(t);
}

/* Among its sockets, the one that listens may be closed last. */
static void let_exit(struct assay_target *t)
{
    int64_t end = assay_clock_now() + t->patience / 10;
    while (assay_clock_now() < end && !assay_process_ended(&t->process) && assay_process_any_exiting(&t->process))
        poll(&(struct pollfd){.fd = t->process.pidfd, .events = POLLIN}, 1, 1);
}

/* 0: it took a connection, or, over UDP, some socket of this machine is bound to it; else why not. */
static int try_connect(const struct assay_target *t, const struct assay_address *address)
{
    if (t->carrier == ASSAY_CARRIER_UDP)
        return assay_socktable_find_udp(address).found ? 0 : ECONNREFUSED;
    if (t->looks)
        return assay_socktable_listens(address) ? 0 : ECONNREFUSED;
    struct assay_net_error error;
    int fd = assay_connect(address, &error);
    if (fd < 0)
        return errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int rc = poll(&p, 1, (int)(t->patience / ASSAY_MS)) > 0 ? assay_connected(fd) : ETIMEDOUT;
    close(fd);
    return rc;
}

bool assay_target_alive(struct assay_target *t, bool knock)
{
    if (t->command && (assay_process_ended(&t->process) || assay_process_exiting(&t->process))) {
        wait_end(t, t->patience);
        return false;
    }
    if (t->command && knock)
        let_exit(t);
    if (!t->command && t->carrier == ASSAY_CARRIER_UDP)
        return true; /* nothing tells */
    if (!knock || try_connect(t, &t->announced.at[t->carrier]) == 0)
        return true;
    if (t->command) /* a shell between ends a little later than what it runs */
        wait_end(t, t->patience / 10);
    return false;
}

bool assay_target_ended(struct assay_target *t)
{
    return t->command && assay_process_ended(&t->process);
}

bool assay_target_ended_well(struct assay_target *t)
{
    return assay_target_ended(t) && WIFEXITED(t->process.status) && WEXITSTATUS(t->process.status) == 0;
}

const char *assay_target_end(struct assay_target *t)
{
    if (!t->command)
        return "it takes no connections any more";
    return assay_process_ended(&t->process) ? t->process.end : "it takes no connections any more, but its process runs";
}

/* ---- coming up --------------------------------------------------------- */

static void wait_for_news(const struct assay_target *t, int ms)
{
    struct pollfd fds[] = {{.fd = t->process.pidfd, .events = POLLIN},
                           {.fd = t->process.out, .events = POLLIN},
                           {.fd = t->process.err, .events = POLLIN}};
    poll(fds, 3, ms);
}

static bool reach_port(struct assay_target *t)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]"};
    char port[16];
    snprintf(port, sizeof port, "%u", t->port);
    for (size_t i = 0; i < 2; i++) {
        bool taken = assay_announced_take(&t->announced, t->carrier, hosts[i], strlen(hosts[i]), port);
        if (taken && try_connect(t, &t->announced.at[t->carrier]) == 0)
            return true;
    }
    return t->announced.has[t->carrier] = false;
}

static bool reached(struct assay_target *t)
{
    const struct assay_address *at = &t->announced.at[t->carrier];
    return t->announced.has[t->carrier] ? try_connect(t, at) == 0 : t->port && reach_port(t);
}

bool assay_target_begin(struct assay_target *t, struct assay_net_error *error)
{
    assay_target_stop(t);
    t->since = assay_clock_now();
    return spawn(t, true, error);
}

bool assay_target_begin_again(struct assay_target *t, struct assay_net_error *error)
{
    assay_process_stop(&t->process);
    t->since = assay_clock_now();
    t->tries = TRIES; /* with another port or folder it would not be the same */
    return spawn(t, false, error);
}

static enum assay_coming did_not_come(struct assay_target *t, struct assay_net_error *error)
{
    bool announced = t->announced.has[t->carrier] || t->port;
    assay_target_listen(t); /* what it said last */
    snprintf(error->text, sizeof error->text, "the target did not come up: %s%s%.120s",
             assay_process_ended(&t->process) ? t->process.end
             : announced                      ? "it takes no connections"
                                              : "it printed no ADDR:PORT",
             t->process.said_n ? "; it said: " : "", t->process.said);
    assay_target_stop(t);
    return ASSAY_COMING_FAILED;
}

enum assay_coming assay_target_coming(struct assay_target *t, struct assay_address *address,
                                      struct assay_net_error *error)
{
    assay_target_listen(t);
    bool ended = assay_process_ended(&t->process);
    if (!ended && reached(t) && !assay_process_ended(&t->process)) {
        *address = t->announced.at[t->carrier];
        t->tries = 0;
        return ASSAY_COMING_UP;
    }
    if (!ended && assay_clock_now() < t->since + t->patience)
        return ASSAY_COMING;
    bool again = ended && t->port && ++t->tries < TRIES;
    if (!again)
        t->tries = 0;
    return again && assay_target_begin(t, error) ? ASSAY_COMING : did_not_come(t, error);
}

static bool start(struct assay_target *t, struct assay_address *address, struct assay_net_error *error)
{
    if (!assay_target_begin(t, error))
        return false;
    for (int ms = 1;; ms = ms < 20 ? ms * 2 : 20) {
        enum assay_coming coming = assay_target_coming(t, address, error);
        if (coming != ASSAY_COMING)
            return coming == ASSAY_COMING_UP;
        wait_for_news(t, ms);
    }
}

static bool reach(struct assay_target *t, struct assay_net_error *error)
{
    struct assay_address found[ASSAY_ADDRESSES_MAX];
    size_t n = assay_address_resolve(t->place, ASSAY_ADDRESS_CONNECT, found, error);
    int why = 0;
    for (size_t i = 0; i < n; i++) {
        why = t->carrier == ASSAY_CARRIER_UDP ? 0 : try_connect(t, &found[i]);
        if (why == 0) {
            t->announced.at[t->carrier] = found[i];
            return true;
        }
    }
    if (n)
        snprintf(error->text, sizeof error->text, "no connection to %s: %s", t->place, strerror(why));
    return false;
}

bool assay_target_up(struct assay_target *t, struct assay_address *address, struct assay_net_error *error)
{
    if (t->command && (t->process.pid <= 0 || !assay_target_alive(t, true)))
        return start(t, address, error);
    bool up = t->command || reach(t, error);
    if (up)
        *address = t->announced.at[t->carrier];
    return up;
}

bool assay_target_offers(struct assay_target *t, enum assay_carrier carrier)
{
    struct assay_net_error error;
    enum assay_carrier other = carrier == ASSAY_CARRIER_TCP ? ASSAY_CARRIER_UDP : ASSAY_CARRIER_TCP;
    if (!assay_target_aim(t, carrier) || !t->command)
        return carrier == t->carrier;
    if (assay_process_ended(&t->process)) {
        assay_target_stop(t);
        if (!spawn(t, true, &error))
            return false;
    }
    int64_t end = assay_clock_now() + t->patience;
    for (bool soon = false; assay_clock_now() < end && !assay_process_ended(&t->process);) {
        assay_target_listen(t);
        if (reached(t))
            return true;
        if (t->announced.has[other] && !soon) { /* it is up: what it did not say by now it will hardly say */
            soon = true;
            end = assay_clock_now() + t->patience / 10;
        }
        wait_for_news(t, 5);
    }
    return false;
}
