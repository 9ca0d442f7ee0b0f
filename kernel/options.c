// SPDX-License-Identifier: MIT
#include "kernel/options.h"

#include <stddef.h>
#include <string.h>

/* A word of the command line: borrowed, not terminated. */
struct word {
	const char *text;
	size_t length;
};

static struct word next_word(const char **cmdline)
{
	const char *at = *cmdline;
	while (*at == ' ') {
		at++;
	}
	struct word word = {.text = at};
	while (at[word.length] != '\0' && at[word.length] != ' ') {
		word.length++;
	}
	*cmdline = at + word.length;
	return word;
}

static bool word_is(struct word word, const char *text)
{
	return strlen(text) == word.length && memcmp(word.text, text, word.length) == 0;
}

/* If `word` is "key" followed by a value, put the value into *value. */
static bool word_has_key(struct word word, const char *key, struct word *value)
{
	size_t length = strlen(key);
	if (word.length < length || memcmp(word.text, key, length) != 0) {
		return false;
	}
	*value = (struct word){word.text + length, word.length - length};
	return true;
}

static bool copy_word(struct word word, char *out, size_t size)
{
	if (word.length == 0 || word.length >= size) {
		return false;
	}
	memcpy(out, word.text, word.length);
	out[word.length] = '\0';
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
static bool parse_hex32(struct word word, uint32_t *out)
{
	struct word digits = word;
	uint32_t value = 0;
	(void)word_has_key(word, "0x", &digits);
	if (digits.length == 0 || digits.length > 8) {
		return false;
	}
	for (size_t i = 0; i < digits.length; i++) {
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

static bool parse_state(struct word value, struct kernel_options *options)
{
	if (word_is(value, "require")) {
		options->state = STATE_REQUIRE;
		return true;
	}
	if (word_is(value, "ephemeral")) {
		options->state = STATE_EPHEMERAL;
		return true;
	}
	return false;
}

static bool parse_on_failure(struct word value, struct kernel_options *options)
{
	if (word_is(value, "serve")) {
		options->on_failure = FAILURE_SERVE;
		return true;
	}
	if (word_is(value, "exit")) {
		options->on_failure = FAILURE_EXIT;
		return true;
	}
	return false;
}

static bool parse_completion(struct word value, struct kernel_options *options)
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
		if (word_is(value, modes[i].name)) {
			options->completion = modes[i].mode;
			return true;
		}
	}
	return false;
}

/* A UUID as tools print it: 8-4-4-4-12 digits, lower case. */
static bool parse_disk(struct word value, struct kernel_options *options)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	size_t digits = 0;
	if (value.length != sizeof(form) - 1) {
		return false;
	}
	options->disk = (struct disk_wish){.has_uuid = true};
	for (size_t i = 0; i < value.length; i++) {
		const int digit = hex_digit(value.text[i]);
		if (form[i] == '-' ? value.text[i] != '-' : digit < 0) {
			return false;
		}
		if (form[i] == 'x') {
			uint8_t *byte = &options->disk.uuid[digits / 2];
			*byte = (uint8_t)(*byte << 4 | digit);
			digits++;
		}
	}
	return true;
}

static bool parse_log(struct word value, struct kernel_options *options)
{
	static const char *const names[] = {"error", "warning", "notice", "debug"};
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		if (word_is(value, names[i])) {
			options->log = (enum log_level)i;
			return true;
		}
	}
	return false;
}

#if !HOLDFAST_PRODUCTION
/* "module" or "module:argument". */
static bool parse_run(struct word value, struct kernel_options *options)
{
	struct word module = value;
	for (size_t i = 0; i < value.length; i++) {
		if (value.text[i] == ':') {
			module.length = i;
			struct word argument = {value.text + i + 1, value.length - i - 1};
			if (!copy_word(argument, options->run_argument,
				       sizeof(options->run_argument))) {
				return false;
			}
			break;
		}
	}
	return copy_word(module, options->run_module, sizeof(options->run_module));
}

static bool parse_development(struct word word, struct kernel_options *options)
{
	struct word value;
	/* stage2 acts on this one; here it only has to be known. */
	if (word_is(word, "holdfast.slide=fixed")) {
		return true;
	}
	if (word_is(word, "holdfast.pci=place")) {
		options->place_windows = true;
		return true;
	}
	if (word_has_key(word, "holdfast.run=", &value)) {
		return parse_run(value, options);
	}
	if (word_is(word, "holdfast.fio=raw")) {
		options->fio = FIO_RAW;
		return true;
	}
	if (word_is(word, "holdfast.fio=raw-copied")) {
		options->fio = FIO_RAW_COPIED;
		return true;
	}
	if (word_is(word, "holdfast.fio=volume")) {
		options->fio = FIO_VOLUME;
		return true;
	}
	if (word_has_key(word, "holdfast.panic=", &value)) {
		return copy_word(value, options->panic, sizeof(options->panic));
	}
	if (word_has_key(word, "holdfast.vtpmd.crash_on=", &value)) {
		return parse_hex32(value, &options->vtpmd_crash_on);
	}
	return false;
}

#endif

static bool parse_word(struct word word, bool production, struct kernel_options *options)
{
	struct word value;
	if (word_has_key(word, "holdfast.state=", &value)) {
		return parse_state(value, options);
	}
	if (word_has_key(word, "holdfast.on_failure=", &value)) {
		return parse_on_failure(value, options);
	}
	if (word_has_key(word, "holdfast.log=", &value)) {
		return parse_log(value, options);
	}
	if (word_has_key(word, "holdfast.disk=", &value)) {
		return parse_disk(value, options);
	}
	if (word_has_key(word, "holdfast.completion=", &value)) {
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
	for (;;) {
		struct word word = next_word(&cmdline);
		struct word rest;
		if (word.length == 0) {
			return STATUS_OK;
		}
		/* Words of others, such as virtio_mmio.device=, are not ours to judge. */
		if (!word_has_key(word, "holdfast.", &rest)) {
			continue;
		}
		if (!parse_word(word, production, options)) {
			struct word shown = word;
			if (shown.length >= sizeof(options->rejected)) {
				shown.length = sizeof(options->rejected) - 1;
			}
			(void)copy_word(shown, options->rejected, sizeof(options->rejected));
			return STATUS_BAD_CONFIG;
		}
	}
}
