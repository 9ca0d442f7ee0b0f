// SPDX-License-Identifier: MIT
/* The parts of test-syscalls. */
#pragma once

#include "user/tests/rt.h"

#define PAGE                  UINT64_C(4096)
#define AT_FDCWD              ((uint64_t)-100)
#define AT_EMPTY_PATH         0x1000u
#define O_RDONLY              0u
#define O_RDWR                2u
#define O_CREAT               0x40u
#define PROT_NONE             0u
#define PROT_READ             1u
#define PROT_RW               3u
#define PROT_RX               5u
#define PROT_RWX              7u
#define MAP_ANONYMOUS_PRIVATE 0x22u
#define MAP_FIXED             0x10u

/* Unmask all floating-point exceptions and leave an x87 one pending. simd_mend() puts that right;
 * true if it found what simd_break() had left. */
void simd_break(void);
bool simd_mend(void);

void test_memory(void);
void test_time_and_entropy(void);
void test_registers(void);
void test_cpu_state(void);
void test_store(void);
