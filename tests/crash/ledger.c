// SPDX-License-Identifier: MIT
#include "ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "random_stream.h"

#define SLOTS_AT_FIRST  4096u
#define ROUND_KEY_BYTES 240u /* AES-256: 15 round keys. */

struct row {
	uint64_t key; /* A fingerprint; 0: free. */
	uint64_t nonce_low;
	uint64_t text; /* A fingerprint of the ciphertext's tag. */
	uint32_t nonce_high;
};

static struct {
	struct row *rows;
	size_t slots;
	size_t used;
	uint64_t repeats;
	uint64_t seals;
	struct random_stream entropy;
	uint64_t draws;
	uint64_t fail_at;
} ledger;

void ledger_begin(uint64_t seed)
{
	if (ledger.rows == NULL || ledger.used != 0) {
		free(ledger.rows);
		ledger.slots = SLOTS_AT_FIRST;
		ledger.rows = calloc(ledger.slots, sizeof(struct row));
		CHECK(ledger.rows != NULL);
	}
	ledger.used = 0;
	ledger.repeats = 0;
	ledger_entropy_fail_at(0);
	random_stream_init(&ledger.entropy, seed);
}

uint64_t ledger_repeats(void)
{
	return ledger.repeats;
}

uint64_t ledger_seals(void)
{
	return ledger.seals;
}

void ledger_entropy_fail_at(uint64_t k)
{
	ledger.draws = 0;
	ledger.fail_at = k;
}

uint64_t ledger_entropy_draws(void)
{
	return ledger.draws;
}

static uint64_t fingerprint(const uint8_t *bytes, size_t size)
{
	uint64_t hash = 0x243f6a8885a308d3u;
	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t word;
		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash | 1;
}

static struct row *slot_for(const struct row *row)
{
	uint64_t hash = (row->key ^ row->nonce_low) * 0x9e3779b97f4a7c15u ^ row->nonce_high;
	for (size_t at = (size_t)(hash >> 20);; at++) { /* Ends: at most half are taken. */
		struct row *slot = &ledger.rows[at & (ledger.slots - 1)];
		if (slot->key == 0 || (slot->key == row->key && slot->nonce_low == row->nonce_low &&
				       slot->nonce_high == row->nonce_high)) {
			return slot;
		}
	}
}

static void grow(void)
{
	struct row *old = ledger.rows;
	size_t old_slots = ledger.slots;
	ledger.slots *= 4;
	ledger.rows = calloc(ledger.slots, sizeof(struct row));
	CHECK(ledger.rows != NULL);
	for (size_t i = 0; i < old_slots; i++) {
		if (old[i].key != 0) {
			*slot_for(&old[i]) = old[i];
		}
	}
	free(old);
}

static void enter(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
		  const uint8_t tag[AEAD_TAG_BYTES])
{
	struct row row = {.key = fingerprint(key->storage, ROUND_KEY_BYTES),
			  .text = fingerprint(tag, AEAD_TAG_BYTES)};
	memcpy(&row.nonce_low, nonce, sizeof(row.nonce_low));
	memcpy(&row.nonce_high, nonce + sizeof(row.nonce_low), sizeof(row.nonce_high));
	if (2 * (ledger.used + 1) > ledger.slots) {
		grow();
	}
	struct row *slot = slot_for(&row);
	if (slot->key == 0) {
		*slot = row;
		ledger.used++;
	} else if (slot->text != row.text) {
		ledger.repeats++;
	}
	ledger.seals++;
}

/* ---- What the linker puts in place of the real functions ------------------------------------ */

enum status __real_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);
enum status __wrap_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);
enum status __wrap_random_fill(struct random *random, uint8_t *out, size_t size_bytes);

enum status __wrap_aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
			     const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
			     uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES])
{
	enum status status =
		__real_aead_seal(key, nonce, aad, aad_size_bytes, plain, cipher, size_bytes, tag);
	if (status == STATUS_OK && ledger.rows != NULL) { /* Not the library's self-tests. */
		enter(key, nonce, tag);
	}
	return status;
}

enum status __wrap_random_fill(struct random *random, uint8_t *out, size_t size_bytes)
{
	(void)random;
	if (++ledger.draws == ledger.fail_at) {
		memset(out, 0, size_bytes);
		return STATUS_NO_ENTROPY;
	}
	for (size_t i = 0; i < size_bytes; i++) {
		out[i] = (uint8_t)random_stream_next(&ledger.entropy);
	}
	return STATUS_OK;
}
