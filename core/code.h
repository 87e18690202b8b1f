/* Instructions of guards, computed fields and rule bodies.
 *
 * A small stack machine: 32 bits an instruction, jumps only forward, stack at
 * most ASSAY_STACK_MAX deep; assay_code_verify() proves all three once for a
 * model, so running it needs no checks of its own and always ends. Integers
 * are 64 bits signed. An operation that overflows, divides by zero, shifts by
 * less than 0 or more than 63, indexes outside or reads a slot without a value
 * makes the whole code *undefined*; nothing that ran before it takes effect.
 */
#ifndef ASSAY_CORE_CODE_H
#define ASSAY_CORE_CODE_H

#include "core/value.h"

#define ASSAY_STACK_MAX 32

/* name, values popped (-1: see a), values pushed, what it does.
 * a: 8 bits, b: 16 bits, unsigned unless said. */
#define ASSAY_OPS(X)                                                                                                   \
    X(END, 0, 0, "the end; of an expression: its value is on the stack")                                               \
    X(INT, 0, 1, "push b, signed")                                                                                     \
    X(WIDE, 0, 1, "push ints[b]")                                                                                      \
    X(BLOB, 0, 1, "push blobs[b]")                                                                                     \
    X(SLOT, 0, 1, "push slot b; undefined if it has no value")                                                         \
    X(KNOWN, 0, 1, "push whether slot b has a value")                                                                  \
    X(VAR, 0, 1, "push variable b")                                                                                    \
    X(OPTION, 0, 1, "push option b")                                                                                   \
    X(LOCAL, 1, 0, "pop into slot b")                                                                                  \
    X(JUMP, 0, 0, "skip b instructions")                                                                               \
    X(UNLESS, 1, 0, "pop; if false, skip b instructions")                                                              \
    X(AND_ELSE, 0, 0, "if the top is false skip b instructions, else pop it")                                          \
    X(OR_ELSE, 0, 0, "if the top is true skip b instructions, else pop it")                                            \
    X(NEG, 1, 1, "-x")                                                                                                 \
    X(FLIP, 1, 1, "~x")                                                                                                \
    X(NOT, 1, 1, "!x")                                                                                                 \
    X(ADD, 2, 1, "x + y")                                                                                              \
    X(SUB, 2, 1, "x - y")                                                                                              \
    X(MUL, 2, 1, "x * y")                                                                                              \
    X(DIV, 2, 1, "x / y, towards zero")                                                                                \
    X(MOD, 2, 1, "x % y, sign of x")                                                                                   \
    X(SHL, 2, 1, "x << y; undefined if bits are lost")                                                                 \
    X(SHR, 2, 1, "x >> y, arithmetic")                                                                                 \
    X(BITAND, 2, 1, "x & y")                                                                                           \
    X(BITOR, 2, 1, "x | y")                                                                                            \
    X(BITXOR, 2, 1, "x ^ y")                                                                                           \
    X(EQ, 2, 1, "x == y, numbers")                                                                                     \
    X(NE, 2, 1, "x != y, numbers")                                                                                     \
    X(LT, 2, 1, "x < y")                                                                                               \
    X(LE, 2, 1, "x <= y")                                                                                              \
    X(GT, 2, 1, "x > y")                                                                                               \
    X(GE, 2, 1, "x >= y")                                                                                              \
    X(SAME, 2, 1, "x == y, bytes or lists")                                                                            \
    X(DIFFER, 2, 1, "x != y, bytes or lists")                                                                          \
    X(MIN, 2, 1, "the smaller")                                                                                        \
    X(MAX, 2, 1, "the larger")                                                                                         \
    X(WITHIN, 1, 1, "whether ints[b] <= x <= ints[b + 1]")                                                             \
    X(SIZE, 1, 1, "size of bytes")                                                                                     \
    X(AT, 2, 1, "byte y of x")                                                                                         \
    X(SLICE, 3, 1, "bytes y (inclusive) to z (exclusive) of x")                                                        \
    X(JOIN, -1, 1, "a byte strings put together")                                                                      \
    X(LEN, 1, 1, "number of elements of a list")                                                                       \
    X(ITEM, 2, 1, "element y of list x")                                                                               \
    X(PART, 3, 1, "elements y (inclusive) to z (exclusive) of list x")                                                 \
    X(LIST, -1, 1, "a list of a numbers")                                                                              \
    X(DECIMAL, 1, 1, "a number as decimal text")                                                                       \
    X(HEX, 1, 1, "a number as lower-case hexadecimal text; undefined if negative")                                     \
    X(NUMBER, 1, 1, "the number that canonical decimal text stands for")                                               \
    X(LINE, 1, 1, "bytes with \\, CR, LF and NUL escaped, so that they stay on one line")                              \
    X(LOWER, 1, 1, "ASCII letters in lower case")                                                                      \
    X(UPPER, 1, 1, "ASCII letters in upper case")                                                                      \
    X(STARTS, 2, 1, "whether x begins with y")                                                                         \
    X(ENDS, 2, 1, "whether x ends with y")                                                                             \
    X(CONTAINS, 2, 1, "whether y occurs in x")                                                                         \
    X(PAIR, 2, 1, "the value under name y in text x of grammar pairs[b]; undefined if there is none")                  \
    X(NAME, 1, 1, "the name of value x in enums[b]; its number in decimal if it has none")                             \
    X(PEER, 0, 1, "push what the host said the peer is")                                                               \
    X(RANDOM, 0, 1, "push b bytes that nobody can guess")                                                              \
    X(SEAL, -1, 1, "16 bytes that only this engine makes of a byte strings")                                           \
    X(SEALED, -1, 1, "of a byte strings: whether the first is a seal of the others, and not too old")                  \
    X(SUM, 1, 1, "the sum of kind b (enum assay_sum) over bytes")                                                      \
    X(HAS, 1, 1, "whether tables[b] has a row under that key")                                                         \
    X(CELL, 1, 1, "column a of the row of tables[b] under that key; undefined if there is none")                       \
    X(STATE, 0, 1, "push the state that the session's machine is in")                                                  \
    X(ACKED, 0, 1, "push whether what the call marked (a = 1: all that was sent) is acknowledged")                     \
    /* actions: only in rule bodies */                                                                                 \
    X(OUT, 1, 0, "pop into field slot b of the message being made")                                                    \
    X(FREE, 0, 0,                                                                                                      \
      "an implementation may fill field slot b as it likes; a = 1: as long as the expression holds that follows the "  \
      "JUMP over it")                                                                                                  \
    X(SEND, 0, 0, "encode messages[b] from the fields given, forget them")                                             \
    X(SET, 1, 0, "pop into variable b")                                                                                \
    X(GOTO, 0, 0, "the session's next state is b")                                                                     \
    X(EFFECT, -1, 0, "order effects[b] with its arguments, a of them; wait for it if it can fail")                     \
    X(TIMER, 0, 0, "a = 1: start timers[b] anew; 0: stop it")                                                          \
    X(RESULT, -1, 0, "the running call ends well with a results")                                                      \
    X(ERROR, -1, 0, "the running call ends with errors[b]; a = 1: pop a text that says more")                          \
    X(ABORT, 0, 0, "end the session with a reset")                                                                     \
    X(CLOSE, 0, 0, "end this link, though its machine is not through (see struct assay_reconnect)")                    \
    X(DECLINE, 0, 0, "the reliable message that came is not taken")                                                    \
    X(MARK, 0, 0, "the call marks what was sent last")                                                                 \
    X(CHOOSE, 0, 0, "one of a ways is free: continue at one of the next a instructions, all JUMPs")

