/* What the fuzz harnesses share: the spec that they work on.
 *
 * Each harness is a libFuzzer target (LLVMFuzzerTestOneInput) and works for
 * any spec: the environment variable ASSAY_FUZZ_SPEC names it, spec/msglog.yaml
 * is the default, and ASSAY_FUZZ_MACHINE the number of the machine that runs
 * (default: that of the server). Linked with replay.c instead of libFuzzer, the same harness
 * replays files and folders, so that the corpus runs wherever the tests do.
 */
#ifndef ASSAY_FUZZ_TARGET_H
#define ASSAY_FUZZ_TARGET_H

#include "core/codec.h"
#include "core/engine.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The model of the spec under test, loaded once. Ends the program when the spec has errors. */
const struct assay_model *fuzz_model(void);

/* The machine under test, in model->machines. */
uint16_t fuzz_machine(void);

/* Ends the program with a message: the harness found a fault. */
_Noreturn void fuzz_fault(const char *what);

static inline void fuzz_require(bool holds, const char *what)
{
    if (!holds)
        fuzz_fault(what);
}

#endif
