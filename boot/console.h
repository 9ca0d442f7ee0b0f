// SPDX-License-Identifier: MIT
/* The first serial port, as far as stage2 needs it: output, with bounded waits. */
#pragma once

/* 115200 baud, 8N1, no interrupts. */
void console_init(void);

/* Text is written with CR before each LF. A port that never drains costs a bounded time once; after
 * that nothing more is written. */
void console_write(const char *text);
