#include "io/watch.h"

#include <uv.h>

#include "base/mem.h"

static void poll_closed(uv_handle_t *handle)
{
	free(handle);
}

static void poll_on(uv_poll_t *poll, int status, int events)
{
	struct loop_watch *watch = poll->data;
	watch->fn(watch);
}

static enum rc watch_start(struct loop *loop, struct loop_watch *watch, int fd, int events,
			   void (*fn)(struct loop_watch *watch), struct err *err)
{
	ASSERT(!watch->private);
	uv_poll_t *poll = NEW(uv_poll_t);
	int failed = uv_poll_init(loop_uv(loop), poll, fd);
	if (failed) {
		free(poll);
		return err_sys(err, RC_IO, -failed, "watch descriptor %d", fd);
	}
	poll->data = watch;
	watch->fn = fn;
	watch->private = poll;
	failed = uv_poll_start(poll, events, poll_on);
	if (!failed)
		return RC_OK;
	loop_watch_stop(watch);
	return err_sys(err, RC_IO, -failed, "watch descriptor %d", fd);
}

enum rc loop_watch_start(struct loop *loop, struct loop_watch *watch, int fd,
			 void (*fn)(struct loop_watch *watch), struct err *err)
{
	return watch_start(loop, watch, fd, UV_READABLE, fn, err);
}

enum rc loop_watch_start_writable(struct loop *loop, struct loop_watch *watch, int fd,
				  void (*fn)(struct loop_watch *watch), struct err *err)
{
	return watch_start(loop, watch, fd, UV_WRITABLE, fn, err);
}

void loop_watch_stop(struct loop_watch *watch)
{
	uv_poll_t *poll = TAKE_PTR(watch->private);
	if (poll)
		uv_close((uv_handle_t *)poll, poll_closed);
}
