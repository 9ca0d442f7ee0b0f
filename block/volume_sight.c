// SPDX-License-Identifier: MIT
/* What the clear headers claim. Nothing here is authenticated: it tells a volume from noise, an old
 * program from a new format, and where the copies at the volume's end should be. */
#include <string.h>

#include "block/volume_internal.h"

/* Smallest device that is looked at. */
#define DEVICE_BLOCKS_MIN 8u

static void note_size(const struct block_device *device, struct volume_sighting *sighting,
		      uint64_t size)
{
	struct volume_sizes *sizes = &sighting->sizes;
	if (size > device->capacity.n) {
		sighting->too_large = true;
		return;
	}
	for (uint32_t i = 0; i < sizes->count; i++) {
		if (sizes->all[i] == size) {
			return;
		}
	}
	if (size >= DEVICE_BLOCKS_MIN && sizes->count < VOLUME_SIZES_MAX) {
		sizes->all[sizes->count++] = size;
	}
}

/* The first intact header is the one that is shown. */
static void note_header(const struct block_device *device, struct volume_sighting *sighting,
			const struct volume_public_info *info)
{
	if (!sighting->known) {
		sighting->info = *info;
		sighting->known = true;
	}
	note_size(device, sighting, info->size.n);
}

static void note_status(struct volume_sighting *sighting, enum status status)
{
	sighting->ours = sighting->ours || status == STATUS_OK || status == STATUS_AUTH_META ||
			 status == STATUS_NEWER_FORMAT;
	sighting->newer = sighting->newer || status == STATUS_NEWER_FORMAT;
}

static void sight_superblock(const struct block_device *device, const uint8_t *block,
			     struct volume_sighting *sighting)
{
	struct volume_superblock_header header;
	enum status status = volume_superblock_header_decode(block, &header);
	note_status(sighting, status);
	if (status == STATUS_OK) {
		struct volume_public_info info = {
			.format_version = header.version,
			.profile = (enum volume_profile)header.profile,
			.size = {header.size},
		};
		memcpy(info.uuid, header.uuid, VOLUME_UUID_BYTES);
		note_header(device, sighting, &info);
	}
}

static void sight_keyslots(const struct block_device *device, const uint8_t *block,
			   struct volume_sighting *sighting)
{
	struct volume_keyslots keyslots;
	uint8_t digest[SHA256_BYTES];
	enum status status = volume_keyslots_decode(block, &keyslots, digest);
	note_status(sighting, status);
	if (status == STATUS_OK) {
		struct volume_public_info info = {
			.format_version = VOLUME_FORMAT_VERSION,
			.profile = keyslots.profile,
			.size = {keyslots.size},
		};
		memcpy(info.uuid, keyslots.uuid, VOLUME_UUID_BYTES);
		note_header(device, sighting, &info);
	}
}

/* Look at the four blocks that are the first (copy 0) or the last (copy 1) of `size`. */
static enum status sight_copy(const struct block_device *device, uint8_t *scratch, uint64_t size,
			      uint32_t copy, struct volume_sighting *sighting)
{
	for (uint32_t i = 0; i < 4; i++) {
		bool is_superblock = i < 2;
		uint64_t place = is_superblock ? volume_superblock_place(size, i, copy)
					       : volume_keyslots_place(size, i - 2, copy);
		enum status status = block_read(device, (struct physical_block){place},
						(struct block_count){1}, scratch);
		if (status == STATUS_IO) {
			sighting->io = true;
			continue;
		}
		if (status != STATUS_OK) {
			return status;
		}
		/* The host may have moved them. One in a wrong place opens nothing, but shows that
		 * there is a volume, and how large. */
		sight_superblock(device, scratch, sighting);
		sight_keyslots(device, scratch, sighting);
	}
	return STATUS_OK;
}

enum status volume_sight(const struct block_device *device, uint8_t *scratch,
			 struct volume_sighting *sighting)
{
	*sighting = (struct volume_sighting){.ours = false};
	if (device->capacity.n < DEVICE_BLOCKS_MIN) {
		return STATUS_NOT_A_VOLUME;
	}
	enum status status = sight_copy(device, scratch, device->capacity.n, 0, sighting);
	if (status == STATUS_OK && !sighting->known) {
		/* Mostly a volume is as large as its device. */
		status = sight_copy(device, scratch, device->capacity.n, 1, sighting);
	}
	if (status != STATUS_OK) {
		return status;
	}
	if (sighting->newer) {
		return STATUS_NEWER_FORMAT;
	}
	if (sighting->sizes.count != 0) {
		return STATUS_OK;
	}
	if (sighting->known) {
		return sighting->too_large ? STATUS_TRUNCATED : STATUS_AUTH_META;
	}
	if (sighting->io) {
		return STATUS_IO;
	}
	return sighting->ours ? STATUS_AUTH_META : STATUS_NOT_A_VOLUME;
}

enum status volume_public_info_read(const struct block_device *device,
				    struct volume_public_info *info)
{
	uint8_t scratch[BLOCK_BYTES];
	struct volume_sighting sighting;
	enum status status = volume_sight(device, scratch, &sighting);
	/* A device that is too small still says what it should carry. */
	if (status == STATUS_OK || status == STATUS_TRUNCATED) {
		*info = sighting.info;
		return STATUS_OK;
	}
	return status;
}
