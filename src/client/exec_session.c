#include "client/exec_session.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <uv.h>

#include "client/api_error.h"
#include "client/api_path.h"
#include "client/exec_output.h"
#include "client/remote.h"
#include "client/resource_types.h"
#include "http/channels.h"
#include "http/websocket.h"

#define PROTOCOLS   "v5.channel.k8s.io, v4.channel.k8s.io"
#define INPUT_BYTES (16u << 10)
#define QUEUE_HIGH  (1u << 20)

struct session {
	const struct exec_session *what;
	struct remote remote;
	struct loop *loop;
	struct websocket *ws;
	struct exec_output *output;
	bool is_paused; /* until output was written */
	bool can_half_close;
	uv_signal_t resized;
	bool has_resized;
	/* The reader: a thread of its own, for a read() of a terminal cannot be taken back. */
	struct loop_msg input_msg;
	pthread_mutex_t lock;
	pthread_cond_t taken;
	char input[INPUT_BYTES];
	ssize_t input_len; /* 0: the end */
	bool is_input_full;
	bool is_input_held, is_over; /* the loop's own: held until the connection drains */
	bool has_status;
	int code;
	struct err err;
	enum rc rc;
};

static void end(struct session *s)
{
	s->is_over = true;
	loop_stop(s->loop);
}

/* ---- input ---- */

static void send_channel(struct session *s, enum channel channel, struct str bytes)
{
	char head[2] = {(char)channel, 0};
	if (s->ws)
		websocket_send2(s->ws, true, str_n(head, 1), bytes);
}

static void give_back(struct session *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_input_full = false;
	pthread_cond_signal(&s->taken);
	pthread_mutex_unlock(&s->lock);
}

static void take_input(struct loop_msg *msg)
{
	struct session *s = CONTAINER_OF(msg, struct session, input_msg);
	static const char closed = CHANNEL_STDIN;
	if (s->is_over)
		return;
	if (s->input_len > 0) {
		send_channel(s, CHANNEL_STDIN, str_n(s->input, (size_t)s->input_len));
		s->is_input_held = s->ws && websocket_queued(s->ws) >= QUEUE_HIGH;
		if (!s->is_input_held)
			give_back(s);
	} else if (s->can_half_close) {
		send_channel(s, CHANNEL_CLOSE, str_n(&closed, 1));
	}
}

static void *read_input(void *arg)
{
	struct session *s = arg;
	do {
		ssize_t len = read(s->what->in_fd, s->input, sizeof(s->input));
		if (len < 0 && errno == EINTR)
			continue;
		s->input_len = MAX(len, (ssize_t)0);
		s->is_input_full = true;
		loop_post(s->loop, &s->input_msg);
		pthread_mutex_lock(&s->lock);
		while (s->is_input_full && s->input_len > 0)
			pthread_cond_wait(&s->taken, &s->lock);
		pthread_mutex_unlock(&s->lock);
	} while (s->input_len > 0);
	return NULL;
}

static void start_input(struct session *s)
{
	pthread_t thread;
	s->input_msg.fn = take_input;
	if (s->what->in_fd >= 0 && pthread_create(&thread, NULL, read_input, s) == 0)
		pthread_detach(thread);
}

/* ---- the terminal ---- */

static void send_size(struct session *s)
{
	struct winsize size;
	char text[64];
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0)
		return;
	int len = snprintf(text, sizeof(text), "{\"Width\":%u,\"Height\":%u}", size.ws_col,
			   size.ws_row);
	send_channel(s, CHANNEL_RESIZE, str_n(text, (size_t)len));
}

static void on_resize(uv_signal_t *handle, int signal)
{
	send_size(handle->data);
}

static void watch_size(struct session *s)
{
	uv_signal_init(loop_uv(s->loop), &s->resized);
	s->resized.data = s;
	s->has_resized = true;
	uv_signal_start(&s->resized, on_resize, SIGWINCH);
	send_size(s);
}

static bool make_raw(struct termios *ret_before)
{
	struct termios raw;
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, ret_before) < 0)
		return false;
	raw = *ret_before;
	cfmakeraw(&raw);
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* ---- output ---- */

/* Stops the connection while what came is still to be written. */
static void add_output(struct session *s, int fd, struct str bytes)
{
	size_t waiting = exec_output_add(s->output, fd, bytes);
	if (!s->is_paused && waiting > EXEC_OUTPUT_HIGH) {
		s->is_paused = true;
		websocket_pause(s->ws);
	}
	if (!exec_output_ok(s->output))
		end(s);
}

static void output_drained(void *ctx)
{
	struct session *s = ctx;
	if (s->is_over)
		return;
	if (!exec_output_ok(s->output)) {
		end(s);
	} else if (s->is_paused) {
		s->is_paused = false;
		websocket_resume(s->ws);
	}
}

