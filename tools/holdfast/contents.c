// SPDX-License-Identifier: MIT
#include "tools/holdfast/contents.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* What is looked at in one go: whether a GiB holds anything is found out in milliseconds. */
#define LOOK_BYTES ((uint64_t)1 << 30)

static enum status device_name_check(const char *name)
{
	if (!store_name_valid(name)) {
		return STATUS_INVALID;
	}
	return strcmp(name, DEVICE_NAME) == 0 ? STATUS_OK : STATUS_NOT_FOUND;
}

static void device_info(struct session *session, struct store_object_info *info)
{
	struct volume_info volume;
	volume_info_get(session->volume, &volume);
	*info = (struct store_object_info){.name = DEVICE_NAME,
					   .size_bytes = session->device.size_bytes,
					   .version = volume.sequence};
}

enum status contents_list(struct session *session, store_visit visit, void *context)
{
	struct store_object_info info;
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return store_list(&session->store, visit, context);
	}
	device_info(session, &info);
	return visit(context, &info);
}

enum status contents_stat(struct session *session, const char *name, struct store_object_info *info)
{
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return store_stat(&session->store, name, info);
	}
	enum status status = device_name_check(name);
	if (status == STATUS_OK) {
		device_info(session, info);
	}
	return status;
}

enum status contents_read(struct session *session, const char *name, uint64_t offset_bytes,
			  uint8_t *out, size_t size_bytes)
{
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return store_read(&session->store, name, offset_bytes, out, size_bytes);
	}
	enum status status = device_name_check(name);
	return status == STATUS_OK ? device_read(&session->device, offset_bytes, out, size_bytes)
				   : status;
}

enum status contents_extent(struct session *session, const char *name, uint64_t offset_bytes,
			    uint64_t size_bytes, uint64_t *extent_bytes, bool *is_hole)
{
	if (session_profile(session) == VOLUME_PROFILE_STATE) {
		return store_extent(&session->store, name, offset_bytes, size_bytes, extent_bytes,
				    is_hole);
	}
	enum status status = device_name_check(name);
	return status == STATUS_OK ? device_extent(&session->device, offset_bytes, size_bytes,
						   extent_bytes, is_hole)
				   : status;
}

static enum status extent_walk(struct session *session, const char *name, uint64_t offset_bytes,
			       uint64_t size_bytes, uint8_t *piece, contents_visit visit,
			       void *context)
{
	enum status status = STATUS_OK;
	for (uint64_t done = 0; done < size_bytes && status == STATUS_OK;
	     done += CONTENTS_PIECE_BYTES) {
		uint64_t left = size_bytes - done;
		size_t size = left < CONTENTS_PIECE_BYTES ? (size_t)left : CONTENTS_PIECE_BYTES;
		status = contents_read(session, name, offset_bytes + done, piece, size);
		if (status == STATUS_OK) {
			status = visit(context, offset_bytes + done, piece, size);
		}
	}
	return status;
}

enum status contents_walk(struct session *session, const struct store_object_info *info,
			  contents_visit visit, void *context)
{
	uint8_t *piece = malloc(CONTENTS_PIECE_BYTES);
	enum status status = piece != NULL ? STATUS_OK : STATUS_NO_MEMORY;
	uint64_t at = 0;
	while (at < info->size_bytes && status == STATUS_OK) {
		uint64_t left = info->size_bytes - at;
		uint64_t extent = 0;
		bool is_hole = false;
		status = contents_extent(session, info->name, at,
					 left < LOOK_BYTES ? left : LOOK_BYTES, &extent, &is_hole);
		if (status == STATUS_OK && !is_hole) {
			status =
				extent_walk(session, info->name, at, extent, piece, visit, context);
		}
		at += extent;
	}
	if (piece != NULL) {
		secure_zero(piece, CONTENTS_PIECE_BYTES);
	}
	free(piece);
	return status;
}
