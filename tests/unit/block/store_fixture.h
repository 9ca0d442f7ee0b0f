// SPDX-License-Identifier: MIT
/* A store on a fake volume, and one-change transactions that have to succeed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "block/store.h"
#include "fake_volume.h"

#define KIB 1024u

struct fixture {
	struct volume *volume;
	struct store store;
	uint8_t bytes[320 * KIB];
	uint8_t out[320 * KIB];
};

/* cmocka's fixture functions; the state is a struct fixture. */
int store_fixture_setup(void **state);
int store_fixture_teardown(void **state);
void commit_write(struct fixture *f, const char *name, uint64_t offset, const uint8_t *bytes,
		  size_t size);
void commit_resize(struct fixture *f, const char *name, uint64_t size);
void commit_remove(struct fixture *f, const char *name);
struct store_object_info stat_of(struct fixture *f, const char *name);
/* A second store on the same volume sees what is committed, not what the first one remembers. */
void reopen(struct fixture *f);
enum status store_fixture_count(void *context, const struct store_object_info *info);

#define STORE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, store_fixture_setup, store_fixture_teardown)
