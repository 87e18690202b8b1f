/* Bytes to frames, frames to messages, messages to bytes.
 *
 * Nothing here keeps state or memory: values land in the slots of an
 * assay_env, bytes stay where they are (ASSAY_REGION_FRAME) or in its scratch.
 */
#ifndef ASSAY_CORE_CODEC_H
#define ASSAY_CORE_CODEC_H

#include "core/value.h"

enum assay_frame_status {
    ASSAY_FRAME_WHOLE,    /* a frame: `size` bytes, of which the first `content` are its content */
    ASSAY_FRAME_PARTIAL,  /* more bytes are needed */
    ASSAY_FRAME_OVERSIZE, /* longer than its maximum; `size` is what to skip, 0 if that cannot be told yet */
    ASSAY_FRAME_BROKEN,   /* no way to tell where it ends */
};

struct assay_frame_found {
    enum assay_frame_status status;
    uint64_t size;    /* bytes of input that the frame takes, delimiter included */
    uint32_t content; /* size of the content */
    uint32_t scanned; /* PARTIAL: bytes already looked at; give them back to the next call */
    uint32_t head;    /* WHOLE, with a message: where the frame's own fields end */
    uint16_t message; /* WHOLE: the message whose fields told the end; ASSAY_NONE: the frame's own did */
};

/* Find the first frame of `in`, which `from` (enum assay_role) sends. `scanned` is 0 or what the last call on the
 * same, since longer, input returned. `segment`: this input is a segment of
 * its own and the stream is in segment mode (see assay_frame.segment_leniency). */
struct assay_frame_found assay_frame_find(struct assay_env *env, uint16_t frame, uint8_t from, struct assay_span in,
                                          uint32_t scanned, bool segment);

/* Whether a frame with this content is no event (see assay_frame.blank). */
bool assay_frame_blank(const struct assay_model *model, uint16_t frame, struct assay_span content);

struct assay_decoded {
    uint16_t event;   /* the message's own event; or malformed, unknown, a fault of the spec */
    uint16_t message; /* ASSAY_NONE unless it is known which message it is */
    uint16_t field;   /* where decoding stopped, in model->fields; ASSAY_NONE: nowhere */
    uint32_t offset;  /* in the content: where it stopped */
    uint16_t req;     /* requirement behind the fault, or ASSAY_NONE */
};

/* Decode the content of a frame from `from` (enum assay_role) into env's
 * slots. env->frame must be content.p; it and the slots' bytes must outlive
 * their use. After a fault, env->known tells which fields were read. */
struct assay_decoded assay_decode(struct assay_env *env, uint16_t frame, uint8_t from, struct assay_span content);

/* What is wrong with a frame that assay_frame_find() found BROKEN: decodes up to the first fault. */
struct assay_decoded assay_decode_broken(struct assay_env *env, uint16_t frame, uint8_t from, struct assay_span in);

/* Decode only the fields that are complete at the start of a cut-off frame. */
void assay_decode_partial(struct assay_env *env, uint16_t frame, uint8_t from, struct assay_span in);

enum assay_encode_status {
    ASSAY_ENCODED,
    ASSAY_ENCODE_FIELD, /* a value does not fit its field, or a field without a default has none */
    ASSAY_ENCODE_SPACE, /* `cap` is too small */
};

struct assay_encoded {
    enum assay_encode_status status;
    uint32_t size;  /* bytes written */
    uint16_t field; /* FIELD: which, in model->fields */
};

/* Encode a message from env's slots into `out`. Fields without a value take
 * their default, computed ones are computed. `undelimited`: without the
 * delimiter (segment mode). A message inside a body field is made in scratch
 * first: that needs its `wire_max` bytes beside what its expressions take. */
struct assay_encoded assay_encode(struct assay_env *env, uint16_t frame, uint16_t message, uint8_t *out, uint32_t cap,
                                  bool undelimited);

#endif
