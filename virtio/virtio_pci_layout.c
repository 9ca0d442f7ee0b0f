// SPDX-License-Identifier: MIT
/* The capability list of a virtio function. The specification has drivers skip what they cannot
 * use: unknown types, reserved BARs, I/O windows, second instances (section 4.1.4.1). Whatever we
 * would use has to be sound in full, for all registers hang from it. */
#include "virtio/virtio_pci_layout.h"

#include "base/bytes.h"

#define DEVICE_ID_MODERN      0x1040u /* Plus the device type, which is not 0. */
#define DEVICE_ID_MODERN_LAST 0x107fu
#define DEVICE_ID_LEGACY      0x1000u
#define DEVICE_ID_LEGACY_LAST 0x103fu

/* Capabilities are dwords behind the header, so there are at most so many. */
#define CAPABILITY_FIRST  0x40u
#define CAPABILITIES_MAX  ((PCI_CONFIG_BYTES - CAPABILITY_FIRST) / 4)
#define CAPABILITY_BYTES  16u /* struct virtio_pci_cap */
#define NOTIFY_CAPABILITY 20u /* and notify_off_multiplier */
#define MSIX_CAPABILITY   12u

/* cfg_type. */
#define COMMON_CFG     1u
#define NOTIFY_CFG     2u
#define ISR_CFG        3u
#define DEVICE_CFG     4u

#define MSIX_SIZE_MASK 0x7ffu
#define MSIX_BAR_MASK  0x7u

struct decoder {
	const uint8_t *config;
	const struct pci_bar *bars;
	struct virtio_pci_layout layout;
	struct virtio_pci_place msix_pending;
	const char *complaint;
	/* Why a structure may be missing in the end. */
	const char *skipped;
};

static bool refuse(struct decoder *decoder, const char *complaint)
{
	decoder->complaint = complaint;
	return false;
}

/* Within a memory BAR; the sum is done in 64 bits. */
static bool place_check(struct decoder *decoder, const struct virtio_pci_place *place,
			uint32_t len_bytes_min, uint32_t alignment)
{
	const struct pci_bar *bar = &decoder->bars[place->bar];
	if (place->len_bytes < len_bytes_min) {
		return refuse(decoder, "a structure is too short");
	}
	if (place->offset_bytes % alignment != 0) {
		return refuse(decoder, "a structure is not aligned");
	}
	if (!addr_within(place->offset_bytes, place->len_bytes, bar->window.size_bytes)) {
		return refuse(decoder, "a structure leaves its BAR");
	}
	return true;
}

/* Take the first instance of a structure that is of use. */
static bool place_take(struct decoder *decoder, struct virtio_pci_place *into, uint32_t at,
		       uint32_t len_bytes_min, uint32_t alignment)
{
	const uint8_t *capability = decoder->config + at;
	const struct virtio_pci_place place = {
		.bar = capability[4],
		.offset_bytes = bytes_load_le32(capability + 8),
		.len_bytes = bytes_load_le32(capability + 12),
	};
	if (into->len_bytes != 0) {
		return true;
	}
	if (place.bar >= PCI_BARS) {
		decoder->skipped = "a structure names BAR 6 or above";
		return true;
	}
	if (!decoder->bars[place.bar].is_memory) {
		decoder->skipped = "a structure names a BAR that is not memory";
		return true;
	}
	if (!place_check(decoder, &place, len_bytes_min, alignment)) {
		return false;
	}
	*into = place;
	return true;
}

static bool notify_take(struct decoder *decoder, uint32_t at, uint32_t capability_bytes)
{
	struct virtio_pci_layout *layout = &decoder->layout;
	const bool is_first = layout->notify.len_bytes == 0;
	if (capability_bytes < NOTIFY_CAPABILITY || at + NOTIFY_CAPABILITY > PCI_CONFIG_BYTES) {
		return refuse(decoder, "the notification capability is too short");
	}
	if (!place_take(decoder, &layout->notify, at, 2, 2)) {
		return false;
	}
	if (is_first && layout->notify.len_bytes != 0) {
		layout->notify_multiplier = bytes_load_le32(decoder->config + at + 16);
		/* Section 4.1.4.4.1: 0 or an even power of 2. */
		if ((layout->notify_multiplier & (layout->notify_multiplier - 1)) != 0 ||
		    layout->notify_multiplier == 1) {
			return refuse(decoder, "the notification multiplier is no power of 2");
		}
	}
	return true;
}

static bool vendor_take(struct decoder *decoder, uint32_t at)
{
	struct virtio_pci_layout *layout = &decoder->layout;
	if (at + CAPABILITY_BYTES > PCI_CONFIG_BYTES) {
		return refuse(decoder, "a capability leaves configuration space");
	}
	const uint32_t capability_bytes = decoder->config[at + 2];
	const uint32_t type = decoder->config[at + 3];
	if (capability_bytes < CAPABILITY_BYTES) {
		return refuse(decoder, "a capability is too short");
	}
	switch (type) {
	case COMMON_CFG:
		return place_take(decoder, &layout->common, at, VIRTIO_PCI_COMMON_BYTES_MIN, 4);
	case NOTIFY_CFG: return notify_take(decoder, at, capability_bytes);
	case ISR_CFG: return place_take(decoder, &layout->isr, at, 1, 1);
	case DEVICE_CFG: return place_take(decoder, &layout->device, at, 4, 4);
	}
	return true;
}

