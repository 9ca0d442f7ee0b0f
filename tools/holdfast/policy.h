// SPDX-License-Identifier: MIT
/* Witness policies as people write them: "open", "strict", "bounded:COMMITS[,SECONDS]". */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_witness.h"

#define POLICY_TEXT_BYTES 40u

/* STATUS_INVALID: none of these, or no commits. */
MUST_CHECK
enum status policy_parse(const char *text, struct volume_witness_policy *policy);
void policy_format(const struct volume_witness_policy *policy, char out[POLICY_TEXT_BYTES]);
