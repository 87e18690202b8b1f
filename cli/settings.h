/* NAME=VALUE options that change how a spec runs: limits, params, leniencies. */
#ifndef ASSAY_CLI_SETTINGS_H
#define ASSAY_CLI_SETTINGS_H

#include "base/args.h"
#include "core/engine.h"

struct assay_settings {
    struct assay_model model; /* that of the spec, with the params given as the values of its options */
    struct assay_limits limits;
    uint64_t leniencies;
    struct assay_option *options; /* the model's; owned, as are their texts */
    char **texts;
};

/* Apply what was given on the command line to the spec's defaults. Prints what
 * is wrong, with what would be right, and returns false; any list may be NULL. */
bool assay_settings_read(struct assay_settings *settings, const struct assay_model *model,
                         const struct assay_arg_list *limits, const struct assay_arg_list *params,
                         const struct assay_arg_list *lenient, bool strict);
void assay_settings_free(struct assay_settings *settings);

#endif
