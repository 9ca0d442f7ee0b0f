// SPDX-License-Identifier: MIT
/* Addresses of the bridge: what parses, and who may listen where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/unit/tools/temporary.h"
#include "tools/bridge/address.h"

static void test_address_parses_two_forms(void **state)
{
	(void)state;
	struct address address;
	assert_int_equal(address_parse("unix:/run/x", &address), STATUS_OK);
	assert_false(address.is_tcp);
	assert_string_equal(address.path, "/run/x");
	assert_int_equal(address_parse("tcp:65535", &address), STATUS_OK);
	assert_true(address.is_tcp);
	assert_int_equal(address.port, 65535);
	const char *const bad[] = {"",          "unix:",  "tcp:",     "tcp:0",
				   "tcp:65536", "tcp:-1", "tcp:1x",   "tcp: 1",
				   "/run/x",    "udp:1",  "tcp:0x10", "tcp:99999999999999999999"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_int_equal(address_parse(bad[i], &address), STATUS_INVALID);
	}
	char path[5 + ADDRESS_PATH_BYTES + 1] = "unix:";
	memset(path + 5, 'x', ADDRESS_PATH_BYTES);
	assert_int_equal(address_parse(path, &address), STATUS_INVALID);
	path[5 + ADDRESS_PATH_BYTES - 1] = '\0';
	assert_int_equal(address_parse(path, &address), STATUS_OK);
}

static void test_address_second(void **state)
{
	(void)state;
	struct address first;
	struct address second;
	assert_int_equal(address_parse("tcp:1000", &first), STATUS_OK);
	assert_int_equal(address_second(&first, ".ctrl", &second), STATUS_OK);
	assert_int_equal(second.port, 1001);
	assert_int_equal(address_parse("tcp:65535", &first), STATUS_OK);
	assert_int_equal(address_second(&first, ".ctrl", &second), STATUS_INVALID);
	assert_int_equal(address_parse("unix:a", &first), STATUS_OK);
	assert_int_equal(address_second(&first, ".ctrl", &second), STATUS_OK);
	assert_string_equal(second.path, "a.ctrl");
	memset(first.path, 'x', ADDRESS_PATH_BYTES - 5);
	assert_int_equal(address_second(&first, ".ctrl", &second), STATUS_INVALID);
}

/* A socket that its owner left behind is replaced, one that is listened to is not. */
static void test_address_listens_once(void **state)
{
	(void)state;
	char path[TEMPORARY_PATH_BYTES];
	char text[TEMPORARY_PATH_BYTES + 5];
	struct address address;
	struct stat info;
	int first;
	int second;
	temporary_begin();
	temporary_path("s", path);
	(void)snprintf(text, sizeof(text), "unix:%s", path);
	assert_int_equal(address_parse(text, &address), STATUS_OK);
	assert_int_equal(address_connect_unix(address.path, &second), STATUS_NO_DEVICE);
	assert_int_equal(address_listen(&address, &first), STATUS_OK);
	assert_int_equal(stat(address.path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(address_listen(&address, &second), STATUS_BUSY);
	assert_int_equal(address_connect_unix(address.path, &second), STATUS_OK);
	(void)close(second);
	(void)close(first);
	assert_int_equal(address_listen(&address, &first), STATUS_OK);
	(void)close(first);
	address_unlink(&address);
	assert_int_not_equal(stat(address.path, &info), 0);
	temporary_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_parses_two_forms),
		cmocka_unit_test(test_address_second),
		cmocka_unit_test(test_address_listens_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
