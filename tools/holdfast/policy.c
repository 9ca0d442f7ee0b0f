// SPDX-License-Identifier: MIT
#include "tools/holdfast/policy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Digits only, up to `end` or the end of the text. */
static bool number_take(const char **text, char end, uint32_t *number)
{
	uint64_t value = 0;
	const char *at = *text;
	for (; *at >= '0' && *at <= '9' && value <= UINT32_MAX; at++) {
		value = value * 10 + (uint64_t)(*at - '0');
	}
	if (at == *text || value > UINT32_MAX || (*at != end && *at != '\0')) {
		return false;
	}
	*text = *at == '\0' ? at : at + 1;
	*number = (uint32_t)value;
	return true;
}

enum status policy_parse(const char *text, struct volume_witness_policy *policy)
{
	static const char bounded[] = "bounded:";
	struct volume_witness_policy made = {.kind = VOLUME_WITNESS_OPEN};
	if (strcmp(text, "strict") == 0) {
		made.kind = VOLUME_WITNESS_STRICT;
	} else if (strncmp(text, bounded, strlen(bounded)) == 0) {
		const char *at = text + strlen(bounded);
		made.kind = VOLUME_WITNESS_BOUNDED;
		if (!number_take(&at, ',', &made.commits) ||
		    (at[-1] == ',' &&
		     (!number_take(&at, '\0', &made.seconds) || made.seconds == 0))) {
			return STATUS_INVALID;
		}
	} else if (strcmp(text, "open") != 0) {
		return STATUS_INVALID;
	}
	if (!volume_witness_policy_is_sane(&made)) {
		return STATUS_INVALID;
	}
	*policy = made;
	return STATUS_OK;
}

void policy_format(const struct volume_witness_policy *policy, char out[POLICY_TEXT_BYTES])
{
	switch (policy->kind) {
	case VOLUME_WITNESS_OPEN: (void)snprintf(out, POLICY_TEXT_BYTES, "open"); break;
	case VOLUME_WITNESS_STRICT: (void)snprintf(out, POLICY_TEXT_BYTES, "strict"); break;
	case VOLUME_WITNESS_BOUNDED:
		if (policy->seconds != 0) {
			(void)snprintf(out, POLICY_TEXT_BYTES, "bounded:%" PRIu32 ",%" PRIu32,
				       policy->commits, policy->seconds);
		} else {
			(void)snprintf(out, POLICY_TEXT_BYTES, "bounded:%" PRIu32, policy->commits);
		}
		break;
	}
}
