/* program: run a helper program to its end in a network namespace, with text in and text out.
 *
 * The argument vector is passed as it is, never through a shell; the environment is exactly the
 * given one.  Blocks: call it from a pool thread (loop_work) or a command.  Threads: all calls
 * safe; the child is reaped by its own pid only. Limits: PROGRAM_OUTPUT_MAX a stream (more is an
 * error), timeout_ms, after which it is killed. Errors: RC_UNAVAILABLE when the program is missing
 * (names the package), RC_TIMEOUT, RC_IO. */
#ifndef SKEG_NET_PROGRAM_H
#define SKEG_NET_PROGRAM_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define PROGRAM_OUTPUT_MAX (4u << 20)
#define PROGRAM_ARGS_MAX   32

struct program {
	const char *path;	 /* absolute, or a name searched in /usr/local/sbin … /bin */
	const char *package;	 /* Debian's, named when the program is missing */
	const char *const *argv; /* NULL-terminated, argv[0] included */
	const char *const *envp; /* NULL-terminated; NULL: empty but for a safe PATH */
	struct str input;	 /* standard input */
	int netns_fd;		 /* -1: the caller's namespace */
	int64_t timeout_ms;	 /* 0: 60 s */
};

/* The program ran to its end: RC_OK and its exit status (128 + signal when a signal ended it).  out
 * and error_out are appended to; they may be NULL (dropped). */
[[nodiscard]] enum rc program_run(const struct program *program, struct buf *out,
				  struct buf *error_out, int *ret_status, struct err *err);

#endif
