/* progress: what takes longer than a second says so, one line a step; colour only on a terminal.
 * Threads: one. */
#ifndef SKEG_CLIENT_PROGRESS_H
#define SKEG_CLIENT_PROGRESS_H

#include <stdbool.h>

[[gnu::format(printf, 1, 2)]] void progress_step(const char *fmt, ...); /* "• starting …" */
[[gnu::format(printf, 1, 2)]] void progress_done(const char *fmt,
						 ...); /* "✓ …" with the time since start */
[[gnu::format(printf, 1, 2)]] void progress_warn(const char *fmt, ...);

#endif
