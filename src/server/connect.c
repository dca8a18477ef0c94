/* Streams to nodes: logs, exec, attach, port-forward.
 *
 * The control plane resolves the pod's node once, checks the address (a node must not send us to
 * ourselves: CVE-2020-8562, 2022-3294), dials it with its own client certificate, and then either
 * passes the body of a reply on (logs) or joins two raw connections after both upgraded (the rest).
 * Redirects are never followed; anything but 101 is passed on as a reply. */
#include "api/api_ids.h"
#include "api/views.h"
#include "base/ipaddr.h"
#include "http/client.h"
#include "http/dial.h"
#include "server/audit.h"
#include "server/io_thread.h"
#include "server/pipeline.h"
#include "server/route.h"
#include "server/server.h"

#define QUERY_MAX_BYTES (64u << 10)
#define LOG_QUEUE_BYTES (1u << 20)
#define LOG_ERROR_BYTES 4096 /* of a refusal are kept */

struct target {
	struct str address;
	uint16_t port;
	struct str path; /* with query */
};

/* ---- which container, which node ---- */

static bool names_container(const struct container_array *list, struct str name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq(list->at[i].name, name))
			return true;
	return false;
}

static bool names_ephemeral(const struct ephemeral_container_array *list, struct str name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq(list->at[i].name, name))
			return true;
	return false;
}

static enum step must_choose(struct request *r, const struct pod *pod)
{
	CLEANUP_BUF names = BUF_INIT(64u << 10);
	for (uint32_t i = 0; i < pod->spec.containers.count; i++)
		buf_printf(&names, "%s%.*s", i ? " " : "",
			   STR_FMT(pod->spec.containers.at[i].name));
	const struct container_array *init = &pod->spec.init_containers;
	for (uint32_t i = 0; i < init->count; i++)
		buf_printf(&names, "%s%.*s", i ? " " : "] or one of the init containers: [",
			   STR_FMT(init->at[i].name));
	return request_fail(r, RC_BAD_REQUEST,
			    "a container name must be specified for pod %.*s, choose one of: [%s]",
			    STR_FMT(r->route.name), names.data);
}

static enum step choose_container(struct request *r, const struct pod *pod,
				  struct str *ret_container)
{
	struct str name = query_get(&r->arena, r->query, "container");
	if (name.len == 0 && pod->spec.containers.count == 1)
		name = pod->spec.containers.at[0].name;
	if (name.len == 0)
		return must_choose(r, pod);
	if (!names_container(&pod->spec.containers, name) &&
	    !names_container(&pod->spec.init_containers, name) &&
	    !names_ephemeral(&pod->spec.ephemeral_containers, name))
		return request_fail(r, RC_BAD_REQUEST, "container %.*s is not valid for pod %.*s",
				    STR_FMT(name), STR_FMT(r->route.name));
	*ret_container = name;
	return STEP_NEXT;
}

bool connect_is_fit(struct str text)
{
	struct ipaddr addr;
	return ipaddr_parse(text, &addr) && !ipaddr_is_loopback(addr) &&
	       !ipaddr_is_link_local(addr) && !ipaddr_is_multicast(addr) &&
	       !ipaddr_is_unspecified(addr);
}

enum step connect_find_node(struct request *r, struct str node_name, struct str *ret_address,
			    uint16_t *ret_port)
{
	struct object *o = snapshot_get(request_snapshot(r), KIND_NODE, (struct str){}, node_name);
	if (!o)
		return request_not_found(r, r->route.kind, node_name); /* upstream names it so */
	const struct node *node = object_view(o);
	for (uint32_t i = 0; i < node->status.addresses.count; i++) {
		const struct node_address *a = &node->status.addresses.at[i];
		if (str_is(a->type, "InternalIP") && connect_is_fit(a->address)) {
			*ret_address = a->address;
			*ret_port = (uint16_t)node->status.daemon_endpoints.kubelet_endpoint.port;
		}
	}
	if (ret_address->len && *ret_port)
		return STEP_NEXT;
	return request_fail(r, RC_INTERNAL,
			    "no preferred addresses found for node \"%.*s\"; known addresses: []",
			    STR_FMT(node_name));
}

/* The query in the node's words. */
static struct str node_query(struct request *r)
{
	static const struct {
		const char *from, *to;
		bool is_switch;
	} rows[] = {
		{"stdin", "input", true},
		{"stdout", "output", true},
		{"stderr", "error", true},
		{"tty", "tty", true},
		{"follow", "follow", false},
		{"previous", "previous", false},
		{"tailLines", "tailLines", false},
		{"sinceSeconds", "sinceSeconds", false},
		{"sinceTime", "sinceTime", false},
		{"timestamps", "timestamps", false},
		{"limitBytes", "limitBytes", false},
		{"ports", "ports", false},
	};
	CLEANUP_BUF out = BUF_INIT(QUERY_MAX_BYTES);
	struct str rest = r->query, pair, key, value;
	while (rest.len) {
		str_cut(rest, '&', &pair, &rest);
		str_cut(pair, '=', &key, &value);
		if (str_is(key, "command"))
			buf_printf(&out, "%s%.*s", out.len ? "&" : "", STR_FMT(pair));
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			if (!str_is(key, rows[i].from))
				continue;
			bool is_on = str_is(value, "true") || str_is(value, "1");
			if (rows[i].is_switch && is_on)
				buf_printf(&out, "%s%s=1", out.len ? "&" : "", rows[i].to);
			else if (!rows[i].is_switch)
				buf_printf(&out, "%s%s=%.*s", out.len ? "&" : "", rows[i].to,
					   STR_FMT(value));
		}
	}
	return arena_str(&r->arena, buf_str(&out));
}

