// SPDX-License-Identifier: MIT
#include "base/addr.h"

bool addr_is_page_aligned(uint64_t raw)
{
	return raw % PAGE_BYTES == 0;
}

uint64_t addr_page_floor(uint64_t raw)
{
	return raw - raw % PAGE_BYTES;
}

bool addr_page_ceil(uint64_t raw, uint64_t *out)
{
	if (raw > UINT64_MAX - PAGE_OFFSET) {
		return false;
	}
	*out = addr_page_floor(raw + PAGE_OFFSET);
	return true;
}

bool addr_add(uint64_t a, uint64_t b, uint64_t *out)
{
	if (a > UINT64_MAX - b) {
		return false;
	}
	*out = a + b;
	return true;
}

bool addr_within(uint64_t offset, uint64_t size, uint64_t limit)
{
	return offset <= limit && size <= limit - offset;
}

bool phys_range_valid(struct phys_range range)
{
	const uint64_t limit = (uint64_t)1 << ADDR_PHYS_BITS;
	return range.size_bytes > 0 && addr_within(range.first.raw, range.size_bytes, limit);
}

bool phys_range_overlaps(struct phys_range a, struct phys_range b)
{
	return a.first.raw < b.first.raw + b.size_bytes && b.first.raw < a.first.raw + a.size_bytes;
}

bool phys_range_contains(struct phys_range outer, struct phys_range inner)
{
	return inner.first.raw >= outer.first.raw &&
	       addr_within(inner.first.raw - outer.first.raw, inner.size_bytes, outer.size_bytes);
}
