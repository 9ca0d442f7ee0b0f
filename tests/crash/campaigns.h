// SPDX-License-Identifier: MIT
/* The campaigns: what each run() does is said where it is defined. */
#pragma once

#include <stdint.h>

#include "checker.h"

/* campaign_crash.c */
void campaign_commits_run(struct checker *checker, uint64_t case_index);
void campaign_block_commits_run(struct checker *checker, uint64_t case_index);
void campaign_checkpoints_run(struct checker *checker, uint64_t case_index);
void campaign_steps_run(struct checker *checker, uint64_t case_index);
void campaign_sequences_run(struct checker *checker, uint64_t case_index);
uint64_t campaign_sequences_cases(enum volume_profile profile);
void campaign_walk_run(struct checker *checker, uint64_t case_index);
void campaign_grow_run(struct checker *checker, uint64_t case_index);
void campaign_create_run(struct checker *checker, uint64_t case_index);

/* campaign_bits.c */
void campaign_bits_run(struct checker *checker, uint64_t case_index);

/* campaign_splice.c */
void campaign_splice_run(struct checker *checker, uint64_t case_index);

/* campaign_mixes.c */
void campaign_mixes_run(struct checker *checker, uint64_t case_index);

/* campaign_faults.c */
void campaign_faults_run(struct checker *checker, uint64_t case_index);
void campaign_lies_run(struct checker *checker, uint64_t case_index);

/* campaign_witness.c */
void campaign_witness_run(struct checker *checker, uint64_t case_index);

/* campaign_limits.c */
void campaign_limits_run(struct checker *checker, uint64_t case_index);

/* campaign_store.c */
void campaign_store_run(struct checker *checker, uint64_t case_index);
