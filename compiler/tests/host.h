/* Specs and one session of a machine, run by core on memory. Every failure ends the test. */
#ifndef ASSAY_COMPILER_TESTS_HOST_H
#define ASSAY_COMPILER_TESTS_HOST_H

#include "compiler/compiler.h"
#include "core/engine.h"

/* A spec of the repository, which has a model; and one from text. Freed by the caller. */
struct assay_spec *load(const char *name);
struct assay_spec *parse(const char *text);

struct host {
    const struct assay_model *model;
    struct assay_engine *engine;
    void *memory;
    assay_sid sid;
    uint8_t bytes[200000];
    struct assay_out out;
    struct assay_cut cuts[4];
};

/* A session of a machine, by its index; what it sends when it opens stands in `out`. */
struct host *open_host(const struct assay_model *model, uint16_t machine);
void close_host(struct host *h);

enum assay_rc feed(struct host *h, const char *bytes, size_t size);
#define FEED(h, text) feed((h), text, sizeof(text) - 1)

/* All that was sent since the last time is this. */
void sent(struct host *h, const char *bytes, size_t size);
#define SENT(h, text) sent((h), text, sizeof(text) - 1)

const char *state_of(struct host *h);
struct assay_event take(struct host *h);

#endif
