// SPDX-License-Identifier: MIT
/* Four-level x86-64 page tables, for stage2, the kernel and ring-3 address spaces alike.
 *
 * Pure: reaches table pages through a port, so it runs on the host against an array. W^X holds by
 * construction: a mapping that is both writable and executable is STATUS_INVALID. User mappings
 * live below PAGE_TABLE_USER_END, kernel mappings at or above PAGE_TABLE_KERNEL_BEGIN: a mapping of
 * the other kind is STATUS_INVALID too. The caller flushes the TLB. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"

#define PAGE_TABLE_USER_END     0x0000800000000000ull
#define PAGE_TABLE_KERNEL_BEGIN 0xffff800000000000ull
#define LARGE_PAGE_BYTES        ((size_t)2 * 1024 * 1024)

struct page_access {
	bool writable;
	bool executable;
	bool user;
	bool uncached; /* Device registers: never private. Not for user mappings. */
	bool global;   /* Not for user mappings. */
	bool shared;   /* Host-visible: mapped without private_mask. Not for user mappings. */
};

/* How table pages are had and reached. */
struct page_table_port {
	/* A zeroed page, or STATUS_NO_MEMORY. */
	enum status (*take_page)(void *context, struct phys_addr *page);
	void (*give_page)(void *context, struct phys_addr page);
	/* The table page's 512 entries. */
	uint64_t *(*entries)(void *context, struct phys_addr page);
	void *context;
};

struct page_table {
	struct phys_addr root;
	const struct page_table_port *port;
	/* OR-ed into each private leaf and table entry: the C-bit on SNP, 0 on native. */
	uint64_t private_mask;
};

struct page_mapping {
	struct phys_addr at; /* The byte that the virtual address maps to. */
	struct page_access access;
};

MUST_CHECK
enum status page_table_init(struct page_table *table, const struct page_table_port *port,
			    uint64_t private_mask);

/* Map [virtual, virtual + size) to [at, at + size): page-aligned, size > 0, whole range on one side
 * of the canonical hole, nothing mapped there yet (STATUS_EXISTS). Uses 2 MiB leaves where
 * `large_allowed` and alignment permit. On any failure nothing stays mapped that was not before;
 * table pages may remain. */
MUST_CHECK
enum status page_table_map(struct page_table *table, uint64_t virtual_address, struct phys_addr at,
			   uint64_t size_bytes, struct page_access access, bool large_allowed);

/* Remove 4 KiB mappings. STATUS_NOT_FOUND if some page is not mapped (the others are removed);
 * STATUS_INVALID for a piece of a large page. */
MUST_CHECK
enum status page_table_unmap(struct page_table *table, uint64_t virtual_address,
			     uint64_t size_bytes);

/* Change access of existing 4 KiB mappings; W^X is checked. STATUS_NOT_FOUND if some page is not
 * mapped, STATUS_INVALID for a piece of a large page: nothing changes then. */
MUST_CHECK
enum status page_table_protect(struct page_table *table, uint64_t virtual_address,
			       uint64_t size_bytes, struct page_access access);

/* STATUS_NOT_FOUND: not mapped. */
//@ requires \valid_read(table) && \valid(mapping); assigns *mapping;
MUST_CHECK
enum status page_table_lookup(const struct page_table *table, uint64_t virtual_address,
			      struct page_mapping *mapping);

/* Let `user` share the kernel half of `kernel`: copies the upper 256 root entries. */
void page_table_share_kernel(struct page_table *user, const struct page_table *kernel);

/* Give back every page and table page of the user half, by way of the port. */
void page_table_free_user(struct page_table *table);
