#include "cli/child.h"

#include <signal.h>
#include <unistd.h>

#include "base/log.h"

static void start_again(struct loop_timer *timer)
{
	child_start(CONTAINER_OF(timer, struct child, restart));
}

void child_init(struct child *c, struct loop *loop, const char *name)
{
	*c = (struct child){.loop = loop, .backoff_ms = CHILD_BACKOFF_FIRST_MS};
	c->name = arena_cstr(&c->arena, str_of(name));
	child_arg(c, "/proc/self/exe");
}

void child_arg(struct child *c, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	text_list_add(&c->arena, &c->args,
		      arena_cstr(&c->arena, arena_vprintf(&c->arena, fmt, ap)));
	va_end(ap);
}

static void exited(uv_process_t *process, int64_t status, int signal)
{
	struct child *c = process->data;
	c->is_running = false;
	uv_close((uv_handle_t *)process, NULL);
	uv_close((uv_handle_t *)&c->notify, NULL);
	if (c->is_stopping) {
		c->on_stopped(c);
		return;
	}
	log_warn("up", "%s ended (code %d, signal %d); starting it again in %lld ms", c->name,
		 (int)status, signal, (long long)c->backoff_ms);
	loop_timer_start(c->loop, &c->restart, c->backoff_ms, start_again);
	c->backoff_ms = MIN(c->backoff_ms * 2, (int64_t)CHILD_BACKOFF_LAST_MS);
}

static void alloc_small(uv_handle_t *handle, size_t wanted, uv_buf_t *buf)
{
	static char bytes[64];
	*buf = uv_buf_init(bytes, sizeof(bytes));
}

static void notified(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf)
{
	struct child *c = stream->data;
	if (len < 0)
		uv_read_stop(stream);
	if (len <= 0)
		return;
	c->backoff_ms = CHILD_BACKOFF_FIRST_MS;
	if (c->is_ready) {
		if (c->on_again)
			c->on_again(c);
		return;
	}
	c->is_ready = true;
	if (c->on_ready)
		c->on_ready(c);
}

void child_start(struct child *c)
{
	uv_stdio_container_t stdio[CHILD_NOTIFY_FD + 1] = {
		{.flags = UV_IGNORE},
		{.flags = UV_INHERIT_FD, .data.fd = 1},
		{.flags = UV_INHERIT_FD, .data.fd = 2},
		{.flags = UV_CREATE_PIPE | UV_READABLE_PIPE | UV_WRITABLE_PIPE,
		 .data.stream = (uv_stream_t *)&c->notify},
	};
	uv_pipe_init(loop_uv(c->loop), &c->notify, 0);
	c->notify.data = c;
	c->process.data = c;
	text_list_add(&c->arena, &c->args, NULL);
	c->args.count--; /* it may be started again */
	uv_process_options_t options = {
		.exit_cb = exited,
		.file = c->args.at[0],
		.args = (char **)c->args.at,
		.stdio = stdio,
		.stdio_count = CHILD_NOTIFY_FD + 1,
		.flags = UV_PROCESS_DETACHED, /* a group of its own: Ctrl-C is ours to pass on */
	};
	int status = uv_spawn(loop_uv(c->loop), &c->process, &options);
	if (status < 0) {
		log_error("up", "cannot start %s: %s", c->name, uv_strerror(status));
		exited(&c->process, status, 0);
		return;
	}
	c->is_running = true;
	uv_read_start((uv_stream_t *)&c->notify, alloc_small, notified);
}

void child_stop(struct child *c, int signal)
{
	c->is_stopping = true;
	loop_timer_stop(&c->restart);
	if (c->is_running)
		uv_process_kill(&c->process, signal);
	else
		c->on_stopped(c);
}

void child_signal(struct child *c, int signal)
{
	if (c->is_running && c->is_ready)
		uv_process_kill(&c->process, signal);
}

void child_done(struct child *c)
{
	arena_done(&c->arena);
}

void child_tell_ready(int64_t fd, const char *area)
{
	if (fd > 0 && write((int)fd, "ready\n", 6) < 0)
		log_warn(area, "nobody waits for us to be ready");
}
