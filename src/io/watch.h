/* watch: tells when a descriptor can be read (inotify, pidfd, a pipe of a child) or written.
 *
 * Embed it, zero it, start it.  fn runs as long as there is something to read (level triggered),
 * also at end of file; it may stop or free the watch.  The descriptor stays the caller's and must
 * stay open until loop_watch_stop(). Threads: the loop's. */
#ifndef SKEG_IO_WATCH_H
#define SKEG_IO_WATCH_H

#include "base/err.h"
#include "io/loop.h"

struct loop_watch {
	void (*fn)(struct loop_watch *watch);
	void *private; /* of this module; NULL when idle */
};

[[nodiscard]] enum rc loop_watch_start(struct loop *loop, struct loop_watch *watch, int fd,
				       void (*fn)(struct loop_watch *watch), struct err *err);
/* fn runs as long as there is room to write, also when the reader is gone.  A descriptor has at
 * most one watch; for both directions watch a copy of it. */
[[nodiscard]] enum rc loop_watch_start_writable(struct loop *loop, struct loop_watch *watch, int fd,
						void (*fn)(struct loop_watch *watch),
						struct err *err);
void loop_watch_stop(struct loop_watch *watch); /* accepts an idle one */

#endif
