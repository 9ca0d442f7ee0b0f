# SPDX-License-Identifier: MIT
"""Guards of the services over ring 3 and the disk: whose answer counts, what is started again and
told so, what the platform may ask and when. No item of docs/virtio-threats.md is about them."""

from guard import ONCE, Mutation

SERVICE = "kernel/vtpm_service.c"
APPLY = "kernel/tpm_control_apply.c"
SET = "kernel/vtpm_set.c"
RECOVERY = "kernel/recovery.c"


def _guard(name, who, guard, source, text, replacement, tests, quick=False):
    return Mutation(name, who, quick, guard, ONCE, source, text, replacement, tests)


def _service(name, guard, text, replacement="", quick=False):
    return _guard(name, "service", guard, SERVICE, text, replacement, "test_vtpm_service", quick)


def _apply(name, guard, text, replacement="if (false) {", quick=False):
    return _guard(name, "platform", guard, APPLY, text, replacement, "test_tpm_control_apply",
                  quick)


def _set(name, guard, text, replacement="if (false) {", quick=False):
    return _guard(name, "service", guard, SET, text, replacement, "test_vtpm_set", quick)


def _recovery(name, guard, text, replacement="if (false) {", quick=False):
    return _guard(name, "recovery", guard, RECOVERY, text, replacement, "test_vtpm_set", quick)


