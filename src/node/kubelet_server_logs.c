/* Logs of containers, streamed.  The file is read on the pool in steps; between steps the stream
 * waits for the client to take what it got, and at the end of the file, when it follows, for a
 * change of its folder (one inotify descriptor for all streams) or for the end of the container. */
#include <errno.h>
#include <limits.h>
#include <sys/inotify.h>

#include "base/log.h"
#include "base/timefmt.h"
#include "node/container_log.h"
#include "node/kubelet_server-int.h"

#define OUT_MAX_BYTES (4u << 20)
#define SECOND_US     1000000
#define FOLDER_EVENTS                                                                              \
	(IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR)

struct log_stream {
	struct list link;
	struct kubelet_server *server;
	struct http_exchange *x;
	struct container_log *log;
	char id[RUNTIME_ID_MAX];
	int wd; /* in the inotify descriptor; -1: none */
	struct loop_work work;
	struct buf out;
	enum container_log_state state;
	enum rc rc;
	struct err err;
	bool is_working, is_blocked, has_news;
	bool is_over; /* nothing more will be written */
	bool is_gone; /* nobody reads */
};

static void step(struct log_stream *s);

/* ---- end ---- */

static bool is_folder_watched(const struct kubelet_server *server, int wd)
{
	struct log_stream *s;
	LIST_FOR_EACH (s, &server->logs, link)
		if (s->wd == wd)
			return true;
	return false;
}

static void end(struct log_stream *s)
{
	struct kubelet_server *server = s->server;
	list_remove(&s->link);
	server->log_count--;
	if (s->wd >= 0 && !is_folder_watched(server, s->wd))
		inotify_rm_watch(server->inotify_fd, s->wd);
	http_set_user(s->x, NULL);
	http_stream_end(s->x);
	container_log_free(s->log);
	buf_done(&s->out);
	free(s);
	kubelet_check_stopped(server);
}

/* ---- reading ---- */

static void read_on(struct loop_work *work)
{
	struct log_stream *s = CONTAINER_OF(work, struct log_stream, work);
	s->rc = container_log_read(s->log, &s->out, &s->state, &s->err);
}

static size_t send_out(struct log_stream *s)
{
	struct http_chunk chunk = HTTP_CHUNK_COPY(s->out.data, s->out.len);
	size_t queued = http_stream_queued(s->x);
	if (s->out.len && !s->is_gone)
		queued = http_stream_write(s->x, &chunk, 1);
	buf_reset(&s->out);
	return queued;
}

static void read_done(struct loop_work *work)
{
	struct log_stream *s = CONTAINER_OF(work, struct log_stream, work);
	bool was_over = s->is_over && !s->has_news;
	s->is_working = false;
	if (s->rc != RC_OK)
		log_warn("node", "log of container %.12s: %s", s->id, s->err.text);
	size_t queued = send_out(s);
	if (s->is_gone || s->rc != RC_OK || s->state == CONTAINER_LOG_FULL ||
	    (s->state == CONTAINER_LOG_AT_END && was_over)) {
		end(s);
		return;
	}
	s->is_blocked = queued > STREAM_HIGH_BYTES;
	if (s->state == CONTAINER_LOG_MORE || s->has_news)
		step(s);
}

static void step(struct log_stream *s)
{
	s->has_news = true;
	if (s->is_working || s->is_blocked)
		return;
	s->has_news = false;
	s->is_working = true;
	if (s->is_over)
		container_log_finish(s->log);
	s->work.work = read_on;
	s->work.done = read_done;
	loop_work_start(s->server->loop, &s->work);
}

static void drained(struct http_exchange *x)
{
	struct log_stream *s = http_user(x);
	if (!s || !s->is_blocked)
		return;
	s->is_blocked = false;
	step(s);
}

/* ---- what a stream waits for ---- */

static void finish(struct log_stream *s)
{
	s->is_over = true;
	step(s);
}

void kubelet_logs_exited(struct kubelet_server *server, const char *id)
{
	struct log_stream *s;
	LIST_FOR_EACH (s, &server->logs, link)
		if (strcmp(s->id, id) == 0)
			finish(s);
}

static void give_up(struct log_stream *s)
{
	s->is_gone = true;
	if (!s->is_working)
		end(s);
}

void kubelet_log_gone(struct http_exchange *x)
{
	give_up(http_user(x));
}

void kubelet_logs_stop(struct kubelet_server *server)
{
	struct log_stream *s;
	LIST_FOR_EACH (s, &server->logs, link)
		give_up(s);
}

static void folder_changed(struct kubelet_server *server, const struct inotify_event *event)
{
	struct log_stream *s;
	LIST_FOR_EACH (s, &server->logs, link) {
		if (s->wd != event->wd && !(event->mask & IN_Q_OVERFLOW))
			continue;
		if (event->mask & IN_IGNORED) { /* the folder is gone */
			s->wd = -1;
			finish(s);
		} else {
			step(s);
		}
	}
}

static void inotify_on(struct loop_watch *watch)
{
	struct kubelet_server *server = CONTAINER_OF(watch, struct kubelet_server, inotify_watch);
	_Alignas(struct inotify_event) char bytes[4096];
	ssize_t len = read(server->inotify_fd, bytes, sizeof(bytes));
	for (ssize_t at = 0; at < len;) {
		struct inotify_event event;
		memcpy(&event, bytes + at, sizeof(event));
		folder_changed(server, &event);
		at += (ssize_t)(sizeof(event) + event.len);
	}
}

