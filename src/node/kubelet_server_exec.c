/* exec and attach: descriptors of the runtime joined with the channels of a client.
 *
 * Output goes from a descriptor to its channel until the client is too slow (STREAM_HIGH_BYTES);
 * then the descriptor is not read until the channels are empty.  Input that a descriptor does not
 * take waits here, and the client's channels are paused meanwhile.  A session ends with the
 * command (exec), or with the container's stdio (attach), or with the client, whose command is
 * killed then. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "codec/json.h"
#include "node/kubelet_server-int.h"

#define READ_BYTES	  (32u << 10)
#define LAST_READ_BYTES	  (1u << 20) /* of what a command left in its pipe */
#define INPUT_MAX_BYTES	  (4u << 20)
#define PACKET_MAX_BYTES  (8u << 10) /* to conmon */
#define COMMAND_MAX_BYTES (1u << 20)
#define STATUS_MAX_BYTES  (16u << 10)
#define SIZES_MAX_BYTES	  1024
#define SIZE_PAUSE_MS	  200

struct exec_session;

struct exec_output {
	struct exec_session *session;
	int fd; /* -1: none, or over */
	enum channel channel;
	struct loop_watch watch;
	bool is_paused;
};

struct exec_session {
	struct list link;
	struct kubelet_server *server;
	struct channels *channels; /* NULL: the client is gone */
	struct arena arena;
	bool is_attach, is_tty, has_stdin, has_stdout, has_stderr;
	struct runtime_call call;
	bool is_calling;	      /* the runtime has not answered yet */
	bool has_begun;		      /* it has */
	bool has_printed, is_refused; /* the first output told whose it is */
	struct runtime_exec_config config;
	struct runtime_exec *exec;
	struct exec_output outputs[2];
	int stdin_fd;
	struct loop_watch stdin_watch;
	struct buf input; /* waits for stdin_fd */
	bool is_input_ended;
	struct buf sizes;	      /* the beginning of the next one */
	struct loop_timer size_timer; /* runs for a while after each size that conmon gets */
	bool is_size_new;
	uint16_t columns, rows; /* 0: not told */
};

/* ---- status ---- */

static struct json *failure(struct arena *a, const char *reason, struct str message,
			    const char *cause_reason, struct str cause)
{
	struct json *t = json_object(a), *details = json_object(a), *causes = json_array(a),
		    *c = json_object(a);
	json_set(a, t, STR("metadata"), json_object(a));
	json_set_str(a, t, STR("status"), STR("Failure"));
	json_set_str(a, t, STR("message"), message);
	json_set_str(a, t, STR("reason"), str_of(reason));
	if (cause_reason)
		json_set_str(a, c, STR("reason"), str_of(cause_reason));
	json_set_str(a, c, STR("message"), cause);
	json_append(a, causes, c);
	json_set(a, details, STR("causes"), causes);
	json_set(a, t, STR("details"), details);
	return t;
}

struct str kubelet_exec_status(struct arena *a, enum rc rc, const char *problem, int exit_code)
{
	CLEANUP_BUF out = BUF_INIT(STATUS_MAX_BYTES);
	struct json *t;
	if (rc == RC_OK && exit_code == 0)
		return STR("{\"metadata\":{},\"status\":\"Success\"}");
	if (rc == RC_OK) {
		t = failure(a, "NonZeroExitCode",
			    arena_printf(a,
					 "command terminated with non-zero exit code: exit status "
					 "%d",
					 exit_code),
			    "ExitCode", arena_printf(a, "%d", exit_code));
	} else {
		struct str text =
			arena_printf(a, "error executing command in container: %s", problem);
		t = failure(a, "InternalError",
			    arena_printf(a, "Internal error occurred: %.*s", STR_FMT(text)), NULL,
			    text);
		json_set(a, t, STR("code"), json_int(a, 500));
	}
	json_write(&out, t);
	return arena_str(a, buf_str(&out));
}

