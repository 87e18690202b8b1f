#include "compiler/python_text.h"

/* clang-format off */
const char assay_python_head[] = {
#include "compiler/python_head.inc"
    0};

const char assay_python_runtime[] = {
#include "compiler/python_runtime.inc"
    0};

const char assay_python_reliable[] = {
#include "compiler/python_reliable.inc"
    0};
