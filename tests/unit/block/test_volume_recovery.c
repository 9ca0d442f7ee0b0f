// SPDX-License-Identifier: MIT
/* What a mount makes of the records that it finds: the decisions by themselves, and a disk that
 * does not show the same log in each walk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/volume_internal.h"
#include "block/volume_recovery.h"
#include "volume_fixture.h"

/* ---- Records ------------------------------------------------------------------------------- */

static const uint8_t tag[AEAD_TAG_BYTES] = {1, 2, 3};
static const uint8_t anchor[VOLUME_CHAIN_ANCHOR_BYTES] = {4, 5, 6};

static struct volume_recovered so_far(enum volume_profile profile)
{
	return (struct volume_recovered){
		.profile = profile,
		.generation = 3,
		.epoch_first = 7,
		.epoch_last = 8,
		.sequence = 20,
		.tag = tag,
		.anchor = anchor,
	};
}

static struct volume_record record_next(void)
{
	struct volume_record record = {
		.epoch = 7, .sequence = 21, .durable_sequence = 20, .flags = VOLUME_RECORD_COMMIT};
	memcpy(record.previous_tag, tag, sizeof(tag));
	memcpy(record.anchor, anchor, sizeof(anchor));
	return record;
}

static bool is_next(enum volume_profile profile, const struct volume_record *record)
{
	const struct volume_recovered recovered = so_far(profile);
	const struct volume_record_header header = {.generation = 3};
	return volume_record_is_next(&recovered, &header, record);
}

static void test_only_the_successor_is_next(void **state)
{
	const struct volume_record good = record_next();
	struct volume_record bad;
	(void)state;
	assert_true(is_next(VOLUME_PROFILE_BLOCK, &good));
	assert_true(is_next(VOLUME_PROFILE_STATE, &good));
	for (uint64_t sequence = 1; sequence < 40; sequence++) {
		bad = good;
		bad.sequence = sequence;
		assert_int_equal(is_next(VOLUME_PROFILE_BLOCK, &bad), sequence == 21);
	}
	for (uint64_t epoch = 5; epoch < 11; epoch++) {
		bad = good;
		bad.epoch = epoch;
		assert_int_equal(is_next(VOLUME_PROFILE_BLOCK, &bad), epoch == 7 || epoch == 8);
	}
	bad = good;
	bad.durable_sequence = 19; /* It was in flight together with the one before it. */
	assert_true(is_next(VOLUME_PROFILE_BLOCK, &bad));
	assert_false(is_next(VOLUME_PROFILE_STATE, &bad));
	bad = good;
	bad.previous_tag[AEAD_TAG_BYTES - 1] ^= 1;
	assert_false(is_next(VOLUME_PROFILE_BLOCK, &bad));
	bad = good;
	bad.anchor[0] ^= 1;
	assert_false(is_next(VOLUME_PROFILE_BLOCK, &bad));
	const struct volume_recovered recovered = so_far(VOLUME_PROFILE_BLOCK);
	const struct volume_record_header other_key = {.generation = 2};
	assert_false(volume_record_is_next(&recovered, &other_key, &good));
}

static void test_leftovers_that_tell(void **state)
{
	const struct {
		enum volume_profile profile;
		uint64_t epoch;
		uint64_t durable;
		bool is_honest;
	} cases[] = {
		{VOLUME_PROFILE_BLOCK, 8, 20, true},  {VOLUME_PROFILE_BLOCK, 8, 21, false},
		{VOLUME_PROFILE_BLOCK, 9, 0, false},  {VOLUME_PROFILE_STATE, 7, 20, true},
		{VOLUME_PROFILE_STATE, 8, 20, false}, {VOLUME_PROFILE_STATE, 7, 21, false},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct volume_recovered recovered = so_far(cases[i].profile);
		const struct volume_record record = {
			.epoch = cases[i].epoch,
			.sequence = 30,
			.durable_sequence = cases[i].durable,
		};
		assert_int_equal(volume_leftover_is_honest(&recovered, &record),
				 cases[i].is_honest);
	}
}

static void test_a_record_that_does_not_fit_goes_to_the_start(void **state)
{
	(void)state;
	assert_int_equal(volume_record_offset(256, 250, 6), 250);
	assert_int_equal(volume_record_offset(256, 250, 7), 0);
	assert_int_equal(volume_record_offset(256, 0, 256), 0);
}

/* ---- Walks --------------------------------------------------------------------------------- */

#define HEAD      100u
#define CHAIN_MAX 4u
#define CHAIN_CASES \
	256u /* Each record: does it commit, and does it say that all before is flushed? */

