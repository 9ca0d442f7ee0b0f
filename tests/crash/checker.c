// SPDX-License-Identifier: MIT
#include "checker.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/log.h"
#include "block/volume_format.h"
#include "ledger.h"
#include "tools/holdfast/host_crypto.h"

#define GUARD_BYTES      64u
#define GUARD            0xa5u
#define VIOLATIONS_SHOWN 20u
/* Device reads and blocks of one mount. The worst that a host can prepare is a ring full of headers
 * that each claim the longest record. The block profile walks its chain up to three times, and
 * proves up to four blocks of data for each of the ring. */
#define RECORD_BLOCKS_MAX          73u
#define MOUNT_READS_PER_RING       10u
#define MOUNT_BLOCKS_READ_PER_RING (3u * RECORD_BLOCKS_MAX + 8u)

static const uint8_t key_bytes[CHECKER_KEYS][VOLUME_KEY_BYTES] = {
	"crash checker: the key for tests",
	"crash checker: the recovery key!",
	"crash checker: yet another key..",
};

const struct volume_key checker_keys[CHECKER_KEYS] = {
	{VOLUME_KEY_RAW, key_bytes[0], VOLUME_KEY_BYTES},
	{VOLUME_KEY_RECOVERY, key_bytes[1], VOLUME_KEY_BYTES},
	{VOLUME_KEY_RAW, key_bytes[2], VOLUME_KEY_BYTES},
};

uint64_t checker_clock_us(void)
{
	struct timespec now;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void checker_init(struct checker *checker)
{
	const struct aead_platform platform = host_aead_platform();
	*checker = (struct checker){.deadline_us = UINT64_MAX, .states_max = UINT64_MAX};
	CHECK(aead_select(&checker->aead, &platform, NULL, 0) == STATUS_OK);
	const struct block_count most = {CHECKER_BLOCKS_MAX + CHECKER_GROW_ROOM};
	size_t state = volume_arena_bytes_for(VOLUME_PROFILE_STATE, most);
	size_t block = volume_arena_bytes_for(VOLUME_PROFILE_BLOCK, most);
	size_t largest = state > block ? state : block;
	checker->arena_size_bytes = (largest + GUARD_BYTES + 63) / 64 * 64;
	for (size_t i = 0; i < CHECKER_ARENAS; i++) {
		checker->arenas[i] = aligned_alloc(64, checker->arena_size_bytes);
		CHECK(checker->arenas[i] != NULL);
	}
	disk_secret_add((const uint8_t *)MODEL_CANARY, strlen(MODEL_CANARY));
	for (size_t i = 0; i < CHECKER_KEYS; i++) {
		disk_secret_add(key_bytes[i], VOLUME_KEY_BYTES);
	}
}

void checker_fini(struct checker *checker)
{
	for (size_t i = 0; i < CHECKER_ARENAS; i++) {
		free(checker->arenas[i]);
	}
}

static uint64_t case_seed(const struct checker *checker)
{
	struct random_stream stream;
	random_stream_init(&stream, checker->seed);
	uint64_t mixed = random_stream_next(&stream);
	for (const char *at = checker->campaign->name; *at != '\0'; at++) {
		stream.state ^= (uint64_t)(uint8_t)*at;
		mixed ^= random_stream_next(&stream);
	}
	stream.state ^= checker->case_index;
	return mixed ^ random_stream_next(&stream);
}

void checker_case_begin(struct checker *checker, const struct campaign *campaign,
			struct tally *tally, uint64_t seed, uint64_t case_index)
{
	checker->campaign = campaign;
	checker->tally = tally;
	checker->seed = seed;
	checker->case_index = case_index;
	checker->state = 0;
	checker->next_base = 0;
	checker->repeats_reported = 0;
	checker->view = NULL;
	checker->has_witness = false;
	checker->witness_decision = VOLUME_WITNESS_CHECK;
	checker->profile = campaign->profile;
	checker_size_set(checker, checker->profile == VOLUME_PROFILE_BLOCK
					  ? VOLUME_BLOCK_BLOCKS_MIN
					  : VOLUME_STATE_BLOCKS_MIN);
	checker->may_be_full = false;
	random_stream_init(&checker->dice, case_seed(checker));
	ledger_begin(random_stream_next(&checker->dice));
	/* A mount must not depend on what its memory held before. */
	for (size_t i = 0; i < CHECKER_ARENAS; i++) {
		memset(checker->arenas[i], (int)(0x11 * i), 1u << 12);
	}
}

/* ---- States -------------------------------------------------------------------------------- */

static void log_to_stderr(void *context, enum log_level level, const char *line)
{
	(void)context;
	(void)level;
	(void)fprintf(stderr, "  %s\n", line);
}

bool checker_goes_on(struct checker *checker)
{
	return !checker->stops;
}

bool checker_state_begin(struct checker *checker)
{
	/* A replay sees the last state through, with all that is done to it. */
	if (checker->replay_state != 0 && checker->state >= checker->replay_state) {
		checker->stops = true;
	}
	if (!checker_goes_on(checker)) {
		return false;
	}
	bool look = checker->state % 64 == 0;
	if (look &&
	    (checker_clock_us() >= checker->deadline_us ||
	     (checker->states_now != NULL &&
	      __atomic_load_n(checker->states_now, __ATOMIC_RELAXED) >= checker->states_max))) {
		checker->stops = true;
		return false;
	}
	checker->state++;
	__atomic_add_fetch(&checker->tally->states, 1, __ATOMIC_RELAXED);
	if (checker->states_now != NULL) {
		__atomic_add_fetch(checker->states_now, 1, __ATOMIC_RELAXED);
	}
	if (checker->state == checker->replay_state) {
		log_set_sink(log_to_stderr, NULL, LOG_NOTICE);
	}
	return true;
}

void checker_violation(struct checker *checker, const char *format, ...)
{
	uint64_t number = __atomic_add_fetch(&checker->tally->violations, 1, __ATOMIC_RELAXED);
	checker->stops = checker->stops || checker->stops_at_violation;
	if (number > VIOLATIONS_SHOWN) {
		return;
	}
	va_list arguments;
	char text[256];
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)fprintf(stderr,
		      "\nVIOLATION in %s: %s\n  replay: crash_checker --campaign %s --seed %" PRIu64
		      " --state %" PRIu64 ".%" PRIu64 "\n",
		      checker->campaign->name, text, checker->campaign->name, checker->seed,
		      checker->case_index, checker->state);
}

