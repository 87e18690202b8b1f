/* The parts of generated Python clients that are the same for every protocol: python_head.py and python_runtime.py, and
 * python_reliable.py for those that acknowledge messages, built into the program. */
#ifndef ASSAY_COMPILER_PYTHON_TEXT_H
#define ASSAY_COMPILER_PYTHON_TEXT_H

extern const char assay_python_head[], assay_python_runtime[], assay_python_reliable[]; /* NUL-terminated */

#endif
