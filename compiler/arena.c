#include "compiler/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct assay_arena_block {
    struct assay_arena_block *next;
    size_t used, size;
    max_align_t bytes[];
};

#define BLOCK_SIZE ((size_t)64 * 1024)

static struct assay_arena_block *block_new(size_t size)
{
    struct assay_arena_block *block = calloc(1, sizeof *block + size);
    if (!block) {
        fputs("assay: out of memory\n", stderr);
        abort();
    }
    block->size = size;
    return block;
}

void *assay_arena_alloc(struct assay_arena *arena, size_t size)
{
    size_t align = _Alignof(max_align_t);
    size = (size + align - 1) / align * align;
    struct assay_arena_block *block = arena->blocks;
    if (!block || block->size - block->used < size) {
        block = block_new(size > BLOCK_SIZE ? size : BLOCK_SIZE);
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *p = (char *)block->bytes + block->used;
    block->used += size;
    return p;
}

void *assay_arena_copy(struct assay_arena *arena, const void *bytes, size_t size)
{
    void *p = assay_arena_alloc(arena, size);
    if (size)
        memcpy(p, bytes, size);
    return p;
}

char *assay_arena_text(struct assay_arena *arena, const char *text, size_t size)
{
    char *p = assay_arena_alloc(arena, size + 1);
    if (size)
        memcpy(p, text, size);
    return p;
}

char *assay_arena_printf(struct assay_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = assay_arena_alloc(arena, (size_t)n + 1);
    va_start(args, format);
    vsnprintf(p, (size_t)n + 1, format, args);
    va_end(args);
    return p;
}

void *assay_arena_grow(struct assay_arena *arena, void *old, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return old;
    size_t bigger = *capacity ? 2 * *capacity : 8;
    void *p = assay_arena_alloc(arena, bigger * size);
    if (count)
        memcpy(p, old, count * size);
    *capacity = bigger;
    return p;
}

void assay_arena_free(struct assay_arena *arena)
{
    while (arena->blocks) {
        struct assay_arena_block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}