static const char *node_path(struct str subresource)
{
	static const struct {
		const char *subresource, *path;
	} rows[] = {{"log", "containerLogs"},
		    {"exec", "exec"},
		    {"attach", "attach"},
		    {"portforward", "portForward"}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(subresource, rows[i].subresource))
			return rows[i].path;
	return NULL;
}

/* A pod that has no node yet has said nothing yet. */
static enum step no_content(struct request *r)
{
	r->reply.status = 204;
	return STEP_DONE;
}

static enum step find_target(struct request *r, struct target *ret_target)
{
	struct object *o =
		snapshot_get(request_snapshot(r), KIND_POD, r->route.namespace, r->route.name);
	const char *path = node_path(r->route.subresource);
	struct str container = {};
	bool is_log = str_is(r->route.subresource, "log");
	if (is_log && log_options_check(r) == STEP_DONE)
		return STEP_DONE;
	if (!o)
		return request_not_found(r, r->route.kind, r->route.name);
	const struct pod *pod = object_view(o);
	bool has_container = !str_is(r->route.subresource, "portforward");
	if (has_container && choose_container(r, pod, &container) == STEP_DONE)
		return STEP_DONE;
	if (pod->spec.node_name.len == 0 && is_log)
		return no_content(r);
	if (pod->spec.node_name.len == 0)
		return request_fail(r, RC_BAD_REQUEST, "pod %.*s does not have a host assigned",
				    STR_FMT(r->route.name));
	if (connect_find_node(r, pod->spec.node_name, &ret_target->address, &ret_target->port) ==
	    STEP_DONE)
		return STEP_DONE;
	struct str query = node_query(r);
	ret_target->path = arena_printf(&r->arena, "/%s/%.*s/%.*s%s%.*s%s%.*s", path,
					STR_FMT(r->route.namespace), STR_FMT(r->route.name),
					has_container ? "/" : "", STR_FMT(container),
					query.len ? "?" : "", STR_FMT(query));
	return STEP_NEXT;
}

/* ---- logs ---- */

static void log_head(struct http_call *call, const struct http_response *response, void *ctx)
{
	struct request *r = ctx;
	if (response->status != 200)
		return; /* on_done tells */
	struct http_header *h = ARENA_NEW(http_arena(r->exchange), struct http_header);
	*h = (struct http_header){STR("content-type"), STR("text/plain")};
	http_stream_begin(r->exchange, 200, h, 1);
	r->reply.is_streaming = true;
	request_replied(r);
}

static void log_drained(struct http_exchange *x)
{
	struct request *r = http_user(x);
	if (r->call)
		http_call_resume(r->call);
}

static void log_data(struct http_call *call, struct str bytes, void *ctx)
{
	struct request *r = ctx;
	if (!r->reply.is_streaming) {
		if (r->reply.text.len < LOG_ERROR_BYTES)
			r->reply.text = arena_printf(&r->arena, "%.*s%.*s", STR_FMT(r->reply.text),
						     (int)MIN(bytes.len, (size_t)LOG_ERROR_BYTES),
						     bytes.at);
		return;
	}
	struct http_chunk chunk = HTTP_CHUNK_COPY(bytes.at, bytes.len);
	if (http_stream_write(r->exchange, &chunk, 1) > LOG_QUEUE_BYTES) {
		http_call_pause(call);
		http_stream_on_drain(r->exchange, LOG_QUEUE_BYTES / 4, log_drained);
	}
}

static void log_done(struct http_call *call, const struct http_response *response,
		     const struct err *err, void *ctx)
{
	struct request *r = ctx;
	r->call = NULL;
	if (r->reply.is_streaming) {
		audit_ended(r);
		http_stream_end(r->exchange);
		request_free(r);
		return;
	}
	if (err)
		request_fail(r, RC_INTERNAL, "Get \"%.*s\": %s", STR_FMT(r->path), err->text);
	else
		request_fail(r, response->status == 404 ? RC_NOT_FOUND : RC_BAD_REQUEST, "%.*s",
			     STR_FMT(str_trim(r->reply.text)));
	request_resume(r, STEP_DONE);
}

static const struct http_call_ops log_ops = {log_head, log_data, log_done};

