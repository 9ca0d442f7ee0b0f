// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/policy.h"
#include "tools/holdfast/profile.h"
#include "tools/holdfast/session.h"
#include "tools/holdfast/size.h"
#include "tools/holdfast/uuid.h"

static void print_bytes(const char *name, struct block_count count)
{
	char text[SIZE_TEXT_BYTES];
	size_format(count.n * BLOCK_BYTES, text);
	(void)printf("%-15s %s\n", name, text);
}

static void print_text(const struct volume_info *info, struct block_count device,
		       const struct volume_rotation_info *rotation, bool authenticated)
{
	char uuid[UUID_TEXT_BYTES];
	uuid_format(info->open.uuid, uuid);
	(void)printf("%-15s %s\n", "volume", uuid);
	(void)printf("%-15s %" PRIu32 "\n", "format", info->open.format_version);
	(void)printf("%-15s %s\n", "profile", profile_name(info->open.profile));
	print_bytes("size", info->open.size);
	if (!authenticated) {
		return;
	}
	(void)printf("%-15s %" PRIu64 "\n", "epoch", info->epoch);
	(void)printf("%-15s %" PRIu64 "\n", "sequence", info->sequence);
	(void)printf("%-15s %" PRIu32 "\n", "key generation", info->key_generation);
	(void)printf("%-15s %" PRIu32 "\n", "keyslots", info->keyslots_in_use);
	if (rotation->is_running) {
		(void)printf("%-15s %" PRIu64 " %%\n", "rotated",
			     rotation->done * 100 / rotation->total);
	}
	if (info->is_growing) {
		(void)printf("%-15s %s\n", "grow", "interrupted");
	}
	if (device.n != 0) {
		print_bytes("device", device);
	}
	char policy[POLICY_TEXT_BYTES];
	policy_format(&info->freshness.policy, policy);
	(void)printf("%-15s %s\n", "witness policy", policy);
	(void)printf("%-15s %s\n", "freshness", volume_freshness_name(info->freshness.freshness));
	print_bytes("used", info->blocks_used);
	print_bytes("free", info->blocks_free);
}

static void print_json(const char *path, const struct volume_info *info, struct block_count device,
		       const struct volume_rotation_info *rotation, bool authenticated)
{
	char uuid[UUID_TEXT_BYTES];
	struct json json;
	uuid_format(info->open.uuid, uuid);
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_string(&json, "path", path);
	json_bool(&json, "authenticated", authenticated);
	json_string(&json, "uuid", uuid);
	json_number(&json, "format_version", info->open.format_version);
	json_string(&json, "profile", profile_name(info->open.profile));
	json_number(&json, "size_bytes", info->open.size.n * BLOCK_BYTES);
	if (authenticated) {
		json_number(&json, "epoch", info->epoch);
		json_number(&json, "sequence", info->sequence);
		json_number(&json, "key_generation", info->key_generation);
		json_number(&json, "keyslots_in_use", info->keyslots_in_use);
		json_bool(&json, "growing", info->is_growing);
		json_bool(&json, "rotating", rotation->is_running);
		if (rotation->is_running) {
			json_number(&json, "rotation_done", rotation->done);
			json_number(&json, "rotation_total", rotation->total);
		}
		if (device.n != 0) {
			json_number(&json, "device_bytes", device.n * BLOCK_BYTES);
		}
		char policy[POLICY_TEXT_BYTES];
		policy_format(&info->freshness.policy, policy);
		json_string(&json, "witness_policy", policy);
		json_string(&json, "freshness", volume_freshness_name(info->freshness.freshness));
		json_number(&json, "acknowledged_sequence", info->freshness.acknowledged_sequence);
		json_number(&json, "used_bytes", info->blocks_used.n * BLOCK_BYTES);
		json_number(&json, "free_bytes", info->blocks_free.n * BLOCK_BYTES);
	}
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

/* Without a key no lock is taken: what is public never changes, and asking about the disk of a
 * running VM is harmless. */
static enum status read_public(struct session *session, const struct options *options,
			       struct volume_info *info, struct report *report)
{
	enum status status = file_device_open(&session->file, options->positional[0],
					      FILE_ACCESS_PUBLIC, report);
	if (status == STATUS_OK) {
		status = session_explain(
			session, volume_public_info_read(&session->file.device, &info->open),
			report);
	}
	return status;
}

enum status image_info(const struct options *options, struct report *report)
{
	bool has_key = key_choice_is_made(&options->key);
	struct volume_info info = {.epoch = 0};
	struct volume_rotation_info rotation = {.is_running = false};
	struct block_count device = {0}; /* What a volume of the block profile offers. */
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = has_key ? session_open(&session, options->positional[0], &options->key,
						    FILE_ACCESS_READ, report)
				     : read_public(&session, options, &info, report);
	if (status == STATUS_OK && has_key) {
		volume_info_get(session.volume, &info);
		volume_key_rotation_get(session.volume, &rotation);
		device.n = session.device.size_bytes / BLOCK_BYTES;
	}
	session_close(&session);
	if (status == STATUS_OK && options->json) {
		print_json(options->positional[0], &info, device, &rotation, has_key);
	} else if (status == STATUS_OK) {
		print_text(&info, device, &rotation, has_key);
	}
	return status;
}
