// SPDX-License-Identifier: MIT
#include "tools/bridge/bridge.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "vtpm/response.h"

#define TPM_RC_CANCELED 0x909u
/* How long a request waits for a service VM that is gone. */
#define GRACE_MS    5000u
#define POLL_MS_MAX 60000u
#define POLL_FDS    (1u + 2u + BRIDGE_LISTENERS_MAX + BRIDGE_CLIENTS_MAX)

static uint64_t now_us(void)
{
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static uint64_t now_ms(void)
{
	return now_us() / 1000;
}

void bridge_init(struct bridge *bridge, const char *service_path, const char *control_path,
		 uint16_t instance)
{
	sigset_t signals;
	memset(bridge, 0, sizeof(*bridge));
	link_init(&bridge->link, service_path, control_path, instance);
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++) {
		bridge->clients[i].channel.fd = -1;
		bridge->clients[i].channel.passed_fd = -1;
	}
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	bridge->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void serve_client(struct bridge *bridge, struct client *client);

static struct client *find_free(struct bridge *bridge)
{
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++) {
		if (bridge->clients[i].kind == CLIENT_FREE) {
			return &bridge->clients[i];
		}
	}
	return NULL;
}

static struct client *add_client(struct bridge *bridge, int fd, enum client_kind kind,
				 struct client_session *session)
{
	struct client *client = find_free(bridge);
	if (client == NULL) {
		if (!bridge->is_full) {
			(void)fprintf(stderr,
				      "holdfast: tpm: %u clients are enough; the next are "
				      "turned away\n",
				      BRIDGE_CLIENTS_MAX);
		}
		bridge->is_full = true;
		(void)close(fd);
		return NULL;
	}
	bridge->is_full = false;
	memset(client, 0, sizeof(*client));
	client->kind = kind;
	client->session = session;
	channel_open(&client->channel, fd);
	return client;
}

static void free_client(struct client *client)
{
	channel_close(&client->channel);
	secure_zero(client, sizeof(*client));
	client->channel.fd = -1;
	client->channel.passed_fd = -1;
}

/* A machine's data end goes with its control connection, and the other way round. */
static void drop_client(struct bridge *bridge, struct client *client)
{
	struct client_session *session = client->session;
	const bool machine = session != NULL && session->is_machine;
	if (client->kind == CLIENT_FREE) {
		return;
	}
	if (machine) {
		/* Off with its power; the next user finds a TPM that has just been started. */
		bridge->recycle_wanted |= session->used_power;
		session->is_machine = false;
	}
	if (client->running) {
		/* The job still borrows its bytes: it is freed when the TPM is done with them. */
		link_cancel(&bridge->link);
		client->abandoned = true;
		client->session = &bridge->sessions[0];
		(void)close(client->channel.fd);
		client->channel.fd = -1;
	} else {
		free_client(client);
	}
	for (uint32_t i = 0; machine && i < BRIDGE_CLIENTS_MAX; i++) {
		struct client *other = &bridge->clients[i];
		if (other != client && other->kind != CLIENT_FREE && other->session == session) {
			drop_client(bridge, other);
		}
	}
}

/* Without an outcome: `code` (TPM_RC). */
static void answer(struct bridge *bridge, struct client *client, const struct link_outcome *outcome,
		   uint32_t code)
{
	trace_request(&bridge->trace, client, outcome, code, now_us());
	client->running = false;
	const enum status status =
		outcome != NULL ? client_complete(client, outcome) : client_fail(client, code);
	if (status != STATUS_OK) {
		drop_client(bridge, client);
	} else {
		serve_client(bridge, client);
	}
}

/* What the client's session has in hand is not wanted any more. */
static void cancel_session(struct bridge *bridge, const struct client_session *session)
{
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++) {
		struct client *client = &bridge->clients[i];
		if (client->kind == CLIENT_FREE || client->session != session || !client->busy ||
		    client->job.is_control || client->abandoned) {
			continue;
		}
		if (client->running) {
			link_cancel(&bridge->link);
		} else {
			answer(bridge, client, NULL, TPM_RC_CANCELED);
		}
	}
}

/* A machine gave us the end over which it sends commands: from now on the two are one. */
static void attach_data_end(struct bridge *bridge, struct client *client)
{
	const int fd = client->channel.passed_fd;
	client->channel.passed_fd = -1;
	client->own_session = (struct client_session){.is_machine = true};
	(void)fprintf(stderr, "holdfast: tpm: a machine came\n");
	client->session = &client->own_session;
	if (add_client(bridge, fd, CLIENT_RAW, client->session) == NULL) {
		drop_client(bridge, client);
	}
}

