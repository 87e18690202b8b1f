/* Memory that a spec owns: taken piece by piece, given back all at once. */
#ifndef ASSAY_COMPILER_ARENA_H
#define ASSAY_COMPILER_ARENA_H

#include <stddef.h>

struct assay_arena {
    struct assay_arena_block *blocks;
};

/* `size` zeroed bytes, aligned for anything. Never NULL: without memory the program ends. */
void *assay_arena_alloc(struct assay_arena *arena, size_t size);
void *assay_arena_copy(struct assay_arena *arena, const void *bytes, size_t size);

/* A NUL-terminated copy. */
char *assay_arena_text(struct assay_arena *arena, const char *text, size_t size);

char *assay_arena_printf(struct assay_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `old` moved to room for at least one more element of `size`, when `count` of `*capacity` are in use. */
void *assay_arena_grow(struct assay_arena *arena, void *old, size_t count, size_t *capacity, size_t size);

void assay_arena_free(struct assay_arena *arena);

#define ASSAY_NEW(arena, type) ((type *)assay_arena_alloc((arena), sizeof(type)))

#endif
