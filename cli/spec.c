#include "cli/cli.h"

struct assay_spec *assay_cli_spec(const char *path)
{
    struct assay_diags diags = {0};
    struct assay_spec *spec = assay_spec_load(path, &diags);
    if (spec && !assay_spec_model(spec)) {
        assay_diags_print(&diags, stderr);
        fprintf(stderr, "%s: this version cannot run what the notes name\n", path);
        assay_spec_free(spec);
        spec = NULL;
    } else if (!spec) {
        assay_diags_print(&diags, stderr);
    }
    assay_diags_free(&diags);
    return spec;
}
