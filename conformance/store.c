#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance/store.h"

#define PAGE_SIZE 65536u

struct assay_store_page {
    struct assay_store_page *next;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
};

static void *must(void *p)
{
    if (p)
        return p;
    fputs("assay: out of memory\n", stderr);
    abort();
}

static struct assay_store_page *page_for(struct assay_store *store, size_t size)
{
    struct assay_store_page *page = store->pages;
    if (page && page->size - page->used >= size)
        return page;
    size_t room = size > PAGE_SIZE ? size : PAGE_SIZE;
    page = must(calloc(1, sizeof *page + room));
    page->size = room;
    page->next = store->pages;
    store->pages = page;
    return page;
}

void *assay_store(struct assay_store *store, size_t size)
{
    size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct assay_store_page *page = page_for(store, size);
    void *p = page->bytes + page->used;
    page->used += size;
    return p;
}

void *assay_store_copy(struct assay_store *store, const void *p, size_t size)
{
    void *to = assay_store(store, size ? size : 1);
    if (size)
        memcpy(to, p, size);
    return to;
}

const char *assay_store_text(struct assay_store *store, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char text[512];
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    if ((size_t)n >= sizeof text)
        n = (int)sizeof text - 1;
    char *to = assay_store(store, (size_t)n + 1);
    memcpy(to, text, (size_t)n);
    return to;
}

struct assay_blob assay_store_blob(struct assay_store *store, const uint8_t *p, uint32_t n)
{
    return (struct assay_blob){assay_store_copy(store, p, n), n};
}

void assay_store_free(struct assay_store *store)
{
    while (store->pages) {
        struct assay_store_page *page = store->pages;
        store->pages = page->next;
        free(page);
    }
}

void *assay_items_add(void **items, size_t *count, size_t *cap, size_t size)
{
    if (*count == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        *items = must(realloc(*items, *cap * size));
    }
    uint8_t *item = (uint8_t *)*items + (*count)++ * size;
    memset(item, 0, size);
    return item;
}
