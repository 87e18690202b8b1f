/* Bytes of a peer as text that stays on one line and cannot pass for anything
 * else: printable ASCII as it is but for \ and the quote, the rest as \n, \r, \t, \0 or \xHH. */
#ifndef ASSAY_BASE_ESCAPE_H
#define ASSAY_BASE_ESCAPE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Longest text of n bytes. */
#define ASSAY_ESCAPED_MAX(n) ((size_t)(n)*4)

/* Write the text, without a NUL; returns its size, at most ASSAY_ESCAPED_MAX(n). `quote`: escaped as well; 0: none. */
size_t assay_escape(char *to, const uint8_t *bytes, size_t n, char quote);

/* As a JSON string, ASCII whatever the text; each byte that is none as \u00HH. */
void assay_print_json(FILE *to, const char *text);

/* Two digits a byte, in lower case. */
void assay_print_hex(FILE *to, const void *bytes, size_t n);

#endif
