// SPDX-License-Identifier: MIT
/* What the volume costs the CPU: the time of requests over a device of memory, against AES-256-GCM
 * of the same bytes with the same library; and mounts of a large volume against a small one.
 *
 * Both sides take turns in one process (A B A B ...); reported is the median of the turns' ratios
 * with its quartiles. Time is the thread's, so other load on the machine disturbs caches only.
 *
 * The peer opens or seals the same number of bytes, 4 KiB at a time, with additional data of the
 * same length. A device of memory costs the CPU a copy, which no disk does and which takes half as
 * long as the cipher, so there are two ratios: to the cipher between private memory and the same
 * device, request by request (the one that is claimed), and to the cipher alone, straight from and
 * to the device's memory. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "benchmarks/memory_disk.h"
#include "benchmarks/spread.h"
#include "block/volume_queue.h"
#include "tools/holdfast/host_crypto.h"
#include "tools/holdfast/large_memory.h"

#define GIB_BLOCKS         262144u
#define VOLUME_BLOCKS      65536u /* 256 MiB. */
#define REGION_BLOCKS      16384u /* What is read and written: 64 MiB. */
#define DEPTH              32u
#define TURN_BLOCKS        4096u /* 16 MiB. */
#define WRITE_TIMES        8u    /* Their turns are longer: none without a checkpoint. */
#define TURNS_MAX          1001u
#define AAD_BYTES          32u
#define REQUEST_BLOCKS_MAX 32u

static const uint8_t key_bytes[VOLUME_KEY_BYTES] = "a benchmark's key: not a secret";

struct bench {
	struct aead aead;
	struct random random;
	struct memory_disk disk;
	struct volume *volume;
	uint8_t *arena;
	uint8_t *queue_memory;
	struct volume_queue *queue;
	struct aead_key peer_key;
	uint8_t *peer_media;
	uint8_t (*peer_tags)[AEAD_TAG_BYTES];
	uint8_t *bytes; /* DEPTH requests' memory. */
	struct volume_request requests[DEPTH];
	struct volume_piece pieces[DEPTH];
	uint64_t random_state;
	uint8_t *sealed; /* One request. */
	double *ratios;
	double *bare_ratios;
	unsigned int turns;
	const char *only; /* The case to run. "": all. */
	bool json;
};

