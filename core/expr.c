#include <string.h>

#include "core/number.h"
#include "core/pairs.h"
#include "core/sums.h"
#include "core/vm.h"

/* Each operation takes its values from the stack and leaves its result there; false: undefined. */
typedef bool operation(struct assay_vm *vm, uint32_t ins);

static inline void push(struct assay_vm *vm, assay_val v)
{
    vm->stack[vm->depth++] = v;
}

static inline assay_val pop(struct assay_vm *vm)
{
    return vm->stack[--vm->depth];
}

static inline int64_t pop_int(struct assay_vm *vm)
{
    return (int64_t)pop(vm);
}

static inline bool push_int(struct assay_vm *vm, int64_t v)
{
    push(vm, (assay_val)v);
    return true;
}

static inline struct assay_span pop_bytes(struct assay_vm *vm)
{
    return assay_bytes(vm->env, pop(vm));
}

static inline bool push_scratch(struct assay_vm *vm, const uint8_t *p, uint32_t n)
{
    push(vm, assay_scratch_val(vm->env, p, n));
    return true;
}

static inline bool push_copy(struct assay_vm *vm, const uint8_t *p, uint32_t n)
{
    uint8_t *to = assay_scratch(vm->env, n);
    if (!to)
        return false;
    if (n)
        memcpy(to, p, n);
    return push_scratch(vm, to, n);
}

/* ---- constants, slots, control ----------------------------------------- */

static bool op_int(struct assay_vm *vm, uint32_t ins)
{
    return push_int(vm, (int16_t)assay_ins_b(ins));
}

static bool op_wide(struct assay_vm *vm, uint32_t ins)
{
    return push_int(vm, vm->env->model->ints[assay_ins_b(ins)]);
}

static bool op_blob(struct assay_vm *vm, uint32_t ins)
{
    unsigned b = assay_ins_b(ins);
    push(vm, assay_val_bytes(ASSAY_REGION_CONST, b, vm->env->model->blobs[b].n));
    return true;
}

static bool op_slot(struct assay_vm *vm, uint32_t ins)
{
    unsigned b = assay_ins_b(ins);
    if (!(vm->env->known >> b & 1))
        return false;
    push(vm, vm->env->slots[b]);
    return true;
}

static bool op_known(struct assay_vm *vm, uint32_t ins)
{
    return push_int(vm, vm->env->known >> assay_ins_b(ins) & 1);
}

static bool op_var(struct assay_vm *vm, uint32_t ins)
{
    push(vm, vm->env->vars[assay_ins_b(ins) - vm->env->vars_first]);
    return true;
}

static bool op_option(struct assay_vm *vm, uint32_t ins)
{
    unsigned b = assay_ins_b(ins);
    const struct assay_option *option = &vm->env->model->options[b];
    if (assay_is_bytes(vm->env->model, option->type))
        push(vm, assay_val_bytes(ASSAY_REGION_CONST, ASSAY_CONST_OPTIONS + b, option->blob.n));
    else
        push(vm, vm->env->options ? vm->env->options[b] : (assay_val)option->value);
    return true;
}

static bool op_local(struct assay_vm *vm, uint32_t ins)
{
    unsigned b = assay_ins_b(ins);
    vm->env->slots[b] = pop(vm);
    vm->env->known |= (uint64_t)1 << b;
    return true;
}

static bool op_jump(struct assay_vm *vm, uint32_t ins)
{
    vm->pc += assay_ins_b(ins);
    return true;
}

static bool op_unless(struct assay_vm *vm, uint32_t ins)
{
    if (!pop(vm))
        vm->pc += assay_ins_b(ins);
    return true;
}

static bool op_and_else(struct assay_vm *vm, uint32_t ins)
{
    if (!vm->stack[vm->depth - 1])
        vm->pc += assay_ins_b(ins);
    else
        vm->depth--;
    return true;
}

static bool op_or_else(struct assay_vm *vm, uint32_t ins)
{
    if (vm->stack[vm->depth - 1])
        vm->pc += assay_ins_b(ins);
    else
        vm->depth--;
    return true;
}

/* ---- numbers ----------------------------------------------------------- */

