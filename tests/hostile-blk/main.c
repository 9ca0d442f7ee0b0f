// SPDX-License-Identifier: MIT
/* hostile-blk: a vhost-user-blk back end that serves an image honestly until it is told to lie.
 *
 *   hostile-blk --socket S --image F [--lie "NAME [COUNT [AFTER]]"]
 *
 * Further lies come as lines on standard input; "lied NAME" on standard output says when one was
 * told. The line "present FILE" swaps the disk when the guest resets it the next time. It ends when
 * QEMU hangs up. */
#include <argp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include "tests/hostile-blk/device.h"

#define FEATURE(number) (UINT64_C(1) << (number))
#define LINE_BYTES_MAX  128u
#define PRESENT         "present "

struct arguments {
	const char *socket;
	const char *image;
	const char *lie;
	bool plain;
};

enum {
	OPTION_LIST = 0x100,
	OPTION_PLAIN
};

static const struct argp_option options[] = {
	{"socket", 's', "PATH", 0, "UNIX socket to listen on", 0},
	{"image", 'i', "FILE", 0, "raw image to serve", 0},
	{"lie", 'l', "SCRIPT", 0, "NAME [COUNT [AFTER]]: lie from the start", 0},
	{"plain", OPTION_PLAIN, NULL, 0, "offer neither indirect descriptors nor the event index",
	 0},
	{"list", OPTION_LIST, NULL, 0, "list the lies and end", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static void lies_list(void)
{
	for (unsigned i = 1; i < LIE_COUNT; i++) {
		printf("%-14s %2u  %s\n", lie_rows[i].name, lie_rows[i].item, lie_rows[i].what);
	}
}

static error_t option_parse(int key, char *value, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	switch (key) {
	case 's': arguments->socket = value; return 0;
	case 'i': arguments->image = value; return 0;
	case 'l': arguments->lie = value; return 0;
	case OPTION_PLAIN: arguments->plain = true; return 0;
	case OPTION_LIST: lies_list(); exit(0);
	case ARGP_KEY_END:
		if (arguments->socket == NULL || arguments->image == NULL) {
			argp_error(state, "--socket and --image are needed");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static int connection_wait(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path)) {
		errx(2, "%s: too long for a socket", path);
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(path);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listener, 1) != 0) {
		err(1, "%s", path);
	}
	printf("listening\n");
	int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection < 0) {
		err(1, "%s", path);
	}
	close(listener);
	return connection;
}

static void image_open(struct hostile_device *device, const char *path)
{
	struct stat facts;
	device->next_image = -1;
	device->image = open(path, O_RDWR | O_CLOEXEC);
	if (device->image < 0 || fstat(device->image, &facts) != 0) {
		err(1, "%s", path);
	}
	device->sectors = (uint64_t)facts.st_size / 512u;
}

static bool present_line(struct hostile_device *device, const char *line)
{
	char path[LINE_BYTES_MAX];
	if (strncmp(line, PRESENT, strlen(PRESENT)) != 0) {
		return false;
	}
	memcpy(path, line, strlen(line) + 1);
	path[strcspn(path, "\n")] = '\0';
	device->next_image = open(path + strlen(PRESENT), O_RDWR | O_CLOEXEC);
	return device->next_image >= 0;
}

/* The disk is another one now, of the same size. */
static void image_swap(struct hostile_device *device)
{
	close(device->image);
	device->image = device->next_image;
	device->next_image = -1;
	printf("swapped\n");
}

/* False: there will be no more. */
static bool script_line(struct hostile_device *device)
{
	char line[LINE_BYTES_MAX];
	if (fgets(line, sizeof(line), stdin) == NULL) {
		return false;
	}
	bool is_known = present_line(device, line) || lie_script_parse(&device->script, line);
	printf("%s %s", is_known ? "told" : "unknown", line);
	return true;
}

static void kick_take(struct hostile_device *device, struct vhost_ring *ring)
{
	uint64_t count = 0;
	if (read(ring->kick_fd, &count, sizeof(count)) == (ssize_t)sizeof(count)) {
		hostile_device_serve(device, ring);
	}
}

/* Until QEMU hangs up, or a lie says that we do. */
static void serve(struct hostile_device *device)
{
	bool reads_script = true;
	while (!device->hung_up) {
		struct pollfd files[2 + VHOST_RINGS_MAX] = {
			{.fd = device->vhost.socket, .events = POLLIN},
			{.fd = reads_script ? STDIN_FILENO : -1, .events = POLLIN},
		};
		for (size_t i = 0; i < VHOST_RINGS_MAX; i++) {
			struct vhost_ring *ring = &device->vhost.rings[i];
			files[2 + i] = (struct pollfd){.fd = ring->started ? ring->kick_fd : -1,
						       .events = POLLIN};
		}
		if (poll(files, 2 + VHOST_RINGS_MAX, -1) < 0 && errno != EINTR) {
			err(1, "poll");
		}
		for (size_t i = 0; i < VHOST_RINGS_MAX; i++) {
			if ((files[2 + i].revents & POLLIN) != 0) {
				kick_take(device, &device->vhost.rings[i]);
			}
		}
		if (reads_script && files[1].revents != 0) {
			reads_script = script_line(device);
		}
		const unsigned stops = device->vhost.stop_count;
		if (files[0].revents != 0 && !vhost_user_serve(&device->vhost)) {
			return;
		}
		if (device->next_image >= 0 && device->vhost.stop_count != stops) {
			image_swap(device);
		}
	}
}

int main(int argc, char **argv)
{
	struct arguments arguments = {0};
	static struct hostile_device device;
	const struct argp argp = {
		options, option_parse,
		NULL,    "Serve an image as a vhost-user-blk device that lies on demand.",
		NULL,    NULL,
		NULL};
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	setvbuf(stdout, NULL, _IOLBF, 0);
	setvbuf(stdin, NULL, _IONBF, 0);
	if (arguments.lie != NULL && !lie_script_parse(&device.script, arguments.lie)) {
		errx(2, "%s: no such lie; --list shows them", arguments.lie);
	}
	image_open(&device, arguments.image);
	uint64_t features = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_BLK_F_SEG_MAX) |
			    FEATURE(VIRTIO_BLK_F_FLUSH) | FEATURE(VIRTIO_BLK_F_BLK_SIZE);
	if (!arguments.plain) {
		features |= FEATURE(VIRTIO_RING_F_INDIRECT_DESC) | FEATURE(VIRTIO_RING_F_EVENT_IDX);
	}
	const struct virtio_blk_config config = {
		.capacity = device.sectors,
		.seg_max = 126,
		.blk_size = 512,
		.num_queues = 1,
	};
	vhost_user_init(&device.vhost, connection_wait(arguments.socket), features, &config);
	serve(&device);
	vhost_user_close(&device.vhost);
	printf("served %llu requests\n", (unsigned long long)device.requests);
	return 0;
}