/* The older protocols know a message only. */
static void send_status(struct exec_session *s, enum rc rc, const char *problem, int exit_code)
{
	CLEANUP_ARENA a = {};
	struct str text = kubelet_exec_status(&a, rc, problem, exit_code);
	struct json *t;
	if (!s->channels)
		return;
	if (!channels_has_status(s->channels)) {
		if (json_parse(&a, text, &t, NULL, NULL) != RC_OK)
			return;
		text = json_str(json_get(t, STR("message")));
	}
	if (text.len)
		channels_send(s->channels, CHANNEL_ERROR, text);
}

/* ---- end ---- */

static void output_close(struct exec_output *o)
{
	struct runtime_exec *exec = o->session->exec;
	loop_watch_stop(&o->watch);
	if (exec && exec->stdout_fd == o->fd)
		exec->stdout_fd = -1;
	if (o->fd >= 0)
		close(TAKE_FD(o->fd));
}

static void input_close(struct exec_session *s)
{
	loop_watch_stop(&s->stdin_watch);
	if (s->stdin_fd >= 0)
		close(TAKE_FD(s->stdin_fd));
	buf_reset(&s->input);
}

static void session_free(struct exec_session *s)
{
	struct kubelet_server *server = s->server;
	list_remove(&s->link);
	server->session_count--;
	for (size_t i = 0; i < ARRAY_LEN(s->outputs); i++)
		output_close(&s->outputs[i]);
	input_close(s);
	if (s->exec)
		server->config.runtime->ops->exec_free(s->exec);
	channels_close(s->channels);
	loop_timer_stop(&s->size_timer);
	buf_done(&s->input);
	buf_done(&s->sizes);
	arena_done(&s->arena);
	free(s);
	kubelet_check_stopped(server);
}

static void session_end(struct exec_session *s, enum rc rc, const char *problem, int exit_code)
{
	send_status(s, rc, problem, exit_code);
	session_free(s);
}

/* ---- output ---- */

/* Why a command could not be run goes into the status, as from other runtimes; runc prints it too.
 */
static bool is_runtimes_own(struct exec_session *s)
{
	bool (*is_refused)(struct runtime_exec *) = s->server->config.runtime->ops->exec_is_refused;
	if (!s->has_printed && !s->is_attach && is_refused)
		s->is_refused = is_refused(s->exec);
	s->has_printed = true;
	return s->is_refused;
}

/* One read; false when there is nothing now, or nothing more (then fd is -1). */
static bool output_read(struct exec_output *o)
{
	static char bytes[READ_BYTES]; /* the loop's thread only */
	struct exec_session *s = o->session;
	enum channel channel = o->channel;
	ssize_t got = read(o->fd, bytes, sizeof(bytes));
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) { /* a terminal without a reader inside gives EIO */
		output_close(o);
		return false;
	}
	struct str text = str_n(bytes, (size_t)got);
	if (is_runtimes_own(s))
		return true;
	if (s->is_attach) { /* the first byte of a packet says which stream */
		channel = bytes[0] == 3 && !s->is_tty ? CHANNEL_STDERR : CHANNEL_STDOUT;
		text = str_skip(text, 1);
	}
	if (s->channels && channels_send(s->channels, channel, text) > STREAM_HIGH_BYTES) {
		o->is_paused = true;
		loop_watch_stop(&o->watch);
	}
	return true;
}

static void output_on(struct loop_watch *watch)
{
	struct exec_output *o = CONTAINER_OF(watch, struct exec_output, watch);
	struct exec_session *s = o->session;
	output_read(o);
	if (s->is_attach && o->fd < 0)
		session_end(s, RC_OK, NULL, 0);
}

static void output_start(struct exec_output *o)
{
	struct err err;
	if (o->fd < 0 ||
	    loop_watch_start(o->session->server->loop, &o->watch, o->fd, output_on, &err) == RC_OK)
		return;
	log_warn("node", "output of a command: %s", err.text);
	output_close(o);
}

static void drain_on(struct channels *ch, void *user)
{
	struct exec_session *s = user;
	for (size_t i = 0; i < ARRAY_LEN(s->outputs); i++) {
		struct exec_output *o = &s->outputs[i];
		if (!o->is_paused)
			continue;
		o->is_paused = false;
		output_start(o);
	}
}

/* ---- input ---- */

