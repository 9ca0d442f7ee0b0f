// SPDX-License-Identifier: MIT
/* Mapping is done in two passes: `prepare` walks the range, refuses what is mapped already and has
 * every table page that will be needed; `commit` then writes leaves and cannot fail. A failure in
 * the first pass leaves at most empty table pages behind, never a mapping.
 *
 * Both passes choose the same leaf sizes: the choice depends on the arguments and on whether a
 * level-0 table exists, and `prepare` creates one only where it will be used. */
#include "mm/page_table.h"

#include "arch/pte.h"
#include "base/check.h"
#include "mm/page_entry.h"

#define ROOT_LEVEL        (PTE_LEVELS - 1)
#define LARGE_LEVEL       1u
#define FIRST_KERNEL_SLOT (PTE_ENTRIES / 2)

/* Where a walk ended: the entry that maps the address, or the first absent one on the way. */
struct walk {
	uint64_t *entry;
	unsigned level;
};

static uint64_t *entry_at(const struct page_table *table, struct phys_addr page,
			  uint64_t virtual_address, unsigned level)
{
	uint64_t *entries = table->port->entries(table->port->context, page);
	return &entries[pte_index(virtual_address, level)];
}

static struct walk walk_to_leaf(const struct page_table *table, uint64_t virtual_address)
{
	struct phys_addr page = table->root;
	unsigned level = ROOT_LEVEL;
	uint64_t *entry = entry_at(table, page, virtual_address, level);
	while (pte_is_present(*entry) && !pte_is_leaf(*entry, level)) {
		page = pte_address(*entry, table->private_mask);
		level--;
		entry = entry_at(table, page, virtual_address, level);
	}
	return (struct walk){.entry = entry, .level = level};
}

/* The first address after the entry that `walk` stopped at; 0 after the last one of all. */
static uint64_t next_after(uint64_t virtual_address, struct walk walk)
{
	const uint64_t span = pte_span_bytes(walk.level);
	return (virtual_address / span + 1) * span;
}

/* How far [virtual_address, last] may be stepped at once: `last` is inclusive, so that a range can
 * end with the address space. */
static bool step(uint64_t *virtual_address, uint64_t last, struct walk walk)
{
	const uint64_t next = next_after(*virtual_address, walk);
	if (next == 0 || next > last) {
		return false;
	}
	*virtual_address = next;
	return true;
}

enum status page_table_init(struct page_table *table, const struct page_table_port *port,
			    uint64_t private_mask)
{
	const bool one_bit = (private_mask & (private_mask - 1)) == 0;
	if (!one_bit || (private_mask & ~PTE_ADDRESS_MASK) != 0) {
		return STATUS_INVALID;
	}
	struct phys_addr root;
	const enum status status = port->take_page(port->context, &root);
	if (status != STATUS_OK) {
		return status;
	}
	*table = (struct page_table){.root = root, .port = port, .private_mask = private_mask};
	return STATUS_OK;
}

/* One mapping request; `offset` says how much of it is behind us. */
struct request {
	uint64_t virtual_address;
	struct phys_addr at;
	uint64_t size_bytes;
	struct page_access access;
	bool large_allowed;
};

static bool wants_large(const struct request *request, uint64_t offset)
{
	return request->large_allowed && request->size_bytes - offset >= LARGE_PAGE_BYTES &&
	       (request->virtual_address + offset) % LARGE_PAGE_BYTES == 0 &&
	       (request->at.raw + offset) % LARGE_PAGE_BYTES == 0;
}

/* Walk to the empty entry that will hold the leaf at `offset`, making tables on the way. */
static enum status prepare_leaf(struct page_table *table, const struct request *request,
				uint64_t offset, struct walk *leaf)
{
	const uint64_t virtual_address = request->virtual_address + offset;
	const unsigned wanted_level = wants_large(request, offset) ? LARGE_LEVEL : 0;
	struct walk walk = walk_to_leaf(table, virtual_address);
	if (pte_is_present(*walk.entry)) {
		return STATUS_EXISTS;
	}
	while (walk.level > wanted_level) {
		struct phys_addr page;
		const enum status status = table->port->take_page(table->port->context, &page);
		if (status != STATUS_OK) {
			return status;
		}
		*walk.entry = page_entry_table(table->private_mask, page, virtual_address);
		walk.level--;
		walk.entry = entry_at(table, page, virtual_address, walk.level);
	}
	*leaf = walk;
	return STATUS_OK;
}

static enum status prepare(struct page_table *table, const struct request *request)
{
	for (uint64_t offset = 0; offset < request->size_bytes;) {
		struct walk leaf;
		const enum status status = prepare_leaf(table, request, offset, &leaf);
		if (status != STATUS_OK) {
			return status;
		}
		offset += pte_span_bytes(leaf.level);
	}
	return STATUS_OK;
}

static void commit(struct page_table *table, const struct request *request)
{
	for (uint64_t offset = 0; offset < request->size_bytes;) {
		const struct phys_addr at = {request->at.raw + offset};
		const struct walk leaf = walk_to_leaf(table, request->virtual_address + offset);
		CHECK(leaf.level == 0 || wants_large(request, offset));
		CHECK(leaf.level <= LARGE_LEVEL && !pte_is_present(*leaf.entry));
		*leaf.entry = page_entry_leaf(table->private_mask, at, request->access,
					      leaf.level == LARGE_LEVEL);
		offset += pte_span_bytes(leaf.level);
	}
}

