// SPDX-License-Identifier: MIT
#include "history.h"

#include <inttypes.h>

#include "base/check.h"

#define HISTORIES_MAX 16u

void history_add(struct history *history, struct volume *volume, const struct point *now,
		 uint32_t first_keys)
{
	struct volume_info info;
	volume_info_get(volume, &info);
	CHECK(info.sequence < HISTORY_MAX && info.epoch + 1 < HISTORY_MAX);
	CHECK(info.sequence == now->sequence);
	for (uint64_t sequence = history->last + 1; sequence < info.sequence; sequence++) {
		history->reached[sequence] = false;
	}
	history->points[info.sequence] = *now;
	history->reached[info.sequence] = true;
	history->last = info.sequence;
	for (uint64_t epoch = history->epoch + 1; epoch <= info.epoch; epoch++) {
		history->epoch_keys[epoch] = epoch == history->epoch + 1 ? first_keys : now->keys;
	}
	history->epoch = info.epoch;
	history->epoch_most = info.epoch;
	if (volume_checkpoint_is_running(volume)) {
		history->epoch_keys[++history->epoch_most] = now->keys;
	}
}

/* Errors that name what was done to the disk. */
static bool is_refusal(const struct checker *checker, enum status status, bool io_errors)
{
	return (checker->has_witness && (status == STATUS_ROLLBACK || status == STATUS_FORK)) ||
	       status == STATUS_AUTH_META || status == STATUS_TAMPER ||
	       status == STATUS_WRONG_KEY || status == STATUS_NOT_A_VOLUME ||
	       status == STATUS_NEWER_FORMAT || status == STATUS_TRUNCATED ||
	       (io_errors && (status == STATUS_IO || status == STATUS_BAD_HOST));
}

static bool is_read_error(enum status status, bool io_errors)
{
	return status == STATUS_AUTH_DATA || status == STATUS_AUTH_META ||
	       (io_errors && (status == STATUS_IO || status == STATUS_BAD_HOST));
}

/* Strike out the histories that a place contradicts. Those that agree on it are compared once. */
static uint64_t place_judge(struct checker *checker, struct volume *volume, uint32_t index,
			    const struct history *const *histories, size_t count, uint64_t possible,
			    uint64_t sequence, enum status *status)
{
	uint64_t numbers[HISTORIES_MAX];
	uint64_t left = possible;
	for (size_t h = 0; h < count; h++) {
		numbers[h] = histories[h]->points[sequence].contents.number[index];
	}
	for (size_t h = 0; h < count; h++) {
		if ((left >> h & 1) == 0) {
			continue;
		}
		bool equal = checker_place_equals(checker, volume, index, numbers[h], true, status);
		for (size_t other = h; other < count; other++) {
			uint64_t bit = (uint64_t)1 << other;
			if (numbers[other] == numbers[h]) {
				left &= ~bit;
				possible &= equal ? ~(uint64_t)0 : ~bit;
			}
		}
	}
	return possible;
}

/* Read all places; strike out the histories that they contradict. */
static bool contents_judge(struct checker *checker, struct volume *volume,
			   const struct history *const *histories, size_t count, bool io_errors,
			   struct outcome *outcome)
{
	uint64_t possible = ((uint64_t)1 << count) - 1;
	CHECK(count <= HISTORIES_MAX);
	for (size_t h = 0; h < count; h++) {
		if (outcome->sequence > histories[h]->last ||
		    !histories[h]->reached[outcome->sequence]) {
			possible &= ~((uint64_t)1 << h);
		}
	}
	for (uint32_t i = 0; i < checker->place_count; i++) {
		enum status status = STATUS_OK;
		possible = place_judge(checker, volume, i, histories, count, possible,
				       outcome->sequence, &status);
		if (status != STATUS_OK) {
			if (!is_read_error(status, io_errors)) {
				checker_violation(checker, "read after tampering: %s",
						  status_name(status));
				return false;
			}
			outcome->unreadable++;
			outcome->unreadable_index = i;
			outcome->unreadable_status = status;
		}
	}
	if (possible == 0) {
		checker_violation(checker, "commit %" PRIu64 " of no history: a mix",
				  outcome->sequence);
	}
	return possible != 0;
}

/* A key that was removed must not come back, except with all of its time. */
static bool keys_judge(struct checker *checker, struct disk *disk,
		       const struct history *const *histories, size_t count)
{
	for (uint32_t key = 1; key < CHECKER_KEYS; key++) {
		struct volume *volume = NULL;
		struct volume_info info;
		checker_witness_copy(checker, 1, 2);
		enum status status = checker_mount(checker, disk, 2, key, true, &volume);
		if (status != STATUS_OK) {
			continue;
		}
		bool was_valid = false;
		volume_info_get(volume, &info);
		for (size_t h = 0; h < count; h++) {
			const struct history *history = histories[h];
			was_valid =
				was_valid || (info.epoch <= history->epoch_most &&
					      (history->epoch_keys[info.epoch] >> key & 1) != 0);
		}
		if (!was_valid) {
			checker_violation(checker,
					  "key %u opens epoch %" PRIu64 ", which it never did", key,
					  info.epoch);
			return false;
		}
	}
	return true;
}

/* A walk over the whole volume finds what reads found, or more, unless it was told something else.
 */
static bool verify_judge(struct checker *checker, struct volume *volume, bool io_errors,
			 bool is_steady, const struct outcome *outcome)
{
	enum status status = volume_verify(volume, NULL, NULL);
	if (status != STATUS_OK && !is_read_error(status, io_errors)) {
		checker_violation(checker, "verify after tampering: %s", status_name(status));
		return false;
	}
	if (status == STATUS_OK && is_steady && outcome->unreadable_status == STATUS_AUTH_META) {
		checker_violation(checker, "verify finds nothing wrong with a damaged tree");
		return false;
	}
	return true;
}

bool history_judge_disk(struct checker *checker, struct disk *disk,
			const struct history *const *histories, size_t count, bool io_errors,
			struct outcome *outcome, struct volume **volume)
{
	const uint64_t operations = disk->operations;
	struct volume *mounted = NULL;
	struct volume_info info;
	*outcome = (struct outcome){.mount = STATUS_OK};
	checker_witness_copy(checker, 0, 1);
	outcome->mount = checker_mount(checker, disk, 1, CHECKER_MAIN_KEY, false, &mounted);
	if (outcome->mount != STATUS_OK) {
		if (!is_refusal(checker, outcome->mount, io_errors)) {
			checker_violation(checker, "mount after tampering: %s",
					  status_name(outcome->mount));
			return false;
		}
		return true;
	}
	volume_info_get(mounted, &info);
	outcome->sequence = info.sequence;
	outcome->epoch = info.epoch;
	if (!contents_judge(checker, mounted, histories, count, io_errors, outcome)) {
		return false;
	}
	if (volume != NULL) {
		*volume = mounted;
	} else if (random_stream_one_in(&checker->dice, 16) &&
		   !verify_judge(checker, mounted, io_errors,
				 !disk_has_lied_since(disk, operations), outcome)) {
		return false;
	}
	return !random_stream_one_in(&checker->dice, 8) ||
	       keys_judge(checker, disk, histories, count);
}

bool history_judge(struct checker *checker, const struct image *image,
		   const struct history *const *histories, size_t count, struct outcome *outcome)
{
	struct disk disk;
	if (!checker_state_begin(checker)) {
		return false;
	}
	disk_init_from(&disk, image);
	bool good = history_judge_disk(checker, &disk, histories, count, false, outcome, NULL);
	checker_secrets_check(checker, &disk);
	disk_fini(&disk);
	return good;
}
