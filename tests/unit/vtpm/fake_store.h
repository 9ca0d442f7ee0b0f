// SPDX-License-Identifier: MIT
/* Stands in for block/store at link time: objects in memory, a transaction that is really atomic,
 * and a call that can be made to fail. It is as strict as block/store.h allows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "block/store.h"

struct fake_store_counts {
	uint64_t calls; /* Every store_* call, for fail_at. */
	uint64_t commits;
	uint64_t aborts;
	uint64_t bytes_written; /* By store_txn_write, in transactions that were committed. */
	uint64_t writes;        /* store_txn_write calls, likewise. */
};

void fake_store_reset(void);
struct fake_store_counts fake_store_counts(void);

/* The n-th call from now (1 = the next one) fails with `status`; 0: none does. */
void fake_store_fail_at(uint64_t n, enum status status);

/* Look at, or put, the committed content directly. NULL: there is no such object. */
const uint8_t *fake_store_content(const char *name, uint64_t *size_bytes);
void fake_store_put(const char *name, const uint8_t *bytes, uint64_t size_bytes);
