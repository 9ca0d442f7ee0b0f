// SPDX-License-Identifier: MIT
/* What the rig's two sources share: rig.c lives and commits, rig_ops.c chooses what to do. */
#pragma once

#include "rig.h"

bool rig_is_block(const struct rig *rig);
/* Begin a transaction and stage all that is to change. */
enum status rig_stage(struct rig *rig, const struct contents *next);
/* A checkpoint that runs may go on while a transaction is open. */
enum status rig_step_now_and_then(struct rig *rig);
/* A content that fills its block: see model.c. */
uint64_t rig_full_content(struct checker *checker);
/* As rig_commit(), for a transaction that takes several records. */
bool rig_commit_records(struct rig *rig, const struct contents *next, uint32_t records);
