/* Reading a type: what read_types.c, read_forms.c and read_refine.c share. */
#ifndef ASSAY_COMPILER_READ_TYPE_H
#define ASSAY_COMPILER_READ_TYPE_H

#include "compiler/read.h"

/* Keys of a type's mapping. */
enum {
    T_TYPE,
    T_ENUM,
    T_OF,
    T_OPEN,
    T_FOLD,
    T_BYTES,
    T_TEXT,
    T_CHARSET,
    T_DECIMAL,
    T_HEX,
    T_VARINT,
    T_CONST,
    T_LIST,
    T_COUNT,
    T_UNTIL,
    T_MOST,
    T_CALC,
    T_MIN,
    T_MAX,
    T_IN,
    T_CHARS,
    T_FIRST,
    T_NOT,
    T_CHECK,
    T_FAULT,
    T_REQ,
    T_SAMPLES,
    T_LOOSE,
    T_OUTSIDE,

    T_RECORD,
    T_CHOICE,
    T_SWITCH,
    T_BAG,
    T_FORMS,
    T_PAIRS,
    T_JSON,
    T_IS,
    T_DEFAULT,
    T_IF,
    T_INIT,
    T_OPTIONAL,
    T_WILD,
    T_VALUE,
    T_DEPTH,
    T_MEMBERS,
    T_UNKNOWN,
    T_BAD_VALUE,
    T_SORT,
    T_TAG,
    T_MANY,
    T_SEPARATOR,
    T_RUN,
    T_NAME,
    T_SORTED,
    T_DUPLICATES,
    T_WRITE,
    T_LEAD,
    T_TAIL,
    T_MISSING,
    T_FLAT,
    T_KEY,
    T_PAIR,
    T_CHOSEN,
    T_KEYS
};

extern const struct shape_key assay_type_keys[T_KEYS];

struct reading {
    struct assay_spec *spec;
    const struct assay_node *node;
    const struct assay_node *of[T_KEYS];
    struct spec_type *type;
};

/* The base that `type:` names; an unknown one counts as anything, so that one mistake gives one error. */
void assay_read_base_type(struct reading *r);

/* What the type is, from whichever of the form keys is there. `name`: of the type, or NULL. */
void assay_read_form(struct reading *r, const char *name);

/* What narrows it. */
void assay_refine_type(struct reading *r);

/* Structured text (read_structured.c). */
void assay_form_pairs(struct reading *r);
void assay_form_json(struct reading *r);

uint8_t assay_read_charset(struct reading *r, uint8_t otherwise);

#endif
