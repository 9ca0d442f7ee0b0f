// SPDX-License-Identifier: MIT
/* A kernel that only looks at what stage2 gave it and says so on the serial port: boot tests wait
 * for its last line. Built like the real one, a static PIE with relative relocations. */
#include <stddef.h>
#include <stdint.h>

#include "arch/cpu.h"
#include "base/format.h"
#include "boot/boot_params.h"

#define CONSOLE      0x3f8
#define EXIT_PORT    0xf4
#define EXIT_ORDERLY 0x10
#define EXIT_FAILURE 0x11

NORETURN void test_kernel_main(const struct boot_params *params, uint64_t rsp_at_entry);

/* In RELRO: has to be relocated, and to be read-only. */
static const char *const words[] = {"relocated", "constants"};
/* In .data: has to be relocated, and to stay writable. */
static const char *variable = "variables";
static uint8_t zeroed[70000];

static void say(const char *text)
{
	for (; *text != '\0'; text++) {
		cpu_out8(CONSOLE, (uint8_t)*text);
	}
}

NORETURN static void leave(uint8_t value)
{
	cpu_out8(EXIT_PORT, value);
	cpu_stop();
}

NORETURN void __stack_chk_fail(void);
NORETURN void __stack_chk_fail(void)
{
	say("test kernel: stack\n");
	leave(EXIT_FAILURE);
}

static void check(bool ok, const char *what)
{
	if (!ok) {
		say("test kernel: FAILED: ");
		say(what);
		say("\n");
		leave(EXIT_FAILURE);
	}
}

static void say_range(const char *name, struct phys_range range)
{
	char line[160];
	(void)format_text(line, sizeof(line), "test kernel: %s 0x%llx + 0x%llx\n", name,
			  (unsigned long long)range.first.raw,
			  (unsigned long long)range.size_bytes);
	say(line);
}

static void say_params(const struct boot_params *params)
{
	char line[160];
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		say_range("memory", params->memory[i]);
	}
	for (uint32_t i = 0; i < params->module_count; i++) {
		say_range(params->modules[i].name, params->modules[i].bytes);
	}
	say_range("kernel_image", params->kernel_image);
	say_range("boot_tables", params->boot_tables);
	say_range("stage2_image", params->stage2_image);
	say_range("boot_data", params->boot_data);
	(void)format_text(line, sizeof(line), "test kernel: virtual 0x%llx slide 0x%llx\n",
			  (unsigned long long)params->kernel_virtual,
			  (unsigned long long)params->kernel_slide);
	say(line);
	(void)format_text(line, sizeof(line),
			  "test kernel: rsdp 0x%llx tsc %llu stage2 ticks %llu\n",
			  (unsigned long long)params->acpi_rsdp, (unsigned long long)cpu_tsc(),
			  (unsigned long long)(cpu_tsc() - params->entered_at_tsc));
	say(line);
	say("test kernel: cmdline ");
	say(params->cmdline);
	say("\n");
}

static uint64_t entry_of(uint64_t table, const struct boot_params *params, uint64_t virtual_address,
			 unsigned shift)
{
	const uint64_t *entries =
		(const uint64_t *)(uintptr_t)(params->direct_map_virtual + (table & ~0xfffull));
	return entries[(virtual_address >> shift) & 511];
}

/* The leaf's flags, walked by hand; 0 if not mapped. */
static uint64_t leaf_of(const struct boot_params *params, uint64_t virtual_address)
{
	uint64_t entry = cpu_cr3() | 1;
	for (unsigned shift = 39; shift >= 12; shift -= 9) {
		entry = entry_of(entry & 0x000ffffffffff000ull, params, virtual_address, shift);
		if ((entry & 1) == 0) {
			return 0;
		}
		if (shift != 12 && (entry & 0x80) != 0) {
			return entry;
		}
	}
	return entry;
}

#define WRITABLE 2ull
#define NX       (1ull << 63)

static void check_mappings(const struct boot_params *params, uint64_t rsp_at_entry)
{
	const uint64_t text = leaf_of(params, (uint64_t)(uintptr_t)test_kernel_main);
	const uint64_t constants = leaf_of(params, (uint64_t)(uintptr_t)words);
	const uint64_t data = leaf_of(params, (uint64_t)(uintptr_t)&variable);
	const uint64_t bss = leaf_of(params, (uint64_t)(uintptr_t)zeroed);
	const uint64_t direct = leaf_of(params, (uint64_t)(uintptr_t)params);
	const uint64_t stack = leaf_of(params, rsp_at_entry);
	check(text != 0 && (text & (WRITABLE | NX)) == 0, "text is RX");
	check(constants != 0 && (constants & (WRITABLE | NX)) == NX, "RELRO is R");
	check((data & (WRITABLE | NX)) == (WRITABLE | NX), "data is RW");
	check((bss & (WRITABLE | NX)) == (WRITABLE | NX), "bss is RW");
	check((direct & (WRITABLE | NX)) == (WRITABLE | NX), "direct map is RW");
	check((stack & (WRITABLE | NX)) == (WRITABLE | NX), "stack is RW");
	check(leaf_of(params, 0) == 0 && leaf_of(params, 0x100000) == 0, "lower half is empty");
	check(leaf_of(params, rsp_at_entry + 8) == 0, "nothing above the stack");
	check(leaf_of(params, rsp_at_entry + 8 - 0x10000 - 1) == 0, "guard below the stack");
	check(leaf_of(params, 0xffffffff80000000ull + (2ull << 30) - 4096) == 0, "top is empty");
}

static void check_cpu(void)
{
	check((cpu_cr0() & CR0_WP) != 0, "CR0.WP");
	check((cpu_msr_read(MSR_EFER) & EFER_NXE) != 0, "EFER.NXE");
	uint64_t flags;
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	check((flags & (RFLAGS_IF | RFLAGS_DF)) == 0, "interrupts off");
	uint64_t canary;
	__asm__ volatile("movq %%fs:0x28, %0" : "=r"(canary));
	check(canary != 0, "canary");
}

NORETURN void test_kernel_main(const struct boot_params *params, uint64_t rsp_at_entry)
{
	check((uint64_t)(uintptr_t)params > params->direct_map_virtual, "params in the direct map");
	check(boot_params_validate(params) == STATUS_OK, "params are sound");
	say_params(params);
	check(rsp_at_entry % 16 == 8, "stack alignment");
	check(*(const uint64_t *)(uintptr_t)rsp_at_entry == 0, "no return address");
	for (size_t i = 0; i < sizeof(zeroed); i++) {
		check(zeroed[i] == 0, "bss is zero");
	}
	check(words[0][0] == 'r' && words[1][0] == 'c' && variable[0] == 'v', "relocations");
	variable = words[1];
	check_cpu();
	check_mappings(params, rsp_at_entry);
	for (uint32_t i = 0; i < params->memory_range_count; i++) {
		volatile uint8_t *last =
			(volatile uint8_t *)(uintptr_t)(params->direct_map_virtual +
							params->memory[i].first.raw +
							params->memory[i].size_bytes - 1);
		*last = *last; /* Reachable, also above 4 GiB. */
	}
	say("test kernel: all checks passed\n");
	leave(EXIT_ORDERLY);
}
