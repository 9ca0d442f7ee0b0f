# SPDX-License-Identifier: MIT
"""Guards against what clients and programs of ring 3 say: streams of a TPM's bytes, the two control
ports, responses. No item of docs/virtio-threats.md is about them."""

from guard import ONCE, Mutation

CONTROL = "test_vtpm_tpm_control"
STREAM = "test_vtpm_tpm_control_stream"
FRAME = "test_vtpm_frame"
PEER = "client"
USER = "ring 3"


def _guard(name, who, quick, guard, source, text, replacement, tests):
    return Mutation(name, who, quick, guard, ONCE, source, text, replacement, tests)


MUTATIONS = [
    # ---- A TPM's byte stream ----
    _guard("frame-short", PEER, True, "a command has a header", "vtpm/frame.c",
           "if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {",
           "if (size > TPM_COMMAND_BYTES_MAX) {", FRAME),
    _guard("frame-long", PEER, True, "a command fits its buffer", "vtpm/frame.c",
           "if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {",
           "if (size < TPM_HEADER_BYTES) {", FRAME),
    _guard("frame-client", PEER, True, "half a command of a client that left", "vtpm/frame.c",
           "frame->generation = generation; begin_header(frame); return true;",
           "frame->generation = generation; return true;", FRAME),
    _guard("frame-quiet", PEER, False, "an answer to nonsense when it has ended", "vtpm/frame.c",
           "if (!frame_deadline(frame, &at_us) || now_us < at_us) {",
           "if (!frame_deadline(frame, &at_us)) {", FRAME),
    _guard("frame-still-quiet", PEER, False, "each byte puts it off", "vtpm/frame.c",
           "used = size; frame->last_byte_us = now_us;", "used = size;", FRAME),
    _guard("frame-scrub", PEER, False, "a command is forgotten", "vtpm/frame.c",
           "secure_zero(frame->bytes, frame->stored_bytes);", "", FRAME),
    _guard("doubt-tag", PEER, False, "doubtful bytes begin with a tag", "vtpm/doubt.c",
           "if (bytes[0] != 0x80) {", "if (false) {", "test_vtpm_doubt"),
    _guard("doubt-size", PEER, False, "and have a size", "vtpm/doubt.c",
           "return claimed >= TPM_HEADER_BYTES && claimed <= TPM_COMMAND_BYTES_MAX;",
           "return true;", "test_vtpm_doubt"),
    _guard("doubt-whole", PEER, False, "a command is believed when it is whole", "vtpm/doubt.c",
           "return DOUBT_HOLD;", "return DOUBT_ACCEPT;", "test_vtpm_doubt"),

    # ---- The TPM's control port ----
    _guard("control-magic", PEER, True, "a message has its magic and a size", "vtpm/tpm_control.c",
           "if (decoded.magic != magic || decoded.body_bytes > TPM_CONTROL_BODY_BYTES_MAX) {",
           "if (decoded.magic != magic) {", CONTROL + " " + STREAM),
    _guard("control-version", PEER, False, "a version that we speak", "vtpm/tpm_control.c",
           "if (header->version != TPM_CONTROL_VERSION && header->command != "
           "TPM_CONTROL_HELLO) {", "if (false) {", CONTROL),
    _guard("control-command", PEER, True, "a command that there is", "vtpm/tpm_control.c",
           "if (!is_command(header->command)) {", "if (header->command == 0) {", CONTROL),
    _guard("control-instance", PEER, False, "a message for this TPM", "vtpm/tpm_control.c",
           "if (header->instance != instance) {", "if (false) {", CONTROL),
    _guard("control-least", PEER, True, "a body that is long enough", "vtpm/tpm_control.c",
           "if (header->body_bytes < body_sizes[header->command].min_bytes ||", "if (",
           CONTROL),
    _guard("control-most", PEER, False, "and not too long", "vtpm/tpm_control.c",
           "|| header->body_bytes > body_sizes[header->command].max_bytes) {", ") {", CONTROL),
    _guard("control-reserved", PEER, False, "zeroes where zeroes belong", "vtpm/tpm_control.c",
           "return header->result == 0 && header->reserved == 0 ? TPM_CONTROL_OK : "
           "TPM_CONTROL_BAD_VALUE;", "return TPM_CONTROL_OK;", CONTROL),
    _guard("control-flags", PEER, False, "flags that there are", "vtpm/tpm_control.c",
           "return (request->flags & ~TPM_CONTROL_POWER_FLAGS) == 0 ? TPM_CONTROL_OK : "
           "TPM_CONTROL_BAD_VALUE;", "return TPM_CONTROL_OK;", CONTROL),
    _guard("control-locality", PEER, True, "a locality that there is", "vtpm/tpm_control.c",
           "return request->locality <= TPM_CONTROL_LOCALITY_MAX ? TPM_CONTROL_OK : "
           "TPM_CONTROL_BAD_VALUE;", "return TPM_CONTROL_OK;", CONTROL),
    _guard("control-size", PEER, False, "a message is as long as it says", "vtpm/tpm_control.c",
           "size_bytes != TPM_CONTROL_HEADER_BYTES + request->header.body_bytes) {", "false) {",
           CONTROL),
    _guard("stream-room", PEER, True, "no more than a message is held",
           "vtpm/tpm_control_stream.c",
           "if (size_bytes > TPM_CONTROL_MESSAGE_BYTES_MAX - stream->used_bytes) {",
           "if (false) {", STREAM),
    _guard("stream-lost", PEER, False, "a client out of step stays so",
           "vtpm/tpm_control_stream.c", "stream->lost = !doubtful;", "stream->lost = false;",
           STREAM),
    _guard("stream-beyond", PEER, False, "no bytes behind a message",
           "vtpm/tpm_control_stream.c", "(wanted != 0 && stream->used_bytes > wanted))) {",
           "false)) {", STREAM),
    _guard("stream-doubt", PEER, False, "a new client's message begins anew",
           "vtpm/tpm_control_stream.c",
           "if (!doubtful && stream->doubtful && starts_message(stream, bytes, size_bytes)) {",
           "if (false) {", STREAM),

    # ---- The kernel's control port ----
    _guard("line-long", PEER, True, "a line fits its buffer", "kernel/control_line.c",
           "if (line->used == CONTROL_LINE_BYTES_MAX) {", "if (false) {", "test_control_line"),
    _guard("line-overlong", PEER, False, "a line that did not fit is no request",
           "kernel/control_line.c", "if (line->overlong) { return CONTROL_OVERLONG; }", "",
           "test_control_line"),
    _guard("line-doubt", PEER, False, "no complaint about doubtful bytes",
           "kernel/control_line.c",
           "return doubtful && is_error(request) ? CONTROL_NOTHING : request;",
           "return request;", "test_control_line"),
    _guard("log-budget", PEER, True, "a client cannot fill the log", "kernel/log_budget.c",
           "if (budget->used_up && budget->left < (budget->burst + 1) / 2) {", "if (false) {",
           "test_log_budget"),
    _guard("log-clock", PEER, False, "nor with a clock that goes back", "kernel/log_budget.c",
           "if (now_us < budget->counted_us) {", "if (false) {", "test_log_budget"),

    # ---- Ring 3 ----
    _guard("response-size", USER, True, "a response is as long as it says", "vtpm/response.c",
           "if (!reader_ok(&reader) || size != size_bytes) {", "if (!reader_ok(&reader)) {",
           "test_vtpm_response"),
    _guard("response-limits", USER, False, "and within the limits", "vtpm/response.c",
           "if (size_bytes < TPM_HEADER_BYTES || size_bytes > TPM_RESPONSE_BYTES_MAX) {",
           "if (size_bytes < TPM_HEADER_BYTES) {", "test_vtpm_response"),
    _guard("response-tag", USER, False, "and has a tag", "vtpm/response.c",
           "if (tag != TPM_ST_NO_SESSIONS && tag != TPM_ST_SESSIONS && tag != "
           "TPM_ST_RSP_COMMAND) {", "if (false) {", "test_vtpm_response"),
    _guard("restarts", USER, True, "so many restarts", "vtpm/restart_policy.c",
           "if (policy->restarts == RESTART_MAX) {", "if (false) {",
           "test_vtpm_restart_policy"),
    _guard("no-restart", USER, False, "none where it cannot help", "vtpm/restart_policy.c",
           "if (!may_restart) {", "if (false) {", "test_vtpm_restart_policy"),
    _guard("service-message", USER, False, "a message has a kind, a locality, a size",
           "vtpm/service_message.c",
           "if (!reader_ok(&reader) || kind > SERVICE_RESET_ESTABLISHED || locality > "
           "SERVICE_LOCALITY_MAX || reserved != 0 || left > TPM_COMMAND_BYTES_MAX) {",
           "if (!reader_ok(&reader) || kind > SERVICE_RESET_ESTABLISHED || reserved != 0 || "
           "left > TPM_COMMAND_BYTES_MAX) {", "test_vtpm_service_message"),
]
