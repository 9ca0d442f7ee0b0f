// SPDX-License-Identifier: MIT
/* key rotate: a new master key, and every step of the sweep. A rotation that was interrupted is
 * gone on with. */
#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

/* The keys of all slots that are to open the volume afterwards. */
struct keys {
	struct key_material material[VOLUME_KEYSLOTS_MAX];
	struct volume_key each[VOLUME_KEYSLOTS_MAX];
	uint32_t count;
};

static enum status keys_read(struct keys *keys, const struct options *options,
			     struct report *report)
{
	enum status status = key_material_read(&keys->material[0], &options->key, report);
	for (uint32_t i = 0; i < options->also_count && status == STATUS_OK; i++) {
		status = key_material_read(&keys->material[i + 1], &options->also[i], report);
	}
	keys->count = options->also_count + 1;
	for (uint32_t i = 0; i < keys->count; i++) {
		keys->each[i] = key_material_key(&keys->material[i]);
	}
	return status;
}

static void keys_erase(struct keys *keys)
{
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		key_material_erase(&keys->material[i]);
	}
}

static enum status refuse_missing(const struct session *session, uint32_t missing,
				  struct report *report)
{
	char slots[4 * VOLUME_KEYSLOTS_MAX] = "";
	size_t at = 0;
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		if ((missing >> i & 1) != 0) {
			at += (size_t)snprintf(slots + at, sizeof(slots) - at, " %" PRIu32, i);
		}
	}
	return report_note(report, STATUS_NO_KEY, session->file.path,
			   "The keys of these slots are needed as well (--also-...), or "
			   "--drop-others, which gives them up:%s.",
			   slots);
}

static enum status begin(struct session *session, const struct keys *keys,
			 const struct options *options, struct report *report)
{
	uint32_t missing = 0;
	enum status status = volume_key_rotate_begin(session->volume, keys->each, keys->count,
						     options->drop_others, &missing);
	if (status == STATUS_NO_KEY && missing != 0) {
		return refuse_missing(session, missing, report);
	}
	if (status == STATUS_WRONG_KEY) {
		return report_note(report, status, session->file.path,
				   "One of the keys opens no keyslot of this volume.");
	}
	if (status == STATUS_BUSY) {
		return report_note(report, status, session->file.path,
				   "It is growing; 'holdfast image grow' ends that.");
	}
	return session_explain(session, status, report);
}

static enum status go_on(struct session *session, struct report *report)
{
	struct volume_rotation_info info;
	struct progress progress;
	bool done = false;
	enum status status = STATUS_OK;
	progress_init(&progress, "rotate");
	while (status == STATUS_OK && !done) {
		status = volume_key_rotate_step(session->volume, &done);
		volume_key_rotation_get(session->volume, &info);
		progress_update(&progress, info.done, info.total);
	}
	progress_end(&progress);
	if (status == STATUS_NO_SPACE) {
		return report_note(report, status, session->file.path,
				   "The rotation has begun and needs a few free blocks to go on: "
				   "remove something, and "
				   "repeat the command.");
	}
	return session_explain(session, status, report);
}

static void print_rotated(const struct session *session, const struct options *options)
{
	struct volume_info info;
	struct json json;
	volume_info_get(session->volume, &info);
	if (!options->json) {
		(void)printf("%s: rotated, key generation %" PRIu32 "\n", options->positional[0],
			     info.key_generation);
		return;
	}
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_number(&json, "key_generation", info.key_generation);
	json_number(&json, "keyslots_in_use", info.keyslots_in_use);
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

static enum status rotate(struct session *session, const struct keys *keys,
			  const struct options *options, struct report *report)
{
	struct volume_rotation_info info;
	volume_key_rotation_get(session->volume, &info);
	enum status status = STATUS_OK;
	if (!info.is_running && !options->resume) {
		status = begin(session, keys, options, report);
	}
	if (status == STATUS_OK) {
		status = go_on(session, report);
	}
	if (status == STATUS_OK) {
		print_rotated(session, options);
	}
	return status;
}

enum status key_rotate(const struct options *options, struct report *report)
{
	static struct keys keys; /* Some 8 KiB. */
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = keys_read(&keys, options, report);
	if (status == STATUS_OK) {
		status = file_device_open(&session.file, options->positional[0], FILE_ACCESS_WRITE,
					  report);
	}
	if (status == STATUS_OK) {
		status = session_mount(&session, &keys.material[0], report);
	}
	if (status == STATUS_OK) {
		status = rotate(&session, &keys, options, report);
	}
	keys_erase(&keys);
	session_close(&session);
	return status;
}
