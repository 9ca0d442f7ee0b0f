// SPDX-License-Identifier: MIT
/* The host changes what is on the disk: damage, swaps, mixes of old and new. Whatever it does, a
 * mount or a read fails with the right status, or shows one state that was committed. Nothing else
 * is ever returned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "volume_fixture.h"

#define RING_FIRST   4u
#define GROUP_FIRST  (RING_FIRST + VOLUME_RING_BLOCKS)
#define HISTORY_MAX  24u
#define VERSIONS_MAX 3u

/* A volume with a past: every committed state, and a few whole images of it. */
struct scene {
	struct fixture fixture;
	struct model history[HISTORY_MAX];
	size_t count;
	uint8_t *versions[VERSIONS_MAX];
	size_t version_count;
	uint32_t log_offset; /* Where the log of the last epoch begins. */
	size_t log_records;
};

static size_t image_bytes(const struct scene *scene)
{
	return scene->fixture.disk.device.capacity.n * BLOCK_BYTES;
}

static void step(struct scene *scene, uint32_t logical, uint64_t seed)
{
	struct model next = scene->history[scene->count - 1];
	assert_int_equal(model_commit(&next, scene->fixture.volume, logical, seed), STATUS_OK);
	scene->history[scene->count++] = next;
	scene->log_records++;
}

static void checkpoint(struct scene *scene)
{
	assert_int_equal(volume_checkpoint(scene->fixture.volume), STATUS_OK);
	scene->log_offset += (uint32_t)scene->log_records;
	scene->log_records = 0;
}

static void version_save(struct scene *scene)
{
	uint8_t *copy = malloc(image_bytes(scene));
	assert_non_null(copy);
	memcpy(copy, scene->fixture.disk.media, image_bytes(scene));
	scene->versions[scene->version_count++] = copy;
}

/* Seeds divisible by 3 give short contents, so each record here is one block. Four records are in
 * the last epoch's log. */
static void scene_init(struct scene *scene)
{
	memset(scene, 0, sizeof(*scene));
	fixture_init_mounted(&scene->fixture, FIXTURE_BLOCKS);
	scene->count = 1; /* The empty volume. */
	step(scene, 1, 3);
	step(scene, 2, 6);
	step(scene, 16384 * 5, 9);
	version_save(scene);
	checkpoint(scene);
	step(scene, 1, 12);
	step(scene, 300, 15);
	version_save(scene);
	step(scene, 2, 0);
	checkpoint(scene);
	step(scene, 2, 18);
	step(scene, 1, 21);
	step(scene, 301, 24);
	step(scene, 301, 27);
	fixture_unmount(&scene->fixture);
	version_save(scene);
	/* Every model knows every block, so that "not there yet" is checked as well. */
	for (size_t i = 0; i < scene->count; i++) {
		const struct model *last = &scene->history[scene->count - 1];
		for (size_t b = 0; b < last->count; b++) {
			uint64_t seed = model_get(&scene->history[i], last->logical[b]);
			model_set(&scene->history[i], last->logical[b], seed);
		}
	}
	sim_disk_mark(&scene->fixture.disk);
}

static void scene_fini(struct scene *scene)
{
	for (size_t i = 0; i < scene->version_count; i++) {
		free(scene->versions[i]);
	}
	fixture_fini(&scene->fixture);
}

/* Undo the damage. */
static void restore(struct scene *scene)
{
	fixture_unmount(&scene->fixture);
	sim_disk_revert(&scene->fixture.disk);
}

/* Index of the committed state that the mounted volume shows; -1: a mix. */
static int state_shown(struct scene *scene)
{
	for (size_t i = scene->count; i > 0; i--) {
		if (model_equals(&scene->history[i - 1], scene->fixture.volume)) {
			return (int)i - 1;
		}
	}
	return -1;
}

