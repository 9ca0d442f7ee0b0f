// SPDX-License-Identifier: MIT
#include "user/tests/rt.h"

#define LINE_BYTES 160

static int failures;

/* The first thing that runs: the kernel leaves argc at (%rsp) and aligns the stack to 16. */
__asm__(".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov (%rsp), %edi\n"
	"	lea 8(%rsp), %rsi\n"
	"	call rt_start\n"
	"	ud2\n");

void rt_start(int argc, char **argv);

void rt_start(int argc, char **argv)
{
	rt_exit(test_main(argc, argv));
}

int64_t rt_call(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

int64_t rt_mmap(uint64_t address, uint64_t size_bytes, uint64_t protection, uint64_t flags)
{
	return rt_call(NR_MMAP, address, size_bytes, protection, flags, UINT64_MAX, 0);
}

bool rt_on_linux(void)
{
	static uint8_t name[6 * 65];

	return CALL1(NR_UNAME, name) == 0;
}

void rt_exit(int code)
{
	for (;;) {
		(void)CALL1(NR_EXIT_GROUP, code);
	}
}

bool rt_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

struct line {
	char text[LINE_BYTES];
	size_t size;
};

static void put(struct line *line, const char *text)
{
	while (*text != '\0' && line->size < LINE_BYTES - 1) {
		line->text[line->size++] = *text++;
	}
}

static void put_number(struct line *line, int64_t value)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest > 0);
	if (value < 0) {
		digits[--at] = '-';
	}
	put(line, digits + at);
}

static void send(struct line *line)
{
	line->text[line->size++] = '\n';
	(void)CALL3(NR_WRITE, 2, line->text, line->size);
}

void rt_line(const char *text)
{
	struct line line = {.size = 0};

	put(&line, text);
	send(&line);
}

void rt_check(const char *name, bool good)
{
	struct line line = {.size = 0};

	put(&line, good ? "PASS " : "FAIL ");
	put(&line, name);
	send(&line);
	failures += good ? 0 : 1;
}

void rt_expect(const char *name, int64_t actual, int64_t expected)
{
	struct line line = {.size = 0};

	if (actual == expected) {
		rt_check(name, true);
		return;
	}
	put(&line, "FAIL ");
	put(&line, name);
	put(&line, ": got ");
	put_number(&line, actual);
	put(&line, ", expected ");
	put_number(&line, expected);
	send(&line);
	failures++;
}

int rt_failures(void)
{
	return failures;
}

/* The compiler may ask for these whatever the flags are. */
void *memset(void *to, int value, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t size);

void *memset(void *to, int value, size_t size)
{
	volatile uint8_t *at = to;

	for (size_t i = 0; i < size; i++) {
		at[i] = (uint8_t)value;
	}
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	volatile uint8_t *at = to;
	const uint8_t *source = from;

	for (size_t i = 0; i < size; i++) {
		at[i] = source[i];
	}
	return to;
}
