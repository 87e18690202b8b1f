#include "base/escape.h"

#include <string.h>

static const char letters[] = "\n\r\t\0\\";
static const char names[] = "nrt0\\";

static size_t escape_byte(char *to, uint8_t byte, char quote)
{
    static const char digits[] = "0123456789abcdef";
    const char *special = memchr(letters, byte, sizeof letters - 1);
    if (special) {
        to[0] = '\\';
        to[1] = names[special - letters];
        return 2;
    }
    if (quote && byte == (uint8_t)quote) {
        to[0] = '\\';
        to[1] = quote;
        return 2;
    }
    if (byte >= 0x20 && byte < 0x7f) {
        to[0] = (char)byte;
        return 1;
    }
    memcpy(to, "\\x", 2);
    to[2] = digits[byte >> 4];
    to[3] = digits[byte & 15];
    return 4;
}

size_t assay_escape(char *to, const uint8_t *bytes, size_t n, char quote)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        used += escape_byte(to + used, bytes[i], quote);
    return used;
}

void assay_print_json(FILE *to, const char *text)
{
    fputc('"', to);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(to, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(to, "\\u%04x", c);
        else
            fputc(c, to);
    }
    fputc('"', to);
}

void assay_print_hex(FILE *to, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%02x", p[i]);
}
