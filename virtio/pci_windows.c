// SPDX-License-Identifier: MIT
/* Which windows of device memory may be mapped. The host places BARs and could place one over
 * memory, or two over each other: then registers would alias what we believe to be ours. */
#include "virtio/pci_config.h"

#define LOWEST_WINDOW   ((uint64_t)1 << 20)
#define PAGE_ALIGN(raw) (((raw) + PAGE_OFFSET) & ~PAGE_OFFSET)

static bool bar_is_placed(const struct pci_bar *bar)
{
	return bar->is_memory && bar->window.first.raw != 0 && phys_range_valid(bar->window);
}

static bool is_over_taken(const struct pci_map *map, struct phys_range window)
{
	for (size_t i = 0; i < map->taken_count; i++) {
		if (phys_range_overlaps(map->taken[i], window)) {
			return true;
		}
	}
	return false;
}

/* The first other placed BAR that shares a byte with `window`, or NULL. */
static const struct pci_bar *other_bar_over(const struct pci_scan *scan, const struct pci_bar *self,
					    struct phys_range window)
{
	for (size_t i = 0; i < scan->count; i++) {
		for (size_t j = 0; j < PCI_BARS; j++) {
			const struct pci_bar *bar = &scan->functions[i].bars[j];
			if (bar != self && bar_is_placed(bar) &&
			    phys_range_overlaps(bar->window, window)) {
				return bar;
			}
		}
	}
	return NULL;
}

static const char *window_check(const struct pci_scan *scan, const struct pci_bar *bar,
				const struct pci_map *map)
{
	if (bar->window.size_bytes > PCI_WINDOW_BYTES_MAX) {
		return "a BAR is larger than 1 MiB";
	}
	if (bar->window.first.raw == 0) {
		return "a BAR is not placed";
	}
	if (!phys_range_valid(bar->window) || bar->window.first.raw < LOWEST_WINDOW) {
		return "a BAR lies where no device can be";
	}
	if (is_over_taken(map, bar->window)) {
		return "a BAR lies over memory or over the platform's registers";
	}
	if (other_bar_over(scan, bar, bar->window) != NULL) {
		return "two BARs overlap";
	}
	return NULL;
}

const char *pci_windows_check(const struct pci_scan *scan, size_t index, const struct pci_map *map)
{
	for (size_t i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &scan->functions[index].bars[i];
		const char *complaint = bar->is_memory ? window_check(scan, bar, map) : NULL;
		if (complaint != NULL) {
			return complaint;
		}
	}
	return NULL;
}

/* What `window` collides with, or NULL. */
static const struct phys_range *conflict(const struct pci_scan *scan, const struct pci_bar *self,
					 const struct pci_map *map, struct phys_range window)
{
	for (size_t i = 0; i < map->taken_count; i++) {
		if (phys_range_overlaps(map->taken[i], window)) {
			return &map->taken[i];
		}
	}
	const struct pci_bar *bar = other_bar_over(scan, self, window);
	return bar == NULL ? NULL : &bar->window;
}

/* Lowest free address of the hole. Each turn steps over one obstacle and addresses only grow. */
static enum status place_find(const struct pci_scan *scan, const struct pci_bar *bar,
			      const struct pci_map *map, uint64_t *address)
{
	const uint64_t size_bytes = bar->window.size_bytes;
	/* Windows share no page: pages are what is mapped. */
	const uint64_t alignment = size_bytes < PAGE_BYTES ? PAGE_BYTES : size_bytes;
	const size_t turns_max = map->taken_count + PCI_FUNCTIONS_MAX * PCI_BARS + 1;
	uint64_t at = (map->hole.first.raw + alignment - 1) & ~(alignment - 1);
	for (size_t turn = 0; turn < turns_max; turn++) {
		const struct phys_range window = {{at}, alignment};
		if (!phys_range_valid(window) || !phys_range_contains(map->hole, window)) {
			break;
		}
		const struct phys_range *other = conflict(scan, bar, map, window);
		if (other == NULL) {
			*address = at;
			return STATUS_OK;
		}
		const uint64_t end = PAGE_ALIGN(other->first.raw + other->size_bytes);
		at = (end + alignment - 1) & ~(alignment - 1);
	}
	return STATUS_NO_SPACE;
}

/* Place BAR `index` of a function, and tell the device. */
static enum status bar_place(const struct pci_config_ops *ops, const struct pci_scan *scan,
			     struct pci_function *function, uint32_t index,
			     const struct pci_map *map)
{
	struct pci_bar *bar = &function->bars[index];
	uint64_t address;
	const enum status status = place_find(scan, bar, map, &address);
	if (status != STATUS_OK) {
		return status;
	}
	pci_command_set(ops, function->at, PCI_COMMAND_MEMORY, 0);
	ops->write32(ops->context, function->at, PCI_BAR0 + 4 * index, (uint32_t)address);
	if (bar->is_wide) {
		ops->write32(ops->context, function->at, PCI_BAR0 + 4 * (index + 1),
			     (uint32_t)(address >> 32));
	}
	bar->window.first.raw = address;
	return STATUS_OK;
}

enum status pci_windows_place(const struct pci_config_ops *ops, struct pci_scan *scan, size_t index,
			      const struct pci_map *map)
{
	struct pci_function *function = &scan->functions[index];
	for (uint32_t i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &function->bars[i];
		if (!bar->is_memory || bar->window.first.raw != 0 ||
		    bar->window.size_bytes > PCI_WINDOW_BYTES_MAX) {
			continue;
		}
		if (function->at.bus != 0) {
			return STATUS_UNSUPPORTED;
		}
		const enum status status = bar_place(ops, scan, function, i, map);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}
