// SPDX-License-Identifier: MIT
/* What a virtio device looks like, whatever bus it sits on (virtio 1.2, section 4).
 *
 * Six functions, so that virtio-mmio and virtio-pci fit behind them. Everything a register returns
 * comes from the host: it is read once, validated, and then used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"

/* Device types, virtio 1.2, section 5. */
#define VIRTIO_ID_BLOCK   2u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_ENTROPY 4u

/* Device status bits, section 2.1. */
#define VIRTIO_STATUS_ACKNOWLEDGE 1u
#define VIRTIO_STATUS_DRIVER      2u
#define VIRTIO_STATUS_DRIVER_OK   4u
#define VIRTIO_STATUS_FEATURES_OK 8u
#define VIRTIO_STATUS_NEEDS_RESET 64u
#define VIRTIO_STATUS_FAILED      128u
/* Not a status: what the register of an absent device reads as. */
#define VIRTIO_STATUS_GONE 0xffu

/* Feature bits of every device type, section 6. */
#define VIRTIO_F_INDIRECT_DESC   ((uint64_t)1 << 28)
#define VIRTIO_F_EVENT_IDX       ((uint64_t)1 << 29)
#define VIRTIO_F_VERSION_1       ((uint64_t)1 << 32)
#define VIRTIO_F_ACCESS_PLATFORM ((uint64_t)1 << 33)
#define VIRTIO_F_RING_PACKED     ((uint64_t)1 << 34)
#define VIRTIO_F_IN_ORDER        ((uint64_t)1 << 35)

/* Bits of VIRTIO_INTERRUPT. */
#define VIRTIO_INTERRUPT_QUEUE  1u
#define VIRTIO_INTERRUPT_CONFIG 2u

/* Attempts at a configuration read whose generation stays the same. */
#define VIRTIO_CONFIG_TRIES_MAX 8u

enum virtio_register {
	VIRTIO_STATUS,              /* Read, write. 0 resets. */
	VIRTIO_DEVICE_FEATURES_LOW, /* Read: bits 0-31 of what is offered. */
	VIRTIO_DEVICE_FEATURES_HIGH,
	VIRTIO_DRIVER_FEATURES_LOW, /* Write: bits 0-31 of what we accept. */
	VIRTIO_DRIVER_FEATURES_HIGH,
	VIRTIO_CONFIG_GENERATION, /* Read. */
	VIRTIO_INTERRUPT,         /* Read: what is pending. Write: acknowledge these bits. */
};

/* Where one queue lies. */
struct virtio_queue_place {
	uint16_t queue_index;
	uint16_t size; /* Descriptors; a power of two. */
	struct shared_addr descriptors;
	struct shared_addr available; /* Packed: the driver's event suppression structure. */
	struct shared_addr used;      /* Packed: the device's. */
};

struct virtio_transport_ops {
	uint32_t (*read)(void *context, enum virtio_register which);
	void (*write)(void *context, enum virtio_register which, uint32_t value);
	/* The device's claim; 0: there is no such queue. */
	uint32_t (*queue_size_max)(void *context, uint16_t queue_index);
	/* STATUS_BAD_HOST: the queue was enabled already, or does not become so. */
	enum status (*queue_enable)(void *context, const struct virtio_queue_place *place);
	void (*notify)(void *context, uint16_t queue_index);
	/* Device-specific configuration; the offset is a multiple of 4. */
	uint32_t (*config_read)(void *context, uint32_t offset_bytes);
};

struct virtio_wait_policy;

/* Caller's storage, made by a bus (virtio_mmio_open). Lives for the whole boot: it remembers how
 * often its device had to be given up. */
struct virtio_transport {
	const struct virtio_transport_ops *ops;
	void *context;
	uint32_t device_id;     /* VIRTIO_ID_..., read once at discovery. */
	uint32_t failure_count; /* See virtio_device_open. */
	bool config_changed;    /* Some acknowledged interrupt said so. Sticky. */
	/* How to wait for this device; set by the kernel. NULL: by polling. */
	struct virtio_wait_policy *wait_policy;
};

/* What the device offers: read once, so that it cannot differ between two looks. */
uint64_t virtio_transport_features(const struct virtio_transport *transport);

void virtio_transport_features_accept(const struct virtio_transport *transport, uint64_t features);

/* Read `count` 32-bit words from `offset_bytes` under one configuration generation.
 * STATUS_BAD_HOST: it changed at each of VIRTIO_CONFIG_TRIES_MAX attempts. */
MUST_CHECK
enum status virtio_transport_config(const struct virtio_transport *transport, uint32_t offset_bytes,
				    uint32_t *words, size_t count);

/* Read and acknowledge pending interrupts; the bits are a hint and nothing more. */
uint32_t virtio_transport_interrupt_take(struct virtio_transport *transport);
