// SPDX-License-Identifier: MIT
/* The random generator over scripted sources: sound, stuck, biased, dry; what the host can do; the
 * life of the library's context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/random_internal.h"
#include "crypto_support.h"
#include "failing_heap.h"

/* Words that one seeding and one (re)seeded request draw. */
#define SEED_WORDS      24u
#define RESEED_WORDS    16u
#define NEVER           UINT64_MAX
#define INIT_WORD_COUNT (RANDOM_START_UP_WORDS + SEED_WORDS)

struct source {
	uint64_t sequence;
	uint64_t asked_count;
	uint64_t stuck_from; /* From this word on, all ones. */
	uint64_t dry_at;     /* This one word is refused. */
	uint64_t cycle;      /* So many different words, then again; 0: no cycle. */
};

static bool source_read(void *context, uint64_t *word)
{
	struct source *source = context;
	const uint64_t index = source->asked_count++;
	if (index == source->dry_at) {
		return false;
	}
	if (index >= source->stuck_from) {
		*word = UINT64_MAX;
	} else if (source->cycle > 0) {
		*word = (index % source->cycle + 1) * 0x9e3779b97f4a7c15u;
	} else {
		*word = sequence_next(&source->sequence);
	}
	return true;
}

static struct source sound_source(void)
{
	const struct source source = {.sequence = 1, .stuck_from = NEVER, .dry_at = NEVER};
	return source;
}

static enum status start(struct random *random, struct source *source, const char *host_text)
{
	const struct entropy_port port = {.read_word = source_read, .context = source};
	return random_init(random, &port, (const uint8_t *)host_text, strlen(host_text));
}

/* NO_ENTROPY, and zeroes where the caller would look. */
static void assert_gives_nothing(struct random *random)
{
	uint8_t out[100];
	memset(out, 0x5a, sizeof(out));
	assert_int_equal(random_fill(random, out, sizeof(out)), STATUS_NO_ENTROPY);
	assert_true(bytes_are_zero(out, sizeof(out)));
}

/* What SP 800-90A makes of this source, computed by a program of its own from the standard's
 * text. */
static void test_random_known_answer(void **state)
{
	(void)state;
	struct source source = sound_source();
	struct random random;
	uint8_t out[1100];
	uint8_t digest[SHA256_BYTES];
	assert_int_equal(start(&random, &source, "host"), STATUS_OK);
	assert_int_equal(source.asked_count, INIT_WORD_COUNT);
	assert_int_equal(random_fill(&random, out, 40), STATUS_OK);
	assert_hex(out, 40,
		   "0a78e0a795399891bfac4dd4eeace9f3c07150f6efff39aa7787b8b977f685ca"
		   "2e8dd1a2ce0e02c8");
	assert_int_equal(source.asked_count, INIT_WORD_COUNT + RESEED_WORDS);
	assert_int_equal(random_fill(&random, out, sizeof(out)), STATUS_OK);
	const struct hash_input input = {.bytes = out, .size_bytes = sizeof(out)};
	assert_int_equal(hash_sha256(&input, 1, digest), STATUS_OK);
	assert_hex(digest, sizeof(digest),
		   "0ab77fab67b78b30c64d3a9eb4c6b29df1be9ca74223ead59d790dba06686471");
	random_erase(&random);
}

static void test_random_reseeds_on_each_call(void **state)
{
	(void)state;
	struct source source = sound_source();
	struct random random;
	uint8_t out[2][32];
	assert_int_equal(start(&random, &source, ""), STATUS_OK);
	for (size_t i = 0; i < 50; i++) {
		const uint64_t before = source.asked_count;
		assert_int_equal(random_fill(&random, out[i % 2], sizeof(out[0])), STATUS_OK);
		assert_int_equal(source.asked_count, before + RESEED_WORDS);
		assert_memory_not_equal(out[0], out[1], sizeof(out[0]));
	}
	/* Nothing to fill, nothing drawn, nothing written. */
	const uint64_t before = source.asked_count;
	assert_int_equal(random_fill(&random, NULL, 0), STATUS_OK);
	assert_int_equal(source.asked_count, before);
	random_erase(&random);
}

