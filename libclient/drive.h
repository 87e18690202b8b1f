/* Inside the program for every protocol. */
#ifndef ASSAY_LIBCLIENT_DRIVE_H
#define ASSAY_LIBCLIENT_DRIVE_H

#include <stdio.h>

#include "core/model.h"
#include "libclient/assay.h"

struct assay_drive {
    const struct assay_model *model;
    const char *address;
    struct assay_client_options options; /* `effect`, `trace` and `user` are set here */
    bool run;   /* connect at once, end with the machine; else orders come from standard input */
    bool trace; /* frames to standard error */
};

/* Exit statuses, those of the program `assay`. */
enum assay_drive_exit { ASSAY_DRIVE_OK, ASSAY_DRIVE_FAILED, ASSAY_DRIVE_USAGE = 4, ASSAY_DRIVE_UNREACHABLE = 69 };

/* Until the end of standard input, or of the machine. */
int assay_drive(struct assay_drive *drive);

/* ---- drive_words.c: values as words of a line ------------------------------- */

/* A value as a word, or part of one: what is not plain is percent-encoded. */
void assay_word_print(const struct assay_model *model, uint16_t type, const struct assay_value *value, FILE *to);
void assay_word_bytes(const void *bytes, size_t size, FILE *to);

void assay_word_list(const struct assay_value *value, FILE *to); /* numbers with commas between them */

/* What a digit stands for; -1: it is none. */
int assay_word_hex_digit(char c);

/* A word to a value; it is decoded where it stands. `room` is 8-byte aligned memory, of which *used bytes are taken:
 * lists need at most 8 bytes for each of the word's. False: it is none of that type. */
bool assay_word_read(const struct assay_model *model, uint16_t type, char *word, struct assay_value *value,
                     uint8_t *room, size_t *used);

/* The default of a parameter, its bytes in `room` (at most ASSAY_WORD_DEFAULT_MAX); false: it has none. */
#define ASSAY_WORD_DEFAULT_MAX 4096u
bool assay_word_default(const struct assay_model *model, const struct assay_param *param, struct assay_value *value,
                        uint8_t *room, size_t *used);

#endif
