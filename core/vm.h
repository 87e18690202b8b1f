/* The evaluator that expressions and rule bodies share: it runs operations on
 * values and stops at each action, which its caller carries out. */
#ifndef ASSAY_CORE_VM_H
#define ASSAY_CORE_VM_H

#include "core/code.h"

#define ASSAY_OP_FIRST_ACTION ASSAY_OP_OUT

enum assay_vm_stop { ASSAY_VM_END, ASSAY_VM_UNDEFINED, ASSAY_VM_ACTION };

struct assay_vm {
    struct assay_env *env;
    uint32_t pc;    /* of the next instruction; after ACTION the action is the one before */
    uint32_t depth; /* values on the stack */
    assay_val stack[ASSAY_STACK_MAX];
};

/* What only an engine can tell: secrets.c, rows.c. Without one they are undefined. */
bool assay_op_peer(struct assay_vm *vm, uint32_t ins);
bool assay_op_random(struct assay_vm *vm, uint32_t ins);
bool assay_op_seal(struct assay_vm *vm, uint32_t ins);
bool assay_op_sealed(struct assay_vm *vm, uint32_t ins);
bool assay_op_has(struct assay_vm *vm, uint32_t ins);
bool assay_op_cell(struct assay_vm *vm, uint32_t ins);

enum assay_vm_stop assay_vm_run(struct assay_vm *vm);

/* await.c: operations that look at the session. */
bool assay_op_state(struct assay_vm *vm, uint32_t ins);
bool assay_op_acked(struct assay_vm *vm, uint32_t ins);

static inline bool assay_is_bytes(const struct assay_model *model, uint16_t type)
{
    return type != ASSAY_NONE && model->types[type].kind >= ASSAY_T_BYTES;
}

#endif
