// SPDX-License-Identifier: MIT
#include "vtpm/restart_policy.h"

void restart_policy_init(struct restart_policy *policy)
{
	policy->state = SERVICE_STARTING;
	policy->restarts = 0;
	policy->cause = STATUS_OK;
}

enum status restart_policy_ready(struct restart_policy *policy)
{
	if (policy->state != SERVICE_STARTING) {
		return STATUS_INVALID;
	}
	policy->state = SERVICE_SERVING;
	return STATUS_OK;
}

enum status restart_policy_died(struct restart_policy *policy, enum status cause, bool may_restart)
{
	if (policy->state == SERVICE_UNAVAILABLE || cause == STATUS_OK) {
		return STATUS_INVALID;
	}
	policy->cause = cause;
	if (!may_restart) {
		policy->state = SERVICE_UNAVAILABLE;
		return cause;
	}
	if (policy->restarts == RESTART_MAX) {
		policy->state = SERVICE_UNAVAILABLE;
		return STATUS_LIMIT;
	}
	policy->restarts++;
	policy->state = SERVICE_STARTING;
	return STATUS_OK;
}

enum status restart_policy_suspended(struct restart_policy *policy)
{
	if (policy->state == SERVICE_UNAVAILABLE) {
		return STATUS_INVALID;
	}
	policy->state = SERVICE_STARTING;
	return STATUS_OK;
}

bool restart_policy_is_restart(const struct restart_policy *policy)
{
	return policy->restarts > 0;
}

const char *service_state_name(enum service_state state)
{
	switch (state) {
	case SERVICE_STARTING: return "starting";
	case SERVICE_SERVING: return "serving";
	case SERVICE_UNAVAILABLE: return "unavailable";
	}
	return "unknown";
}
