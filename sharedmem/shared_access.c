// SPDX-License-Identifier: MIT
/* The only code of the kernel that dereferences host-visible memory.
 *
 * Volatile, so that the compiler makes exactly one access where we wrote one and never re-reads a
 * value that was validated. x86 gives each aligned load acquire and each aligned store release
 * ordering; the volatile accesses and the compiler barriers keep the compiler to the same order.
 * Copies move 64-bit words, eight a turn: `rep movsb` is eight times slower under emulation. The
 * private side may be unaligned; __builtin_memcpy of a word is one instruction even where
 * -ffreestanding would make memcpy a call (which made a copy eight times slower, too). */
#include "sharedmem/shared_access_internal.h"

#include "base/check.h"

/* The emulator links blocks of code only within a page, and a loop that straddles two pages was 11
 * times slower: the copies stay functions of their own, and none crosses a page. */
#define WITHIN_A_PAGE __attribute__((aligned(512), noinline))

#define WORD_BYTES    ((size_t)8)
#define STRIDE_WORDS  8u
#define STRIDE_BYTES  (STRIDE_WORDS * WORD_BYTES)

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

/* One word from shared to private memory, where it may be unaligned. */
static inline void word_in(uint8_t *to, const volatile uint8_t *at)
{
	const uint64_t word = *(const volatile uint64_t *)at;
	__builtin_memcpy(to, &word, sizeof(word));
}

static inline void word_out(volatile uint8_t *at, const uint8_t *from)
{
	uint64_t word;
	__builtin_memcpy(&word, from, sizeof(word));
	*(volatile uint64_t *)at = word;
}

WITHIN_A_PAGE void shared_access_copy_in(uint8_t *to, const struct shared_bytes *from,
					 size_t offset_bytes, size_t size_bytes)
{
	const volatile uint8_t *at = source_at(from, offset_bytes);
	const size_t lead = lead_bytes(at, size_bytes);
	size_t done = 0;
	for (; done < lead; done++) {
		to[done] = at[done];
	}
	for (; size_bytes - done >= STRIDE_BYTES; done += STRIDE_BYTES) {
#pragma GCC unroll 8
		for (size_t i = 0; i < STRIDE_BYTES; i += WORD_BYTES) {
			word_in(to + done + i, at + done + i);
		}
	}
	for (; size_bytes - done >= WORD_BYTES; done += WORD_BYTES) {
		word_in(to + done, at + done);
	}
	for (; done < size_bytes; done++) {
		to[done] = at[done];
	}
	compiler_barrier();
}

WITHIN_A_PAGE void shared_access_copy_out(struct shared_bytes *to, size_t offset_bytes,
					  const uint8_t *from, size_t size_bytes)
{
	volatile uint8_t *at = target_at(to, offset_bytes);
	const size_t lead = lead_bytes(at, size_bytes);
	size_t done = 0;
	for (; done < lead; done++) {
		at[done] = from[done];
	}
	for (; size_bytes - done >= STRIDE_BYTES; done += STRIDE_BYTES) {
#pragma GCC unroll 8
		for (size_t i = 0; i < STRIDE_BYTES; i += WORD_BYTES) {
			word_out(at + done + i, from + done + i);
		}
	}
	for (; size_bytes - done >= WORD_BYTES; done += WORD_BYTES) {
		word_out(at + done, from + done);
	}
	for (; done < size_bytes; done++) {
		at[done] = from[done];
	}
	compiler_barrier();
}

WITHIN_A_PAGE void shared_access_fill(struct shared_bytes *to, size_t offset_bytes, uint8_t value,
				      size_t size_bytes)
{
	volatile uint8_t *at = target_at(to, offset_bytes);
	const uint64_t word = value * UINT64_C(0x0101010101010101);
	const size_t lead = lead_bytes(at, size_bytes);
	size_t done = 0;
	for (; done < lead; done++) {
		at[done] = value;
	}
	for (; size_bytes - done >= STRIDE_BYTES; done += STRIDE_BYTES) {
#pragma GCC unroll 8
		for (size_t i = 0; i < STRIDE_BYTES; i += WORD_BYTES) {
			*(volatile uint64_t *)(at + done + i) = word;
		}
	}
	for (; size_bytes - done >= WORD_BYTES; done += WORD_BYTES) {
		*(volatile uint64_t *)(at + done) = word;
	}
	for (; done < size_bytes; done++) {
		at[done] = value;
	}
	compiler_barrier();
}
