/* The bundled specs, loaded for tests. Tests run in the repository's root. */
#ifndef ASSAY_CONFORMANCE_TESTS_LOADED_H
#define ASSAY_CONFORMANCE_TESTS_LOADED_H

#include "compiler/compiler.h"

struct assay_spec *load_spec(const char *path);
uint16_t state_named(const struct assay_model *model, const char *name);
uint16_t requirement_named(const struct assay_model *model, const char *id);
uint16_t message_named(const struct assay_model *model, const char *name);

#endif
