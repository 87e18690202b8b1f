/* Kinds of values and what can be used as what. */
#ifndef ASSAY_COMPILER_TYPES_H
#define ASSAY_COMPILER_TYPES_H

#include "compiler/spec.h"

extern const struct spec_type assay_type_int, assay_type_bool, assay_type_duration, assay_type_bytes, assay_type_any,
    assay_type_list;

static inline bool assay_kind_is_bytes(uint8_t kind)
{
    return kind == ASSAY_T_BYTES || kind == ASSAY_T_TEXT;
}
static inline bool assay_kind_is_scalar(uint8_t kind)
{
    return kind <= ASSAY_T_DURATION;
}

/* "a number", "bytes", "a Phase": for messages. Valid until the call after the next. */
const char *assay_type_says(const struct spec_type *type);

/* Whether a value of type `is` can stand where `wanted` is expected, bounds aside. */
bool assay_type_usable(const struct spec_type *wanted, const struct spec_type *is);

const struct spec_enum_item *assay_enum_item_named(const struct spec_enum *e, const char *name);
struct spec_enum *assay_find_enum(const struct assay_spec *spec, const char *name);

/* A type of the arena by its built-in name (u16le, text, duration ...); NULL: there is none of this name. */
struct spec_type *assay_type_builtin(struct assay_spec *spec, const char *name);

#endif
