// SPDX-License-Identifier: MIT
/* brk, mmap, munmap, mprotect: anonymous private memory only, W^X always. */
#include <asm-generic/errno-base.h>
#include <asm-generic/mman-common.h>

#include "base/addr.h"
#include "kernel/process.h"
#include "kernel/syscall.h"

#define MAP_PRIVATE_ONLY 0x02u
#define MAP_KNOWN                                                                       \
	(MAP_PRIVATE_ONLY | MAP_ANONYMOUS | MAP_NORESERVE_IGNORED | MAP_STACK_IGNORED | \
	 MAP_POPULATE_IGNORED)
/* Hints that need no action: nothing is overcommitted, and everything is populated. */
#define MAP_NORESERVE_IGNORED 0x4000u
#define MAP_STACK_IGNORED     0x20000u
#define MAP_POPULATE_IGNORED  0x8000u

#define REQUEST_BYTES_MAX     ((uint64_t)PROCESS_PAGES_MAX * PAGE_BYTES)

/* W^X: a page that could be both written and executed is refused. */
static int64_t access_of_protection(uint64_t protection, struct page_access *access)
{
	if ((protection & ~(uint64_t)(PROT_READ | PROT_WRITE | PROT_EXEC)) != 0) {
		return -EINVAL;
	}
	if ((protection & PROT_WRITE) != 0 && (protection & PROT_EXEC) != 0) {
		return -EINVAL;
	}
	/* PROT_NONE stays mapped for the kernel's books but is not the user's. */
	*access = (struct page_access){
		.writable = (protection & PROT_WRITE) != 0,
		.executable = (protection & PROT_EXEC) != 0,
		.user = protection != PROT_NONE,
	};
	return 0;
}

/* Whole pages within the user half, of a size that may be asked for at all. */
static bool range_is_sound(uint64_t address, uint64_t size_bytes, uint64_t *rounded)
{
	return size_bytes > 0 && size_bytes <= REQUEST_BYTES_MAX && addr_is_page_aligned(address) &&
	       addr_page_ceil(size_bytes, rounded) &&
	       addr_within(address, *rounded, PAGE_TABLE_USER_END);
}

int64_t syscall_mmap(struct process *process, const struct syscall_arguments *arguments)
{
	struct page_access access;
	uint64_t size_bytes;
	uint64_t flags = arguments->d;
	int64_t error = access_of_protection(arguments->c, &access);
	if (error != 0) {
		return error;
	}
	if ((flags & (MAP_PRIVATE_ONLY | MAP_ANONYMOUS)) != (MAP_PRIVATE_ONLY | MAP_ANONYMOUS) ||
	    (flags & ~(uint64_t)MAP_KNOWN) != 0) {
		return -EINVAL;
	}
	/* The address is a hint that we do not take. */
	if (arguments->b > REQUEST_BYTES_MAX) {
		return -ENOMEM;
	}
	if (!range_is_sound(process->mmap_next, arguments->b, &size_bytes)) {
		return -EINVAL;
	}
	uint64_t address = process->mmap_next;
	if (process_map_zeroed(process, address, size_bytes, access) != STATUS_OK) {
		return -ENOMEM;
	}
	/* An unmapped page behind each mapping; addresses are not used twice. */
	process->mmap_next = address + size_bytes + PAGE_BYTES;
	return (int64_t)address;
}

int64_t syscall_munmap(struct process *process, const struct syscall_arguments *arguments)
{
	uint64_t size_bytes;
	if (!range_is_sound(arguments->a, arguments->b, &size_bytes)) {
		return -EINVAL;
	}
	process_unmap(process, arguments->a, size_bytes);
	return 0;
}

int64_t syscall_mprotect(struct process *process, const struct syscall_arguments *arguments)
{
	struct page_access access;
	uint64_t size_bytes;
	int64_t error = access_of_protection(arguments->c, &access);
	if (error != 0) {
		return error;
	}
	if (arguments->b == 0) {
		return 0;
	}
	if (!range_is_sound(arguments->a, arguments->b, &size_bytes)) {
		return -EINVAL;
	}
	if (process_protect(process, arguments->a, size_bytes, access) != STATUS_OK) {
		return -ENOMEM;
	}
	return 0;
}

/* Linux's brk returns the current end on failure; the C library compares. */
int64_t syscall_brk(struct process *process, const struct syscall_arguments *arguments)
{
	const struct page_access access = {.writable = true, .user = true};
	uint64_t mapped_end;
	uint64_t wanted_end;
	uint64_t wanted = arguments->a;
	if (wanted < process->brk_start || wanted - process->brk_start > REQUEST_BYTES_MAX ||
	    !addr_page_ceil(wanted, &wanted_end) ||
	    !addr_page_ceil(process->brk_end, &mapped_end)) {
		return (int64_t)process->brk_end;
	}
	if (wanted_end > mapped_end &&
	    process_map_zeroed(process, mapped_end, wanted_end - mapped_end, access) != STATUS_OK) {
		return (int64_t)process->brk_end;
	}
	if (wanted_end < mapped_end) {
		process_unmap(process, wanted_end, mapped_end - wanted_end);
	}
	process->brk_end = wanted;
	return (int64_t)wanted;
}
