// SPDX-License-Identifier: MIT
#include "kernel/fio_service.h"

#if !HOLDFAST_PRODUCTION

#include <string.h>

#include "arch/cpu.h"
#include "base/log.h"
#include "fio/json.h"
#include "fio/run.h"
#include "kernel/exit.h"
#include "kernel/fw_cfg.h"
#include "kernel/svsm.h"

#define JOB_FILE           "opt/org.holdfast/fio"
#define JOB_FILE_BYTES_MAX 8192u
#define VARIABLES_FILE     "opt/org.holdfast/fio-variables"
#define VARIABLES_BYTES    512u
#define VARIABLES_MAX      8u
#define PORT_NAME          "org.holdfast.fio"
#define PORT_WAIT_US       5000000u
#define WRITE_TIMEOUT_US   10000000u
#define JSON_BYTES         (128u * 1024u)
#define QUEUE_DEPTH        FIO_DEPTH_MAX
#define COSTS_COUNT        8u
#define NODE_CACHE_SHARE   4u

/* All that a run needs besides the svsm. */
struct fio_service {
	struct svsm *svsm;
	struct virtio_blk disk;
	struct volume *volume;
	struct volume_queue *queue;
	struct fio_device device;
	struct fio_device in_place; /* The same disk, where jobs may use it so. */
	struct fio_variable variables[VARIABLES_MAX];
	size_t variable_count;
	struct fio_jobs jobs;
	struct fio_result result;
	char job_text[JOB_FILE_BYTES_MAX];
	char variable_text[VARIABLES_BYTES + 1];
	char *json; /* JSON_BYTES. */
	size_t json_used;
	bool json_is_cut;
};

static uint8_t *memory_take(struct svsm *svsm, size_t size_bytes)
{
	struct phys_addr first;
	enum status status = kernel_memory_take(&svsm->memory,
						(size_bytes + PAGE_BYTES - 1) / PAGE_BYTES, &first);
	return status == STATUS_OK ? kernel_memory_pointer(&svsm->memory, first) : NULL;
}

static uint64_t now_ns(void *context)
{
	struct svsm *svsm = context;
	return tsc_time_ns(&svsm->tsc.time, cpu_tsc());
}

/* ---- Jobs ---------------------------------------------------------------------------------- */

/* Lines of NAME=VALUE; there need be none. */
static enum status variables_read(struct fio_service *service)
{
	size_t size = 0;
	enum status status = fw_cfg_read(VARIABLES_FILE, (uint8_t *)service->variable_text,
					 VARIABLES_BYTES, &size);
	if (status == STATUS_NOT_FOUND) {
		return STATUS_OK;
	}
	if (status != STATUS_OK) {
		return status;
	}
	service->variable_text[size] = '\0';
	for (char *at = service->variable_text; *at != '\0';) {
		struct fio_variable *variable = &service->variables[service->variable_count];
		if (service->variable_count == VARIABLES_MAX) {
			return STATUS_TOO_LARGE;
		}
		variable->name = at;
		variable->value = NULL;
		for (; *at != '\0' && *at != '\n'; at++) {
			if (*at == '=' && variable->value == NULL) {
				*at = '\0';
				variable->value = at + 1;
			}
		}
		if (*at == '\n') {
			*at++ = '\0';
		}
		if (variable->value == NULL) {
			return STATUS_BAD_CONFIG;
		}
		service->variable_count++;
	}
	return STATUS_OK;
}

static enum status jobs_read(struct fio_service *service)
{
	struct fio_refusal refusal;
	size_t size = 0;
	enum status status = fw_cfg_read(JOB_FILE, (uint8_t *)service->job_text,
					 sizeof(service->job_text), &size);
	if (status == STATUS_OK) {
		status = variables_read(service);
	}
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "fio", "%s: %s", JOB_FILE, status_name(status));
		return status;
	}
	const struct fio_variables variables = {service->variables, service->variable_count};
	status = fio_jobs_parse(service->job_text, size, &variables, &service->jobs, &refusal);
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "fio", "%s: line %u: %s: %s", JOB_FILE, refusal.line,
			  refusal.text, status_name(status));
	}
	return status;
}

static bool jobs_write(const struct fio_jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++) {
		if (fio_rw_writes(jobs->jobs[i].rw)) {
			return true;
		}
	}
	return false;
}

/* ---- The disk ------------------------------------------------------------------------------ */