static void flip_both(struct scene *scene, uint64_t first, uint64_t second, uint32_t bit)
{
	sim_disk_flip(&scene->fixture.disk, first, bit);
	sim_disk_flip(&scene->fixture.disk, second, bit);
}

static void assert_mount(struct scene *scene, enum status expected)
{
	assert_int_equal(fixture_mount(&scene->fixture), expected);
	if (expected == STATUS_OK) {
		assert_int_equal(state_shown(scene), (int)scene->count - 1);
	}
	restore(scene);
}

/* ---- Superblocks --------------------------------------------------------------------------- */

static void test_superblock_bits(void **state)
{
	struct scene scene;
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	/* Epoch 4 is in slot 0, epoch 3 in slot 1. */
	for (uint32_t byte = 0; byte < VOLUME_SUPERBLOCK_USED_BYTES; byte++) {
		uint32_t bit = byte * 8 + byte % 8;
		for (uint32_t slot = 0; slot < 2; slot++) {
			/* One copy: the other one serves. */
			if (byte % 4 == 0) {
				sim_disk_flip(&scene.fixture.disk,
					      byte % 8 == 0 ? slot : end - 2 + slot, bit);
				assert_mount(&scene, STATUS_OK);
			}
			/* Both: an error, and never the other slot's state, older or not. */
			flip_both(&scene, slot, end - 2 + slot, bit);
			assert_mount(&scene, STATUS_AUTH_META);
		}
	}
	/* All four. */
	flip_both(&scene, 0, end - 2, 3);
	flip_both(&scene, 1, end - 1, 3);
	assert_mount(&scene, STATUS_AUTH_META);
	for (uint64_t i = 0; i < 2; i++) {
		memset(sim_disk_edit(&scene.fixture.disk, i), 0, BLOCK_BYTES);
		memset(sim_disk_edit(&scene.fixture.disk, end - 2 + i), 0, BLOCK_BYTES);
	}
	assert_mount(&scene, STATUS_AUTH_META); /* The keyslots are still ours. */
	scene_fini(&scene);
}

static void test_superblock_damage_is_repaired(void **state)
{
	struct scene scene;
	struct model model;
	(void)state;
	scene_init(&scene);
	model = scene.history[scene.count - 1];
	struct sim_disk *disk = &scene.fixture.disk;
	const uint64_t places[] = {0,
				   1,
				   2,
				   3,
				   FIXTURE_BLOCKS - 1,
				   FIXTURE_BLOCKS - 2,
				   FIXTURE_BLOCKS - 3,
				   FIXTURE_BLOCKS - 4};
	for (size_t i = 0; i < 8; i++) {
		memset(sim_disk_edit(disk, places[i]), 0x55, BLOCK_BYTES);
		assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
		assert_int_equal(model_commit(&model, scene.fixture.volume, 9, 3 * (i + 9)),
				 STATUS_OK);
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		fixture_unmount(&scene.fixture);
		uint64_t other = places[i] < 4 ? FIXTURE_BLOCKS - 4 + (places[i] + 2) % 4
					       : (places[i] - (FIXTURE_BLOCKS - 4) + 2) % 4;
		memset(sim_disk_edit(disk, other), 0x55, BLOCK_BYTES);
		assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
		assert_true(model_equals(&model, scene.fixture.volume));
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		assert_int_equal(model_commit(&model, scene.fixture.volume, 9, 3 * (i + 99)),
				 STATUS_OK);
		assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
		fixture_unmount(&scene.fixture);
	}
	scene_fini(&scene);
}

static void test_newer_format(void **state)
{
	struct scene scene;
	struct volume_superblock_header header;
	uint8_t block[BLOCK_BYTES];
	struct volume_public_info info;
	(void)state;
	scene_init(&scene);
	struct sim_disk *disk = &scene.fixture.disk;
	assert_int_equal(volume_superblock_header_decode(sim_disk_look(disk, 0), &header),
			 STATUS_OK);
	header.version = VOLUME_FORMAT_VERSION + 1;
	assert_int_equal(volume_superblock_header_encode(block, &header), STATUS_OK);
	memcpy(sim_disk_edit(disk, 1), block, BLOCK_BYTES);
	assert_int_equal(volume_public_info_read(&disk->device, &info), STATUS_NEWER_FORMAT);
	assert_mount(&scene, STATUS_NEWER_FORMAT);
	scene_fini(&scene);
}

