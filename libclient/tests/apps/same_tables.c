/* Prints the compiled-in tables of a protocol as the emitter writes them: a
 * model that went through C must come out as it went in. */
#include "compiler/emit.h"

extern const struct assay_model MODEL;

int main(void)
{
    assay_emit_c_tables(&MODEL, stdout);
    return 0;
}