/* The i-th record of a chain. */
static struct volume_record chain_record(uint32_t chain, uint32_t i)
{
	const uint32_t bits = chain >> (2 * i) & 3;
	return (struct volume_record){
		.sequence = HEAD + 1 + i,
		.flags = (bits & 1) != 0 ? VOLUME_RECORD_COMMIT : 0,
		.durable_sequence = (bits & 2) != 0 ? HEAD + i : 0,
	};
}

/* What a walk finds: `length` records, if it wants that many. Returns the last one's number. */
static uint64_t walk_over(struct volume_walk *walk, uint32_t chain, uint32_t length)
{
	uint64_t last = HEAD;
	while (volume_walk_goes_on(walk, last) && last < HEAD + length) {
		const struct volume_record record = chain_record(chain, (uint32_t)(last - HEAD));
		volume_walk_follow(walk, &record);
		last++;
	}
	return last;
}

/* The last record that ends a transaction, of the first `length`. */
static uint64_t commit_of(uint32_t chain, uint32_t length)
{
	uint64_t commit = HEAD;
	for (uint32_t i = 0; i < length; i++) {
		commit = (chain_record(chain, i).flags & VOLUME_RECORD_COMMIT) != 0 ? HEAD + 1 + i
										    : commit;
	}
	return commit;
}

static uint64_t durable_of(uint32_t chain, uint32_t length)
{
	uint64_t durable = HEAD;
	for (uint32_t i = 0; i < length; i++) {
		const uint64_t says = chain_record(chain, i).durable_sequence;
		durable = says > durable ? says : durable;
	}
	return durable;
}

/* Survey and proof may end anywhere; the application goes over what may be another chain. */
static enum status walk_all(uint32_t chain, const uint32_t lengths[3], uint32_t other,
			    uint64_t *applied)
{
	struct volume_walk walk;
	enum status status = STATUS_OK;
	uint32_t proved = lengths[0];
	volume_walk_begin(&walk, VOLUME_PROFILE_BLOCK, HEAD);
	while (status == STATUS_OK && walk.mode != VOLUME_WALK_DONE) {
		const bool applies = walk.mode == VOLUME_WALK_APPLY;
		proved = walk.mode == VOLUME_WALK_PROVE ? lengths[1] : proved;
		*applied = walk_over(&walk, applies ? other : chain, lengths[walk.mode]);
		status = volume_walk_end(&walk, *applied);
	}
	if (status == STATUS_OK) {
		/* What counts was seen by each walk, ends a transaction, and is all that is known
		 * to have been flushed. */
		const uint32_t count = (uint32_t)(*applied - HEAD);
		assert_in_range(count, 0, proved);
		assert_int_equal(*applied, commit_of(chain, count));
		assert_int_equal(*applied, commit_of(other, count));
		assert_true(*applied >= durable_of(chain, lengths[0]));
		assert_true(*applied >= durable_of(other, count));
	}
	return status;
}

static void test_every_chain_is_whole_or_refused(void **state)
{
	uint64_t applied = 0;
	uint32_t refused = 0;
	(void)state;
	for (uint32_t chain = 0; chain < CHAIN_CASES; chain++) {
		for (uint32_t ends = 0; ends < 125; ends++) {
			const uint32_t lengths[3] = {ends % 5, ends / 5 % 5, ends / 25};
			for (uint32_t other = 0; other < CHAIN_CASES; other += 5) {
				refused += walk_all(chain, lengths, other, &applied) != STATUS_OK;
			}
		}
	}
	assert_int_not_equal(refused, 0);
}

/* What an honest crash leaves is not refused: records that stay the same, of which the proof drops
 * some that were not flushed. */
static void test_honest_ends_are_accepted(void **state)
{
	uint64_t applied = 0;
	(void)state;
	for (uint32_t chain = 0; chain < CHAIN_CASES; chain++) {
		for (uint32_t found = 0; found <= CHAIN_MAX; found++) {
			const uint64_t durable = durable_of(chain, found);
			/* A flush is what ends a transaction. */
			if (commit_of(chain, (uint32_t)(durable - HEAD)) != durable) {
				continue;
			}
			for (uint32_t good = (uint32_t)(durable - HEAD); good <= found; good++) {
				const uint32_t lengths[3] = {found, good, CHAIN_MAX};
				assert_int_equal(walk_all(chain, lengths, chain, &applied),
						 STATUS_OK);
				const bool is_proved = commit_of(chain, found) > durable;
				assert_int_equal(applied,
						 commit_of(chain, is_proved ? good : found));
			}
		}
	}
}

