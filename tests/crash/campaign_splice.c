// SPDX-License-Identifier: MIT
/* Tampering with a plan: blocks and regions exchanged, copied, taken from earlier moments, from
 * split-off futures, from another volume under the same key; lengths one off, with every unkeyed
 * checksum put right again; a device one block smaller or larger. */
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "block/volume_format.h"
#include "block/volume_record.h"
#include "campaigns.h"
#include "versions.h"

#define EDITS_PER_CASE 400u
#define USED_MAX       2048u
#define HEADERS        8u /* Blocks that say what this is: two superblocks, two areas, twice. */

enum edit {
	EDIT_SWAP,
	EDIT_COPY,
	EDIT_ZERO_SECTOR,
	EDIT_ZERO_BLOCK,
	EDIT_OLD_BLOCK,
	EDIT_OLD_REGION,
	EDIT_FOREIGN_BLOCK,
	EDIT_FOREIGN_REGION,
	EDIT_RECORD_LENGTH,
	EDIT_SUPERBLOCK_FIELD,
	EDIT_KEYSLOTS_FIELD,
	EDITS,
};

struct scene {
	struct checker *checker;
	struct versions versions;
	struct volume_geometry geometry;
	struct image image; /* Being tampered with. */
	size_t newest;      /* Version, of the main history. */
	uint64_t used[USED_MAX];
	size_t used_count;
};

static uint64_t header_place(const struct scene *scene, uint32_t i)
{
	uint64_t size = scene->geometry.size;
	return i < 4 ? volume_superblock_place(size, i % 2, i / 2)
		     : volume_keyslots_place(size, i % 2, i / 2 - 2);
}

/* A block that some version wrote; headers and the ring come up more often than they are many. */
static uint64_t block_choose(const struct scene *scene)
{
	struct random_stream *dice = &scene->checker->dice;
	if (random_stream_below(dice, 4) == 0) {
		return header_place(scene, (uint32_t)random_stream_below(dice, HEADERS));
	}
	return scene->used[random_stream_below(dice, scene->used_count)];
}

static const struct image *version_choose(const struct scene *scene)
{
	struct random_stream *dice = &scene->checker->dice;
	return &scene->versions.all[random_stream_below(dice, scene->versions.count)].image;
}

/* 0: superblocks, 1: keyslots, 2: the ring, 3: everything behind it, 4: half of the ring. */
static bool is_in_region(const struct scene *scene, uint64_t region, uint64_t block)
{
	const struct volume_geometry *geometry = &scene->geometry;
	for (uint32_t i = 0; i < HEADERS; i++) {
		if (block == header_place(scene, i)) {
			return region == (i < 4 ? 0 : 1);
		}
	}
	bool in_ring = block >= geometry->ring_first &&
		       block < geometry->ring_first + geometry->ring_blocks;
	switch (region) {
	case 2: return in_ring;
	case 3: return !in_ring;
	case 4: return in_ring && block < geometry->ring_first + 3;
	default: return false;
	}
}

static void region_take(struct scene *scene, const struct image *from)
{
	uint64_t region = random_stream_below(&scene->checker->dice, 5);
	for (size_t i = 0; i < scene->used_count; i++) {
		if (is_in_region(scene, region, scene->used[i])) {
			image_take(&scene->image, scene->used[i], from, scene->used[i]);
		}
	}
}

/* ---- Fields, with the unkeyed checksum put right --------------------------------------------- */

static void digest(const uint8_t *bytes, size_t size_bytes, uint8_t *to, size_t to_bytes)
{
	const struct hash_input input = {.bytes = bytes, .size_bytes = size_bytes};
	uint8_t out[SHA256_BYTES];
	CHECK(hash_sha256(&input, 1, out) == STATUS_OK);
	memcpy(to, out, to_bytes);
}

static void byte_change(struct random_stream *dice, uint8_t *bytes, size_t size_bytes)
{
	uint8_t *at = bytes + random_stream_below(dice, size_bytes);
	switch (random_stream_below(dice, 3)) {
	case 0: *at = (uint8_t)(*at + 1); break;
	case 1: *at = (uint8_t)(*at - 1); break;
	default: *at = (uint8_t)random_stream_next(dice); break;
	}
}

static void superblock_field_edit(struct scene *scene)
{
	struct random_stream *dice = &scene->checker->dice;
	uint8_t *block = image_edit(&scene->image,
				    header_place(scene, (uint32_t)random_stream_below(dice, 4)));
	byte_change(dice, block + 8, 72);
	digest(block + 8, 72, block + 80, 16);
}

