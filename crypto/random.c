// SPDX-License-Identifier: MIT
/* HMAC_DRBG with SHA-256 (SP 800-90A, section 10.1.2) from mbedtls, seeded and reseeded through the
 * health tests.
 *
 * The library's context lives in `state`. It holds a back pointer, which is set anew before each
 * use, so that the owner may move the struct; and two heap blocks (236 bytes in all: the MAC's
 * hash context and padding), so that the owner may not copy it, and ends it with random_erase(). */
#include "crypto/random.h"

#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>

#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/library_status_internal.h"
#include "crypto/random_internal.h"

/* 16 words at the 16 bits each that the health tests vouch for are the 256 bits of a SHA-256 DRBG's
 * strength. The library draws half as much again for its nonce. */
#define SEED_BYTES (16u * sizeof(uint64_t))

STATIC_ASSERT(sizeof(mbedtls_hmac_drbg_context) <= RANDOM_STATE_BYTES, "state is too small");
STATIC_ASSERT(_Alignof(mbedtls_hmac_drbg_context) <= 16, "state is misaligned");
STATIC_ASSERT(SEED_BYTES * 3u / 2u + SHA512_BYTES <= MBEDTLS_HMAC_DRBG_MAX_SEED_INPUT,
	      "the library does not take so much seed");

static mbedtls_hmac_drbg_context *drbg_of(struct random *random)
{
	return (mbedtls_hmac_drbg_context *)(void *)random->state;
}

static enum status read_healthy_word(struct random *random, uint64_t *word)
{
	uint64_t fresh = 0;
	if (!random->port.read_word(random->port.context, &fresh)) {
		return STATUS_NO_ENTROPY;
	}
	if (!random_health_accepts(random, fresh)) {
		random->failed = true;
		return STATUS_NO_ENTROPY;
	}
	*word = fresh;
	return STATUS_OK;
}

/* The library's entropy callback. A failure ends the request that called it. */
static int draw_entropy(void *context, unsigned char *out, size_t size_bytes)
{
	struct random *random = context;
	int result = 0;
	uint64_t word = 0;
	for (size_t at = 0; at < size_bytes; at += sizeof(word)) {
		if (read_healthy_word(random, &word) != STATUS_OK) {
			secure_zero(out, size_bytes);
			result = MBEDTLS_ERR_HMAC_DRBG_ENTROPY_SOURCE_FAILED;
			break;
		}
		const size_t left = size_bytes - at;
		memcpy(out + at, &word, left < sizeof(word) ? left : sizeof(word));
	}
	secure_zero(&word, sizeof(word));
	return result;
}

/* The samples are thrown away: they served to judge the source. */
static enum status start_up_test(struct random *random)
{
	enum status status = STATUS_OK;
	uint64_t word = 0;
	for (uint32_t i = 0; status == STATUS_OK && i < RANDOM_START_UP_WORDS; i++) {
		status = read_healthy_word(random, &word);
	}
	secure_zero(&word, sizeof(word));
	return status;
}

/* End the library's context: erased, its heap blocks freed, all zero. */
static void discard_drbg(struct random *random)
{
	if (random->ready) {
		mbedtls_hmac_drbg_free(drbg_of(random));
	}
	secure_zero(random->state, sizeof(random->state));
	random->ready = false;
}

/* The host's bytes enter as the personalization string (SP 800-90A, section 8.7.1), which is hashed
 * together with the entropy input and can take nothing away from it. The library limits its
 * length, so it is their SHA-512. */
static enum status seed_drbg(struct random *random, const uint8_t *host_bytes,
			     size_t host_size_bytes)
{
	uint8_t personal[SHA512_BYTES];
	const struct hash_input input = {.bytes = host_bytes, .size_bytes = host_size_bytes};
	const enum status status = hash_sha512(&input, 1, personal);
	if (status != STATUS_OK) {
		return status;
	}
	mbedtls_hmac_drbg_context *drbg = drbg_of(random);
	mbedtls_hmac_drbg_init(drbg);
	random->ready = true;
	mbedtls_hmac_drbg_set_entropy_len(drbg, SEED_BYTES);
	const int result =
		mbedtls_hmac_drbg_seed(drbg, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256),
				       draw_entropy, random, personal, sizeof(personal));
	mbedtls_hmac_drbg_set_prediction_resistance(drbg, MBEDTLS_HMAC_DRBG_PR_ON);
	secure_zero(personal, sizeof(personal));
	return library_status(result);
}

enum status random_init(struct random *random, const struct entropy_port *port,
			const uint8_t *host_bytes, size_t host_size_bytes)
{
	secure_zero(random, sizeof(*random));
	if (host_bytes == NULL && host_size_bytes > 0) {
		return STATUS_INVALID;
	}
	random->port = *port;
	random_health_reset(random);
	enum status status = start_up_test(random);
	if (status == STATUS_OK) {
		status = seed_drbg(random, host_bytes, host_size_bytes);
	}
	if (status != STATUS_OK) {
		discard_drbg(random);
	}
	return status;
}

/* With prediction resistance on, each request reseeds first; the library's limit on one request
 * cuts long ones into several. */
static enum status generate(struct random *random, uint8_t *out, size_t size_bytes)
{
	mbedtls_hmac_drbg_context *drbg = drbg_of(random);
	drbg->p_entropy = random;
	size_t at = 0;
	while (at < size_bytes) {
		const size_t left = size_bytes - at;
		const size_t take = left < MBEDTLS_HMAC_DRBG_MAX_REQUEST
					    ? left
					    : (size_t)MBEDTLS_HMAC_DRBG_MAX_REQUEST;
		const int result = mbedtls_hmac_drbg_random(drbg, out + at, take);
		if (result != 0) {
			return library_status(result);
		}
		at += take;
	}
	return STATUS_OK;
}

enum status random_fill(struct random *random, uint8_t *out, size_t size_bytes)
{
	enum status status = STATUS_NO_ENTROPY;
	if (random->ready) {
		status = generate(random, out, size_bytes);
	}
	if (random->failed) {
		/* Nothing that a broken source has touched may be used again. From here on the
		 * generator is not ready, and so the source is not asked again. */
		discard_drbg(random);
		status = STATUS_NO_ENTROPY;
	}
	if (status != STATUS_OK && size_bytes > 0) {
		secure_zero(out, size_bytes);
	}
	return status;
}

void random_erase(struct random *random)
{
	discard_drbg(random);
	secure_zero(random, sizeof(*random));
}