enum assay_op {
#define X(name, pops, pushes, text) ASSAY_OP_##name,
    ASSAY_OPS(X)
#undef X
        ASSAY_OPS_COUNT
};

static inline uint32_t assay_ins(enum assay_op op, unsigned a, unsigned b)
{
    return (uint32_t)op | (uint32_t)(a & 0xff) << 8 | (uint32_t)(b & 0xffff) << 16;
}
static inline enum assay_op assay_ins_op(uint32_t ins)
{
    return (enum assay_op)(ins & 0xff);
}
static inline unsigned assay_ins_a(uint32_t ins)
{
    return ins >> 8 & 0xff;
}
static inline unsigned assay_ins_b(uint32_t ins)
{
    return ins >> 16;
}

/* Evaluate the expression at `code`. False: undefined. */
bool assay_eval(struct assay_env *env, uint16_t code, assay_val *result);

/* Evaluate a condition: undefined is false. ASSAY_NONE is true. */
bool assay_holds(struct assay_env *env, uint16_t code);

/* Whether every code that the model's tables name is well formed: known
 * operations, forward jumps inside, stack within bounds, actions only in rule
 * bodies, indices inside their tables; and whether the tables of structured
 * text refer to what there is. On false, *where is the instruction, or 0. */
bool assay_code_verify(const struct assay_model *model, uint32_t *where);

/* The last instruction, an END, of a piece of code that verifies. */
uint32_t assay_code_end(const struct assay_model *model, uint32_t code);

#endif
