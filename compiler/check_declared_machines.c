/* What is declared only: machines at several levels, what stands beside machines, reliability, logs, impairments. */
#include <string.h>

#include "compiler/check_declared.h"

/* ---- machines ---------------------------------------------------------- */

static void look_states_rules(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, assay_look_rules);
}

static const struct part timer_parts[] = {{"after", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr},
                                          {"in", SHAPE_SEQUENCE, assay_look_states},
                                          {"restart", SHAPE_SCALAR, NULL},
                                          {"early", SHAPE_SCALAR, assay_look_duration},
                                          {"late", SHAPE_SCALAR, assay_look_duration},
                                          {"text", SHAPE_SCALAR, NULL}};

static void look_timer(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, timer_parts, COUNT(timer_parts), "a timer");
}

static void look_timers(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_timer);
}

/* What holds bytes has a limit, in tables and variables alike. */
static void look_limited(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *extras[FIELD_KEYS];
    const struct spec_type *t = assay_read_type(w->spec, node, NULL, extras);
    if (t && t->kind >= ASSAY_T_BYTES && t->kind <= ASSAY_T_LIST && !t->bounded && !t->wire)
        assay_spec_error(w->spec, node->at, "'%s' needs a 'max': how much it may grow", node->key->text);
    if (extras[FIELD_INIT])
        assay_look_expr(w, extras[FIELD_INIT]);
}

static void look_vars(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_limited);
}

static void look_fixture_name(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    if (!assay_look_is_key_of(assay_node_get(w->spec->root, "fixtures"), &near))
        assay_look_unknown(w, node->at, "fixture", &near);
}

static const struct part table_parts[] = {{"key", SHAPE_MAPPING | SHAPE_REQUIRED, assay_look_types},
                                          {"row", SHAPE_MAPPING | SHAPE_REQUIRED, look_vars},
                                          {"max", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_count},
                                          {"when-full", SHAPE_SCALAR, NULL},
                                          {"expires", SHAPE_SCALAR, NULL},
                                          {"store", SHAPE_SCALAR, NULL},
                                          {"fixture", SHAPE_SCALAR, look_fixture_name},
                                          {"text", SHAPE_SCALAR, NULL}};

static void look_table(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, table_parts, COUNT(table_parts), "a table");
}

static void look_tables(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_table);
}

static const struct part hears_parts[] = {{"when", SHAPE_ANY | SHAPE_REQUIRED, assay_look_when},
                                          {"key", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr}};

static void look_heard(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, hears_parts, COUNT(hears_parts), "what a machine hears");
}

static void look_hears(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_heard);
}

static const struct part reconnect_parts[] = {{"pause", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr},
                                              {"factor", SHAPE_SCALAR, NULL},
                                              {"cap", SHAPE_SCALAR, assay_look_duration},
                                              {"most", SHAPE_SCALAR, assay_look_count},
                                              {"early", SHAPE_SCALAR, assay_look_duration},
                                              {"late", SHAPE_SCALAR, assay_look_duration}};

static void look_reconnect(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, reconnect_parts, COUNT(reconnect_parts), "reconnect");
}

static void look_role(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"server", "client", "both"};
    assay_read_word(w->spec, node, words, 3, "role");
}

static void look_per(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"server", "link"};
    if (node->kind == ASSAY_NODE_MAPPING)
        assay_look_types(w, node);
    else
        assay_read_word(w->spec, node, words, 2, "per (if not a key in a mapping)");
}

static const struct part machine_parts[] = {{"role", SHAPE_SCALAR | SHAPE_REQUIRED, look_role},
                                            {"per", SHAPE_SCALAR | SHAPE_MAPPING | SHAPE_REQUIRED, look_per},
                                            {"in", SHAPE_SCALAR | SHAPE_MAPPING, assay_look_machine_name},
                                            {"linked", SHAPE_SCALAR, assay_look_machine_name},
                                            {"hears", SHAPE_SEQUENCE, look_hears},
                                            {"lives", SHAPE_SCALAR, assay_look_expr},
                                            {"tables", SHAPE_MAPPING, look_tables},
                                            {"reconnect", SHAPE_MAPPING, look_reconnect},
                                            {"vars", SHAPE_MAPPING, look_vars},
                                            {"timers", SHAPE_MAPPING, look_timers},
                                            {"start", SHAPE_SCALAR, assay_look_state},
                                            {"states", SHAPE_MAPPING, look_states_rules},
                                            {"rules", SHAPE_SEQUENCE, assay_look_rules},
                                            {"text", SHAPE_SCALAR, NULL}};

static void look_machine(struct walk *w, const struct assay_node *node)
{
    w->machine = node;
    assay_look_at(w, node, machine_parts, COUNT(machine_parts), "a machine");
    w->machine = NULL;
}

void assay_look_machines(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_machine);
}

/* ---- what stands beside machines --------------------------------------- */

void assay_look_signals(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, assay_look_types);
}

static void look_strength(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"proof", "fifo", "assumed", "alive"};
    assay_read_word(w->spec, node, words, 4, "strength");
}

static const struct part probe_parts[] = {{"machine", SHAPE_SCALAR, assay_look_machine_name},
                                          {"in", SHAPE_SEQUENCE, assay_look_states},
                                          {"send", SHAPE_MAPPING | SHAPE_REQUIRED, assay_look_send},
                                          {"expect", SHAPE_MAPPING | SHAPE_REQUIRED, assay_look_event},
                                          {"strength", SHAPE_SCALAR | SHAPE_REQUIRED, look_strength}};

static void look_probe(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, probe_parts, COUNT(probe_parts), "a probe");
}

void assay_look_probes(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_probe);
}

