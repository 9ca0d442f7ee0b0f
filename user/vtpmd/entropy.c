// SPDX-License-Identifier: MIT
/* OpenSSL 3 calls RAND_METHOD deprecated in favour of a provider; the method is the shorter way to
 * the same end and present in all of 3.x. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "user/vtpmd/entropy.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "user/vtpmd/log.h"
#include "vtpm/service_exit.h"

/* Linux never splits a request of at most 256 bytes (getrandom(2)). */
#define GETRANDOM_BYTES_MAX 256

static bool fill(unsigned char *out, size_t size)
{
	while (size > 0) {
		size_t part = size < GETRANDOM_BYTES_MAX ? size : GETRANDOM_BYTES_MAX;
		ssize_t got = getrandom(out, part, 0);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return false;
		}
		out += got;
		size -= (size_t)got;
	}
	return true;
}

/* _exit, not exit: no handler may run that could still answer or store something. */
static NORETURN void end_without_entropy(void)
{
	log_line("entropy failed: errno %d; ending rather than guessing", errno);
	_exit(SERVICE_EXIT_NO_ENTROPY);
}

static int method_bytes(unsigned char *out, int size)
{
	if (size < 0 || !fill(out, (size_t)size)) {
		end_without_entropy();
	}
	return 1;
}

/* What callers stir in is not needed, and not trusted. */
static int method_add(const void *bytes, int size, double estimate)
{
	(void)bytes;
	(void)size;
	(void)estimate;
	return 1;
}

static int method_seed(const void *bytes, int size)
{
	return method_add(bytes, size, 0);
}

static int method_status(void)
{
	return 1;
}

static const RAND_METHOD method = {
	.seed = method_seed,
	.bytes = method_bytes,
	.add = method_add,
	.pseudorand = method_bytes,
	.status = method_status,
};

/* The linker's names for --wrap=RAND_bytes. */
int __real_RAND_bytes(unsigned char *out, int size);
int __wrap_RAND_bytes(unsigned char *out, int size);

int __wrap_RAND_bytes(unsigned char *out, int size)
{
	if (__real_RAND_bytes(out, size) != 1) {
		end_without_entropy();
	}
	return 1;
}

bool entropy_install(void)
{
	unsigned char first[32] = {0};
	unsigned char second[32] = {0};

	if (!fill(second, sizeof(second))) {
		return false;
	}
	if (RAND_set_rand_method(&method) != 1) {
		return false;
	}
	/* Once through the whole path that libtpms will use. Not a health test (the kernel's
	 * generator has those): it catches a getrandom(2) that reports success and writes nothing,
	 * or always the same. */
	return RAND_status() == 1 && RAND_bytes(first, (int)sizeof(first)) == 1 &&
	       memcmp(first, second, sizeof(first)) != 0;
}
