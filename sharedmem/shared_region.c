// SPDX-License-Identifier: MIT
/* Access to a region's bytes: range and alignment are checked here, once, before the innermost
 * accessors. A wrong offset is our own mistake (nothing the host says becomes an offset without
 * validation), so it ends in CHECK. */
#include "sharedmem/sharedmem.h"

#include "base/check.h"
#include "sharedmem/shared_access_internal.h"

//@ requires in_region(region, offset_bytes, size_bytes); assigns \nothing;
static void range_check(const struct shared_region *region, size_t offset_bytes, size_t size_bytes)
{
	CHECK(region->owner != NULL);
	CHECK(addr_within(offset_bytes, size_bytes, region->size_bytes));
}

/*@ requires width_bytes == 1 || width_bytes == 2 || width_bytes == 4 || width_bytes == 8;
    requires in_region(region, offset_bytes, width_bytes) && offset_bytes % width_bytes == 0;
    assigns region->owner->counters.loads;
    ensures width_bytes == 1 ==> \result <= UINT8_MAX;
    ensures width_bytes == 2 ==> \result <= UINT16_MAX;
    ensures width_bytes == 4 ==> \result <= UINT32_MAX; */
static uint64_t load(const struct shared_region *region, size_t offset_bytes,
		     unsigned int width_bytes)
{
	range_check(region, offset_bytes, width_bytes);
	CHECK(offset_bytes % width_bytes == 0);
	//@ admit counter: region->owner->counters.loads < UINT64_MAX;
	region->owner->counters.loads++;
	return shared_access_load(region->bytes, offset_bytes, width_bytes);
}

/*@ requires width_bytes == 1 || width_bytes == 2 || width_bytes == 4 || width_bytes == 8;
    requires in_region(region, offset_bytes, width_bytes) && offset_bytes % width_bytes == 0;
    assigns region->owner->counters.stores; */
static void store(const struct shared_region *region, size_t offset_bytes, unsigned int width_bytes,
		  uint64_t value)
{
	range_check(region, offset_bytes, width_bytes);
	CHECK(offset_bytes % width_bytes == 0);
	//@ admit counter: region->owner->counters.stores < UINT64_MAX;
	region->owner->counters.stores++;
	shared_access_store(region->bytes, offset_bytes, width_bytes, value);
}

struct shared_addr shared_region_addr(const struct shared_region *region, size_t offset_bytes,
				      size_t size_bytes)
{
	range_check(region, offset_bytes, size_bytes);
	return (struct shared_addr){.raw = region->at.raw + offset_bytes};
}

uint8_t shared_load_u8(const struct shared_region *region, size_t offset_bytes)
{
	return (uint8_t)load(region, offset_bytes, 1);
}

uint16_t shared_load_u16(const struct shared_region *region, size_t offset_bytes)
{
	return (uint16_t)load(region, offset_bytes, 2);
}

uint32_t shared_load_u32(const struct shared_region *region, size_t offset_bytes)
{
	return (uint32_t)load(region, offset_bytes, 4);
}

uint64_t shared_load_u64(const struct shared_region *region, size_t offset_bytes)
{
	return load(region, offset_bytes, 8);
}

void shared_store_u8(const struct shared_region *region, size_t offset_bytes, uint8_t value)
{
	store(region, offset_bytes, 1, value);
}

void shared_store_u16(const struct shared_region *region, size_t offset_bytes, uint16_t value)
{
	store(region, offset_bytes, 2, value);
}

void shared_store_u32(const struct shared_region *region, size_t offset_bytes, uint32_t value)
{
	store(region, offset_bytes, 4, value);
}

void shared_store_u64(const struct shared_region *region, size_t offset_bytes, uint64_t value)
{
	store(region, offset_bytes, 8, value);
}

void shared_store_pair(const struct shared_region *region, size_t offset_bytes, uint64_t first,
		       uint64_t second)
{
	range_check(region, offset_bytes, 2 * sizeof(first));
	CHECK(offset_bytes % sizeof(first) == 0);
	//@ admit counter: region->owner->counters.stores + 2 <= UINT64_MAX;
	region->owner->counters.stores += 2;
	shared_access_store(region->bytes, offset_bytes, sizeof(first), first);
	shared_access_store(region->bytes, offset_bytes + sizeof(first), sizeof(second), second);
}

void shared_copy_in(uint8_t *to, const struct shared_region *from, size_t offset_bytes,
		    size_t size_bytes)
{
	range_check(from, offset_bytes, size_bytes);
	shared_access_copy_in(to, from->bytes, offset_bytes, size_bytes);
	//@ admit counter: from->owner->counters.bytes_copied_in + size_bytes <= UINT64_MAX;
	from->owner->counters.bytes_copied_in += size_bytes;
}

void shared_copy_out(const struct shared_region *to, size_t offset_bytes, const uint8_t *from,
		     size_t size_bytes)
{
	range_check(to, offset_bytes, size_bytes);
	shared_access_copy_out(to->bytes, offset_bytes, from, size_bytes);
	//@ admit counter: to->owner->counters.bytes_copied_out + size_bytes <= UINT64_MAX;
	to->owner->counters.bytes_copied_out += size_bytes;
}

void shared_fill(const struct shared_region *region, size_t offset_bytes, uint8_t value,
		 size_t size_bytes)
{
	range_check(region, offset_bytes, size_bytes);
	shared_access_fill(region->bytes, offset_bytes, value, size_bytes);
}

void shared_zero(const struct shared_region *region, size_t offset_bytes, size_t size_bytes)
{
	shared_fill(region, offset_bytes, 0, size_bytes);
}

void shared_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}
