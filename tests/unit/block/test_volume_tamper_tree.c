// SPDX-License-Identifier: MIT
/* The host damages and swaps nodes and data, and mixes parts of the disk from different times. What
 * is read is right, or an error and zeroes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_tree_internal.h"
#include "tamper_scene.h"

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
			assert_true(scene_state_shown(&scene) >= (int)scene.count - 5);
		} else {
			assert_int_equal(status, STATUS_TAMPER);
			tampers++;
		}
		scene_restore(&scene);
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
				assert_int_not_equal(scene_state_shown(&scene), -1);
				shown++;
			}
		} else {
			assert_true(status == STATUS_TAMPER || status == STATUS_AUTH_META);
		}
		scene_restore(&scene);
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
			scene_restore(&scene);
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
			scene_restore(&scene);
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

/* Commit one changed byte in a block whose base is in the tree: the log then holds a patch. */
static void patch_commit(struct scene *scene, struct logical_block block)
{
	uint8_t content[BLOCK_BYTES];
	struct volume *volume = NULL;
	assert_int_equal(fixture_mount(&scene->fixture), STATUS_OK);
	volume = scene->fixture.volume;
	assert_int_equal(volume_read(volume, block, content), STATUS_OK);
	content[150] ^= 1;
	assert_int_equal(volume_txn_begin(volume), STATUS_OK);
	assert_int_equal(volume_txn_put(volume, block, content), STATUS_OK);
	assert_int_equal(volume_txn_commit(volume), STATUS_OK);
	fixture_unmount(&scene->fixture);
	sim_disk_unmark(&scene->fixture.disk);
	sim_disk_mark(&scene->fixture.disk);
}

enum damage {
	DAMAGE_NONE,
	DAMAGE_DATA,
	DAMAGE_NODE,
	DAMAGE_UNDER_PATCH,
	DAMAGE_KINDS,
};

/* Damage to a block costs that block: others read on, writing goes on. Damage to a node ends
 * writing. */
static enum damage damage_look(struct scene *scene, uint64_t block, struct logical_block patched)
{
	struct fixture *fixture = &scene->fixture;
	struct volume_failure failure;
	struct model model = scene->history[scene->count - 1];
	uint8_t content[BLOCK_BYTES];
	if (volume_read(fixture->volume, patched, content) == STATUS_AUTH_DATA) {
		assert_stays_lost(scene, block, (uint32_t)patched.n);
		scene_restore(scene);
		sim_disk_flip(&fixture->disk, block, 5);
		assert_int_equal(fixture_mount(fixture), STATUS_OK);
		assert_heals(scene, (uint32_t)patched.n);
		return DAMAGE_UNDER_PATCH;
	}
	for (size_t i = 0; i < model.count; i++) {
		const struct logical_block at = {model.logical[i]};
		enum status status = volume_read(fixture->volume, at, content);
		assert_true(status == STATUS_OK || status == STATUS_AUTH_DATA ||
			    status == STATUS_AUTH_META);
	}
	volume_failure_get(fixture->volume, &failure);
	if (failure.status == STATUS_OK) {
		return DAMAGE_NONE;
	}
	assert_int_equal(failure.physical, block);
	if (failure.status == STATUS_AUTH_DATA) {
		assert_int_equal(failure.level, 0);
		/* The patched block is not as the model has it. */
		model_set(&model, (uint32_t)patched.n, 0);
		assert_int_equal(model_commit(&model, fixture->volume, (uint32_t)patched.n, 0),
				 STATUS_OK);
		scene->history[scene->count] = model;
		scene->count++;
		assert_heals(scene, (uint32_t)failure.logical);
		scene->count--;
		return DAMAGE_DATA;
	}
	assert_int_equal(failure.status, STATUS_AUTH_META);
	assert_in_range(failure.level, 1, 3);
	assert_false(volume_is_writable(fixture->volume));
	assert_int_equal(volume_txn_begin(fixture->volume), STATUS_READ_ONLY);
	return DAMAGE_NODE;
}

static void test_what_damage_costs(void **state)
{
	struct scene scene;
	size_t seen[DAMAGE_KINDS] = {0};
	const struct logical_block patched = {16384 * 5};
	(void)state;
	scene_init(&scene);
	patch_commit(&scene, patched);
	for (uint64_t block = GROUP_FIRST; block < GROUP_FIRST + 40; block++) {
		sim_disk_flip(&scene.fixture.disk, block, 5);
		if (fixture_mount(&scene.fixture) == STATUS_OK) {
			seen[damage_look(&scene, block, patched)]++;
		}
		scene_restore(&scene);
	}
	assert_true(seen[DAMAGE_DATA] >= 1);
	assert_true(seen[DAMAGE_NODE] >= 1);
	assert_int_equal(seen[DAMAGE_UNDER_PATCH], 1);
	scene_fini(&scene);
}

/* A sealed block opens at its own level and index only, also for whoever could forge its parent. */
static void test_blocks_are_bound_to_their_place(void **state)
{
	struct scene scene;
	uint8_t plain[BLOCK_BYTES] = {1};
	uint8_t cipher[BLOCK_BYTES];
	struct volume_entry entry;
	(void)state;
	scene_init(&scene);
	struct fixture *fixture = &scene.fixture;
	assert_int_equal(fixture_mount(fixture), STATUS_OK);
	assert_int_equal(volume_block_seal(fixture->volume, 1, 7, 300, plain, cipher, &entry),
			 STATUS_OK);
	memcpy(sim_disk_edit(&fixture->disk, 300), cipher, BLOCK_BYTES);
	assert_int_equal(volume_block_open(fixture->volume, 1, 7, &entry, plain), STATUS_OK);
	assert_int_equal(volume_block_open(fixture->volume, 1, 8, &entry, plain), STATUS_AUTH_META);
	assert_int_equal(volume_block_open(fixture->volume, 2, 7, &entry, plain), STATUS_AUTH_META);
	assert_int_equal(volume_block_open(fixture->volume, 0, 7, &entry, plain), STATUS_AUTH_DATA);
	fixture->volume->uuid[0] ^= 1;
	assert_int_equal(volume_block_open(fixture->volume, 1, 7, &entry, plain), STATUS_AUTH_META);
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
	scene_restore(&scene);
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
		cmocka_unit_test(test_log_mixes),
		cmocka_unit_test(test_mixes_of_versions),
		cmocka_unit_test(test_every_block_in_use),
		cmocka_unit_test(test_swapped_blocks),
		cmocka_unit_test(test_what_damage_costs),
		cmocka_unit_test(test_blocks_are_bound_to_their_place),
		cmocka_unit_test(test_entries_point_at_blocks),
		cmocka_unit_test(test_foreign_volume),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
