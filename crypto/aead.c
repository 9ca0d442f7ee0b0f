// SPDX-License-Identifier: MIT
/* The face of the AEAD. The library keeps quiet about bad arguments (it sets an error number and
 * writes nothing, so a seal would leave the tag as it was); therefore all arguments are checked
 * here, and nothing that reaches the library can make it refuse. */
#include "crypto/aead.h"

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/aead_internal.h"

const char *aead_name(const struct aead *aead)
{
	return aead->implementation == NULL ? "none" : aead->implementation->name;
}

void aead_key_expand(const struct aead *aead, struct aead_key *key,
		     const uint8_t raw[AEAD_KEY_BYTES])
{
	const struct aead_implementation *implementation = aead->implementation;
	CHECK(implementation != NULL);
	struct gcm_key_data *data = (struct gcm_key_data *)(void *)key->storage;
	implementation->expand_round_keys(raw, data->expanded_keys);
	implementation->precompute_hash_keys(data);
	key->implementation = implementation;
}

void aead_key_erase(struct aead_key *key)
{
	secure_zero(key, sizeof(*key));
}

/* A NULL is fine only where there is nothing to read or write. */
static bool arguments_are_valid(const struct aead_key *key, const uint8_t *aad,
				size_t aad_size_bytes, const uint8_t *in, const uint8_t *out,
				size_t size_bytes)
{
	if (key->implementation == NULL) {
		return false;
	}
	if (aad_size_bytes > AEAD_TEXT_BYTES_MAX || (aad_size_bytes > 0 && aad == NULL)) {
		return false;
	}
	if (size_bytes > AEAD_TEXT_BYTES_MAX) {
		return false;
	}
	return size_bytes == 0 || (in != NULL && out != NULL);
}

enum status aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
		      const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
		      uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES])
{
	if (!arguments_are_valid(key, aad, aad_size_bytes, plain, cipher, size_bytes)) {
		return STATUS_INVALID;
	}
	struct gcm_context_data context;
	const struct gcm_key_data *data = (const struct gcm_key_data *)(const void *)key->storage;
	key->implementation->seal(data, &context, cipher, plain, size_bytes, nonce, aad,
				  aad_size_bytes, tag, AEAD_TAG_BYTES);
	/* It holds key stream and, with the tag, GHASH state. */
	secure_zero(&context, sizeof(context));
	return STATUS_OK;
}

enum status aead_open(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
		      const uint8_t *aad, size_t aad_size_bytes, const uint8_t *cipher,
		      uint8_t *plain, size_t size_bytes, const uint8_t tag[AEAD_TAG_BYTES])
{
	if (!arguments_are_valid(key, aad, aad_size_bytes, cipher, plain, size_bytes)) {
		return STATUS_INVALID;
	}
	struct gcm_context_data context;
	uint8_t computed[AEAD_TAG_BYTES] = {0};
	const struct gcm_key_data *data = (const struct gcm_key_data *)(const void *)key->storage;
	key->implementation->open(data, &context, plain, cipher, size_bytes, nonce, aad,
				  aad_size_bytes, computed, AEAD_TAG_BYTES);
	const bool genuine = bytes_equal_constant_time(computed, tag, AEAD_TAG_BYTES);
	/* For a forged message, `computed` is the tag that the forger was looking for. */
	secure_zero(computed, sizeof(computed));
	secure_zero(&context, sizeof(context));
	if (!genuine) {
		if (size_bytes > 0) {
			secure_zero(plain, size_bytes);
		}
		return STATUS_AUTH_FAILED;
	}
	return STATUS_OK;
}
