// SPDX-License-Identifier: MIT
/* What happens when the vTPM service dies: it is started again at most RESTART_MAX times in a boot,
 * then the vTPM is unavailable until the next boot and every command gets TPM_RC_FAILURE.
 *
 * The count never goes down: each restart is a TPM Reset that the guest did not ask for, and an
 * attacker who can crash the service at will must run out of them. A restarted service is told so
 * (--restarted) and caps its PCRs. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define RESTART_MAX 3u

enum service_state {
	SERVICE_STARTING,    /* Before its first read of a command. To SERVING, STARTING,
				UNAVAILABLE. */
	SERVICE_SERVING,     /* To STARTING (died or suspended), UNAVAILABLE. */
	SERVICE_UNAVAILABLE, /* For good. */
};

struct restart_policy {
	enum service_state state;
	uint32_t restarts;
	enum status cause; /* Of the latest death; STATUS_OK if there was none. */
};

void restart_policy_init(struct restart_policy *policy);

/* The service asks for its first command. STATUS_INVALID: not a legal transition. */
MUST_CHECK
enum status restart_policy_ready(struct restart_policy *policy);

/* The service is dead. STATUS_OK: start it again, now. STATUS_LIMIT: the restarts are used up.
 * `cause` itself: it must not be restarted (`may_restart` is false). With either of the last two
 * the service is UNAVAILABLE. STATUS_INVALID: it was already, or `cause` is STATUS_OK. */
MUST_CHECK
enum status restart_policy_died(struct restart_policy *policy, enum status cause, bool may_restart);

/* The service is ended by its keeper, and started again when it can be: for no fault of its own, so
 * that does not count. STATUS_INVALID: it is UNAVAILABLE. */
MUST_CHECK
enum status restart_policy_suspended(struct restart_policy *policy);

/* True if the service has to be told that it is not the first of this boot. */
bool restart_policy_is_restart(const struct restart_policy *policy);

/* "starting", "serving", "unavailable". */
const char *service_state_name(enum service_state state);
