// SPDX-License-Identifier: MIT
/* The list of lies, and whose turn it is. */
#include "tests/hostile-blk/lies.h"

#include <stdlib.h>
#include <string.h>

#define LINE_BYTES_MAX 128u

const struct lie_row lie_rows[LIE_COUNT] = {
	[LIE_INDEX_AHEAD] = {"index-ahead", 16, ABOUT_IO,
			     "used index far ahead of what is in flight"},
	[LIE_INDEX_BACK] = {"index-back", 17, ABOUT_IO, "used index goes backwards"},
	[LIE_ID_RANGE] = {"id-range", 19, ABOUT_IO, "completes an id beyond the queue"},
	[LIE_ID_ALIAS] = {"id-alias", 19, ABOUT_IO, "adds 0x10000 to the id: equal as 16 bits"},
	[LIE_ID_NOT_HEAD] = {"id-not-head", 20, ABOUT_IO, "completes the middle of a chain"},
	[LIE_DOUBLE] = {"double", 21, ABOUT_IO, "completes a request twice"},
	[LIE_NOT_SUBMITTED] = {"not-submitted", 21, ABOUT_IO, "completes what nobody asked for"},
	[LIE_EARLY] = {"early", 22, ABOUT_READ | ABOUT_WRITE,
		       "completes before it has done anything"},
	[LIE_LENGTH_LONG] = {"length-long", 24, ABOUT_READ, "claims more bytes than there is room"},
	[LIE_LENGTH_SHORT] = {"length-short", 24, ABOUT_READ, "claims fewer bytes than asked for"},
	[LIE_DESCRIPTORS] = {"descriptors", 25, ABOUT_IO, "overwrites the descriptor table"},
	[LIE_AVAILABLE] = {"available", 26, ABOUT_IO, "overwrites the available ring"},
	[LIE_NO_NOTIFY] = {"no-notify", 27, ABOUT_IO, "asks for no notifications and then sleeps"},
	[LIE_STORM] = {"storm", 28, ABOUT_IO, "sends ten thousand interrupts"},
	[LIE_SILENCE] = {"silence", 28, ABOUT_IO, "completes without an interrupt"},
	[LIE_STATUS_UNSET] = {"status-unset", 32, ABOUT_IO, "leaves the status byte as it was"},
	[LIE_STATUS_ERROR] = {"status-error", 32, ABOUT_IO, "answers VIRTIO_BLK_S_IOERR"},
	[LIE_STATUS_ODD] = {"status-odd", 32, ABOUT_IO, "answers a status that does not exist"},
	[LIE_NOTHING_READ] = {"nothing-read", 33, ABOUT_READ, "says OK and transfers nothing"},
	[LIE_CORRUPT] = {"corrupt", 33, ABOUT_READ, "flips a bit in what is read"},
	[LIE_DROP] = {"drop", 34, ABOUT_WRITE, "says OK and drops the write"},
	[LIE_MISDIRECT] = {"misdirect", 34, ABOUT_WRITE, "writes to another place"},
	[LIE_TORN] = {"torn", 34, ABOUT_WRITE, "writes half and says OK"},
	[LIE_STALL] = {"stall", 38, ABOUT_IO, "never completes the request"},
	[LIE_DRIP] = {"drip", 39, ABOUT_IO, "takes 200 ms for the request"},
	[LIE_LATE_WRITE] = {"late-write", 40, ABOUT_READ, "writes to the buffers after completion"},
	[LIE_GARBAGE_ID] = {"garbage-id", 43, ABOUT_ID, "answers GET_ID with control characters"},
	[LIE_DISCONNECT] = {"disconnect", 38, ABOUT_IO, "hangs up on QEMU"},
};

enum lie lie_find(const char *name)
{
	for (unsigned i = 1; i < LIE_COUNT; i++) {
		if (strcmp(lie_rows[i].name, name) == 0) {
			return (enum lie)i;
		}
	}
	return LIE_NONE;
}

/* The next word of a line, terminated in place; NULL: there is none. */
static char *word_take(char **line)
{
	return strtok_r(NULL, " \n", line);
}

/* A number, or `otherwise` if there is no word. */
static bool number_take(char **line, uint64_t otherwise, uint64_t *number)
{
	const char *word = word_take(line);
	char *end = NULL;
	*number = word == NULL ? otherwise : strtoull(word, &end, 10);
	return word == NULL || (end != word && *end == '\0');
}

bool lie_script_parse(struct lie_script *script, const char *line)
{
	char copy[LINE_BYTES_MAX];
	char *rest = NULL;
	uint64_t count = 0;
	uint64_t after = 0;
	if (strlen(line) >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, line, strlen(line) + 1);
	const char *name = strtok_r(copy, " \n", &rest);
	if (name == NULL || !number_take(&rest, 1, &count) || !number_take(&rest, 0, &after)) {
		return false;
	}
	if (strcmp(name, "honest") == 0) {
		*script = (struct lie_script){.lie = LIE_NONE};
		return true;
	}
	enum lie lie = lie_find(name);
	if (lie == LIE_NONE) {
		return false;
	}
	*script = (struct lie_script){
		.lie = lie,
		.left = count == 0 ? UINT64_MAX : count,
		.after = after,
	};
	return true;
}

enum lie lie_script_next(struct lie_script *script, enum lie_about about)
{
	if (script->left == 0 || (lie_rows[script->lie].about & (unsigned)about) == 0) {
		return LIE_NONE;
	}
	if (script->after > 0) {
		script->after--;
		return LIE_NONE;
	}
	script->left--;
	return script->lie;
}