static void copy_from(struct scene *scene, uint64_t to, const uint8_t *image, uint64_t from)
{
	memcpy(sim_disk_edit(&scene->fixture.disk, to), image + from * BLOCK_BYTES, BLOCK_BYTES);
}

static void test_superblocks_in_the_wrong_place(void **state)
{
	struct scene scene;
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	/* One copy in the other slot is a bad copy; both are a bad slot. */
	copy_from(&scene, 1, scene.versions[2], 0);
	assert_mount(&scene, STATUS_OK);
	copy_from(&scene, 1, scene.versions[2], 0);
	copy_from(&scene, end - 1, scene.versions[2], 0);
	assert_mount(&scene, STATUS_AUTH_META);
	/* Epochs 4 and 1 are authentic both, but never stand side by side. */
	copy_from(&scene, 1, scene.versions[0], 1);
	copy_from(&scene, end - 1, scene.versions[0], 1);
	assert_mount(&scene, STATUS_TAMPER);
	scene_fini(&scene);
}

/* A superblock whose checkpoint was cut off by a crash, and whose epoch was then written anew, is
 * shown by the host in the end. */
static void test_lost_superblock_cannot_return(void **state)
{
	struct scene scene;
	uint8_t lost[BLOCK_BYTES];
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	struct model model = scene.history[scene.count - 1];
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	sim_disk_mark(&fixture->disk);
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	memcpy(lost, sim_disk_look(&fixture->disk, 1), BLOCK_BYTES); /* Epoch 5. */
	fixture_unmount(fixture);
	uint8_t nodes[40][BLOCK_BYTES];
	for (uint64_t i = 0; i < 40; i++) {
		memcpy(nodes[i], sim_disk_look(&fixture->disk, GROUP_FIRST + i), BLOCK_BYTES);
	}
	sim_disk_revert(&fixture->disk); /* The crash. */
	sim_disk_unmark(&fixture->disk);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 36), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 39), STATUS_OK);
	fixture_unmount(fixture);
	memcpy(sim_disk_edit(&fixture->disk, 1), lost, BLOCK_BYTES);
	memcpy(sim_disk_edit(&fixture->disk, end - 1), lost, BLOCK_BYTES);
	for (uint64_t i = 0; i < 40; i++) {
		memcpy(sim_disk_edit(&fixture->disk, GROUP_FIRST + i), nodes[i], BLOCK_BYTES);
	}
	assert_int_equal(fixture_mount(fixture), STATUS_TAMPER);
	scene_fini(&scene);
}

/* ---- Keyslots ------------------------------------------------------------------------------ */

static void test_keyslot_bits(void **state)
{
	struct scene scene;
	const uint64_t end = FIXTURE_BLOCKS;
	(void)state;
	scene_init(&scene);
	for (uint32_t byte = 0; byte < BLOCK_BYTES; byte++) {
		if (byte > 400 && byte < 4060 && byte % 61 != 0) {
			continue; /* Free slots and reserved bytes: some of them. */
		}
		uint32_t bit = byte * 8 + byte % 8;
		sim_disk_flip(&scene.fixture.disk, byte % 2 == 0 ? 3 : end - 3, bit);
		if (byte % 8 == 0) {
			assert_mount(&scene, STATUS_OK);
		} else {
			restore(&scene);
		}
		/* Area B is in use. */
		flip_both(&scene, 3, end - 3, bit);
		assert_mount(&scene, STATUS_AUTH_META);
	}
	/* The unused area's damage costs nothing. */
	flip_both(&scene, 2, end - 4, 1000);
	assert_mount(&scene, STATUS_OK);
	scene_fini(&scene);
}

