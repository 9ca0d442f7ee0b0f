// SPDX-License-Identifier: MIT
/* Sealing and opening.
 *
 * Each mount draws a salt and derives its own keys, so its counters may start at 1: a nonce is
 * never used twice under one key, whatever a crash or a rolled-back disk makes the volume forget.
 */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_internal.h"
#include "crypto/random.h"

#define LABEL_LOG        "holdfast v1 log"
#define LABEL_NODE       "holdfast v1 node"
#define LABEL_DATA       "holdfast v1 data"
#define LABEL_SUPERBLOCK "holdfast v1 superblock"

#define BLOCK_AAD_BYTES  (VOLUME_UUID_BYTES + 4 + 4 + 8)

/* ---- The running session ------------------------------------------------------------------- */

enum status volume_session_begin(struct volume *volume, uint32_t id)
{
	struct volume_session *session = &volume->session;
	if (id == 0 || id == UINT32_MAX) {
		return STATUS_LIMIT;
	}
	session->ready = false;
	session->id = id;
	session->generation = volume->master.generation;
	session->log_seals = 0;
	session->node_seals = 0;
	session->data_seals = 0;
	enum status status = random_fill(volume->random, session->salt, VOLUME_SALT_BYTES);
	if (status == STATUS_OK) {
		status = volume_key_expand(volume, session->salt, session->generation, LABEL_LOG,
					   &session->log_key);
	}
	if (status == STATUS_OK) {
		status = volume_key_expand(volume, session->salt, session->generation, LABEL_NODE,
					   &session->node_key);
	}
	if (status == STATUS_OK) {
		status = volume_key_expand(volume, session->salt, session->generation, LABEL_DATA,
					   &session->data_key);
	}
	session->ready = status == STATUS_OK;
	return status;
}

bool volume_session_is_worn(const struct volume *volume)
{
	const struct volume_session *session = &volume->session;
	const uint64_t enough = (uint64_t)VOLUME_SEALS_MAX - VOLUME_SEALS_MARGIN;
	return !session->ready || session->log_seals >= enough || session->node_seals >= enough ||
	       session->data_seals >= enough;
}

enum status volume_session_renew(struct volume *volume)
{
	const struct volume_session *session = &volume->session;
	if (!volume_session_is_worn(volume)) {
		return STATUS_OK;
	}
	if (session->ready && volume->geometry.profile == VOLUME_PROFILE_BLOCK &&
	    session->data_seals != 0) {
		/* The log may speak of its blocks. */
		enum status status = volume_session_learn(volume, session->id, session->generation,
							  session->salt);
		if (status != STATUS_OK) {
			return STATUS_NO_SPACE;
		}
	}
	return volume_session_begin(volume, session->id + 1);
}

/* ---- Keys of earlier sessions --------------------------------------------------------------- */

struct volume_session_row *volume_table_find(struct volume_session_table *table, uint32_t id)
{
	for (uint32_t i = 0; i < table->count; i++) {
		if (table->rows[i].id == id) {
			return &table->rows[i];
		}
	}
	return NULL;
}

enum status volume_session_learn(struct volume *volume, uint32_t id, uint32_t generation,
				 const uint8_t salt[VOLUME_SALT_BYTES])
{
	struct volume_session_table *table = &volume->table;
	const struct volume_session_row *known = volume_table_find(table, id);
	if (known != NULL) {
		return memcmp(known->salt, salt, VOLUME_SALT_BYTES) == 0 ? STATUS_OK
									 : STATUS_AUTH_META;
	}
	if (table->count == VOLUME_SESSIONS_MAX) {
		return STATUS_AUTH_META; /* Its writer made sure that there is room. */
	}
	uint32_t at = table->count++;
	for (; at > 0 && table->rows[at - 1].id > id; at--) {
		table->rows[at] = table->rows[at - 1]; /* Rising ids. */
	}
	table->rows[at] = (struct volume_session_row){.id = id, .generation = generation};
	memcpy(table->rows[at].salt, salt, VOLUME_SALT_BYTES);
	return STATUS_OK;
}

static struct volume_session_keys *key_cache_victim(struct volume *volume)
{
	struct volume_session_keys *oldest = &volume->key_cache[0];
	for (size_t i = 1; i < VOLUME_KEY_CACHE; i++) {
		if (volume->key_cache[i].used_at < oldest->used_at) {
			oldest = &volume->key_cache[i];
		}
	}
	return oldest;
}

