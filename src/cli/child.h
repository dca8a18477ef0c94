/* child: a process that the supervisor keeps alive: started again with backoff when it ends, told
 * to end by a signal. Owns: the process and its arguments.  Threads: the loop's. */
#ifndef SKEG_CLI_CHILD_H
#define SKEG_CLI_CHILD_H

#include <stdbool.h>
#include <uv.h>

#include "base/arena.h"
#include "client/command.h"
#include "io/loop.h"

#define CHILD_NOTIFY_FD	       3 /* what a child is told by --notify-fd */
#define CHILD_BACKOFF_FIRST_MS 200
#define CHILD_BACKOFF_LAST_MS  10000

struct child {
	struct loop *loop;
	struct arena arena;
	const char *name; /* for the log: "control", "node1" */
	struct text_list args;
	uv_process_t process;
	uv_pipe_t notify; /* the child writes "ready" */
	struct loop_timer restart;
	int64_t backoff_ms;
	bool is_running, is_ready, is_stopping;
	void (*on_ready)(struct child *c); /* at the first ready only */
	void (*on_again)(struct child *c); /* at each later one; NULL: nothing to do */
	void (*on_stopped)(struct child *c);
	void *ctx;
};

void child_init(struct child *c, struct loop *loop, const char *name);
[[gnu::format(printf, 2, 3)]] void child_arg(struct child *c, const char *fmt, ...);
void child_start(struct child *c);
void child_stop(struct child *c, int signal);	/* on_stopped follows */
void child_signal(struct child *c, int signal); /* one that it lives through; if it runs */
void child_done(struct child *c);

/* In the child: tells who started it that it is ready; fd 0: nobody waits.  area: for the log. */
void child_tell_ready(int64_t fd, const char *area);

#endif
