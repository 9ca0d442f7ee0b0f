// SPDX-License-Identifier: MIT
#include "vtpm/service_exit.h"

#include <stddef.h>

struct meaning {
	enum service_exit code;
	enum status status;
	bool may_restart;
};

/* A restart is for crashes and for what may pass (a device that recovers). It is not for findings
 * that the next start could only repeat. */
static const struct meaning meanings[] = {
	{SERVICE_EXIT_ORDERLY, STATUS_FAULTED, true},
	{SERVICE_EXIT_USAGE, STATUS_BAD_CONFIG, false},
	{SERVICE_EXIT_NO_ENTROPY, STATUS_NO_ENTROPY, false},
	{SERVICE_EXIT_STATE_IO, STATUS_IO, true},
	{SERVICE_EXIT_STATE_AUTH, STATUS_AUTH_DATA, false},
	{SERVICE_EXIT_STATE_REJECTED, STATUS_NEWER_FORMAT, false},
	{SERVICE_EXIT_MANUFACTURE, STATUS_FAULTED, false},
	{SERVICE_EXIT_STORE, STATUS_IO, true},
	{SERVICE_EXIT_START, STATUS_FAULTED, true},
	{SERVICE_EXIT_PORT, STATUS_FAULTED, true},
	{SERVICE_EXIT_LIBRARY, STATUS_FAULTED, true},
};

static const struct meaning *find(int code)
{
	for (size_t i = 0; i < ARRAY_COUNT(meanings); i++) {
		if ((int)meanings[i].code == code) {
			return &meanings[i];
		}
	}
	return NULL;
}

enum status service_exit_status(int code)
{
	const struct meaning *meaning = find(code);

	return meaning == NULL ? STATUS_FAULTED : meaning->status;
}

bool service_exit_may_restart(int code)
{
	const struct meaning *meaning = find(code);

	/* An unknown code is a crash: glibc's abort and start-up errors end up here. */
	return meaning == NULL || meaning->may_restart;
}
