// SPDX-License-Identifier: MIT
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct fixture fixture;

int store_fixture_setup(void **state)
{
	fixture.volume = fake_volume_new(FAKE_SLICES, FAKE_SLICE_BLOCKS);
	for (size_t i = 0; i < sizeof(fixture.bytes); i++) {
		fixture.bytes[i] = (uint8_t)(i / BLOCK_BYTES + i * 7 + 1);
	}
	*state = &fixture;
	return store_open(&fixture.store, fixture.volume) == STATUS_OK ? 0 : -1;
}

int store_fixture_teardown(void **state)
{
	struct fixture *f = *state;
	store_close(&f->store);
	assert_false(fake_volume_in_transaction(f->volume));
	fake_volume_free(f->volume);
	return 0;
}

void commit_write(struct fixture *f, const char *name, uint64_t offset, const uint8_t *bytes,
		  size_t size)
{
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_write(&f->store, name, offset, bytes, size), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

void commit_resize(struct fixture *f, const char *name, uint64_t size)
{
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_resize(&f->store, name, size), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

void commit_remove(struct fixture *f, const char *name)
{
	assert_int_equal(store_txn_begin(&f->store), STATUS_OK);
	assert_int_equal(store_txn_remove(&f->store, name), STATUS_OK);
	assert_int_equal(store_txn_commit(&f->store), STATUS_OK);
}

struct store_object_info stat_of(struct fixture *f, const char *name)
{
	struct store_object_info info;
	assert_int_equal(store_stat(&f->store, name, &info), STATUS_OK);
	assert_string_equal(info.name, name);
	return info;
}

void reopen(struct fixture *f)
{
	store_close(&f->store);
	assert_int_equal(store_open(&f->store, f->volume), STATUS_OK);
}

enum status store_fixture_count(void *context, const struct store_object_info *info)
{
	(void)info;
	(*(uint32_t *)context)++;
	return STATUS_OK;
}
