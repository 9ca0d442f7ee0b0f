// SPDX-License-Identifier: MIT
#include "tools/bridge/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static bool copy_path(const char *path, char out[ADDRESS_PATH_BYTES])
{
	const size_t length = strlen(path);
	if (length == 0 || length >= ADDRESS_PATH_BYTES) {
		return false;
	}
	memcpy(out, path, length + 1);
	return true;
}

enum status address_parse(const char *text, struct address *address)
{
	struct address parsed = {0};
	char *end = NULL;
	if (strncmp(text, "unix:", 5) == 0) {
		if (!copy_path(text + 5, parsed.path)) {
			return STATUS_INVALID;
		}
		*address = parsed;
		return STATUS_OK;
	}
	if (strncmp(text, "tcp:", 4) != 0 || text[4] < '0' || text[4] > '9') {
		return STATUS_INVALID;
	}
	const unsigned long port = strtoul(text + 4, &end, 10);
	if (*end != '\0' || port == 0 || port > UINT16_MAX) {
		return STATUS_INVALID;
	}
	parsed.is_tcp = true;
	parsed.port = (uint16_t)port;
	*address = parsed;
	return STATUS_OK;
}

enum status address_second(const struct address *first, const char *suffix, struct address *second)
{
	const size_t length = strlen(first->path);
	*second = *first;
	if (first->is_tcp) {
		second->port = (uint16_t)(first->port + 1u);
		return first->port == UINT16_MAX ? STATUS_INVALID : STATUS_OK;
	}
	if (length + strlen(suffix) >= ADDRESS_PATH_BYTES) {
		return STATUS_INVALID;
	}
	memcpy(second->path + length, suffix, strlen(suffix) + 1);
	return STATUS_OK;
}

static struct sockaddr_un unix_address(const char path[ADDRESS_PATH_BYTES])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memcpy(address.sun_path, path, ADDRESS_PATH_BYTES);
	return address;
}

static enum status bind_unix(const struct address *address, int fd)
{
	const struct sockaddr_un name = unix_address(address->path);
	const mode_t mask = umask(0177);
	const int failed = bind(fd, (const struct sockaddr *)&name, sizeof(name));
	const int error = errno;
	(void)umask(mask);
	if (failed == 0) {
		return STATUS_OK;
	}
	return error == EADDRINUSE ? STATUS_BUSY : STATUS_IO;
}

/* A socket that its owner left behind when it was killed. */
static bool is_stale(const struct address *address)
{
	int fd;
	const enum status status = address_connect_unix(address->path, &fd);
	if (status == STATUS_OK) {
		(void)close(fd);
	}
	return status == STATUS_NO_DEVICE;
}

static enum status bind_tcp(const struct address *address, int fd)
{
	const int yes = 1;
	const struct sockaddr_in name = {
		.sin_family = AF_INET,
		.sin_port = htons(address->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0) {
		return STATUS_OK;
	}
	return errno == EADDRINUSE ? STATUS_BUSY : STATUS_IO;
}

static enum status bind_any(const struct address *address, int fd)
{
	if (address->is_tcp) {
		return bind_tcp(address, fd);
	}
	enum status status = bind_unix(address, fd);
	if (status == STATUS_BUSY && is_stale(address)) {
		(void)unlink(address->path);
		status = bind_unix(address, fd);
	}
	return status;
}

enum status address_listen(const struct address *address, int *fd)
{
	const int made = socket(address->is_tcp ? AF_INET : AF_UNIX,
				SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (made < 0) {
		return STATUS_IO;
	}
	enum status status = bind_any(address, made);
	if (status == STATUS_OK && listen(made, BACKLOG) != 0) {
		status = STATUS_IO;
	}
	if (status != STATUS_OK) {
		(void)close(made);
		return status;
	}
	*fd = made;
	return STATUS_OK;
}

void address_unlink(const struct address *address)
{
	if (!address->is_tcp) {
		(void)unlink(address->path);
	}
}

enum status address_connect_unix(const char *path, int *fd)
{
	char bounded[ADDRESS_PATH_BYTES] = {0};
	if (!copy_path(path, bounded)) {
		return STATUS_INVALID;
	}
	const struct sockaddr_un name = unix_address(bounded);
	const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (made < 0) {
		return STATUS_IO;
	}
	if (connect(made, (const struct sockaddr *)&name, sizeof(name)) == 0) {
		*fd = made;
		return STATUS_OK;
	}
	const int error = errno;
	(void)close(made);
	/* EAGAIN: its queue of connections is full, so it is served by nobody just now. */
	return error == ENOENT || error == ECONNREFUSED || error == EAGAIN ? STATUS_NO_DEVICE
									   : STATUS_IO;
}
