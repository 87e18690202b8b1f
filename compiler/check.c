#include "compiler/spec.h"

void assay_check_semantics(struct assay_spec *spec)
{
    (void)spec;
}
