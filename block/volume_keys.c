// SPDX-License-Identifier: MIT
/* Keyslots and key derivation. Every key below the master key comes from HKDF over a salt that is
 * drawn fresh for its purpose; a key from the disk only ever unwraps, it never enrols. */
#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "block/volume_internal.h"
#include "crypto/hash.h"
#include "crypto/random.h"

#define LABEL_BYTES_MAX      32u
#define PASSPHRASE_BYTES_MAX 1024u

/* What one key and one slot's salt give: the wrapping key and the commitment. */
struct keyslot_keys {
	uint8_t wrap[SHA256_BYTES];
	uint8_t commit[SHA256_BYTES];
};

/* info = label || UUID || generation: a key is good for one purpose, one volume, one generation. */
static enum status expand_with_label(const uint8_t prk[SHA256_BYTES], const char *label,
				     const uint8_t uuid[VOLUME_UUID_BYTES], uint32_t generation,
				     uint8_t out[SHA256_BYTES])
{
	uint8_t info[LABEL_BYTES_MAX + VOLUME_UUID_BYTES + 4];
	struct writer writer;
	writer_init(&writer, info, sizeof(info));
	writer_copy(&writer, (const uint8_t *)label, strlen(label));
	writer_copy(&writer, uuid, VOLUME_UUID_BYTES);
	writer_le32(&writer, generation);
	return hkdf_expand(prk, info, writer.at, out, SHA256_BYTES);
}

/* NULL: a generation that is not, or no longer, known. */
static const uint8_t *master_key_of(const struct volume *volume, uint32_t generation)
{
	if (generation != 0 && generation == volume->master.generation) {
		return volume->master.key;
	}
	return generation != 0 && generation == volume->previous.generation ? volume->previous.key
									    : NULL;
}

enum status volume_key_derive(const struct volume *volume, const uint8_t salt[VOLUME_SALT_BYTES],
			      uint32_t generation, const char *label, uint8_t out[SHA256_BYTES])
{
	uint8_t prk[SHA256_BYTES];
	const uint8_t *master_key = master_key_of(volume, generation);
	if (master_key == NULL) {
		return STATUS_AUTH_FAILED;
	}
	enum status status =
		hkdf_extract(salt, VOLUME_SALT_BYTES, master_key, VOLUME_KEY_BYTES, prk);
	if (status == STATUS_OK) {
		status = expand_with_label(prk, label, volume->uuid, generation, out);
	}
	secure_zero(prk, sizeof(prk));
	return status;
}

enum status volume_key_expand(const struct volume *volume, const uint8_t salt[VOLUME_SALT_BYTES],
			      uint32_t generation, const char *label, struct aead_key *key)
{
	uint8_t raw[SHA256_BYTES];
	enum status status = volume_key_derive(volume, salt, generation, label, raw);
	if (status == STATUS_OK) {
		aead_key_expand(volume->aead, key, raw);
	}
	secure_zero(raw, sizeof(raw));
	return status;
}

/* The anchor names a history across sessions, so its key has no session salt. */
enum status volume_anchor_key_derive(struct volume *volume)
{
	const uint8_t no_salt[VOLUME_SALT_BYTES] = {0};
	uint8_t raw[SHA256_BYTES];
	enum status status = volume_key_derive(volume, no_salt, volume->master.generation,
					       "holdfast v1 anchor", raw);
	if (status == STATUS_OK) {
		status = hmac_key_expand(&volume->anchor_key, raw, sizeof(raw));
	}
	secure_zero(raw, sizeof(raw));
	return status;
}

enum status volume_key_check(const struct volume_key *key)
{
	if (key == NULL || key->bytes == NULL) {
		return STATUS_NO_KEY;
	}
	switch (key->type) {
	case VOLUME_KEY_RAW:
	case VOLUME_KEY_RECOVERY:
		return key->size_bytes == VOLUME_KEY_BYTES ? STATUS_OK : STATUS_NO_KEY;
	case VOLUME_KEY_PASSPHRASE:
		return key->size_bytes >= 1 && key->size_bytes <= PASSPHRASE_BYTES_MAX
			       ? STATUS_OK
			       : STATUS_NO_KEY;
	}
	return STATUS_NO_KEY;
}

/* ---- Keyslots ------------------------------------------------------------------------------ */

static enum status keyslot_keys_derive(const struct volume *volume, const struct volume_key *key,
				       const struct volume_keyslot *slot, struct keyslot_keys *keys)
{
	uint8_t stretched[SHA512_BYTES] = {0};
	uint8_t prk[SHA256_BYTES];
	enum status status = STATUS_OK;
	if (key->type == VOLUME_KEY_PASSPHRASE) {
		status = pbkdf2_sha512(key->bytes, key->size_bytes, slot->salt, VOLUME_SALT_BYTES,
				       slot->iterations, stretched, sizeof(stretched));
		if (status == STATUS_OK) {
			status = hkdf_extract(slot->salt, VOLUME_SALT_BYTES, stretched,
					      sizeof(stretched), prk);
		}
	} else {
		status = hkdf_extract(slot->salt, VOLUME_SALT_BYTES, key->bytes, key->size_bytes,
				      prk);
	}
	if (status == STATUS_OK) {
		status = expand_with_label(prk, "holdfast v1 keyslot wrap", volume->uuid,
					   slot->generation, keys->wrap);
	}
	if (status == STATUS_OK) {
		status = expand_with_label(prk, "holdfast v1 keyslot commit", volume->uuid,
					   slot->generation, keys->commit);
	}
	secure_zero(stretched, sizeof(stretched));
	secure_zero(prk, sizeof(prk));
	return status;
}

