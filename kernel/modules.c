// SPDX-License-Identifier: MIT
#include "kernel/modules.h"

#include <string.h>

#include "base/log.h"
#include "kernel/exit.h"
#include "kernel/svsm.h"

#define TEST_TIMEOUT_US (10u * 1000000u)

const struct boot_module *modules_find(const struct svsm *svsm, const char *name)
{
	for (uint32_t i = 0; i < svsm->params.module_count; i++) {
		if (strcmp(svsm->params.modules[i].name, name) == 0) {
			return &svsm->params.modules[i];
		}
	}
	return NULL;
}

struct process_environment modules_process_environment(struct svsm *svsm, struct store *store)
{
	return (struct process_environment){
		.memory = &svsm->memory,
		.percpu = &svsm->cpu.percpu,
		.apic = &svsm->apic,
		.clock = &svsm->clock,
		.random = &svsm->random,
		.store = store,
		.xcr0 = svsm->xcr0,
	};
}

enum status modules_load(struct svsm *svsm, struct process *process,
			 const struct process_environment *environment, const char *name,
			 const char *const arguments[], size_t argument_count)
{
	const struct boot_module *module = modules_find(svsm, name);
	if (module == NULL) {
		return STATUS_NOT_FOUND;
	}
	const uint8_t *file = kernel_memory_pointer(&svsm->memory, module->bytes.first);
	return process_load(process, environment, name, file, module->bytes.size_bytes, arguments,
			    argument_count);
}

#if !HOLDFAST_PRODUCTION
void modules_run_and_exit(struct svsm *svsm)
{
	struct process *process = &svsm->vtpms.services[0].process;
	const char *name = svsm->options.run_module;
	const char *arguments[] = {name, svsm->options.run_argument};
	size_t count = svsm->options.run_argument[0] == '\0' ? 1 : 2;
	/* Ephemeral: the status is OK, and there is no volume. */
	struct store *store = svsm->state.mounted.volume != NULL ? &svsm->state.store : NULL;
	struct process_environment environment = modules_process_environment(svsm, store);
	enum status status = modules_load(svsm, process, &environment, name, arguments, count);
	if (status != STATUS_OK) {
		log_write(LOG_ERROR, "user", "%s: %s", name, status_name(status));
		exit_machine(EXIT_CONFIG);
	}
	process_run(process, TEST_TIMEOUT_US);
	if (process->state == PROCESS_DEAD && process->death.status == STATUS_OK) {
		log_write(LOG_NOTICE, "user", "%s exited with %d", name, process->death.exit_code);
	} else if (process->state == PROCESS_DEAD) {
		log_write(LOG_NOTICE, "user", "%s ended: %s", name,
			  status_name(process->death.status));
	} else {
		log_write(LOG_NOTICE, "user", "%s waits for a command", name);
	}
	bool passed = process->state == PROCESS_DEAD && process->death.status == STATUS_OK &&
		      process->death.exit_code == 0;
	process_unload(process);
	exit_machine(passed ? EXIT_ORDERLY : EXIT_TEST_FAILED);
}
#endif
