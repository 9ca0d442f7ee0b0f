// SPDX-License-Identifier: MIT
#include "kernel/recovery_policy.h"

enum status recovery_permit(enum status cause, const struct virtio_blk_condition *disk)
{
	if (cause != STATUS_BAD_HOST && cause != STATUS_TIMEOUT) {
		return cause;
	}
	if (disk->reset != STATUS_OK) {
		return disk->reset;
	}
	return disk->failures > VIRTIO_FAILURES_MAX ? STATUS_LIMIT : STATUS_OK;
}

enum recovery_tpm recovery_tpm_decide(bool command_was_cut, bool disk_has_doubt)
{
	return command_was_cut || disk_has_doubt ? RECOVERY_TPM_RESTARTS : RECOVERY_TPM_CONTINUES;
}
