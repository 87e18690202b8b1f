#include "ref-server/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/clock.h"

/* The descriptor is shared with other processes, so it must stay as it is: a second one of our own does not block. */
static int open_again(int fd)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool assay_stream_open(struct assay_stream *s, int fd)
{
    struct stat st = {0};
    s->fd = s->out = fd;
    s->piece = PIPE_BUF;
    s->patience = ASSAY_STREAM_FOR_EVER;
    s->changed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    (void)fstat(fd, &st);
    int own = S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) ? open_again(fd) : -1;
    if (own >= 0)
        s->out = own;
    if (own >= 0 || S_ISREG(st.st_mode))
        s->piece = SIZE_MAX;
    return s->changed >= 0;
}

void assay_stream_close(struct assay_stream *s)
{
    if (s->fd < 0)
        return;
    if (s->out != s->fd)
        close(s->out);
    if (s->changed >= 0)
        close(s->changed);
    s->fd = -1;
}

static int in_ms(int64_t ns)
{
    if (ns == ASSAY_STREAM_FOR_EVER)
        return -1;
    int64_t ms = ns / ASSAY_MS + (ns % ASSAY_MS > 0);
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void look_again(const struct assay_stream *s)
{
    uint64_t times;
    if (read(s->changed, &times, sizeof times) < 0)
        return;
}

static bool await_room(struct assay_stream *s)
{
    struct pollfd p[] = {{.fd = s->out, .events = POLLOUT}, {.fd = s->changed, .events = POLLIN}};
    while (!s->given_up) {
        int n = poll(p, 2, in_ms(atomic_load(&s->patience)));
        if (n > 0 && p[0].revents)
            return true;
        if (n > 0)
            look_again(s);
        s->given_up = n == 0;
    }
    return false;
}

bool assay_stream_write(struct assay_stream *s, const void *bytes, size_t size)
{
    for (const uint8_t *p = bytes; size > 0;) {
        if (s->given_up || (s->piece < SIZE_MAX && !await_room(s)))
            return false;
        ssize_t n = write(s->out, p, size < s->piece ? size : s->piece);
        if (n < 0 && errno != EINTR && (errno != EAGAIN || !await_room(s)))
            return false;
        if (n > 0) {
            p += n;
            size -= (size_t)n;
            s->written += (uint64_t)n;
        }
    }
    return true;
}

void assay_stream_wait(struct assay_stream *s, int64_t patience)
{
    uint64_t one = 1;
    atomic_store(&s->patience, patience);
    if (s->fd >= 0 && write(s->changed, &one, sizeof one) < 0)
        return; /* it counts already */
}
