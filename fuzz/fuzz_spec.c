/* The spec reader on arbitrary text: every input gives a spec or errors, never
 * a crash, a leak or an error without a place in words. */
#include "fuzz/target.h"

#include <string.h>

#include "compiler/compiler.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_parse("input.yaml", data, size, &diags);
    fuzz_require(spec || diags.errors > 0, "a spec was refused without an error");
    fuzz_require(!spec || diags.errors == 0, "a spec with errors was accepted");
    for (size_t i = 0; i < diags.count; i++)
        fuzz_require(diags.items[i].text && strlen(diags.items[i].text) > 0, "a diagnostic without text");
    assay_spec_free(spec);
    assay_diags_free(&diags);
    return 0;
}
