// SPDX-License-Identifier: MIT
/* A process's pages. Pages are mapped one by one: every user mapping is a 4 KiB page of its own, so
 * that any of them can be given back. */
#include "arch/cpu.h"
#include "kernel/process.h"

static enum status map_one(struct process *process, uint64_t address, struct page_access access)
{
	struct kernel_memory *memory = process->environment.memory;
	struct phys_addr page;
	if (process->page_count >= PROCESS_PAGES_MAX) {
		return STATUS_NO_MEMORY;
	}
	enum status status = kernel_memory_take(memory, 1, &page);
	if (status != STATUS_OK) {
		return status;
	}
	status = page_table_map(&process->table, address, page, PAGE_BYTES, access, false);
	if (status != STATUS_OK) {
		kernel_memory_give(memory, page, 1);
		return status;
	}
	process->page_count++;
	return STATUS_OK;
}

enum status process_map_zeroed(struct process *process, uint64_t address, uint64_t size_bytes,
			       struct page_access access)
{
	for (uint64_t done = 0; done < size_bytes; done += PAGE_BYTES) {
		enum status status = map_one(process, address + done, access);
		if (status != STATUS_OK) {
			process_unmap(process, address, done);
			return status;
		}
	}
	return STATUS_OK;
}

void process_unmap(struct process *process, uint64_t address, uint64_t size_bytes)
{
	for (uint64_t done = 0; done < size_bytes; done += PAGE_BYTES) {
		struct page_mapping mapping;
		uint64_t at = address + done;
		if (page_table_lookup(&process->table, at, &mapping) != STATUS_OK ||
		    page_table_unmap(&process->table, at, PAGE_BYTES) != STATUS_OK) {
			continue;
		}
		cpu_tlb_flush_page(at);
		kernel_memory_give(process->environment.memory, mapping.at, 1);
		process->page_count--;
	}
}

enum status process_protect(struct process *process, uint64_t address, uint64_t size_bytes,
			    struct page_access access)
{
	enum status status = page_table_protect(&process->table, address, size_bytes, access);
	for (uint64_t done = 0; done < size_bytes; done += PAGE_BYTES) {
		cpu_tlb_flush_page(address + done);
	}
	return status;
}

void process_free_space(struct process *process)
{
	struct kernel_memory *memory = process->environment.memory;
	if (process->table.port == NULL) {
		return;
	}
	/* Stand on the kernel's own tables before the process's go away. */
	cpu_cr3_write(memory->table.root.raw);
	page_table_free_user(&process->table);
	kernel_memory_give(memory, process->table.root, 1);
	process->table = (struct page_table){0};
	process->page_count = 0;
}
