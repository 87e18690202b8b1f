#include <string.h>

#include "core/fields.h"

/* ---- delimiters -------------------------------------------------------- */

enum match { MATCH_NO, MATCH_YES, MATCH_MORE };

static enum match match_one(struct assay_blob delim, struct assay_span at)
{
    uint32_t n = delim.n < at.n ? delim.n : at.n;
    if (memcmp(at.p, delim.p, n) != 0)
        return MATCH_NO;
    return n == delim.n ? MATCH_YES : MATCH_MORE;
}

/* A longer alternative that may still come decides against a shorter one that is there. */
static enum match match_at(const struct assay_model *model, struct assay_range blobs, struct assay_span at,
                           uint32_t *size)
{
    for (uint32_t i = 0; i < blobs.count; i++) {
        struct assay_blob delim = model->blobs[blobs.first + i];
        enum match m = match_one(delim, at);
        *size = delim.n;
        if (m != MATCH_NO)
            return m;
    }
    return MATCH_NO;
}

/* The next place where some delimiter may begin. */
static uint32_t next_candidate(const struct assay_model *model, struct assay_range blobs, struct assay_span in,
                               uint32_t from)
{
    uint32_t best = in.n;
    for (uint32_t i = 0; i < blobs.count; i++) {
        const uint8_t *hit = memchr(in.p + from, model->blobs[blobs.first + i].p[0], best - from);
        if (hit)
            best = (uint32_t)(hit - in.p);
    }
    return best;
}

static inline struct assay_delim_found find_byte(struct assay_span in, uint32_t from, uint8_t byte)
{
    const uint8_t *hit = from < in.n ? memchr(in.p + from, byte, in.n - from) : NULL;
    uint32_t at = hit ? (uint32_t)(hit - in.p) : in.n;
    return (struct assay_delim_found){hit != NULL, hit ? at : 0, hit ? 1 : 0, at};
}

struct assay_delim_found assay_delim_find(const struct assay_model *model, uint16_t delims, struct assay_span in,
                                          uint32_t from)
{
    struct assay_range blobs = model->delims[delims].blobs;
    if (blobs.count == 1 && model->blobs[blobs.first].n == 1)
        return find_byte(in, from, model->blobs[blobs.first].p[0]);
    while (from < in.n) {
        uint32_t size = 0, at = next_candidate(model, blobs, in, from);
        if (at == in.n)
            break;
        enum match m = match_at(model, blobs, (struct assay_span){in.p + at, in.n - at}, &size);
        if (m == MATCH_YES)
            return (struct assay_delim_found){true, at, size, at};
        if (m == MATCH_MORE)
            return (struct assay_delim_found){false, 0, 0, at};
        from = at + 1;
    }
    return (struct assay_delim_found){false, 0, 0, in.n};
}

/* ---- frames ------------------------------------------------------------ */

static inline struct assay_frame_found found(enum assay_frame_status status, uint64_t size, uint32_t content,
                                             uint32_t scanned)
{
    return (struct assay_frame_found){
        .status = status, .size = size, .content = content, .scanned = scanned, .message = ASSAY_NONE};
}

static struct assay_frame_found find_whole(const struct assay_frame *frame, struct assay_span in)
{
    enum assay_frame_status status = in.n > frame->max ? ASSAY_FRAME_OVERSIZE : ASSAY_FRAME_WHOLE;
    return found(status, in.n, in.n, 0);
}

static struct assay_frame_found find_until(const struct assay_env *env, const struct assay_frame *frame,
                                           struct assay_span in, uint32_t scanned)
{
    struct assay_delim_found d = assay_delim_find(env->model, frame->delims, in, scanned < in.n ? scanned : in.n);
    if (d.found && d.at + d.size <= frame->max)
        return found(ASSAY_FRAME_WHOLE, (uint64_t)d.at + d.size, d.at, 0);
    if (d.found)
        return found(ASSAY_FRAME_OVERSIZE, (uint64_t)d.at + d.size, 0, 0);
    if (in.n >= frame->max && d.scanned >= frame->max)
        return found(ASSAY_FRAME_OVERSIZE, 0, 0, d.scanned);
    return found(ASSAY_FRAME_PARTIAL, 0, 0, d.scanned);
}

