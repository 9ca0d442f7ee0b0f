// SPDX-License-Identifier: MIT
#include "kernel/control.h"

#include "base/format.h"
#include "base/log.h"
#include "kernel/svsm.h"

#define READ_BYTES         64u
#define ANSWER_BYTES       2048u
#define CONTROL_NAME_BYTES 16u
#define PORT_WAIT_US       0u
#define ANSWER_TIMEOUT_US  1000000u

void control_open(struct svsm *svsm)
{
	svsm->control = (struct control){0};
}

/* The host announces its ports one by one, and this one may come late or never. */
static bool is_open(struct svsm *svsm)
{
	struct control *control = &svsm->control;
	if (control->open || control->refused) {
		return control->open;
	}
	const enum status status = virtio_serial_port_open(&svsm->serial, CONTROL_PORT_NAME,
							   PORT_WAIT_US, &control->port);
	control->open = status == STATUS_OK;
	control->refused = status != STATUS_OK && status != STATUS_NOT_FOUND;
	if (control->refused) {
		log_write(LOG_NOTICE, "control", "no port %s: %s", CONTROL_PORT_NAME,
			  status_name(status));
	}
	return control->open;
}

/* An answer under construction; format_text() cuts what does not fit. */
struct answer {
	char text[ANSWER_BYTES];
	size_t used;
};

static void add_counter(struct answer *answer, const char *name, uint64_t value)
{
	answer->used += format_text(answer->text + answer->used, ANSWER_BYTES - answer->used,
				    "%s=%lu\n", name, value);
}

static void add_text(struct answer *answer, const char *name, const char *value)
{
	answer->used += format_text(answer->text + answer->used, ANSWER_BYTES - answer->used,
				    "%s=%s\n", name, value);
}

static void send(struct svsm *svsm, struct answer *answer)
{
	answer->used += format_text(answer->text + answer->used, ANSWER_BYTES - answer->used, "\n");
	enum status status =
		virtio_serial_write(&svsm->serial, svsm->control.port, svsm->control.generation,
				    (const uint8_t *)answer->text, answer->used, ANSWER_TIMEOUT_US);
	if (status != STATUS_OK) {
		log_write(LOG_NOTICE, "control", "answer not sent: %s", status_name(status));
		svsm->control.deaf = true;
	}
}

static void add_counters(struct svsm *svsm, struct answer *answer)
{
	struct sharedmem_counters shared;
	sharedmem_counters_get(&svsm->sharedmem, &shared);
	if (svsm->state.disk_is_open) {
		struct block_device_counters block;
		struct virtq_counters queue;
		virtio_blk_counters_get(&svsm->state.disk, &block);
		virtio_blk_queue_counters_get(&svsm->state.disk, &queue);
		add_counter(answer, "block_reads", block.reads);
		add_counter(answer, "block_writes", block.writes);
		add_counter(answer, "block_flushes", block.flushes);
		add_counter(answer, "blocks_read", block.blocks_read);
		add_counter(answer, "blocks_written", block.blocks_written);
		add_counter(answer, "block_notifications", queue.notifications);
		add_counter(answer, "block_notifications_suppressed", queue.suppressed);
	}
	if (svsm->state.mounted.volume != NULL) {
		struct volume_counters volume;
		volume_counters_get(svsm->state.mounted.volume, &volume);
		add_counter(answer, "volume_commits", volume.commits);
		add_counter(answer, "volume_checkpoints", volume.checkpoints);
	}
	add_counter(answer, "shared_pages", shared.pages_shared);
	add_counter(answer, "shared_pages_leaked", shared.pages_leaked);
	add_counter(answer, "shared_transitions", shared.transitions);
	add_counter(answer, "shared_bytes_copied",
		    shared.bytes_copied_in + shared.bytes_copied_out);
	add_counter(answer, "shared_loads", shared.loads);
	add_counter(answer, "shared_stores", shared.stores);
	add_counter(answer, "interrupts_device", svsm->interrupts.device);
	add_counter(answer, "interrupts_timer", svsm->interrupts.timer);
	add_counter(answer, "interrupts_masked", svsm->interrupts.masked);
	add_counter(answer, "sleeps", svsm->interrupts.sleeps);
	add_counter(answer, "tpm_commands", svsm->vtpms.services[0].commands);
	add_counter(answer, "tpm_restarts", svsm->vtpms.services[0].restarts);
	add_counter(answer, "free_pages", page_alloc_free_pages(&svsm->memory.pages));
	add_counter(answer, "uptime_us", svsm->clock.now_us(svsm->clock.context));
}