static ssize_t input_put(struct exec_session *s, struct str bytes)
{
	if (s->is_attach)
		return send(s->stdin_fd, bytes.at, MIN(bytes.len, (size_t)PACKET_MAX_BYTES),
			    MSG_NOSIGNAL);
	return write(s->stdin_fd, bytes.at, bytes.len);
}

static void input_finish(struct exec_session *s)
{
	if (s->is_attach && s->stdin_fd >= 0)
		shutdown(s->stdin_fd, SHUT_WR);
	input_close(s);
}

static void input_on(struct loop_watch *watch);

/* Writes what the descriptor takes, then waits for room or, when that was all, for more. */
static void input_flush(struct exec_session *s)
{
	while (s->input.len > 0) {
		ssize_t put = input_put(s, buf_str(&s->input));
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno == EAGAIN)
			break;
		if (put < 0) { /* nobody reads it any more */
			input_close(s);
			break;
		}
		buf_consume(&s->input, (size_t)put);
	}
	bool is_waiting = s->input.len > 0;
	if (is_waiting && !s->stdin_watch.private) {
		channels_pause(s->channels);
		if (loop_watch_start_writable(s->server->loop, &s->stdin_watch, s->stdin_fd,
					      input_on, NULL) != RC_OK)
			input_close(s);
	} else if (!is_waiting && s->stdin_watch.private) {
		loop_watch_stop(&s->stdin_watch);
	}
	if (!is_waiting && s->channels)
		channels_resume(s->channels);
	if (!is_waiting && s->is_input_ended && !s->is_tty)
		input_finish(s);
}

static void input_on(struct loop_watch *watch)
{
	input_flush(CONTAINER_OF(watch, struct exec_session, stdin_watch));
}

static void input_add(struct exec_session *s, struct str bytes)
{
	bool is_open = s->stdin_fd >= 0 || !s->has_begun;
	if (!is_open || s->is_input_ended)
		return;
	buf_add_str(&s->input, bytes);
	if (s->input.is_full) { /* paused channels send a message or two more, never so much */
		input_close(s);
		return;
	}
	if (s->stdin_fd >= 0 && !s->stdin_watch.private)
		input_flush(s);
	else if (!s->has_begun && s->input.len > STREAM_HIGH_BYTES)
		channels_pause(s->channels);
}

static void on_size_timer(struct loop_timer *timer);

/* conmon overlooks the second of two sizes that it reads at once, and kubectl sends two at the
 * start, to have everything drawn again. */
static void attach_size_tell(struct exec_session *s)
{
	struct runtime *r = s->server->config.runtime;
	s->is_size_new = false;
	r->ops->attach_resize(r, s->config.container_id, s->columns, s->rows);
	loop_timer_start(s->server->loop, &s->size_timer, SIZE_PAUSE_MS, on_size_timer);
}

static void on_size_timer(struct loop_timer *timer)
{
	struct exec_session *s = CONTAINER_OF(timer, struct exec_session, size_timer);
	if (s->is_size_new)
		attach_size_tell(s);
}

static void size_tell(struct exec_session *s)
{
	struct runtime *r = s->server->config.runtime;
	if (!s->columns)
		return;
	if (s->exec)
		r->ops->exec_resize(s->exec, s->columns, s->rows);
	else if (s->is_attach && s->has_begun && s->size_timer.loop)
		s->is_size_new = true;
	else if (s->is_attach && s->has_begun)
		attach_size_tell(s);
}

static void size_read(struct exec_session *s, struct str text)
{
	CLEANUP_ARENA a = {};
	struct json *t;
	if (json_parse(&a, str_trim(text), &t, NULL, NULL) != RC_OK)
		return;
	int64_t columns = json_i64(json_get(t, STR("Width")));
	int64_t rows = json_i64(json_get(t, STR("Height")));
	if (columns <= 0 || rows <= 0 || columns > UINT16_MAX || rows > UINT16_MAX)
		return;
	s->columns = (uint16_t)columns;
	s->rows = (uint16_t)rows;
	size_tell(s);
}

/* {"Width":80,"Height":24}, one after the other: what a client wrote at once may come in pieces,
 * and pieces together. */