/* {"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode",…}]}} */
static void take_status(struct session *s, struct str text)
{
	CLEANUP_ARENA a = {};
	struct json *status;
	int64_t code = 1;
	s->has_status = true;
	if (json_parse(&a, text, &status, NULL, NULL) != RC_OK) {
		s->rc = err_set(&s->err, RC_INTERNAL, "%.*s", STR_FMT(str_trim(text)));
		return;
	}
	if (str_is(json_path_str(status, "status"), "Success"))
		return;
	if (!str_is(json_path_str(status, "reason"), "NonZeroExitCode")) {
		s->rc = err_set(&s->err, RC_INTERNAL, "%.*s",
				STR_FMT(json_path_str(status, "message")));
		return;
	}
	const struct json *causes = json_path(status, "details.causes");
	for (size_t i = 0; i < json_count(causes); i++)
		if (str_is(json_path_str(json_at(causes, i), "reason"), "ExitCode") &&
		    str_to_i64(json_path_str(json_at(causes, i), "message"), &code))
			s->code = (int)code;
}

static void on_message(struct websocket *ws, bool is_binary, struct str message, void *user)
{
	struct session *s = user;
	struct str bytes = str_skip(message, 1);
	if (message.len == 0)
		return;
	switch ((unsigned char)message.at[0]) {
	case CHANNEL_STDOUT:
		add_output(s, s->what->out_fd, bytes);
		break;
	case CHANNEL_STDERR:
		add_output(s, s->what->err_fd, bytes);
		break;
	case CHANNEL_ERROR:
		if (bytes.len)
			take_status(s, bytes);
		break;
	default:
		break;
	}
}

/* The reader may be filling the buffer, or what it read may not have been sent yet: only what was
 * held back is given back here. */
static void on_drain(struct websocket *ws, void *user)
{
	struct session *s = user;
	if (!s->is_input_held)
		return;
	s->is_input_held = false;
	give_back(s);
}

static void on_closed(struct websocket *ws, uint16_t code, void *user)
{
	struct session *s = user;
	if (!s->has_status && s->rc == RC_OK && code != WEBSOCKET_NORMAL)
		s->rc = err_set(&s->err, RC_UNAVAILABLE,
				"the connection to %.*s broke off before the command ended",
				STR_FMT(s->what->client->server));
	end(s);
}

static const struct websocket_ops ops = {on_message, on_drain, on_closed};

/* ---- beginning ---- */

static void connected(struct remote *r, const struct dial_reply *reply, const struct err *err)
{
	struct session *s = r->ctx;
	struct str protocol = {};
	if (err) {
		s->err = *err;
		s->rc = err->rc;
		end(s);
		return;
	}
	s->rc = websocket_answered(r->client->arena, reply, r->key, &ops, s, &protocol, &s->ws,
				   &s->err);
	if (s->rc != RC_OK) {
		end(s);
		return;
	}
	s->can_half_close = str_is(protocol, "v5.channel.k8s.io");
	if (s->what->is_terminal)
		watch_size(s);
	start_input(s);
}

enum rc exec_session_run(const struct exec_session *what, int *ret_code, struct err *err)
{
	/* Not freed: the reading thread may be in a read() that never returns. */
	struct session *s = NEW(struct session);
	struct termios before;
	s->what = what;
	s->loop = loop_new();
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->taken, NULL);
	s->remote = (struct remote){
		.client = what->client, .loop = s->loop, .done = connected, .ctx = s};
	signal(SIGPIPE, SIG_IGN);
	TRY(remote_start(&s->remote, what->path, PROTOCOLS, err));
	s->output = exec_output_new(s->loop, output_drained, s);
	bool is_raw = what->is_terminal && make_raw(&before);
	loop_run(s->loop);
	enum rc written = exec_output_end(TAKE_PTR(s->output), s->rc == RC_OK ? &s->err : NULL);
	if (s->rc == RC_OK)
		s->rc = written;
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	if (s->ws)
		websocket_close(TAKE_PTR(s->ws), WEBSOCKET_NORMAL, STR(""));
	*ret_code = s->code;
	if (s->rc != RC_OK)
		*err = s->err;
	return s->rc;
}

enum rc exec_path(struct arena *a, const struct exec_request *r, struct str *ret_path,
		  struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	struct str yes = STR("true"), no = STR("");
	buf_add_str(&url, api_path(a, resource_type_find(STR("pods")), r->namespace, r->pod,
				   r->subresource));
	for (size_t i = 0; i < r->command.count; i++)
		query_add(&url, "command", str_of(r->command.at[i]));
	query_add(&url, "container", r->container);
	query_add(&url, "stdin", r->has_input ? yes : no);
	query_add(&url, "stdout", yes);
	query_add(&url, "stderr", r->is_terminal ? no : yes);
	query_add(&url, "tty", r->is_terminal ? yes : no);
	*ret_path = arena_str(a, buf_str(&url));
	return buf_check(&url, "the command line", err);
}