static bool op_neg(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    int64_t x = pop_int(vm), r;
    return !__builtin_sub_overflow((int64_t)0, x, &r) && push_int(vm, r);
}

static bool op_flip(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return push_int(vm, ~pop_int(vm));
}

static bool op_not(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return push_int(vm, !pop(vm));
}

static bool divide(int64_t x, int64_t y, int64_t *r)
{
    if (y == 0 || (y == -1 && x == INT64_MIN))
        return false;
    *r = x / y;
    return true;
}

static bool modulo(int64_t x, int64_t y, int64_t *r)
{
    if (y == 0)
        return false;
    *r = y == -1 ? 0 : x % y;
    return true;
}

static bool shift_left(int64_t x, int64_t y, int64_t *r)
{
    if (y < 0 || y > 63)
        return false;
    *r = (int64_t)((uint64_t)x << y);
    return *r >> y == x;
}

static bool shift_right(int64_t x, int64_t y, int64_t *r)
{
    if (y < 0 || y > 63)
        return false;
    *r = x >> y;
    return true;
}

#define FALLIBLE(name, computed)                                                                                       \
    static bool op_##name(struct assay_vm *vm, uint32_t ins)                                                           \
    {                                                                                                                  \
        (void)ins;                                                                                                     \
        int64_t y = pop_int(vm), x = pop_int(vm), r;                                                                   \
        return (computed) && push_int(vm, r);                                                                          \
    }
FALLIBLE(add, !__builtin_add_overflow(x, y, &r))
FALLIBLE(sub, !__builtin_sub_overflow(x, y, &r))
FALLIBLE(mul, !__builtin_mul_overflow(x, y, &r))
FALLIBLE(div, divide(x, y, &r))
FALLIBLE(mod, modulo(x, y, &r))
FALLIBLE(shl, shift_left(x, y, &r))
FALLIBLE(shr, shift_right(x, y, &r))
#undef FALLIBLE

#define TOTAL(name, value)                                                                                             \
    static bool op_##name(struct assay_vm *vm, uint32_t ins)                                                           \
    {                                                                                                                  \
        (void)ins;                                                                                                     \
        int64_t y = pop_int(vm), x = pop_int(vm);                                                                      \
        return push_int(vm, value);                                                                                    \
    }
TOTAL(bitand, x &y)
TOTAL(bitor, x | y)
TOTAL(bitxor, x ^ y)
TOTAL(eq, x == y)
TOTAL(ne, x != y)
TOTAL(lt, x < y)
TOTAL(le, x <= y)
TOTAL(gt, x > y)
TOTAL(ge, x >= y)
TOTAL(min, x < y ? x : y)
TOTAL(max, x > y ? x : y)
#undef TOTAL

static bool op_within(struct assay_vm *vm, uint32_t ins)
{
    const int64_t *bounds = &vm->env->model->ints[assay_ins_b(ins)];
    int64_t x = pop_int(vm);
    return push_int(vm, bounds[0] <= x && x <= bounds[1]);
}

/* ---- bytes ------------------------------------------------------------- */

static bool same(struct assay_span x, struct assay_span y)
{
    return x.n == y.n && (x.n == 0 || memcmp(x.p, y.p, x.n) == 0);
}

static bool starts(struct assay_span x, struct assay_span y)
{
    return x.n >= y.n && (y.n == 0 || memcmp(x.p, y.p, y.n) == 0);
}

static bool ends(struct assay_span x, struct assay_span y)
{
    return x.n >= y.n && (y.n == 0 || memcmp(x.p + (x.n - y.n), y.p, y.n) == 0);
}

static bool contains(struct assay_span x, struct assay_span y)
{
    if (y.n == 0)
        return true;
    while (x.n >= y.n) {
        const uint8_t *hit = memchr(x.p, y.p[0], x.n - y.n + 1);
        if (!hit)
            return false;
        if (memcmp(hit, y.p, y.n) == 0)
            return true;
        x.n -= (uint32_t)(hit + 1 - x.p);
        x.p = hit + 1;
    }
    return false;
}

