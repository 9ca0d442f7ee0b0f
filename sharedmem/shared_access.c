// SPDX-License-Identifier: MIT
/* The only code of the kernel that dereferences host-visible memory.
 *
 * Volatile, so that the compiler makes exactly one access where we wrote one and never re-reads a
 * value that was validated. x86 gives each aligned load acquire and each aligned store release
 * ordering; the volatile accesses and the compiler barriers keep the compiler to the same order.
 * Copies move 64-bit words: `rep movsb` is eight times slower under emulation. */
#include "sharedmem/shared_access_internal.h"

#include <string.h>

#include "base/check.h"

#define WORD_BYTES ((size_t)8)

/* Nothing moves across this in the compiler. */
static void compiler_barrier(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static const volatile uint8_t *source_at(const struct shared_bytes *bytes, size_t offset_bytes)
{
	return (const volatile uint8_t *)bytes + offset_bytes;
}

/* Bytes to move one by one before `at` is word-aligned: at most `size_bytes`. */
static size_t lead_bytes(const volatile uint8_t *at, size_t size_bytes)
{
	const size_t lead = (WORD_BYTES - (uintptr_t)at % WORD_BYTES) % WORD_BYTES;
	return lead < size_bytes ? lead : size_bytes;
}

static volatile uint8_t *target_at(struct shared_bytes *bytes, size_t offset_bytes)
{
	return (volatile uint8_t *)bytes + offset_bytes;
}

uint64_t shared_access_load(const struct shared_bytes *bytes, size_t offset_bytes,
			    unsigned int width_bytes)
{
	const volatile uint8_t *at = source_at(bytes, offset_bytes);
	uint64_t value = 0;
	switch (width_bytes) {
	case 1: value = *at; break;
	case 2: value = *(const volatile uint16_t *)at; break;
	case 4: value = *(const volatile uint32_t *)at; break;
	default:
		CHECK(width_bytes == 8);
		value = *(const volatile uint64_t *)at;
		break;
	}
	compiler_barrier();
	return value;
}

void shared_access_store(struct shared_bytes *bytes, size_t offset_bytes, unsigned int width_bytes,
			 uint64_t value)
{
	volatile uint8_t *at = target_at(bytes, offset_bytes);
	compiler_barrier();
	switch (width_bytes) {
	case 1: *at = (uint8_t)value; break;
	case 2: *(volatile uint16_t *)at = (uint16_t)value; break;
	case 4: *(volatile uint32_t *)at = (uint32_t)value; break;
	default:
		CHECK(width_bytes == 8);
		*(volatile uint64_t *)at = value;
		break;
	}
	compiler_barrier();
}

void shared_access_copy_in(uint8_t *to, const struct shared_bytes *from, size_t offset_bytes,
			   size_t size_bytes)
{
	const volatile uint8_t *at = source_at(from, offset_bytes);
	const size_t lead = lead_bytes(at, size_bytes);
	size_t done = 0;
	for (; done < lead; done++) {
		to[done] = at[done];
	}
	for (; size_bytes - done >= WORD_BYTES; done += WORD_BYTES) {
		const uint64_t word = *(const volatile uint64_t *)(at + done);
		memcpy(to + done, &word, sizeof(word));
	}
	for (; done < size_bytes; done++) {
		to[done] = at[done];
	}
	compiler_barrier();
}

void shared_access_copy_out(struct shared_bytes *to, size_t offset_bytes, const uint8_t *from,
			    size_t size_bytes)
{
	volatile uint8_t *at = target_at(to, offset_bytes);
	const size_t lead = lead_bytes(at, size_bytes);
	size_t done = 0;
	for (; done < lead; done++) {
		at[done] = from[done];
	}
	for (; size_bytes - done >= WORD_BYTES; done += WORD_BYTES) {
		uint64_t word;
		memcpy(&word, from + done, sizeof(word));
		*(volatile uint64_t *)(at + done) = word;
	}
	for (; done < size_bytes; done++) {
		at[done] = from[done];
	}
	compiler_barrier();
}

void shared_access_fill(struct shared_bytes *to, size_t offset_bytes, uint8_t value,
			size_t size_bytes)
{
	volatile uint8_t *at = target_at(to, offset_bytes);
	const uint64_t word = value * UINT64_C(0x0101010101010101);
	const size_t lead = lead_bytes(at, size_bytes);
	size_t done = 0;
	for (; done < lead; done++) {
		at[done] = value;
	}
	for (; size_bytes - done >= WORD_BYTES; done += WORD_BYTES) {
		*(volatile uint64_t *)(at + done) = word;
	}
	for (; done < size_bytes; done++) {
		at[done] = value;
	}
	compiler_barrier();
}
