/* Checks of meaning, beyond names and types. */
#include <string.h>

#include "compiler/check.h"

/* ---- requirements ------------------------------------------------------ */

/* `req:` anywhere in the file cites, inside constructs that are declared only, too. */
static bool cites(const struct assay_node *node, const char *id)
{
    if (node->key && strcmp(node->key->text, "req") == 0 && assay_node_is(node, id))
        return true;
    ASSAY_CHILDREN (child, node)
        if (cites(child, id))
            return true;
    return false;
}

static void check_requirements(struct assay_spec *spec)
{
    SPEC_EACH (struct spec_requirement, r, &spec->requires)
        if (!r->cited && !cites(spec->root, r->id))
            assay_spec_error(spec, r->at, "nothing cites the requirement %s: give a rule, field or limit 'req: %s'",
                             r->id, r->id);
}

/* ---- limits ------------------------------------------------------------ */

static void check_vars(struct assay_spec *spec, const struct spec_machine *machine)
{
    SPEC_EACH (struct spec_var, var, &machine->vars)
        if (var->type->kind >= ASSAY_T_BYTES && var->type->kind <= ASSAY_T_LIST && !var->type->bounded)
            assay_spec_error(spec, var->at, "the variable '%s' needs a limit: {type: %s, max: ...}", var->name,
                             var->type->name ? var->type->name : "bytes");
}

static void check_limits(struct assay_spec *spec)
{
    const struct assay_node *limits = assay_node_get(spec->root, "limits");
    SPEC_EACH (struct spec_machine, machine, &spec->machines) {
        if ((machine->role & ASSAY_SERVER) && !assay_node_get(limits, "sessions"))
            assay_spec_error(spec, limits ? limits->at : machine->at,
                             "a server needs a limit of sessions: limits: {sessions: N}");
        check_vars(spec, machine);
    }
}

void assay_check_semantics(struct assay_spec *spec)
{
    assay_check_declared(spec);
    check_requirements(spec);
    check_limits(spec);
    size_t before = spec->diags->errors;
    assay_check_frames(spec);
    bool readable = spec->diags->errors == before;
    assay_check_states(spec);
    assay_check_bodies(spec);
    assay_check_shared(spec);
    if (readable) { /* else the codec would only repeat what is wrong with the frames */
        assay_check_examples(spec);
        assay_check_guards(spec);
    }
}
