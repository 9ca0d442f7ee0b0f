// SPDX-License-Identifier: MIT
/* libtpms on the host, in a process of its own.
 *
 * A TPM's state can come from anywhere (an import), libtpms parses it without any check of its
 * integrity, and a damaged one can crash it. So it runs in a child: what comes back is a status,
 * never a signal of ours. The child is forked before a volume is opened, so no key of one is in its
 * memory, and it has no file open but standard error.
 *
 * Everything that crosses is in `struct tpm_exchange`, memory that both processes map. The parent
 * believes only its sizes, after checking them: a child that ran wild may have written anything. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/report.h"
#include "vtpm/provision.h"

/* The kernel's limit on an object; a full permanent state has 151 KB. */
#define TPM_STATE_BYTES_MAX ((size_t)256 * 1024)
#define TPM_STEP_BYTES      64u

struct tpm_exchange {
	/* Permanent state ("permall"): to be loaded, 0 bytes: make a new TPM; then, what it is when
	 * the TPM has been switched off. */
	size_t state_bytes;
	uint8_t state[TPM_STATE_BYTES_MAX];
	/* What the work leaves for the parent. */
	struct provision_identity identity;
	size_t certificate_bytes[PROVISION_KEYS];
	/* How far it came. */
	enum status status;
	char step[TPM_STEP_BYTES];
	uint32_t response_code;
	char detail[REPORT_TEXT_BYTES]; /* What the work has to say about its failure. */
};

/* Runs in the child, between TPM2_Startup and TPM2_Shutdown. */
typedef enum status (*tpm_work)(void *context, struct tpm_client *client,
				struct tpm_exchange *exchange);

/* NULL without memory. */
struct tpm_exchange *tpm_exchange_make(void);
/* Erases it: a TPM's state is secret. NULL is fine. */
void tpm_exchange_free(struct tpm_exchange *exchange);

/* Power a TPM on, work, power it off; exchange->state is its state then. STATUS_FAULTED: libtpms
 * crashed, or the TPM refused a command; STATUS_INVALID: it does not accept the state that was to
 * be loaded; STATUS_TIMEOUT: it did not end; STATUS_NO_ENTROPY. `work` may be NULL. */
MUST_CHECK
enum status tpm_process_run(struct tpm_exchange *exchange, tpm_work work, void *context,
			    struct report *report);
