// SPDX-License-Identifier: MIT
/* Changes an input of the hostile device as what it is: a configuration, the length of the program,
 * the program, and a script of events of six bytes. Bytes that are changed blindly often leave the
 * script out of step, or swallow it in the program; then the device is honest. libFuzzer and
 * replay_main.c call this by its name. */
#include <string.h>

#include "tests/fuzz/hostile.h"

#define EVENT_BYTES ((size_t)6) /* skip:8 kind:8 argument:32 */
#define SKIP_BITS   8u

static uint32_t draw(uint64_t *random, uint32_t limit)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*random >> 33) % limit;
}

/* Short waits as often as long ones; an argument of small numbers, of ones, or of anything. */
static void event_make(uint64_t *random, uint8_t event[EVENT_BYTES])
{
	event[0] = (uint8_t)draw(random, 1u << draw(random, SKIP_BITS + 1));
	event[1] = (uint8_t)draw(random, UINT8_MAX + 1);
	for (size_t i = 2; i < EVENT_BYTES; i++) {
		const uint32_t limit = 1u << draw(random, 9);
		event[i] = draw(random, 8) == 0 ? UINT8_MAX : (uint8_t)draw(random, limit);
	}
}

/* Where the script begins; a program that claims all that is left ends here. */
static size_t script_begin(uint8_t *data, size_t size)
{
	const size_t left = size - hostile_length_at - 1;
	if (data[hostile_length_at] > left) {
		data[hostile_length_at] = (uint8_t)left;
	}
	return hostile_length_at + 1 + data[hostile_length_at];
}

/* An event over another one, before it, or behind all of them. */
static size_t event_put(uint64_t *random, uint8_t *data, size_t size)
{
	const size_t begin = script_begin(data, size);
	const uint32_t count = (uint32_t)((size - begin) / EVENT_BYTES);
	const uint32_t which = draw(random, count + 1);
	uint8_t *at = data + begin + which * EVENT_BYTES;
	const size_t behind = size - begin - which * EVENT_BYTES;
	if (which == count) {
		size = begin + (which + 1) * EVENT_BYTES; /* Over the rest of half an event, too. */
	} else if (draw(random, 2) == 0) {
		memmove(at + EVENT_BYTES, at, behind);
		size += EVENT_BYTES;
	}
	event_make(random, at);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned int seed)
{
	uint64_t random = seed;
	const uint32_t choice = draw(&random, 4);
	if (choice < 2 && size_max > EVENT_BYTES) {
		size = LLVMFuzzerMutate(data, size, size_max - EVENT_BYTES);
	}
	if (choice > 0 && size > hostile_length_at && size + EVENT_BYTES <= size_max) {
		size = event_put(&random, data, size);
	}
	return size;
}
