/* What one `assay test` judges: machines of a spec over its transports, one after another. */
#ifndef ASSAY_CLI_TEST_PARTS_H
#define ASSAY_CLI_TEST_PARTS_H

#include "cli/settings.h"
#include "conformance/guest.h"
#include "conformance/target.h"

#define ASSAY_TEST_PARTS_MAX 8

struct assay_test_wanted {
    const char *spec_path, *place;
    const char *role, *transport, *upper, *filter; /* as given, or NULL */
    uint8_t timed;                                 /* enum assay_suite_timed */
    uint64_t seed;
    bool strict;
};

struct assay_test_part {
    struct assay_suite *suite;
    enum assay_carrier carrier;
    uint8_t role;                          /* enum assay_role */
    struct assay_guest_plan guest;         /* of a client */
    const struct assay_terminal *terminal; /* how it shows what it does; NULL: it does not */
    bool screen;                           /* and that is judged */
    char *name;                            /* where there are several; else NULL */
};

struct assay_test_parts {
    struct assay_test_part items[ASSAY_TEST_PARTS_MAX];
    size_t count;
    char passed_over[400]; /* what of the role is not judged, and which option has it judged; or empty */
};

/* `target`: where something listens; it is asked what it offers, unless `transport` says what is wanted. NULL: nothing
 * is asked. False: there is nothing to judge; what is wrong was printed. */
bool assay_test_parts_make(struct assay_test_parts *parts, const struct assay_test_wanted *wanted,
                           const struct assay_spec *spec, const struct assay_settings *settings,
                           struct assay_target *target);
void assay_test_parts_free(struct assay_test_parts *parts);

size_t assay_test_parts_cases(const struct assay_test_parts *parts);

#endif
