/* YAML text to a tree of nodes with their places.
 *
 * Core YAML without surprises: aliases, anchors, tags, merge keys, several
 * documents, duplicate keys and the bare words that YAML 1.1 reads as booleans
 * are errors. Scalars stay text; what they mean is for who reads them.
 */
#ifndef ASSAY_COMPILER_YAML_H
#define ASSAY_COMPILER_YAML_H

#include <stdbool.h>

#include "compiler/arena.h"
#include "compiler/diag.h"

enum assay_node_kind { ASSAY_NODE_SCALAR, ASSAY_NODE_SEQUENCE, ASSAY_NODE_MAPPING };

struct assay_node {
    uint8_t kind; /* enum assay_node_kind */
    bool plain;   /* SCALAR: without quotes */
    struct assay_at at;
    const char *text; /* SCALAR: NUL-terminated; may hold more NULs */
    size_t size;
    struct assay_node *key;   /* of an entry of a mapping; NULL elsewhere */
    struct assay_node *first; /* SEQUENCE, MAPPING: the first child */
    struct assay_node *next;  /* the sibling behind this one */
    size_t count;             /* children */
};

#define ASSAY_CHILDREN(child, of)                                                                                      \
    for (const struct assay_node *child = (of) ? (of)->first : NULL; child; child = child->next)

/* The document's root; NULL when it cannot be read, which `diags` then says. The tree lives in the arena. */
struct assay_node *assay_yaml_read(struct assay_arena *arena, const uint8_t *text, size_t size,
                                   struct assay_diags *diags);

/* The value of a key; NULL: there is none, or `node` is not a mapping. */
const struct assay_node *assay_node_get(const struct assay_node *node, const char *key);

bool assay_node_is(const struct assay_node *node, const char *text); /* a scalar with this text */
const char *assay_node_kind_name(const struct assay_node *node);     /* "a mapping" */

/* Where character `offset` (in bytes) of a scalar's text stands in the file. */
struct assay_at assay_node_place(const struct assay_node *node, size_t offset, const uint8_t *text, size_t size);

#endif