static enum status session_keys_derive(struct volume *volume, uint32_t id,
				       const uint8_t salt[VOLUME_SALT_BYTES], uint32_t generation,
				       struct volume_session_keys **keys)
{
	struct volume_session_keys *room = key_cache_victim(volume);
	room->id = 0;
	enum status status =
		volume_key_expand(volume, salt, generation, LABEL_NODE, &room->node_key);
	if (status == STATUS_OK) {
		status = volume_key_expand(volume, salt, generation, LABEL_DATA, &room->data_key);
	}
	if (status == STATUS_OK) {
		room->id = id;
		room->used_at = ++volume->clock;
		*keys = room;
	}
	/* A generation whose master key is gone: nothing that is reached may be of it. */
	return status == STATUS_AUTH_FAILED ? STATUS_AUTH_META : status;
}

/* Keys of the session that sealed something on the disk. STATUS_AUTH_META: there is none. */
static enum status session_keys_get(struct volume *volume, uint32_t id,
				    struct volume_session_keys **keys)
{
	for (size_t i = 0; i < VOLUME_KEY_CACHE; i++) {
		if (id != 0 && volume->key_cache[i].id == id) {
			volume->key_cache[i].used_at = ++volume->clock;
			*keys = &volume->key_cache[i];
			return STATUS_OK;
		}
	}
	const struct volume_superblock *superblock = &volume->superblock;
	if (id == superblock->session) { /* Also seals the table, so it is not looked up there. */
		return session_keys_derive(volume, id, superblock->session_salt,
					   superblock->session_generation, keys);
	}
	const struct volume_session_row *row = volume_table_find(&volume->table, id);
	if (id == 0 || row == NULL) {
		return STATUS_AUTH_META;
	}
	return session_keys_derive(volume, id, row->salt, row->generation, keys);
}

/* ---- Blocks -------------------------------------------------------------------------------- */

/* Bound to the place in the tree, not to the place on the disk: the parent's entry knows that. */
static void block_aad(const uint8_t uuid[VOLUME_UUID_BYTES], uint32_t level, uint64_t index,
		      uint8_t aad[BLOCK_AAD_BYTES])
{
	memcpy(aad, uuid, VOLUME_UUID_BYTES);
	bytes_store_le32(aad + 16, VOLUME_FORMAT_VERSION);
	bytes_store_le32(aad + 20, level);
	bytes_store_le64(aad + 24, index);
}

