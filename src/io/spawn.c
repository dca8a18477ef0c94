/* posix_spawn, pipes, and a pidfd for the end: no SIGCHLD handler, so nobody else's children are
 * touched.  spawn_run() drives the same struct child with poll(), spawn_start() with uv_poll. */
#include "io/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <uv.h>

#include "base/mem.h"

#define READ_STEP     (16u << 10)
#define FIRST_PASSED  3
#define FIRST_SAFE    64 /* copies of passed descriptors stay clear of their targets */
#define TAIL_TEXT_MAX 256

extern char **environ;

enum pipe_end { PIPE_IN, PIPE_OUT, PIPE_ERR, PIPE_PID, PIPE_COUNT };

struct child {
	pid_t pid;
	int fds[PIPE_COUNT]; /* ours; -1 closed */
	bool has_group;
	struct buf in; /* still to be written */
	struct spawn_result result;
	size_t output_max;
	bool has_ended;
};

void spawn_result_done(struct spawn_result *result)
{
	buf_done(&result->out);
	buf_done(&result->err);
}

static void child_close(struct child *child, enum pipe_end end)
{
	if (child->fds[end] >= 0)
		close(TAKE_FD(child->fds[end]));
}

static void child_done(struct child *child)
{
	for (int end = 0; end < PIPE_COUNT; end++)
		child_close(child, end);
	buf_done(&child->in);
	spawn_result_done(&child->result);
}

/* --- starting --- */

struct plan {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int child_fds[3]; /* the child's ends, closed here afterwards */
	int passed[SPAWN_PASS_FDS_MAX];
	size_t passed_count;
};

static void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < ARRAY_LEN(plan->child_fds); i++)
		close_fd_p(&plan->child_fds[i]);
	for (size_t i = 0; i < plan->passed_count; i++)
		close_fd_p(&plan->passed[i]);
	posix_spawn_file_actions_destroy(&plan->actions);
	posix_spawnattr_destroy(&plan->attributes);
}

static enum rc pipe_open(int *ours, int *theirs, bool we_write, struct err *err)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, RC_IO, errno, "pipe");
	*ours = fds[we_write ? 1 : 0];
	*theirs = fds[we_write ? 0 : 1];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
	return RC_OK;
}

static enum rc stdin_open(struct child *child, struct plan *plan, const struct spawn_opts *opts,
			  struct err *err)
{
	if (!opts->stdin_bytes.at) {
		plan->child_fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		return plan->child_fds[0] >= 0 ? RC_OK : err_sys(err, RC_IO, errno, "/dev/null");
	}
	child->in = (struct buf)BUF_INIT(opts->stdin_bytes.len + 1);
	buf_add_str(&child->in, opts->stdin_bytes);
	return pipe_open(&child->fds[PIPE_IN], &plan->child_fds[0], true, err);
}

static enum rc stdio_open(struct child *child, struct plan *plan, const struct spawn_opts *opts,
			  struct err *err)
{
	TRY(stdin_open(child, plan, opts, err));
	TRY(pipe_open(&child->fds[PIPE_OUT], &plan->child_fds[1], false, err));
	if (!opts->merge_stderr)
		TRY(pipe_open(&child->fds[PIPE_ERR], &plan->child_fds[2], false, err));
	for (int i = 0; i < 3; i++) {
		int from = plan->child_fds[i] >= 0 ? plan->child_fds[i] : plan->child_fds[1];
		posix_spawn_file_actions_adddup2(&plan->actions, from, i);
	}
	return RC_OK;
}

static enum rc passed_plan(struct plan *plan, const struct spawn_opts *opts, struct err *err)
{
	ASSERT(opts->pass_fd_count <= SPAWN_PASS_FDS_MAX);
	for (size_t i = 0; i < opts->pass_fd_count; i++) {
		int copy = fcntl(opts->pass_fds[i], F_DUPFD_CLOEXEC, FIRST_SAFE);
		if (copy < 0)
			return err_sys(err, RC_IO, errno, "descriptor %d for a child",
				       opts->pass_fds[i]);
		plan->passed[plan->passed_count++] = copy;
		posix_spawn_file_actions_adddup2(&plan->actions, copy, FIRST_PASSED + (int)i);
	}
	posix_spawn_file_actions_addclosefrom_np(&plan->actions,
						 FIRST_PASSED + (int)opts->pass_fd_count);
	return RC_OK;
}

static void attributes_plan(struct plan *plan, const struct spawn_opts *opts)
{
	sigset_t none, all;
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&plan->attributes, &none);
	posix_spawnattr_setsigdefault(&plan->attributes, &all);
	if (!opts->inherit_stdio) {
		posix_spawnattr_setpgroup(&plan->attributes, 0);
		flags |= POSIX_SPAWN_SETPGROUP;
	}
	posix_spawnattr_setflags(&plan->attributes, flags);
}

