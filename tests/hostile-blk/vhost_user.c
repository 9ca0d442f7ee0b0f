// SPDX-License-Identifier: MIT
/* vhost-user messages, as far as QEMU's vhost-user-blk sends them. */
#include "tests/hostile-blk/vhost_user.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_config.h>

enum vhost_user_request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	RESET_OWNER = 4,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
	SET_CONFIG = 25,
};

#define FLAGS_VERSION           1u
#define FLAGS_REPLY             (1u << 2)
#define FEATURE_PROTOCOL        (UINT64_C(1) << 30)
#define PROTOCOL_FEATURE_MQ     (UINT64_C(1) << 0)
#define PROTOCOL_FEATURE_CONFIG (UINT64_C(1) << 9)
#define CONFIG_BYTES_MAX        256u
/* In the value of a KICK, CALL or ERR message: the ring, and "no file comes with this". */
#define VRING_INDEX_MASK 0xffu
#define VRING_NO_FILE    (1u << 8)

struct ring_state {
	uint32_t index;
	uint32_t value;
};

struct ring_address {
	uint32_t index;
	uint32_t flags;
	uint64_t descriptors;
	uint64_t used;
	uint64_t available;
	uint64_t log;
};

struct memory_region {
	uint64_t guest;
	uint64_t size;
	uint64_t qemu;
	uint64_t offset;
};

struct memory_table {
	uint32_t count;
	uint32_t padding;
	struct memory_region regions[VHOST_REGIONS_MAX];
};

struct config_window {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t bytes[CONFIG_BYTES_MAX];
};

/* The body follows the header's 12 bytes at once, so it cannot be a member behind them. */
struct message_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size;
};

struct message {
	struct message_header header;
	union {
		uint64_t number;
		struct ring_state state;
		struct ring_address address;
		struct memory_table memory;
		struct config_window config;
	} body;
};

#define HEADER_BYTES sizeof(struct message_header)

struct received {
	struct message message;
	int files[VHOST_REGIONS_MAX];
	size_t file_count;
};

void vhost_user_init(struct vhost_user *vhost, int socket, uint64_t features,
		     const struct virtio_blk_config *config)
{
	*vhost = (struct vhost_user){
		.socket = socket,
		.features_offered = features | FEATURE_PROTOCOL,
		.config = *config,
	};
	for (size_t i = 0; i < VHOST_RINGS_MAX; i++) {
		vhost->rings[i].kick_fd = -1;
		vhost->rings[i].call_fd = -1;
	}
}

static void file_replace(int *to, int file)
{
	if (*to >= 0) {
		close(*to);
	}
	*to = file;
}

static void regions_drop(struct vhost_user *vhost)
{
	for (size_t i = 0; i < vhost->region_count; i++) {
		munmap(vhost->regions[i].map, vhost->regions[i].map_bytes);
	}
	vhost->region_count = 0;
}

void vhost_user_close(struct vhost_user *vhost)
{
	regions_drop(vhost);
	for (size_t i = 0; i < VHOST_RINGS_MAX; i++) {
		file_replace(&vhost->rings[i].kick_fd, -1);
		file_replace(&vhost->rings[i].call_fd, -1);
	}
	close(vhost->socket);
}

void *vhost_user_memory(const struct vhost_user *vhost, uint64_t guest, uint64_t size_bytes)
{
	for (size_t i = 0; i < vhost->region_count; i++) {
		const struct vhost_region *region = &vhost->regions[i];
		if (guest >= region->guest_first && size_bytes <= region->size_bytes &&
		    guest - region->guest_first <= region->size_bytes - size_bytes) {
			return region->first + (guest - region->guest_first);
		}
	}
	return NULL;
}

