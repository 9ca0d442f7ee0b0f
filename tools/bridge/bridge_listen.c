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

enum status bridge_listen(struct bridge *bridge, enum bridge_protocol protocol,
			  const struct address *address)
{
	struct client_session *session = &bridge->sessions[bridge->listener_count];
	struct address second;
	enum status status = STATUS_OK;
	switch (protocol) {
	case BRIDGE_QEMU: return add_listener(bridge, address, CLIENT_SWTPM_CONTROL, session);
	case BRIDGE_RAW: return add_listener(bridge, address, CLIENT_RAW, session);
	case BRIDGE_SWTPM:
		status = address_second(address, ".ctrl", &second);
		if (status == STATUS_OK) {
			status = add_listener(bridge, address, CLIENT_RAW, session);
		}
		return status != STATUS_OK
			       ? status
			       : add_listener(bridge, &second, CLIENT_SWTPM_CONTROL, session);
	case BRIDGE_MSSIM:
		status = address_second(address, ".platform", &second);
		if (status == STATUS_OK) {
			status = add_listener(bridge, address, CLIENT_MSSIM_COMMAND, session);
		}
		return status != STATUS_OK
			       ? status
			       : add_listener(bridge, &second, CLIENT_MSSIM_PLATFORM, session);
	}
	return STATUS_INVALID;
}
