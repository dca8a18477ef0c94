#include "node/pod_check.h"

#include "http/client.h"
#include "http/dial.h"
#include "node/agent-int.h"
#include "node/go_duration.h"
#include "node/grpc_health.h"

#define USER_AGENT  "kube-probe/1.35"
#define MESSAGE_MAX 1024

struct pod_check {
	struct loop *loop;
	struct arena arena;
	pod_check_done_fn *done; /* NULL: cancelled, nobody asks any more */
	void *ctx;
	int64_t timeout_ms;
	enum check_result result;
	struct str message;
	struct loop_msg told;
	struct loop_timer timer;
	struct http_call *http;
	struct dial *dial;
	struct grpc_health *grpc;
	struct str command; /* for messages: ["sh" "-c" "x"] */
	struct runtime_call call;
	struct runtime_exec_result *exec; /* set while the runtime works */
};

static void check_free(struct pod_check *k)
{
	loop_defer_cancel(&k->told);
	loop_timer_stop(&k->timer);
	if (k->http)
		http_call_cancel(k->http);
	if (k->dial)
		dial_cancel(k->dial);
	grpc_health_cancel(k->grpc);
	free(k->exec);
	arena_done(&k->arena);
	free(k);
}

static void tell(struct pod_check *k, enum check_result result, const char *message)
{
	if (k->done)
		k->done(k->ctx, result, message);
	check_free(k);
}

static void on_told(struct loop_msg *msg)
{
	struct pod_check *k = CONTAINER_OF(msg, struct pod_check, told);
	tell(k, k->result, k->message.at ? k->message.at : "");
}

/* The answer is known at the start. */
[[gnu::format(printf, 3, 4)]] static void tell_later(struct pod_check *k, enum check_result result,
						     const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	k->message = arena_vprintf(&k->arena, fmt, ap);
	va_end(ap);
	k->result = result;
	k->told.fn = on_told;
	loop_defer(k->loop, &k->told);
}

/* ---- ports ---- */

static int32_t named_port(const struct container *spec, struct str name)
{
	for (uint32_t i = 0; i < spec->ports.count; i++)
		if (str_eq(spec->ports.at[i].name, name))
			return spec->ports.at[i].container_port;
	return 0;
}

/* 0: no such port. */
static uint16_t port_of(const struct pod_container *c, const struct int_or_string *port)
{
	int64_t number = port->number;
	if (port->is_string && !str_to_i64(port->text, &number))
		number = named_port(c->spec, port->text);
	return number > 0 && number <= UINT16_MAX ? (uint16_t)number : 0;
}

static const char *host_of(struct pod_check *k, const struct pod_container *c, struct str host)
{
	char text[IPADDR_TEXT_MAX] = "";
	if (host.len)
		return arena_cstr(&k->arena, host);
	if (c->worker->address_count)
		ipaddr_format(c->worker->addresses[0], text);
	return arena_cstr(&k->arena, str_of(text));
}

/* ---- httpGet ---- */

static void http_data(struct http_call *call, struct str bytes, void *ctx)
{
}

static void http_done(struct http_call *call, const struct http_response *response,
		      const struct err *err, void *ctx)
{
	struct pod_check *k = ctx;
	struct str message = STR("");
	k->http = NULL;
	if (err && err->rc == RC_TIMEOUT)
		message = arena_printf(&k->arena,
				       "Get \"%.*s\": context deadline exceeded (Client.Timeout "
				       "exceeded while awaiting headers)",
				       STR_FMT(k->command));
	else if (err)
		message =
			arena_printf(&k->arena, "Get \"%.*s\": %s", STR_FMT(k->command), err->text);
	else if (response->status < 200 || response->status >= 400)
		message = arena_printf(&k->arena, "HTTP probe failed with statuscode: %d",
				       response->status);
	tell(k, message.len ? CHECK_FAILURE : CHECK_SUCCESS, message.at);
}

static bool has_header(const struct core_http_header_array *list, const char *name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq_nocase(list->at[i].name, str_of(name)))
			return true;
	return false;
}

static void set_headers(struct pod_check *k, const struct http_get_action *get,
			struct http_request *q)
{
	static const struct http_header own[] = {
		{STR_INIT("user-agent"), STR_INIT(USER_AGENT)},
		{STR_INIT("accept"), STR_INIT("*/*")},
		{STR_INIT("connection"), STR_INIT("close")},
	};
	struct http_header *headers = ARENA_ARRAY(&k->arena, struct http_header,
						  get->http_headers.count + ARRAY_LEN(own));
	for (uint32_t i = 0; i < get->http_headers.count; i++)
		headers[q->header_count++] = (struct http_header){get->http_headers.at[i].name,
								  get->http_headers.at[i].value};
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!has_header(&get->http_headers, own[i].name.at))
			headers[q->header_count++] = own[i];
	q->headers = headers;
}

static void start_http(struct pod_check *k, struct pod_container *c,
		       const struct http_get_action *get)
{
	static const struct http_call_ops ops = {.on_data = http_data, .on_done = http_done};
	const char *host = host_of(k, c, get->host);
	bool is_tls = str_is(get->scheme, "HTTPS");
	bool is_v6 = strchr(host, ':') != NULL;
	struct str path = get->path;
	uint16_t port = port_of(c, &get->port);
	struct err err;
	if (!port) {
		tell_later(k, CHECK_UNKNOWN, "couldn't find port: %.*s", STR_FMT(get->port.text));
		return;
	}
	k->command = arena_printf(&k->arena, "%s://%s%s%s:%u%s%.*s", is_tls ? "https" : "http",
				  is_v6 ? "[" : "", host, is_v6 ? "]" : "", port,
				  path.len && path.at[0] == '/' ? "" : "/", STR_FMT(path));
	struct http_request q = {.url = k->command.at, .timeout_ms = k->timeout_ms};
	set_headers(k, get, &q);
	if (http_call_start(c->worker->agent->probe_http, &q, &ops, k, &k->http, &err) != RC_OK)
		tell_later(k, CHECK_FAILURE, "Get \"%.*s\": %s", STR_FMT(k->command), err.text);
}

