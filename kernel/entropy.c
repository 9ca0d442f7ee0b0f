// SPDX-License-Identifier: MIT
#include "kernel/entropy.h"

#include "arch/cpu.h"

/* AMD and Intel recommend ten tries for RDRAND; RDSEED may run dry for longer. */
#define RDRAND_TRIES 10u
#define RDSEED_TRIES 1000u

static bool read_rdrand(void *context, uint64_t *word)
{
	(void)context;
	for (unsigned i = 0; i < RDRAND_TRIES; i++) {
		if (cpu_rdrand(word)) {
			return true;
		}
	}
	return false;
}

static bool read_rdseed(void *context, uint64_t *word)
{
	(void)context;
	for (unsigned i = 0; i < RDSEED_TRIES; i++) {
		if (cpu_rdseed(word)) {
			return true;
		}
		cpu_pause();
	}
	return false;
}

static bool read_nothing(void *context, uint64_t *word)
{
	(void)context;
	(void)word;
	return false;
}

struct entropy_port entropy_hardware_port(void)
{
	if ((cpu_id(7, 0).ebx >> 18 & 1) != 0) {
		return (struct entropy_port){.read_word = read_rdseed};
	}
	if ((cpu_id(1, 0).ecx >> 30 & 1) != 0) {
		return (struct entropy_port){.read_word = read_rdrand};
	}
	return (struct entropy_port){.read_word = read_nothing};
}
