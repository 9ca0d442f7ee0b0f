// SPDX-License-Identifier: MIT
/* Physical memory for page-table tests: pages at unlikely addresses, each handed out once, zeroed,
 * and refused on demand. A page that is given back twice, or was never taken, fails the test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/page_table.h"
#include "mm/user_copy.h"

#define FAKE_PAGES 256u
/* Not zero and not near the host's own addresses: mixing an index, a pointer and an address up
 * fails at once. */
#define FAKE_BASE 0x0000007654000000ull

struct fake_memory {
	_Alignas(4096) uint8_t bytes[FAKE_PAGES][4096];
	bool taken[FAKE_PAGES];
	size_t taken_count;
	size_t takes_left; /* The take after these fails. */
	struct page_table_port port;
	struct direct_map_port direct_map;
};

void fake_memory_init(struct fake_memory *memory);

/* Never fails: for leaves. */
struct phys_addr fake_memory_page(struct fake_memory *memory);

uint8_t *fake_memory_bytes(struct fake_memory *memory, struct phys_addr at);