static void test_removed_key_does_not_come_back(void **state)
{
	struct scene scene;
	static const uint8_t bytes[VOLUME_KEY_BYTES] = {3, 4};
	const struct volume_key other = {VOLUME_KEY_RECOVERY, bytes, VOLUME_KEY_BYTES};
	uint8_t old[8][BLOCK_BYTES];
	const uint64_t end = FIXTURE_BLOCKS;
	const uint64_t places[8] = {0, 1, 2, 3, end - 4, end - 3, end - 2, end - 1};
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_int_equal(volume_key_add(fixture->volume, &other), STATUS_OK);
	for (size_t i = 0; i < 8; i++) {
		memcpy(old[i], sim_disk_look(&fixture->disk, places[i]), BLOCK_BYTES);
	}
	assert_int_equal(volume_key_remove(fixture->volume, &fixture_key), STATUS_OK);
	fixture_unmount(fixture);
	sim_disk_mark(&fixture->disk);
	/* Any mix of old and new copies of superblocks and keyslots, except all of the old. */
	size_t refused = 0;
	for (uint32_t mix = 0; mix < 255; mix++) {
		for (size_t i = 0; i < 8; i++) {
			if ((mix >> i & 1) != 0) {
				memcpy(sim_disk_edit(&fixture->disk, places[i]), old[i],
				       BLOCK_BYTES);
			}
		}
		/* Superblocks: bits 0, 1, 6, 7. All four old is the honest older state. */
		bool rolled_back = (mix & 0xc3) == 0xc3;
		enum status status = fixture_mount(fixture);
		if (!rolled_back) {
			assert_int_not_equal(status, STATUS_OK);
			refused++;
		}
		fixture_unmount(fixture);
		sim_disk_revert(&fixture->disk);
	}
	assert_true(refused >= 240);
	sim_disk_unmark(&fixture->disk);
	scene_fini(&scene);
}

/* ---- Log ----------------------------------------------------------------------------------- */

static void test_log_bits(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	assert_int_equal(scene.log_records, 4);
	for (uint32_t byte = 0; byte < BLOCK_BYTES; byte += byte < 200 ? 1 : 23) {
		for (uint32_t r = 0; r < scene.log_records; r++) {
			uint32_t bit = byte * 8 + (byte + r) % 8;
			sim_disk_flip(&scene.fixture.disk, RING_FIRST + scene.log_offset + r, bit);
			enum status status = fixture_mount(&scene.fixture);
			if (r + 1 < scene.log_records) {
				assert_int_equal(status, STATUS_TAMPER);
			} else {
				/* The documented limit: a lost last record looks like a torn one.
				 */
				assert_int_equal(status, STATUS_OK);
				assert_int_equal(state_shown(&scene), (int)scene.count - 2);
			}
			restore(&scene);
		}
	}
	scene_fini(&scene);
}

/* After an orderly end, nothing in the ring is needed, and any loss in it is harmless. */
static void test_checkpoint_closes_the_last_record_gap(void **state)
{
	struct scene scene;
	(void)state;
	scene_init(&scene);
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
	fixture_unmount(&scene.fixture);
	for (uint64_t i = 0; i < VOLUME_RING_BLOCKS; i++) {
		memset(sim_disk_edit(&scene.fixture.disk, RING_FIRST + i), 0xaa, BLOCK_BYTES);
	}
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	assert_int_equal(state_shown(&scene), (int)scene.count - 1);
	scene_fini(&scene);
}

/* A record that was torn by a crash, and so never counted, is shown again by the host once others
 * have been committed in its place. */
