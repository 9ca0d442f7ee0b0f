// SPDX-License-Identifier: MIT
/* A device of memory with a queue, as cheap as the port allows: a request is one copy. */
#pragma once

#include "block/block_device.h"

struct memory_disk {
	struct block_device device;
	uint8_t *media; /* Sparse. */
	struct block_request *first;
	struct block_request *last;
};

void memory_disk_init(struct memory_disk *disk, uint64_t blocks);
void memory_disk_fini(struct memory_disk *disk);
