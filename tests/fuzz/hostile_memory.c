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

/* Most memory is only ever written as a whole: filled when it is lent and returned, or a block at a
 * time. Such a line is described, its bytes and their states by one value each, until somebody
 * looks inside: that makes a run several times faster. */
#define LINE_BYTES   ((size_t)128)
#define LINES_A_PAGE (PAGE_BYTES / LINE_BYTES)
/* A line is one word, so that many are written at once: value:8, state:8, and whether all bytes
 * have the value, and all the state. */
#define BYTES_DESCRIBED  ((uint32_t)1 << 16)
#define STATES_DESCRIBED ((uint32_t)1 << 17)

/* A load takes a register's width, and then the part that was asked for. */
static _Alignas(4096) uint8_t pool[POOL_BYTES + sizeof(uint64_t)];
static uint8_t states[POOL_BYTES];
static uint32_t lines[HOSTILE_POOL_PAGES * LINES_A_PAGE];
static bool ring_page[HOSTILE_POOL_PAGES];

/* Loads of the poll that is running. */
static bool in_poll;
static struct {
	size_t at;
	size_t size;
} poll_loads[POLL_LOADS_MAX];
static size_t poll_load_count;

/* The part of a range that lies in one line. */
struct span {
	uint32_t *line;
	size_t size;
	bool is_whole;
};

/* The part that begins at `at`; false behind the end. */
static bool span_at(size_t at, size_t range_end, struct span *span)
{
	const size_t line_end = at / LINE_BYTES * LINE_BYTES + LINE_BYTES;
	span->line = &lines[at / LINE_BYTES];
	span->size = (line_end < range_end ? line_end : range_end) - at;
	span->is_whole = span->size == LINE_BYTES;
	return at < range_end;
}

static void line_bytes_write(uint32_t *line)
{
	if ((*line & BYTES_DESCRIBED) != 0) {
		*line &= ~BYTES_DESCRIBED;
		memset(pool + (size_t)(line - lines) * LINE_BYTES, *line & 0xff, LINE_BYTES);
	}
}

static uint8_t line_state(uint32_t line)
{
	return (uint8_t)(line >> 8);
}

static uint32_t line_with_state(uint8_t state)
{
	return STATES_DESCRIBED | (uint32_t)state << 8;
}

static void line_states_write(uint32_t *line)
{
	if ((*line & STATES_DESCRIBED) != 0) {
		*line &= ~STATES_DESCRIBED;
		memset(states + (size_t)(line - lines) * LINE_BYTES, line_state(*line), LINE_BYTES);
	}
}

static void line_state_set(uint32_t *line, uint8_t state)
{
	*line = (*line & ~(uint32_t)0xff00) | (uint32_t)state << 8;
}

static void range_check(size_t at, size_t size)
{
	FUZZ_REQUIRE(at <= hostile.pool_bytes && size <= hostile.pool_bytes - at);
}

const uint8_t *hostile_look(size_t at, size_t size)
{
	range_check(at, size);
	for (size_t i = at / LINE_BYTES; i * LINE_BYTES < at + size; i++) {
		line_bytes_write(&lines[i]);
	}
	return pool + at;
}

static void lines_set(size_t first, size_t end, uint32_t line)
{
	for (size_t i = first; i < end; i++) {
		lines[i] = line;
	}
}

/* Some bytes of one line are written, and the others stay. Nobody asks for states in a ring. */
static void part_overwrite(size_t at, size_t size, enum byte_state state)
{
	line_bytes_write(&lines[at / LINE_BYTES]);
	if (ring_page[at / PAGE_BYTES]) {
		return;
	}
	line_states_write(&lines[at / LINE_BYTES]);
	for (size_t i = at; i < at + size; i++) {
		states[i] = (uint8_t)state;
	}
}

/* Whoever it is writes a range, and the caller fills it: what whole lines held does not matter. */
static uint8_t *range_overwrite(size_t at, size_t size, enum byte_state state)
{
	const size_t first = (at + LINE_BYTES - 1) / LINE_BYTES;
	const size_t end = (at + size) / LINE_BYTES;
	range_check(at, size);
	hostile.memory_changed = true;
	if (first > end) { /* Inside one line. */
		part_overwrite(at, size, state);
		return pool + at;
	}
	lines_set(first, end, line_with_state((uint8_t)state));
	if (at < first * LINE_BYTES) {
		part_overwrite(at, first * LINE_BYTES - at, state);
	}
	if (end * LINE_BYTES < at + size) {
		part_overwrite(end * LINE_BYTES, at + size - end * LINE_BYTES, state);
	}
	return pool + at;
}

/* The same, all of one value. */
static uint32_t line_described(uint8_t value, enum byte_state state)
{
	return BYTES_DESCRIBED | line_with_state((uint8_t)state) | value;
}

void *hostile_pool(void)
{
	return pool;
}

void hostile_memory_reset(size_t pages)
{
	FUZZ_REQUIRE(pages <= HOSTILE_POOL_PAGES);
	hostile.pool_bytes = pages * PAGE_BYTES;
	lines_set(0, pages * LINES_A_PAGE, line_described(0xdd, BYTE_STALE));
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
	memcpy(range_overwrite(at, size, BYTE_DEVICE), bytes, size);
}

