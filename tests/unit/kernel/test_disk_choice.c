// SPDX-License-Identifier: MIT
/* One disk carries the volume, or none is taken: item 15 of docs/virtio-threats.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/compiler.h"
#include "kernel/disk_choice.h"

#define DISKS_MAX 4u

/* A letter is a disk: a and b volumes of that UUID, n no volume, t a tampered one. */
static const struct {
	const char *disks;
	char wish; /* 0: none. */
	enum status status;
	size_t chosen;
} rows[] = {
	{"", 0, STATUS_NO_DEVICE, 0},
	{"a", 0, STATUS_OK, 0},
	{"na", 0, STATUS_OK, 1},
	{"ant", 0, STATUS_OK, 0},
	{"n", 0, STATUS_NOT_A_VOLUME, 0},
	{"tn", 0, STATUS_AUTH_META, 0},
	{"aa", 0, STATUS_DUPLICATE_VOLUME, 0},
	{"ana", 0, STATUS_DUPLICATE_VOLUME, 0},
	{"ab", 0, STATUS_BAD_CONFIG, 0},
	{"aba", 0, STATUS_DUPLICATE_VOLUME, 0},
	{"abb", 0, STATUS_DUPLICATE_VOLUME, 0},
	{"ab", 'a', STATUS_OK, 0},
	{"ab", 'b', STATUS_OK, 1},
	{"abb", 'a', STATUS_OK, 0},
	{"abb", 'b', STATUS_DUPLICATE_VOLUME, 0},
	{"baba", 'a', STATUS_DUPLICATE_VOLUME, 0},
	{"a", 'b', STATUS_NO_DEVICE, 0},
	{"at", 'b', STATUS_AUTH_META, 0},
	{"", 'a', STATUS_NO_DEVICE, 0},
};

static struct disk_candidate candidate(char letter)
{
	struct disk_candidate made = {.status = STATUS_OK};
	if (letter == 'n') {
		made.status = STATUS_NOT_A_VOLUME;
	} else if (letter == 't') {
		made.status = STATUS_AUTH_META;
	}
	/* Equal but for the last byte. */
	memset(made.uuid, 0x11, sizeof(made.uuid));
	made.uuid[DISK_UUID_BYTES - 1] = (uint8_t)letter;
	return made;
}

static void test_disk_choose_takes_the_only_one_or_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
		struct disk_candidate candidates[DISKS_MAX];
		const size_t count = strlen(rows[i].disks);
		struct disk_wish wish = {.has_uuid = rows[i].wish != 0};
		size_t chosen = 99;
		for (size_t j = 0; j < count; j++) {
			candidates[j] = candidate(rows[i].disks[j]);
		}
		memcpy(wish.uuid, candidate(rows[i].wish).uuid, sizeof(wish.uuid));
		assert_int_equal(disk_choose(candidates, count, &wish, &chosen), rows[i].status);
		assert_int_equal(chosen, rows[i].status == STATUS_OK ? rows[i].chosen : 99);
	}
}

/* A disk that could not be read has no UUID, whatever its bytes are. */
static void test_disk_choose_ignores_the_uuid_of_a_failure(void **state)
{
	(void)state;
	struct disk_candidate candidates[2] = {candidate('a'), candidate('a')};
	const struct disk_wish wish = {.has_uuid = false};
	size_t chosen;
	candidates[0].status = STATUS_IO;
	assert_int_equal(disk_choose(candidates, 2, &wish, &chosen), STATUS_OK);
	assert_int_equal(chosen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disk_choose_takes_the_only_one_or_none),
		cmocka_unit_test(test_disk_choose_ignores_the_uuid_of_a_failure),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