static void resize(struct exec_session *s, struct str bytes)
{
	buf_add_str(&s->sizes, bytes);
	if (s->sizes.is_full) {
		buf_reset(&s->sizes);
		return;
	}
	for (const char *end; s->sizes.len && (end = memchr(s->sizes.data, '}', s->sizes.len));) {
		size_t len = (size_t)(end - s->sizes.data) + 1;
		size_read(s, str_n(s->sizes.data, len));
		buf_consume(&s->sizes, len);
	}
}

/* ---- the runtime has begun ---- */

static void exited(struct runtime_exec *exec)
{
	struct exec_session *s = exec->owner;
	struct err err = exec->err;
	enum rc rc = exec->rc;
	int exit_code = exec->exit_code;
	for (size_t i = 0; i < ARRAY_LEN(s->outputs); i++)
		for (size_t read = 0;
		     s->outputs[i].fd >= 0 && read < LAST_READ_BYTES && output_read(&s->outputs[i]);
		     read += READ_BYTES)
			;
	session_end(s, rc, err.text, exit_code);
}

static void take_exec(struct exec_session *s)
{
	struct runtime_exec *exec = s->exec;
	exec->owner = s;
	exec->exited = exited;
	s->outputs[0].fd = exec->stdout_fd; /* stays there too: the terminal that is resized */
	s->outputs[1].fd = TAKE_FD(exec->stderr_fd);
	s->stdin_fd = TAKE_FD(exec->stdin_fd);
	if (s->is_tty && s->has_stdin && s->outputs[0].fd >= 0)
		s->stdin_fd = fcntl(s->outputs[0].fd, F_DUPFD_CLOEXEC, 0);
	size_tell(s);
}

static void take_attach(struct exec_session *s)
{
	if (s->has_stdin)
		s->stdin_fd = fcntl(s->outputs[0].fd, F_DUPFD_CLOEXEC, 0);
	size_tell(s);
}

static void begun(struct runtime_call *call)
{
	struct exec_session *s = CONTAINER_OF(call, struct exec_session, call);
	s->is_calling = false;
	s->has_begun = true;
	if (call->rc != RC_OK || !s->channels) {
		if (s->exec) /* its descriptors are ours */
			take_exec(s);
		session_end(s, call->rc, call->err.text, 0);
		return;
	}
	if (s->is_attach)
		take_attach(s);
	else
		take_exec(s);
	output_start(&s->outputs[0]);
	output_start(&s->outputs[1]);
	if (s->stdin_fd < 0)
		buf_reset(&s->input);
	input_flush(s);
}

/* ---- the client ---- */

static void ready_on(struct channels *ch, void *user)
{
	struct exec_session *s = user;
	struct runtime *r = s->server->config.runtime;
	s->is_calling = true;
	s->call.done = begun;
	if (s->is_attach)
		r->ops->attach(r, s->config.container_id, &s->outputs[0].fd, &s->call);
	else
		r->ops->exec(r, &s->config, &s->exec, &s->call);
}

static void data_on(struct channels *ch, enum channel channel, struct str bytes, void *user)
{
	struct exec_session *s = user;
	if (channel == CHANNEL_RESIZE)
		resize(s, bytes);
	else
		input_add(s, bytes);
}

static void end_on(struct channels *ch, enum channel channel, void *user)
{
	struct exec_session *s = user;
	if (channel != CHANNEL_STDIN)
		return;
	s->is_input_ended = true;
	if (s->stdin_fd >= 0 && !s->stdin_watch.private)
		input_flush(s);
}

static void session_drop(struct exec_session *s)
{
	channels_close(TAKE_PTR(s->channels));
	if (!s->is_calling)
		session_free(s);
}

static void closed_on(struct channels *ch, void *user)
{
	session_drop(user);
}

static const struct channels_ops channels_ops = {ready_on, data_on, end_on, drain_on, closed_on};

void kubelet_sessions_stop(struct kubelet_server *server)
{
	struct exec_session *s;
	LIST_FOR_EACH (s, &server->sessions, link)
		if (s->channels)
			session_drop(s);
}

/* ---- start ---- */

