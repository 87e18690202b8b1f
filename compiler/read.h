/* Reading nodes: keys by tables, scalars by what they hold. What is wrong is
 * reported; the functions then return false, NULL or a harmless value. */
#ifndef ASSAY_COMPILER_READ_H
#define ASSAY_COMPILER_READ_H

#include "compiler/spec.h"

/* What may stand under a key. */
enum {
    SHAPE_SCALAR = 1,
    SHAPE_SEQUENCE = 2,
    SHAPE_MAPPING = 4,
    SHAPE_ANY = 7,
    SHAPE_REQUIRED = 8,
    SHAPE_DECLARED = 16, /* read, but not run by this version */
};

struct shape_key {
    const char *name;
    unsigned shape;
    const char *declared; /* DECLARED: what to call it in the note; NULL: its name */
};

/* The values of a mapping's keys: out[i] is that of keys[i], or NULL. Unknown and missing keys and wrong kinds
 * are errors. `what` names the mapping in them ("a rule"). False: `node` is no mapping at all. */
bool assay_shape(struct assay_spec *spec, const struct assay_node *node, const char *what, const struct shape_key *keys,
                 size_t count, const struct assay_node **out);

bool assay_shape_is(struct assay_spec *spec, const struct assay_node *node, unsigned shape, const char *what);

/* The only entry of a mapping with exactly one; NULL after an error. */
const struct assay_node *assay_read_single(struct assay_spec *spec, const struct assay_node *node, const char *what);
/* The same of something that is named and given values, as in {Ready: {}}. */
const struct assay_node *assay_read_named(struct assay_spec *spec, const struct assay_node *node, const char *what);

/* ---- scalars; node NULL: `otherwise`, without an error ---- */
bool assay_read_bool(struct assay_spec *spec, const struct assay_node *node, bool otherwise);
bool assay_read_int(struct assay_spec *spec, const struct assay_node *node, int64_t min, int64_t max, int64_t *value);
int64_t assay_read_duration(struct assay_spec *spec, const struct assay_node *node, int64_t otherwise);
/* 1.5 as 150 percent; 100 after an error, and without a node. */
uint16_t assay_read_factor(struct assay_spec *spec, const struct assay_node *node);
uint8_t assay_read_level(struct assay_spec *spec, const struct assay_node *node, uint8_t otherwise);

/* Text of a number, a size ("64KiB"), a duration ("200ms"; ns); false: it is none. */
bool assay_text_number(const char *text, int64_t *value);
bool assay_text_duration(const char *text, int64_t *ns);

/* One of some words: its position; `count` after an error. */
size_t assay_read_word(struct assay_spec *spec, const struct assay_node *node, const char *const *words, size_t count,
                       const char *what);

/* A name that matches [A-Za-z_][A-Za-z0-9_-]*. */
bool assay_read_name(struct assay_spec *spec, const char *name, struct assay_at at, const char *what);

/* Bytes of data: each character is one byte (`bytes`), or its UTF-8 (`utf8`). */
bool assay_read_bytes(struct assay_spec *spec, const struct assay_node *node, bool utf8, struct assay_blob *bytes);
bool assay_read_hex(struct assay_spec *spec, const struct assay_node *node, struct assay_blob *bytes);

/* ---- references ---- */
struct spec_requirement *assay_read_req(struct assay_spec *spec, const struct assay_node *node); /* counts as cited */
struct spec_leniency *assay_find_leniency(struct assay_spec *spec, const struct assay_node *node);
struct spec_transport *assay_find_transport(struct assay_spec *spec, const struct assay_node *node);
struct spec_message *assay_find_message(struct assay_spec *spec, const char *name, struct assay_at at);
struct spec_event *assay_find_event(struct assay_spec *spec, const char *name);
struct spec_event *assay_add_event(struct assay_spec *spec, const char *name, uint8_t kind, struct assay_at at);

/* Report an unknown name: text " 'NAME'" and the nearest of those added. */
#define SPEC_NEAR(list, member_type, near)                                                                             \
    SPEC_EACH (member_type, candidate, list)                                                                           \
    assay_near_add(near, candidate->name)

/* ---- parts of a spec, in order of reading ---- */
void assay_read_types(struct assay_spec *spec, const struct assay_node *node);
/* A type; `extras` (NULL: none allowed) receives the keys is, default, if, init, and those around a value. */
enum {
    FIELD_IS,
    FIELD_DEFAULT,
    FIELD_IF,
    FIELD_INIT,
    FIELD_LEAD,
    FIELD_TAIL,
    FIELD_OPTIONAL,
    FIELD_PAIR,
    FIELD_KEY,
    FIELD_KEYS
};
struct spec_type *assay_read_type(struct assay_spec *spec, const struct assay_node *node, const char *name,
                                  const struct assay_node **extras);
/* Where a value has no wire around it: a record, pairs and what stands around fields are declared only there. */
struct spec_type *assay_plain_type(struct assay_spec *spec, struct spec_type *type, const struct assay_node *node);
void assay_plain_extras(struct assay_spec *spec, const struct assay_node *const *extras);

/* Its own copy, with expressions of its own. */
struct spec_type *assay_type_instance(struct assay_spec *spec, const struct spec_type *type);

/* A class of bytes, as under `chars`; NULL after an error. */
struct assay_byteset *assay_read_class(struct assay_spec *spec, const struct assay_node *node);

/* A delimiter, or several. False after an error. */
bool assay_read_delims(struct assay_spec *spec, const struct assay_node *node, struct spec_list *delims);

void assay_read_transports(struct assay_spec *spec, const struct assay_node *node);
void assay_read_frames(struct assay_spec *spec, const struct assay_node *node);
void assay_read_messages(struct assay_spec *spec, const struct assay_node *node);
void assay_read_params(struct assay_spec *spec, const struct assay_node *node, struct spec_list *into,
                       const char *what);
void assay_read_effects(struct assay_spec *spec, const struct assay_node *node);
/* Machines: which play where (read_roles.c), each with its states, variables and timers (read_machine.c); then their
 * rules. */
void assay_read_machines(struct assay_spec *spec);
void assay_read_machine(struct assay_spec *spec, struct spec_machine *m); /* name, role, node are there */
void assay_mirror_machine(struct assay_spec *spec, struct spec_machine *m);
void assay_read_rules(struct assay_spec *spec, struct spec_machine *machine);

/* Whether the machines of the spec are of the kind that is declared only. */
bool assay_machines_declared(const struct assay_spec *spec);

/* Calls: first their names, arguments and results, then (when rules are read) their steps. */
void assay_read_calls(struct assay_spec *spec, const struct assay_node *node);
void assay_read_steps(struct assay_spec *spec, const struct assay_node *node);
void assay_read_terminal(struct assay_spec *spec, const struct assay_node *node);

/* What all sessions share (read_shared.c): tables and logs, and, when machines are there, who follows the logs. */
void assay_read_tables(struct assay_spec *spec, const struct assay_node *node);
void assay_read_logs(struct assay_spec *spec, const struct assay_node *node);
void assay_read_follows(struct assay_spec *spec);

/* Reliability (read_reliable.c): which messages are of it; then, when names are resolved, all the rest. */
void assay_read_reliable(struct assay_spec *spec, const struct assay_node *node);
void assay_place_reliable(struct assay_spec *spec);

void assay_read_impair(struct assay_spec *spec, const struct assay_node *node);

/* Names and types of everything but rules and steps. */
void assay_resolve(struct assay_spec *spec);

/* ---- lowering ---- */
/* The model of a spec without errors; NULL (and an error) if it is too large for one. */
struct assay_model *assay_lower(struct assay_spec *spec);

#endif