static enum rc child_launch(struct child *child, struct plan *plan, const struct spawn_opts *opts,
			    struct err *err)
{
	char *const *env = opts->env ? (char *const *)opts->env : environ;
	int sys = posix_spawnp(&child->pid, opts->argv[0], &plan->actions, &plan->attributes,
			       (char *const *)opts->argv, env);
	if (sys)
		return err_sys(err, sys == ENOENT ? RC_NOT_FOUND : RC_IO, sys, "run '%s'",
			       opts->argv[0]);
	child->fds[PIPE_PID] = pidfd_open(child->pid, 0);
	ASSERT(child->fds[PIPE_PID] >= 0); /* we have not waited for it yet */
	return RC_OK;
}

static enum rc child_start(struct child *child, const struct spawn_opts *opts, struct err *err)
{
	CLEANUP(plan_done) struct plan plan = {.child_fds = {-1, -1, -1}};
	posix_spawn_file_actions_init(&plan.actions);
	posix_spawnattr_init(&plan.attributes);
	*child = (struct child){.fds = {-1, -1, -1, -1}};
	child->output_max = opts->output_max ? opts->output_max : SPAWN_OUTPUT_DEFAULT;
	child->result.out.max_bytes = child->result.err.max_bytes = child->output_max;
	child->has_group = !opts->inherit_stdio;
	enum rc rc = opts->inherit_stdio ? RC_OK : stdio_open(child, &plan, opts, err);
	if (rc == RC_OK && opts->cwd)
		posix_spawn_file_actions_addchdir_np(&plan.actions, opts->cwd);
	if (rc == RC_OK)
		rc = passed_plan(&plan, opts, err);
	attributes_plan(&plan, opts);
	if (rc == RC_OK)
		rc = child_launch(child, &plan, opts, err);
	if (rc != RC_OK)
		child_done(child);
	return rc;
}

/* --- running --- */

static void child_signal(const struct child *child, int signo)
{
	if (child->has_ended)
		return;
	if (child->has_group)
		kill(-child->pid, signo);
	else
		kill(child->pid, signo);
}

static void stdin_write(struct child *child)
{
	ssize_t put = write(child->fds[PIPE_IN], child->in.data, child->in.len);
	if (put > 0)
		buf_consume(&child->in, (size_t)put);
	if (child->in.len == 0 || (put < 0 && errno != EAGAIN && errno != EINTR))
		child_close(child, PIPE_IN);
}

/* What exceeds the limit is read all the same, so that the child can go on. */
static void output_keep(struct child *child, struct buf *out, struct str bytes)
{
	size_t room = child->output_max - out->len;
	if (bytes.len > room) {
		child->result.is_cut = true;
		bytes.len = room;
	}
	buf_add_str(out, bytes);
}

/* false when there is nothing to read now. */
static bool output_read(struct child *child, enum pipe_end end)
{
	char bytes[READ_STEP];
	ssize_t got = read(child->fds[end], bytes, sizeof(bytes));
	if (got > 0) {
		output_keep(child, end == PIPE_OUT ? &child->result.out : &child->result.err,
			    str_n(bytes, (size_t)got));
		return true;
	}
	if (got == 0 || (errno != EAGAIN && errno != EINTR))
		child_close(child, end);
	return false;
}

/* The child is gone: what its pipes still hold is taken; a grandchild that keeps them open is not
 * waited for. */
static void child_ended(struct child *child)
{
	int status = 0;
	pid_t waited;
	do
		waited = waitpid(child->pid, &status, 0);
	while (waited < 0 && errno == EINTR);
	child->has_ended = true;
	if (waited < 0)
		child->result.exit_code = 127; /* somebody else reaped it */
	else if (WIFSIGNALED(status))
		child->result.term_signal = WTERMSIG(status);
	else
		child->result.exit_code = WEXITSTATUS(status);
	if (child->result.term_signal)
		child->result.exit_code = 128 + child->result.term_signal;
	for (int end = PIPE_OUT; end <= PIPE_ERR; end++)
		for (int i = 0; i < 1024 && child->fds[end] >= 0 && output_read(child, end); i++)
			;
}

static void child_event(struct child *child, enum pipe_end end)
{
	if (child->fds[end] < 0 || child->has_ended)
		return;
	if (end == PIPE_IN)
		stdin_write(child);
	else if (end == PIPE_PID)
		child_ended(child);
	else
		output_read(child, end);
}

static void child_time_out(struct child *child)
{
	child->result.is_timed_out = true;
	child_signal(child, SIGKILL);
}

/* --- blocking --- */

static void child_poll(struct child *child, int wait_ms)
{
	struct pollfd fds[PIPE_COUNT];
	for (int end = 0; end < PIPE_COUNT; end++)
		fds[end] = (struct pollfd){child->fds[end], end == PIPE_IN ? POLLOUT : POLLIN, 0};
	if (poll(fds, PIPE_COUNT, wait_ms) <= 0)
		return;
	for (int end = 0; end < PIPE_COUNT; end++)
		if (fds[end].revents)
			child_event(child, end);
}

