#include "compiler/emit.h"

#include <ctype.h>
#include <string.h>

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static void snake(FILE *to, const char *name, bool upper)
{
    for (const char *p = name; *p; p++) {
        bool hump = p > name && is_upper(*p) &&
                    (is_lower_or_digit(p[-1]) || (p[1] && is_lower_or_digit(p[1]) && is_upper(p[-1])));
        if (hump)
            fputc('_', to);
        if (*p == '-')
            fputc('_', to);
        else
            fputc(upper ? toupper((unsigned char)*p) : tolower((unsigned char)*p), to);
    }
}

static void camel(FILE *to, const char *name)
{
    bool start = true;
    for (const char *p = name; *p; p++) {
        if (*p == '-' || *p == '_') {
            start = true;
            continue;
        }
        fputc(start ? toupper((unsigned char)*p) : *p, to);
        start = false;
    }
}

void assay_emit_name(FILE *to, const char *name, enum assay_case custom)
{
    if (custom == ASSAY_CAMEL)
        camel(to, name);
    else
        snake(to, name, custom == ASSAY_UPPER_SNAKE);
}

const char *assay_emit_source_name(const struct assay_model *model)
{
    const char *slash = model->source ? strrchr(model->source, '/') : NULL;
    return slash ? slash + 1 : model->source ? model->source : "a spec";
}

/* What the spec says must neither end a comment nor begin one inside it. */
static void word(FILE *to, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fputc(p[i], to);
        if (i + 1 < n && ((p[i] == '*' && p[i + 1] == '/') || (p[i] == '/' && p[i + 1] == '*')))
            fputc(' ', to);
    }
}

void assay_emit_comment(FILE *to, const char *text)
{
    for (bool first = true; *text; first = false) {
        size_t n = strcspn(text, " \t\r\n");
        fputs(first || n == 0 ? "" : " ", to);
        word(to, text, n);
        text += n;
        text += strspn(text, " \t\r\n");
    }
}

void assay_emit_prose(FILE *to, const char *lead, const char *text)
{
    size_t column = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " \t\r\n");
        if (n > 0 && column > 0 && column + 1 + n > 100) {
            fputc('\n', to);
            column = 0;
        }
        if (n > 0) {
            fputs(column == 0 ? lead : " ", to);
            column = column == 0 ? strlen(lead) + n : column + 1 + n;
            word(to, p, n);
        }
        p += n;
        p += strspn(p, " \t\r\n");
    }
    if (column > 0)
        fputc('\n', to);
}

static uint16_t first_of_name(const struct assay_model *model, uint16_t error)
{
    uint16_t i = 0;
    while (strcmp(model->errors[i].name, model->errors[error].name) != 0)
        i++;
    return i;
}

bool assay_emit_repeated_error(const struct assay_model *model, uint16_t error)
{
    return first_of_name(model, error) != error;
}

unsigned assay_emit_error_number(const struct assay_model *model, uint16_t error)
{
    return 1u + first_of_name(model, error);
}
