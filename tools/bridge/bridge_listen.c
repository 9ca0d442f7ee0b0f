// SPDX-License-Identifier: MIT
/* Where a bridge listens: some protocols have a second socket beside the first. */
#include "tools/bridge/bridge.h"

static enum status add_listener(struct bridge *bridge, const struct address *address,
				enum client_kind kind, struct client_session *session)
{
	if (bridge->listener_count == BRIDGE_LISTENERS_MAX) {
		return STATUS_LIMIT;
	}
	struct bridge_listener *listener = &bridge->listeners[bridge->listener_count];
	const enum status status = address_listen(address, &listener->fd);
	if (status == STATUS_OK) {
		listener->address = *address;
		listener->kind = kind;
		listener->session = session;
		bridge->listener_count++;
	}
	return status;
}

/* A protocol whose second socket is beside the first, with a name that ends so. */
static enum status add_pair(struct bridge *bridge, const struct address *address,
			    enum client_kind kind, const char *ending, enum client_kind second_kind,
			    struct client_session *session)
{
	struct address second;
	enum status status = address_second(address, ending, &second);
	if (status == STATUS_OK) {
		status = add_listener(bridge, address, kind, session);
	}
	return status == STATUS_OK ? add_listener(bridge, &second, second_kind, session) : status;
}

enum status bridge_listen(struct bridge *bridge, enum bridge_protocol protocol,
			  const struct address *address)
{
	struct client_session *session = &bridge->sessions[bridge->listener_count];
	switch (protocol) {
	case BRIDGE_QEMU: return add_listener(bridge, address, CLIENT_SWTPM_CONTROL, session);
	case BRIDGE_RAW: return add_listener(bridge, address, CLIENT_RAW, session);
	case BRIDGE_SWTPM:
		return add_pair(bridge, address, CLIENT_RAW, ".ctrl", CLIENT_SWTPM_CONTROL,
				session);
	case BRIDGE_MSSIM:
		return add_pair(bridge, address, CLIENT_MSSIM_COMMAND, ".platform",
				CLIENT_MSSIM_PLATFORM, session);
	}
	return STATUS_INVALID;
}
