/* Which side of a link is judged, and what can stand on the link: everything
 * that depends on it is asked here. Internal to the suite. */
#ifndef ASSAY_CONFORMANCE_SIDE_H
#define ASSAY_CONFORMANCE_SIDE_H

#include "core/model.h"

#define ASSAY_BOTH_ROLES ((uint8_t)(ASSAY_CLIENT | ASSAY_SERVER))

/* Whose messages come from the target: bit set of enum assay_role. */
static inline uint8_t assay_target_role(const struct assay_model *model, uint16_t machine)
{
    return model->machines[machine].role & ASSAY_BOTH_ROLES;
}

/* Whose messages the tester sends: those of the other side; of both where both ends play the same machine. */
static inline uint8_t assay_tester_role(const struct assay_model *model, uint16_t machine)
{
    uint8_t role = assay_target_role(model, machine);
    return role == ASSAY_BOTH_ROLES ? role : role ^ ASSAY_BOTH_ROLES;
}

/* Whether a message is known where frames of this kind are used. */
static inline bool assay_known_in(const struct assay_model *model, uint16_t frame, uint16_t message)
{
    uint16_t here = model->frames[frame].transports;
    return here == 0 || (model->messages[message].transports & here);
}

/* The requirement behind the field that tells messages apart: where those of frames without fields, and of bytes around
 * their content, are named. */
static inline uint16_t assay_tag_req(const struct assay_model *model, uint16_t frame)
{
    const struct assay_frame *f = &model->frames[frame];
    for (uint32_t i = f->fields.first; f->tag != ASSAY_NONE && i < (uint32_t)f->fields.first + f->fields.count; i++)
        if (model->fields[i].slot == f->tag)
            return model->fields[i].req;
    return ASSAY_NONE;
}

static inline bool assay_tester_sends(const struct assay_model *model, uint16_t machine, uint16_t message)
{
    return (model->messages[message].from & assay_tester_role(model, machine)) &&
           assay_known_in(model, model->machines[machine].frame_in, message);
}

/* Whether a client has a link on which nothing was done yet: over datagrams a link begins with the first one, and some
 * machines play only on links that calls make. */
static inline bool assay_has_bare_links(const struct assay_model *model, uint16_t machine)
{
    bool played = false;
    for (uint16_t i = 0; i < model->transports_count; i++)
        played = played || model->transports[i].client == machine;
    return played && model->frames[model->machines[machine].frame_in].end != ASSAY_END_DATAGRAM;
}

#endif