static void keyslots_field_edit(struct scene *scene)
{
	struct random_stream *dice = &scene->checker->dice;
	uint8_t *block = image_edit(
		&scene->image, header_place(scene, 4 + (uint32_t)random_stream_below(dice, 4)));
	byte_change(dice, block + 8, 480);
	/* Not a passphrase: the iterations that it asks for would cost minutes. */
	block[128] = (uint8_t)(block[128] == VOLUME_KEY_PASSPHRASE ? 0 : block[128]);
	digest(block + 8, VOLUME_KEYSLOTS_DIGEST_OFFSET - 8, block + VOLUME_KEYSLOTS_DIGEST_OFFSET,
	       SHA256_BYTES);
}

static void record_length_edit(struct scene *scene)
{
	struct random_stream *dice = &scene->checker->dice;
	uint64_t start = random_stream_below(dice, scene->geometry.ring_blocks);
	for (uint64_t i = 0; i < scene->geometry.ring_blocks; i++) {
		uint64_t block =
			scene->geometry.ring_first + (start + i) % scene->geometry.ring_blocks;
		struct volume_record_header header;
		if (volume_record_header_decode(image_look(&scene->image, block), &header) ==
		    STATUS_OK) {
			uint32_t longer = (uint32_t)random_stream_below(dice, 2);
			/* Its blocks, or how far it is sealed. */
			const uint64_t field = 6 + random_stream_below(dice, 2);
			uint8_t *byte = image_edit(&scene->image, block) + field;
			*byte = (uint8_t)(*byte + 2 * longer - 1);
			return;
		}
	}
}

/* ---- Edits --------------------------------------------------------------------------------- */

static void edit(struct scene *scene, enum edit edit)
{
	struct random_stream *dice = &scene->checker->dice;
	struct image *image = &scene->image;
	struct image before;
	uint64_t a = block_choose(scene);
	uint64_t b = block_choose(scene);
	switch (edit) {
	case EDIT_SWAP:
		image_copy(&before, image);
		image_take(image, a, &before, b);
		image_take(image, b, &before, a);
		image_fini(&before);
		break;
	case EDIT_COPY: image_take(image, a, image, b); break;
	case EDIT_ZERO_SECTOR:
		memset(image_edit(image, a) +
			       random_stream_below(dice, SECTORS_PER_BLOCK) * SECTOR_BYTES,
		       0, SECTOR_BYTES);
		break;
	case EDIT_ZERO_BLOCK: memset(image_edit(image, a), 0, BLOCK_BYTES); break;
	case EDIT_OLD_BLOCK: image_take(image, a, version_choose(scene), a); break;
	case EDIT_OLD_REGION: region_take(scene, version_choose(scene)); break;
	case EDIT_FOREIGN_BLOCK: image_take(image, a, &scene->versions.foreign, a); break;
	case EDIT_FOREIGN_REGION: region_take(scene, &scene->versions.foreign); break;
	case EDIT_RECORD_LENGTH: record_length_edit(scene); break;
	case EDIT_SUPERBLOCK_FIELD: superblock_field_edit(scene); break;
	case EDIT_KEYSLOTS_FIELD: keyslots_field_edit(scene); break;
	case EDITS: break;
	}
}

/* "There is no volume here" is an invitation to make one. It takes the loss of every header. */
static void emptiness_check(struct scene *scene, const struct image *original,
			    const struct outcome *outcome)
{
	for (uint32_t i = 0; i < HEADERS && outcome->mount == STATUS_NOT_A_VOLUME; i++) {
		if (image_block_equals(&scene->image, original, header_place(scene, i))) {
			checker_violation(scene->checker,
					  "NOT_A_VOLUME, although header %u is untouched", i);
			return;
		}
	}
}

static bool splice_once(struct scene *scene)
{
	struct random_stream *dice = &scene->checker->dice;
	const struct image *original = version_choose(scene);
	uint64_t edits = 1 + random_stream_below(dice, 3);
	struct outcome outcome;
	image_copy(&scene->image, original);
	for (uint64_t i = 0; i < edits; i++) {
		edit(scene, (enum edit)random_stream_below(dice, EDITS));
	}
	bool good = versions_judge(&scene->versions, &scene->image, &outcome);
	if (good) {
		emptiness_check(scene, original, &outcome);
	}
	image_fini(&scene->image);
	return good && checker_goes_on(scene->checker);
}

/* ---- Devices of another size ----------------------------------------------------------------- */

static bool resized_once(struct scene *scene, int32_t change)
{
	struct checker *checker = scene->checker;
	const struct version *version = &scene->versions.all[scene->versions.count - 1];
	const struct history *histories[] = {&scene->versions.histories[version->history]};
	struct outcome outcome;
	struct image image;
	image_init(&image, (uint64_t)((int64_t)checker->blocks + change));
	for (uint64_t block = 0; block < checker->blocks && block < image.blocks; block++) {
		image_take(&image, block, &version->image, block);
	}
	bool good = history_judge(checker, &image, histories, 1, &outcome);
	enum status expected = change < 0 ? STATUS_TRUNCATED : STATUS_OK;
	if (good && (outcome.mount != expected || outcome.unreadable != 0)) {
		checker_violation(checker, "a device %d blocks larger: %s", change,
				  status_name(outcome.mount));
	}
	image_fini(&image);
	return good;
}

