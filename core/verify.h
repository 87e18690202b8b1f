/* Checks of a model before it runs: what assay_code_verify() (code.h) is made of. */
#ifndef ASSAY_CORE_VERIFY_H
#define ASSAY_CORE_VERIFY_H

#include "core/model.h"

/* Whether fields, pairs, objects, what stands ahead and frames refer to what there is. Part of assay_code_verify(). */
bool assay_tables_verify(const struct assay_model *model);

#endif
