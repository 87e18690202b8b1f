/* A lowered model in words, code disassembled: for whoever works on the compiler. */
#ifndef ASSAY_CLI_DUMP_H
#define ASSAY_CLI_DUMP_H

#include <stdio.h>

#include "core/model.h"

void assay_dump(const struct assay_model *model, FILE *to);

#endif
