/* Text of names and values: `a=1;b="x;y"`, by a grammar of the model. */
#ifndef ASSAY_CORE_PAIRS_H
#define ASSAY_CORE_PAIRS_H

#include "core/fields.h"

struct assay_pair {
    struct assay_span name;
    struct assay_span value; /* without its quotes */
    bool escaped;            /* escapes stand in the value as they are written */
    bool quoted, dropped;
};

/* A grammar made ready for use. */
struct assay_grammar {
    const struct assay_model *model;
    const struct assay_pairs *pairs;
    const struct assay_byteset *quote_if;
    uint8_t letter[256];          /* what stands behind the escape for a byte; 0: it has none */
    struct assay_byteset letters; /* what may stand behind the escape, and what it means there */
    uint8_t means[256];
    /* bytes that may stand in a name, or a value, and mean and are written as themselves */
    struct assay_byteset plain_name, plain_value;
};

void assay_grammar_open(struct assay_grammar *g, const struct assay_model *model, uint16_t pairs);

/* A list of pairs in scratch, and the pairs put together from it. */
struct assay_pair_list {
    struct assay_pair *items;
    uint32_t count, cap;
    uint32_t mark; /* of scratch before it */
};

/* False: scratch is used up. */
bool assay_pair_list_open(struct assay_env *env, struct assay_pair_list *list, uint32_t cap);
/* False: the list is full, or the name or the value (its bytes, without escapes) is not of its type. */
bool assay_pair_list_add(const struct assay_env *env, const struct assay_grammar *g, struct assay_pair_list *list,
                         struct assay_span name, struct assay_span value);
/* The canonical text, which takes the place of the list and all that came behind it in scratch. False: a name stands
 * twice and must not, a value cannot be written, or scratch is used up. */
bool assay_pair_list_close(struct assay_env *env, const struct assay_grammar *g, struct assay_pair_list *list,
                           enum assay_duplicates duplicates, assay_val *text);

/* How many pairs there are. False: the text is not in the grammar, or something does not fit its type. */
bool assay_pairs_survey(struct assay_env *env, const struct assay_grammar *g, struct assay_span text, uint32_t *count,
                        bool *canonical);

/* All pairs of a text that was surveyed, at the end of the list. */
void assay_pair_list_take(const struct assay_grammar *g, struct assay_pair_list *list, struct assay_span text);

/* The canonical form of a text. `same`: the text has it already. False: it is not in the grammar. */
bool assay_pairs_canonical(struct assay_env *env, uint16_t pairs, struct assay_span text, bool *same, assay_val *made);

/* The value under a name in a text in canonical form. `copy`: it had escapes and stands in scratch without them. False:
 * there is none, or scratch is used up. */
bool assay_pairs_find(struct assay_env *env, uint16_t pairs, struct assay_span text, struct assay_span name,
                      struct assay_span *value, bool *copy);

#endif