/* ---- Mount --------------------------------------------------------------------------------- */

/* Just what the volume needs: its cache is small then, and it has to read. */
static size_t arena_bytes(const struct checker *checker)
{
	return volume_arena_bytes_for(checker->profile,
				      (struct block_count){checker->device_blocks});
}

static uint8_t *guard_of(const struct checker *checker, uint32_t depth)
{
	return checker->arenas[depth] + arena_bytes(checker);
}

static void bounds_check(struct checker *checker, const struct disk *disk, uint32_t depth,
			 const struct block_device_counters *before)
{
	const struct block_device_counters *now = &disk->counters;
	const uint8_t *guard = guard_of(checker, depth);
	struct volume_geometry geometry;
	CHECK(volume_geometry_make(checker->profile, checker->blocks, &geometry) == STATUS_OK);
	/* To enrol, or to accept what the witness does not know, is to be remembered. */
	if (now->writes != before->writes && checker->witness_decision == VOLUME_WITNESS_CHECK) {
		checker_violation(checker, "a mount wrote to the device");
	}
	if (now->reads - before->reads > MOUNT_READS_PER_RING * geometry.ring_blocks ||
	    now->blocks_read - before->blocks_read >
		    MOUNT_BLOCKS_READ_PER_RING * geometry.ring_blocks) {
		checker_violation(checker, "a mount read %" PRIu64 " blocks in %" PRIu64 " reads",
				  now->blocks_read - before->blocks_read,
				  now->reads - before->reads);
	}
	for (size_t i = 0; i < GUARD_BYTES; i++) {
		if (guard[i] != GUARD) {
			checker_violation(checker, "a mount wrote behind its arena");
			return;
		}
	}
}

