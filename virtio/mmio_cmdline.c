// SPDX-License-Identifier: MIT
/* Decoder of microvm's device words. Pure text in, validated list out; each refusal has words of
 * its own, because the only way to find out why a disk is missing is the log. */
#include "virtio/mmio_cmdline.h"

#include <stdbool.h>
#include <string.h>

#include "virtio/virtio_mmio.h"

#define WORD_PREFIX  "virtio_mmio.device="
#define WINDOW_ALIGN 512u
/* No window of a device is anywhere near this. */
#define WINDOW_BYTES_MAX (1024u * 1024u)

static bool word_ends(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\n';
}

/* -1: not a digit of this base. */
static int digit_value(char c, unsigned int base)
{
	int value = -1;
	if (c >= '0' && c <= '9') {
		value = c - '0';
	} else if (c >= 'a' && c <= 'f') {
		value = c - 'a' + 10;
	} else if (c >= 'A' && c <= 'F') {
		value = c - 'A' + 10;
	}
	return value < (int)base ? value : -1;
}

/* A number at *text; advances behind it. False: no digit, or above 64 bits. */
static bool number_parse(const char **text, uint64_t *value)
{
	const char *at = *text;
	unsigned int base = 10;
	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
		base = 16;
		at += 2;
	}
	if (digit_value(*at, base) < 0) {
		return false;
	}
	uint64_t sum = 0;
	for (; digit_value(*at, base) >= 0; at++) {
		const uint64_t digit = (uint64_t)digit_value(*at, base);
		if (sum > (UINT64_MAX - digit) / base) {
			return false;
		}
		sum = sum * base + digit;
	}
	*text = at;
	*value = sum;
	return true;
}

/* NULL if the window is acceptable, else what is wrong with it. */
static const char *window_complaint(const struct mmio_cmdline_list *list, struct phys_range window)
{
	if (window.size_bytes < VIRTIO_MMIO_WINDOW_BYTES_MIN) {
		return "the window is too small";
	}
	if (window.size_bytes > WINDOW_BYTES_MAX) {
		return "the window is too large";
	}
	if (window.first.raw % WINDOW_ALIGN != 0) {
		return "the window is not aligned";
	}
	if (!phys_range_valid(window)) {
		return "the window lies outside the address space";
	}
	for (size_t i = 0; i < list->count; i++) {
		if (phys_range_overlaps(list->devices[i].window, window)) {
			return "two windows overlap";
		}
	}
	return NULL;
}

/* `<size>[K]@<base>[:<irq>]` up to the end of the word. NULL, or what is wrong. */
static const char *device_parse(const char *text, struct mmio_cmdline_device *device)
{
	uint64_t size_bytes = 0;
	uint64_t base = 0;
	if (!number_parse(&text, &size_bytes)) {
		return "the size is not a number";
	}
	if (*text == 'K' || *text == 'k') {
		text++;
		if (size_bytes > WINDOW_BYTES_MAX) {
			return "the window is too large";
		}
		size_bytes *= 1024;
	}
	if (*text != '@') {
		return "there is no @ after the size";
	}
	text++;
	if (!number_parse(&text, &base)) {
		return "the address is not a number";
	}
	uint64_t irq = MMIO_CMDLINE_IRQ_NONE;
	if (*text == ':') {
		text++;
		if (!number_parse(&text, &irq) || irq > MMIO_CMDLINE_IRQ_MAX) {
			return "the interrupt is not a small number";
		}
	}
	if (!word_ends(*text)) {
		return "something follows the last number";
	}
	*device = (struct mmio_cmdline_device){
		.window = {.first = {.raw = base}, .size_bytes = size_bytes},
		.irq = (uint32_t)irq,
	};
	return NULL;
}

static enum status list_refuse(struct mmio_cmdline_list *list, enum status status,
			       const char *complaint)
{
	list->count = 0;
	list->complaint = complaint;
	return status;
}

static enum status list_add(struct mmio_cmdline_list *list, const char *text)
{
	struct mmio_cmdline_device device;
	const char *complaint = device_parse(text, &device);
	if (complaint == NULL) {
		complaint = window_complaint(list, device.window);
	}
	if (complaint != NULL) {
		return list_refuse(list, STATUS_BAD_CONFIG, complaint);
	}
	if (list->count == MMIO_CMDLINE_DEVICES_MAX) {
		return list_refuse(list, STATUS_TOO_LARGE, "there are too many devices");
	}
	list->devices[list->count] = device;
	list->count++;
	return STATUS_OK;
}

static bool starts_with(const char *text, const char *prefix, size_t prefix_length)
{
	for (size_t i = 0; i < prefix_length; i++) {
		if (text[i] != prefix[i]) { /* Differs at the terminator at the latest. */
			return false;
		}
	}
	return true;
}

enum status mmio_cmdline_parse(const char *command_line, struct mmio_cmdline_list *list)
{
	const size_t prefix_length = sizeof(WORD_PREFIX) - 1;
	*list = (struct mmio_cmdline_list){0};
	const char *at = command_line;
	while (*at != '\0') {
		if (starts_with(at, WORD_PREFIX, prefix_length)) {
			const enum status status = list_add(list, at + prefix_length);
			if (status != STATUS_OK) {
				return status;
			}
		}
		while (!word_ends(*at)) {
			at++;
		}
		while (*at != '\0' && word_ends(*at)) {
			at++;
		}
	}
	return STATUS_OK;
}
