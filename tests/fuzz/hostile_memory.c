// SPDX-License-Identifier: MIT
/* Stands in for sharedmem/shared_access.c at link time: plain memory, with a record for each byte
 * of who wrote it last and whether the driver has loaded it since. */
#include <string.h>

#include "sharedmem/shared_access_internal.h"
#include "tests/fuzz/hostile.h"

#define POOL_BYTES       (HOSTILE_POOL_PAGES * PAGE_BYTES)
#define POLL_LOADS_MAX   16u
#define CANARY_TAIL      256u
#define ADDRESS_LOW_BITS 28u

/* Whose a byte is, and whether the driver has loaded it since. What the driver wrote is odd, and
 * a load adds 2: the loops over them have no branches, for they run over every byte. */
enum byte_state {
	BYTE_STALE = 0, /* Of an earlier request, or of nobody: not to be taken for an answer. */
	BYTE_DRIVER = 1,
	BYTE_DEVICE = 2,
	BYTE_DRIVER_LOADED = 3,
	BYTE_DEVICE_LOADED = 4,
};

/* Most pages are only ever filled as a whole, when they are lent and returned. Such a page is
 * described, not written, until somebody looks inside: that makes a run several times faster. */
struct uniform_page {
	bool is_uniform;
	uint8_t value;
	uint8_t state;
};

static _Alignas(4096) uint8_t pool[POOL_BYTES];
static uint8_t states[POOL_BYTES];
static struct uniform_page uniform[HOSTILE_POOL_PAGES];
static bool ring_page[HOSTILE_POOL_PAGES];

/* Loads of the poll that is running. */
static bool in_poll;
static struct {
	size_t at;
	size_t size;
} poll_loads[POLL_LOADS_MAX];
static size_t poll_load_count;

/* Write out the pages of a range that are only described. */
static uint8_t *materialise(size_t at, size_t size)
{
	FUZZ_REQUIRE(at <= POOL_BYTES && size <= POOL_BYTES - at);
	for (size_t page = at / PAGE_BYTES; page * PAGE_BYTES < at + size; page++) {
		if (uniform[page].is_uniform) {
			uniform[page].is_uniform = false;
			memset(pool + page * PAGE_BYTES, uniform[page].value, PAGE_BYTES);
			memset(states + page * PAGE_BYTES, uniform[page].state, PAGE_BYTES);
		}
	}
	return pool + at;
}

const uint8_t *hostile_look(size_t at, size_t size)
{
	return materialise(at, size);
}

void *hostile_pool(void)
{
	return pool;
}

void hostile_memory_reset(void)
{
	for (size_t page = 0; page < HOSTILE_POOL_PAGES; page++) {
		uniform[page] = (struct uniform_page){true, 0xdd, BYTE_STALE};
	}
	memset(ring_page, 0, sizeof(ring_page));
	in_poll = false;
}

void hostile_ring_page_set(size_t at, size_t size)
{
	for (size_t page = at / PAGE_BYTES; page <= (at + size - 1) / PAGE_BYTES; page++) {
		ring_page[page] = true;
	}
}

void hostile_device_write(size_t at, const void *bytes, size_t size)
{
	memcpy(materialise(at, size), bytes, size);
	memset(states + at, BYTE_DEVICE, size);
}

/* The device's bytes become stale; odd ones, the driver's, stay. */
static void bytes_lend(size_t at, size_t size)
{
	uint8_t *taken = states + at;
	for (size_t i = 0; i < size; i++) {
		taken[i] = (uint8_t)(taken[i] * (taken[i] & 1u));
	}
}

static void segment_lend(size_t at, size_t size)
{
	for (size_t page = at / PAGE_BYTES; page <= (at + size - 1) / PAGE_BYTES; page++) {
		const size_t first = page * PAGE_BYTES;
		const size_t begin = first > at ? first : at;
		const size_t end = first + PAGE_BYTES < at + size ? first + PAGE_BYTES : at + size;
		if (!uniform[page].is_uniform) {
			bytes_lend(begin, end - begin);
		}
	}
}

/* ---- The driver's side ---------------------------------------------------------------------- */

static size_t place(const struct shared_bytes *bytes, size_t offset, size_t size)
{
	const size_t at = (size_t)((const uint8_t *)bytes + offset - pool);
	FUZZ_REQUIRE(at <= POOL_BYTES && size <= POOL_BYTES - at);
	return at;
}

/* Where the driver writes; the caller fills it. */
static uint8_t *driver_writes(size_t at, size_t size)
{
	uint8_t *to = materialise(at, size);
	memset(states + at, BYTE_DRIVER, size);
	return to;
}

/* One load of each byte in a poll, however wide the loads are. */
static void poll_load_note(size_t at, size_t size)
{
	for (size_t i = 0; i < poll_load_count; i++) {
		FUZZ_REQUIRE(at + size <= poll_loads[i].at ||
			     poll_loads[i].at + poll_loads[i].size <= at);
	}
	FUZZ_REQUIRE(poll_load_count < POLL_LOADS_MAX); /* A poll is a handful of loads. */
	poll_loads[poll_load_count].at = at;
	poll_loads[poll_load_count].size = size;
	poll_load_count++;
}

/* Not stale, and loaded for the first time since the driver wrote it. */
static void data_load_note(size_t at, size_t size)
{
	FUZZ_REQUIRE(memchr(states + at, BYTE_STALE, size) == NULL);
	FUZZ_REQUIRE(memchr(states + at, BYTE_DRIVER_LOADED, size) == NULL);
	FUZZ_REQUIRE(memchr(states + at, BYTE_DEVICE_LOADED, size) == NULL);
	uint8_t *loaded = states + at;
	for (size_t i = 0; i < size; i++) {
		loaded[i] = (uint8_t)(loaded[i] + 2u);
	}
}