static enum rc read_command(struct exec_session *s, struct http_exchange *x, struct err *err)
{
	size_t count, argc = 0, bytes = 0;
	const struct http_header *params = http_params(x, &count);
	struct str *argv = ARENA_ARRAY(&s->arena, struct str, count + 1);
	for (size_t i = 0; i < count; i++) {
		if (!str_is(params[i].name, "command"))
			continue;
		argv[argc++] = arena_str(&s->arena, params[i].value);
		bytes += params[i].value.len;
	}
	if (argc == 0)
		return err_set(err, RC_BAD_REQUEST, "you must specify at least 1 command");
	if (argc > RUNTIME_ARGS_MAX || bytes > COMMAND_MAX_BYTES)
		return err_set(err, RC_TOO_LARGE,
			       "a command of more than %d words or %u bytes cannot be run",
			       RUNTIME_ARGS_MAX, COMMAND_MAX_BYTES);
	s->config.argv = argv;
	s->config.argc = argc;
	return RC_OK;
}

static enum rc read_params(struct exec_session *s, struct http_exchange *x, struct err *err)
{
	s->is_tty = kubelet_param_is_true(x, "tty");
	s->has_stdin = kubelet_param_is_true(x, "input");
	s->has_stdout = kubelet_param_is_true(x, "output");
	s->has_stderr = kubelet_param_is_true(x, "error") && !s->is_tty;
	if (!s->has_stdin && !s->has_stdout && !s->has_stderr)
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify at least 1 of stdin, stdout, stderr");
	s->config.is_tty = s->is_tty;
	s->config.has_stdin = s->has_stdin;
	s->config.has_stdout = s->has_stdout;
	s->config.has_stderr = s->has_stderr;
	return s->is_attach ? RC_OK : read_command(s, x, err);
}

static unsigned wanted_channels(const struct exec_session *s)
{
	return (s->has_stdin ? CHANNEL_BIT(CHANNEL_STDIN) : 0) |
	       (s->has_stdout ? CHANNEL_BIT(CHANNEL_STDOUT) : 0) |
	       (s->has_stderr ? CHANNEL_BIT(CHANNEL_STDERR) : 0) |
	       (s->is_tty ? CHANNEL_BIT(CHANNEL_RESIZE) : 0);
}

static enum rc check_container(const struct kubelet_request *q, struct err *err)
{
	if (q->server->session_count >= KUBELET_SESSIONS_MAX)
		return err_set(err, RC_TOO_MANY_REQUESTS,
			       "%d sessions run on this node already; try again",
			       KUBELET_SESSIONS_MAX);
	if (q->found.state != RUNTIME_RUNNING)
		return err_set(err, RC_NOT_FOUND, "container not found (\"%.*s\")",
			       STR_FMT(q->container));
	return RC_OK;
}

static struct exec_session *session_new(struct kubelet_request *q, bool is_attach)
{
	struct exec_session *s = NEW(struct exec_session);
	s->server = q->server;
	s->is_attach = is_attach;
	s->stdin_fd = -1;
	s->input.max_bytes = INPUT_MAX_BYTES;
	s->sizes.max_bytes = SIZES_MAX_BYTES;
	s->config.container_id = arena_str(&s->arena, str_of(q->found.id));
	for (size_t i = 0; i < ARRAY_LEN(s->outputs); i++)
		s->outputs[i] = (struct exec_output){
			.session = s,
			.fd = -1,
			.channel = i == 0 ? CHANNEL_STDOUT : CHANNEL_STDERR,
		};
	list_append(&q->server->sessions, &s->link);
	q->server->session_count++;
	return s;
}

static void serve(struct kubelet_request *q, bool is_attach)
{
	struct err err;
	if (check_container(q, &err) != RC_OK) {
		kubelet_fail(q->x, &err);
		return;
	}
	struct exec_session *s = session_new(q, is_attach);
	struct http_exchange *x = q->x;
	if (read_params(s, x, &err) == RC_OK &&
	    channels_accept(x, wanted_channels(s), &channels_ops, s, &s->channels, &err) == RC_OK)
		return;
	session_free(s);
	kubelet_fail(x, &err);
}

void kubelet_serve_exec(struct kubelet_request *q)
{
	serve(q, false);
}

void kubelet_serve_attach(struct kubelet_request *q)
{
	serve(q, true);
}
