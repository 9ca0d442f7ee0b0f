// SPDX-License-Identifier: MIT
/* backup, restore. Both copy a whole image while its lock is held, verify what they made, and only
 * then let it appear under its name. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/output_file.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"
#include "tools/holdfast/uuid.h"
#include "tools/holdfast/verify.h"

#define CHUNK_BLOCKS 64u

/* The first block at or behind `block` that is not in a hole of the file; `end` if there is none,
 * `block` where the file system cannot tell. */
static uint64_t next_data(int fd, uint64_t block, uint64_t end)
{
	off_t at = lseek(fd, (off_t)(block * BLOCK_BYTES), SEEK_DATA);
	if (at < 0) {
		return errno == ENXIO ? end : block;
	}
	return (uint64_t)at / BLOCK_BYTES;
}

/* Every block of the volume, and nothing behind it. */
static enum status copy_image(struct session *session, uint64_t blocks, const char *what,
			      struct output_file *file, struct report *report)
{
	uint8_t *chunk = malloc((size_t)CHUNK_BLOCKS * BLOCK_BYTES);
	struct progress progress;
	enum status status = chunk != NULL ? STATUS_OK : STATUS_NO_MEMORY;
	progress_init(&progress, what);
	uint64_t at = next_data(session->file.fd, 0, blocks);
	while (status == STATUS_OK && at < blocks) {
		uint64_t count = blocks - at < CHUNK_BLOCKS ? blocks - at : CHUNK_BLOCKS;
		status = session_explain(session,
					 block_read(&session->file.device,
						    (struct physical_block){at},
						    (struct block_count){count}, chunk),
					 report);
		if (status == STATUS_OK) {
			status = output_file_write(file, at * BLOCK_BYTES, chunk,
						   (size_t)count * BLOCK_BYTES, report);
		}
		progress_update(&progress, at + count, blocks);
		at = next_data(session->file.fd, at + count, blocks);
	}
	progress_end(&progress);
	free(chunk);
	return status == STATUS_OK ? output_file_finish(file, blocks * BLOCK_BYTES, report)
				   : status;
}

/* Accepting an older state adds a record and an epoch to it, which make it another history. */
static bool state_is_right(const struct volume_info *source, const struct volume_info *made,
			   const struct witness_choice *witness)
{
	uint64_t added = made->sequence - source->sequence;
	return memcmp(made->open.uuid, source->open.uuid, VOLUME_UUID_BYTES) == 0 &&
	       made->epoch - source->epoch == added &&
	       added <= (witness->decision == VOLUME_WITNESS_ACCEPT ? 1u : 0u);
}

/* Is the copy the state that was copied, whole and authentic? With `as_new_epoch`, begin one in
 * it first. */
static enum status check_copy(const struct output_file *file, const struct key_material *key,
			      const struct witness_choice *witness,
			      const struct volume_info *source, bool as_new_epoch,
			      struct volume_info *made, struct report *report)
{
	struct session session;
	struct verify_totals totals;
	session_init(&session);
	session.witness_choice = *witness;
	enum status status =
		file_device_open(&session.file, file->temporary,
				 as_new_epoch ? FILE_ACCESS_WRITE : FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = session_mount(&session, key, report);
	}
	if (status == STATUS_OK) {
		volume_info_get(session.volume, made);
		if (!state_is_right(source, made, witness)) {
			status = report_note(report, STATUS_TAMPER, file->name,
					     "The copy holds another state than what was copied.");
		}
	}
	if (status == STATUS_OK && as_new_epoch) {
		status = session_explain(&session, volume_epoch_begin(session.volume), report);
		volume_info_get(session.volume, made);
	}
	if (status == STATUS_OK) {
		status = verify_session(&session, "verify", 0, &totals, report);
	}
	session_close(&session);
	return status;
}

/* A source that is damaged makes a copy that is: it never takes the target's place. */
static enum status copy_checked(const struct options *options, const struct key_material *key,
				bool is_restore, struct volume_info *made, struct report *report)
{
	struct session source;
	struct output_file file;
	struct volume_info info;
	session_init(&source);
	source.witness_choice = options->witness;
	output_file_init(&file);
	enum status status =
		file_device_open(&source.file, options->positional[0], FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = session_mount(&source, key, report);
	}
	if (status == STATUS_OK) {
		status = output_file_open(&file, options->positional[1], options->force, report);
	}
	if (status == STATUS_OK) {
		volume_info_get(source.volume, &info);
		status = copy_image(&source, info.open.size.n, is_restore ? "restore" : "backup",
				    &file, report);
	}
	if (status == STATUS_OK) {
		status = check_copy(&file, key, &options->witness, &info, is_restore, made, report);
	}
	if (status == STATUS_OK) {
		status = output_file_publish(&file, report);
	}
	output_file_close(&file);
	session_close(&source);
	return status;
}

static enum status run(const struct options *options, bool is_restore, struct report *report)
{
	struct key_material key;
	struct volume_info made;
	char uuid[UUID_TEXT_BYTES];
	enum status status = key_material_read(&key, &options->key, report);
	if (status == STATUS_OK) {
		status = copy_checked(options, &key, is_restore, &made, report);
	}
	key_material_erase(&key);
	if (status == STATUS_OK) {
		uuid_format(made.open.uuid, uuid);
	}
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[1]);
		json_string(&json, "uuid", uuid);
		json_number(&json, "size_bytes", made.open.size.n * BLOCK_BYTES);
		json_number(&json, "epoch", made.epoch);
		json_number(&json, "sequence", made.sequence);
		json_result_close(&json);
	} else if (status == STATUS_OK) {
		(void)printf("%s: %s volume %s, epoch %" PRIu64 ", sequence %" PRIu64
			     ", verified\n",
			     options->positional[1], is_restore ? "restored" : "backup of", uuid,
			     made.epoch, made.sequence);
	}
	return status;
}

enum status image_backup(const struct options *options, struct report *report)
{
	return run(options, false, report);
}

enum status image_restore(const struct options *options, struct report *report)
{
	return run(options, true, report);
}
