// SPDX-License-Identifier: MIT
#include "kernel/console.h"

#include "arch/cpu.h"
#include "base/format.h"

/* 16550 registers, offsets from the port (PC16550D data sheet, table II). */
#define UART_DATA             0u
#define UART_INTERRUPT_ENABLE 1u
#define UART_FIFO_CONTROL     2u
#define UART_LINE_CONTROL     3u
#define UART_MODEM_CONTROL    4u
#define UART_LINE_STATUS      5u

#define LINE_CONTROL_8N1      0x03u
#define LINE_CONTROL_DIVISOR  0x80u
#define LINE_STATUS_THR_EMPTY 0x20u
#define FIFO_ENABLE_AND_CLEAR 0x07u
#define MODEM_DTR_RTS         0x03u
#define FIFO_BYTES            16u
#define DRAIN_SPINS_MAX       100000u

void console_init(struct console *console, uint16_t port)
{
	console->port = port;
	cpu_out8((uint16_t)(port + UART_INTERRUPT_ENABLE), 0);
	cpu_out8((uint16_t)(port + UART_LINE_CONTROL), LINE_CONTROL_DIVISOR);
	cpu_out8((uint16_t)(port + UART_DATA), 1); /* 115,200 baud. */
	cpu_out8((uint16_t)(port + UART_INTERRUPT_ENABLE), 0);
	cpu_out8((uint16_t)(port + UART_LINE_CONTROL), LINE_CONTROL_8N1);
	cpu_out8((uint16_t)(port + UART_FIFO_CONTROL), FIFO_ENABLE_AND_CLEAR);
	cpu_out8((uint16_t)(port + UART_MODEM_CONTROL), MODEM_DTR_RTS);
}

/* Once it did not drain in time, each wait is one look, until there is room again. */
static void wait_for_room(struct console *console)
{
	unsigned spins_max = console->stuck ? 1 : DRAIN_SPINS_MAX;
	for (unsigned spins = 0; spins < spins_max; spins++) {
		uint8_t status = cpu_in8((uint16_t)(console->port + UART_LINE_STATUS));
		if ((status & LINE_STATUS_THR_EMPTY) != 0) {
			console->stuck = false;
			return;
		}
		cpu_pause();
	}
	console->stuck = true;
}

void console_write(struct console *console, const char *text)
{
	for (size_t i = 0; text[i] != '\0'; i++) {
		/* An empty transmitter takes a whole FIFO. */
		if (i % FIFO_BYTES == 0) {
			wait_for_room(console);
		}
		console->ring[console->ring_at] = text[i];
		console->ring_at = (console->ring_at + 1) % CONSOLE_RING_BYTES;
		cpu_out8((uint16_t)(console->port + UART_DATA), (uint8_t)text[i]);
	}
}

static const char *level_name(enum log_level level)
{
	switch (level) {
	case LOG_ERROR: return "ERROR ";
	case LOG_WARNING: return "WARN  ";
	case LOG_NOTICE: return "NOTICE";
	case LOG_DEBUG: return "DEBUG ";
	}
	return "?";
}

void console_log(void *context, enum log_level level, const char *line)
{
	struct console *console = context;
	uint64_t now_us = 0;
	if (console->clock != NULL) {
		now_us = console->clock->now_us(console->clock->context);
	}
	char text[LOG_LINE_BYTES + 40];
	(void)format_text(text, sizeof(text), "[%5lu.%06lu] %s %s\r\n",
			  (unsigned long)(now_us / 1000000), (unsigned long)(now_us % 1000000),
			  level_name(level), line);
	console_write(console, text);
}