static enum step connect_log(struct request *r, const struct target *t)
{
	struct io_thread *io = io_thread_of(r->server, r->home);
	struct err err;
	struct http_request q = {
		.method = "GET",
		.url = arena_cstr(&r->arena,
				  arena_printf(&r->arena, "https://%.*s:%u%.*s",
					       STR_FMT(t->address), t->port, STR_FMT(t->path))),
	};
	if (http_call_start(io->kubelets, &q, &log_ops, r, &r->call, &err) != RC_OK)
		return request_fail_err(r, &err);
	return STEP_LATER;
}

void connect_gone(struct request *r)
{
	if (r->forward) {
		proxy_gone(r);
		return;
	}
	if (!r->call)
		return;
	http_call_cancel(TAKE_PTR(r->call));
	if (r->reply.is_streaming) {
		audit_ended(r);
		http_stream_end(r->exchange);
		request_free(r);
		return;
	}
	request_fail(r, RC_INTERNAL, "the client went away");
	request_resume(r, STEP_DONE);
}

/* ---- exec, attach, port-forward ---- */

static const char *const forwarded[] = {"upgrade",
					"sec-websocket-key",
					"sec-websocket-version",
					"sec-websocket-protocol",
					"x-stream-protocol-version",
					"origin"};
static const char *const returned[] = {"upgrade", "sec-websocket-accept", "sec-websocket-protocol",
				       "x-stream-protocol-version"};

static size_t copy_headers(struct request *r, struct http_header *out, size_t max)
{
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(forwarded); i++) {
		size_t at = 0;
		struct str value;
		while (count < max && http_header_next(r->exchange, forwarded[i], &at, &value))
			out[count++] = (struct http_header){str_of(forwarded[i]), value};
	}
	return count;
}

static void refuse_upgrade(struct request *r, const struct dial_reply *reply)
{
	if (reply->err)
		request_fail(r, RC_INTERNAL, "error dialing backend: %s", reply->err->text);
	else
		request_fail(r, reply->status == 404 ? RC_NOT_FOUND : RC_BAD_REQUEST,
			     "unable to upgrade connection: %.*s", STR_FMT(str_trim(reply->body)));
	request_resume(r, STEP_DONE);
}

/* It has no reply that passes the end of the pipeline. */
static void note_upgrade(struct request *r)
{
	r->reply.status = 101;
	r->reply.is_streaming = true;
	request_replied(r);
	r->reply.is_streaming = false;
}

static void session_over(void *ctx)
{
	request_free(ctx);
}

static void dialled(const struct dial_reply *reply, void *ctx)
{
	struct request *r = ctx;
	struct http_header headers[ARRAY_LEN(returned)];
	size_t count = 0;
	struct stream *front;
	struct err err;
	if (!reply->stream) {
		refuse_upgrade(r, reply);
		return;
	}
	for (size_t i = 0; i < reply->header_count; i++)
		for (size_t k = 0; k < ARRAY_LEN(returned) && count < ARRAY_LEN(headers); k++)
			if (str_is(reply->headers[i].name, returned[k]))
				headers[count++] = (struct http_header){
					str_of(returned[k]), arena_str(http_arena(r->exchange),
								       reply->headers[i].value)};
	note_upgrade(r);
	if (http_upgrade(r->exchange, headers, count, NULL, NULL, &front, &err) != RC_OK) {
		stream_close(reply->stream);
		request_fail_err(r, &err);
		request_resume(r, STEP_DONE);
		return;
	}
	snapshot_unref(TAKE_PTR(r->snapshot)); /* a session must not hold old states */
	stream_splice(front, reply->stream, session_over, r);
}

static enum step connect_upgrade(struct request *r, const struct target *t)
{
	struct http_header *headers = ARENA_ARRAY(&r->arena, struct http_header, 16);
	if (!http_expects_upgrade(r->exchange))
		return request_fail(r, RC_BAD_REQUEST, "Upgrade request required");
	struct dial_opts opts = {
		.host = arena_cstr(&r->arena, t->address),
		.port = t->port,
		.tls = io_thread_of(r->server, r->home)->kubelet_tls,
	};
	struct dial_request q = {
		.method = r->method,
		.target = t->path,
		.host_header = arena_printf(&r->arena, "%.*s:%u", STR_FMT(t->address), t->port),
		.headers = headers,
		.header_count = copy_headers(r, headers, 16),
	};
	dial_upgrade(r->home, &opts, &q, dialled, r);
	return STEP_LATER;
}

enum step stage_connect(struct request *r)
{
	struct target target = {};
	if (r->route.verb != DO_CONNECT)
		return STEP_NEXT;
	if (http_is_gone(r->exchange)) /* it left while its token was looked into */
		return request_fail(r, RC_INTERNAL, "the client went away");
	if (str_is(r->route.resource, "pods") && node_path(r->route.subresource)) {
		if (find_target(r, &target) == STEP_DONE)
			return STEP_DONE;
		return str_is(r->route.subresource, "log") ? connect_log(r, &target)
							   : connect_upgrade(r, &target);
	}
	return proxy_connect(r);
}