/* ---- tcpSocket ---- */

static void dialled(struct stream *own_stream, const struct err *err, void *ctx)
{
	struct pod_check *k = ctx;
	k->dial = NULL;
	if (own_stream) {
		stream_close(own_stream);
		tell(k, CHECK_SUCCESS, "");
		return;
	}
	struct str late =
		arena_printf(&k->arena, "dial tcp %.*s: i/o timeout", STR_FMT(k->command));
	tell(k, CHECK_FAILURE, err->rc == RC_TIMEOUT ? late.at : err->text);
}

static void start_tcp(struct pod_check *k, struct pod_container *c,
		      const struct tcp_socket_action *tcp)
{
	struct dial_opts opts = {
		.host = host_of(k, c, tcp->host),
		.port = port_of(c, &tcp->port),
		.timeout_ms = k->timeout_ms,
	};
	if (!opts.port) {
		tell_later(k, CHECK_UNKNOWN, "couldn't find port: %.*s", STR_FMT(tcp->port.text));
		return;
	}
	k->command = arena_printf(&k->arena, strchr(opts.host, ':') ? "[%s]:%u" : "%s:%u",
				  opts.host, opts.port);
	k->dial = dial_start(k->loop, &opts, dialled, k);
}

/* ---- grpc ---- */

static void grpc_done(void *ctx, bool is_healthy, const char *message)
{
	struct pod_check *k = ctx;
	k->grpc = NULL;
	tell(k, is_healthy ? CHECK_SUCCESS : CHECK_FAILURE, message);
}

static void start_grpc(struct pod_check *k, struct pod_container *c, const struct grpc_action *grpc)
{
	k->grpc = grpc_health_start(k->loop, c->worker->agent->probe_http2,
				    host_of(k, c, (struct str){}), (uint16_t)grpc->port,
				    grpc->service, k->timeout_ms, grpc_done, k);
}

/* ---- exec ---- */

static struct str command_text(struct arena *a, const struct str *argv, size_t argc)
{
	CLEANUP_BUF text = BUF_INIT(64u << 10);
	for (size_t i = 0; i < argc; i++)
		buf_printf(&text, "%s%.*s", i ? " " : "", STR_FMT(argv[i]));
	return arena_str(a, buf_str(&text));
}

static void exec_done(struct runtime_call *call)
{
	struct pod_check *k = CONTAINER_OF(call, struct pod_check, call);
	const struct runtime_exec_result *r = k->exec;
	char timeout[GO_DURATION_MAX];
	struct str message;
	if (call->rc != RC_OK) {
		tell(k, CHECK_UNKNOWN, call->err.text);
	} else if (r->is_timed_out) {
		message = arena_printf(&k->arena, "command timed out: \"%.*s\" timed out after %s",
				       STR_FMT(k->command), go_duration(k->timeout_ms, timeout));
		tell(k, CHECK_FAILURE, message.at);
	} else {
		size_t len = MIN(r->output_len, (size_t)MESSAGE_MAX);
		message = arena_str(&k->arena, str_n(r->output, len));
		tell(k, r->exit_code == 0 ? CHECK_SUCCESS : CHECK_FAILURE, message.at);
	}
}

static void start_exec(struct pod_check *k, struct pod_container *c, const struct exec_action *exec)
{
	struct runtime *r = c->worker->agent->config.runtime;
	struct str *argv = ARENA_ARRAY(&k->arena, struct str, exec->command.count);
	for (uint32_t i = 0; i < exec->command.count; i++)
		argv[i] = arena_str(&k->arena, exec->command.at[i]);
	k->command = command_text(&k->arena, argv, exec->command.count);
	k->exec = NEW(struct runtime_exec_result);
	k->call.done = exec_done;
	r->ops->exec_sync(r, arena_str(&k->arena, str_of(c->id)), argv, exec->command.count,
			  k->timeout_ms, k->exec, &k->call);
}

/* ---- sleep ---- */

static void slept(struct loop_timer *timer)
{
	tell(CONTAINER_OF(timer, struct pod_check, timer), CHECK_SUCCESS, "");
}

struct pod_check *pod_check_start(struct pod_container *c, const struct check_action *action,
				  int64_t timeout_ms, pod_check_done_fn *done, void *ctx)
{
	struct pod_check *k = NEW(struct pod_check);
	k->loop = c->worker->agent->loop;
	k->done = done;
	k->ctx = ctx;
	k->timeout_ms = timeout_ms;
	if (action->exec)
		start_exec(k, c, action->exec);
	else if (action->http_get)
		start_http(k, c, action->http_get);
	else if (action->tcp_socket)
		start_tcp(k, c, action->tcp_socket);
	else if (action->grpc)
		start_grpc(k, c, action->grpc);
	else if (action->sleep)
		loop_timer_start(k->loop, &k->timer, MAX(action->sleep->seconds, 0) * 1000, slept);
	else
		tell_later(k, CHECK_UNKNOWN,
			   "this node knows exec, httpGet, tcpSocket and grpc only");
	return k;
}

void pod_check_cancel(struct pod_check *own_check)
{
	if (!own_check)
		return;
	own_check->done = NULL;
	if (!own_check->exec) /* the runtime's call ends by itself */
		check_free(own_check);
}
