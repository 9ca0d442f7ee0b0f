// SPDX-License-Identifier: MIT
/* What to do when the disk was given up while the machine runs. Pure; kernel/recovery.h acts on it.
 * docs/adr/0003-recovery.md has the reasons. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/virtio_blk.h"

/* May the disk be opened and looked at again? `cause` is why the volume stopped. STATUS_OK, or the
 * name by which it stays stopped for the rest of this boot:
 * `cause` itself: it says something of the data (TAMPER, AUTH_META, ...), which a reset cannot
 * mend, or is the device's own word (IO). TIMEOUT, NO_DEVICE: the reset was not confirmed, so it
 * may still write to memory. LIMIT: it has been opened again VIRTIO_FAILURES_MAX times. */
MUST_CHECK enum status recovery_permit(enum status cause, const struct virtio_blk_condition *disk);

enum recovery_tpm {
	RECOVERY_TPM_CONTINUES,
	RECOVERY_TPM_RESTARTS,
};

/* May the program that runs the TPM go on with what it has in memory? Only if that is what is on
 * the disk: no command was cut short, and no write was on the way. */
enum recovery_tpm recovery_tpm_decide(bool command_was_cut, bool disk_has_doubt);
