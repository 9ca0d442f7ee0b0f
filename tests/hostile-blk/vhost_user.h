// SPDX-License-Identifier: MIT
/* The back end's side of the vhost-user protocol (QEMU's docs/interop/vhost-user, version 1): a
 * socket to QEMU, the guest's memory, and where the queues lie in it.
 *
 * QEMU is trusted here, the guest is not looked at: this program plays the host that attacks it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#define VHOST_REGIONS_MAX 8u
#define VHOST_RINGS_MAX   4u

/* A piece of guest memory, mapped here. */
struct vhost_region {
	uint64_t guest_first;
	uint64_t size_bytes;
	uint64_t qemu_first; /* Where QEMU has it: ring addresses are given so. */
	uint8_t *map;
	size_t map_bytes;
	uint8_t *first; /* Of the region, within the map. */
};

/* One split queue. */
struct vhost_ring {
	bool started; /* It has a kick file and is enabled. */
	bool enabled;
	uint16_t size;
	uint16_t next_available; /* The next entry of the available ring to serve. */
	uint16_t used_index;     /* What an honest device would publish. */
	int kick_fd;
	int call_fd;
	struct vring_desc *descriptors;
	struct vring_avail *available;
	struct vring_used *used;
};

struct vhost_user {
	int socket;
	uint64_t features_offered;
	uint64_t features;
	struct vhost_region regions[VHOST_REGIONS_MAX];
	size_t region_count;
	unsigned stop_count; /* Rings that were stopped: the guest has reset the device. */
	struct vhost_ring rings[VHOST_RINGS_MAX];
	struct virtio_blk_config config;
};

void vhost_user_init(struct vhost_user *vhost, int socket, uint64_t features,
		     const struct virtio_blk_config *config);
void vhost_user_close(struct vhost_user *vhost);

/* Read and answer one message. False: QEMU hung up, or sent what this program does not know. */
bool vhost_user_serve(struct vhost_user *vhost);

/* Guest-physical memory, or NULL if it is not all in one region. */
void *vhost_user_memory(const struct vhost_user *vhost, uint64_t guest, uint64_t size_bytes);
