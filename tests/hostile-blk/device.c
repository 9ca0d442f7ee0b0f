// SPDX-License-Identifier: MIT
/* One request: gather the chain, do the I/O, complete it; a lie bends one of the three. */
#include "tests/hostile-blk/device.h"

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEGMENTS_MAX 1024u
#define SECTOR_BYTES 512u
#define STORM_COUNT  10000u
#define DRIP_US      200000u
#define STATUS_ODD   77u
#define BEYOND       0x7fffffffu
#define ID_TEXT      "holdfast-hostile"
#define EVENT_INDEX  (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)

/* A chain, gathered. Addresses are ours. */
struct chain {
	uint16_t head;
	uint16_t second; /* Descriptor after the head; the head if there is none. */
	struct virtio_blk_outhdr header;
	struct iovec data[SEGMENTS_MAX];
	unsigned data_count;
	size_t data_bytes;
	bool device_writes; /* The data goes to the guest. */
	uint8_t *status;
	uint32_t writable_bytes;
};

static bool segment_add(struct hostile_device *device, struct chain *chain,
			const struct vring_desc *from, bool is_first)
{
	uint8_t *at = vhost_user_memory(&device->vhost, from->addr, from->len);
	bool writes = (from->flags & VRING_DESC_F_WRITE) != 0;
	if (at == NULL || chain->data_count == SEGMENTS_MAX) {
		return false;
	}
	if (is_first) {
		if (from->len < sizeof(chain->header)) {
			return false;
		}
		memcpy(&chain->header, at, sizeof(chain->header));
		return true;
	}
	if (writes) {
		chain->writable_bytes += from->len;
		chain->status = at + from->len - 1;
	}
	chain->data[chain->data_count++] = (struct iovec){.iov_base = at, .iov_len = from->len};
	chain->data_bytes += from->len;
	return true;
}

/* The last writable byte is the status; the rest is data (virtio 1.2, section 5.2.6). */
static bool status_split(struct chain *chain)
{
	if (chain->status == NULL || chain->data_count == 0) {
		return false;
	}
	struct iovec *last = &chain->data[chain->data_count - 1];
	chain->device_writes = chain->header.type != VIRTIO_BLK_T_OUT;
	last->iov_len--;
	chain->data_bytes--;
	if (last->iov_len == 0) {
		chain->data_count--;
	}
	return true;
}

static bool chain_walk(struct hostile_device *device, const struct vring_desc *table,
		       uint32_t table_size, uint16_t first, struct chain *chain)
{
	uint16_t index = first;
	for (uint32_t steps = 0; steps < table_size; steps++) {
		if (index >= table_size) {
			return false;
		}
		if (!segment_add(device, chain, &table[index], steps == 0)) {
			return false;
		}
		if ((table[index].flags & VRING_DESC_F_NEXT) == 0) {
			return status_split(chain);
		}
		index = table[index].next;
		if (steps == 0) {
			chain->second = index;
		}
	}
	return false;
}

static bool chain_gather(struct hostile_device *device, const struct vhost_ring *ring,
			 uint16_t head, struct chain *chain)
{
	*chain = (struct chain){.head = head, .second = head};
	if (head >= ring->size) {
		return false;
	}
	const struct vring_desc *from = &ring->descriptors[head];
	if ((from->flags & VRING_DESC_F_INDIRECT) == 0) {
		return chain_walk(device, ring->descriptors, ring->size, head, chain);
	}
	const struct vring_desc *table = vhost_user_memory(&device->vhost, from->addr, from->len);
	bool is_whole = from->len % sizeof(*table) == 0;
	return table != NULL && is_whole &&
	       chain_walk(device, table, from->len / (uint32_t)sizeof(*table), 0, chain);
}

/* ---- Input and output ---------------------------------------------------------------------- */

static uint8_t transfer(struct hostile_device *device, struct chain *chain, enum lie lie)
{
	const uint64_t sectors = chain->data_bytes / SECTOR_BYTES;
	uint64_t sector = chain->header.sector;
	if (sector > device->sectors || sectors > device->sectors - sector) {
		return VIRTIO_BLK_S_IOERR;
	}
	if (lie == LIE_MISDIRECT) {
		sector = sector >= sectors ? sector - sectors : sector + sectors;
	}
	unsigned count = chain->data_count;
	if (lie == LIE_TORN) {
		chain->data[0].iov_len /= 2;
		count = 1;
	}
	const off_t at = (off_t)(sector * SECTOR_BYTES);
	ssize_t done = chain->device_writes ? preadv(device->image, chain->data, (int)count, at)
					    : pwritev(device->image, chain->data, (int)count, at);
	return done < 0 ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK;
}

