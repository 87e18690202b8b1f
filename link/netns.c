#include "link/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/datagram.h"
#include "net/loop.h"
#include "net/socket.h"

#define PATIENCE_MS 2000

struct request {
    enum assay_netns_socket what;
    struct assay_address at;
};

/* A socket comes beside it where `why` is 0. */
struct reply {
    int why;
    struct assay_net_error error;
};

/* ---- the namespace ------------------------------------------------------ */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    size_t size = strlen(text);
    bool ok = fd >= 0 && write(fd, text, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool map_ids(unsigned uid, unsigned gid)
{
    char line[64];
    snprintf(line, sizeof line, "%u %u 1", uid, uid);
    if (!write_file("/proc/self/uid_map", line) || !write_file("/proc/self/setgroups", "deny"))
        return false;
    snprintf(line, sizeof line, "%u %u 1", gid, gid);
    return write_file("/proc/self/gid_map", line);
}

static bool raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
    request.ifr_flags |= IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* NULL, or what the kernel refused, with errno. */
static const char *enter(void)
{
    unsigned uid = (unsigned)geteuid(), gid = (unsigned)getegid();
    if (unshare(CLONE_NEWNET) < 0) {
        if (errno != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
            return "a network namespace";
        if (!map_ids(uid, gid))
            return "a user namespace for it";
    }
    return raise_loopback() ? NULL : "its loopback interface";
}

/* ---- replies: with a socket beside them --------------------------------- */

union control {
    struct cmsghdr head; /* for its alignment */
    char bytes[CMSG_SPACE(sizeof(int))];
};

static bool send_reply(int to, const struct reply *reply, int fd)
{
    struct reply copy = *reply;
    struct iovec part = {&copy, sizeof copy};
    union control control = {.bytes = {0}};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof control.bytes;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    return sendmsg(to, &m, MSG_NOSIGNAL) == (ssize_t)sizeof copy;
}

static bool take_reply(int from, struct reply *reply, int *fd)
{
    struct iovec part = {reply, sizeof *reply};
    union control control;
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t n;
    *fd = -1;
    do
        n = recvmsg(from, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *reply)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c && c->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return true;
}

/* ---- the keeper --------------------------------------------------------- */

struct keeper {
    int requests, ended, signals;
    pid_t command;
};

static void answer(const struct keeper *k, const struct request *request)
{
    struct reply reply = {.why = 0};
    int fd = request->what == ASSAY_NETNS_BIND ? assay_udp_bind(&request->at, &reply.error)
                                               : assay_connect(&request->at, &reply.error);
    if (fd < 0)
        reply.why = errno;
    send_reply(k->requests, &reply, fd);
    if (fd >= 0)
        close(fd);
}

static void run_command(char *const *command)
{
    sigset_t none;
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(in, 0);
    dup2(2, 1);
    execvp(command[0], command);
    fprintf(stderr, "assay: cannot run %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

/* Tells of the command's end as soon as that is there. */
static void reap(struct keeper *k)
{
    int status;
    while (assay_signals_next(k->signals) != 0)
        continue;
    if (k->command == 0 || waitpid(k->command, &status, WNOHANG) != k->command)
        return;
    k->command = 0;
    if (write(k->ended, &status, sizeof status) < 0)
        _exit(1); /* nobody is there to be told */
}

/* Until the link has gone. */
static void serve(struct keeper *k)
{
    struct request request;
    struct pollfd watched[] = {{.fd = k->requests, .events = POLLIN}, {.fd = k->signals, .events = POLLIN}};
    for (;;) {
        if (poll(watched, 2, -1) < 0 && errno != EINTR)
            return;
        reap(k);
        ssize_t n = recv(k->requests, &request, sizeof request, MSG_DONTWAIT);
        if (n == (ssize_t)sizeof request)
            answer(k, &request);
        else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
            return;
    }
}

static void end_command(struct keeper *k)
{
    struct pollfd watched = {.fd = k->signals, .events = POLLIN};
    pid_t group = k->command;
    if (group == 0)
        return;
    kill(-group, SIGTERM);
    for (int64_t until = assay_clock_after(assay_clock_now(), PATIENCE_MS * ASSAY_MS), left;
         k->command != 0 && (left = until - assay_clock_now()) > 0;) {
        poll(&watched, 1, (int)(left / ASSAY_MS) + 1);
        reap(k);
    }
    kill(-group, SIGKILL); /* the rest of its group, too */
}

static void keep(struct keeper *k, char *const *command)
{
    static const int wanted[] = {SIGCHLD, SIGINT, SIGTERM, 0}; /* the link decides when to end */
    struct reply reply = {.why = 0};
    signal(SIGPIPE, SIG_IGN);
    const char *refused = enter();
    k->signals = assay_signals_open(wanted);
    if (!refused && k->signals < 0)
        refused = "a descriptor";
    if (refused) {
        reply.why = errno;
        snprintf(reply.error.text, sizeof reply.error.text, "the kernel refuses %s: %s", refused, strerror(errno));
    } else if ((k->command = fork()) == 0) {
        run_command(command);
    }
    if (!send_reply(k->requests, &reply, -1) || refused)
        _exit(1);
    serve(k);
    end_command(k);
    _exit(0);
}

/* ---- the link's side ---------------------------------------------------- */

static enum assay_netns_result failed(struct assay_net_error *error)
{
    snprintf(error->text, sizeof error->text, "cannot start a process: %s", strerror(errno));
    return ASSAY_NETNS_FAILED;
}

enum assay_netns_result assay_netns_open(struct assay_netns *netns, char *const *command, struct assay_net_error *error)
{
    int requests[2], ended[2], none;
    struct reply reply;
    *netns = (struct assay_netns){.requests = -1, .ended = -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, requests) < 0 || pipe2(ended, O_CLOEXEC) < 0)
        return failed(error);
    netns->keeper = fork();
    if (netns->keeper == 0) {
        close(requests[0]);
        close(ended[0]);
        keep(&(struct keeper){.requests = requests[1], .ended = ended[1]}, command);
    }
    close(requests[1]);
    close(ended[1]);
    netns->requests = requests[0];
    netns->ended = ended[0];
    if (netns->keeper < 0 || !take_reply(netns->requests, &reply, &none))
        return failed(error);
    *error = reply.error;
    return reply.why == 0 ? ASSAY_NETNS_OK : ASSAY_NETNS_REFUSED;
}

int assay_netns_socket(const struct assay_netns *netns, enum assay_netns_socket what, const struct assay_address *at,
                       struct assay_net_error *error)
{
    struct request request;
    struct reply reply = {.why = EIO};
    int fd = -1;
    memset(&request, 0, sizeof request); /* padding, too: all of it is sent */
    request.what = what;
    request.at = *at;
    if (send(netns->requests, &request, sizeof request, MSG_NOSIGNAL) < 0 || !take_reply(netns->requests, &reply, &fd))
        snprintf(reply.error.text, sizeof reply.error.text, "the namespace has gone");
    *error = reply.error;
    errno = reply.why;
    return fd;
}

int assay_netns_status(const struct assay_netns *netns)
{
    int status;
    return read(netns->ended, &status, sizeof status) == (ssize_t)sizeof status ? status : SIGKILL;
}

void assay_netns_close(struct assay_netns *netns)
{
    if (netns->requests >= 0)
        close(netns->requests);
    if (netns->keeper > 0)
        while (waitpid(netns->keeper, NULL, 0) < 0 && errno == EINTR)
            continue;
    if (netns->ended >= 0)
        close(netns->ended);
    *netns = (struct assay_netns){.requests = -1, .ended = -1};
}
