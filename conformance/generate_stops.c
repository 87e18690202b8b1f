/* Servers that are told to stop: others are served on, nobody new is taken, and the last one to go ends it. */
#include <string.h>

#include "conformance/build.h"
#include "core/code.h"

void assay_generate_stops(struct assay_builder *b)
{
    (void)b;
}
