/* The blocking clients that the reference server is tested with. */
#include "ref-server/tests/host.c"