#define COMPARE(name, value)                                                                                           \
    static bool op_##name(struct assay_vm *vm, uint32_t ins)                                                           \
    {                                                                                                                  \
        (void)ins;                                                                                                     \
        struct assay_span y = pop_bytes(vm), x = pop_bytes(vm);                                                        \
        return push_int(vm, value);                                                                                    \
    }
COMPARE(same, same(x, y))
COMPARE(differ, !same(x, y))
COMPARE(starts, starts(x, y))
COMPARE(ends, ends(x, y))
COMPARE(contains, contains(x, y))
#undef COMPARE

static bool op_size(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return push_int(vm, assay_val_size(pop(vm)));
}

static bool op_len(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return push_int(vm, assay_val_size(pop(vm)) / 8);
}

static bool op_at(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    int64_t y = pop_int(vm);
    struct assay_span x = pop_bytes(vm);
    return y >= 0 && y < (int64_t)x.n && push_int(vm, x.p[y]);
}

static bool op_item(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    int64_t y = pop_int(vm);
    struct assay_span x = pop_bytes(vm);
    return y >= 0 && y < (int64_t)(x.n / 8) && push_int(vm, assay_load_item(x.p + 8 * y));
}

/* Constants are referred to by index, so that a part of one has to be copied. */
static bool push_part(struct assay_vm *vm, assay_val v, uint32_t from, uint32_t size)
{
    if (assay_val_region(v) == ASSAY_REGION_CONST)
        return push_copy(vm, assay_bytes(vm->env, v).p + from, size);
    push(vm, assay_val_bytes(assay_val_region(v), assay_val_offset(v) + from, size));
    return true;
}

/* Units of `unit` bytes from y to z of the bytes below them on the stack. */
static bool cut(struct assay_vm *vm, uint32_t unit)
{
    int64_t z = pop_int(vm), y = pop_int(vm);
    assay_val v = pop(vm);
    if (y < 0 || y > z || z > (int64_t)(assay_val_size(v) / unit))
        return false;
    return push_part(vm, v, (uint32_t)y * unit, (uint32_t)(z - y) * unit);
}

static bool op_pair(struct assay_vm *vm, uint32_t ins)
{
    struct assay_span name = pop_bytes(vm), value;
    assay_val v = pop(vm);
    struct assay_span text = assay_bytes(vm->env, v);
    bool copy;
    if (!assay_pairs_find(vm->env, (uint16_t)assay_ins_b(ins), text, name, &value, &copy))
        return false;
    return copy ? push_scratch(vm, value.p, value.n) : push_part(vm, v, (uint32_t)(value.p - text.p), value.n);
}

static bool op_slice(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return cut(vm, 1);
}

static bool op_part(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return cut(vm, 8);
}

static bool op_join(struct assay_vm *vm, uint32_t ins)
{
    uint32_t count = assay_ins_a(ins);
    vm->depth -= count;
    const assay_val *parts = &vm->stack[vm->depth];
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += assay_val_size(parts[i]);
    uint8_t *to = total <= ASSAY_BYTES_MAX ? assay_scratch(vm->env, (uint32_t)total) : NULL;
    if (!to)
        return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct assay_span part = assay_bytes(vm->env, parts[i]);
        if (part.n)
            memcpy(to + at, part.p, part.n);
        at += part.n;
    }
    return push_scratch(vm, to, at);
}

static bool op_list(struct assay_vm *vm, uint32_t ins)
{
    uint32_t count = assay_ins_a(ins);
    vm->depth -= count;
    uint8_t *to = assay_scratch(vm->env, 8 * count);
    if (!to)
        return false;
    for (uint32_t i = 0; i < count; i++)
        assay_store_item(to + 8 * i, (int64_t)vm->stack[vm->depth + i]);
    return push_scratch(vm, to, 8 * count);
}

static bool op_decimal(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    uint8_t text[ASSAY_DECIMAL_MAX];
    return push_copy(vm, text, assay_format_decimal(pop_int(vm), text));
}

static bool op_hex(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    uint8_t text[ASSAY_HEX_MAX];
    int64_t value = pop_int(vm);
    return value >= 0 && push_copy(vm, text, assay_format_hex((uint64_t)value, text));
}

static bool op_number(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    int64_t value;
    return assay_parse_decimal(pop_bytes(vm), true, 0, &value) && push_int(vm, value);
}