uint64_t shared_access_load(const struct shared_bytes *bytes, size_t offset_bytes,
			    unsigned int width_bytes)
{
	const size_t at = place(bytes, offset_bytes, width_bytes);
	uint64_t value = 0;
	hostile_access();
	const uint8_t *from = materialise(at, width_bytes);
	if (!ring_page[at / PAGE_BYTES]) {
		data_load_note(at, width_bytes);
	} else if (in_poll) {
		poll_load_note(at, width_bytes);
	}
	memcpy(&value, from, width_bytes);
	if (hostile.load_lies) {
		hostile.load_lies = false;
		/* Of a wide load one half, so that the other one may still be believed. */
		const size_t half = width_bytes == 8 && (hostile.load_value & 1) != 0 ? 4 : 0;
		memcpy((uint8_t *)&value + half, &hostile.load_value,
		       width_bytes < 4 ? width_bytes : 4);
	} else if (hostile.load_adds) {
		hostile.load_adds = false;
		value += (uint64_t)(int64_t)(int8_t)hostile.load_value;
	}
	/* A register of the width, as the real accessor returns. */
	value &= width_bytes == 8 ? UINT64_MAX : ((uint64_t)1 << (8 * width_bytes)) - 1;
	if (width_bytes == 1) {
		hostile.byte_loaded = (uint8_t)value;
	}
	if (in_poll && width_bytes == 2) {
		hostile.poll_index_loaded = true;
		hostile.poll_index = (uint16_t)value;
	}
	return value;
}

/* Does it look like an address of ours: stack, static data, or the pool as the driver sees it? */
static bool is_private_address(uint64_t value)
{
	const uint64_t high = value >> ADDRESS_LOW_BITS;
	const char on_stack = 0;
	return high == (uint64_t)(uintptr_t)&on_stack >> ADDRESS_LOW_BITS ||
	       (high != 0 && high == (uint64_t)(uintptr_t)pool >> ADDRESS_LOW_BITS) ||
	       (high != 0 && high == (uint64_t)(uintptr_t)&hostile >> ADDRESS_LOW_BITS);
}

void shared_access_store(struct shared_bytes *bytes, size_t offset_bytes, unsigned int width_bytes,
			 uint64_t value)
{
	const size_t at = place(bytes, offset_bytes, width_bytes);
	hostile.work++;
	FUZZ_REQUIRE(width_bytes < 8 || !is_private_address(value));
	memcpy(driver_writes(at, width_bytes), &value, width_bytes);
}

void shared_access_copy_in(uint8_t *to, const struct shared_bytes *from, size_t offset_bytes,
			   size_t size_bytes)
{
	const size_t at = place(from, offset_bytes, size_bytes);
	hostile_access();
	const uint8_t *shared = materialise(at, size_bytes);
	data_load_note(at, size_bytes);
	memcpy(to, shared, size_bytes);
}

void shared_access_copy_out(struct shared_bytes *to, size_t offset_bytes, const uint8_t *from,
			    size_t size_bytes)
{
	const size_t at = place(to, offset_bytes, size_bytes);
	/* Too much is copied at an end, if at all. */
	const size_t tail = size_bytes < CANARY_TAIL ? size_bytes : CANARY_TAIL;
	hostile.work++;
	FUZZ_REQUIRE(memmem(from, tail, HOSTILE_CANARY, sizeof(HOSTILE_CANARY) - 1) == NULL);
	FUZZ_REQUIRE(memmem(from + size_bytes - tail, tail, HOSTILE_CANARY,
			    sizeof(HOSTILE_CANARY) - 1) == NULL);
	memcpy(driver_writes(at, size_bytes), from, size_bytes);
}

void shared_access_fill(struct shared_bytes *to, size_t offset_bytes, uint8_t value,
			size_t size_bytes)
{
	const size_t at = place(to, offset_bytes, size_bytes);
	hostile.work++;
	if (at % PAGE_BYTES != 0 || size_bytes % PAGE_BYTES != 0) {
		memset(driver_writes(at, size_bytes), value, size_bytes);
		return;
	}
	for (size_t page = at / PAGE_BYTES; page < (at + size_bytes) / PAGE_BYTES; page++) {
		uniform[page] = (struct uniform_page){true, value, BYTE_DRIVER};
	}
}

/* ---- Submits and polls ------------------------------------------------------------------------
 */

enum status __real_virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
				      uint16_t segment_count, struct virtq_token *token);
enum status __wrap_virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
				      uint16_t segment_count, struct virtq_token *token);

/* What the device wrote before it was asked is no answer: from here on it is stale. */
enum status __wrap_virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
				      uint16_t segment_count, struct virtq_token *token)
{
	for (uint16_t i = 0; i < segment_count; i++) {
		if (segments[i].device_writes && segments[i].len_bytes > 0) {
			segment_lend((size_t)(segments[i].at.raw - HOSTILE_PHYS_BASE),
				     segments[i].len_bytes);
		}
	}
	return __real_virtq_chain_submit(queue, segments, segment_count, token);
}

enum status __real_virtq_used_poll(struct virtq *queue, struct virtq_token *token,
				   uint32_t *written_bytes);
enum status __wrap_virtq_used_poll(struct virtq *queue, struct virtq_token *token,
				   uint32_t *written_bytes);

enum status __wrap_virtq_used_poll(struct virtq *queue, struct virtq_token *token,
				   uint32_t *written_bytes)
{
	in_poll = true;
	poll_load_count = 0;
	hostile.poll_index_loaded = false;
	const enum status status = __real_virtq_used_poll(queue, token, written_bytes);
	in_poll = false;
	if (status == STATUS_OK) {
		hostile.poll_written = *written_bytes;
	}
	return status;
}
