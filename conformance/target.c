#include "conformance/target.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/socket.h"

#define SAID_MAX     4096
#define LINE_CAP     1024
#define TRIES        5 /* ports, where the target's own choice is not printed */
#define FLAG_EXITING 0x4u

struct pipe {
    int fd;
    char line[LINE_CAP];
    size_t n;
};

struct assay_target {
    char *command; /* NULL: runs already */
    char place[256];
    int64_t patience;
    struct assay_address address;
    bool has_address;
    unsigned port; /* that {port} became; 0: none */
    pid_t pid;     /* 0: not running */
    int pidfd, status;
    bool ended;
    struct pipe out, err;
    char said[SAID_MAX + 1];
    size_t said_n;
    char end[128];
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
    t->out.fd = t->err.fd = t->pidfd = -1;
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
    }
    return t;
bad:
    free(t);
    return NULL;
}

bool assay_target_owned(const struct assay_target *t)
{
    return t->command != NULL;
}

void assay_target_pipes(const struct assay_target *t, int fds[2])
{
    fds[0] = t->out.fd;
    fds[1] = t->err.fd;
}

/* ---- what it prints ---------------------------------------------------- */

static bool is_host(const char *from, size_t n)
{
    char host[64];
    struct in_addr v4;
    struct in6_addr v6;
    if (n == 0 || n >= sizeof host)
        return false;
    memcpy(host, from, n);
    host[n] = '\0';
    if (host[0] == '[' && host[n - 1] == ']') {
        host[n - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &v6) == 1;
    }
    return strcmp(host, "*") == 0 || strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &v4) == 1;
}

static bool is_host_char(char c)
{
    return isalnum((unsigned char)c) || strchr(".[]*", c);
}

/* The wildcard is reached over loopback. */
static const char *reachable(const char *host, size_t n)
{
    if (n == 4 && memcmp(host, "[::]", 4) == 0)
        return "[::1]";
    return (n == 7 && memcmp(host, "0.0.0.0", 7) == 0) || (n == 1 && *host == '*') ? "127.0.0.1" : NULL;
}

static bool take_address(struct assay_target *t, const char *host, size_t n, const char *port)
{
    char place[128];
    struct assay_address found[ASSAY_ADDRESSES_MAX];
    struct assay_net_error error;
    size_t digits = strspn(port, "0123456789");
    const char *instead = reachable(host, n);
    if (digits == 0 || digits > 5)
        return false;
    if (instead)
        snprintf(place, sizeof place, "%s:%.*s", instead, (int)digits, port);
    else
        snprintf(place, sizeof place, "%.*s:%.*s", (int)n, host, (int)digits, port);
    if (assay_address_resolve(place, ASSAY_ADDRESS_CONNECT, found, &error) == 0 || assay_address_port(&found[0]) == 0)
        return false;
    t->address = found[0];
    t->has_address = true;
    return true;
}

static size_t host_before(const char *line, const char *end)
{
    const char *p = end;
    if (p > line && p[-1] == ']')
        while (p > line && *p != '[')
            p--;
    else
        while (p > line && is_host_char(p[-1]))
            p--;
    return (size_t)(end - p);
}

/* The first ADDR:PORT in a line. */
static void scan_line(struct assay_target *t, const char *line)
{
    for (const char *colon = strchr(line, ':'); colon && !t->has_address; colon = strchr(colon + 1, ':')) {
        size_t n = host_before(line, colon);
        if (is_host(colon - n, n) && take_address(t, colon - n, n, colon + 1))
            return;
    }
}

static void remember(struct assay_target *t, const char *bytes, size_t n)
{
    if (n > SAID_MAX) {
        bytes += n - SAID_MAX;
        n = SAID_MAX;
    }
    size_t kept = t->said_n + n > SAID_MAX ? SAID_MAX - n : t->said_n;
    memmove(t->said, t->said + t->said_n - kept, kept);
    memcpy(t->said + kept, bytes, n);
    t->said_n = kept + n;
    t->said[t->said_n] = '\0';
}

static void scan_bytes(struct assay_target *t, struct pipe *p, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n && !t->has_address; i++) {
        if (bytes[i] != '\n' && p->n + 1 < sizeof p->line)
            p->line[p->n++] = bytes[i] ? bytes[i] : ' ';
        if (bytes[i] != '\n')
            continue;
        p->line[p->n] = '\0';
        p->n = 0;
        scan_line(t, p->line);
    }
}

static void listen_to(struct assay_target *t, struct pipe *p)
{
    char bytes[4096];
    ssize_t n;
    while (p->fd >= 0 && (n = read(p->fd, bytes, sizeof bytes)) > 0) {
        if (p == &t->err)
            remember(t, bytes, (size_t)n);
        scan_bytes(t, p, bytes, (size_t)n);
    }
}

void assay_target_listen(struct assay_target *t)
{
    listen_to(t, &t->out);
    listen_to(t, &t->err);
}

