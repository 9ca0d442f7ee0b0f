// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/profile.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"
#include "tools/holdfast/size.h"
#include "tools/holdfast/uuid.h"

/* The file is open and empty; fill it and make it durable. */
static enum status create_volume(struct session *session, const struct key_material *material,
				 const struct options *options, struct report *report)
{
	struct block_count size = {options->size_bytes / BLOCK_BYTES};
	struct volume_key key = key_material_key(material);
	struct progress progress;
	enum status status =
		session_prepare(session, volume_arena_bytes_for(options->profile, size));
	if (status != STATUS_OK) {
		return status;
	}
	progress_init(&progress, "create");
	const struct volume_create_params params = {
		.profile = options->profile,
		.size = size,
		.witness_policy = options->policy,
		.progress = progress_update,
		.progress_context = &progress,
	};
	status = volume_create_with(&session->environment, &params, &key);
	progress_end(&progress);
	status = session_explain(session, status, report);
	return status == STATUS_OK ? file_device_finish(&session->file, report) : status;
}

static enum status print_created(struct session *session, const struct options *options)
{
	struct volume_public_info info;
	char uuid[UUID_TEXT_BYTES];
	char size[SIZE_TEXT_BYTES];
	enum status status = volume_public_info_read(&session->file.device, &info);
	if (status == STATUS_OK) {
		uuid_format(info.uuid, uuid);
		size_format(info.size.n * BLOCK_BYTES, size);
	}
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_string(&json, "uuid", uuid);
		json_string(&json, "profile", profile_name(info.profile));
		json_number(&json, "size_bytes", info.size.n * BLOCK_BYTES);
		json_result_close(&json);
	} else if (status == STATUS_OK) {
		(void)printf("%s: created, volume %s, %s profile, %s\n", options->positional[0],
			     uuid, profile_name(info.profile), size);
	}
	return status;
}

enum status image_create(const struct options *options, struct report *report)
{
	struct session session;
	struct key_material key;
	session_init(&session);
	enum status status = key_material_read(&key, &options->key, report);
	if (status == STATUS_OK) {
		status = file_device_create(&session.file, options->positional[0],
					    options->size_bytes, options->force, report);
	}
	if (status == STATUS_OK) {
		status = create_volume(&session, &key, options, report);
		if (status == STATUS_OK) {
			status = print_created(&session, options);
		} else {
			/* Half a volume must not be taken for one later. */
			file_device_discard(&session.file);
		}
	}
	key_material_erase(&key);
	session_close(&session);
	/* What was just made is what it is: enrolling it is part of the decision to make it. */
	if (status == STATUS_OK && options->witness.path != NULL) {
		status = witness_enrol(options, report);
	}
	return status;
}
