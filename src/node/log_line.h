/* log_line: one line of a container's log as conmon writes it, the format of the CRI:
 *
 *   2026-01-01T00:00:00.123456789Z stdout F text
 *
 * "P" instead of "F": the line goes on in the next one.  Pure functions. */
#ifndef SKEG_NODE_LOG_LINE_H
#define SKEG_NODE_LOG_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct log_line {
	struct str time; /* as it stands */
	bool is_stderr, is_partial;
	struct str text;
};

/* line is without its newline; false: not of this format. */
bool log_line_parse(struct str line, struct log_line *ret_line);

/* The end of a log without its times, as a termination message: at most max_lines and max_bytes.
 * text begins anywhere. */
void log_tail_text(struct buf *out, struct str text, size_t max_lines, size_t max_bytes);

/* How far before the end of text (which ends with a newline or not) the last count lines begin;
 * text.len when it has fewer. A line that is partial counts with what follows. */
size_t log_tail_offset(struct str text, int64_t count, bool *ret_is_enough);

#endif