/* No witness can be asked from here yet, so it is "unanchored" or there is no volume. */
static const char *freshness_name(const struct svsm *svsm)
{
	struct volume_freshness_info info = {.freshness = VOLUME_FRESHNESS_UNANCHORED};
	if (svsm->state.mounted.volume == NULL) {
		return "none";
	}
	volume_freshness_get(svsm->state.mounted.volume, &info);
	return volume_freshness_name(info.freshness);
}

static void add_status(const struct svsm *svsm, struct answer *answer)
{
	bool ephemeral = svsm->options.state == STATE_EPHEMERAL;
	const enum status state = svsm->state_status != STATUS_OK ? svsm->state_status
								  : state_condition(&svsm->state);
	add_text(answer, "state", status_name(state));
	add_text(answer, "vtpm", status_name(svsm->vtpms.services[0].status));
	add_text(answer, "mode", ephemeral ? "ephemeral" : "persistent");
	add_text(answer, "state_freshness", freshness_name(svsm));
	if (svsm->state.disk_is_open) {
		struct virtio_blk_condition disk;
		virtio_blk_condition_get(&svsm->state.disk, &disk);
		add_text(answer, "disk_ring", disk.has_packed_ring ? "packed" : "split");
		add_counter(answer, "disk_resets", svsm->state.reset_count);
		add_text(answer, "disk_cause", status_name(svsm->state.cause));
	}
	for (size_t i = 1; i < svsm->vtpms.count; i++) {
		const struct vtpm_service *service = &svsm->vtpms.services[i];
		char name[CONTROL_NAME_BYTES];
		(void)format_text(name, sizeof(name), "vtpm%u", service->instance);
		add_text(answer, name, status_name(service->status));
	}
}

/* True if the machine is to shut down. */
static bool handle(struct svsm *svsm, enum control_request request)
{
	struct answer answer = {.used = 0};
	switch (request) {
	case CONTROL_NOTHING: return false;
	case CONTROL_STATUS: add_status(svsm, &answer); break;
	case CONTROL_COUNTERS: add_counters(svsm, &answer); break;
	case CONTROL_SHUTDOWN: add_text(&answer, "shutdown", "OK"); break;
	case CONTROL_UNKNOWN: add_text(&answer, "error", "unknown request"); break;
	case CONTROL_OVERLONG: add_text(&answer, "error", "line too long"); break;
	}
	send(svsm, &answer);
	return request == CONTROL_SHUTDOWN;
}

/* One byte between lines: should the client leave, it is all that can be mistaken for the next
 * one's. */
static size_t wanted_bytes(const struct control *control)
{
	return control->line.used == 0 ? 1 : READ_BYTES;
}

bool control_is_quiet(const struct svsm *svsm)
{
	const struct control *control = &svsm->control;
	struct virtio_serial_port_state state;
	if (!control->open || control->line.used == 0) {
		return true;
	}
	virtio_serial_port_state(&svsm->serial, control->port, &state);
	return state.generation != control->generation;
}

bool control_step(struct svsm *svsm, bool *shutdown)
{
	struct control *control = &svsm->control;
	struct virtio_serial_port_state state;
	uint8_t bytes[READ_BYTES];
	size_t count;
	if (!is_open(svsm)) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, control->port, &state);
	if (state.generation != control->generation) {
		control->generation = state.generation;
		control->deaf = false;
		control_line_reset(&control->line);
	}
	if (control->deaf) {
		virtio_serial_ignore(&svsm->serial, control->port);
		return false;
	}
	if (virtio_serial_read(&svsm->serial, control->port, bytes, wanted_bytes(control),
			       &count) != STATUS_OK) {
		return false;
	}
	virtio_serial_port_state(&svsm->serial, control->port, &state);
	for (size_t i = 0; i < count && !*shutdown && !control->deaf; i++) {
		*shutdown = handle(
			svsm, control_line_feed(&control->line, (char)bytes[i], state.doubtful));
	}
	return true;
}
