// SPDX-License-Identifier: MIT
/* What Debian's archives (mbedtls, libipsec-mb) expect of a C library, fenced into one file.
 *
 * The heap serves mbedtls alone: message-digest contexts of a few hundred bytes that live for one
 * call. It is a fixed arena of equal slots; running out is a NULL, which mbedtls reports. The
 * self-test and file functions that the archives mention are never called; they fail if they are.
 */
#include "kernel/libc_fence.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"

/* A listed exception to "no globals": calloc() has no argument that could carry it. */
static struct {
	_Alignas(16) uint8_t bytes[FENCE_HEAP_SLOTS][FENCE_HEAP_SLOT_BYTES];
	bool used[FENCE_HEAP_SLOTS];
} the_heap;

int pthread_mutex_init(void *mutex, const void *attributes);
int pthread_mutex_destroy(void *mutex);
int pthread_mutex_lock(void *mutex);
int pthread_mutex_unlock(void *mutex);
NORETURN void forbidden_call(void);
void *__memcpy_chk(void *to, const void *from, size_t size, size_t room);
void *__memset_chk(void *to, int value, size_t size, size_t room);

void *calloc(size_t count, size_t size)
{
	if (count == 0 || size == 0 || size > FENCE_HEAP_SLOT_BYTES / count) {
		return NULL;
	}
	for (size_t i = 0; i < FENCE_HEAP_SLOTS; i++) {
		if (!the_heap.used[i]) {
			the_heap.used[i] = true;
			memset(the_heap.bytes[i], 0, FENCE_HEAP_SLOT_BYTES);
			return the_heap.bytes[i];
		}
	}
	return NULL;
}

void free(void *memory)
{
	if (memory == NULL) {
		return;
	}
	size_t offset = (size_t)((uint8_t *)memory - the_heap.bytes[0]);
	CHECK(offset < sizeof(the_heap.bytes) && offset % FENCE_HEAP_SLOT_BYTES == 0);
	CHECK(the_heap.used[offset / FENCE_HEAP_SLOT_BYTES]);
	memset(memory, 0, FENCE_HEAP_SLOT_BYTES);
	the_heap.used[offset / FENCE_HEAP_SLOT_BYTES] = false;
}

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room)
{
	CHECK(size <= room);
	return memcpy(to, from, size);
}

void *__memset_chk(void *to, int value, size_t size, size_t room)
{
	CHECK(size <= room);
	return memset(to, value, size);
}

/* One CPU runs the archives' code, and a call never nests. */
int pthread_mutex_init(void *mutex, const void *attributes)
{
	(void)mutex;
	(void)attributes;
	return 0;
}

int pthread_mutex_destroy(void *mutex)
{
	(void)mutex;
	return 0;
}

int pthread_mutex_lock(void *mutex)
{
	(void)mutex;
	return 0;
}

int pthread_mutex_unlock(void *mutex)
{
	(void)mutex;
	return 0;
}

/* Named only by self-tests, file helpers and parsers of the archives, which nobody calls. Labels in
 * assembly, since compilers insist on the prototypes of such names. */
void forbidden_call(void)
{
	check_failed("a library function without a place here", __FILE__, __LINE__);
}

#define FORBIDDEN(name) \
	__asm__(".globl " #name "\n.hidden " #name "\n" #name ":\n\tjmp forbidden_call\n")
FORBIDDEN(__printf_chk);
FORBIDDEN(__snprintf_chk);
FORBIDDEN(putchar);
FORBIDDEN(puts);
FORBIDDEN(fopen);
FORBIDDEN(fclose);
FORBIDDEN(fread);
FORBIDDEN(fwrite);
FORBIDDEN(fgets);
FORBIDDEN(ferror);
FORBIDDEN(gmtime_r);
FORBIDDEN(strerror);
FORBIDDEN(__udivti3);