/* A table or pending-bit array: BAR and offset share a dword. */
static struct virtio_pci_place msix_place(const uint8_t *dword, uint32_t len_bytes)
{
	const uint32_t value = bytes_load_le32(dword);
	return (struct virtio_pci_place){
		.bar = (uint8_t)(value & MSIX_BAR_MASK),
		.offset_bytes = value & ~MSIX_BAR_MASK,
		.len_bytes = len_bytes,
	};
}

static bool msix_take(struct decoder *decoder, uint32_t at)
{
	const uint8_t *capability = decoder->config + at;
	struct virtio_pci_layout *layout = &decoder->layout;
	if (at + MSIX_CAPABILITY > PCI_CONFIG_BYTES) {
		return refuse(decoder, "a capability leaves configuration space");
	}
	if (layout->msix_table.len_bytes != 0) {
		return true;
	}
	const uint32_t entries = (bytes_load_le16(capability + 2) & MSIX_SIZE_MASK) + 1;
	const struct virtio_pci_place table =
		msix_place(capability + 4, entries * VIRTIO_PCI_MSIX_ENTRY_BYTES);
	const struct virtio_pci_place pending = msix_place(capability + 8, (entries + 63) / 64 * 8);
	if (table.bar >= PCI_BARS || pending.bar >= PCI_BARS ||
	    !decoder->bars[table.bar].is_memory || !decoder->bars[pending.bar].is_memory) {
		return refuse(decoder, "the MSI-X table is in no memory BAR");
	}
	if (!place_check(decoder, &table, 1, 8) || !place_check(decoder, &pending, 1, 8)) {
		return false;
	}
	layout->msix_table = table;
	layout->msix_capability_bytes_offset = at;
	decoder->msix_pending = pending;
	return true;
}

static bool capabilities_walk(struct decoder *decoder)
{
	const uint8_t *config = decoder->config;
	const uint32_t status = (uint32_t)bytes_load_le16(config + PCI_COMMAND_STATUS + 2);
	if ((status & PCI_STATUS_CAPABILITY) == 0) {
		return refuse(decoder, "there is no capability list");
	}
	uint32_t at = config[PCI_CAPABILITIES] & ~3u;
	for (uint32_t turn = 0; at != 0; turn++) {
		if (turn == CAPABILITIES_MAX) {
			return refuse(decoder, "the capability list loops");
		}
		if (at < CAPABILITY_FIRST) {
			return refuse(decoder, "a capability lies in the header");
		}
		if (config[at] == PCI_CAPABILITY_VENDOR && !vendor_take(decoder, at)) {
			return false;
		}
		if (config[at] == PCI_CAPABILITY_MSIX && !msix_take(decoder, at)) {
			return false;
		}
		at = config[at + 1] & ~3u;
	}
	return true;
}

static bool places_overlap(const struct virtio_pci_place *a, const struct virtio_pci_place *b)
{
	/* 64 bits: a BAR of 4 GiB and more is no business of this file. */
	const uint64_t a_end = (uint64_t)a->offset_bytes + a->len_bytes;
	const uint64_t b_end = (uint64_t)b->offset_bytes + b->len_bytes;
	return a->len_bytes != 0 && b->len_bytes != 0 && a->bar == b->bar &&
	       a->offset_bytes < b_end && b->offset_bytes < a_end;
}

static bool places_check(struct decoder *decoder)
{
	const struct virtio_pci_layout *layout = &decoder->layout;
	const struct virtio_pci_place *const places[] = {
		&layout->common, &layout->notify,     &layout->isr,
		&layout->device, &layout->msix_table, &decoder->msix_pending,
	};
	for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
		for (size_t j = i + 1; j < ARRAY_COUNT(places); j++) {
			if (places_overlap(places[i], places[j])) {
				return refuse(decoder, "two structures overlap");
			}
		}
	}
	if (layout->common.len_bytes == 0 || layout->notify.len_bytes == 0 ||
	    layout->isr.len_bytes == 0) {
		return refuse(decoder, decoder->skipped != NULL ? decoder->skipped
								: "a structure is missing");
	}
	return true;
}

enum status virtio_pci_layout_decode(const uint8_t config[PCI_CONFIG_BYTES],
				     const struct pci_bar bars[PCI_BARS],
				     struct virtio_pci_layout *layout, const char **complaint)
{
	struct decoder decoder = {.config = config, .bars = bars};
	const uint32_t device_id = bytes_load_le16(config + PCI_ID + 2);
	if (bytes_load_le16(config + PCI_ID) != VIRTIO_PCI_VENDOR_ID ||
	    device_id < DEVICE_ID_LEGACY || device_id > DEVICE_ID_MODERN_LAST ||
	    device_id == DEVICE_ID_MODERN) {
		return STATUS_NO_DEVICE;
	}
	if (device_id <= DEVICE_ID_LEGACY_LAST) {
		*complaint = "a transitional device: QEMU wants disable-legacy=on";
		return STATUS_UNSUPPORTED;
	}
	decoder.layout.device_id = device_id - DEVICE_ID_MODERN;
	if (!capabilities_walk(&decoder) || !places_check(&decoder)) {
		*complaint = decoder.complaint;
		return STATUS_BAD_HOST;
	}
	*layout = decoder.layout;
	return STATUS_OK;
}
