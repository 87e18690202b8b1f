/* The bundled specs, loaded for tests. Tests run in the repository's root. */
#ifndef ASSAY_CONFORMANCE_TESTS_LOADED_H
#define ASSAY_CONFORMANCE_TESTS_LOADED_H

#include "compiler/compiler.h"

struct assay_spec *load_spec(const char *path);

/* The spec in the file with one piece of its text, which must be there once, exchanged for another: as a file, which
 * the caller removes, and loaded. */
#define CHANGED_PATH_MAX 64
void write_changed(const char *path, const char *from, const char *to, char changed[CHANGED_PATH_MAX]);
struct assay_spec *load_changed(const char *path, const char *from, const char *to);

uint16_t state_named(const struct assay_model *model, const char *name);
uint16_t requirement_named(const struct assay_model *model, const char *id);
uint16_t message_named(const struct assay_model *model, const char *name);

#endif
