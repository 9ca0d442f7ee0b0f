// SPDX-License-Identifier: MIT
/* The TPM's clock never shows less than it once did, kills included.
 *
 * libtpms writes its clock into the permanent state when that passes a multiple of 2^22 ms (70
 * minutes), without storing it, and after an end without a shutdown goes on from what was stored,
 * marked as not safe (TPM 2.0 Library, Part 1, section 36). A key that was bound to a time by a
 * policy would be usable again. So the state is stored when the clock has passed such a multiple,
 * and after a disorderly end the clock is set to where it can not have been. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

/* After TPM2_Startup, before its user has another turn. False: the TPM is not usable. */
MUST_CHECK
bool tpm_clock_start(void);

/* Before every command; what it shows is then at most a command later than what was looked at.
 * False: the TPM is not usable. */
MUST_CHECK
bool tpm_clock_keep(void);
