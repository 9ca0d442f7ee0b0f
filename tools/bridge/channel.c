// SPDX-License-Identifier: MIT
#include "tools/bridge/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

void channel_open(struct channel *channel, int fd)
{
	const int flags = fcntl(fd, F_GETFL);
	(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	channel->fd = fd;
	channel->received_bytes = 0;
	channel->unsent_bytes = 0;
	channel->passed_fd = -1;
}

void channel_close(struct channel *channel)
{
	if (channel->fd >= 0) {
		(void)close(channel->fd);
	}
	if (channel->passed_fd >= 0) {
		(void)close(channel->passed_fd);
	}
	/* Commands carry authorisation values. */
	secure_zero(channel, sizeof(*channel));
	channel->fd = -1;
	channel->passed_fd = -1;
}

/* Keep one descriptor; whatever else came with it would only stay open for ever. */
static void take_descriptors(struct channel *channel, struct msghdr *message)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at != NULL;
	     at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS) {
			continue;
		}
		const size_t count = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(at) + i * sizeof(fd), sizeof(fd));
			if (channel->passed_fd < 0) {
				channel->passed_fd = fd;
			} else {
				(void)close(fd);
			}
		}
	}
}

enum status channel_receive(struct channel *channel)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
	struct iovec part = {
		.iov_base = channel->received + channel->received_bytes,
		.iov_len = CHANNEL_BYTES - channel->received_bytes,
	};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	if (part.iov_len == 0) {
		return STATUS_TOO_LARGE;
	}
	const ssize_t got = recvmsg(channel->fd, &message, MSG_CMSG_CLOEXEC);
	if (got < 0) {
		return errno == EAGAIN || errno == EINTR ? STATUS_AGAIN : STATUS_NO_DEVICE;
	}
	take_descriptors(channel, &message);
	if (got == 0) {
		return STATUS_NO_DEVICE;
	}
	channel->received_bytes += (size_t)got;
	return STATUS_OK;
}

void channel_consume(struct channel *channel, size_t size_bytes)
{
	const size_t left = channel->received_bytes - size_bytes;
	memmove(channel->received, channel->received + size_bytes, left);
	secure_zero(channel->received + left, size_bytes);
	channel->received_bytes = left;
}

enum status channel_flush(struct channel *channel)
{
	while (channel->unsent_bytes > 0) {
		const ssize_t sent =
			send(channel->fd, channel->unsent, channel->unsent_bytes, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR) {
			continue;
		}
		if (sent < 0) {
			return errno == EAGAIN ? STATUS_OK : STATUS_NO_DEVICE;
		}
		const size_t left = channel->unsent_bytes - (size_t)sent;
		memmove(channel->unsent, channel->unsent + sent, left);
		secure_zero(channel->unsent + left, (size_t)sent);
		channel->unsent_bytes = left;
	}
	return STATUS_OK;
}

enum status channel_send(struct channel *channel, const uint8_t *bytes, size_t size_bytes)
{
	if (size_bytes > CHANNEL_BYTES - channel->unsent_bytes) {
		return STATUS_TOO_LARGE;
	}
	if (size_bytes > 0) {
		memcpy(channel->unsent + channel->unsent_bytes, bytes, size_bytes);
		channel->unsent_bytes += size_bytes;
	}
	return channel_flush(channel);
}

short channel_events(const struct channel *channel)
{
	const bool room = channel->received_bytes < CHANNEL_BYTES;
	return (short)((room ? POLLIN : 0) | (channel->unsent_bytes > 0 ? POLLOUT : 0));
}