static enum status disk_open(struct fio_service *service)
{
	struct svsm *svsm = service->svsm;
	struct device_slot *slot = devices_nth(&svsm->devices, VIRTIO_ID_BLOCK, 0);
	if (slot == NULL) {
		return STATUS_NO_DEVICE;
	}
	const struct virtio_blk_environment environment = {
		.transport = &slot->transport,
		.memory = &svsm->sharedmem,
		.clock = &svsm->clock,
		.depth = VIRTIO_BLK_DEPTH_MAX,
		.data_pages = FIO_SERVICE_DATA_PAGES,
		.lent_pages = svsm->options.fio == FIO_RAW ? FIO_SERVICE_LENT_PAGES : 0,
	};
	return virtio_blk_open(&service->disk, &environment);
}

/* Whoever benchmarks a raw disk overwrites it: not one that carries a volume. */
static enum status raw_open(struct fio_service *service)
{
	struct volume_public_info info;
	const struct block_device *disk = virtio_blk_device(&service->disk);
	enum status status = volume_public_info_read(disk, &info);
	if (status != STATUS_NOT_A_VOLUME && jobs_write(&service->jobs)) {
		log_write(LOG_ERROR, "fio", "the disk carries a volume (%s): not overwritten",
			  status_name(status));
		return STATUS_EXISTS;
	}
	fio_device_in_place(&service->disk, &service->in_place);
	return fio_device_raw(disk, &service->device);
}

/* The volume's node cache takes what its tree fills, but no more than a share of what is free: the
 * jobs need memory as well. */
static size_t arena_bytes(const struct svsm *svsm, const struct volume_public_info *info)
{
	const uint64_t free_bytes = page_alloc_free_pages(&svsm->memory.pages) * PAGE_BYTES;
	const uint64_t share = free_bytes / NODE_CACHE_SHARE;
	return volume_arena_bytes_with(
		info->profile, info->size,
		share < VOLUME_NODE_CACHE_BYTES_DEFAULT ? share : VOLUME_NODE_CACHE_BYTES_DEFAULT);
}

static enum status volume_open(struct fio_service *service)
{
	struct svsm *svsm = service->svsm;
	const struct block_device *disk = virtio_blk_device(&service->disk);
	struct volume_public_info info;
	const struct state_environment environment = {
		.memory = &svsm->memory, .aead = &svsm->aead, .random = &svsm->random};
	enum status status = volume_public_info_read(disk, &info);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t *memory = memory_take(svsm, volume_queue_bytes(QUEUE_DEPTH));
	if (memory == NULL) {
		return STATUS_NO_MEMORY;
	}
	struct state_mounted mounted;
	status = state_mount(&environment, disk, arena_bytes(svsm, &info), NULL, &mounted);
	if (status == STATUS_OK) {
		service->volume = mounted.volume;
		status = volume_queue_open(service->volume, QUEUE_DEPTH, memory,
					   volume_queue_bytes(QUEUE_DEPTH), &service->queue);
	}
	if (status == STATUS_OK) {
		fio_device_volume(service->queue, volume_logical_size(service->volume),
				  &service->device);
	}
	return status;
}

static enum status target_open(struct fio_service *service)
{
	enum status status = disk_open(service);
	if (status == STATUS_OK) {
		status = service->svsm->options.fio == FIO_VOLUME ? volume_open(service)
								  : raw_open(service);
	}
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "fio", "no target: %s: %s", status_name(status),
			  status_advice(status));
	}
	return status;
}

/* ---- Results ------------------------------------------------------------------------------- */

static void json_append(void *context, const char *text)
{
	struct fio_service *service = context;
	const size_t length = strlen(text);
	if (length > JSON_BYTES - service->json_used) {
		service->json_is_cut = true;
		return;
	}
	memcpy(service->json + service->json_used, text, length);
	service->json_used += length;
}

static enum status json_send(struct fio_service *service)
{
	struct virtio_serial *serial = &service->svsm->serial;
	struct virtio_serial_port_state state;
	uint32_t port = 0;
	enum status status = service->json_is_cut ? STATUS_TOO_LARGE : service->svsm->serial_status;
	if (status == STATUS_OK) {
		status = virtio_serial_port_open(serial, PORT_NAME, PORT_WAIT_US, &port);
	}
	if (status == STATUS_OK) {
		status = virtio_serial_poll(serial);
	}
	if (status == STATUS_OK) {
		virtio_serial_port_state(serial, port, &state);
		status = virtio_serial_write(serial, port, state.generation,
					     (const uint8_t *)service->json, service->json_used,
					     WRITE_TIMEOUT_US);
	}
	if (status == STATUS_OK) {
		status = virtio_serial_drain(serial, port, WRITE_TIMEOUT_US);
	}
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "fio", "results not delivered to %s: %s", PORT_NAME,
			  status_name(status));
	}
	return status;
}