static void test_only_doubtful_records_want_proof(void **state)
{
	struct volume_record record = {.sequence = HEAD + 1, .flags = VOLUME_RECORD_COMMIT};
	struct volume_walk walk;
	(void)state;
	volume_walk_begin(&walk, VOLUME_PROFILE_STATE, HEAD);
	assert_int_equal(walk.mode, VOLUME_WALK_APPLY);
	volume_walk_begin(&walk, VOLUME_PROFILE_BLOCK, HEAD);
	assert_int_equal(walk.mode, VOLUME_WALK_SURVEY);
	assert_false(volume_walk_wants_proof(&walk, &record));
	volume_walk_follow(&walk, &record);
	record.sequence++;
	record.durable_sequence = HEAD + 1;
	volume_walk_follow(&walk, &record);
	assert_int_equal(volume_walk_end(&walk, HEAD + 2), STATUS_OK);
	assert_int_equal(walk.mode, VOLUME_WALK_PROVE);
	assert_true(volume_walk_wants_proof(&walk, &record));
	record.sequence = HEAD + 1;
	assert_false(volume_walk_wants_proof(&walk, &record));
}

/* ---- A disk that changes its mind ----------------------------------------------------------- */

#define RECORDS 5u

struct changing {
	const struct block_device_ops *ops;
	struct block_device_ops own;
	uint64_t from;  /* This block of the ring, */
	uint64_t end;   /* up to here, */
	uint32_t shown; /* was read so often: */
	uint32_t shows; /* after so many times there is nothing any more. */
};

static struct changing changing;

static enum status changing_read(void *context, struct physical_block first,
				 struct block_count count, uint8_t *out)
{
	enum status status = changing.ops->read(context, first, count, out);
	changing.shown += first.n == changing.from ? 1 : 0;
	for (uint64_t i = 0; i < count.n && changing.shown > changing.shows; i++) {
		if (first.n + i >= changing.from && first.n + i < changing.end) {
			memset(out + i * BLOCK_BYTES, 0, BLOCK_BYTES);
		}
	}
	return status;
}

/* From the k-th record on the log is gone, once each walk up to `shows` has seen it. */
static enum status mount_changing(struct fixture *fixture, const uint64_t places[RECORDS],
				  uint32_t k, uint32_t shows)
{
	changing = (struct changing){
		.ops = fixture->disk.device.ops,
		.own = *fixture->disk.device.ops,
		.from = places[k],
		.end = places[RECORDS - 1] + 1,
		.shows = shows,
	};
	changing.own.read = changing_read;
	fixture->disk.device.ops = &changing.own;
	sim_disk_mark(&fixture->disk);
	return fixture_mount(fixture);
}

static void test_a_log_that_changes_between_walks(void **state)
{
	struct fixture fixture;
	uint64_t places[RECORDS];
	struct model models[RECORDS + 1] = {{.count = 0}};
	(void)state;
	fixture_init_profile(&fixture, VOLUME_PROFILE_BLOCK, VOLUME_BLOCK_BLOCKS_MIN, true);
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct volume *volume = fixture.volume;
		places[i] = volume->geometry.ring_first + volume->log.offset;
		models[i + 1] = models[i];
		assert_int_equal(model_commit(&models[i + 1], volume, 10, 100 + 3 * i), STATUS_OK);
	}
	fixture_unmount(&fixture);
	for (uint32_t k = 0; k < RECORDS; k++) {
		for (uint32_t shows = 0; shows <= 3; shows++) {
			enum status status = mount_changing(&fixture, places, k, shows);
			/* An older log is a rollback, which takes a witness; and the last record
			 * may have been torn. All walks have to see one and the same. */
			const bool may_end = shows == 0 || (shows == 1 && k == RECORDS - 1);
			const uint32_t expected = may_end ? k : RECORDS;
			assert_int_equal(status, may_end || shows == 3 ? STATUS_OK : STATUS_TAMPER);
			if (status == STATUS_OK) {
				assert_true(model_equals(&models[expected], fixture.volume));
				fixture_unmount(&fixture);
			}
			sim_disk_revert(&fixture.disk);
			sim_disk_unmark(&fixture.disk);
			fixture.disk.device.ops = changing.ops;
		}
	}
	fixture_fini(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_successor_is_next),
		cmocka_unit_test(test_leftovers_that_tell),
		cmocka_unit_test(test_a_record_that_does_not_fit_goes_to_the_start),
		cmocka_unit_test(test_every_chain_is_whole_or_refused),
		cmocka_unit_test(test_honest_ends_are_accepted),
		cmocka_unit_test(test_only_doubtful_records_want_proof),
		cmocka_unit_test(test_a_log_that_changes_between_walks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