const char *assay_target_said(struct assay_target *t)
{
    listen_to(t, &t->err);
    return t->said;
}

/* ---- its process ------------------------------------------------------- */

static unsigned free_port(void)
{
    struct assay_address at = {.v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                               .size = sizeof at.v4};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unsigned port = 0;
    if (fd >= 0 && bind(fd, &at.any, at.size) == 0 && assay_address_of(fd, &at))
        port = assay_address_port(&at);
    if (fd >= 0)
        close(fd);
    return port;
}

/* One plain command replaces the shell, so that its end is seen at once. */
static const char *exec_word(const char *command)
{
    size_t first = strcspn(command, " ");
    return strpbrk(command, ";&|<>()`\n") || memchr(command, '=', first) ? "" : "exec ";
}

/* The command with every {port} replaced; the caller frees it. */
static char *fill_in(struct assay_target *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    t->port = 0;
    if (!f)
        return NULL;
    fputs(exec_word(t->command), f);
    for (const char *p = t->command; *p;) {
        if (strncmp(p, "{port}", 6) != 0) {
            fputc(*p++, f);
            continue;
        }
        if (t->port == 0)
            t->port = free_port();
        fprintf(f, "%u", t->port);
        p += 6;
    }
    fclose(f);
    return text;
}

static void run_child(const char *command, int out, int err, pid_t parent)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int in = open("/dev/null", O_RDONLY);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static void close_pipes(struct assay_target *t)
{
    struct pipe *pipes[] = {&t->out, &t->err};
    for (size_t i = 0; i < 2; i++) {
        if (pipes[i]->fd >= 0)
            close(pipes[i]->fd);
        *pipes[i] = (struct pipe){.fd = -1};
    }
}

static bool spawn(struct assay_target *t, struct assay_net_error *error)
{
    int out[2], err[2];
    char *command = fill_in(t);
    pid_t self = getpid();
    if (!command || pipe2(out, O_CLOEXEC) < 0)
        return refuse(error, "cannot start the target", strerror(errno));
    if (pipe2(err, O_CLOEXEC) < 0 || (t->pid = fork()) < 0)
        return refuse(error, "cannot start the target", strerror(errno));
    if (t->pid == 0)
        run_child(command, out[1], err[1], self);
    setpgid(t->pid, t->pid); /* whichever of the two is first */
    free(command);
    close(out[1]);
    close(err[1]);
    t->out.fd = out[0];
    t->err.fd = err[0];
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    t->pidfd = pidfd_open(t->pid, 0);
    t->ended = t->has_address = false;
    t->said_n = 0;
    t->said[0] = t->end[0] = '\0';
    return true;
}

static void describe_end(struct assay_target *t)
{
    if (WIFSIGNALED(t->status))
        snprintf(t->end, sizeof t->end, "killed by signal %d (%s)", WTERMSIG(t->status),
                 strsignal(WTERMSIG(t->status)));
    else if (WEXITSTATUS(t->status) > 128)
        snprintf(t->end, sizeof t->end, "exit status %d (signal %d in what the shell ran)", WEXITSTATUS(t->status),
                 WEXITSTATUS(t->status) - 128);
    else
        snprintf(t->end, sizeof t->end, "exit status %d", WEXITSTATUS(t->status));
}

