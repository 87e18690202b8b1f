#include "conformance/observe.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool assay_observer_add(struct assay_observers *observers, const char *text)
{
    size_t n = strcspn(text, "=");
    struct assay_observer *o = &observers->items[observers->count];
    if (observers->count == ASSAY_OBSERVERS_MAX || n == 0 || n >= sizeof o->name || text[n] == '\0' || !text[n + 1])
        return false;
    *o = (struct assay_observer){.place = text + n + 1};
    memcpy(o->name, text, n);
    if (strncmp(o->place, "cmd:", 4) == 0) {
        o->command = true;
        o->place += 4;
    } else {
        o->command = strpbrk(o->place, " \t|;") && access(o->place, F_OK) != 0;
    }
    observers->count++;
    return true;
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
    v->file = o->command ? popen(o->place, "re") : fopen(o->place, "re");
    v->absent = !v->file && !o->command && errno == ENOENT;
    if (v->file && !o->command && fseeko(v->file, (off_t)v->skip, SEEK_SET) == 0)
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
    return v->observer->command ? pclose(v->file) == 0 : fclose(v->file) == 0;
}

bool assay_observer_begin(struct assay_observer *o)
{
    uint8_t bytes[16384];
    struct view v;
    o->before = 0;
    if (!view_open(&v, o))
        return false;
    uint64_t size = 0;
    if (!o->command && v.file && fseeko(v.file, 0, SEEK_END) == 0)
        size = (uint64_t)ftello(v.file);
    else
        for (size_t n; (n = view_read(&v, bytes, sizeof bytes)) > 0;)
            size += n;
    o->before = size;
    return view_close(&v);
}

enum assay_sight assay_observer_look(struct assay_observer *o, struct assay_span expected, uint8_t *seen, uint32_t cap,
                                     uint64_t *seen_n)
{
    uint8_t bytes[16384];
    struct view v;
    bool same = true;
    *seen_n = 0;
    if (!view_open(&v, o))
        return ASSAY_SIGHT_BLIND;
    for (size_t n; (n = view_read(&v, bytes, sizeof bytes)) > 0; *seen_n += n) {
        uint64_t at = *seen_n;
        same = same && at + n <= expected.n && memcmp(bytes, expected.p + at, n) == 0;
        size_t room = at < cap ? cap - (size_t)at : 0;
        if (room)
            memcpy(seen + at, bytes, n < room ? n : room);
    }
    if (!view_close(&v))
        return ASSAY_SIGHT_BLIND;
    if (!same)
        return ASSAY_SIGHT_OTHER;
    return *seen_n == expected.n ? ASSAY_SIGHT_SAME : ASSAY_SIGHT_PART;
}
