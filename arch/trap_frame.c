// SPDX-License-Identifier: MIT
#include "arch/trap_frame.h"

#include <stddef.h>

#include "base/compiler.h"

STATIC_ASSERT(sizeof(struct trap_frame) == TRAP_FRAME_BYTES, "entry code relies on it");
STATIC_ASSERT(sizeof(struct trap_frame) % 16 == 0, "keeps the stack aligned on entry to C");
STATIC_ASSERT(offsetof(struct trap_frame, cs) == TRAP_FRAME_CS, "entry code relies on it");
STATIC_ASSERT(offsetof(struct user_context, fs_base) == USER_CONTEXT_FS_BASE,
	      "entry code relies on it");
STATIC_ASSERT(offsetof(struct percpu, self) == PERCPU_SELF, "entry code relies on it");
STATIC_ASSERT(offsetof(struct percpu, kernel_rsp) == PERCPU_KERNEL_RSP, "entry code relies on it");
STATIC_ASSERT(offsetof(struct percpu, user_context) == PERCPU_USER_CONTEXT,
	      "entry code relies on it");
STATIC_ASSERT(offsetof(struct percpu, scratch) == PERCPU_SCRATCH, "entry code relies on it");
STATIC_ASSERT(offsetof(struct percpu, canary) == PERCPU_CANARY, "the psABI fixes it");
