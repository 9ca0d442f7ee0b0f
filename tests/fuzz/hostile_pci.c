// SPDX-License-Identifier: MIT
/* The device as a PCI function: its structures lie where a layout says that was decoded before
 * (target virtio_pci), and each field is a register of the same device as behind virtio-mmio, of
 * its own width. */
#include "tests/fuzz/hostile.h"

/* One BAR each; notifications four bytes apart. */
#define BAR_COMMON        0u
#define BAR_ISR           1u
#define BAR_NOTIFY        2u
#define BAR_DEVICE        4u
#define NOTIFY_MULTIPLIER 4u

/* A field of the common configuration, section 4.1.4.3. */
struct field {
	uint8_t offset;
	uint8_t width;
	uint32_t load;  /* The register that it is; 0: the driver has no business to read it. */
	uint32_t store; /* Likewise. */
};

#define IGNORED UINT32_MAX

static const struct field fields[] = {
	{0x00, 4, 0, 0x014},                 /* device_feature_select */
	{0x04, 4, 0x010, 0},                 /* device_feature */
	{0x08, 4, 0, 0x024},                 /* driver_feature_select */
	{0x0c, 4, 0, 0x020},                 /* driver_feature */
	{0x10, 2, 0, IGNORED},               /* config_msix_vector */
	{0x12, 2, HOSTILE_QUEUE_COUNT, 0},   /* num_queues */
	{0x14, 1, 0x070, 0x070},             /* device_status */
	{0x15, 1, 0x0fc, 0},                 /* config_generation */
	{0x16, 2, 0, 0x030},                 /* queue_select */
	{0x18, 2, 0x034, 0x038},             /* queue_size */
	{0x1a, 2, 0, IGNORED},               /* queue_msix_vector */
	{0x1c, 2, 0x044, 0x044},             /* queue_enable */
	{0x1e, 2, HOSTILE_NOTIFY_OFFSET, 0}, /* queue_notify_off */
	{0x20, 4, 0, 0x080},
	{0x24, 4, 0, 0x084}, /* queue_desc */
	{0x28, 4, 0, 0x090},
	{0x2c, 4, 0, 0x094}, /* queue_driver */
	{0x30, 4, 0, 0x0a0},
	{0x34, 4, 0, 0x0a4}, /* queue_device */
};

static const struct virtio_pci_layout layout = {
	.common = {BAR_COMMON, 0, VIRTIO_PCI_COMMON_BYTES_MIN},
	.notify = {BAR_NOTIFY, 0, NOTIFY_MULTIPLIER *HOSTILE_QUEUES},
	.isr = {BAR_ISR, 0, 1},
	.device = {BAR_DEVICE, 0, sizeof(uint32_t) * HOSTILE_CONFIG_WORDS},
	.notify_multiplier = NOTIFY_MULTIPLIER,
};

static const struct field *field_at(uint32_t offset, unsigned int width)
{
	for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
		if (fields[i].offset == offset) {
			FUZZ_REQUIRE(fields[i].width == width);
			return &fields[i];
		}
	}
	fuzz_fail("a field of the common configuration", __FILE__, __LINE__);
}

static uint32_t mask_of(unsigned int width)
{
	return width == 4 ? UINT32_MAX : ((uint32_t)1 << 8 * width) - 1;
}

static uint32_t bar_read(void *context, uint8_t bar, uint32_t offset, unsigned int width)
{
	(void)context;
	if (bar == BAR_DEVICE) {
		FUZZ_REQUIRE(width == 4 && offset % 4 == 0);
		return hostile_register_load(0x100 + offset, UINT32_MAX);
	}
	if (bar == BAR_ISR) {
		FUZZ_REQUIRE(width == 1 && offset == 0);
		const uint32_t pending = hostile_register_load(0x060, UINT8_MAX);
		hostile.interrupts = 0; /* Reading acknowledges. */
		return pending;
	}
	FUZZ_REQUIRE(bar == BAR_COMMON);
	const struct field *field = field_at(offset, width);
	FUZZ_REQUIRE(field->load != 0);
	return hostile_register_load(field->load, mask_of(width));
}

static void bar_write(void *context, uint8_t bar, uint32_t offset, unsigned int width,
		      uint32_t value)
{
	(void)context;
	FUZZ_REQUIRE((value & ~mask_of(width)) == 0);
	if (bar == BAR_NOTIFY) {
		/* Where the device said, and nowhere outside the structure. */
		FUZZ_REQUIRE(width == 2 && offset + width <= layout.notify.len_bytes);
		FUZZ_REQUIRE(offset == NOTIFY_MULTIPLIER * value || hostile.lied);
		hostile_register_store(0x050, value);
		return;
	}
	FUZZ_REQUIRE(bar == BAR_COMMON);
	const struct field *field = field_at(offset, width);
	FUZZ_REQUIRE(field->store != 0);
	if (field->store != IGNORED) {
		hostile_register_store(field->store, value);
	}
}

void hostile_pci_open(void)
{
	static const struct virtio_pci_access access = {bar_read, bar_write, NULL};
	struct virtio_pci_layout decoded = layout;
	decoded.device_id = hostile.device_id;
	virtio_pci_open(&hostile.transport, &hostile.pci, &decoded, &access, true);
}
