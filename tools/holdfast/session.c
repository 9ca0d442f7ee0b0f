// SPDX-License-Identifier: MIT
#include "tools/holdfast/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "tools/holdfast/host_crypto.h"
#include "tools/holdfast/large_memory.h"
#include "tools/holdfast/pace.h"

void session_init(struct session *session)
{
	memset(session, 0, sizeof(*session));
	session->file.fd = -1;
}

enum volume_profile session_profile(const struct session *session)
{
	struct volume_info info;
	volume_info_get(session->volume, &info);
	return info.open.profile;
}

enum status session_prepare(struct session *session, size_t arena_bytes)
{
	struct aead_platform platform = host_aead_platform();
	/* No clock: a command is too short to win back what measuring costs. */
	enum status status = aead_select(&session->aead, &platform, NULL, 0);
	if (status == STATUS_OK) {
		status = random_init(&session->random, &host_entropy, NULL, 0);
	}
	if (status != STATUS_OK) {
		return status;
	}
	size_t bytes = arena_bytes + session->cache_bytes;
	uint8_t *arena = large_memory(bytes);
	if (arena == NULL) {
		return STATUS_NO_MEMORY;
	}
	session->environment = (struct volume_environment){
		.device = &session->file.device,
		.aead = &session->aead,
		.random = &session->random,
		.arena = arena,
		.arena_size_bytes = bytes,
		.witness = session->witness.path != NULL ? &session->witness.port : NULL,
		.clock = &host_clock,
		.witness_decision = session->witness_choice.decision,
	};
	return STATUS_OK;
}

static enum status mount(struct session *session, const struct key_material *material,
			 bool read_only, struct report *report)
{
	struct volume_key key = key_material_key(material);
	struct volume_failure failure = {.status = STATUS_OK};
	enum status status =
		volume_mount(&session->environment, &key, read_only, &session->volume, &failure);
	if (status != STATUS_OK) {
		session->volume = NULL;
		report_place(report, &failure);
		return status;
	}
	if (session_profile(session) == VOLUME_PROFILE_BLOCK) {
		device_init(&session->device, session->volume);
		return STATUS_OK;
	}
	return store_open(&session->store, session->volume);
}

/* What the header says is not authenticated yet. If it says nonsense, the mount is to name that,
 * with whatever memory. */
static size_t arena_bytes_for(const struct session *session, const struct volume_public_info *info)
{
	size_t bytes = volume_arena_bytes_for(info->profile, info->size);
	return bytes != 0 ? bytes : volume_arena_bytes(session->file.device.capacity);
}

enum status session_mount(struct session *session, const struct key_material *key,
			  struct report *report)
{
	/* So that something else in the image's place is named as such, and not after the size of
	 * the arena that it would need. */
	struct volume_public_info info;
	enum status status = volume_public_info_read(&session->file.device, &info);
	if (status == STATUS_OK && session->witness_choice.path != NULL) {
		status = witness_file_open(&session->witness, session->witness_choice.path, report);
	}
	if (status == STATUS_OK) {
		status = session_prepare(session, arena_bytes_for(session, &info));
	}
	if (status == STATUS_OK) {
		status = mount(session, key, session->file.device.read_only, report);
	}
	return session_explain(session, status, report);
}

enum status session_open(struct session *session, const char *path, const struct key_choice *choice,
			 enum file_access access, struct report *report)
{
	struct key_material key;
	enum status status = key_material_read(&key, choice, report);
	if (status == STATUS_OK) {
		status = file_device_open(&session->file, path, access, report);
	}
	if (status == STATUS_OK) {
		status = session_mount(session, &key, report);
	}
	key_material_erase(&key);
	return status;
}

enum status session_explain(struct session *session, enum status status, struct report *report)
{
	if (status == STATUS_OK) {
		return status;
	}
	if (session->volume != NULL) {
		struct volume_failure failure = {.status = STATUS_OK};
		volume_failure_get(session->volume, &failure);
		report_place(report, &failure);
	}
	const char *error = file_device_error(&session->file);
	if (status == STATUS_IO && error != NULL) {
		return report_note(report, status, session->file.path, "%s.", error);
	}
	return status;
}

enum status session_explain_object(struct session *session, enum status status, const char *name,
				   struct report *report)
{
	if (status == STATUS_INVALID) {
		return report_note(report, status, name,
				   "An object's name is 1 to %u letters, digits, '.', '_' or '-', "
				   "and does not start with '.'.",
				   STORE_NAME_BYTES_MAX);
	}
	if (status == STATUS_NOT_FOUND) {
		return report_note(report, status, name,
				   "There is no such object; 'holdfast image ls' lists them.");
	}
	return session_explain(session, status, report);
}

void session_close(struct session *session)
{
	if (session->volume != NULL) {
		if (session->store.volume != NULL) {
			store_close(&session->store);
		}
		if (session->device.volume != NULL) {
			device_close(&session->device);
		}
		volume_unmount(session->volume);
	}
	if (session->environment.arena != NULL) {
		secure_zero(session->environment.arena, session->environment.arena_size_bytes);
		free(session->environment.arena);
		random_erase(&session->random);
	}
	witness_file_close(&session->witness);
	file_device_close(&session->file);
	session_init(session);
}
