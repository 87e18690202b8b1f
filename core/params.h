/* Values of a model's options from texts, "NAME=VALUE": numbers with units of
 * size (KiB, MiB, GiB), durations (ns, us, ms, s, min; without one: s), true
 * or false, names of enum items, text as it is. */
#ifndef ASSAY_CORE_PARAMS_H
#define ASSAY_CORE_PARAMS_H

#include "core/model.h"

enum assay_param_status {
    ASSAY_PARAM_SET,
    ASSAY_PARAM_NO_PAIR,  /* no '=' */
    ASSAY_PARAM_UNKNOWN,  /* the model has none of this name */
    ASSAY_PARAM_TOO_LONG, /* the value */
    ASSAY_PARAM_NO_VALUE, /* of its type */
    ASSAY_PARAM_OUTSIDE,  /* of what the type allows */
};

struct assay_param_read {
    enum assay_param_status status;
    uint16_t option;    /* of the model; from TOO_LONG on */
    const char *wanted; /* NO_VALUE: "a number" */
    const char *value;  /* in the text; from TOO_LONG on, and if SET */
};

/* `options` is the caller's copy of the model's, of which one is set; texts are those given, not copied. `size` is
 * without the NUL. */
struct assay_param_read assay_param_read(const struct assay_model *model, const char *text, size_t size,
                                         struct assay_option *options);

#endif