/* The device's bytes become stale; odd ones, the driver's, stay. */
static uint8_t state_lent(uint8_t state)
{
	return (uint8_t)(state * (state & 1u));
}

static void segment_lend(size_t at, size_t size)
{
	struct span span;
	for (size_t i = at; span_at(i, at + size, &span); i += span.size) {
		if (span.is_whole && (*span.line & STATES_DESCRIBED) != 0) {
			line_state_set(span.line, state_lent(line_state(*span.line)));
			continue;
		}
		line_states_write(span.line);
		for (size_t j = i; j < i + span.size; j++) {
			states[j] = state_lent(states[j]);
		}
	}
}

/* ---- The driver's side ---------------------------------------------------------------------- */

static size_t place(const struct shared_bytes *bytes, size_t offset, size_t size)
{
	const size_t at = (size_t)((const uint8_t *)bytes + offset - pool);
	range_check(at, size);
	return at;
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
static bool state_may_load(uint8_t state)
{
	return state == BYTE_DRIVER || state == BYTE_DEVICE;
}

static void data_load_note(size_t at, size_t size)
{
	struct span span;
	for (size_t i = at; span_at(i, at + size, &span); i += span.size) {
		if (span.is_whole && (*span.line & STATES_DESCRIBED) != 0) {
			const uint8_t state = line_state(*span.line);
			FUZZ_REQUIRE(state_may_load(state));
			line_state_set(span.line, (uint8_t)(state + 2u));
			continue;
		}
		line_states_write(span.line);
		unsigned int refused = 0;
		for (size_t j = i; j < i + span.size; j++) {
			refused |= !state_may_load(states[j]);
			states[j] = (uint8_t)(states[j] + 2u);
		}
		FUZZ_REQUIRE(refused == 0);
	}
}

uint64_t shared_access_load(const struct shared_bytes *bytes, size_t offset_bytes,
			    unsigned int width_bytes)
{
	const size_t at = place(bytes, offset_bytes, width_bytes);
	uint64_t value = 0;
	hostile_access();
	const uint8_t *from = hostile_look(at, width_bytes);
	FUZZ_REQUIRE(!hostile_is_loan(at, width_bytes));
	if (!ring_page[at / PAGE_BYTES]) {
		data_load_note(at, width_bytes);
	} else if (in_poll) {
		poll_load_note(at, width_bytes);
	}
	memcpy(&value, from, sizeof(value));
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
	FUZZ_REQUIRE(!hostile_is_loan(at, width_bytes) || hostile.user_stores);
	uint8_t *to = range_overwrite(at, width_bytes, BYTE_DRIVER);
	for (unsigned int i = 0; i < width_bytes; i++) {
		to[i] = (uint8_t)(value >> 8 * i);
	}
}

void shared_access_copy_in(uint8_t *to, const struct shared_bytes *from, size_t offset_bytes,
			   size_t size_bytes)
{
	const size_t at = place(from, offset_bytes, size_bytes);
	hostile_access();
	FUZZ_REQUIRE(!hostile_is_loan(at, size_bytes));
	const uint8_t *shared = hostile_look(at, size_bytes);
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
	FUZZ_REQUIRE(!hostile_is_loan(at, size_bytes));
	FUZZ_REQUIRE(memmem(from, tail, HOSTILE_CANARY, sizeof(HOSTILE_CANARY) - 1) == NULL);
	FUZZ_REQUIRE(memmem(from + size_bytes - tail, tail, HOSTILE_CANARY,
			    sizeof(HOSTILE_CANARY) - 1) == NULL);
	memcpy(range_overwrite(at, size_bytes, BYTE_DRIVER), from, size_bytes);
}

void shared_access_fill(struct shared_bytes *to, size_t offset_bytes, uint8_t value,
			size_t size_bytes)
{
	const size_t at = place(to, offset_bytes, size_bytes);
	hostile.work++;
	if (at % LINE_BYTES != 0 || size_bytes % LINE_BYTES != 0) {
		FUZZ_REQUIRE(!hostile_is_loan(at, size_bytes));
		memset(range_overwrite(at, size_bytes, BYTE_DRIVER), value, size_bytes);
		return;
	}
	hostile.memory_changed = true;
	lines_set(at / LINE_BYTES, (at + size_bytes) / LINE_BYTES,
		  line_described(value, BYTE_DRIVER));
	if (at % PAGE_BYTES == 0) { /* Lent or returned: no ring is there any more. */
		memset(ring_page + at / PAGE_BYTES, 0, size_bytes / PAGE_BYTES);
	}
	if (hostile_is_loan(at, size_bytes)) { /* As a whole, on its way back to the pool. */
		FUZZ_REQUIRE(at == hostile.loan_at && size_bytes == hostile.loan_bytes);
		hostile.loan_at = 0;
		hostile.loan_bytes = 0;
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
		const struct virtq_segment *segment = &segments[i];
		const size_t at = (size_t)(segment->at.raw - HOSTILE_PHYS_BASE);
		FUZZ_REQUIRE(!hostile_is_loan(at, segment->len_bytes) ||
			     hostile.loan_is_used(at, segment->len_bytes, segment->device_writes));
		if (segment->device_writes && segment->len_bytes > 0 && !hostile.lends_once) {
			segment_lend(at, segment->len_bytes);
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
