#include "ref-server/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the file ---------------------------------------------------------- */

/* Where neither the folder nor /tmp can make files without a name. */
static int named_and_removed(void)
{
    char name[] = "/tmp/assay-spool-XXXXXX";
    int fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        unlink(name);
    return fd;
}

static int open_nameless(int folder)
{
    int fd = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EMFILE && errno != ENFILE)
        fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return fd < 0 && errno != EMFILE && errno != ENFILE ? named_and_removed() : fd;
}

static bool write_at(int fd, const uint8_t *bytes, size_t size, int64_t at)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, bytes, size, at);
        if (n <= 0 && errno != EINTR)
            return false;
        if (n > 0) {
            bytes += n;
            size -= (size_t)n;
            at += n;
        }
    }
    return true;
}

/* What is in memory moves to the file, which then has `filed` bytes. */
static bool spill(struct assay_spool *s, int folder)
{
    if (s->fd < 0)
        s->fd = open_nameless(folder);
    if (s->fd < 0 || !write_at(s->fd, s->bytes, s->size, s->filed))
        return false;
    s->filed += s->size;
    s->size = 0;
    return true;
}

/* ---- gathering --------------------------------------------------------- */

static struct assay_spool **find(struct assay_spool **list, const void *place)
{
    while (*list && (*list)->place != place)
        list = &(*list)->next;
    return list;
}

static struct assay_spool *find_or_make(struct assay_spool **list, const void *place)
{
    struct assay_spool **at = find(list, place);
    if (!*at && (*at = calloc(1, sizeof **at)) != NULL)
        **at = (struct assay_spool){.place = place, .fd = -1};
    return *at;
}

static bool room_for(struct assay_spool *s, uint32_t size)
{
    uint32_t cap = s->cap ? s->cap : 256;
    while (cap < size)
        cap *= 2;
    uint8_t *bytes = cap > s->cap ? realloc(s->bytes, cap) : s->bytes;
    if (!bytes)
        return false;
    s->bytes = bytes;
    s->cap = cap;
    return true;
}

static bool keep_in_memory(struct assay_spool *s, const struct assay_span *spans, size_t count, uint32_t size)
{
    if (!room_for(s, s->size + size))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].n > 0)
            memcpy(s->bytes + s->size, spans[i].p, spans[i].n);
        s->size += spans[i].n;
    }
    return true;
}

static bool keep_in_file(struct assay_spool *s, const struct assay_span *spans, size_t count)
{
    int64_t at = s->filed;
    for (size_t i = 0; i < count; i++) {
        if (!write_at(s->fd, spans[i].p, spans[i].n, at))
            return false;
        at += spans[i].n;
    }
    s->filed = at;
    return true;
}

bool assay_spool_add(struct assay_spool **list, const void *place, int folder, const struct assay_span *spans,
                     size_t count)
{
    struct assay_spool *s = find_or_make(list, place);
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += spans[i].n;
    if (!s)
        return false;
    if (s->size + size <= ASSAY_SPOOL_MEMORY)
        return keep_in_memory(s, spans, count, (uint32_t)size);
    if (!spill(s, folder))
        return false;
    return size <= ASSAY_SPOOL_MEMORY ? keep_in_memory(s, spans, count, (uint32_t)size) : keep_in_file(s, spans, count);
}

/* ---- releasing --------------------------------------------------------- */

struct assay_spool *assay_spool_take(struct assay_spool **list, const void *place)
{
    struct assay_spool **at = find(list, place), *s = *at;
    if (s) {
        *at = s->next;
        s->next = NULL;
    }
    return s;
}

static bool pour_file(const struct assay_spool *s, uint8_t *block, bool (*put)(void *, const void *, size_t), void *to)
{
    for (int64_t at = 0; at < s->filed;) {
        int64_t left = s->filed - at;
        ssize_t n = pread(s->fd, block, left < ASSAY_SPOOL_MEMORY ? (size_t)left : ASSAY_SPOOL_MEMORY, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !put(to, block, (size_t)n))
            return false;
        at += n;
    }
    return true;
}

bool assay_spool_pour(const struct assay_spool *s, bool (*put)(void *to, const void *bytes, size_t size), void *to)
{
    uint8_t *block = s->filed > 0 ? malloc(ASSAY_SPOOL_MEMORY) : NULL;
    bool ok = s->filed == 0 || (block && pour_file(s, block, put, to));
    free(block);
    return ok && (s->size == 0 || put(to, s->bytes, s->size));
}

uint64_t assay_spool_size(const struct assay_spool *s)
{
    return s ? (uint64_t)s->filed + s->size : 0;
}

void assay_spool_free(struct assay_spool *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free(s->bytes);
    free(s);
}

void assay_spool_free_all(struct assay_spool **list)
{
    for (struct assay_spool *s; (s = *list) != NULL;) {
        *list = s->next;
        assay_spool_free(s);
    }
}
