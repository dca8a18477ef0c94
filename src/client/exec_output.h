/* exec_output: what a session receives, written to descriptors by a thread of its own: a terminal
 * that is stopped or a full pipe never holds up the loop.
 *
 * The order of writes is kept over all descriptors.  The loop's thread adds; drained() runs there
 * when what waits has fallen below EXEC_OUTPUT_LOW again, and when a write failed (exec_output_ok()
 * is then false, and what is added is dropped).
 * Limits: the adder stops reading its source while more than EXEC_OUTPUT_HIGH bytes wait; beyond
 * EXEC_OUTPUT_MAX they are refused. */
#ifndef SKEG_CLIENT_EXEC_OUTPUT_H
#define SKEG_CLIENT_EXEC_OUTPUT_H

#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#define EXEC_OUTPUT_HIGH (1u << 20)
#define EXEC_OUTPUT_LOW	 (256u << 10)
#define EXEC_OUTPUT_MAX	 (64u << 20)

struct exec_output;

struct exec_output *exec_output_new(struct loop *loop, void (*drained)(void *ctx), void *ctx);
/* Copies the bytes; returns how many wait.  A descriptor below 0 takes nothing. */
size_t exec_output_add(struct exec_output *o, int fd, struct str bytes);
bool exec_output_ok(struct exec_output *o);
/* After the loop has run: writes the rest, ends the thread, frees.  The error is that of the first
 * write that failed. */
[[nodiscard]] enum rc exec_output_end(struct exec_output *own_o, struct err *err);

#endif
