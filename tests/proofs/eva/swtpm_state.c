// SPDX-License-Identifier: MIT
/* swtpm's state file, of any length. */
#include "tests/proofs/eva/reader.h"
#include "tools/holdfast/swtpm_state.h"

static uint8_t memory[10];

static void take(const uint8_t *bytes, size_t size)
{
	const uint8_t *state = NULL;
	size_t state_bytes = 0;
	if (swtpm_state_decode(bytes, size, &state, &state_bytes) == STATUS_OK) {
		(void)state, (void)state_bytes;
	}
}

int main(void)
{
	EACH_FILE(take, memory);
	return 0;
}
