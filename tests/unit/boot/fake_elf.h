// SPDX-License-Identifier: MIT
/* A small, well-formed kernel ELF in memory, for tests to break one thing at a time.
 *
 *   file and link address 0x0000  header, program headers, relocations        R
 *                         0x1000  text                                        R X
 *                         0x2010  dynamic section (RELRO to 0x3000), data     RW, and 0x3000 of bss
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FAKE_ELF_BYTES         0x2200u
#define FAKE_ELF_PROGRAM(i)    (64u + 56u * (i)) /* Offset of program header i. */
#define FAKE_ELF_RELOCATION(i) (0x400u + 24u * (i))
#define FAKE_ELF_DYNAMIC(i)    (0x2010u + 16u * (i))
#define FAKE_ELF_DATA          0x3100u /* Link address of two relocated words, in bss. */

/* Program headers, in this order. */
enum fake_elf_program {
	FAKE_READ_ONLY,
	FAKE_TEXT,
	FAKE_DATA,
	FAKE_DYNAMIC,
	FAKE_RELRO,
	FAKE_STACK,
	FAKE_PROGRAMS,
};

/* Dynamic entries, in this order. */
enum fake_elf_dynamic {
	FAKE_RELA,
	FAKE_RELASZ,
	FAKE_RELAENT,
	FAKE_FLAGS,
	FAKE_PLTRELSZ,
	FAKE_END,
	FAKE_DYNAMICS,
};

/* `file`: FAKE_ELF_BYTES. */
void fake_elf_build(uint8_t *file);