MUTATIONS = [
    # ---- A TPM's program ----
    _service("service-durable", "no answer counts once the disk is lost",
             "if (state_is_lost(&service->svsm->state)) { "
             "suspend(service, state_condition(&service->svsm->state)); return false; }",
             quick=True),
    _service("service-dead-disk", "nor is a crash with it a restart",
             "if (state_is_lost(&service->svsm->state)) { "
             "suspend(service, state_condition(&service->svsm->state)); return; }"),
    _service("service-response", "a response is as long as it says",
             "if (service->process.state == PROCESS_WAITING && "
             "response_check(channel->response, channel->response_size_bytes) == STATUS_OK) {",
             "if (service->process.state == PROCESS_WAITING) {", quick=True),
    _service("service-liar", "a program that lied is ended",
             "process_kill(&service->process, "
             "&(struct process_death){.status = STATUS_BAD_USER});"),
    _service("service-object", "a program reaches its own object alone",
             "environment.store_object = service->names.object;",
             "environment.store_object = NULL;", quick=True),
    _service("service-ephemeral", "an ephemeral one reaches no store",
             "ephemeral ? NULL : &service->svsm->state.store);", "&service->svsm->state.store);"),
    _service("service-finding", "a finding is not tried again until it passes",
             "bool allowed = may_restart(&service->process);", "bool allowed = true;"),
    _service("service-restarts", "restarts end", "if (verdict != STATUS_OK) {",
             "if (false) {"),
    _service("service-told", "who crashed knows, and caps its PCRs",
             "enum status status = launch(service, LAUNCH_RESTARTED);",
             "enum status status = launch(service, LAUNCH_STARTED);", quick=True),
    _service("service-told-again", "and who was ended with its disk",
             "launch_settle(service, launch(service, LAUNCH_RESTARTED));",
             "launch_settle(service, launch(service, LAUNCH_STARTED));"),
    _service("service-doubt", "with doubt an idle program reads again",
             "suspend(service, service->svsm->state.cause);"),
    _service("service-stays-off", "a TPM without power does not come back with the disk",
             "if (!service->suspended) { return; /* Switched off, or unavailable for reasons of "
             "its own. */ }"),
    _service("service-end", "a suspended program is ended too",
             "if (service->status == STATUS_OK || service->suspended) {",
             "if (service->status == STATUS_OK) {"),
    _service("service-ended", "and does not come back",
             "process_unload(&service->process); service->suspended = false; "
             "become_unavailable(service, cause);",
             "process_unload(&service->process); become_unavailable(service, cause);"),
    _service("service-cancel", "a cancel ends with its command",
             "service->process.cancelled = false;"),
    _service("service-no-power", "without power nobody runs",
             "if (service->status == STATUS_OK && service->powered) { hand_over(",
             "if (service->status == STATUS_OK) { hand_over("),
    _service("service-orderly", "a shutdown that failed is none",
             "response_code(response) == TPM_RC_SUCCESS;", "response != NULL;"),
    _service("service-shut-down", "who lost power without a shutdown gets one",
             "void vtpm_service_power_off(struct vtpm_service *service) { "
             "vtpm_service_shutdown(service);",
             "void vtpm_service_power_off(struct vtpm_service *service) {"),
    _service("service-new", "power on is a new process",
             "if (service->powered) { vtpm_service_power_off(service); }"),
    _service("service-power-id", "no power that could not be told apart",
             "if (status == STATUS_OK) { status = launch(service, how); }",
             "status = launch(service, how);"),
    _service("service-state", "no TPM without its state",
             "if (cause != STATUS_OK) { become_unavailable(service, cause); return; }"),

    # ---- What the platform asks ----
    _apply("apply-if-off", "power for whoever has none",
           "if (!service->powered || (request->flags & TPM_CONTROL_POWER_IF_OFF) == 0) {",
           "if (true) {", quick=True),
    _apply("apply-off", "what reaches the TPM needs power",
           "return service->powered ? TPM_CONTROL_OK : TPM_CONTROL_IS_OFF;",
           "return TPM_CONTROL_OK;"),
    _apply("apply-unavailable", "and a TPM",
           "if (service->status != STATUS_OK) { return TPM_CONTROL_UNAVAILABLE; } return service",
           "return service"),
    _apply("apply-flag-size", "the flag is in the answer",
           "if (result != TPM_CONTROL_OK || size_bytes != 1) {",
           "if (result != TPM_CONTROL_OK) {", quick=True),
    _apply("apply-flag-kept", "the flag outlives the power",
           "service->established |= parameters[0] != 0;",
           "service->established = parameters[0] != 0;"),
    _apply("apply-flag-reset", "and is reset if the TPM allows it",
           "if (result == TPM_CONTROL_OK) { service->established = false; }",
           "service->established = false;"),
    _apply("apply-launch", "a hash that failed is no launch",
           "if (result == TPM_CONTROL_OK) { service->control.hashes++;",
           "{ service->control.hashes++;"),
    _apply("apply-locality", "why the TPM said no",
           "case SERVICE_RC_LOCALITY: return TPM_CONTROL_BAD_LOCALITY;", ""),
    _apply("apply-buffer-on", "no other buffers while it runs",
           "if (wanted_bytes != 0 && service->powered) {"),
    _apply("apply-buffer-most", "no larger than there are",
           "size = size > SERVICE_BUFFER_BYTES_MAX ? SERVICE_BUFFER_BYTES_MAX : size;", ""),
    _apply("apply-buffer-least", "no smaller than a TPM needs",
           "size < SERVICE_BUFFER_BYTES_MIN ? SERVICE_BUFFER_BYTES_MIN : size;", "size;"),
    _apply("apply-cancel", "a cancel is for a command that runs",
           "if (service->running && !service->process.cancelled) {",
           "if (!service->process.cancelled) {"),

    # ---- Several TPMs ----
    _set("set-state", "no TPMs of a state that failed",
         "if (svsm->state_status != STATUS_OK || svsm->state.mounted.volume == NULL) {",
         "if (svsm->state.mounted.volume == NULL) {"),
    _set("set-volume", "nor of a volume that is not there",
         "if (svsm->state_status != STATUS_OK || svsm->state.mounted.volume == NULL) {",
         "if (svsm->state_status != STATUS_OK) {"),
    _set("set-list", "nor of half a list",
         'log_write(LOG_ERROR, "vtpm", "cannot list the TPMs: %s", status_name(status)); return;',
         ""),
    _set("set-port", "a TPM without a port is not started",
         "if (i > 0 && !open_other(svsm, service)) {", quick=True),
    _set("set-stopped", "who stopped has no turn", "if (!service->stopped) { service->worked",
         "if (true) { service->worked"),
    _set("set-busy", "a new start of the device waits for who is at work",
         "quiet &= !service->busy && vtpm_service_is_quiet(service) &&",
         "quiet &= vtpm_service_is_quiet(service) &&"),
    _set("set-quiet", "and for a command that is on its way",
         "quiet &= !service->busy && vtpm_service_is_quiet(service) &&",
         "quiet &= !service->busy &&", quick=True),
    _set("set-message", "and a while for a message to the platform",
         "(!patient || tpm_control_is_quiet(service));", "true;"),
    _set("set-line", "or a line",
         "bool quiet = !patient || control_is_quiet(svsm);", "bool quiet = true;"),
    _set("set-patience", "not for ever",
         "return !clock_deadline_passed(&svsm->clock, set->restart_patience);", "return true;"),
    _set("set-patience-anew", "and each time as long", "set->restart_waits = false; return false;",
         "return false;"),
    _set("set-deadline", "the earliest deadline", "(!found || own_us < *at_us)) {", "true) {"),
    _set("set-stop", "a stop waits for all", "while (!all_stopped(set)) {",
         "for (int once = 0; once < 1; once++) {"),

    # ---- A disk that died ----
    _recovery("recover-lost", "a disk that lives is left alone",
              "if (!state_is_lost(state)) { return false; }", "", quick=True),
    _recovery("recover-doubt", "a doubt concerns every TPM",
              "const bool has_doubt = volume_recall_has_doubt(&svsm->state.recall);",
              "const bool has_doubt = false;"),
    _recovery("recover-restart", "what was cut short starts again",
              "case RECOVERY_TPM_RESTARTS: vtpm_service_start_again(service); break;",
              "case RECOVERY_TPM_RESTARTS: break;"),
    _recovery("recover-again", "an attempt that may be repeated ends nobody",
              "} else if (!state_is_lost(state)) {", "} else {"),
    _recovery("recover-end", "the last one ends all",
              "vtpm_service_end(&svsm->vtpms.services[i], verdict);", ""),
    _recovery("recover-exit", "and the machine, if that was chosen",
              "if (svsm->options.on_failure == FAILURE_EXIT) {"),
]