static void test_torn_record_cannot_return(void **state)
{
	struct scene scene;
	uint8_t torn[BLOCK_BYTES];
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	struct sim_disk *disk = &fixture->disk;
	const uint64_t place = RING_FIRST + scene.log_offset + scene.log_records;
	struct model model = scene.history[scene.count - 1];
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	sim_disk_mark(disk);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 33), STATUS_OK);
	memcpy(torn, sim_disk_look(disk, place), BLOCK_BYTES);
	sim_disk_revert(disk); /* The crash. */
	sim_disk_unmark(disk);
	fixture_unmount(fixture);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	model = scene.history[scene.count - 1];
	assert_int_equal(model_commit(&model, fixture->volume, 400, 36), STATUS_OK);
	assert_int_equal(model_commit(&model, fixture->volume, 400, 39), STATUS_OK);
	fixture_unmount(fixture);
	memcpy(sim_disk_edit(disk, place), torn, BLOCK_BYTES);
	assert_int_equal(fixture_mount(fixture), STATUS_TAMPER);
	scene_fini(&scene);
}

/* Each block of the last log taken from any of three versions, or noise. */
static void test_log_mixes(void **state)
{
	struct scene scene;
	size_t tampers = 0;
	(void)state;
	scene_init(&scene);
	for (uint32_t mix = 0; mix < 4096; mix++) {
		for (uint32_t i = 0; i < 6; i++) {
			uint64_t place = RING_FIRST + scene.log_offset - 1 + i;
			uint32_t pick = mix >> (2 * i) & 3;
			uint8_t *block = sim_disk_edit(&scene.fixture.disk, place);
			if (pick == 3) {
				memset(block, 0x77, BLOCK_BYTES);
			} else {
				memcpy(block, scene.versions[pick] + place * BLOCK_BYTES,
				       BLOCK_BYTES);
			}
		}
		enum status status = fixture_mount(&scene.fixture);
		if (status == STATUS_OK) {
			/* All records up to some point, and none behind it. */
			assert_true(state_shown(&scene) >= (int)scene.count - 5);
		} else {
			assert_int_equal(status, STATUS_TAMPER);
			tampers++;
		}
		restore(&scene);
	}
	assert_true(tampers > 100);
	scene_fini(&scene);
}

/* Parts of the disk from different times: superblock slots and copies, ring, the rest. */
static void test_mixes_of_versions(void **state)
{
	struct scene scene;
	size_t shown = 0;
	const uint64_t end = FIXTURE_BLOCKS;
	const struct {
		uint64_t first;
		uint64_t count;
	} parts[] = {{0, 1},
		     {1, 1},
		     {end - 2, 1},
		     {end - 1, 1},
		     {RING_FIRST, VOLUME_RING_BLOCKS},
		     {GROUP_FIRST, 60}};
	(void)state;
	scene_init(&scene);
	for (uint32_t mix = 0; mix < 729; mix++) {
		uint32_t rest = mix;
		for (size_t p = 0; p < 6; p++, rest /= 3) {
			if (rest % 3 == 2) {
				continue; /* As it is. */
			}
			for (uint64_t i = 0; i < parts[p].count; i++) {
				const uint64_t place = parts[p].first + i;
				const uint8_t *from =
					scene.versions[rest % 3] + place * BLOCK_BYTES;
				if (memcmp(sim_disk_look(&scene.fixture.disk, place), from,
					   BLOCK_BYTES) != 0) {
					memcpy(sim_disk_edit(&scene.fixture.disk, place), from,
					       BLOCK_BYTES);
				}
			}
		}
		enum status status = fixture_mount(&scene.fixture);
		if (status == STATUS_OK) {
			/* Either one committed state, or reads that fail. */
			bool clean = volume_verify(scene.fixture.volume, NULL, NULL) == STATUS_OK;
			if (clean) {
				assert_int_not_equal(state_shown(&scene), -1);
				shown++;
			}
		} else {
			assert_true(status == STATUS_TAMPER || status == STATUS_AUTH_META);
		}
		restore(&scene);
	}
	assert_true(shown >= 3); /* The three whole images, at least. */
	scene_fini(&scene);
}

