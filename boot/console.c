// SPDX-License-Identifier: MIT
/* National Semiconductor PC16550D. The port belongs to the host, so nothing that it answers may
 * stop us: a transmitter that stays busy is given up. The "given up" flag is this binary's one
 * piece of console state. */
#include "boot/console.h"

#include <stdbool.h>
#include <stdint.h>

#include "arch/cpu.h"
#include "boot/stage2_layout.h"

#define DATA                (STAGE2_CONSOLE_PORT + 0) /* With DLAB: divisor, low byte. */
#define INTERRUPT_ENABLE    (STAGE2_CONSOLE_PORT + 1) /* With DLAB: divisor, high byte. */
#define FIFO_CONTROL        (STAGE2_CONSOLE_PORT + 2)
#define LINE_CONTROL        (STAGE2_CONSOLE_PORT + 3)
#define MODEM_CONTROL       (STAGE2_CONSOLE_PORT + 4)
#define LINE_STATUS         (STAGE2_CONSOLE_PORT + 5)

#define LINE_8N1            0x03
#define LINE_DLAB           0x80
#define DIVISOR_115200      1
#define FIFO_ENABLE_CLEARED 0x07
#define MODEM_DTR_RTS       0x03
#define STATUS_THR_EMPTY    0x20

/* One character takes 87 us at 115200 baud; a port access takes about 1 us on real hardware. */
#define WAIT_TURNS 20000

static bool given_up;

void console_init(void)
{
	given_up = false;
	cpu_out8(INTERRUPT_ENABLE, 0);
	cpu_out8(LINE_CONTROL, LINE_DLAB);
	cpu_out8(DATA, DIVISOR_115200);
	cpu_out8(INTERRUPT_ENABLE, 0);
	cpu_out8(LINE_CONTROL, LINE_8N1);
	cpu_out8(FIFO_CONTROL, FIFO_ENABLE_CLEARED);
	cpu_out8(MODEM_CONTROL, MODEM_DTR_RTS);
}

static void put(char character)
{
	for (unsigned turn = 0; turn < WAIT_TURNS && !given_up; turn++) {
		if ((cpu_in8(LINE_STATUS) & STATUS_THR_EMPTY) != 0) {
			cpu_out8(DATA, (uint8_t)character);
			return;
		}
	}
	given_up = true;
}

void console_write(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			put('\r');
		}
		put(*text);
	}
}