/* Whether a byte that LINE escapes may be among them: all control characters count. Without branches, so that compilers
 * go through 16 bytes at a time: a text of 32 bytes without any takes 40 instructions for 230. */
static bool may_escape(struct assay_span x)
{
    unsigned char any = 0;
    for (uint32_t i = 0; i < x.n; i++)
        any |= (unsigned char)((x.p[i] < 0x20) | (x.p[i] == '\\'));
    return any;
}

/* What stands behind a backslash for a byte that must not appear as itself; 0: the byte may. */
static const uint8_t escapes_of[256] = {['\\'] = '\\', ['\n'] = 'n', ['\r'] = 'r', ['\0'] = '0'};

static bool op_line(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    assay_val v = pop(vm);
    struct assay_span x = assay_bytes(vm->env, v);
    uint32_t escapes = 0, at = 0;
    bool may = may_escape(x);
    for (uint32_t i = 0; i < x.n && may; i++)
        escapes += escapes_of[x.p[i]] != 0;
    if (escapes == 0) {
        push(vm, v);
        return true;
    }
    uint8_t *to = assay_scratch(vm->env, x.n + escapes);
    if (!to)
        return false;
    for (uint32_t i = 0; i < x.n; i++) {
        uint8_t c = escapes_of[x.p[i]];
        if (c)
            to[at++] = '\\';
        to[at++] = c ? c : x.p[i];
    }
    return push_scratch(vm, to, at);
}

/* Letters from `first` on, 26 of them, change their case. */
static bool change_case(struct assay_vm *vm, uint8_t first)
{
    struct assay_span x = pop_bytes(vm);
    uint8_t *to = assay_scratch(vm->env, x.n);
    if (!to)
        return false;
    for (uint32_t i = 0; i < x.n; i++)
        to[i] = (uint8_t)(x.p[i] - first) < 26 ? x.p[i] ^ 0x20 : x.p[i];
    return push_scratch(vm, to, x.n);
}

static bool op_lower(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return change_case(vm, 'A');
}

static bool op_upper(struct assay_vm *vm, uint32_t ins)
{
    (void)ins;
    return change_case(vm, 'a');
}

static uint32_t length(const char *name)
{
    uint32_t n = 0;
    while (name[n])
        n++;
    return n;
}

static bool op_name(struct assay_vm *vm, uint32_t ins)
{
    const struct assay_model *model = vm->env->model;
    struct assay_range items = model->enums[assay_ins_b(ins)].items;
    int64_t x = (int64_t)vm->stack[vm->depth - 1];
    for (uint32_t i = 0; i < items.count; i++) {
        const struct assay_enum_item *item = &model->enum_items[items.first + i];
        if (item->value == x) {
            vm->depth--;
            return push_copy(vm, (const uint8_t *)item->name, length(item->name));
        }
    }
    return op_decimal(vm, ins);
}

static bool op_sum(struct assay_vm *vm, uint32_t ins)
{
    return push_int(vm, assay_sum_of((enum assay_sum)assay_ins_b(ins), pop_bytes(vm)));
}

/* ---- running ----------------------------------------------------------- */