/* ---- Superblocks of an earlier epoch, under a log of a later one -------------------------------
 */

static bool superblocks_rolled_back(struct scene *scene, size_t to)
{
	struct checker *checker = scene->checker;
	const struct version *newest = &scene->versions.all[scene->newest];
	const struct image *old = &scene->versions.all[to].image;
	struct outcome outcome;
	bool differ = false;
	image_copy(&scene->image, &newest->image);
	for (uint32_t i = 0; i < HEADERS / 2; i++) {
		uint64_t place = header_place(scene, i);
		differ = differ || !image_block_equals(&newest->image, old, place);
		image_take(&scene->image, place, old, place);
	}
	bool good = versions_judge(&scene->versions, &scene->image, &outcome);
	/* The script's last commits are in the log; they say that there was more. Only if all of
	 * them were made while a checkpoint ran is the state before it, with them, as new. */
	if (good && differ && outcome.mount == STATUS_OK &&
	    outcome.sequence != newest->now.sequence) {
		checker_violation(checker, "superblocks of epoch %u under a later log",
				  (unsigned)outcome.epoch);
	}
	image_fini(&scene->image);
	return good && checker_goes_on(checker);
}

/* ---- A case -------------------------------------------------------------------------------- */

static void used_collect(struct scene *scene)
{
	scene->used_count = 0;
	for (uint64_t block = 0; block < scene->geometry.size; block++) {
		bool used = false;
		for (size_t i = 0; i < scene->versions.count && !used; i++) {
			used = image_is_written(&scene->versions.all[i].image, block);
		}
		if (used) {
			CHECK(scene->used_count < USED_MAX);
			scene->used[scene->used_count++] = block;
		}
	}
}

static bool prepare(struct scene *scene)
{
	static const enum op script[] = {
		OP_WRITE,     OP_KEY_ADD, OP_MULTI, OP_KEY_ADD,    OP_CHECKPOINT, OP_WRITE,
		OP_OVERWRITE, OP_DISCARD, OP_MULTI, OP_KEY_REMOVE, OP_WRITE,      OP_OVERWRITE,
	};
	/* Commits before, in and after checkpoints that run in the background. */
	static const enum op steps[] = {
		OP_WRITE, OP_KEY_ADD,    OP_LARGE, OP_STEP,      OP_OVERWRITE,
		OP_STEP,  OP_LARGE,      OP_STEP,  OP_STEP,      OP_STEP,
		OP_MULTI, OP_LARGE,      OP_STEP,  OP_OVERWRITE, OP_STEP,
		OP_LARGE, OP_KEY_REMOVE, OP_WRITE, OP_LARGE,     OP_OVERWRITE,
	};
	static const enum op other[] = {OP_WRITE, OP_CHECKPOINT, OP_MULTI, OP_KEY_REMOVE, OP_WRITE};
	static const enum op late[] = {OP_STEP, OP_LARGE, OP_WRITE};
	struct random_stream *dice = &scene->checker->dice;
	bool with_steps = scene->checker->profile == VOLUME_PROFILE_BLOCK &&
			  random_stream_below(dice, 2) == 0;
	size_t length = with_steps ? ARRAY_COUNT(steps) : ARRAY_COUNT(script);
	if (!versions_make(&scene->versions, scene->checker, with_steps ? steps : script, length)) {
		return false;
	}
	scene->newest = length - 1;
	size_t from = random_stream_below(dice, length);
	return with_steps ? versions_fork(&scene->versions, from, late, ARRAY_COUNT(late))
			  : versions_fork(&scene->versions, from, other, ARRAY_COUNT(other));
}

void campaign_splice_run(struct checker *checker, uint64_t case_index)
{
	static struct scene scene;
	static const int32_t sizes[] = {-1, 1, -77, 77};
	(void)case_index;
	scene = (struct scene){.checker = checker};
	CHECK(volume_geometry_make(checker->profile, checker->blocks, &scene.geometry) ==
	      STATUS_OK);
	checker_places_choose(checker, checker->profile == VOLUME_PROFILE_BLOCK ? 14 : 8);
	bool good = prepare(&scene);
	if (good) {
		versions_make_foreign(&scene.versions);
		used_collect(&scene);
	}
	for (size_t i = 0; i < ARRAY_COUNT(sizes) && good; i++) {
		good = resized_once(&scene, sizes[i]);
	}
	for (size_t i = 0; i < scene.newest && good; i++) {
		good = superblocks_rolled_back(&scene, i);
	}
	for (uint32_t i = 0; i < EDITS_PER_CASE && good; i++) {
		good = splice_once(&scene);
	}
	versions_fini(&scene.versions);
}
