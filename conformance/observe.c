#include "conformance/observe.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *text;
    uint8_t kind;
} streams[] = {{"stdout", ASSAY_EYE_STDOUT}, {"stderr", ASSAY_EYE_STDERR}};

static void set_kind(struct assay_observer *o)
{
    bool command = strncmp(o->place, "cmd:", 4) == 0;
    o->place += command ? 4 : 0;
    command = command || (strpbrk(o->place, " \t|;") && access(o->place, F_OK) != 0);
    o->kind = command ? ASSAY_EYE_COMMAND : ASSAY_EYE_FILE;
    for (size_t i = 0; !command && i < sizeof streams / sizeof streams[0]; i++)
        if (strcmp(o->place, streams[i].text) == 0)
            o->kind = streams[i].kind;
}

bool assay_observer_add(struct assay_observers *observers, const char *text)
{
    size_t n = strcspn(text, "=");
    struct assay_observer *o = &observers->items[observers->count];
    if (observers->count == ASSAY_OBSERVERS_MAX || n == 0 || n >= sizeof o->name || text[n] == '\0' || !text[n + 1])
        return false;
    *o = (struct assay_observer){.place = text + n + 1};
    memcpy(o->name, text, n);
    set_kind(o);
    observers->count++;
    return true;
}

void assay_observer_remove(struct assay_observers *observers, size_t i)
{
    struct assay_observer *o = &observers->items[i];
    while (o->known_count)
        free(o->known[--o->known_count]);
    free(o->known);
    *o = observers->items[--observers->count];
}

void assay_observers_free(struct assay_observers *observers)
{
    while (observers->count)
        assay_observer_remove(observers, observers->count - 1);
}

struct assay_observer *assay_observer_find(struct assay_observers *observers, const char *name)
{
    for (size_t i = 0; i < observers->count; i++)
        if (strcmp(observers->items[i].name, name) == 0)
            return &observers->items[i];
    return NULL;
}

struct view {
    const struct assay_observer *observer;
    FILE *file;
    uint64_t skip;
    bool absent; /* a file that is not there yet is empty */
};

static bool view_open(struct view *v, const struct assay_observer *o)
{
    *v = (struct view){.observer = o, .skip = o->before};
    v->file = (o->kind == ASSAY_EYE_COMMAND) ? popen(o->place, "re") : fopen(o->place, "re");
    v->absent = !v->file && !(o->kind == ASSAY_EYE_COMMAND) && errno == ENOENT;
    if (v->file && !(o->kind == ASSAY_EYE_COMMAND) && fseeko(v->file, (off_t)v->skip, SEEK_SET) == 0)
        v->skip = 0;
    return v->file || v->absent;
}

static size_t view_read(struct view *v, uint8_t *bytes, size_t cap)
{
    for (;;) {
        size_t n = v->file ? fread(bytes, 1, cap, v->file) : 0;
        if (n == 0 || v->skip == 0)
            return n;
        size_t dropped = n < v->skip ? n : (size_t)v->skip;
        v->skip -= dropped;
        memmove(bytes, bytes + dropped, n - dropped);
        if (n > dropped)
            return n - dropped;
    }
}

/* False: the command failed. */
static bool view_close(struct view *v)
{
    if (!v->file)
        return true;
    return v->observer->kind == ASSAY_EYE_COMMAND ? pclose(v->file) == 0 : fclose(v->file) == 0;
}

static enum assay_stream stream_of(const struct assay_observer *o)
{
    return o->kind == ASSAY_EYE_STDERR ? ASSAY_STREAM_ERR : ASSAY_STREAM_OUT;
}

bool assay_observer_begin(struct assay_observer *o, struct assay_target *target)
{
    uint8_t bytes[16384];
    struct view v;
    o->before = 0;
    if (assay_observer_is_stream(o))
        return target && assay_target_keep(target, stream_of(o));
    if (!view_open(&v, o))
        return false;
    uint64_t size = 0;
    if (!(o->kind == ASSAY_EYE_COMMAND) && v.file && fseeko(v.file, 0, SEEK_END) == 0)
        size = (uint64_t)ftello(v.file);
    else
        for (size_t n; (n = view_read(&v, bytes, sizeof bytes)) > 0;)
            size += n;
    o->before = size;
    return view_close(&v);
}