static void queue_job(struct bridge *bridge, struct client *client)
{
	client->busy = true;
	client->order = bridge->next_order++;
	client->came_us = now_us();
	client->session->used_power |=
		client->job.is_control && (client->job.control.command == TPM_CONTROL_POWER_ON ||
					   client->job.control.command == TPM_CONTROL_POWER_OFF);
}

/* Take up what a client asks, as far as it has said it. */
static void serve_client(struct bridge *bridge, struct client *client)
{
	bool more = true;
	while (more && client->kind != CLIENT_FREE && !client->busy) {
		switch (client_next(client)) {
		case CLIENT_NOTHING: more = false; break;
		case CLIENT_JOB: queue_job(bridge, client); break;
		case CLIENT_ANSWERED: break;
		case CLIENT_CANCEL: cancel_session(bridge, client->session); break;
		case CLIENT_DATA_END: attach_data_end(bridge, client); break;
		case CLIENT_LEAVES: drop_client(bridge, client); break;
		}
	}
}

static void move_client(struct bridge *bridge, struct client *client, short events)
{
	enum status status = channel_flush(&client->channel);
	if (status == STATUS_OK && (events & (POLLIN | POLLHUP | POLLERR)) != 0) {
		status = channel_receive(&client->channel);
	}
	if (status == STATUS_OK) {
		serve_client(bridge, client);
	} else if (status != STATUS_AGAIN && status != STATUS_TOO_LARGE) {
		drop_client(bridge, client);
	} else if (status == STATUS_TOO_LARGE && (events & (POLLHUP | POLLERR)) != 0) {
		drop_client(bridge, client);
	}
}

static void accept_client(struct bridge *bridge, const struct bridge_listener *listener)
{
	const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0) {
		(void)add_client(bridge, fd, listener->kind, listener->session);
	}
}

/* The job at the head of the queue. */
static struct client *oldest_job(struct bridge *bridge)
{
	struct client *oldest = NULL;
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++) {
		struct client *client = &bridge->clients[i];
		if (client->kind != CLIENT_FREE && client->busy && !client->running &&
		    (oldest == NULL || client->order < oldest->order)) {
			oldest = client;
		}
	}
	return oldest;
}

/* Its TPM was reset by somebody else, or the service VM was: what it measured is gone. */
static bool lost_its_tpm(const struct bridge *bridge, const struct client *client)
{
	return client->session->is_machine && client->session->has_power_id &&
	       !client->job.is_control && client->session->power_id != bridge->link.power_id;
}

static void take_outcome(struct bridge *bridge)
{
	struct link_outcome outcome;
	struct client *client = bridge->running;
	if (!link_finish(&bridge->link, &outcome)) {
		return;
	}
	bridge->running = NULL;
	if (bridge->recycling) {
		trace_own(&bridge->trace, &bridge->link.job, &outcome,
			  now_us() - bridge->recycling_since_us);
		bridge->recycling = false;
		return;
	}
	if (client->abandoned) {
		trace_request(&bridge->trace, client, &outcome, 0, now_us());
		free_client(client);
		return;
	}
	answer(bridge, client, &outcome, 0);
}

static void start_recycling(struct bridge *bridge)
{
	const struct link_job job = {
		.is_control = true,
		.control = {.command = TPM_CONTROL_POWER_ON, .flags = TPM_CONTROL_POWER_STARTUP},
	};
	(void)fprintf(stderr, "holdfast: tpm: a machine left; its TPM is reset\n");
	bridge->recycle_wanted = false;
	bridge->recycling = true;
	bridge->recycling_since_us = now_us();
	link_start(&bridge->link, &job, now_ms());
}

static void start_jobs(struct bridge *bridge)
{
	while (link_is_ready(&bridge->link)) {
		struct client *client = oldest_job(bridge);
		if (bridge->recycle_wanted) {
			start_recycling(bridge);
			return;
		}
		if (client == NULL) {
			return;
		}
		if (lost_its_tpm(bridge, client)) {
			answer(bridge, client, NULL, TPM_RC_FAILURE);
			continue;
		}
		client->running = true;
		client->began_us = now_us();
		bridge->running = client;
		link_start(&bridge->link, &client->job, now_ms());
	}
}

/* Without a service VM, requests fail after a while instead of waiting for ever. */
static void fail_waiting_jobs(struct bridge *bridge)
{
	struct client *client = oldest_job(bridge);
	while (!link_is_up(&bridge->link) && client != NULL &&
	       now_ms() - client->came_us / 1000 >= GRACE_MS) {
		answer(bridge, client, NULL, TPM_RC_FAILURE);
		client = oldest_job(bridge);
	}
}

static void tell_link(struct bridge *bridge)
{
	const bool is_up = link_is_up(&bridge->link);
	if (is_up != bridge->was_up) {
		(void)fprintf(stderr, "holdfast: tpm: the service VM %s\n",
			      is_up ? "answers" : "is gone; looking for it");
	}
	bridge->was_up = is_up;
}

