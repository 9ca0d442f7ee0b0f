// SPDX-License-Identifier: MIT
/* Memory for megabytes that are used all over: an arena, a device of memory. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* At least so many bytes, at a multiple of a huge page, in huge pages where the host has some to
 * give: a table that is looked up at random otherwise costs a walk of the host's page tables each
 * time. The caller ends its life with free(). NULL: no memory. */
uint8_t *large_memory(size_t size_bytes);

/* Asks the same for memory that the caller has already mapped, and not touched yet. */
void large_memory_advise(void *memory, size_t size_bytes);