/* The same for an address as QEMU has it. */
static void *qemu_memory(const struct vhost_user *vhost, uint64_t address)
{
	for (size_t i = 0; i < vhost->region_count; i++) {
		const struct vhost_region *region = &vhost->regions[i];
		if (address >= region->qemu_first &&
		    address - region->qemu_first < region->size_bytes) {
			return region->first + (address - region->qemu_first);
		}
	}
	return NULL;
}

static void files_take(struct received *in, struct msghdr *header)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part != NULL;
	     part = CMSG_NXTHDR(header, part)) {
		if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
			in->file_count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(in->files, CMSG_DATA(part), in->file_count * sizeof(int));
		}
	}
}

static bool message_receive(int socket, struct received *in)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(in->files))];
	} control;
	struct iovec header = {.iov_base = &in->message.header, .iov_len = HEADER_BYTES};
	struct msghdr all = {
		.msg_iov = &header,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	memset(in, 0, sizeof(*in));
	if (recvmsg(socket, &all, MSG_WAITALL | MSG_CMSG_CLOEXEC) != (ssize_t)HEADER_BYTES) {
		return false;
	}
	files_take(in, &all);
	if (in->message.header.size > sizeof(in->message.body)) {
		warnx("vhost-user: a message of %u bytes", in->message.header.size);
		return false;
	}
	return in->message.header.size == 0 ||
	       recv(socket, &in->message.body, in->message.header.size, MSG_WAITALL) ==
		       (ssize_t)in->message.header.size;
}

static bool reply(const struct vhost_user *vhost, struct message *message, uint32_t size)
{
	message->header.flags = FLAGS_VERSION | FLAGS_REPLY;
	message->header.size = size;
	struct iovec parts[2] = {
		{.iov_base = &message->header, .iov_len = HEADER_BYTES},
		{.iov_base = &message->body, .iov_len = size},
	};
	const struct msghdr all = {.msg_iov = parts, .msg_iovlen = 2};
	return sendmsg(vhost->socket, &all, MSG_NOSIGNAL) == (ssize_t)(HEADER_BYTES + size);
}

static bool reply_number(const struct vhost_user *vhost, struct message *message, uint64_t number)
{
	message->body.number = number;
	return reply(vhost, message, sizeof(number));
}

static bool memory_set(struct vhost_user *vhost, const struct received *in)
{
	const struct memory_table *table = &in->message.body.memory;
	regions_drop(vhost);
	if (table->count > VHOST_REGIONS_MAX || table->count != in->file_count) {
		warnx("vhost-user: %u memory regions, %zu files", table->count, in->file_count);
		return false;
	}
	for (size_t i = 0; i < table->count; i++) {
		const struct memory_region *from = &table->regions[i];
		struct vhost_region *region = &vhost->regions[i];
		*region = (struct vhost_region){
			.guest_first = from->guest,
			.size_bytes = from->size,
			.qemu_first = from->qemu,
			.map_bytes = from->size + from->offset,
		};
		region->map = mmap(NULL, region->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
				   in->files[i], 0);
		close(in->files[i]);
		if (region->map == MAP_FAILED) {
			err(1, "mapping the guest's memory");
		}
		region->first = region->map + from->offset;
		vhost->region_count = i + 1;
	}
	return true;
}

static struct vhost_ring *ring_get(struct vhost_user *vhost, uint64_t index)
{
	if (index >= VHOST_RINGS_MAX) {
		warnx("vhost-user: queue %llu", (unsigned long long)index);
		return NULL;
	}
	return &vhost->rings[index];
}

static bool ring_address_set(struct vhost_user *vhost, const struct ring_address *address)
{
	struct vhost_ring *ring = ring_get(vhost, address->index);
	if (ring == NULL) {
		return false;
	}
	ring->descriptors = qemu_memory(vhost, address->descriptors);
	ring->available = qemu_memory(vhost, address->available);
	ring->used = qemu_memory(vhost, address->used);
	if (ring->descriptors == NULL || ring->available == NULL || ring->used == NULL) {
		warnx("vhost-user: a queue outside the memory");
		return false;
	}
	ring->used_index = ring->used->idx;
	return true;
}

