// SPDX-License-Identifier: MIT
#include "kernel/recovery.h"

#include "base/log.h"
#include "kernel/exit.h"
#include "kernel/recovery_policy.h"
#include "kernel/svsm.h"

static void refuse(struct svsm *svsm, enum status verdict)
{
	log_write(LOG_ERROR, "state", "failed: %s: %s", status_name(verdict),
		  status_advice(verdict));
	for (size_t i = 0; i < svsm->vtpms.count; i++) {
		vtpm_service_end(&svsm->vtpms.services[i], verdict);
	}
	if (svsm->options.on_failure == FAILURE_EXIT) {
		exit_state_failure(verdict);
	}
}

static void tpms_recover(struct svsm *svsm)
{
	const bool has_doubt = volume_recall_has_doubt(&svsm->state.recall);
	for (size_t i = 0; i < svsm->vtpms.count; i++) {
		struct vtpm_service *service = &svsm->vtpms.services[i];
		switch (recovery_tpm_decide(service->suspended, has_doubt)) {
		case RECOVERY_TPM_CONTINUES: break;
		case RECOVERY_TPM_RESTARTS: vtpm_service_start_again(service); break;
		}
	}
}

bool recovery_step(struct svsm *svsm)
{
	struct state *state = &svsm->state;
	state_look(state, &svsm->clock);
	if (!state_is_lost(state)) {
		return false;
	}
	const struct state_environment environment = svsm_state_environment(svsm);
	const enum status status = state_recover(state, &environment);
	if (status == STATUS_OK) {
		struct volume_info info;
		volume_info_get(state->mounted.volume, &info);
		log_write(LOG_NOTICE, "state", "mounted again: epoch=%lu sequence=%lu", info.epoch,
			  info.sequence);
		tpms_recover(svsm);
	} else if (!state_is_lost(state)) {
		refuse(svsm, status);
	}
	return true;
}
