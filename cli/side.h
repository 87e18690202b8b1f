/* --role and --transport: which side of which links a command is about. */
#ifndef ASSAY_CLI_SIDE_H
#define ASSAY_CLI_SIDE_H

#include "conformance/case.h"

/* Sets transport and role of `options` from what was given on the command line, NULL where nothing was. Prints what is
 * wrong, with what would be right, and returns false. */
bool assay_cli_side(struct assay_suite_options *options, const struct assay_model *model, const char *role,
                    const char *transport);

#endif
