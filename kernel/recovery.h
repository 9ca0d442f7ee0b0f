// SPDX-License-Identifier: MIT
/* A disk that dies while the machine runs: it is reset, opened, and its volume mounted again by
 * comparing it with what this boot remembers; then the TPM goes on, or starts again.
 *
 * A command that was running got TPM_RC_FAILURE by then, whatever the program had to say of it. */
#pragma once

#include <stdbool.h>

struct svsm;

/* One turn of the main loop, while no TPM is in the middle of a command: look whether the disk is
 * alive, now and then, and if it is not, make one attempt. True if it did something. */
bool recovery_step(struct svsm *svsm);