/* ---- Nodes and data ------------------------------------------------------------------------ */

/* Read everything: right, or an error and zeroes. Returns the number of errors. */
static size_t read_all(struct scene *scene)
{
	const struct model *last = &scene->history[scene->count - 1];
	const uint8_t zeroes[BLOCK_BYTES] = {0};
	uint8_t expected[BLOCK_BYTES];
	uint8_t content[BLOCK_BYTES];
	size_t errors = 0;
	for (size_t i = 0; i < last->count; i++) {
		model_content(last->seed[i], expected);
		enum status status = volume_read(scene->fixture.volume,
						 (struct logical_block){last->logical[i]}, content);
		if (status == STATUS_OK) {
			assert_memory_equal(content, expected, BLOCK_BYTES);
			continue;
		}
		errors++;
		assert_memory_equal(content, zeroes, BLOCK_BYTES);
		assert_true(status == STATUS_AUTH_DATA || status == STATUS_AUTH_META);
		struct volume_failure failure;
		volume_failure_get(scene->fixture.volume, &failure);
		assert_true(failure.status == STATUS_AUTH_DATA ||
			    failure.status == STATUS_AUTH_META);
		assert_true(failure.epoch == 4);
	}
	return errors;
}

static void test_every_block_in_use(void **state)
{
	struct scene scene;
	size_t at_mount = 0;
	size_t at_read = 0;
	size_t at_verify = 0;
	(void)state;
	scene_init(&scene);
	for (uint64_t block = GROUP_FIRST; block < GROUP_FIRST + 40; block++) {
		for (uint32_t round = 0; round < 24; round++) {
			uint32_t bit = (uint32_t)((block * 977 + round * 1361) % (BLOCK_BYTES * 8));
			sim_disk_flip(&scene.fixture.disk, block, bit);
			enum status status = fixture_mount(&scene.fixture);
			if (status != STATUS_OK) {
				assert_int_equal(status, STATUS_AUTH_META);
				at_mount++;
			} else if (read_all(&scene) != 0) {
				at_read++;
				assert_int_not_equal(
					volume_verify(scene.fixture.volume, NULL, NULL), STATUS_OK);
			} else if (volume_verify(scene.fixture.volume, NULL, NULL) != STATUS_OK) {
				at_verify++;
			}
			restore(&scene);
		}
	}
	print_message("flips found at mount %zu, at read %zu, by verify %zu\n", at_mount, at_read,
		      at_verify);
	assert_true(at_mount >= 3 * 24); /* Bitmap, table, root. */
	assert_true(at_read >= 4 * 24);
	scene_fini(&scene);
}

static void test_swapped_blocks(void **state)
{
	struct scene scene;
	uint8_t saved[BLOCK_BYTES];
	(void)state;
	scene_init(&scene);
	struct sim_disk *disk = &scene.fixture.disk;
	for (uint64_t a = GROUP_FIRST; a < GROUP_FIRST + 24; a++) {
		for (uint64_t b = a + 1; b < GROUP_FIRST + 24; b++) {
			memcpy(saved, sim_disk_look(disk, a), BLOCK_BYTES);
			memcpy(sim_disk_edit(disk, a), sim_disk_look(disk, b), BLOCK_BYTES);
			memcpy(sim_disk_edit(disk, b), saved, BLOCK_BYTES);
			enum status status = fixture_mount(&scene.fixture);
			if (status == STATUS_OK) {
				(void)read_all(&scene);
			} else {
				assert_int_equal(status, STATUS_AUTH_META);
			}
			restore(&scene);
		}
	}
	scene_fini(&scene);
}

