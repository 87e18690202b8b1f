/* --role, --transport and --machine: which side of which links a command is about. */
#ifndef ASSAY_CLI_SIDE_H
#define ASSAY_CLI_SIDE_H

#include "conformance/case.h"

/* What was given on the command line; NULL where nothing was. */
struct assay_cli_side {
    const char *role, *transport;
    const char *machine; /* of clients: one of those that transports name or calls make links for */
};

/* Sets transport, role and machine of `options`; a machine alone tells its role and, where it plays over one, its
 * transport. Prints what is wrong, with what would be right, and returns false. */
bool assay_cli_side(struct assay_suite_options *options, const struct assay_model *model,
                    const struct assay_cli_side *given);

/* All that are left open, each as above: every transport and, of clients, every machine. For the caller to free; NULL:
 * out of memory. `count` 0: what is wrong was printed. */
struct assay_suite_options *assay_cli_sides(const struct assay_model *model, const struct assay_cli_side *given,
                                            size_t *count);

#endif
