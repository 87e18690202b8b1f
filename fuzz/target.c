#include "fuzz/target.h"

#include <stdio.h>
#include <stdlib.h>

#include "compiler/compiler.h"

static const struct assay_model *load(const char *path)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path, &diags);
    const struct assay_model *model = spec ? assay_spec_model(spec) : NULL;
    if (!model) {
        assay_diags_print(&diags, stderr);
        fprintf(stderr, "fuzz: %s cannot be run\n", path);
        exit(4);
    }
    assay_diags_free(&diags);
    return model;
}

const struct assay_model *fuzz_model(void)
{
    static const struct assay_model *model;
    if (!model) {
        const char *path = getenv("ASSAY_FUZZ_SPEC");
        model = load(path ? path : "spec/msglog.yaml");
    }
    return model;
}

uint16_t fuzz_machine(void)
{
    const struct assay_model *model = fuzz_model();
    const char *number = getenv("ASSAY_FUZZ_MACHINE");
    if (!number)
        return model->server != ASSAY_NONE ? model->server : model->client;
    unsigned long machine = strtoul(number, NULL, 10);
    if (machine >= model->machines_count) {
        fprintf(stderr, "fuzz: %s has no machine number %s\n", model->protocol, number);
        exit(4);
    }
    return (uint16_t)machine;
}

void fuzz_fault(const char *what)
{
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}