static operation *const operations[ASSAY_OP_FIRST_ACTION] = {
    [ASSAY_OP_INT] = op_int,
    [ASSAY_OP_WIDE] = op_wide,
    [ASSAY_OP_BLOB] = op_blob,
    [ASSAY_OP_SLOT] = op_slot,
    [ASSAY_OP_KNOWN] = op_known,
    [ASSAY_OP_VAR] = op_var,
    [ASSAY_OP_OPTION] = op_option,
    [ASSAY_OP_LOCAL] = op_local,
    [ASSAY_OP_JUMP] = op_jump,
    [ASSAY_OP_UNLESS] = op_unless,
    [ASSAY_OP_AND_ELSE] = op_and_else,
    [ASSAY_OP_OR_ELSE] = op_or_else,
    [ASSAY_OP_NEG] = op_neg,
    [ASSAY_OP_FLIP] = op_flip,
    [ASSAY_OP_NOT] = op_not,
    [ASSAY_OP_ADD] = op_add,
    [ASSAY_OP_SUB] = op_sub,
    [ASSAY_OP_MUL] = op_mul,
    [ASSAY_OP_DIV] = op_div,
    [ASSAY_OP_MOD] = op_mod,
    [ASSAY_OP_SHL] = op_shl,
    [ASSAY_OP_SHR] = op_shr,
    [ASSAY_OP_BITAND] = op_bitand,
    [ASSAY_OP_BITOR] = op_bitor,
    [ASSAY_OP_BITXOR] = op_bitxor,
    [ASSAY_OP_EQ] = op_eq,
    [ASSAY_OP_NE] = op_ne,
    [ASSAY_OP_LT] = op_lt,
    [ASSAY_OP_LE] = op_le,
    [ASSAY_OP_GT] = op_gt,
    [ASSAY_OP_GE] = op_ge,
    [ASSAY_OP_SAME] = op_same,
    [ASSAY_OP_DIFFER] = op_differ,
    [ASSAY_OP_MIN] = op_min,
    [ASSAY_OP_MAX] = op_max,
    [ASSAY_OP_WITHIN] = op_within,
    [ASSAY_OP_SIZE] = op_size,
    [ASSAY_OP_AT] = op_at,
    [ASSAY_OP_SLICE] = op_slice,
    [ASSAY_OP_JOIN] = op_join,
    [ASSAY_OP_LEN] = op_len,
    [ASSAY_OP_ITEM] = op_item,
    [ASSAY_OP_PART] = op_part,
    [ASSAY_OP_LIST] = op_list,
    [ASSAY_OP_DECIMAL] = op_decimal,
    [ASSAY_OP_HEX] = op_hex,
    [ASSAY_OP_NUMBER] = op_number,
    [ASSAY_OP_LINE] = op_line,
    [ASSAY_OP_LOWER] = op_lower,
    [ASSAY_OP_UPPER] = op_upper,
    [ASSAY_OP_STARTS] = op_starts,
    [ASSAY_OP_ENDS] = op_ends,
    [ASSAY_OP_CONTAINS] = op_contains,
    [ASSAY_OP_PAIR] = op_pair,
    [ASSAY_OP_NAME] = op_name,
    [ASSAY_OP_STATE] = assay_op_state,
    [ASSAY_OP_ACKED] = assay_op_acked,
    [ASSAY_OP_SUM] = op_sum,
    [ASSAY_OP_PEER] = assay_op_peer,
    [ASSAY_OP_RANDOM] = assay_op_random,
    [ASSAY_OP_SEAL] = assay_op_seal,
    [ASSAY_OP_SEALED] = assay_op_sealed,
    [ASSAY_OP_HAS] = assay_op_has,
    [ASSAY_OP_CELL] = assay_op_cell,
};

enum assay_vm_stop assay_vm_run(struct assay_vm *vm)
{
    const uint32_t *code = vm->env->model->code;
    for (;;) {
        uint32_t ins = code[vm->pc++];
        enum assay_op op = assay_ins_op(ins);
        if (op == ASSAY_OP_SLOT) { /* what most code is made of, without the call */
            unsigned b = assay_ins_b(ins);
            if (!(vm->env->known >> b & 1))
                return ASSAY_VM_UNDEFINED;
            push(vm, vm->env->slots[b]);
        } else if (op == ASSAY_OP_INT) {
            push_int(vm, (int16_t)assay_ins_b(ins));
        } else if (op == ASSAY_OP_END) {
            return ASSAY_VM_END;
        } else if (op >= ASSAY_OP_FIRST_ACTION) {
            return ASSAY_VM_ACTION;
        } else if (!operations[op](vm, ins)) {
            return ASSAY_VM_UNDEFINED;
        }
    }
}

bool assay_eval(struct assay_env *env, uint16_t code, assay_val *result)
{
    struct assay_vm vm;
    vm.env = env;
    vm.pc = code;
    vm.depth = 0;
    if (assay_vm_run(&vm) != ASSAY_VM_END)
        return false;
    *result = vm.stack[0];
    return true;
}

bool assay_holds(struct assay_env *env, uint16_t code)
{
    assay_val v;
    return code == ASSAY_NONE || (assay_eval(env, code, &v) && v);
}