/* ---- lines ------------------------------------------------------------- */

/* The size of a line without a count in parentheses behind it. */
static size_t without_count(const char *line, size_t n)
{
    size_t i = n;
    if (i == 0 || line[--i] != ')')
        return n;
    while (i > 0 && isdigit((unsigned char)line[i - 1]))
        i--;
    return i >= 2 && i < n - 1 && line[i - 1] == '(' && line[i - 2] == ' ' ? i - 2 : n;
}

static bool is_known(const struct assay_observer *o, const char *line, size_t n)
{
    bool known = false;
    for (size_t i = 0; i < o->known_count && !known; i++)
        known = strlen(o->known[i]) == n + 1 && memcmp(o->known[i], line, n) == 0;
    return known;
}

static void learn(struct assay_observer *o, struct assay_span record)
{
    if (record.n == 0 || record.p[record.n - 1] != '\n' || is_known(o, (const char *)record.p, record.n - 1))
        return;
    if (o->known_count == o->known_cap) {
        size_t cap = o->known_cap ? 2 * o->known_cap : 16;
        char **bigger = realloc(o->known, cap * sizeof *bigger);
        if (!bigger)
            return;
        o->known = bigger;
        o->known_cap = cap;
    }
    char *copy = strndup((const char *)record.p, record.n);
    if (copy)
        o->known[o->known_count++] = copy;
}

/* Leave the lines that are known, without counts, in place; a line that has not ended is none yet. */
static size_t keep_known(const struct assay_observer *o, char *text, size_t n)
{
    size_t kept = 0;
    for (char *line = text, *end; (end = memchr(line, '\n', n - (size_t)(line - text))); line = end + 1) {
        size_t whole = (size_t)(end - line), bare = without_count(line, whole);
        size_t size = is_known(o, line, whole) ? whole : bare;
        if (!is_known(o, line, size))
            continue;
        memmove(text + kept, line, size);
        kept += size;
        text[kept++] = '\n';
    }
    return kept;
}

/* ---- looking ----------------------------------------------------------- */

/* All that is new, as far as it is of use; the caller frees it. NULL: blind. */
static char *read_new(struct assay_observer *o, struct assay_target *target, size_t most, size_t *n)
{
    struct view v;
    *n = 0;
    if (assay_observer_is_stream(o)) {
        struct assay_span all = assay_target_wrote(target, stream_of(o));
        char *copy = malloc(all.n + 1u);
        if (copy && all.n)
            memcpy(copy, all.p, all.n);
        *n = copy ? all.n : 0;
        return copy;
    }
    char *bytes = malloc(most);
    if (!bytes || !view_open(&v, o)) {
        free(bytes);
        return NULL;
    }
    uint8_t rest[4096];
    for (size_t got; *n < most && (got = view_read(&v, (uint8_t *)bytes + *n, most - *n)) > 0;)
        *n += got;
    while (*n == most && view_read(&v, rest, sizeof rest) > 0) /* a command that cannot write fails */
        ;
    if (view_close(&v))
        return bytes;
    free(bytes);
    return NULL;
}

#define NOISE_MAX (4u << 20) /* lines that are none of the effect's, in one case */

enum assay_sight assay_observer_look(struct assay_observer *o, struct assay_target *target,
                                     const struct assay_record *records, uint32_t count, uint8_t *seen, uint32_t cap,
                                     uint64_t *seen_n)
{
    size_t n, most = cap + 1u + (o->lines ? NOISE_MAX : 0);
    for (uint32_t i = 0; i < count; i++)
        most += records[i].bytes.n;
    char *bytes = read_new(o, target, most, &n);
    *seen_n = n;
    if (!bytes)
        return ASSAY_SIGHT_BLIND;
    for (uint32_t i = 0; o->lines && i < count; i++)
        learn(o, records[i].bytes);
    if (o->lines)
        *seen_n = n = keep_known(o, bytes, n);
    memcpy(seen, bytes, n < cap ? n : cap);
    enum assay_sight sight = assay_weave(records, count, (struct assay_span){(const uint8_t *)bytes, (uint32_t)n});
    free(bytes);
    return sight;
}