/* GET_VRING_BASE is how QEMU stops a ring: the guest has reset the device. */
static bool ring_stop(struct vhost_user *vhost, struct message *message)
{
	struct vhost_ring *ring = ring_get(vhost, message->body.state.index);
	if (ring == NULL) {
		return false;
	}
	ring->started = false;
	vhost->stop_count++;
	file_replace(&ring->kick_fd, -1);
	message->body.state.value = ring->next_available;
	return reply(vhost, message, sizeof(message->body.state));
}

static bool ring_file_set(struct vhost_user *vhost, const struct received *in)
{
	const uint64_t value = in->message.body.number;
	struct vhost_ring *ring = ring_get(vhost, value & VRING_INDEX_MASK);
	int file = in->file_count == 1 && (value & VRING_NO_FILE) == 0 ? in->files[0] : -1;
	if (ring == NULL) {
		return false;
	}
	switch (in->message.header.request) {
	case SET_VRING_KICK:
		file_replace(&ring->kick_fd, file);
		ring->started = file >= 0;
		break;
	case SET_VRING_CALL: file_replace(&ring->call_fd, file); break;
	default: /* SET_VRING_ERR: errors are what this device is about; it does not report them. */
		if (file >= 0) {
			close(file);
		}
		break;
	}
	return true;
}

static bool ring_number_set(struct vhost_user *vhost, const struct message *message)
{
	struct vhost_ring *ring = ring_get(vhost, message->body.state.index);
	if (ring == NULL) {
		return false;
	}
	const uint32_t value = message->body.state.value;
	if (message->header.request == SET_VRING_NUM) {
		ring->size = (uint16_t)value;
	} else if (message->header.request == SET_VRING_BASE) {
		ring->next_available = (uint16_t)value;
	} else {
		ring->enabled = value != 0;
	}
	return true;
}

static bool config_get(const struct vhost_user *vhost, struct message *message)
{
	struct config_window *window = &message->body.config;
	const uint32_t size = message->header.size;
	memset(window->bytes, 0, sizeof(window->bytes));
	if (window->offset > sizeof(vhost->config)) {
		return false;
	}
	memcpy(window->bytes, (const uint8_t *)&vhost->config + window->offset,
	       sizeof(vhost->config) - window->offset);
	return reply(vhost, message, size);
}

bool vhost_user_serve(struct vhost_user *vhost)
{
	struct received in;
	if (!message_receive(vhost->socket, &in)) {
		return false;
	}
	struct message *message = &in.message;
	switch ((enum vhost_user_request)message->header.request) {
	case GET_FEATURES: return reply_number(vhost, message, vhost->features_offered);
	case SET_FEATURES: vhost->features = message->body.number; return true;
	case SET_OWNER:
	case RESET_OWNER:
	case SET_PROTOCOL_FEATURES:
	case SET_CONFIG: return true;
	case SET_MEM_TABLE: return memory_set(vhost, &in);
	case SET_VRING_NUM:
	case SET_VRING_BASE:
	case SET_VRING_ENABLE: return ring_number_set(vhost, message);
	case SET_VRING_ADDR: return ring_address_set(vhost, &message->body.address);
	case GET_VRING_BASE: return ring_stop(vhost, message);
	case SET_VRING_KICK:
	case SET_VRING_CALL:
	case SET_VRING_ERR: return ring_file_set(vhost, &in);
	case GET_PROTOCOL_FEATURES:
		return reply_number(vhost, message, PROTOCOL_FEATURE_MQ | PROTOCOL_FEATURE_CONFIG);
	case GET_QUEUE_NUM: return reply_number(vhost, message, VHOST_RINGS_MAX);
	case GET_CONFIG: return config_get(vhost, message);
	}
	warnx("vhost-user: request %u is not known", message->header.request);
	return false;
}
