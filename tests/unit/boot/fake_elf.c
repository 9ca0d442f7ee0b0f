// SPDX-License-Identifier: MIT
#include "fake_elf.h"

#include <elf.h>
#include <string.h>

static void put_program(uint8_t *file, unsigned i, Elf64_Phdr header)
{
	memcpy(file + FAKE_ELF_PROGRAM(i), &header, sizeof(header));
}

static void put_dynamic(uint8_t *file, unsigned i, int64_t tag, uint64_t value)
{
	const Elf64_Dyn entry = {.d_tag = tag, .d_un = {.d_val = value}};
	memcpy(file + FAKE_ELF_DYNAMIC(i), &entry, sizeof(entry));
}

static void put_relocation(uint8_t *file, unsigned i, uint64_t place, int64_t addend)
{
	const Elf64_Rela entry = {
		.r_offset = place,
		.r_info = ELF64_R_INFO(0, R_X86_64_RELATIVE),
		.r_addend = addend,
	};
	memcpy(file + FAKE_ELF_RELOCATION(i), &entry, sizeof(entry));
}

static void put_header(uint8_t *file)
{
	const Elf64_Ehdr header = {
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = 0x1004,
		.e_phoff = FAKE_ELF_PROGRAM(0),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = FAKE_PROGRAMS,
	};
	memcpy(file, &header, sizeof(header));
}

static Elf64_Phdr load(uint64_t at, uint64_t file_size, uint64_t memory_size, uint32_t flags)
{
	return (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = flags,
		.p_offset = at,
		.p_vaddr = at,
		.p_paddr = at,
		.p_filesz = file_size,
		.p_memsz = memory_size,
		.p_align = 0x1000,
	};
}

void fake_elf_build(uint8_t *file)
{
	memset(file, 0, FAKE_ELF_BYTES);
	memset(file + 0x1000, 0xcc, 0x100);
	memset(file + 0x2100, 0xdd, 0x100);
	put_header(file);
	put_program(file, FAKE_READ_ONLY, load(0, 0x800, 0x800, PF_R));
	put_program(file, FAKE_TEXT, load(0x1000, 0x100, 0x100, PF_R | PF_X));
	put_program(file, FAKE_DATA, load(0x2010, 0x1f0, 0x2ff0, PF_R | PF_W));
	const uint64_t dynamic_size = FAKE_DYNAMICS * 16;
	Elf64_Phdr dynamic = load(0x2010, dynamic_size, dynamic_size, PF_R | PF_W);
	dynamic.p_type = PT_DYNAMIC;
	put_program(file, FAKE_DYNAMIC, dynamic);
	Elf64_Phdr relro = load(0x2010, 0x1f0, 0xff0, PF_R);
	relro.p_type = PT_GNU_RELRO;
	put_program(file, FAKE_RELRO, relro);
	put_program(file, FAKE_STACK, (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W});
	put_dynamic(file, FAKE_RELA, DT_RELA, FAKE_ELF_RELOCATION(0));
	put_dynamic(file, FAKE_RELASZ, DT_RELASZ, 2 * sizeof(Elf64_Rela));
	put_dynamic(file, FAKE_RELAENT, DT_RELAENT, sizeof(Elf64_Rela));
	put_dynamic(file, FAKE_FLAGS, DT_FLAGS, DF_BIND_NOW);
	put_dynamic(file, FAKE_PLTRELSZ, DT_PLTRELSZ, 0);
	put_dynamic(file, FAKE_END, DT_NULL, 0);
	put_relocation(file, 0, FAKE_ELF_DATA, 0x1004);
	put_relocation(file, 1, FAKE_ELF_DATA + 8, 0x5000); /* One past the end. */
}
