// SPDX-License-Identifier: MIT
#include "user/vtpmd/tpm_clock.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/bytes.h"
#include "user/vtpmd/nv.h"
#include "user/vtpmd/tpm_internal.h"
#include "vtpm/response.h"

#define TPM_CC_CLOCK_SET  0x128u
#define TPM_CC_READ_CLOCK 0x181u

/* time, clock: u64; resetCount, restartCount: u32; safe: u8. */
#define READ_CLOCK_BYTES (TPM_HEADER_BYTES + 25u)
#define CLOCK_AT         (TPM_HEADER_BYTES + 8u)

#define PERIOD_MS        ((uint64_t)1 << 22)
/* How often it is looked at, and how much later than it should a store may hence come. A TPM's
 * clock may be told to run 15 % faster than time. */
#define LOOK_EVERY_S 60
#define MARGIN_MS    ((uint64_t)4 * LOOK_EVERY_S * 1000)

static time_t looked_at_s;
static uint64_t stored_period;

static time_t now_s(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static bool read_clock(uint64_t *clock_ms, bool *safe)
{
	uint8_t command[TPM_HEADER_BYTES];
	const uint8_t *response = NULL;
	size_t size = 0;

	(void)response_error(command, TPM_CC_READ_CLOCK); /* A header has the same form. */
	if (!tpm_process(command, sizeof(command), &response, &size) ||
	    response_code(response) != TPM_RC_SUCCESS || size != READ_CLOCK_BYTES) {
		return false;
	}
	*clock_ms = (uint64_t)bytes_load_be32(response + CLOCK_AT) << 32 |
		    bytes_load_be32(response + CLOCK_AT + 4);
	*safe = response[READ_CLOCK_BYTES - 1] != 0;
	return true;
}

/* The platform hierarchy has its empty password until somebody else had a turn. */
static bool set_clock(uint64_t clock_ms)
{
	static const uint32_t handle = TPM_RH_PLATFORM;
	struct tpm_client client = tpm_own_client();
	struct tpm_command command;
	struct reader reader;

	tpm_command_begin_authorised(&command, TPM_CC_CLOCK_SET, &handle, 1);
	writer_be32(&command.writer, (uint32_t)(clock_ms >> 32));
	writer_be32(&command.writer, (uint32_t)clock_ms);
	return tpm_succeeded(tpm_client_run(&client, "ClockSet", &command, &reader), &client) &&
	       nv_store_now();
}

bool tpm_clock_start(void)
{
	uint64_t clock_ms = 0;
	bool safe = false;

	looked_at_s = now_s();
	if (!read_clock(&clock_ms, &safe)) {
		return false;
	}
	if (!safe) {
		clock_ms = (clock_ms | (PERIOD_MS - 1)) + 1 + MARGIN_MS;
		if (!set_clock(clock_ms)) {
			return false;
		}
	}
	stored_period = clock_ms / PERIOD_MS;
	return true;
}

bool tpm_clock_keep(void)
{
	uint64_t clock_ms = 0;
	bool safe = false;
	const time_t now = now_s();

	/* Before TPM2_Startup, and in failure mode, there is no clock to be seen. */
	if (now - looked_at_s < LOOK_EVERY_S || !read_clock(&clock_ms, &safe)) {
		return true;
	}
	looked_at_s = now;
	if (clock_ms / PERIOD_MS == stored_period) {
		return true;
	}
	stored_period = clock_ms / PERIOD_MS;
	return nv_store_now();
}