static struct assay_frame_found find_stream(const struct assay_frame *frame, struct assay_span in)
{
    uint32_t n = in.n < frame->max ? in.n : frame->max;
    return found(n ? ASSAY_FRAME_WHOLE : ASSAY_FRAME_PARTIAL, n, n, 0);
}

/* Size of a field whose value does not matter for it, in bits; false: it does. */
static bool fixed_bits(const struct assay_env *env, const struct assay_field *f, uint64_t *bits)
{
    *bits = 0;
    if (f->flags & ASSAY_F_MEMBER)
        return true;
    if (f->present != ASSAY_NONE)
        return false;
    if (f->form == ASSAY_FORM_INT)
        *bits = f->bits;
    else if (f->form == ASSAY_FORM_CONST)
        *bits = 8 * (uint64_t)env->model->blobs[f->extent_arg].n;
    else if (!assay_off_wire(f) && f->form != ASSAY_FORM_VARINT && f->extent == ASSAY_EXT_FIXED)
        *bits = 8 * (uint64_t)f->extent_arg;
    else
        return f->form == ASSAY_FORM_CALC || f->form == ASSAY_FORM_AHEAD;
    return true;
}

/* A walk over fields to the end of their frame. */
struct walk {
    enum assay_read status;
    struct assay_range left; /* SHORT: the fields behind that which is */
};

/* Values are not judged here: one that is wrong, or cannot be read, still tells where the next field begins. */
static struct walk walk_fields(struct assay_env *env, struct assay_range fields, struct assay_reader *r)
{
    for (; fields.count; fields.first++, fields.count--) {
        const struct assay_field *f = &env->model->fields[fields.first];
        assay_val v;
        if (f->present != ASSAY_NONE && !assay_holds(env, f->present))
            continue;
        enum assay_read status = assay_read_field(env, f, r, &v);
        if (status == ASSAY_READ)
            assay_slot_set(env, f->slot, v);
        else if (status == ASSAY_READ_SHORT || status == ASSAY_READ_LOST)
            return (struct walk){status, {(uint16_t)(fields.first + 1), (uint16_t)(fields.count - 1)}};
    }
    return (struct walk){ASSAY_READ, fields};
}

/* Where the frame ends when the field that is short ends at `need`; 0: that cannot be told. */
static uint64_t end_behind(const struct assay_env *env, struct assay_range left, const struct assay_reader *r)
{
    uint64_t bits = 0, more;
    if (r->open)
        return 0;
    for (; left.count; left.first++, left.count--) {
        if (!fixed_bits(env, &env->model->fields[left.first], &more))
            return 0;
        bits += more;
    }
    return r->need + bits / 8;
}

static struct assay_frame_found find_short(const struct assay_env *env, const struct assay_frame *frame,
                                           struct assay_range left, const struct assay_reader *r)
{
    if (r->need <= frame->max)
        return found(ASSAY_FRAME_PARTIAL, 0, 0, (uint32_t)r->need);
    return found(ASSAY_FRAME_OVERSIZE, end_behind(env, left, r), 0, 0);
}

static inline struct assay_frame_found find_end(const struct assay_reader *r)
{
    if (r->bit || r->pos == 0)
        return found(ASSAY_FRAME_BROKEN, 0, 0, 0);
    return found(ASSAY_FRAME_WHOLE, r->pos, r->pos, 0);
}

static bool told_by_first_byte(const struct assay_model *model, const struct assay_frame *frame, uint8_t from)
{
    for (uint16_t i = 0; i < model->messages_count; i++) {
        const struct assay_message *m = &model->messages[i];
        if ((m->from & from) && (m->transports & frame->transports) && m->leads != ASSAY_NONE)
            return true;
    }
    return false;
}

