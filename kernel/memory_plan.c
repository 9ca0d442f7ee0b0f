// SPDX-License-Identifier: MIT
#include "kernel/memory_plan.h"

#define LOW_MEMORY_BYTES ((uint64_t)1024 * 1024)

struct reserved_list {
	struct phys_range ranges[MEMORY_PLAN_RESERVED_MAX];
	size_t count;
};

/* Whole pages, so that nothing shares a page with what is handed out. */
static void reserve(struct reserved_list *list, struct phys_range range)
{
	if (range.size_bytes == 0 || list->count == MEMORY_PLAN_RESERVED_MAX) {
		return;
	}
	uint64_t end = range.first.raw + range.size_bytes;
	if (!addr_page_ceil(end, &end)) {
		return;
	}
	range.first.raw = addr_page_floor(range.first.raw);
	range.size_bytes = end - range.first.raw;
	list->ranges[list->count++] = range;
}

static void collect_reserved(const struct boot_params *params, struct phys_range also,
			     struct reserved_list *list)
{
	list->count = 0;
	reserve(list, params->kernel_image);
	reserve(list, params->boot_tables);
	reserve(list, params->boot_data);
	reserve(list, also);
	for (uint32_t i = 0; i < params->module_count; i++) {
		reserve(list, params->modules[i].bytes);
	}
}

/* The first byte at or after `from` that no reserved range covers. Each step leaves one reserved
 * range behind, so there are at most `count` of them. */
static uint64_t skip_reserved(const struct reserved_list *list, uint64_t from)
{
	for (size_t step = 0; step <= list->count; step++) {
		bool moved = false;
		for (size_t i = 0; i < list->count; i++) {
			uint64_t first = list->ranges[i].first.raw;
			uint64_t end = first + list->ranges[i].size_bytes;
			if (from >= first && from < end) {
				from = end;
				moved = true;
			}
		}
		if (!moved) {
			break;
		}
	}
	return from;
}

/* The lowest start of a reserved range in [from, end), or `end`. */
static uint64_t next_reserved(const struct reserved_list *list, uint64_t from, uint64_t end)
{
	for (size_t i = 0; i < list->count; i++) {
		uint64_t first = list->ranges[i].first.raw;
		if (first >= from && first < end) {
			end = first;
		}
	}
	return end;
}

static void add_free_parts(const struct reserved_list *list, uint64_t from, uint64_t end,
			   struct memory_plan *plan)
{
	while (plan->free_count < MEMORY_PLAN_RANGES_MAX) {
		from = skip_reserved(list, from);
		if (from >= end) {
			return;
		}
		uint64_t stop = next_reserved(list, from, end);
		plan->free[plan->free_count++] = (struct phys_range){{from}, stop - from};
		from = stop;
	}
}

enum status memory_plan_make(const struct boot_params *params, struct phys_range also_reserved,
			     struct memory_plan *plan)
{
	struct reserved_list list;
	collect_reserved(params, also_reserved, &list);
	plan->free_count = 0;
	uint64_t highest = 0;
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		uint64_t first = params->memory[i].first.raw;
		uint64_t end = first + params->memory[i].size_bytes;
		if (end > highest) {
			highest = end;
		}
		add_free_parts(&list, first < LOW_MEMORY_BYTES ? LOW_MEMORY_BYTES : first, end,
			       plan);
	}
	uint64_t lowest = params->memory[0].first.raw;
	plan->span = (struct phys_range){{lowest}, highest - lowest};
	return plan->free_count == 0 ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status memory_plan_place(const struct memory_plan *plan, uint64_t size_bytes,
			      struct phys_range *place)
{
	uint64_t rounded;
	if (!addr_page_ceil(size_bytes, &rounded)) {
		return STATUS_NO_MEMORY;
	}
	for (size_t i = 0; i < plan->free_count; i++) {
		if (plan->free[i].size_bytes >= rounded) {
			*place = (struct phys_range){plan->free[i].first, rounded};
			return STATUS_OK;
		}
	}
	return STATUS_NO_MEMORY;
}
