// SPDX-License-Identifier: MIT
#include "kernel/fw_cfg.h"

#include <string.h>

#include "arch/cpu.h"
#include "base/bytes.h"

#define FW_CFG_PORT_SELECT 0x510u
#define FW_CFG_PORT_DATA   0x511u
#define FW_CFG_SIGNATURE   0x0000u
#define FW_CFG_FILE_DIR    0x0019u
#define FW_CFG_NAME_BYTES  56u
#define FW_CFG_ENTRY_BYTES 64u /* size:be32 select:be16 reserved:16 name[56] */
#define FW_CFG_FILES_MAX   128u

static void read_data(uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		out[i] = cpu_in8(FW_CFG_PORT_DATA);
	}
}

static bool is_present(void)
{
	uint8_t signature[4];
	cpu_out16(FW_CFG_PORT_SELECT, FW_CFG_SIGNATURE);
	read_data(signature, sizeof(signature));
	return memcmp(signature, "QEMU", sizeof(signature)) == 0;
}

static bool entry_is_named(const uint8_t entry[FW_CFG_ENTRY_BYTES], const char *name)
{
	size_t length = strlen(name);
	return length < FW_CFG_NAME_BYTES && memcmp(entry + 8, name, length + 1) == 0;
}

enum status fw_cfg_read(const char *name, uint8_t *out, size_t capacity_bytes, size_t *size_bytes)
{
	if (!is_present()) {
		return STATUS_NO_DEVICE;
	}
	uint8_t count_bytes[4];
	cpu_out16(FW_CFG_PORT_SELECT, FW_CFG_FILE_DIR);
	read_data(count_bytes, sizeof(count_bytes));
	uint32_t count = bytes_load_be32(count_bytes);
	for (uint32_t i = 0; i < count && i < FW_CFG_FILES_MAX; i++) {
		uint8_t entry[FW_CFG_ENTRY_BYTES];
		read_data(entry, sizeof(entry));
		if (!entry_is_named(entry, name)) {
			continue;
		}
		*size_bytes = bytes_load_be32(entry);
		if (*size_bytes > capacity_bytes) {
			return STATUS_TOO_LARGE;
		}
		cpu_out16(FW_CFG_PORT_SELECT, bytes_load_be16(entry + 4));
		read_data(out, *size_bytes);
		return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}