/* The block that failed is the only one that is lost; overwriting heals it. */
static void assert_heals(struct scene *scene, uint32_t logical)
{
	struct fixture *fixture = &scene->fixture;
	struct model model = scene->history[scene->count - 1];
	assert_true(volume_is_writable(fixture->volume));
	assert_int_equal(model_commit(&model, fixture->volume, logical, 66), STATUS_OK);
	assert_true(model_equals(&model, fixture->volume));
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	assert_true(model_equals(&model, fixture->volume));
	assert_int_equal(volume_verify(fixture->volume, NULL, NULL), STATUS_OK);
}

/* Checkpoint and remount, undo the damage: the block must not open again, for what is on the disk
 * is older than what was committed. */
static void assert_stays_lost(struct scene *scene, uint64_t block, uint32_t logical)
{
	struct fixture *fixture = &scene->fixture;
	uint8_t content[BLOCK_BYTES];
	struct model model = {0};
	assert_int_equal(model_commit(&model, fixture->volume, 999, 9), STATUS_OK);
	assert_int_equal(volume_checkpoint(fixture->volume), STATUS_OK);
	fixture_unmount(fixture);
	sim_disk_flip(&fixture->disk, block, 5);
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_int_equal(volume_read(fixture->volume, (struct logical_block){logical}, content),
			 STATUS_AUTH_DATA);
	assert_true(model_equals(&model, fixture->volume));
}

/* Damage to a block costs that block: others read on, writing goes on. Damage to a node ends
 * writing. */
static void test_what_damage_costs(void **state)
{
	struct scene scene;
	size_t data_seen = 0;
	size_t node_seen = 0;
	size_t lost_seen = 0;
	(void)state;
	scene_init(&scene);
	/* A patch in the log, whose base is in the tree. */
	uint8_t content[BLOCK_BYTES];
	const struct logical_block patched = {16384 * 5};
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	assert_int_equal(volume_read(scene.fixture.volume, patched, content), STATUS_OK);
	content[150] ^= 1;
	assert_int_equal(volume_txn_begin(scene.fixture.volume), STATUS_OK);
	assert_int_equal(volume_txn_put(scene.fixture.volume, patched, content), STATUS_OK);
	assert_int_equal(volume_txn_commit(scene.fixture.volume), STATUS_OK);
	fixture_unmount(&scene.fixture);
	sim_disk_unmark(&scene.fixture.disk);
	sim_disk_mark(&scene.fixture.disk);
	for (uint64_t block = GROUP_FIRST; block < GROUP_FIRST + 40; block++) {
		struct volume_failure failure;
		sim_disk_flip(&scene.fixture.disk, block, 5);
		if (fixture_mount(&scene.fixture) != STATUS_OK) {
			restore(&scene);
			continue;
		}
		bool was_lost =
			volume_read(scene.fixture.volume, patched, content) == STATUS_AUTH_DATA;
		volume_failure_get(scene.fixture.volume, &failure);
		if (was_lost) {
			assert_int_equal(failure.status, STATUS_AUTH_DATA);
			assert_stays_lost(&scene, block, (uint32_t)patched.n);
			fixture_unmount(&scene.fixture);
			sim_disk_revert(&scene.fixture.disk);
			sim_disk_flip(&scene.fixture.disk, block, 5);
			assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
			assert_heals(&scene, (uint32_t)patched.n);
			lost_seen++;
			restore(&scene);
			continue;
		}
		struct model model = scene.history[scene.count - 1];
		for (size_t i = 0; i < model.count; i++) {
			const struct logical_block at = {model.logical[i]};
			enum status status = volume_read(scene.fixture.volume, at, content);
			assert_true(status == STATUS_OK || status == STATUS_AUTH_DATA ||
				    status == STATUS_AUTH_META);
		}
		volume_failure_get(scene.fixture.volume, &failure);
		if (failure.status == STATUS_AUTH_DATA) {
			assert_int_equal(failure.level, 0);
			assert_int_equal(failure.physical, block);
			assert_true(volume_is_writable(scene.fixture.volume));
			assert_int_equal(model_commit(&model, scene.fixture.volume,
						      (uint32_t)failure.logical, 66),
					 STATUS_OK);
			assert_int_equal(volume_checkpoint(scene.fixture.volume), STATUS_OK);
			assert_int_equal(volume_verify(scene.fixture.volume, NULL, NULL),
					 STATUS_OK);
			data_seen++;
		} else if (failure.status != STATUS_OK) {
			assert_int_equal(failure.status, STATUS_AUTH_META);
			assert_in_range(failure.level, 1, 3);
			assert_false(volume_is_writable(scene.fixture.volume));
			assert_int_equal(volume_txn_begin(scene.fixture.volume), STATUS_READ_ONLY);
			node_seen++;
		}
		restore(&scene);
	}
	print_message("damaged blocks: %zu data, %zu nodes, %zu under a patch\n", data_seen,
		      node_seen, lost_seen);
	assert_true(data_seen >= 1 && node_seen >= 1 && lost_seen == 1);
	scene_fini(&scene);
}

