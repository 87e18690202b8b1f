/* What is typed and what is shown where a person uses a program (LANGUAGE.md, section 13). */
#include <string.h>

#include "compiler/read.h"
#include "compiler/types.h"

static void add_line(struct assay_spec *spec, const struct assay_node *node, struct spec_call *call,
                     struct spec_effect *effect)
{
    const struct spec_call around = {.args = call ? call->args : effect->args};
    struct spec_call *scope_call = assay_arena_copy(&spec->arena, &around, sizeof around);
    struct spec_scope scope = {.call = scope_call, .params = true};
    struct spec_expr *e =
        assay_shape_is(spec, node, SHAPE_SCALAR, node->key->text) ? assay_expr_parse(spec, node) : NULL;
    if (!e || !assay_expr_resolve(spec, e, &scope, &assay_type_bytes))
        return;
    struct spec_terminal_line *line = ASSAY_NEW(&spec->arena, struct spec_terminal_line);
    *line = (struct spec_terminal_line){.call = call, .effect = effect, .text = e};
    assay_list_add(spec, &spec->terminal, line);
}

static void read_typed(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->key->text};
    SPEC_EACH (struct spec_call, call, &spec->calls) {
        if (strcmp(call->name, near.wanted) == 0) {
            add_line(spec, node, call, NULL);
            return;
        }
        assay_near_add(&near, call->name);
    }
    assay_spec_error(spec, node->key->at, "no call is called '%s'%s", near.wanted, assay_near_text(&near));
}

static void read_shown(struct assay_spec *spec, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->key->text};
    SPEC_EACH (struct spec_effect, effect, &spec->effects) {
        if (strcmp(effect->name, near.wanted) == 0) {
            add_line(spec, node, NULL, effect);
            return;
        }
        assay_near_add(&near, effect->name);
    }
    assay_spec_error(spec, node->key->at, "no effect is called '%s'%s", near.wanted, assay_near_text(&near));
}

void assay_read_terminal(struct assay_spec *spec, const struct assay_node *node)
{
    static const struct shape_key keys[] = {{"calls", SHAPE_MAPPING, NULL}, {"effects", SHAPE_MAPPING, NULL}};
    const struct assay_node *of[2];
    if (!node || !assay_shape(spec, node, "terminal", keys, 2, of))
        return;
    ASSAY_CHILDREN (child, of[0])
        read_typed(spec, child);
    ASSAY_CHILDREN (child, of[1])
        read_shown(spec, child);
}