static double now_s(clockid_t which)
{
	struct timespec now;
	CHECK(clock_gettime(which, &now) == 0);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint32_t random_next(struct bench *bench)
{
	bench->random_state ^= bench->random_state << 13;
	bench->random_state ^= bench->random_state >> 7;
	bench->random_state ^= bench->random_state << 17;
	return (uint32_t)(bench->random_state >> 33);
}

/* ---- The volume's side --------------------------------------------------------------------- */

static void request_send(struct bench *bench, size_t at, enum volume_request_kind kind,
			 uint64_t first, uint64_t count)
{
	uint8_t *bytes = bench->bytes + at * REQUEST_BLOCKS_MAX * BLOCK_BYTES;
	bench->pieces[at] = (struct volume_piece){bytes, count * BLOCK_BYTES};
	bench->requests[at] = (struct volume_request){
		.kind = kind,
		.first = {first},
		.count = {count},
		.pieces = &bench->pieces[at],
		.piece_count = 1,
	};
	volume_queue_submit(bench->queue, &bench->requests[at]);
}

static void requests_wait(struct bench *bench, size_t count)
{
	while (count > 0) {
		struct volume_request *request = NULL;
		volume_queue_poll(bench->queue, true);
		while ((request = volume_queue_next(bench->queue)) != NULL) {
			CHECK(request->status == STATUS_OK);
			count--;
		}
	}
}

static void volume_read_random(struct bench *bench)
{
	for (uint32_t done = 0; done < TURN_BLOCKS; done += DEPTH) {
		for (size_t i = 0; i < DEPTH; i++) {
			request_send(bench, i, VOLUME_REQUEST_READ,
				     random_next(bench) % REGION_BLOCKS, 1);
		}
		requests_wait(bench, DEPTH);
	}
}

static void volume_sequential(struct bench *bench, enum volume_request_kind kind)
{
	static uint64_t next;
	uint32_t depth = DEPTH / 4;
	for (uint32_t done = 0; done < TURN_BLOCKS; done += depth * REQUEST_BLOCKS_MAX) {
		for (size_t i = 0; i < depth; i++) {
			request_send(bench, i, kind, next, REQUEST_BLOCKS_MAX);
			next = (next + REQUEST_BLOCKS_MAX) % REGION_BLOCKS;
		}
		requests_wait(bench, depth);
	}
}

static void volume_read_sequential(struct bench *bench)
{
	volume_sequential(bench, VOLUME_REQUEST_READ);
}

/* With the flushes, and whatever checkpoints fall due. */
static void volume_write_sequential(struct bench *bench)
{
	volume_sequential(bench, VOLUME_REQUEST_WRITE);
	request_send(bench, 0, VOLUME_REQUEST_FLUSH, 0, 0);
	requests_wait(bench, 1);
}

/* ---- The peer's side ----------------------------------------------------------------------- */

static void nonce_make(uint64_t counter, uint8_t nonce[AEAD_NONCE_BYTES])
{
	memset(nonce, 0, AEAD_NONCE_BYTES);
	memcpy(nonce, &counter, sizeof(counter));
}

static uint8_t *media_at(const struct bench *bench, uint64_t block)
{
	return bench->peer_media + block * BLOCK_BYTES;
}

static void peer_seal(struct bench *bench, uint64_t block, const uint8_t *plain, uint8_t *cipher)
{
	static const uint8_t aad[AAD_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	nonce_make(block, nonce);
	CHECK(aead_seal(&bench->peer_key, nonce, aad, sizeof(aad), plain, cipher, BLOCK_BYTES,
			bench->peer_tags[block]) == STATUS_OK);
}

static void peer_open(struct bench *bench, uint64_t block, const uint8_t *cipher, uint8_t *out)
{
	static const uint8_t aad[AAD_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	nonce_make(block, nonce);
	CHECK(aead_open(&bench->peer_key, nonce, aad, sizeof(aad), cipher, out, BLOCK_BYTES,
			bench->peer_tags[block]) == STATUS_OK);
}

static uint8_t *peer_place(struct bench *bench, uint32_t i)
{
	return bench->bytes + i % (DEPTH / 4 * REQUEST_BLOCKS_MAX) * (size_t)BLOCK_BYTES;
}

static void bare_read_random(struct bench *bench)
{
	for (uint32_t i = 0; i < TURN_BLOCKS; i++) {
		uint64_t block = random_next(bench) % REGION_BLOCKS;
		peer_open(bench, block, media_at(bench, block), peer_place(bench, i));
	}
}

static void bare_read_sequential(struct bench *bench)
{
	static uint64_t next;
	for (uint32_t i = 0; i < TURN_BLOCKS; i++, next = (next + 1) % REGION_BLOCKS) {
		peer_open(bench, next, media_at(bench, next), peer_place(bench, i));
	}
}

static void bare_write_sequential(struct bench *bench)
{
	static uint64_t next;
	for (uint32_t i = 0; i < TURN_BLOCKS; i++, next = (next + 1) % REGION_BLOCKS) {
		peer_seal(bench, next, peer_place(bench, i), media_at(bench, next));
	}
}

/* By way of the device: what a disk encryption without integrity metadata of its own would do. */
static void peer_read(struct bench *bench, uint64_t first, uint32_t count, uint8_t *out)
{
	memcpy(out, media_at(bench, first), (size_t)count * BLOCK_BYTES);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *block = out + (size_t)i * BLOCK_BYTES;
		peer_open(bench, first + i, block, block);
	}
}

static void peer_read_random(struct bench *bench)
{
	for (uint32_t i = 0; i < TURN_BLOCKS; i++) {
		peer_read(bench, random_next(bench) % REGION_BLOCKS, 1,
			  bench->bytes + i % DEPTH * REQUEST_BLOCKS_MAX * (size_t)BLOCK_BYTES);
	}
}

static void peer_read_sequential(struct bench *bench)
{
	static uint64_t next;
	for (uint32_t i = 0; i < TURN_BLOCKS; i += REQUEST_BLOCKS_MAX) {
		peer_read(bench, next, REQUEST_BLOCKS_MAX, peer_place(bench, i));
		next = (next + REQUEST_BLOCKS_MAX) % REGION_BLOCKS;
	}
}

static void peer_write_sequential(struct bench *bench)
{
	static uint64_t next;
	for (uint32_t i = 0; i < TURN_BLOCKS; i += REQUEST_BLOCKS_MAX) {
		for (uint32_t b = 0; b < REQUEST_BLOCKS_MAX; b++) {
			peer_seal(bench, next + b, peer_place(bench, i + b),
				  bench->sealed + (size_t)b * BLOCK_BYTES);
		}
		memcpy(media_at(bench, next), bench->sealed, REQUEST_BLOCKS_MAX * BLOCK_BYTES);
		next = (next + REQUEST_BLOCKS_MAX) % REGION_BLOCKS;
	}
}

/* ---- Turns --------------------------------------------------------------------------------- */

/* `bare`: NULL where there is no such peer. */
static void report(const struct bench *bench, const char *name, double limit,
		   const struct spread *ratio, const struct spread *bare)
{
	if (bench->json) {
		printf("{\"name\": \"%s\", \"limit\": %.2f, \"ratio\": %.4f, "
		       "\"quartiles\": [%.4f, %.4f]",
		       name, limit, ratio->median, ratio->low, ratio->high);
		if (bare != NULL) {
			printf(", \"cipher_alone\": %.4f, \"cipher_alone_quartiles\": [%.4f, %.4f]",
			       bare->median, bare->low, bare->high);
		}
		printf("}\n");
		return;
	}
	printf("%-22s %6.3fx  [%.3f, %.3f]  claimed: %.2fx", name, ratio->median, ratio->low,
	       ratio->high, limit);
	if (bare != NULL) {
		printf("  to the cipher alone: %.3fx  [%.3f, %.3f]", bare->median, bare->low,
		       bare->high);
	}
	printf("\n");
}

struct sides {
	const char *name;
	double limit;
	unsigned int times; /* In a turn. */
	void (*ours)(struct bench *);
	void (*peers)(struct bench *);
	void (*bare)(struct bench *);
};

static double timed(struct bench *bench, const struct sides *sides, void (*side)(struct bench *))
{
	double start = now_s(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned int i = 0; i < sides->times; i++) {
		side(bench);
	}
	return now_s(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void turns_run(struct bench *bench, const struct sides *sides)
{
	sides->ours(bench); /* Warm. */
	sides->peers(bench);
	sides->bare(bench);
	for (unsigned int i = 0; i < bench->turns; i++) {
		double ours_s = timed(bench, sides, sides->ours);
		bench->ratios[i] = ours_s / timed(bench, sides, sides->peers);
		bench->bare_ratios[i] = ours_s / timed(bench, sides, sides->bare);
	}
	struct spread ratio = spread_of(bench->ratios, bench->turns);
	struct spread bare = spread_of(bench->bare_ratios, bench->turns);
	report(bench, sides->name, sides->limit, &ratio, &bare);
}

/* ---- Mounts -------------------------------------------------------------------------------- */

static const struct volume_key volume_key = {
	.type = VOLUME_KEY_RAW, .bytes = key_bytes, .size_bytes = VOLUME_KEY_BYTES};

/* In huge pages, theirs as ours: with small ones it is luck which side has the better places. */
static uint8_t *memory_of(size_t bytes)
{
	uint8_t *memory = large_memory(bytes);
	CHECK(memory != NULL);
	return memory;
}

static struct volume_environment environment_make(struct bench *bench, struct memory_disk *disk,
						  uint8_t **arena)
{
	size_t bytes = volume_arena_bytes_for(VOLUME_PROFILE_BLOCK, disk->device.capacity);
	*arena = memory_of(bytes);
	memset(*arena, 0, bytes); /* No page faults later. */
	return (struct volume_environment){
		.device = &disk->device,
		.aead = &bench->aead,
		.random = &bench->random,
		.arena = *arena,
		.arena_size_bytes = bytes,
	};
}

static double mount_s(const struct volume_environment *environment)
{
	struct volume *volume = NULL;
	double start = now_s(CLOCK_THREAD_CPUTIME_ID);
	CHECK(volume_mount(environment, &volume_key, false, &volume, NULL) == STATUS_OK);
	double took_s = now_s(CLOCK_THREAD_CPUTIME_ID) - start;
	volume_unmount(volume);
	return took_s;
}

/* Sparse volumes with a little in them. */
static void mounts_run(struct bench *bench)
{
	const uint64_t sizes[2] = {UINT64_C(8) * GIB_BLOCKS, UINT64_C(1024) * GIB_BLOCKS};
	struct memory_disk disks[2];
	struct volume_environment environments[2];
	uint8_t *arenas[2];
	for (size_t i = 0; i < 2; i++) {
		struct volume *volume = NULL;
		memory_disk_init(&disks[i], sizes[i]);
		environments[i] = environment_make(bench, &disks[i], &arenas[i]);
		CHECK(volume_create_profile(&environments[i], VOLUME_PROFILE_BLOCK,
					    (struct block_count){sizes[i]}, &volume_key, NULL,
					    NULL) == STATUS_OK);
		CHECK(volume_mount(&environments[i], &volume_key, false, &volume, NULL) ==
		      STATUS_OK);
		CHECK(volume_txn_begin(volume) == STATUS_OK);
		CHECK(volume_txn_put(volume,
				     (struct logical_block){volume_logical_size(volume).n - 1},
				     bench->bytes) == STATUS_OK);
		CHECK(volume_txn_commit(volume) == STATUS_OK);
		CHECK(volume_checkpoint(volume) == STATUS_OK);
		volume_unmount(volume);
	}
	for (unsigned int i = 0; i < bench->turns; i++) {
		double small_s = mount_s(&environments[0]);
		bench->ratios[i] = mount_s(&environments[1]) / small_s;
	}
	struct spread ratio = spread_of(bench->ratios, bench->turns);
	report(bench, "mount 1 TiB / 8 GiB", 2.0, &ratio, NULL);
	for (size_t i = 0; i < 2; i++) {
		free(arenas[i]);
		memory_disk_fini(&disks[i]);
	}
}

/* ---- Life ---------------------------------------------------------------------------------- */

static void bench_init(struct bench *bench)
{
	const struct aead_platform platform = host_aead_platform();
	const struct entropy_port entropy = host_entropy;
	CHECK(aead_select(&bench->aead, &platform, NULL, 0) == STATUS_OK);
	CHECK(random_init(&bench->random, &entropy, NULL, 0) == STATUS_OK);
	aead_key_expand(&bench->aead, &bench->peer_key, key_bytes);
	bench->random_state = 88172645463325252u;
	bench->ratios = calloc(bench->turns, sizeof(*bench->ratios));
	bench->bare_ratios = calloc(bench->turns, sizeof(*bench->bare_ratios));
	bench->sealed = memory_of(REQUEST_BLOCKS_MAX * BLOCK_BYTES);
	bench->bytes = memory_of(DEPTH * REQUEST_BLOCKS_MAX * BLOCK_BYTES);
	bench->peer_media = memory_of((size_t)REGION_BLOCKS * BLOCK_BYTES);
	bench->peer_tags = (void *)memory_of((size_t)REGION_BLOCKS * sizeof(*bench->peer_tags));
	bench->queue_memory = memory_of(volume_queue_bytes(DEPTH));
	CHECK(bench->ratios != NULL && bench->bare_ratios != NULL);
	for (size_t i = 0; i < DEPTH * REQUEST_BLOCKS_MAX * BLOCK_BYTES; i++) {
		bench->bytes[i] = (uint8_t)random_next(bench);
	}
	memory_disk_init(&bench->disk, VOLUME_BLOCKS);
	large_memory_advise(bench->disk.media, (size_t)VOLUME_BLOCKS * BLOCK_BYTES);
	memset(bench->disk.media, 0x5a, (size_t)VOLUME_BLOCKS * BLOCK_BYTES); /* Fault it in. */
	struct volume_environment environment =
		environment_make(bench, &bench->disk, &bench->arena);
	CHECK(volume_create_profile(&environment, VOLUME_PROFILE_BLOCK,
				    (struct block_count){VOLUME_BLOCKS}, &volume_key, NULL,
				    NULL) == STATUS_OK);
	CHECK(volume_mount(&environment, &volume_key, false, &bench->volume, NULL) == STATUS_OK);
	CHECK(volume_queue_open(bench->volume, DEPTH, bench->queue_memory,
				volume_queue_bytes(DEPTH), &bench->queue) == STATUS_OK);
	for (uint32_t i = 0; i < REGION_BLOCKS / TURN_BLOCKS; i++) {
		volume_write_sequential(bench);
		peer_write_sequential(bench);
	}
	CHECK(volume_checkpoint(bench->volume) == STATUS_OK);
}

static void bench_fini(struct bench *bench)
{
	volume_queue_close(bench->queue);
	volume_unmount(bench->volume);
	memory_disk_fini(&bench->disk);
	aead_key_erase(&bench->peer_key);
	random_erase(&bench->random);
	free(bench->arena);
	free(bench->queue_memory);
	free(bench->peer_media);
	free(bench->peer_tags);
	free(bench->bytes);
	free(bench->ratios);
	free(bench->bare_ratios);
	free(bench->sealed);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
	struct bench *bench = state->input;
	switch (key) {
	case 'c': bench->only = argument; return 0;
	case 'j': bench->json = true; return 0;
	case 't': {
		char *end = NULL;
		unsigned long turns = strtoul(argument, &end, 10);
		if (*end != '\0' || turns == 0 || turns > TURNS_MAX) {
			argp_error(state, "turns: 1 to %u", TURNS_MAX);
		}
		bench->turns = (unsigned int)turns;
		return 0;
	}
	default: return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"case", 'c', "CASE", 0, "Only those of that name: random, seq, read, write, mount",
		 0},
		{"json", 'j', NULL, 0, "A line of JSON for each ratio", 0},
		{"turns", 't', "N", 0, "Turns of each side (31)", 0},
		{0},
	};
	static const struct argp argp = {
		options, parse,
		NULL,    "What the volume costs the CPU, as ratios to plain AES-256-GCM.",
		NULL,    NULL,
		NULL};
	static const struct sides sides[] = {
		{"4 KiB random read", 1.3, 1, volume_read_random, peer_read_random,
		 bare_read_random},
		{"128 KiB seq. read", 1.15, 1, volume_read_sequential, peer_read_sequential,
		 bare_read_sequential},
		{"128 KiB seq. write", 1.15, WRITE_TIMES, volume_write_sequential,
		 peer_write_sequential, bare_write_sequential},
	};
	static struct bench bench = {.turns = 31, .only = ""};
	argp_parse(&argp, argc, argv, 0, NULL, &bench);
	bench_init(&bench);
	if (!bench.json) {
		printf("AES-256-GCM: %s, %u turns\n", aead_name(&bench.aead), bench.turns);
	}
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		if (strstr(sides[i].name, bench.only) != NULL) {
			turns_run(&bench, &sides[i]);
		}
	}
	if (strstr("mount", bench.only) != NULL) {
		mounts_run(&bench);
	}
	bench_fini(&bench);
	return 0;
}
