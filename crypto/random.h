// SPDX-License-Identifier: MIT
/* Random bytes: an HMAC_DRBG (NIST SP 800-90A, mbedtls) over a hardware source with health tests
 * (SP 800-90B, section 4.4: repetition count and adaptive proportion), mixed with what the host
 * gives. The host's bytes can only add: they never replace the hardware source. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* The hardware source, a port: RDSEED or RDRAND in the kernel, getrandom(2) in host tools, a
 * scripted one in tests. False: no word could be had (retries are the port's). */
struct entropy_port {
	bool (*read_word)(void *context, uint64_t *word);
	void *context;
};

#define RANDOM_STATE_BYTES 512u

struct random {
	struct entropy_port port;
	_Alignas(16) uint8_t state[RANDOM_STATE_BYTES]; /* The library's context. */
	uint64_t last_word;                             /* Health tests. */
	uint32_t repeat_count;
	uint64_t sample_word;
	uint32_t sample_seen;
	uint32_t sample_left;
	bool ready;
	bool failed; /* Sticky: a source that failed a health test is not asked again. */
};

/* `random` holds nothing before (a generator that runs is ended with random_erase() first). The
 * struct may be moved afterwards, never copied: it owns two small heap blocks of the library.
 * STATUS_NO_ENTROPY: the source gives nothing or fails its start-up tests (1,024 samples).
 * STATUS_NO_MEMORY: the library's heap is empty. STATUS_INVALID: `host_bytes` is NULL but its size
 * is not 0. After a failure random_fill() gives nothing. */
MUST_CHECK
enum status random_init(struct random *random, const struct entropy_port *port,
			const uint8_t *host_bytes, size_t host_size_bytes);

/* Fill `out`. Reseeds from the hardware source on each call (prediction resistance).
 * STATUS_NO_ENTROPY: the source failed; `out` is zeroed. Never a fallback. If a health test failed,
 * that is final; if the source was merely dry, the next call asks it again.
 * Costs some 25 us natively, more on an emulator: draw what one operation needs in one call. The
 * owner serialises calls. */
MUST_CHECK
enum status random_fill(struct random *random, uint8_t *out, size_t size_bytes);

void random_erase(struct random *random);
