// SPDX-License-Identifier: MIT
#include "kernel/options.h"

#include <stddef.h>
#include <string.h>

#include "boot/cmdline.h"

static bool copy_word(struct cmdline_word word, char *out, size_t size)
{
	if (word.size_bytes == 0 || word.size_bytes >= size) {
		return false;
	}
	memcpy(out, word.text, word.size_bytes);
	out[word.size_bytes] = '\0';
	return true;
}

/* -1: not a digit. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

#if !HOLDFAST_PRODUCTION
static bool parse_hex32(struct cmdline_word word, uint32_t *out)
{
	struct cmdline_word digits;
	uint32_t value = 0;
	if (!cmdline_word_after(word, "0x", &digits)) {
		digits = word;
	}
	if (digits.size_bytes == 0 || digits.size_bytes > 8) {
		return false;
	}
	for (size_t i = 0; i < digits.size_bytes; i++) {
		const int digit = hex_digit(digits.text[i]);
		if (digit < 0) {
			return false;
		}
		value = value * 16 + (uint32_t)digit;
	}
	*out = value;
	return true;
}

#endif

static bool parse_state(struct cmdline_word value, struct kernel_options *options)
{
	if (cmdline_word_equals(value, "require")) {
		options->state = STATE_REQUIRE;
		return true;
	}
	if (cmdline_word_equals(value, "ephemeral")) {
		options->state = STATE_EPHEMERAL;
		return true;
	}
	return false;
}

static bool parse_on_failure(struct cmdline_word value, struct kernel_options *options)
{
	if (cmdline_word_equals(value, "serve")) {
		options->on_failure = FAILURE_SERVE;
		return true;
	}
	if (cmdline_word_equals(value, "exit")) {
		options->on_failure = FAILURE_EXIT;
		return true;
	}
	return false;
}

static bool parse_completion(struct cmdline_word value, struct kernel_options *options)
{
	static const struct {
		const char *name;
		enum virtio_wait_mode mode;
	} modes[] = {
		{"adaptive", VIRTIO_WAIT_ADAPTIVE},
		{"poll", VIRTIO_WAIT_POLL},
		{"interrupt", VIRTIO_WAIT_INTERRUPT},
	};
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
		if (cmdline_word_equals(value, modes[i].name)) {
			options->completion = modes[i].mode;
			return true;
		}
	}
	return false;
}

/* A UUID as tools print it: 8-4-4-4-12 digits, lower case. */
static bool parse_disk(struct cmdline_word value, struct kernel_options *options)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t digits = 0;
	if (value.size_bytes != sizeof(form) - 1) {
		return false;
	}
	struct disk_wish wish = {.has_uuid = true};
	for (size_t i = 0; i < value.size_bytes; i++) {
		const int digit = hex_digit(value.text[i]);
		if (form[i] == '-' ? value.text[i] != '-' : digit < 0) {
			return false;
		}
		if (form[i] == 'x') {
			const uint8_t before = wish.uuid[digits / 2];
			wish.uuid[digits / 2] = (uint8_t)(before << 4 | digit);
			digits++;
		}
	}
	options->disk = wish;
	return true;
}

static bool parse_log(struct cmdline_word value, struct kernel_options *options)
{
	static const char *const names[] = {"error", "warning", "notice", "debug"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (cmdline_word_equals(value, names[i])) {
			options->log = (enum log_level)i;
			return true;
		}
	}
	return false;
}

#if !HOLDFAST_PRODUCTION
/* "module" or "module:argument". */
static bool parse_run(struct cmdline_word value, struct kernel_options *options)
{
	struct cmdline_word module = value;
	for (size_t i = 0; i < value.size_bytes; i++) {
		if (value.text[i] == ':') {
			module.size_bytes = i;
			struct cmdline_word argument = {value.text + i + 1,
							value.size_bytes - i - 1};
			if (!copy_word(argument, options->run_argument,
				       sizeof(options->run_argument))) {
				return false;
			}
			break;
		}
	}
	return copy_word(module, options->run_module, sizeof(options->run_module));
}

static bool parse_development(struct cmdline_word word, struct kernel_options *options)
{
	struct cmdline_word value;
	/* stage2 acts on this one; here it only has to be known. */
	if (cmdline_word_equals(word, "holdfast.slide=fixed")) {
		return true;
	}
	if (cmdline_word_equals(word, "holdfast.pci=place")) {
		options->place_windows = true;
		return true;
	}
	if (cmdline_word_after(word, "holdfast.run=", &value)) {
		return parse_run(value, options);
	}
	if (cmdline_word_equals(word, "holdfast.fio=raw")) {
		options->fio = FIO_RAW;
		return true;
	}
	if (cmdline_word_equals(word, "holdfast.fio=raw-copied")) {
		options->fio = FIO_RAW_COPIED;
		return true;
	}
	if (cmdline_word_equals(word, "holdfast.fio=volume")) {
		options->fio = FIO_VOLUME;
		return true;
	}
	if (cmdline_word_after(word, "holdfast.panic=", &value)) {
		return copy_word(value, options->panic, sizeof(options->panic));
	}
	if (cmdline_word_after(word, "holdfast.vtpmd.crash_on=", &value)) {
		return parse_hex32(value, &options->vtpmd_crash_on);
	}
	return false;
}

#endif

static bool parse_word(struct cmdline_word word, bool production, struct kernel_options *options)
{
	struct cmdline_word value;
	if (cmdline_word_after(word, "holdfast.state=", &value)) {
		return parse_state(value, options);
	}
	if (cmdline_word_after(word, "holdfast.on_failure=", &value)) {
		return parse_on_failure(value, options);
	}
	if (cmdline_word_after(word, "holdfast.log=", &value)) {
		return parse_log(value, options);
	}
	if (cmdline_word_after(word, "holdfast.disk=", &value)) {
		return parse_disk(value, options);
	}
	if (cmdline_word_after(word, "holdfast.completion=", &value)) {
		return parse_completion(value, options);
	}
#if !HOLDFAST_PRODUCTION
	if (!production && parse_development(word, options)) {
		return true;
	}
#else
	(void)production;
#endif
	return false;
}

enum status options_parse(const char *cmdline, bool production, struct kernel_options *options)
{
	*options = (struct kernel_options){.log = LOG_NOTICE};
	struct cmdline_word word;
	size_t at = 0;
	while (cmdline_next(cmdline, &at, &word)) {
		struct cmdline_word rest;
		/* Words of others, such as virtio_mmio.device=, are not ours to judge. */
		if (!cmdline_word_after(word, "holdfast.", &rest)) {
			continue;
		}
		if (!parse_word(word, production, options)) {
			struct cmdline_word shown = word;
			if (shown.size_bytes >= sizeof(options->rejected)) {
				shown.size_bytes = sizeof(options->rejected) - 1;
			}
			(void)copy_word(shown, options->rejected, sizeof(options->rejected));
			return STATUS_BAD_CONFIG;
		}
	}
	return STATUS_OK;
}