struct volume_environment checker_environment(struct checker *checker, struct disk *disk,
					      uint32_t depth)
{
	CHECK(depth < CHECKER_ARENAS);
	return (struct volume_environment){
		.device = &disk->device,
		.aead = &checker->aead,
		.random = &checker->random,
		.arena = checker->arenas[depth],
		.arena_size_bytes = arena_bytes(checker),
		.witness = checker->has_witness ? &checker->witnesses[depth].port : NULL,
		.witness_decision = checker->witness_decision,
	};
}

void checker_witness_copy(struct checker *checker, uint32_t from, uint32_t to)
{
	checker->witnesses[to] = checker->witnesses[from];
	checker->witnesses[to].port.context = &checker->witnesses[to];
}

enum status checker_mount(struct checker *checker, struct disk *disk, uint32_t depth, uint32_t key,
			  bool read_only, struct volume **volume)
{
	const struct volume_environment environment = checker_environment(checker, disk, depth);
	const struct block_device_counters before = disk->counters;
	memset(guard_of(checker, depth), GUARD, GUARD_BYTES);
	enum status status =
		volume_mount(&environment, &checker_keys[key], read_only, volume, NULL);
	bounds_check(checker, disk, depth, &before);
	return status;
}

void checker_secrets_check(struct checker *checker, struct disk *disk)
{
	if (disk->secret_seen) {
		checker_violation(checker, "plaintext or a key was written to the disk");
		disk->secret_seen = false;
	}
	if (ledger_repeats() != checker->repeats_reported) {
		checker_violation(checker, "a nonce was used twice under one key");
		checker->repeats_reported = ledger_repeats();
	}
}

/* ---- Judging an honest crash ---------------------------------------------------------------- */

static bool contents_agree(struct checker *checker, struct volume *volume,
			   const struct contents *contents, bool may_fail, uint32_t *wrong)
{
	for (uint32_t i = 0; i < checker->place_count; i++) {
		enum status status = STATUS_OK;
		if (!checker_place_equals(checker, volume, i, contents->number[i], may_fail,
					  &status)) {
			*wrong = i;
			return false;
		}
	}
	return true;
}

bool checker_contents_equal(struct checker *checker, struct volume *volume,
			    const struct contents *contents, uint32_t *wrong)
{
	if (checker->view != NULL) {
		return checker->view->equal(checker, volume, contents, wrong);
	}
	return contents_agree(checker, volume, contents, false, wrong);
}

bool checker_contents_not_wrong(struct checker *checker, struct volume *volume,
				const struct contents *contents, uint32_t *wrong)
{
	return contents_agree(checker, volume, contents, true, wrong);
}

/* Which keys open the volume. Decides between the states before and after a key change. */
static bool keys_probe(struct checker *checker, struct disk *disk, uint32_t depth,
		       const struct point *before, const struct point *after, struct point *found)
{
	found->keys = 1u << CHECKER_MAIN_KEY;
	for (uint32_t key = 0; key < CHECKER_KEYS; key++) {
		struct volume *volume = NULL;
		/* One that no change is about is tried now and then. */
		checker_witness_copy(checker, depth - 1, depth);
		bool changes = ((before->keys ^ after->keys) >> key & 1) != 0;
		if (key == CHECKER_MAIN_KEY) {
			continue;
		}
		if (!changes && !random_stream_one_in(&checker->dice, 8)) {
			found->keys |= before->keys & 1u << key;
			continue;
		}
		enum status status = checker_mount(checker, disk, depth, key, true, &volume);
		if (status == STATUS_OK) {
			found->keys |= 1u << key;
		} else if (status != STATUS_WRONG_KEY) {
			checker_violation(checker, "mount with key %u: %s", key,
					  status_name(status));
			return false;
		}
	}
	if (found->keys != before->keys && found->keys != after->keys) {
		checker_violation(checker, "keys %x open it, not %x or %x", found->keys,
				  before->keys, after->keys);
		return false;
	}
	return true;
}

