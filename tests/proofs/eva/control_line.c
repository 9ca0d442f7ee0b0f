// SPDX-License-Identifier: MIT
/* The control port's lines: any byte after any others. One step from each state of a line that
 * there can be leads to such a state again; the first is an empty line. */
#include "kernel/control_line.h"
#include "tests/proofs/eva/entry.h"

static void step(size_t doubtful, char c)
{
	struct control_line line;
	ANYTHING(line.text);
	line.doubtful = doubtful;
	line.used = any_within(doubtful, CONTROL_LINE_BYTES_MAX);
	line.overlong = any_bool();
	(void)control_line_feed(&line, c, any_bool());
	//@ assert within: line.doubtful <= line.used <= CONTROL_LINE_BYTES_MAX;
}

int main(void)
{
	struct control_line line;
	control_line_reset(&line);
	//@ assert empty: line.doubtful == line.used == 0;
	//@ loop unroll CONTROL_LINE_BYTES_MAX + 1;
	for (size_t doubtful = 0; doubtful <= CONTROL_LINE_BYTES_MAX; doubtful++) {
		step(doubtful, '\n');
		step(doubtful, (char)any_up_to('\n' - 1));
		step(doubtful, (char)any_within('\n' + 1, INT8_MAX));
		step(doubtful, (char)any_within(INT8_MAX + 1, UINT8_MAX));
	}
	return 0;
}
