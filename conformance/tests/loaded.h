/* The bundled specs, loaded for tests. Tests run in the repository's root. */
#ifndef ASSAY_CONFORMANCE_TESTS_LOADED_H
#define ASSAY_CONFORMANCE_TESTS_LOADED_H

#include "conformance/case.h"
#include "conformance/oracle.h"

struct assay_spec *load_spec(const char *path);

/* The spec in the file with one piece of its text, which must be there once, exchanged for another: as a file, which
 * the caller removes, and loaded. */
#define CHANGED_PATH_MAX 64
void write_changed(const char *path, const char *from, const char *to, char changed[CHANGED_PATH_MAX]);
struct assay_spec *load_changed(const char *path, const char *from, const char *to);

uint16_t state_named(const struct assay_model *model, const char *name);
uint16_t requirement_named(const struct assay_model *model, const char *id);
uint16_t message_named(const struct assay_model *model, const char *name);
const struct assay_case *case_named(const struct assay_suite *suite, const char *id);

/* A spec's oracle for its server, whose links are connected, or its client, whose are not yet; granting what is granted
 * by default. */
struct watched {
    struct assay_spec *spec;
    const struct assay_model *model;
    struct assay_oracle *o;
};
struct watched watch_server(const char *path, uint8_t links);
struct watched watch_client(const char *path, uint8_t links);
void unwatch(struct watched *w);

#endif