/* A mount that may not even flush sees the same. */
static bool read_only_agrees(struct checker *checker, struct disk *disk, uint32_t depth,
			     const struct point *found)
{
	const struct block_device_counters before = disk->counters;
	struct volume *volume = NULL;
	struct volume_info info;
	uint32_t wrong = 0;
	checker_witness_copy(checker, depth - 1, depth);
	enum status status = checker_mount(checker, disk, depth, CHECKER_MAIN_KEY, true, &volume);
	if (status != STATUS_OK) {
		checker_violation(checker, "read-only mount: %s", status_name(status));
		return false;
	}
	volume_info_get(volume, &info);
	if (info.sequence != found->sequence || disk->counters.flushes != before.flushes ||
	    !checker_contents_equal(checker, volume, &found->contents, &wrong)) {
		checker_violation(checker, "a read-only mount differs from the other");
		return false;
	}
	return true;
}

/* Which of the two states it is, the content has to say: not the number of the record. */
static bool recovered_with_witness(struct checker *checker, struct volume *volume,
				   const struct point *before, const struct point *after,
				   struct point *found)
{
	struct volume_info info;
	uint32_t wrong = 0;
	volume_info_get(volume, &info);
	*found = *after;
	if (!checker_contents_equal(checker, volume, &after->contents, &wrong)) {
		*found = *before;
		if (!checker_contents_equal(checker, volume, &before->contents, &wrong)) {
			checker_violation(checker, "neither the state before nor after");
			return false;
		}
	}
	if (info.sequence < before->sequence || !volume_is_writable(volume)) {
		checker_violation(checker, "recovered commit %" PRIu64 ", acknowledged %" PRIu64,
				  info.sequence, before->sequence);
		return false;
	}
	found->sequence = info.sequence;
	return true;
}

bool checker_recover(struct checker *checker, struct disk *disk, uint32_t depth,
		     const struct point *before, const struct point *after, struct volume **volume,
		     struct point *found)
{
	struct volume_info info;
	uint32_t wrong = 0;
	enum status status = checker_mount(checker, disk, depth, CHECKER_MAIN_KEY, false, volume);
	if (status != STATUS_OK) {
		checker_violation(checker, "mount after a crash: %s", status_name(status));
		return false;
	}
	volume_info_get(*volume, &info);
	if (checker->has_witness) { /* Some records say only what the witness has. */
		return recovered_with_witness(checker, *volume, before, after, found) &&
		       (before->keys == after->keys ||
			keys_probe(checker, disk, depth + 1, before, after, found));
	}
	if (info.sequence != before->sequence && info.sequence != after->sequence) {
		checker_violation(checker,
				  "recovered commit %" PRIu64 ", acknowledged %" PRIu64
				  ", issued %" PRIu64,
				  info.sequence, before->sequence, after->sequence);
		return false;
	}
	*found = info.sequence == after->sequence ? *after : *before;
	if (!checker_contents_equal(checker, *volume, &found->contents, &wrong)) {
		checker_violation(checker, "wrong content of %s %u at commit %" PRIu64,
				  checker->view == NULL ? "logical block" : "object",
				  checker->view == NULL ? checker->places[wrong].logical : wrong,
				  info.sequence);
		return false;
	}
	if (!volume_is_writable(*volume)) {
		checker_violation(checker, "read-only after an honest crash");
		return false;
	}
	if (random_stream_one_in(&checker->dice, 32) &&
	    !read_only_agrees(checker, disk, depth + 1, found)) {
		return false;
	}
	bool looks = before->keys != after->keys || random_stream_one_in(&checker->dice, 32);
	return !looks || keys_probe(checker, disk, depth + 1, before, after, found);
}

void checker_verify(struct checker *checker, struct volume *volume)
{
	struct volume_failure failure;
	enum status status = volume_verify(volume, NULL, NULL);
	if (status != STATUS_OK) {
		volume_failure_get(volume, &failure);
		checker_violation(
			checker, "verify: %s at level %u, logical %" PRIu64 ", physical %" PRIu64,
			status_name(status), failure.level, failure.logical, failure.physical);
	}
}