static int poll_timeout(struct bridge *bridge)
{
	const uint64_t now = now_ms();
	uint64_t at = link_deadline_ms(&bridge->link);
	/* Jobs that wait behind another have no deadline of their own: that one has. */
	const struct client *client = link_is_up(&bridge->link) ? NULL : oldest_job(bridge);
	if (client != NULL && client->came_us / 1000 + GRACE_MS < at) {
		at = client->came_us / 1000 + GRACE_MS;
	}
	if (at <= now) {
		return 0;
	}
	return at - now < POLL_MS_MAX ? (int)(at - now) : (int)POLL_MS_MAX;
}

static void serve_events(struct bridge *bridge, const struct pollfd *fds)
{
	const struct pollfd *at = fds + 1 + 2;
	if ((fds[0].revents & POLLIN) != 0) {
		bridge->stop = true;
	}
	link_step(&bridge->link, now_ms());
	for (uint32_t i = 0; i < bridge->listener_count; i++, at++) {
		if ((at->revents & POLLIN) != 0) {
			accept_client(bridge, &bridge->listeners[i]);
		}
	}
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++, at++) {
		struct client *client = &bridge->clients[i];
		/* Not one that came, or went, since we looked. */
		if (at->fd >= 0 && at->revents != 0 && client->channel.fd == at->fd) {
			move_client(bridge, client, at->revents);
		}
	}
}

static enum status turn(struct bridge *bridge, int timeout_ms)
{
	struct pollfd fds[POLL_FDS];
	nfds_t count = 0;
	fds[count++] = (struct pollfd){.fd = bridge->signal_fd, .events = POLLIN};
	link_poll(&bridge->link, fds + count);
	count += 2;
	for (uint32_t i = 0; i < bridge->listener_count; i++) {
		fds[count++] = (struct pollfd){.fd = bridge->listeners[i].fd, .events = POLLIN};
	}
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++) {
		const struct client *client = &bridge->clients[i];
		fds[count++] = (struct pollfd){.fd = client->channel.fd,
					       .events = channel_events(&client->channel)};
	}
	if (poll(fds, count, timeout_ms) < 0 && errno != EINTR) {
		return STATUS_IO;
	}
	serve_events(bridge, fds);
	/* An outcome frees the link, and that starts the next job. */
	take_outcome(bridge);
	start_jobs(bridge);
	fail_waiting_jobs(bridge);
	return STATUS_OK;
}

/* Only the link and signals. STATUS_AGAIN: a signal came. */
static enum status link_turn(struct bridge *bridge)
{
	struct pollfd fds[3] = {{.fd = bridge->signal_fd, .events = POLLIN}};
	link_poll(&bridge->link, fds + 1);
	if (poll(fds, ARRAY_COUNT(fds), 50) < 0 && errno != EINTR) {
		return STATUS_IO;
	}
	if ((fds[0].revents & POLLIN) != 0) {
		return STATUS_AGAIN;
	}
	link_step(&bridge->link, now_ms());
	return STATUS_OK;
}

enum status bridge_wait(struct bridge *bridge, uint64_t timeout_ms)
{
	const uint64_t end_ms = now_ms() + timeout_ms;
	enum status status = STATUS_OK;
	while (status == STATUS_OK && !link_is_ready(&bridge->link)) {
		status = link_turn(bridge);
		if (status == STATUS_OK && now_ms() >= end_ms && !link_is_ready(&bridge->link)) {
			status = STATUS_TIMEOUT;
		}
	}
	bridge->was_up = true;
	return status;
}

enum status bridge_ask(struct bridge *bridge, const struct link_job *job,
		       struct link_outcome *outcome)
{
	enum status status = STATUS_OK;
	link_start(&bridge->link, job, now_ms());
	while (status == STATUS_OK && !link_finish(&bridge->link, outcome)) {
		status = link_turn(bridge);
	}
	return status == STATUS_OK ? outcome->status : status;
}

enum status bridge_run(struct bridge *bridge)
{
	enum status status = STATUS_OK;
	while (status == STATUS_OK && !bridge->stop) {
		status = turn(bridge, poll_timeout(bridge));
		tell_link(bridge);
	}
	return status;
}

void bridge_close(struct bridge *bridge)
{
	for (uint32_t i = 0; i < BRIDGE_CLIENTS_MAX; i++) {
		channel_close(&bridge->clients[i].channel);
	}
	for (uint32_t i = 0; i < bridge->listener_count; i++) {
		(void)close(bridge->listeners[i].fd);
		address_unlink(&bridge->listeners[i].address);
	}
	link_close(&bridge->link);
	trace_close(&bridge->trace);
	(void)close(bridge->signal_fd);
}
