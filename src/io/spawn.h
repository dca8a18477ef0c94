/* spawn: run another program: an argument vector, never a shell.
 *
 * The child gets a clean signal mask, default dispositions, its own process group (but for
 * inherit_stdio) and exactly the descriptors 0, 1, 2 and those of pass_fds (as 3, 4, ...).
 * It inherits the network and mount namespace of the calling thread.
 * Owns: the child until it ended; its output.  Threads: spawn_start() on the loop's thread,
 * spawn_run() anywhere but on a loop's thread.
 * Limits: output_max bytes for each of stdout and stderr; what exceeds it is read and dropped. */
#ifndef SKEG_IO_SPAWN_H
#define SKEG_IO_SPAWN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "io/loop.h"

#define SPAWN_OUTPUT_DEFAULT (1u << 20)
#define SPAWN_PASS_FDS_MAX   16

struct spawn_opts {
	const char *const *argv; /* NULL-terminated; argv[0] without '/' is looked up in PATH */
	const char *const *env;	 /* NULL: the caller's */
	const char *cwd;	 /* NULL: the caller's */
	struct str stdin_bytes;	 /* copied; absent: /dev/null */
	const int *pass_fds;	 /* stay the caller's */
	size_t pass_fd_count;
	size_t output_max;  /* 0: SPAWN_OUTPUT_DEFAULT */
	int64_t timeout_ms; /* 0: none; then SIGKILL to the process group */
	bool merge_stderr;  /* into out */
	bool inherit_stdio; /* 0, 1, 2 of the caller, nothing captured */
};

struct spawn_result {
	int exit_code;	 /* 128 + signal when a signal ended it */
	int term_signal; /* 0: none */
	bool is_timed_out;
	bool is_cut; /* output exceeded output_max */
	struct buf out, err;
};
void spawn_result_done(struct spawn_result *result);

/* Blocks until the child ended.  RC_OK also for exit codes other than 0; RC_NOT_FOUND when there is
 * no such program, RC_IO when it could not be started. */
[[nodiscard]] enum rc spawn_run(const struct spawn_opts *opts, struct spawn_result *ret_result,
				struct err *err);
/* The same, and anything but exit code 0 is an RC_IO error that cites the last line of stderr.
 * ret_out may be NULL. */
[[nodiscard]] enum rc spawn_check(const struct spawn_opts *opts, struct buf *ret_out,
				  struct err *err);

/* Asynchronous: done runs once on the loop's thread; it may take result->out and ->err, the rest is
 * freed after it, sp too.  Never called when spawn_start() fails. */
struct spawn;
[[nodiscard]] enum rc spawn_start(struct loop *loop, const struct spawn_opts *opts,
				  void (*done)(struct spawn *sp, struct spawn_result *result,
					       void *ctx),
				  void *ctx, struct spawn **ret_spawn, struct err *err);
pid_t spawn_pid(const struct spawn *sp);
void spawn_signal(struct spawn *sp, int signo); /* to the process group; race-free before done */

#endif
