// SPDX-License-Identifier: MIT
/* Stands in for sharedmem/shared_access.c at link time. */
#include "tests/unit/sharedmem/shared_access_host.h"

#include <assert.h>
#include <string.h>

#include "sharedmem/shared_access_internal.h"

static const struct shared_access_hook *active_hook;

void shared_access_hook_set(const struct shared_access_hook *hook)
{
	active_hook = hook;
}

uint64_t shared_access_load(const struct shared_bytes *bytes, size_t offset_bytes,
			    unsigned int width_bytes)
{
	const uint8_t *at = (const uint8_t *)bytes + offset_bytes;
	uint64_t value = 0;
	assert((uintptr_t)at % width_bytes == 0);
	memcpy(&value, at, width_bytes); /* Little-endian hosts only, as the kernel. */
	if (active_hook != NULL) {
		value = active_hook->load(active_hook->context, at, width_bytes, value);
	}
	return value;
}

void shared_access_store(struct shared_bytes *bytes, size_t offset_bytes, unsigned int width_bytes,
			 uint64_t value)
{
	uint8_t *at = (uint8_t *)bytes + offset_bytes;
	assert((uintptr_t)at % width_bytes == 0);
	memcpy(at, &value, width_bytes);
}

void shared_access_copy_in(uint8_t *to, const struct shared_bytes *from, size_t offset_bytes,
			   size_t size_bytes)
{
	memcpy(to, (const uint8_t *)from + offset_bytes, size_bytes);
}

void shared_access_copy_out(struct shared_bytes *to, size_t offset_bytes, const uint8_t *from,
			    size_t size_bytes)
{
	memcpy((uint8_t *)to + offset_bytes, from, size_bytes);
}

void shared_access_fill(struct shared_bytes *to, size_t offset_bytes, uint8_t value,
			size_t size_bytes)
{
	memset((uint8_t *)to + offset_bytes, value, size_bytes);
}
