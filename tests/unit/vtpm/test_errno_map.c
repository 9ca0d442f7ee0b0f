// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "vtpm/errno_map.h"

static void test_total_and_exclusive(void **state)
{
	(void)state;
	for (int value = 0; value > -STATUS_COUNT - 3; value--) {
		int error = errno_of_status((enum status)value);

		if (value == STATUS_OK) {
			assert_int_equal(error, 0);
		} else {
			assert_in_range(error, 1, 4095);
		}
		/* The one mapping upon which a new TPM is made. */
		assert_int_equal(error == LINUX_ENOENT, value == STATUS_NOT_FOUND);
	}
}

static void test_what_vtpmd_tells_apart(void **state)
{
	(void)state;
	assert_int_equal(errno_of_status(STATUS_AUTH_DATA), EBADMSG);
	assert_int_equal(errno_of_status(STATUS_AUTH_META), EBADMSG);
	assert_int_equal(errno_of_status(STATUS_TAMPER), EBADMSG);
	assert_int_equal(errno_of_status(STATUS_ROLLBACK), EBADMSG);
	assert_int_equal(errno_of_status(STATUS_IO), EIO);
	assert_int_equal(errno_of_status(STATUS_READ_ONLY), EROFS);
	assert_int_equal(errno_of_status(STATUS_NO_SPACE), ENOSPC);
	assert_int_equal(errno_of_status(STATUS_BAD_USER), EFAULT);
	assert_int_equal(errno_of_status(STATUS_INVALID), EINVAL);
	assert_int_equal(errno_of_status(STATUS_TOO_LARGE), EFBIG);
}

#ifdef __linux__
static void test_numbers_are_linux(void **state)
{
	static const int pairs[][2] = {
		{LINUX_EPERM, EPERM},           {LINUX_ENOENT, ENOENT},
		{LINUX_EINTR, EINTR},           {LINUX_EIO, EIO},
		{LINUX_EBADF, EBADF},           {LINUX_EAGAIN, EAGAIN},
		{LINUX_ENOMEM, ENOMEM},         {LINUX_EACCES, EACCES},
		{LINUX_EFAULT, EFAULT},         {LINUX_EBUSY, EBUSY},
		{LINUX_EEXIST, EEXIST},         {LINUX_ENODEV, ENODEV},
		{LINUX_EINVAL, EINVAL},         {LINUX_EMFILE, EMFILE},
		{LINUX_EFBIG, EFBIG},           {LINUX_ENOSPC, ENOSPC},
		{LINUX_EROFS, EROFS},           {LINUX_ENOSYS, ENOSYS},
		{LINUX_EBADMSG, EBADMSG},       {LINUX_EOVERFLOW, EOVERFLOW},
		{LINUX_EOPNOTSUPP, EOPNOTSUPP}, {LINUX_ETIMEDOUT, ETIMEDOUT},
		{LINUX_ENOKEY, ENOKEY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
		assert_int_equal(pairs[i][0], pairs[i][1]);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_total_and_exclusive),
		cmocka_unit_test(test_what_vtpmd_tells_apart),
#ifdef __linux__
		cmocka_unit_test(test_numbers_are_linux),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