/* AES-GCM opens under more than one key for those who can craft it; HMAC does not, so the slot is
 * bound to its key by an HMAC, which also tells a wrong key from a damaged slot. */
static enum status keyslot_commitment(const struct keyslot_keys *keys,
				      const uint8_t slot_bytes[VOLUME_KEYSLOT_BYTES],
				      uint8_t out[SHA256_BYTES])
{
	const struct hash_input input = {.bytes = slot_bytes,
					 .size_bytes = VOLUME_KEYSLOT_BOUND_BYTES};
	return hash_hmac_sha256(keys->commit, SHA256_BYTES, &input, 1, out);
}

/* One key, one message: the salt is drawn for each slot, so a fixed nonce is used once. */
static void keyslot_nonce(uint8_t nonce[AEAD_NONCE_BYTES])
{
	volume_nonce_make(VOLUME_DOMAIN_KEYSLOT, 1, nonce);
}

static enum status keyslot_seal(struct volume *volume, const struct keyslot_keys *keys,
				struct volume_keyslot *slot)
{
	uint8_t bytes[VOLUME_KEYSLOT_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	volume_keyslot_encode(bytes, slot);
	enum status status = keyslot_commitment(keys, bytes, slot->commitment);
	if (status != STATUS_OK) {
		return status;
	}
	volume_keyslot_encode(bytes, slot);
	keyslot_nonce(nonce);
	struct aead_key key;
	aead_key_expand(volume->aead, &key, keys->wrap);
	status = aead_seal(&key, nonce, bytes, VOLUME_KEYSLOT_AAD_BYTES, volume->master.key,
			   slot->wrapped, VOLUME_KEY_BYTES, slot->tag);
	aead_key_erase(&key);
	return status;
}

enum status volume_keyslot_wrap(struct volume *volume, const struct volume_key *key,
				struct volume_keyslot *slot)
{
	struct volume_keyslot made = {
		.type = (uint32_t)key->type,
		.generation = volume->master.generation,
		.iterations = key->type == VOLUME_KEY_PASSPHRASE ? VOLUME_PBKDF2_ITERATIONS : 0,
	};
	struct keyslot_keys keys;
	enum status status = random_fill(volume->random, made.salt, sizeof(made.salt));
	if (status == STATUS_OK) {
		status = keyslot_keys_derive(volume, key, &made, &keys);
	}
	if (status == STATUS_OK) {
		status = keyslot_seal(volume, &keys, &made);
	}
	secure_zero(&keys, sizeof(keys));
	if (status == STATUS_OK) {
		*slot = made;
	}
	return status;
}

/* STATUS_WRONG_KEY: not committed to this key. */
static enum status keyslot_open(struct volume *volume, const struct keyslot_keys *keys,
				const struct volume_keyslot *slot, struct volume_master *master)
{
	uint8_t bytes[VOLUME_KEYSLOT_BYTES];
	uint8_t commitment[SHA256_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t master_key[VOLUME_KEY_BYTES];
	volume_keyslot_encode(bytes, slot);
	enum status status = keyslot_commitment(keys, bytes, commitment);
	if (status != STATUS_OK) {
		return status;
	}
	if (!bytes_equal_constant_time(commitment, slot->commitment, SHA256_BYTES)) {
		return STATUS_WRONG_KEY;
	}
	keyslot_nonce(nonce);
	struct aead_key key;
	aead_key_expand(volume->aead, &key, keys->wrap);
	status = aead_open(&key, nonce, bytes, VOLUME_KEYSLOT_AAD_BYTES, slot->wrapped, master_key,
			   VOLUME_KEY_BYTES, slot->tag);
	aead_key_erase(&key);
	if (status == STATUS_OK) {
		memcpy(master->key, master_key, VOLUME_KEY_BYTES);
		master->generation = slot->generation;
	}
	secure_zero(master_key, sizeof(master_key));
	return status == STATUS_AUTH_FAILED ? STATUS_AUTH_META : status;
}

enum status volume_keyslots_unlock(struct volume *volume, const struct volume_keyslots *keyslots,
				   const struct volume_key *key, uint32_t *slot_index,
				   struct volume_master *master)
{
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		const struct volume_keyslot *slot = &keyslots->slots[i];
		if (slot->type != (uint32_t)key->type) {
			continue;
		}
		struct keyslot_keys keys;
		enum status status = keyslot_keys_derive(volume, key, slot, &keys);
		if (status == STATUS_OK) {
			status = keyslot_open(volume, &keys, slot, master);
		}
		secure_zero(&keys, sizeof(keys));
		if (status == STATUS_WRONG_KEY) {
			continue;
		}
		if (status == STATUS_OK) {
			*slot_index = i;
		}
		return status;
	}
	return STATUS_WRONG_KEY;
}
