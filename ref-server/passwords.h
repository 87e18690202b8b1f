/* Names and salted hashes: a file of `name:hash` lines as crypt(3) makes them.
 * A name may hold anything but a colon, LF and NUL; empty lines and those that
 * begin with # are skipped. */
#ifndef ASSAY_REF_SERVER_PASSWORDS_H
#define ASSAY_REF_SERVER_PASSWORDS_H

#include "core/value.h"
#include "net/address.h"

struct assay_passwords;

/* Read the file; NULL: *error names it, and the line. */
struct assay_passwords *assay_passwords_load(int folder, const char *name, struct assay_net_error *error);

/* Whether the password is that of the name. Takes as long for a name that is
 * not there as for one that is; slow by design. One thread at a time. */
bool assay_passwords_match(struct assay_passwords *passwords, struct assay_span name, struct assay_span password);

void assay_passwords_free(struct assay_passwords *passwords);

#endif