/* An authentic node that points where no block may be is refused all the same. */
static void test_entries_point_at_blocks(void **state)
{
	struct scene scene;
	uint8_t node[BLOCK_BYTES] = {0};
	const uint64_t wrong[] = {1, 4, 260, 261, FIXTURE_BLOCKS - 4, FIXTURE_BLOCKS, 1ull << 39};
	(void)state;
	scene_init(&scene);
	assert_int_equal(fixture_mount(&scene.fixture), STATUS_OK);
	for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
		struct volume_entry entry = {.physical = wrong[i], .session = 1, .counter = 1};
		volume_entry_encode(node, &entry);
		assert_int_equal(volume_node_entry(scene.fixture.volume, node, 1, 0, 0, &entry),
				 STATUS_AUTH_META);
	}
	scene_fini(&scene);
}

/* Another volume's disk under our key. */
static void test_foreign_volume(void **state)
{
	struct scene scene;
	struct fixture other;
	(void)state;
	scene_init(&scene);
	fixture_init_mounted(&other, FIXTURE_BLOCKS);
	fixture_unmount(&other);
	for (uint64_t block = 0; block < 4; block++) {
		memcpy(sim_disk_edit(&scene.fixture.disk, block), sim_disk_look(&other.disk, block),
		       BLOCK_BYTES);
	}
	assert_int_not_equal(fixture_mount(&scene.fixture), STATUS_OK);
	restore(&scene);
	for (uint64_t block = 0; block < 4; block++) {
		const uint64_t places[] = {block, FIXTURE_BLOCKS - 4 + block};
		for (size_t i = 0; i < 2; i++) {
			memcpy(sim_disk_edit(&scene.fixture.disk, places[i]),
			       sim_disk_look(&other.disk, places[i]), BLOCK_BYTES);
		}
	}
	assert_int_not_equal(fixture_mount(&scene.fixture), STATUS_OK);
	fixture_fini(&other);
	scene_fini(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_superblock_bits),
		cmocka_unit_test(test_superblock_damage_is_repaired),
		cmocka_unit_test(test_newer_format),
		cmocka_unit_test(test_superblocks_in_the_wrong_place),
		cmocka_unit_test(test_lost_superblock_cannot_return),
		cmocka_unit_test(test_keyslot_bits),
		cmocka_unit_test(test_removed_key_does_not_come_back),
		cmocka_unit_test(test_log_bits),
		cmocka_unit_test(test_checkpoint_closes_the_last_record_gap),
		cmocka_unit_test(test_torn_record_cannot_return),
		cmocka_unit_test(test_log_mixes),
		cmocka_unit_test(test_mixes_of_versions),
		cmocka_unit_test(test_every_block_in_use),
		cmocka_unit_test(test_swapped_blocks),
		cmocka_unit_test(test_what_damage_costs),
		cmocka_unit_test(test_entries_point_at_blocks),
		cmocka_unit_test(test_foreign_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
