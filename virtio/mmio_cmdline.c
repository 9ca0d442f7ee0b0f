// SPDX-License-Identifier: MIT
/* Decoder of microvm's device words. Pure text in, validated list out; each refusal has words of
 * its own, because the only way to find out why a disk is missing is the log. */
#include "virtio/mmio_cmdline.h"

#include <stdbool.h>

#include "virtio/virtio_mmio.h"

static const char word_prefix[] = "virtio_mmio.device=";
#define WORD_PREFIX_BYTES (sizeof(word_prefix) - 1)
#define WINDOW_ALIGN      512u
/* No window of a device is anywhere near this. */
#define WINDOW_BYTES_MAX (1024u * 1024u)

//@ assigns \nothing; ensures \result <==> c == 0 || c == ' ' || c == '\t' || c == '\n';
static bool word_ends(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\n';
}

/* -1: not a digit of this base. */
/*@ requires base == 10 || base == 16;
    assigns \nothing;
    ensures -1 <= \result < base && (c == 0 ==> \result == -1); */
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

/* A number at *at; advances behind it. False: no digit, or above 64 bits. */
/*@ requires is_text(text) && \valid(at) && \valid(value) && \separated(at, value);
    requires *at <= text_length(text);
    assigns *at, *value;
    ensures *at <= text_length(text); */
static bool number_parse(const char *text, size_t *at, uint64_t *value)
{
	size_t i = *at;
	unsigned int base = 10;
	if (text[i] == '0' && (text[i + 1] == 'x' || text[i + 1] == 'X')) {
		base = 16;
		i += 2;
	}
	if (digit_value(text[i], base) < 0) {
		return false;
	}
	uint64_t sum = 0;
	/*@ loop invariant i <= text_length(text);
	    loop assigns i, sum;
	    loop variant text_length(text) - i; */
	for (; digit_value(text[i], base) >= 0; i++) {
		const uint64_t digit = (uint64_t)digit_value(text[i], base);
		if (sum > (UINT64_MAX - digit) / base) {
			return false;
		}
		sum = sum * base + digit;
	}
	*at = i;
	*value = sum;
	return true;
}

/*@ predicate list_is_sound(struct mmio_cmdline_list *list) =
      list->count <= MMIO_CMDLINE_DEVICES_MAX &&
      (\forall integer k; 0 <= k < list->count ==> range_is_valid(list->devices[k].window)); */

/* NULL if the window is acceptable, else what is wrong with it. */
/*@ requires \valid_read(list) && list_is_sound(list);
    assigns \nothing;
    ensures \result == \null ==> range_is_valid(window); */
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
	/*@ loop invariant i <= list->count;
	    loop assigns i;
	    loop variant list->count - i; */
	for (size_t i = 0; i < list->count; i++) {
		if (phys_range_overlaps(list->devices[i].window, window)) {
			return "two windows overlap";
		}
	}
	return NULL;
}

/* `<size>[K]@<base>[:<irq>]` from `at` to the end of the word. NULL, or what is wrong. */
/*@ requires is_text(text) && \valid(device) && at <= text_length(text);
    assigns *device; */
static const char *device_parse(const char *text, size_t at, struct mmio_cmdline_device *device)
{
	uint64_t size_bytes = 0;
	uint64_t base = 0;
	if (!number_parse(text, &at, &size_bytes)) {
		return "the size is not a number";
	}
	if (text[at] == 'K' || text[at] == 'k') {
		at++;
		if (size_bytes > WINDOW_BYTES_MAX) {
			return "the window is too large";
		}
		size_bytes *= 1024;
	}
	if (text[at] != '@') {
		return "there is no @ after the size";
	}
	at++;
	if (!number_parse(text, &at, &base)) {
		return "the address is not a number";
	}
	uint64_t irq = MMIO_CMDLINE_IRQ_NONE;
	if (text[at] == ':') {
		at++;
		if (!number_parse(text, &at, &irq) || irq > MMIO_CMDLINE_IRQ_MAX) {
			return "the interrupt is not a small number";
		}
	}
	if (!word_ends(text[at])) {
		return "something follows the last number";
	}
	*device = (struct mmio_cmdline_device){
		.window = {.first = {.raw = base}, .size_bytes = size_bytes},
		.irq = (uint32_t)irq,
	};
	return NULL;
}

/*@ requires \valid(list);
    assigns list->count, list->complaint;
    ensures list->count == 0 && \result == status; */
static enum status list_refuse(struct mmio_cmdline_list *list, enum status status,
			       const char *complaint)
{
	list->count = 0;
	list->complaint = complaint;
	return status;
}

/*@ requires is_text(text) && at <= text_length(text);
    requires \valid(list) && list_is_sound(list);
    assigns *list;
    ensures list_is_sound(list); */
static enum status list_add(struct mmio_cmdline_list *list, const char *text, size_t at)
{
	struct mmio_cmdline_device device;
	const char *complaint = device_parse(text, at, &device);
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

/*@ requires is_text(text) && at <= text_length(text);
    assigns \nothing;
    ensures \result ==> at + WORD_PREFIX_BYTES <= text_length(text); */
static bool is_device_word(const char *text, size_t at)
{
	/*@ loop invariant i <= WORD_PREFIX_BYTES && at + i <= text_length(text);
	    loop assigns i;
	    loop variant WORD_PREFIX_BYTES - i; */
	for (size_t i = 0; i < WORD_PREFIX_BYTES; i++) {
		if (text[at + i] == '\0' || text[at + i] != word_prefix[i]) {
			return false;
		}
	}
	return true;
}

/* Where the next word begins, or the end. */
/*@ requires is_text(text) && at <= text_length(text);
    assigns \nothing;
    ensures at <= \result <= text_length(text);
    ensures text[at] != 0 ==> at < \result; */
static size_t word_behind(const char *text, size_t at)
{
	size_t i = at;
	/*@ loop invariant at <= i <= text_length(text);
	    loop assigns i;
	    loop variant text_length(text) - i; */
	while (!word_ends(text[i])) {
		i++;
	}
	/*@ loop invariant at <= i <= text_length(text);
	    loop invariant i == at ==>
	      text[i] == 0 || text[i] == ' ' || text[i] == '\t' || text[i] == '\n';
	    loop assigns i;
	    loop variant text_length(text) - i; */
	while (text[i] != '\0' && word_ends(text[i])) {
		i++;
	}
	return i;
}

enum status mmio_cmdline_parse(const char *command_line, struct mmio_cmdline_list *list)
{
	list->count = 0;
	list->complaint = NULL;
	size_t at = 0;
	/*@ loop invariant at <= text_length(command_line) && list_is_sound(list);
	    loop assigns at, *list;
	    loop variant text_length(command_line) - at; */
	while (command_line[at] != '\0') {
		if (is_device_word(command_line, at)) {
			const enum status status =
				list_add(list, command_line, at + WORD_PREFIX_BYTES);
			if (status != STATUS_OK) {
				return status;
			}
		}
		at = word_behind(command_line, at);
	}
	return STATUS_OK;
}
