// SPDX-License-Identifier: MIT
/* boot_params: one good block, and one way to break each thing in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "boot/boot_params.h"

#define MIB 0x100000ull

static struct boot_params params;

static int setup(void **state)
{
	(void)state;
	params = (struct boot_params){
		.magic = BOOT_PARAMS_MAGIC,
		.version = BOOT_PARAMS_VERSION,
		.size_bytes = sizeof(params),
		.memory_range_count = 2,
		.module_count = 2,
		.memory = {{{MIB}, 63 * MIB}, {{4096 * MIB}, MIB}},
		.modules = {{.name = "vtpmd", .bytes = {{32 * MIB}, 5000}},
			    {.name = "init", .bytes = {{32 * MIB + 8192}, 4096}}},
		.kernel_image = {{2 * MIB}, MIB},
		.boot_tables = {{3 * MIB}, MIB},
		.stage2_image = {{MIB}, MIB},
		.boot_data = {{4 * MIB}, MIB},
		.kernel_virtual = 0xffffffff80000000ull,
		.direct_map_virtual = 0xffff888000000000ull,
		.cmdline = "holdfast.log=debug",
	};
	return boot_params_validate(&params) == STATUS_OK ? 0 : -1;
}

static void expect_refused(void)
{
	assert_int_equal(boot_params_validate(&params), STATUS_BAD_CONFIG);
	assert_int_equal(setup(NULL), 0);
}

static void test_boot_params_head(void **state)
{
	(void)state;
	params.magic++;
	expect_refused();
	params.version++;
	expect_refused();
	params.size_bytes--;
	expect_refused();
	params.memory_range_count = 0;
	expect_refused();
	params.memory_range_count = BOOT_MEMORY_RANGES_MAX + 1;
	expect_refused();
	params.kernel_virtual++;
	expect_refused();
	params.direct_map_virtual++;
	expect_refused();
}

static void test_boot_params_memory(void **state)
{
	(void)state;
	params.memory[0].size_bytes++;
	expect_refused();
	params.memory[1].size_bytes = 0;
	expect_refused();
	params.memory[1].first.raw = 63 * MIB; /* Overlaps the one before. */
	expect_refused();
	params.memory[1].first.raw = UINT64_MAX - PAGE_OFFSET;
	expect_refused();
	params.memory[1].size_bytes = (uint64_t)1 << 52;
	expect_refused();
}

static void test_boot_params_used_ranges(void **state)
{
	(void)state;
	params.kernel_image.first.raw++;
	expect_refused();
	params.kernel_image.size_bytes++;
	expect_refused();
	params.kernel_image.size_bytes += 4096; /* Runs into the tables. */
	expect_refused();
	params.boot_tables.first.raw = 0; /* Not RAM. */
	expect_refused();
	params.stage2_image.size_bytes = 0;
	expect_refused();
	params.boot_data.first.raw = 64 * MIB - 4096; /* Half of it is not RAM. */
	expect_refused();
}

static void test_boot_params_modules(void **state)
{
	(void)state;
	memset(params.modules[0].name, 'a', sizeof(params.modules[0].name));
	expect_refused();
	params.modules[1].name[0] = '\0';
	expect_refused();
	params.modules[1].bytes.first.raw++;
	expect_refused();
	params.modules[1].bytes.size_bytes = 0;
	expect_refused();
	params.modules[1].bytes.size_bytes = UINT64_MAX;
	expect_refused();
	params.modules[1].bytes.first.raw = 32 * MIB + 4096; /* The first one's last page. */
	expect_refused();
	params.modules[1].bytes.first.raw = 2 * MIB; /* The kernel. */
	expect_refused();
	for (uint32_t i = 0; i < BOOT_MODULES_MAX; i++) { /* All are sound. */
		params.modules[i] = (struct boot_module){
			.name = "module",
			.bytes = {{(32 + i) * MIB}, 4096},
		};
	}
	params.module_count = BOOT_MODULES_MAX;
	assert_int_equal(boot_params_validate(&params), STATUS_OK);
	params.module_count = BOOT_MODULES_MAX + 1;
	expect_refused();
	params.module_count = 0;
	assert_int_equal(boot_params_validate(&params), STATUS_OK);
}

static void test_boot_params_cmdline(void **state)
{
	(void)state;
	memset(params.cmdline, 'a', sizeof(params.cmdline));
	expect_refused();
	params.cmdline[3] = '\n';
	expect_refused();
	params.cmdline[3] = (char)0x80;
	expect_refused();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_boot_params_head, setup),
		cmocka_unit_test_setup(test_boot_params_memory, setup),
		cmocka_unit_test_setup(test_boot_params_used_ranges, setup),
		cmocka_unit_test_setup(test_boot_params_modules, setup),
		cmocka_unit_test_setup(test_boot_params_cmdline, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