static void look_call_name(struct walk *w, const struct assay_node *node)
{
    struct assay_near near = {.wanted = node->text};
    if (!assay_look_is_key_of(assay_node_get(w->spec->root, "calls"), &near))
        assay_look_unknown(w, node->at, "call", &near);
}

static const struct part detect_parts[] = {{"call", SHAPE_SCALAR | SHAPE_REQUIRED, look_call_name},
                                           {"args", SHAPE_MAPPING, assay_look_exprs},
                                           {"present", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr}};

static void look_detect(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, detect_parts, COUNT(detect_parts), "detect");
}

static const struct part feature_parts[] = {{"text", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                            {"req", SHAPE_SCALAR, assay_look_req},
                                            {"detect", SHAPE_MAPPING | SHAPE_REQUIRED, look_detect}};

static void look_feature(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, feature_parts, COUNT(feature_parts), "a feature");
}

void assay_look_features(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_feature);
}

static const struct part fixture_parts[] = {{"text", SHAPE_SCALAR, NULL},
                                            {"rows", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL}};

static void look_fixture(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, fixture_parts, COUNT(fixture_parts), "a fixture");
}

void assay_look_fixtures(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_fixture);
}

static const struct part function_parts[] = {{"args", SHAPE_SEQUENCE | SHAPE_REQUIRED, NULL},
                                             {"is", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_expr},
                                             {"text", SHAPE_SCALAR, NULL}};

static void look_function(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, function_parts, COUNT(function_parts), "a function");
}

void assay_look_functions(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_function);
}

static const struct part recode_parts[] = {{"pairs", SHAPE_MAPPING | SHAPE_REQUIRED, NULL},
                                           {"text", SHAPE_SCALAR, NULL}};

static void look_recode(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, recode_parts, COUNT(recode_parts), "a recoding");
}

void assay_look_recodes(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_recode);
}

/* ---- reliability, logs, impairments ------------------------------------ */

static const struct part give_up_parts[] = {{"after", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_duration}};

static void look_give_up(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, give_up_parts, COUNT(give_up_parts), "give-up");
}

static void look_ack(struct walk *w, const struct assay_node *node)
{
    const struct assay_node *entry = assay_read_single(w->spec, node, "ack");
    if (entry)
        assay_find_message(w->spec, entry->key->text, entry->key->at);
}

static void look_duplicate(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"acknowledge-again", "answer-again", "ignore"};
    assay_read_word(w->spec, node, words, 3, "on-duplicate");
}

static const struct part reliable_parts[] = {{"messages", SHAPE_SEQUENCE | SHAPE_REQUIRED, assay_look_messages},
                                             {"ack", SHAPE_MAPPING | SHAPE_REQUIRED, look_ack},
                                             {"match", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                             {"first", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_duration},
                                             {"factor", SHAPE_SCALAR, NULL},
                                             {"cap", SHAPE_SCALAR, assay_look_duration},
                                             {"tolerance", SHAPE_SCALAR, NULL},
                                             {"on-duplicate", SHAPE_SCALAR, look_duplicate},
                                             {"order", SHAPE_SCALAR, NULL},
                                             {"window", SHAPE_SCALAR, assay_look_count},
                                             {"wrap", SHAPE_SCALAR, assay_look_type},
                                             {"give-up", SHAPE_MAPPING | SHAPE_REQUIRED, look_give_up},
                                             {"req", SHAPE_SCALAR, assay_look_req}};

static void look_reliable_one(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, reliable_parts, COUNT(reliable_parts), "reliable");
}

void assay_look_reliable(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_reliable_one);
}

static const struct part follow_parts[] = {{"machine", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_machine_name},
                                           {"in", SHAPE_SEQUENCE | SHAPE_REQUIRED, assay_look_states},
                                           {"if", SHAPE_SCALAR, assay_look_expr},
                                           {"cursor", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                           {"batch", SHAPE_SCALAR, assay_look_expr},
                                           {"window", SHAPE_SCALAR, assay_look_expr},
                                           {"send", SHAPE_MAPPING | SHAPE_REQUIRED, assay_look_send},
                                           {"req", SHAPE_SCALAR, assay_look_req}};

static void look_follow(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, follow_parts, COUNT(follow_parts), "follow");
}

static const struct part log_parts[] = {{"row", SHAPE_MAPPING | SHAPE_REQUIRED, look_vars},
                                        {"store", SHAPE_SCALAR, NULL},
                                        {"keep", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_count},
                                        {"follow", SHAPE_MAPPING, look_follow},
                                        {"req", SHAPE_SCALAR, assay_look_req},
                                        {"text", SHAPE_SCALAR, NULL}};

static void look_log(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, log_parts, COUNT(log_parts), "a log");
}

void assay_look_logs(struct walk *w, const struct assay_node *node)
{
    assay_look_each_child(w, node, look_log);
}

static void look_faults(struct walk *w, const struct assay_node *node)
{
    static const char *const words[] = {"drop", "duplicate", "swap", "delay", "corrupt", "fail"};
    ASSAY_CHILDREN (child, node)
        assay_read_word(w->spec, child, words, 6, "a fault");
}

static const struct part impair_parts[] = {{"faults", SHAPE_SEQUENCE | SHAPE_REQUIRED, look_faults},
                                           {"up-to", SHAPE_SCALAR | SHAPE_REQUIRED, assay_look_count},
                                           {"promise", SHAPE_SCALAR | SHAPE_REQUIRED, NULL},
                                           {"req", SHAPE_SCALAR, assay_look_req}};

void assay_look_impair(struct walk *w, const struct assay_node *node)
{
    assay_look_at(w, node, impair_parts, COUNT(impair_parts), "impair");
}