static uint8_t id_answer(struct chain *chain, enum lie lie)
{
	if (chain->data_count == 0 || !chain->device_writes) {
		return VIRTIO_BLK_S_IOERR;
	}
	const struct iovec *to = &chain->data[0];
	memset(to->iov_base, 0, to->iov_len);
	if (lie == LIE_GARBAGE_ID) {
		memset(to->iov_base, '\x1b', to->iov_len);
	} else {
		size_t size = sizeof(ID_TEXT) < to->iov_len ? sizeof(ID_TEXT) : to->iov_len;
		memcpy(to->iov_base, ID_TEXT, size);
	}
	return VIRTIO_BLK_S_OK;
}

static enum lie_about request_about(const struct chain *chain)
{
	switch (chain->header.type) {
	case VIRTIO_BLK_T_IN: return ABOUT_READ;
	case VIRTIO_BLK_T_OUT: return ABOUT_WRITE;
	case VIRTIO_BLK_T_FLUSH: return ABOUT_FLUSH;
	default: return ABOUT_ID;
	}
}

static uint8_t request_do(struct hostile_device *device, struct chain *chain, enum lie lie)
{
	switch (chain->header.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT: return transfer(device, chain, lie);
	case VIRTIO_BLK_T_FLUSH:
		return fdatasync(device->image) == 0 ? VIRTIO_BLK_S_OK : VIRTIO_BLK_S_IOERR;
	case VIRTIO_BLK_T_GET_ID: return id_answer(chain, lie);
	case VIRTIO_BLK_T_DISCARD: return VIRTIO_BLK_S_OK;
	default: return VIRTIO_BLK_S_UNSUPP;
	}
}

static void data_scribble(const struct chain *chain, uint8_t value)
{
	for (unsigned i = 0; chain->device_writes && i < chain->data_count; i++) {
		memset(chain->data[i].iov_base, value, chain->data[i].iov_len);
	}
}

/* ---- Completion ---------------------------------------------------------------------------- */

static void used_publish(struct vhost_ring *ring, uint32_t id, uint32_t length)
{
	ring->used->ring[ring->used_index % ring->size] =
		(struct vring_used_elem){.id = id, .len = length};
	ring->used_index++;
	__atomic_store_n(&ring->used->idx, ring->used_index, __ATOMIC_RELEASE);
}

static void guest_call(const struct vhost_ring *ring, unsigned count)
{
	const uint64_t one = 1;
	for (unsigned i = 0; i < count && ring->call_fd >= 0; i++) {
		if (write(ring->call_fd, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
			return;
		}
	}
}

static void complete(struct vhost_ring *ring, const struct chain *chain, enum lie lie)
{
	const uint32_t head = chain->head;
	uint32_t length =
		chain->device_writes && chain->writable_bytes != 0 ? chain->writable_bytes : 1;
	uint32_t id = head;
	if (lie == LIE_ID_RANGE) {
		id = BEYOND;
	} else if (lie == LIE_ID_ALIAS) {
		id = head + 0x10000u;
	} else if (lie == LIE_ID_NOT_HEAD) {
		id = chain->second != head ? chain->second : (head + 1u) % ring->size;
	} else if (lie == LIE_NOT_SUBMITTED) {
		id = (head + ring->size / 2u) % ring->size;
	} else if (lie == LIE_LENGTH_LONG) {
		length = chain->writable_bytes + 1u;
	} else if (lie == LIE_LENGTH_SHORT) {
		length = 1;
	}
	used_publish(ring, id, length);
	if (lie == LIE_DOUBLE) {
		used_publish(ring, id, length);
	} else if (lie == LIE_INDEX_AHEAD) {
		ring->used->idx = (uint16_t)(ring->used_index + ring->size / 2u);
	} else if (lie == LIE_INDEX_BACK) {
		ring->used->idx = (uint16_t)(ring->used_index - 2u);
	}
	guest_call(ring, lie == LIE_STORM ? STORM_COUNT : lie == LIE_SILENCE ? 0 : 1);
}

/* Before the completion, while a driver with one request in flight waits. What it has published and
 * we have not taken yet is left alone: to lose that would be a stall, which is another lie. */
static void ring_spoil(struct vhost_ring *ring, enum lie lie)
{
	const uint16_t end = __atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE);
	if (lie == LIE_DESCRIPTORS && end == ring->next_available) {
		memset(ring->descriptors, 0xff, ring->size * sizeof(*ring->descriptors));
	} else if (lie == LIE_AVAILABLE && end == ring->next_available) {
		memset(ring->available->ring, 0xff, ring->size * sizeof(ring->available->ring[0]));
	}
}

