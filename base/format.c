// SPDX-License-Identifier: MIT
#include "base/format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct output {
	char *at;
	size_t left; /* Room for characters, the terminator not counted. */
};

/* One parsed "%..." directive. */
struct directive {
	bool zero_pad;
	size_t width;
	size_t precision; /* SIZE_MAX: none. */
	char size;        /* 0: int, 'l': long, 'L': long long, 'z': size_t. */
	char letter;
};

static void put(struct output *output, char c)
{
	if (output->left == 0) {
		return;
	}
	*output->at++ = c;
	output->left--;
}

static void put_padded(struct output *output, const char *text, size_t length, size_t width,
		       char pad)
{
	for (size_t i = length; i < width; i++) {
		put(output, pad);
	}
	for (size_t i = 0; i < length; i++) {
		put(output, text[i]);
	}
}

static void put_number(struct output *output, const struct directive *directive, uint64_t value,
		       unsigned base, bool negative)
{
	/* Twenty decimal digits of 2^64 - 1, and a sign. */
	char digits[21];
	size_t at = sizeof(digits);
	size_t width = directive->width;
	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	if (negative && directive->zero_pad) {
		put(output, '-');
		width = width > 0 ? width - 1 : 0;
	} else if (negative) {
		digits[--at] = '-';
	}
	put_padded(output, digits + at, sizeof(digits) - at, width,
		   directive->zero_pad ? '0' : ' ');
}

static size_t parse_number(const char **format)
{
	size_t value = 0;
	while (**format >= '0' && **format <= '9') {
		if (value < 1000) {
			value = value * 10 + (size_t)(**format - '0');
		}
		(*format)++;
	}
	return value;
}

/* A number, or '*': then an int argument; a negative one stands for no precision. */
static size_t parse_precision(const char **format, va_list *arguments)
{
	if (**format != '*') {
		return parse_number(format);
	}
	(*format)++;
	int value = va_arg(*arguments, int);
	return value < 0 ? SIZE_MAX : (size_t)value;
}

/* `format` points behind the '%'; on return, behind the directive (at the terminator if cut). */
static struct directive parse_directive(const char **format, va_list *arguments)
{
	struct directive directive = {.precision = SIZE_MAX};
	if (**format == '0') {
		directive.zero_pad = true;
		(*format)++;
	}
	directive.width = parse_number(format);
	if (**format == '.') {
		(*format)++;
		directive.precision = parse_precision(format, arguments);
	}
	while (**format == 'l' || **format == 'z' || **format == 'h') {
		if (**format == 'l') {
			directive.size = directive.size == 'l' ? 'L' : 'l';
		} else if (**format == 'z') {
			directive.size = 'z';
		}
		(*format)++;
	}
	directive.letter = **format;
	if (**format != '\0') {
		(*format)++;
	}
	return directive;
}

static int64_t next_signed(char size, va_list *arguments)
{
	switch (size) {
	case 'l': return va_arg(*arguments, long);
	case 'L': return va_arg(*arguments, long long);
	case 'z': return (int64_t)va_arg(*arguments, size_t);
	}
	return va_arg(*arguments, int);
}

static uint64_t next_unsigned(char size, va_list *arguments)
{
	switch (size) {
	case 'l': return va_arg(*arguments, unsigned long);
	case 'L': return va_arg(*arguments, unsigned long long);
	case 'z': return va_arg(*arguments, size_t);
	}
	return va_arg(*arguments, unsigned int);
}

static void put_string(struct output *output, const struct directive *directive, const char *text)
{
	if (text == NULL) {
		text = "(null)";
	}
	size_t length = 0;
	while (length < directive->precision && text[length] != '\0') {
		length++;
	}
	put_padded(output, text, length, directive->width, ' ');
}

static void put_signed(struct output *output, const struct directive *directive, int64_t value)
{
	uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	put_number(output, directive, magnitude, 10, value < 0);
}

/* `start` is the '%', for directives that we do not know. */
static void put_directive(struct output *output, const struct directive *directive,
			  const char *start, const char *end, va_list *arguments)
{
	switch (directive->letter) {
	case 's': put_string(output, directive, va_arg(*arguments, const char *)); return;
	case 'c': put(output, (char)va_arg(*arguments, int)); return;
	case 'd':
	case 'i': put_signed(output, directive, next_signed(directive->size, arguments)); return;
	case 'u':
		put_number(output, directive, next_unsigned(directive->size, arguments), 10, false);
		return;
	case 'x':
		put_number(output, directive, next_unsigned(directive->size, arguments), 16, false);
		return;
	case 'p':
		put_number(output, directive, (uintptr_t)va_arg(*arguments, void *), 16, false);
		return;
	case '%': put(output, '%'); return;
	}
	for (; start < end; start++) {
		put(output, *start);
	}
}

size_t format_list(char *out, size_t size, const char *format, va_list arguments)
{
	if (size == 0) {
		return 0;
	}
	struct output output = {.at = out, .left = size - 1};
	va_list copy;
	va_copy(copy, arguments);
	while (*format != '\0') {
		if (*format != '%') {
			put(&output, *format++);
			continue;
		}
		const char *start = format++;
		struct directive directive = parse_directive(&format, &copy);
		put_directive(&output, &directive, start, format, &copy);
	}
	va_end(copy);
	*output.at = '\0';
	return (size_t)(output.at - out);
}

size_t format_text(char *out, size_t size, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	size_t length = format_list(out, size, format, arguments);
	va_end(arguments);
	return length;
}
