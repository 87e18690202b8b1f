#include "ref-server/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A half record longer than this is none of ours. */
#define TAIL_MAX (64 * 1024 * 1024)

static bool fail(struct assay_net_error *error, const char *name, const char *why)
{
    snprintf(error->text, sizeof error->text, "%.200s: %s", name, why);
    return false;
}

/* The offset behind the last LF of a file of `size` bytes; -1: cannot be read, or not within TAIL_MAX. */
static int64_t whole_end(int fd, int64_t size)
{
    char block[4096];
    int64_t at = size;
    while (at > 0 && size - at < TAIL_MAX) {
        int64_t from = at > (int64_t)sizeof block ? at - (int64_t)sizeof block : 0;
        if (pread(fd, block, (size_t)(at - from), from) != at - from)
            return -1;
        const char *lf = memrchr(block, '\n', (size_t)(at - from));
        if (lf)
            return from + (lf - block) + 1;
        at = from;
    }
    return at == 0 ? 0 : -1;
}

static bool repair(int fd, const char *name, int64_t *end, size_t *repaired, struct assay_net_error *error)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return fail(error, name, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fail(error, name, "is not a regular file");
    *end = repaired ? whole_end(fd, st.st_size) : st.st_size;
    if (*end < 0)
        return fail(error, name, "does not look like a log: no line end near its end");
    if (repaired)
        *repaired = (size_t)(st.st_size - *end);
    if (st.st_size > *end && (ftruncate(fd, *end) < 0 || fdatasync(fd) < 0))
        return fail(error, name, strerror(errno));
    return true;
}

/* One who is just ending lets go of it soon. */
static bool lock(int fd, bool patient)
{
    struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};
    for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
        if (errno != EWOULDBLOCK || !patient || i == 200)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static bool open_file(struct assay_logfile *log, struct assay_logfile *fresh, size_t *repaired,
                      struct assay_net_error *error)
{
    *fresh = (struct assay_logfile){.folder = log->folder, .name = log->name, .fd = -1, .raw = log->raw};
    fresh->fd = openat(log->folder, log->name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fresh->fd < 0)
        return fail(error, log->name, strerror(errno));
    if (!lock(fresh->fd, fresh == log))
        return fail(error, log->name, errno == EWOULDBLOCK ? "is used by another server" : strerror(errno));
    if (!repair(fresh->fd, log->name, &fresh->size, repaired, error))
        return false;
    /* The name of a new file must outlive a crash, too. */
    if (fsync(log->folder) < 0)
        return fail(error, log->name, strerror(errno));
    return true;
}

bool assay_logfile_open(struct assay_logfile *log, int folder, const char *name, size_t *repaired,
                        struct assay_net_error *error)
{
    *log = (struct assay_logfile){.folder = folder, .name = name, .fd = -1, .raw = !repaired};
    bool ok = open_file(log, log, repaired, error);
    if (!ok)
        assay_logfile_close(log);
    return ok;
}

static bool same_file(int fd, int folder, const char *name)
{
    struct stat a, b;
    return fstat(fd, &a) == 0 && fstatat(folder, name, &b, 0) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool assay_logfile_reopen(struct assay_logfile *log, struct assay_net_error *error)
{
    struct assay_logfile fresh;
    size_t repaired;
    if (same_file(log->fd, log->folder, log->name))
        return true;
    if (!open_file(log, &fresh, log->raw ? NULL : &repaired, error)) {
        assay_logfile_close(&fresh);
        return false;
    }
    assay_logfile_close(log);
    *log = fresh;
    return true;
}

/* Others may cut the file as well (a rotation that copies and truncates): the end is asked for anew. */
static bool cut(struct assay_logfile *log, int64_t written)
{
    int64_t end = lseek(log->fd, 0, SEEK_END);
    log->size = end > written ? end - written : 0;
    log->torn = end < 0 || ftruncate(log->fd, log->size) < 0;
    return !log->torn;
}

/* Returns how many bytes were written: all, or it failed. */
static size_t write_all(int fd, const uint8_t *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = write(fd, bytes + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return done;
        done += (size_t)n;
    }
    return done;
}

bool assay_logfile_write(struct assay_logfile *log, const void *bytes, size_t size)
{
    if (log->torn) /* what was written and could not be cut off is still behind `size` */
        log->torn = ftruncate(log->fd, log->size) < 0;
    if (log->torn)
        return false;
    size_t written = write_all(log->fd, bytes, size);
    if (written == size) {
        log->size += (int64_t)size;
        return true;
    }
    int why = errno;
    cut(log, (int64_t)written);
    errno = why;
    return false;
}

bool assay_logfile_sync(struct assay_logfile *log, int64_t from)
{
    if (fdatasync(log->fd) == 0)
        return true;
    /* What the kernel still holds of these pages is unknown: none of them counts. */
    assay_logfile_take_back(log, from);
    return false;
}

void assay_logfile_take_back(struct assay_logfile *log, int64_t from)
{
    cut(log, log->size > from ? log->size - from : 0);
}

void assay_logfile_close(struct assay_logfile *log)
{
    if (log->fd >= 0)
        close(log->fd);
    log->fd = -1;
}
