// SPDX-License-Identifier: MIT
/* The kernel's view of the archives, as a program: a static PIE without libc, linked from the
 * kernel's build of crypto/, the archives, the kernel's libc_fence.c and arch/string.c, and nothing
 * else. That it links proves the fence complete; that it runs proves that the archives work with so
 * little: a canary at %fs:0x28, a fixed arena, no thread-local storage, no constructor. Linux
 * starts it, but could as well be stage2. Exit status: 0, or the number of the failed step. */
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/check.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "kernel/libc_fence.h"

#define SYSCALL_EXIT       60
#define SYSCALL_ARCH_PRCTL 158
#define ARCH_SET_FS        0x1002

#define CHECK_STATUS       101
#define CANARY_STATUS      102

static int64_t system_call(int64_t number, int64_t first, int64_t second)
{
	int64_t result = 0;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(first), "S"(second)
			 : "rcx", "r11", "memory");
	return result;
}

NORETURN static void leave(int status)
{
	for (;;) {
		(void)system_call(SYSCALL_EXIT, status, 0);
	}
}

NORETURN void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
	leave(CANARY_STATUS);
}

void check_failed(const char *expression, const char *file, int line)
{
	(void)expression;
	(void)file;
	(void)line;
	leave(CHECK_STATUS);
}

/* The steps. Each returns true when all is well. */

static bool read_word(void *context, uint64_t *word)
{
	uint64_t *sequence = context;
	*sequence = *sequence * 6364136223846793005u + 1442695040888963407u;
	*word = *sequence;
	return true;
}

static bool aead_step(void)
{
	/* Every x86-64 host of the last ten years has these. */
	const struct aead_platform platform = {.has_aes_pclmul_sse41 = true};
	const uint8_t raw[AEAD_KEY_BYTES] = {1};
	uint8_t text[100] = {2};
	uint8_t tag[AEAD_TAG_BYTES];
	struct aead aead;
	struct aead_key key;
	if (aead_select(&aead, &platform, NULL, 0) != STATUS_OK) {
		return false;
	}
	aead_key_expand(&aead, &key, raw);
	if (aead_seal(&key, raw, raw, 5, text, text, sizeof(text), tag) != STATUS_OK ||
	    aead_open(&key, raw, raw, 5, text, text, sizeof(text), tag) != STATUS_OK ||
	    text[0] != 2 || !bytes_are_zero(text + 1, sizeof(text) - 1)) {
		return false;
	}
	tag[0] ^= 1u;
	const bool refused =
		aead_open(&key, raw, raw, 5, text, text, sizeof(text), tag) == STATUS_AUTH_FAILED;
	aead_key_erase(&key);
	return refused;
}

static bool hash_step(void)
{
	/* The first bytes of SHA-256("abc") and SHA-512("abc"). */
	const struct hash_input input = {.bytes = (const uint8_t *)"abc", .size_bytes = 3};
	uint8_t out[SHA512_BYTES];
	if (hash_sha256(&input, 1, out) != STATUS_OK || out[0] != 0xba || out[1] != 0x78) {
		return false;
	}
	return hash_sha512(&input, 1, out) == STATUS_OK && out[0] == 0xdd && out[1] == 0xaf;
}

/* Every slot can be had, and nothing more. */
static bool heap_is_empty(void)
{
	void *slots[FENCE_HEAP_SLOTS];
	for (size_t i = 0; i < FENCE_HEAP_SLOTS; i++) {
		slots[i] = calloc(1, FENCE_HEAP_SLOT_BYTES);
		if (slots[i] == NULL) {
			return false;
		}
	}
	bool full = calloc(1, 1) == NULL;
	for (size_t i = 0; i < FENCE_HEAP_SLOTS; i++) {
		free(slots[i]);
	}
	return full && calloc(1, FENCE_HEAP_SLOT_BYTES + 1) == NULL;
}

/* Also the moment of the highest heap use: a living generator, and each allocating call. */
static bool random_and_kdf_step(void)
{
	uint64_t sequence = 1;
	const struct entropy_port port = {.read_word = read_word, .context = &sequence};
	struct random random;
	struct hmac_key key;
	uint8_t out[SHA512_BYTES] = {0};
	const struct hash_input input = {.bytes = out, .size_bytes = sizeof(out)};
	if (random_init(&random, &port, out, 0) != STATUS_OK ||
	    random_fill(&random, out, sizeof(out)) != STATUS_OK ||
	    hash_hmac_sha256(out, 32, &input, 1, out) != STATUS_OK ||
	    hmac_key_expand(&key, out, 32) != STATUS_OK ||
	    hmac_compute(&key, &input, 1, out) != STATUS_OK ||
	    hkdf_extract(NULL, 0, out, 32, out) != STATUS_OK ||
	    hkdf_expand(out, out, 1, out, sizeof(out)) != STATUS_OK) {
		return false;
	}
	/* PBKDF2-HMAC-SHA512("password", "salt", 1) starts 86 7f. */
	if (pbkdf2_sha512((const uint8_t *)"password", 8, (const uint8_t *)"salt", 4, 1, out,
			  sizeof(out)) != STATUS_OK ||
	    out[0] != 0x86 || out[1] != 0x7f) {
		return false;
	}
	random_erase(&random);
	return heap_is_empty();
}

/* Stage2's work: apply the relative relocations, set %fs. Elf64_Rela and Elf64_Dyn by hand. */
struct relocation {
	uint64_t offset;
	uint64_t info;
	int64_t addend;
};
struct dynamic_entry {
	uint64_t tag;
	uint64_t value;
};
#define DT_RELA           7u
#define DT_RELASZ         8u
#define R_X86_64_RELATIVE 8u

extern const uint8_t __ehdr_start[] __attribute__((visibility("hidden")));
extern const struct dynamic_entry _DYNAMIC[] __attribute__((visibility("hidden")));

__attribute__((no_stack_protector)) static bool relocate(void)
{
	const uint64_t base = (uint64_t)(uintptr_t)__ehdr_start;
	const struct relocation *table = NULL;
	uint64_t table_bytes = 0;
	for (const struct dynamic_entry *entry = _DYNAMIC; entry->tag != 0; entry++) {
		if (entry->tag == DT_RELA) {
			table = (const struct relocation *)(uintptr_t)(base + entry->value);
		} else if (entry->tag == DT_RELASZ) {
			table_bytes = entry->value;
		}
	}
	for (uint64_t i = 0; i < table_bytes / sizeof(*table); i++) {
		if ((table[i].info & 0xffffffffu) != R_X86_64_RELATIVE) {
			return false;
		}
		uint64_t *place = (uint64_t *)(uintptr_t)(base + table[i].offset);
		*place = base + (uint64_t)table[i].addend;
	}
	return true;
}

/* %fs:0x28 is the canary; nothing else is read through %fs. */
static uint64_t per_cpu_block[6] = {0, 0, 0, 0, 0, 0x5bd1e995a7c3f100u};

__attribute__((no_stack_protector)) NORETURN void freestanding_main(void);
void freestanding_main(void)
{
	if (!relocate()) {
		leave(1);
	}
	(void)system_call(SYSCALL_ARCH_PRCTL, ARCH_SET_FS, (int64_t)(uintptr_t)per_cpu_block);
	if (!hash_step()) {
		leave(2);
	}
	if (!aead_step()) {
		leave(3);
	}
	if (!random_and_kdf_step()) {
		leave(4);
	}
	leave(0);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	xorl %ebp, %ebp\n"
	"	andq $-16, %rsp\n"
	"	call freestanding_main\n");