enum rc spawn_run(const struct spawn_opts *opts, struct spawn_result *ret_result, struct err *err)
{
	struct child child;
	TRY(child_start(&child, opts, err));
	int64_t due_ms = opts->timeout_ms > 0 ? world_mono_ms() + opts->timeout_ms : INT64_MAX;
	while (!child.has_ended) {
		int64_t left_ms = due_ms == INT64_MAX ? -1 : MAX(due_ms - world_mono_ms(), 0);
		if (left_ms == 0) {
			child_time_out(&child);
			due_ms = INT64_MAX;
			continue;
		}
		child_poll(&child, (int)MIN(left_ms, 1 << 30));
	}
	*ret_result = child.result;
	child.result = (struct spawn_result){};
	child_done(&child);
	return RC_OK;
}

static struct str last_line(struct str text)
{
	struct str before, line;
	text = str_trim(text);
	str_cut_last(text, '\n', &before, &line);
	return str_n(line.at, MIN(line.len, TAIL_TEXT_MAX));
}

enum rc spawn_check(const struct spawn_opts *opts, struct buf *ret_out, struct err *err)
{
	struct spawn_result result;
	TRY(spawn_run(opts, &result, err));
	enum rc rc = RC_OK;
	struct str said =
		last_line(result.err.len > 0 ? buf_str(&result.err) : buf_str(&result.out));
	if (result.is_timed_out)
		rc = err_set(err, RC_TIMEOUT, "'%s' did not end within %lld ms", opts->argv[0],
			     (long long)opts->timeout_ms);
	else if (result.exit_code != 0)
		rc = err_set(err, RC_IO, "'%s' exited with %d: %.*s", opts->argv[0],
			     result.exit_code, STR_FMT(said));
	if (rc == RC_OK && ret_out) {
		*ret_out = result.out;
		result.out = (struct buf){};
	}
	spawn_result_done(&result);
	return rc;
}

/* --- asynchronous --- */

struct watcher {
	uv_poll_t poll;
	struct spawn *spawn;
	enum pipe_end end;
};

struct spawn {
	struct child child;
	struct loop *loop;
	struct loop_timer timer;
	struct watcher *watchers[PIPE_COUNT];
	void (*done)(struct spawn *sp, struct spawn_result *result, void *ctx);
	void *ctx;
};

static void watcher_closed(uv_handle_t *handle)
{
	free(CONTAINER_OF(handle, struct watcher, poll));
}

static void watcher_stop(struct spawn *sp, enum pipe_end end)
{
	struct watcher *w = TAKE_PTR(sp->watchers[end]);
	if (!w)
		return;
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, watcher_closed);
}

static void spawn_free(struct spawn *sp)
{
	for (int end = 0; end < PIPE_COUNT; end++)
		watcher_stop(sp, end);
	loop_timer_stop(&sp->timer);
	child_done(&sp->child);
	free(sp);
}

static void watcher_on(uv_poll_t *poll, int status, int events)
{
	struct watcher *w = CONTAINER_OF(poll, struct watcher, poll);
	struct spawn *sp = w->spawn;
	enum pipe_end end = w->end;
	int fd = sp->child.fds[end];
	child_event(&sp->child, end);
	if (sp->child.fds[end] != fd)
		watcher_stop(sp, end);
	if (!sp->child.has_ended)
		return;
	for (int i = 0; i < PIPE_COUNT; i++)
		watcher_stop(sp, i);
	loop_timer_stop(&sp->timer);
	if (sp->done)
		sp->done(sp, &sp->child.result, sp->ctx);
	spawn_free(sp);
}

static void timeout_on(struct loop_timer *timer)
{
	child_time_out(&CONTAINER_OF(timer, struct spawn, timer)->child);
}

static void watcher_start(struct spawn *sp, enum pipe_end end)
{
	if (sp->child.fds[end] < 0)
		return;
	struct watcher *w = NEW(struct watcher);
	w->spawn = sp;
	w->end = end;
	int failed = uv_poll_init(loop_uv(sp->loop), &w->poll, sp->child.fds[end]);
	ASSERT(failed == 0);
	uv_poll_start(&w->poll, end == PIPE_IN ? UV_WRITABLE : UV_READABLE, watcher_on);
	sp->watchers[end] = w;
}

enum rc spawn_start(struct loop *loop, const struct spawn_opts *opts,
		    void (*done)(struct spawn *sp, struct spawn_result *result, void *ctx),
		    void *ctx, struct spawn **ret_spawn, struct err *err)
{
	struct spawn *sp = NEW(struct spawn);
	enum rc rc = child_start(&sp->child, opts, err);
	if (rc != RC_OK) {
		free(sp);
		return rc;
	}
	sp->loop = loop;
	sp->done = done;
	sp->ctx = ctx;
	for (int end = 0; end < PIPE_COUNT; end++)
		watcher_start(sp, end);
	if (opts->timeout_ms > 0)
		loop_timer_start(loop, &sp->timer, opts->timeout_ms, timeout_on);
	if (ret_spawn)
		*ret_spawn = sp;
	return RC_OK;
}

pid_t spawn_pid(const struct spawn *sp)
{
	return sp->child.pid;
}

void spawn_signal(struct spawn *sp, int signo)
{
	child_signal(&sp->child, signo);
}