static void test_random_rejects_a_source_that_is_stuck_at_start(void **state)
{
	(void)state;
	const uint64_t stuck_from[] = {
		0,
		1,
		RANDOM_START_UP_WORDS - RANDOM_REPEAT_LIMIT,
		RANDOM_START_UP_WORDS,
		INIT_WORD_COUNT - RANDOM_REPEAT_LIMIT,
	};
	for (size_t i = 0; i < ARRAY_COUNT(stuck_from); i++) {
		struct source source = sound_source();
		struct random random;
		source.stuck_from = stuck_from[i];
		assert_int_equal(start(&random, &source, "host"), STATUS_NO_ENTROPY);
		assert_true(random.failed);
		const uint64_t asked_count = source.asked_count;
		assert_int_equal(asked_count, stuck_from[i] + RANDOM_REPEAT_LIMIT);
		source.stuck_from = NEVER;
		assert_gives_nothing(&random);
		assert_int_equal(source.asked_count, asked_count);
		random_erase(&random);
		assert_int_equal(heap_live_count(), 0);
	}
}

static void test_random_rejects_a_biased_source(void **state)
{
	(void)state;
	const uint64_t cycles[] = {2, 3, 16, 100, 127};
	for (size_t i = 0; i < ARRAY_COUNT(cycles); i++) {
		struct source source = sound_source();
		struct random random;
		source.cycle = cycles[i];
		assert_int_equal(start(&random, &source, "host"), STATUS_NO_ENTROPY);
		assert_true(random.failed);
		assert_gives_nothing(&random);
	}
}

static void test_random_failure_is_sticky(void **state)
{
	(void)state;
	struct source source = sound_source();
	struct random random;
	uint8_t out[32];
	assert_int_equal(start(&random, &source, ""), STATUS_OK);
	assert_int_equal(random_fill(&random, out, sizeof(out)), STATUS_OK);
	source.stuck_from = source.asked_count;
	assert_gives_nothing(&random);
	assert_true(random.failed);
	/* The generator's state is gone, and the source is not asked again even if it recovers. */
	assert_true(bytes_are_zero(random.state, sizeof(random.state)));
	assert_int_equal(heap_live_count(), 0);
	source.stuck_from = NEVER;
	const uint64_t asked_count = source.asked_count;
	assert_gives_nothing(&random);
	assert_int_equal(source.asked_count, asked_count);
	assert_int_equal(random_fill(&random, out, 0), STATUS_NO_ENTROPY);
	random_erase(&random);
}

static void test_random_start_fails_on_a_dry_source(void **state)
{
	(void)state;
	const uint64_t dry_at[] = {
		0, 500, RANDOM_START_UP_WORDS - 1, RANDOM_START_UP_WORDS, INIT_WORD_COUNT - 1,
	};
	for (size_t i = 0; i < ARRAY_COUNT(dry_at); i++) {
		struct source source = sound_source();
		struct random random;
		source.dry_at = dry_at[i];
		assert_int_equal(start(&random, &source, "host"), STATUS_NO_ENTROPY);
		assert_int_equal(heap_live_count(), 0);
		assert_gives_nothing(&random);
		/* The next start may succeed. */
		assert_int_equal(start(&random, &source, "host"), STATUS_OK);
		random_erase(&random);
	}
}

/* Not broken, just empty for a moment: nothing comes out now, and the next call asks again. */
static void test_random_dry_source_gives_nothing_for_now(void **state)
{
	(void)state;
	for (uint64_t word = 0; word < 3 * RESEED_WORDS; word++) {
		struct source source = sound_source();
		struct random random;
		uint8_t out[2100]; /* Three requests to the library. */
		memset(out, 0x5a, sizeof(out));
		assert_int_equal(start(&random, &source, ""), STATUS_OK);
		source.dry_at = source.asked_count + word;
		assert_int_equal(random_fill(&random, out, sizeof(out)), STATUS_NO_ENTROPY);
		assert_true(bytes_are_zero(out, sizeof(out)));
		assert_false(random.failed);
		assert_int_equal(random_fill(&random, out, sizeof(out)), STATUS_OK);
		assert_false(bytes_are_zero(out, sizeof(out)));
		random_erase(&random);
	}
}