enum status page_table_map(struct page_table *table, uint64_t virtual_address, struct phys_addr at,
			   uint64_t size_bytes, struct page_access access, bool large_allowed)
{
	const struct phys_range target = {.first = at, .size_bytes = size_bytes};
	if (!page_entry_range_is_sound(virtual_address, size_bytes) ||
	    !page_entry_access_is_sound(virtual_address, access) ||
	    !page_entry_target_is_sound(table->private_mask, target)) {
		return STATUS_INVALID;
	}
	const struct request request = {
		.virtual_address = virtual_address,
		.at = at,
		.size_bytes = size_bytes,
		.access = access,
		.large_allowed = large_allowed,
	};
	const enum status status = prepare(table, &request);
	if (status != STATUS_OK) {
		return status;
	}
	commit(table, &request);
	return STATUS_OK;
}

/* STATUS_INVALID if some mapping in the range is a large one; else STATUS_NOT_FOUND if some page is
 * not mapped. Absent tables are stepped over whole, so the work is bounded by what is mapped. */
static enum status check_small(const struct page_table *table, uint64_t virtual_address,
			       uint64_t last)
{
	enum status result = STATUS_OK;
	uint64_t at = virtual_address;
	struct walk walk;
	do {
		walk = walk_to_leaf(table, at);
		if (!pte_is_present(*walk.entry)) {
			result = STATUS_NOT_FOUND;
		} else if (walk.level != 0) {
			return STATUS_INVALID;
		}
	} while (step(&at, last, walk));
	return result;
}

enum status page_table_unmap(struct page_table *table, uint64_t virtual_address,
			     uint64_t size_bytes)
{
	if (!page_entry_range_is_sound(virtual_address, size_bytes)) {
		return STATUS_INVALID;
	}
	const uint64_t last = virtual_address + (size_bytes - 1);
	const enum status result = check_small(table, virtual_address, last);
	if (result == STATUS_INVALID) {
		return result;
	}
	uint64_t at = virtual_address;
	struct walk walk;
	do {
		walk = walk_to_leaf(table, at);
		if (pte_is_present(*walk.entry)) {
			*walk.entry = 0;
		}
	} while (step(&at, last, walk));
	return result;
}

enum status page_table_protect(struct page_table *table, uint64_t virtual_address,
			       uint64_t size_bytes, struct page_access access)
{
	if (!page_entry_range_is_sound(virtual_address, size_bytes) ||
	    !page_entry_access_is_sound(virtual_address, access)) {
		return STATUS_INVALID;
	}
	const uint64_t last = virtual_address + (size_bytes - 1);
	const enum status status = check_small(table, virtual_address, last);
	if (status != STATUS_OK) {
		return status;
	}
	uint64_t at = virtual_address;
	struct walk walk;
	do {
		walk = walk_to_leaf(table, at);
		const struct phys_addr page = pte_address(*walk.entry, table->private_mask);
		*walk.entry = page_entry_leaf(table->private_mask, page, access, false);
	} while (step(&at, last, walk));
	return STATUS_OK;
}

enum status page_table_lookup(const struct page_table *table, uint64_t virtual_address,
			      struct page_mapping *mapping)
{
	if (virtual_address >= PAGE_TABLE_USER_END && virtual_address < PAGE_TABLE_KERNEL_BEGIN) {
		return STATUS_NOT_FOUND; /* Not canonical; the walk would ignore the top bits. */
	}
	const struct walk walk = walk_to_leaf(table, virtual_address);
	if (!pte_is_present(*walk.entry)) {
		return STATUS_NOT_FOUND;
	}
	const uint64_t offset = virtual_address % pte_span_bytes(walk.level);
	/* Bit 12 of a large leaf is PAT, which we never set: the address needs no special mask. */
	mapping->at.raw = pte_address(*walk.entry, table->private_mask).raw + offset;
	mapping->access = page_entry_access(table->private_mask, *walk.entry);
	return STATUS_OK;
}

void page_table_share_kernel(struct page_table *user, const struct page_table *kernel)
{
	uint64_t *to = user->port->entries(user->port->context, user->root);
	const uint64_t *from = kernel->port->entries(kernel->port->context, kernel->root);
	for (unsigned i = FIRST_KERNEL_SLOT; i < PTE_ENTRIES; i++) {
		to[i] = from[i];
	}
}

static void give_pages(const struct page_table *table, struct phys_addr first, uint64_t size_bytes)
{
	for (uint64_t offset = 0; offset < size_bytes; offset += PAGE_BYTES) {
		table->port->give_page(table->port->context,
				       (struct phys_addr){first.raw + offset});
	}
}

/* Give back what the first `count` entries of a table at `level` refer to. Recursion is as deep as
 * the tables: at most PTE_LEVELS. */
static void free_entries(const struct page_table *table, struct phys_addr page, unsigned level,
			 unsigned count)
{
	uint64_t *entries = table->port->entries(table->port->context, page);
	for (unsigned i = 0; i < count; i++) {
		const uint64_t entry = entries[i];
		if (!pte_is_present(entry)) {
			continue;
		}
		const struct phys_addr at = pte_address(entry, table->private_mask);
		entries[i] = 0;
		if (pte_is_leaf(entry, level)) {
			give_pages(table, at, pte_span_bytes(level));
		} else {
			free_entries(table, at, level - 1, PTE_ENTRIES);
			give_pages(table, at, PAGE_BYTES);
		}
	}
}

void page_table_free_user(struct page_table *table)
{
	free_entries(table, table->root, ROOT_LEVEL, FIRST_KERNEL_SLOT);
}