/* What the disk and the shared pages have cost since boot, by the names that the results use. */
static void costs_get(const struct fio_service *service, struct fio_cost costs[COSTS_COUNT])
{
	struct block_device_counters device;
	struct virtq_counters queue;
	struct sharedmem_counters shared;
	virtio_blk_counters_get(&service->disk, &device);
	virtio_blk_queue_counters_get(&service->disk, &queue);
	sharedmem_counters_get(&service->svsm->sharedmem, &shared);
	const struct fio_cost now[COSTS_COUNT] = {
		{"device_reads", device.reads},
		{"device_writes", device.writes},
		{"device_flushes", device.flushes},
		{"device_bytes_read", device.blocks_read * BLOCK_BYTES},
		{"device_bytes_written", device.blocks_written * BLOCK_BYTES},
		{"notifications", queue.notifications},
		{"visibility_changes", shared.transitions},
		{"shared_bytes_copied", shared.bytes_copied_in + shared.bytes_copied_out},
	};
	memcpy(costs, now, sizeof(now));
}

static bool is_in_place(const struct fio_service *service, const struct fio_job *job)
{
	return !job->is_verified &&
	       (uint64_t)job->depth * job->block_bytes_max <= service->in_place.buffer_bytes;
}

static void job_run(struct fio_service *service, size_t index, uint8_t *memory, size_t memory_bytes)
{
	const struct fio_job *job = &service->jobs.jobs[index];
	const struct fio_clock clock = {now_ns, service->svsm};
	const bool in_place = is_in_place(service, job);
	const struct fio_device *device = in_place ? &service->in_place : &service->device;
	struct fio_cost before[COSTS_COUNT];
	struct fio_cost costs[COSTS_COUNT];
	costs_get(service, before);
	enum status status = fio_run(job, device, &clock, memory, memory_bytes, &service->result);
	costs_get(service, costs);
	for (size_t i = 0; i < COSTS_COUNT; i++) {
		costs[i].count -= before[i].count;
	}
	const struct fio_costs all = {costs, COSTS_COUNT};
	fio_json_job(json_append, service, index, job, &service->result, &all);
	log_write(LOG_NOTICE, "fio", "%s: %s, data %s", job->name, status_name(status),
		  in_place ? "in place" : "copied");
}

static enum status jobs_run(struct fio_service *service)
{
	enum status first = STATUS_OK;
	size_t memory_bytes = 0;
	for (size_t i = 0; i < service->jobs.count; i++) {
		size_t bytes = fio_run_bytes(&service->jobs.jobs[i]);
		memory_bytes = bytes > memory_bytes ? bytes : memory_bytes;
	}
	uint8_t *memory = memory_take(service->svsm, memory_bytes);
	if (memory == NULL) {
		log_write(LOG_ERROR, "fio", "jobs need %lu bytes of memory", memory_bytes);
		return STATUS_NO_MEMORY;
	}
	fio_json_begin(json_append, service, HOLDFAST_VERSION);
	for (size_t i = 0; i < service->jobs.count; i++) {
		job_run(service, i, memory, memory_bytes);
		first = first == STATUS_OK ? service->result.status : first;
	}
	fio_json_end(json_append, service);
	return first;
}

static void target_close(struct fio_service *service)
{
	if (service->queue != NULL) {
		volume_queue_close(service->queue);
	}
	if (service->volume != NULL) {
		volume_unmount(service->volume);
	}
	virtio_blk_close(&service->disk);
}

NORETURN void fio_service_run_and_exit(struct svsm *svsm)
{
	struct fio_service *service =
		(struct fio_service *)(void *)memory_take(svsm, sizeof(*service));
	enum status status = service == NULL ? STATUS_NO_MEMORY : STATUS_OK;
	if (status == STATUS_OK) {
		service->svsm = svsm;
		service->json = (char *)memory_take(svsm, JSON_BYTES);
		status = service->json == NULL ? STATUS_NO_MEMORY : jobs_read(service);
	}
	if (status == STATUS_OK) {
		status = target_open(service);
	}
	if (status == STATUS_OK) {
		enum status ran = jobs_run(service);
		status = json_send(service);
		status = ran != STATUS_OK ? ran : status;
		target_close(service);
	}
	exit_machine(status == STATUS_OK ? EXIT_ORDERLY : EXIT_TEST_FAILED);
}

#endif