static void test_random_host_bytes_only_add(void **state)
{
	(void)state;
	const char *const texts[] = {"", "a", "b"};
	uint8_t out[3][32];
	for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
		struct source source = sound_source();
		struct random random;
		assert_int_equal(start(&random, &source, texts[i]), STATUS_OK);
		assert_int_equal(random_fill(&random, out[i], sizeof(out[i])), STATUS_OK);
		random_erase(&random);
	}
	assert_memory_not_equal(out[0], out[1], sizeof(out[0]));
	assert_memory_not_equal(out[1], out[2], sizeof(out[0]));

	/* The same host bytes over another source: the host decides nothing. */
	struct source source = sound_source();
	struct random random;
	source.sequence = 2;
	uint8_t other[32];
	assert_int_equal(start(&random, &source, "a"), STATUS_OK);
	assert_int_equal(random_fill(&random, other, sizeof(other)), STATUS_OK);
	assert_memory_not_equal(out[1], other, sizeof(other));
	random_erase(&random);

	/* And a megabyte of them in place of a source is worth nothing. */
	static uint8_t much[1 << 20];
	uint64_t sequence = 9;
	sequence_fill(&sequence, much, sizeof(much));
	source.stuck_from = 0;
	const struct entropy_port port = {.read_word = source_read, .context = &source};
	assert_int_equal(random_init(&random, &port, much, sizeof(much)), STATUS_NO_ENTROPY);
	source = sound_source();
	assert_int_equal(random_init(&random, &port, much, sizeof(much)), STATUS_OK);
	random_erase(&random);
	assert_int_equal(random_init(&random, &port, NULL, 1), STATUS_INVALID);
	assert_gives_nothing(&random);
}

static void test_random_may_be_moved(void **state)
{
	(void)state;
	struct source source = sound_source();
	struct random here;
	struct random there;
	uint8_t out[32];
	assert_int_equal(start(&here, &source, ""), STATUS_OK);
	memcpy(&there, &here, sizeof(there));
	memset(&here, 0xee, sizeof(here));
	const uint64_t before = source.asked_count;
	assert_int_equal(random_fill(&there, out, sizeof(out)), STATUS_OK);
	assert_int_equal(source.asked_count, before + RESEED_WORDS);
	/* A failure lands in the moved struct, too. */
	source.stuck_from = source.asked_count;
	assert_gives_nothing(&there);
	assert_true(there.failed);
	random_erase(&there);
	assert_int_equal(heap_live_count(), 0);
}

static void test_random_erase_leaves_nothing(void **state)
{
	(void)state;
	struct source source = sound_source();
	struct random random;
	assert_int_equal(start(&random, &source, ""), STATUS_OK);
	assert_int_equal(heap_live_count(), 2);
	random_erase(&random);
	assert_true(bytes_are_zero((const uint8_t *)&random, sizeof(random)));
	assert_int_equal(heap_live_count(), 0);
	assert_gives_nothing(&random);
	random_erase(&random);
}

static void test_random_survives_a_failing_heap(void **state)
{
	(void)state;
	struct source source = sound_source();
	struct random random;
	enum status status = STATUS_NO_MEMORY;
	size_t nth = 0;
	while (status != STATUS_OK) {
		nth++;
		assert_true(nth < 20);
		heap_fail_nth(nth);
		status = start(&random, &source, "host");
		if (status != STATUS_OK) {
			assert_int_equal(status, STATUS_NO_MEMORY);
			assert_gives_nothing(&random);
			assert_int_equal(heap_live_count(), 0);
		}
	}
	assert_int_equal(nth, 3);
	assert_int_equal(heap_peak_bytes(), 236);
	/* Once it runs, it allocates no more. */
	uint8_t out[32];
	heap_fail_nth(1);
	assert_int_equal(random_fill(&random, out, sizeof(out)), STATUS_OK);
	assert_int_equal(heap_call_count(), 0);
	heap_fail_nth(0);
	random_erase(&random);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_known_answer),
		cmocka_unit_test(test_random_reseeds_on_each_call),
		cmocka_unit_test(test_random_rejects_a_source_that_is_stuck_at_start),
		cmocka_unit_test(test_random_rejects_a_biased_source),
		cmocka_unit_test(test_random_failure_is_sticky),
		cmocka_unit_test(test_random_start_fails_on_a_dry_source),
		cmocka_unit_test(test_random_dry_source_gives_nothing_for_now),
		cmocka_unit_test(test_random_host_bytes_only_add),
		cmocka_unit_test(test_random_may_be_moved),
		cmocka_unit_test(test_random_erase_leaves_nothing),
		cmocka_unit_test(test_random_survives_a_failing_heap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
