#include "conformance/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FLAG_EXITING 0x4u /* PF_EXITING of the kernel */
#define DEPTH_MAX    4    /* shells and supervisors between us and the program */

void assay_process_init(struct assay_process *p)
{
    *p = (struct assay_process){.pidfd = -1, .in = -1, .out = -1, .err = -1};
}

/* ---- start ------------------------------------------------------------- */

/* One plain command replaces the shell, so that its end is seen at once. */
static const char *exec_word(const char *command)
{
    size_t first = strcspn(command, " ");
    return strpbrk(command, ";&|<>()`\n") || memchr(command, '=', first) ? "" : "exec ";
}

char *assay_process_command(const char *command, const char *const *names, const char *const *texts)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    fputs(exec_word(command), f);
    for (const char *p = command; *p;) {
        size_t i = 0;
        while (names[i] && strncmp(p, names[i], strlen(names[i])) != 0)
            i++;
        if (names[i])
            fputs(texts[i], f);
        else
            fputc(*p, f);
        p += names[i] ? strlen(names[i]) : 1;
    }
    fclose(f);
    return text;
}

static void run_child(const char *command, int in, int out, int err, pid_t parent)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(127);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static bool open_pipe(int ends[2], bool wanted)
{
    ends[0] = ends[1] = -1;
    if (wanted)
        return pipe2(ends, O_CLOEXEC) == 0;
    ends[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return ends[0] >= 0;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void unblock(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_NONBLOCK);
}

bool assay_process_start(struct assay_process *p, const char *command, bool talk, struct assay_net_error *error)
{
    int in[2], out[2] = {-1, -1}, err[2] = {-1, -1};
    pid_t self = getpid();
    assay_process_init(p);
    bool ready = open_pipe(in, talk) && open_pipe(out, true) && open_pipe(err, true);
    pid_t pid = ready ? fork() : -1;
    if (pid == 0)
        run_child(command, in[0], out[1], err[1], self);
    if (pid < 0)
        snprintf(error->text, sizeof error->text, "cannot start the target: %s", strerror(errno));
    close_end(&in[0]);
    close_end(&out[1]);
    close_end(&err[1]);
    p->in = in[1];
    p->out = out[0];
    p->err = err[0];
    if (pid < 0) {
        assay_process_stop(p);
        return false;
    }
    setpgid(pid, pid); /* whichever of the two is first */
    p->pid = pid;
    p->pidfd = pidfd_open(pid, 0);
    unblock(p->in);
    unblock(p->out);
    unblock(p->err);
    return true;
}

/* ---- its end ----------------------------------------------------------- */

static void describe_end(struct assay_process *p)
{
    if (WIFSIGNALED(p->status))
        snprintf(p->end, sizeof p->end, "killed by signal %d (%s)", WTERMSIG(p->status),
                 strsignal(WTERMSIG(p->status)));
    else if (WEXITSTATUS(p->status) > 128)
        snprintf(p->end, sizeof p->end, "exit status %d (signal %d in what the shell ran)", WEXITSTATUS(p->status),
                 WEXITSTATUS(p->status) - 128);
    else
        snprintf(p->end, sizeof p->end, "exit status %d", WEXITSTATUS(p->status));
}

bool assay_process_ended(struct assay_process *p)
{
    siginfo_t info = {0};
    if (p->ended || p->pid == 0)
        return true;
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return false;
    p->status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    p->ended = true;
    describe_end(p);
    return true;
}

void assay_process_stop(struct assay_process *p)
{
    if (p->pid > 0) {
        kill(-p->pid, SIGKILL);
        while (waitpid(-p->pid, NULL, 0) > 0)
            ;
    }
    p->pid = 0;
    close_end(&p->pidfd);
    close_end(&p->in);
    close_end(&p->out);
    close_end(&p->err);
}

void assay_process_remember(struct assay_process *p, const char *bytes, size_t n)
{
    if (n > ASSAY_SAID_MAX) {
        bytes += n - ASSAY_SAID_MAX;
        n = ASSAY_SAID_MAX;
    }
    size_t kept = p->said_n + n > ASSAY_SAID_MAX ? ASSAY_SAID_MAX - n : p->said_n;
    memmove(p->said, p->said + p->said_n - kept, kept);
    memcpy(p->said + kept, bytes, n);
    p->said_n = kept + n;
    p->said[p->said_n] = '\0';
}

/* ---- what the kernel tells of it --------------------------------------- */

/* A zombie has closed its sockets. */
static bool is_exiting(pid_t pid)
{
    char path[64], line[1024], state = 'Z';
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    const char *at = fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    fclose(f);
    return at && sscanf(at, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) == 2 && flags & FLAG_EXITING && state != 'Z';
}

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

bool assay_process_exiting(const struct assay_process *p)
{
    return p->pid > 0 && is_exiting(p->pid);
}

bool assay_process_any_exiting(const struct assay_process *p)
{
    return p->pid > 0 && any_exiting(p->pid, 0);
}

/* Of its first thread: the second number of schedstat, see the kernel's Documentation/scheduler/sched-stats.rst. */
static int64_t waited_for_processors(pid_t pid)
{
    char path[48];
    long long ran, waited = 0;
    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%lld %lld", &ran, &waited) != 2)
        waited = 0;
    fclose(f);
    return waited;
}

struct assay_work assay_process_work(const struct assay_process *p)
{
    clockid_t clock;
    struct timespec used;
    if (p->pid <= 0 || clock_getcpuclockid(p->pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        return (struct assay_work){.used = -1};
    return (struct assay_work){.used = (int64_t)used.tv_sec * 1000000000 + used.tv_nsec,
                               .waited = waited_for_processors(p->pid)};
}