/* Whether the process has ended; its group keeps its number until it is reaped in assay_target_stop(). */
static bool has_ended(struct assay_target *t)
{
    siginfo_t info = {0};
    if (t->ended || t->pid == 0)
        return true;
    if (waitid(P_PID, (id_t)t->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return false;
    t->status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    t->ended = true;
    describe_end(t);
    return true;
}

static bool wait_end(struct assay_target *t, int64_t patience)
{
    struct pollfd fd = {.fd = t->pidfd, .events = POLLIN};
    int64_t end = assay_clock_now() + patience;
    while (!has_ended(t) && assay_clock_now() < end) {
        poll(&fd, 1, t->pidfd < 0 ? 5 : (int)((end - assay_clock_now()) / ASSAY_MS) + 1);
        assay_target_listen(t);
    }
    return has_ended(t);
}

void assay_target_stop(struct assay_target *t)
{
    if (t->pid <= 0)
        return;
    if (!has_ended(t))
        kill(-t->pid, SIGTERM);
    wait_end(t, t->patience);
    assay_target_listen(t);
    kill(-t->pid, SIGKILL); /* what is left of the group */
    while (waitpid(-t->pid, NULL, 0) > 0)
        ;
    if (t->pidfd >= 0)
        close(t->pidfd);
    t->pidfd = -1;
    t->pid = 0;
    close_pipes(t);
}

void assay_target_free(struct assay_target *t)
{
    if (!t)
        return;
    assay_target_stop(t);
    free(t->command);
    free(t);
}

/* A process closes its sockets while it exits, before it can be waited for: the
 * kernel marks it earlier. A zombie has closed them. */
static bool is_exiting(pid_t pid)
{
    char path[64], line[1024], state = 'Z';
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    const char *p = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    return p && sscanf(p, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) == 2 && flags & FLAG_EXITING && state != 'Z';
}

#define DEPTH_MAX 4 /* shells and supervisors between us and the server */

static bool any_exiting(pid_t pid, int depth)
{
    char path[64];
    int child;
    bool any = is_exiting(pid);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
    FILE *f = depth < DEPTH_MAX ? fopen(path, "re") : NULL;
    while (f && !any && fscanf(f, "%d", &child) == 1)
        any = any_exiting(child, depth + 1);
    if (f)
        fclose(f);
    return any;
}

/* Among its sockets, the one that listens may be closed last. */
static void let_exit(struct assay_target *t)
{
    int64_t end = assay_clock_now() + t->patience / 10;
    while (assay_clock_now() < end && !has_ended(t) && any_exiting(t->pid, 0))
        poll(&(struct pollfd){.fd = t->pidfd, .events = POLLIN}, 1, 1);
}

/* 0: it took a connection; else why not. */
static int try_connect(const struct assay_address *address, int64_t patience)
{
    struct assay_net_error error;
    int fd = assay_connect(address, &error);
    if (fd < 0)
        return errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int rc = poll(&p, 1, (int)(patience / ASSAY_MS)) > 0 ? assay_connected(fd) : ETIMEDOUT;
    close(fd);
    return rc;
}

bool assay_target_alive(struct assay_target *t, bool knock)
{
    if (t->command && (has_ended(t) || is_exiting(t->pid))) {
        wait_end(t, t->patience);
        return false;
    }
    if (t->command && knock)
        let_exit(t);
    if (!knock || try_connect(&t->address, t->patience) == 0)
        return true;
    if (t->command) /* a shell between ends a little later than what it runs */
        wait_end(t, t->patience / 10);
    return false;
}

const char *assay_target_end(struct assay_target *t)
{
    if (!t->command)
        return "it takes no connections any more";
    return has_ended(t) ? t->end : "it takes no connections any more, but its process runs";
}

/* ---- coming up --------------------------------------------------------- */

static void wait_for_news(const struct assay_target *t, int ms)
{
    struct pollfd fds[] = {
        {.fd = t->pidfd, .events = POLLIN}, {.fd = t->out.fd, .events = POLLIN}, {.fd = t->err.fd, .events = POLLIN}};
    poll(fds, 3, ms);
}

static bool reach_port(struct assay_target *t)
{
    static const char *const hosts[] = {"127.0.0.1", "[::1]"};
    char port[16];
    snprintf(port, sizeof port, "%u", t->port);
    for (size_t i = 0; i < 2; i++) {
        bool taken = take_address(t, hosts[i], strlen(hosts[i]), port);
        if (taken && try_connect(&t->address, t->patience) == 0)
            return true;
    }
    return t->has_address = false;
}

/* It runs: wait until it takes connections. */
static bool comes_up(struct assay_target *t)
{
    int64_t end = assay_clock_now() + t->patience;
    for (int ms = 1; assay_clock_now() < end && !has_ended(t); ms = ms < 20 ? ms * 2 : 20) {
        assay_target_listen(t);
        if (t->has_address ? try_connect(&t->address, t->patience) == 0 : t->port && reach_port(t))
            return !has_ended(t);
        wait_for_news(t, ms);
    }
    assay_target_listen(t);
    return false;
}

static bool start(struct assay_target *t, struct assay_net_error *error)
{
    for (int i = 0; i < TRIES; i++) {
        assay_target_stop(t);
        if (!spawn(t, error))
            return false;
        if (comes_up(t))
            return true;
        if (!t->port || !has_ended(t))
            break;
    }
    snprintf(error->text, sizeof error->text, "the target did not come up: %s%s%.120s",
             has_ended(t)                ? t->end
             : t->has_address || t->port ? "it takes no connections"
                                         : "it printed no ADDR:PORT",
             t->said_n ? "; it said: " : "", t->said);
    assay_target_stop(t);
    return false;
}

static bool reach(struct assay_target *t, struct assay_net_error *error)
{
    struct assay_address found[ASSAY_ADDRESSES_MAX];
    size_t n = assay_address_resolve(t->place, ASSAY_ADDRESS_CONNECT, found, error);
    int why = 0;
    for (size_t i = 0; i < n; i++) {
        why = try_connect(&found[i], t->patience);
        if (why == 0) {
            t->address = found[i];
            return true;
        }
    }
    if (n)
        snprintf(error->text, sizeof error->text, "no connection to %s: %s", t->place, strerror(why));
    return false;
}

bool assay_target_up(struct assay_target *t, struct assay_address *address, struct assay_net_error *error)
{
    bool up = t->command ? (t->pid > 0 && assay_target_alive(t, true)) || start(t, error) : reach(t, error);
    if (up)
        *address = t->address;
    return up;
}