enum status volume_block_seal(struct volume *volume, uint32_t level, uint64_t index,
			      uint64_t physical, const uint8_t *plain, uint8_t *cipher,
			      struct volume_entry *entry)
{
	struct volume_session *session = &volume->session;
	bool is_data = level == VOLUME_LEVEL_DATA;
	uint8_t aad[BLOCK_AAD_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint64_t counter = 0;
	struct volume_entry made = {.physical = physical, .session = session->id};
	enum status status = volume_counter_take(
		is_data ? &session->data_seals : &session->node_seals, &counter);
	if (status != STATUS_OK) {
		return status;
	}
	made.counter = (uint32_t)counter;
	volume_nonce_make(is_data ? VOLUME_DOMAIN_DATA : VOLUME_DOMAIN_NODE, counter, nonce);
	block_aad(volume->uuid, level, index, aad);
	status = aead_seal(is_data ? &session->data_key : &session->node_key, nonce, aad,
			   sizeof(aad), plain, cipher, BLOCK_BYTES, made.tag);
	if (status == STATUS_OK) {
		*entry = made;
	}
	return status;
}

enum status volume_key_get(struct volume *volume, uint32_t level, uint32_t session,
			   const struct aead_key **key)
{
	bool is_data = level == VOLUME_LEVEL_DATA;
	if (volume->session.ready && session == volume->session.id) {
		*key = is_data ? &volume->session.data_key : &volume->session.node_key;
		return STATUS_OK;
	}
	struct volume_session_keys *keys = NULL;
	enum status status = session_keys_get(volume, session, &keys);
	if (status == STATUS_OK) {
		*key = is_data ? &keys->data_key : &keys->node_key;
	}
	return status;
}

enum status volume_data_open(const uint8_t uuid[VOLUME_UUID_BYTES], const struct aead_key *key,
			     uint64_t index, const struct volume_entry *entry,
			     const uint8_t *cipher, uint8_t *out)
{
	uint8_t aad[BLOCK_AAD_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	volume_nonce_make(VOLUME_DOMAIN_DATA, entry->counter, nonce);
	block_aad(uuid, VOLUME_LEVEL_DATA, index, aad);
	return aead_open(key, nonce, aad, sizeof(aad), cipher, out, BLOCK_BYTES, entry->tag);
}

/* Ciphertext is in private memory: the host cannot change it during the pass. */
enum status volume_cipher_open(struct volume *volume, uint32_t level, uint64_t index,
			       const struct volume_entry *entry, const uint8_t *cipher,
			       uint8_t *out)
{
	bool is_data = level == VOLUME_LEVEL_DATA;
	uint8_t aad[BLOCK_AAD_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	const struct aead_key *key = NULL;
	enum status status = volume_key_get(volume, level, entry->session, &key);
	if (status != STATUS_OK) {
		return status;
	}
	volume_nonce_make(is_data ? VOLUME_DOMAIN_DATA : VOLUME_DOMAIN_NODE, entry->counter, nonce);
	block_aad(volume->uuid, level, index, aad);
	status = aead_open(key, nonce, aad, sizeof(aad), cipher, out, BLOCK_BYTES, entry->tag);
	if (status == STATUS_AUTH_FAILED) {
		return is_data ? STATUS_AUTH_DATA : STATUS_AUTH_META;
	}
	return status;
}

enum status volume_block_open(struct volume *volume, uint32_t level, uint64_t index,
			      const struct volume_entry *entry, uint8_t *out)
{
	enum status status = block_read(volume->device, (struct physical_block){entry->physical},
					(struct block_count){1}, volume->scratch);
	volume->transfers++;
	if (status == STATUS_OK) {
		status = volume_cipher_open(volume, level, index, entry, volume->scratch, out);
	}
	if (status != STATUS_OK) {
		memset(out, 0, BLOCK_BYTES);
	}
	return volume_note(volume, status, level, index, entry->physical);
}

/* ---- Records ------------------------------------------------------------------------------- */

enum status volume_record_seal(struct volume *volume, uint8_t *record, uint32_t block_count,
			       uint32_t sealed_bytes, uint8_t tag[AEAD_TAG_BYTES])
{
	struct volume_session *session = &volume->session;
	struct volume_record_header header = {
		.block_count = block_count,
		.sealed_bytes = sealed_bytes,
		.generation = session->generation,
	};
	uint8_t nonce[AEAD_NONCE_BYTES];
	enum status status = volume_counter_take(&session->log_seals, &header.counter);
	if (status != STATUS_OK) {
		return status;
	}
	memcpy(header.salt, session->salt, VOLUME_SALT_BYTES);
	volume_nonce_make(VOLUME_DOMAIN_LOG, header.counter, nonce);
	volume_record_header_encode(record, &header);
	status = aead_seal(&session->log_key, nonce, record, VOLUME_RECORD_AAD_BYTES,
			   record + VOLUME_RECORD_HEADER_BYTES, record + VOLUME_RECORD_HEADER_BYTES,
			   sealed_bytes - VOLUME_RECORD_HEADER_BYTES, header.tag);
	if (status == STATUS_OK) {
		volume_record_header_encode(record, &header);
		memcpy(tag, header.tag, AEAD_TAG_BYTES);
	}
	return status;
}

/* Neighbouring records mostly share their session. */
static enum status log_key_get(struct volume *volume, const struct volume_record_header *header,
			       const struct aead_key **key)
{
	struct volume_log_key *cached = &volume->log_key;
	if (!cached->ready || cached->generation != header->generation ||
	    memcmp(cached->salt, header->salt, VOLUME_SALT_BYTES) != 0) {
		cached->ready = false;
		enum status status = volume_key_expand(volume, header->salt, header->generation,
						       LABEL_LOG, &cached->key);
		if (status != STATUS_OK) {
			return status;
		}
		cached->ready = true;
		cached->generation = header->generation;
		memcpy(cached->salt, header->salt, VOLUME_SALT_BYTES);
	}
	*key = &cached->key;
	return STATUS_OK;
}

enum status volume_record_open(struct volume *volume, const struct volume_record_header *header,
			       uint8_t *record)
{
	const struct aead_key *key = NULL;
	uint8_t nonce[AEAD_NONCE_BYTES];
	enum status status = log_key_get(volume, header, &key);
	if (status != STATUS_OK) {
		return status;
	}
	volume_nonce_make(VOLUME_DOMAIN_LOG, header->counter, nonce);
	return aead_open(key, nonce, record, VOLUME_RECORD_AAD_BYTES,
			 record + VOLUME_RECORD_HEADER_BYTES, record + VOLUME_RECORD_HEADER_BYTES,
			 header->sealed_bytes - VOLUME_RECORD_HEADER_BYTES, header->tag);
}

/* ---- Superblocks --------------------------------------------------------------------------- */

/* Each has a key of its own, from a salt of its own: one key, one message. */
static enum status superblock_seal_body(struct volume *volume,
					const struct volume_superblock_header *header,
					const uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES],
					uint8_t block[BLOCK_BYTES], uint8_t tag[AEAD_TAG_BYTES])
{
	struct aead_key key;
	uint8_t nonce[AEAD_NONCE_BYTES];
	enum status status =
		volume_key_expand(volume, header->salt, header->generation, LABEL_SUPERBLOCK, &key);
	if (status == STATUS_OK) {
		volume_nonce_make(VOLUME_DOMAIN_SUPERBLOCK, 1, nonce);
		status = aead_seal(&key, nonce, block, VOLUME_SUPERBLOCK_AAD_BYTES, body,
				   block + VOLUME_SUPERBLOCK_BODY_OFFSET,
				   VOLUME_SUPERBLOCK_BODY_BYTES, tag);
	}
	aead_key_erase(&key);
	return status;
}

enum status volume_superblock_seal(struct volume *volume, const struct volume_superblock *from,
				   uint8_t block[BLOCK_BYTES])
{
	uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES];
	struct volume_superblock_header header = {
		.version = VOLUME_FORMAT_VERSION,
		.profile = from->geometry.profile,
		.features = volume_superblock_features(from),
		.generation = volume->master.generation,
		.size = from->geometry.size,
	};
	memcpy(header.uuid, volume->uuid, VOLUME_UUID_BYTES);
	enum status status = random_fill(volume->random, header.salt, VOLUME_SALT_BYTES);
	if (status == STATUS_OK) {
		status = volume_superblock_header_encode(block, &header);
	}
	if (status != STATUS_OK) {
		return status;
	}
	volume_superblock_body_encode(body, from);
	status = superblock_seal_body(volume, &header, body, block, header.tag);
	secure_zero(body, sizeof(body));
	if (status == STATUS_OK) {
		memcpy(block + VOLUME_SUPERBLOCK_AAD_BYTES, header.tag, AEAD_TAG_BYTES);
	}
	return status;
}

enum status volume_superblock_open(struct volume *volume, const uint8_t block[BLOCK_BYTES],
				   struct volume_superblock *superblock)
{
	struct volume_superblock_header header;
	enum status status = volume_superblock_header_decode(block, &header);
	if (status != STATUS_OK) {
		return status;
	}
	if (memcmp(header.uuid, volume->uuid, VOLUME_UUID_BYTES) != 0) {
		return STATUS_AUTH_META;
	}
	struct aead_key key;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES] = {0};
	status = volume_key_expand(volume, header.salt, header.generation, LABEL_SUPERBLOCK, &key);
	if (status == STATUS_OK) {
		volume_nonce_make(VOLUME_DOMAIN_SUPERBLOCK, 1, nonce);
		status = aead_open(&key, nonce, block, VOLUME_SUPERBLOCK_AAD_BYTES,
				   block + VOLUME_SUPERBLOCK_BODY_OFFSET, body, sizeof(body),
				   header.tag);
	}
	aead_key_erase(&key);
	if (status == STATUS_OK) {
		status = volume_superblock_body_decode(body, header.profile, header.size,
						       superblock);
	}
	secure_zero(body, sizeof(body));
	if (status == STATUS_OK) {
		superblock->generation = header.generation;
		status = volume_superblock_features(superblock) == header.features
				 ? STATUS_OK
				 : STATUS_AUTH_META;
	}
	return status == STATUS_AUTH_FAILED ? STATUS_AUTH_META : status;
}