/* Behind the frame's own fields: those of the message, which these, or its first byte, tell. */
static struct assay_frame_found find_message(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                                             struct assay_reader *r)
{
    uint32_t head = r->pos;
    uint16_t index = assay_message_walked(env, frame, from, (struct assay_span){r->p + head, r->n - head});
    if (index == ASSAY_NONE && told_by_first_byte(env->model, frame, from) && head == r->n) {
        r->need = (uint64_t)head + 1;
        r->open = true;
        return find_short(env, frame, (struct assay_range){0, 0}, r);
    }
    if (index == ASSAY_NONE)
        return found(ASSAY_FRAME_BROKEN, 0, 0, 0);
    struct walk walk = walk_fields(env, env->model->messages[index].fields, r);
    if (walk.status == ASSAY_READ_SHORT)
        return find_short(env, frame, walk.left, r);
    if (walk.status == ASSAY_READ_LOST)
        return found(ASSAY_FRAME_BROKEN, 0, 0, 0);
    struct assay_frame_found f = find_end(r);
    f.head = head;
    f.message = index;
    return f;
}

static struct assay_frame_found find_fields(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                                            struct assay_span in)
{
    /* what is beyond the maximum does not count, so that it does not matter how much of it is here already */
    struct assay_reader r = {.p = in.p, .n = in.n < frame->max ? in.n : frame->max};
    r.cut_off = r.n < frame->max;
    struct walk walk = walk_fields(env, frame->fields, &r);
    bool walked = frame->walked & from;
    if (walk.status == ASSAY_READ_LOST)
        return found(ASSAY_FRAME_BROKEN, 0, 0, 0);
    if (walk.status == ASSAY_READ_SHORT) {
        r.open = r.open || walked;
        return find_short(env, frame, walk.left, &r);
    }
    return walked ? find_message(env, frame, from, &r) : find_end(&r);
}

/* Lists that were walked do not stay in scratch: all is read again to decode it. */
static struct assay_frame_found find_walking(struct assay_env *env, const struct assay_frame *frame, uint8_t from,
                                             struct assay_span in, uint32_t scanned)
{
    uint32_t used = env->scratch_used;
    if (in.n < scanned)
        return found(ASSAY_FRAME_PARTIAL, 0, 0, scanned);
    struct assay_frame_found f = find_fields(env, frame, from, in);
    if (env->scratch_used != used)
        env->known = 0;
    env->scratch_used = used;
    return f;
}

struct assay_frame_found assay_frame_find(struct assay_env *env, uint16_t index, uint8_t from, struct assay_span in,
                                          uint32_t scanned, bool segment)
{
    const struct assay_frame *frame = &env->model->frames[index];
    env->frame = in.p;
    env->known = 0;
    if (segment)
        return find_whole(frame, in);
    switch ((enum assay_frame_end)frame->end) {
    case ASSAY_END_FIELDS:
        return find_walking(env, frame, from, in, scanned);
    case ASSAY_END_UNTIL:
        return find_until(env, frame, in, scanned);
    case ASSAY_END_EOF:
        return found(in.n > frame->max ? ASSAY_FRAME_OVERSIZE : ASSAY_FRAME_PARTIAL, 0, 0, 0);
    case ASSAY_END_STREAM:
        return find_stream(frame, in);
    case ASSAY_END_SEGMENT:
    case ASSAY_END_DATAGRAM:
        break;
    }
    return find_whole(frame, in);
}

/* ---- content ----------------------------------------------------------- */

struct assay_span assay_trim_front(const struct assay_byteset *set, struct assay_span s)
{
    while (s.n && assay_set_has(set, s.p[0]))
        s = (struct assay_span){s.p + 1, s.n - 1};
    return s;
}

struct assay_span assay_trim(const struct assay_byteset *set, struct assay_span s)
{
    s = assay_trim_front(set, s);
    while (s.n && assay_set_has(set, s.p[s.n - 1]))
        s.n--;
    return s;
}

bool assay_frame_blank(const struct assay_model *model, uint16_t index, struct assay_span content)
{
    const struct assay_frame *frame = &model->frames[index];
    return frame->blank && assay_frame_trim(model, frame, content).n == 0;
}