static void status_answer(struct chain *chain, uint8_t status, enum lie lie)
{
	if (lie == LIE_STATUS_ERROR) {
		status = VIRTIO_BLK_S_IOERR;
	} else if (lie == LIE_STATUS_ODD) {
		status = STATUS_ODD;
	}
	if (lie != LIE_STATUS_UNSET) {
		*chain->status = status;
	}
}

static bool skips_io(enum lie lie)
{
	return lie == LIE_EARLY || lie == LIE_NOTHING_READ || lie == LIE_DROP ||
	       lie == LIE_STATUS_ERROR;
}

static void request_serve(struct hostile_device *device, struct vhost_ring *ring,
			  struct chain *chain)
{
	enum lie lie = lie_script_next(&device->script, request_about(chain));
	device->requests++;
	if (lie != LIE_NONE) {
		printf("lied %s\n", lie_rows[lie].name);
	}
	if (lie == LIE_STALL) {
		return;
	}
	if (lie == LIE_DISCONNECT) {
		device->hung_up = true;
		return;
	}
	if (lie == LIE_DRIP) {
		usleep(DRIP_US);
	}
	uint8_t status = skips_io(lie) ? VIRTIO_BLK_S_OK : request_do(device, chain, lie);
	if (lie == LIE_CORRUPT && chain->data_count != 0) {
		((uint8_t *)chain->data[0].iov_base)[chain->data[0].iov_len / 2] ^= 0x10;
	}
	status_answer(chain, status, lie);
	ring_spoil(ring, lie);
	complete(ring, chain, lie);
	if (lie == LIE_LATE_WRITE) {
		usleep(1000);
		data_scribble(chain, 0xa5);
		*chain->status = VIRTIO_BLK_S_IOERR;
	}
}

/* With the event index: kick when the available index passes this (virtio 1.2, section 2.7.10). */
static void kick_wanted_at(const struct vhost_ring *ring, uint16_t index)
{
	uint8_t *after = (uint8_t *)&ring->used->ring[ring->size];
	__atomic_store_n((uint16_t *)(void *)after, index, __ATOMIC_RELEASE);
}

/* Where the next kick is wanted. A sleeper pretends to want none and serves nothing: only a driver
 * that kicks again without being asked gets it to work. */
static bool sleeps(struct hostile_device *device, struct vhost_ring *ring)
{
	if (device->script.lie != LIE_NO_NOTIFY || device->script.left == 0) {
		ring->used->flags = 0;
		return false;
	}
	ring->used->flags = VRING_USED_F_NO_NOTIFY;
	if (ring->next_available == __atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE)) {
		return false;
	}
	device->script.left--;
	printf("lied %s\n", lie_rows[LIE_NO_NOTIFY].name);
	return true;
}

void hostile_device_serve(struct hostile_device *device, struct vhost_ring *ring)
{
	if (!ring->started || ring->size == 0 || ring->used == NULL || sleeps(device, ring)) {
		return;
	}
	/* What the guest can make of a ring is bounded by its size, round for round. */
	for (uint32_t i = 0; i < 2u * ring->size && !device->hung_up; i++) {
		uint16_t end = __atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE);
		if (end == ring->next_available) {
			if ((device->vhost.features & EVENT_INDEX) == 0) {
				return;
			}
			/* Ask for the next kick, then look once more. */
			kick_wanted_at(ring, end);
			__atomic_thread_fence(__ATOMIC_SEQ_CST);
			if (end == __atomic_load_n(&ring->available->idx, __ATOMIC_ACQUIRE)) {
				return;
			}
			continue;
		}
		uint16_t head = ring->available->ring[ring->next_available % ring->size];
		struct chain chain;
		ring->next_available++;
		if (!chain_gather(device, ring, head, &chain)) {
			warnx("the guest offers a chain that is none (head %u)", head);
			continue;
		}
		request_serve(device, ring, &chain);
	}
}