static enum rc watch_folder(struct log_stream *s, struct str log_path, struct err *err)
{
	struct kubelet_server *server = s->server;
	struct str folder, name;
	CLEANUP_ARENA a = {};
	if (server->inotify_fd < 0) {
		server->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
		if (server->inotify_fd < 0)
			return err_sys(err, RC_INTERNAL, errno,
				       "watch logs (fs.inotify.max_user_instances is the limit)");
		TRY(loop_watch_start(server->loop, &server->inotify_watch, server->inotify_fd,
				     inotify_on, err));
	}
	str_cut_last(log_path, '/', &folder, &name);
	s->wd = inotify_add_watch(server->inotify_fd, arena_cstr(&a, folder), FOLDER_EVENTS);
	if (s->wd < 0)
		return err_sys(err, RC_INTERNAL, errno,
			       "watch '%.*s' (fs.inotify.max_user_watches is the limit)",
			       STR_FMT(folder));
	return RC_OK;
}

void kubelet_logs_done(struct kubelet_server *server)
{
	loop_watch_stop(&server->inotify_watch);
	if (server->inotify_fd >= 0)
		close(TAKE_FD(server->inotify_fd));
}

/* ---- start ---- */

static enum rc number_param(struct http_exchange *x, const char *name, int64_t least,
			    int64_t *ret_value, struct err *err)
{
	struct str text = http_param(x, name);
	int64_t value;
	if (text.len == 0)
		return RC_OK;
	if (!str_to_i64(text, &value))
		return err_set(err, RC_BAD_REQUEST, "%s: '%.*s' is not a whole number", name,
			       STR_FMT(text));
	if (value < least)
		return err_set(err, RC_INVALID,
			       "%s: Invalid value: %lld: must be greater than or equal to %lld",
			       name, (long long)value, (long long)least);
	*ret_value = value;
	return RC_OK;
}

static enum rc since_params(struct http_exchange *x, int64_t *ret_since_us, struct err *err)
{
	struct str time = http_param(x, "sinceTime");
	int64_t seconds = 0, now_us = world_wall_us();
	TRY(number_param(x, "sinceSeconds", 1, &seconds, err));
	if (seconds && time.len)
		return err_set(err, RC_INVALID,
			       "at most one of `sinceTime` or `sinceSeconds` may be specified");
	if (seconds)
		*ret_since_us = seconds < now_us / SECOND_US ? now_us - seconds * SECOND_US : 1;
	if (time.len && !time_parse(time, ret_since_us))
		return err_set(err, RC_BAD_REQUEST, "sinceTime: '%.*s' is not an RFC 3339 time",
			       STR_FMT(time));
	return RC_OK;
}

static enum rc read_params(struct http_exchange *x, struct container_log_options *ret_options,
			   struct err *err)
{
	*ret_options = (struct container_log_options){
		.tail_lines = -1,
		.limit_bytes = -1,
		.has_timestamps = kubelet_param_is_true(x, "timestamps"),
		.is_follow = kubelet_param_is_true(x, "follow"),
	};
	TRY(number_param(x, "tailLines", 0, &ret_options->tail_lines, err));
	TRY(number_param(x, "limitBytes", 1, &ret_options->limit_bytes, err));
	return since_params(x, &ret_options->since_us, err);
}

static enum rc start(struct kubelet_request *q, struct log_stream *s, struct err *err)
{
	struct container_log_options options;
	TRY(read_params(q->x, &options, err));
	if (q->found.state == RUNTIME_EXITED)
		options.is_follow = false;
	if (options.is_follow)
		TRY(watch_folder(s, q->found.log_path, err));
	TRY(container_log_open(q->found.log_path.at, &options, &s->log, err));
	s->is_over = !options.is_follow;
	return RC_OK;
}

static void begin_reply(struct log_stream *s)
{
	static const struct http_header type = {STR_INIT("content-type"), STR_INIT("text/plain")};
	http_set_user(s->x, s);
	http_stream_begin(s->x, 200, &type, 1);
	http_stream_on_drain(s->x, STREAM_LOW_BYTES, drained);
	step(s);
}

void kubelet_serve_log(struct kubelet_request *q)
{
	struct kubelet_server *server = q->server;
	struct err err;
	if (server->log_count >= KUBELET_LOG_STREAMS_MAX) {
		err_set(&err, RC_TOO_MANY_REQUESTS, "%d logs are being read already; try again",
			KUBELET_LOG_STREAMS_MAX);
		kubelet_fail(q->x, &err);
		return;
	}
	struct log_stream *s = NEW(struct log_stream);
	s->server = server;
	s->x = q->x;
	s->wd = -1;
	s->out.max_bytes = OUT_MAX_BYTES;
	memcpy(s->id, q->found.id, sizeof(s->id));
	if (start(q, s, &err) != RC_OK) {
		if (s->wd >= 0 && !is_folder_watched(server, s->wd))
			inotify_rm_watch(server->inotify_fd, s->wd);
		free(s);
		kubelet_fail(q->x, &err);
		return;
	}
	list_append(&server->logs, &s->link);
	server->log_count++;
	begin_reply(s);
}
