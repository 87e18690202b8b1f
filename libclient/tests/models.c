/* The hand-made protocols that core is tested with. */
#include "core/tests/models.c"
