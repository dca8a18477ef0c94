/* skeg port-forward: local ports that lead into a pod.  One SPDY session inside a WebSocket carries
 * all connections, a pair of streams each: bytes, and an error message. */
#include <stdio.h>
#include <uv.h>

#include "client/api_path.h"
#include "client/logs_pod.h"
#include "client/remote.h"
#include "client/verb.h"
#include "client/verbs.h"
#include "http/spdy.h"

#define PROTOCOL    "SPDY/3.1+portforward.k8s.io"
#define PORTS_MAX   32
#define BACKLOG	    128
#define QUEUE_HIGH  (1u << 20)
#define SOCKETS_MAX (PORTS_MAX * 2)

struct forward_options {
	struct client_options client;
	struct text_list addresses;
};

struct forward;

struct listener {
	uv_tcp_t tcp;
	struct forward *forward;
	uint16_t remote_port;
	int local_port;
};

struct connection {
	const struct listener *listener;
	struct stream *socket; /* NULL: over */
	struct spdy_stream *data, *error;
};

struct forward {
	struct verb *verb;
	struct remote remote;
	struct loop *loop;
	struct spdy *spdy;
	struct listener listeners[SOCKETS_MAX];
	size_t listener_count;
	struct {
		int64_t local, remote;
	} ports[PORTS_MAX];
	size_t port_count;
	unsigned next_request;
	enum rc rc;
	struct err err;
};

/* ---- one connection ---- */

static void connection_settle(struct connection *c)
{
	if (!c->socket && !c->data && !c->error)
		free(c);
}

static void connection_end(struct connection *c)
{
	stream_finish(TAKE_PTR(c->socket));
	if (c->data)
		spdy_stream_reset(c->data);
	if (c->error)
		spdy_stream_reset(c->error);
	connection_settle(c);
}

static void socket_data(struct stream *socket, struct str bytes, void *user)
{
	struct connection *c = user;
	if (c->data && spdy_stream_write(c->data, bytes) > QUEUE_HIGH)
		stream_pause(socket);
}

static void socket_end(struct stream *socket, void *user)
{
	struct connection *c = user;
	if (c->data)
		spdy_stream_end(c->data);
}

static void socket_failed(struct stream *socket, const struct err *why, void *user)
{
	connection_end(user);
}

static void socket_drain(struct stream *socket, void *user)
{
	struct connection *c = user;
	if (c->listener->forward->spdy)
		spdy_resume(c->listener->forward->spdy);
}

static const struct stream_ops socket_ops = {
	.on_data = socket_data,
	.on_end = socket_end,
	.on_failed = socket_failed,
	.on_drain = socket_drain,
};

/* ---- the session ---- */

static void session_stream(struct spdy_stream *stream, void *user)
{
	spdy_stream_reset(stream); /* a server opens none */
}

static void session_data(struct spdy_stream *stream, struct str bytes, void *user)
{
	struct connection *c = spdy_stream_user(stream);
	if (!c)
		return;
	if (stream == c->error) {
		fprintf(stderr, "an error occurred forwarding %d -> %u: %.*s\n",
			c->listener->local_port, c->listener->remote_port, STR_FMT(bytes));
		return;
	}
	if (c->socket && stream_write(c->socket, bytes) > QUEUE_HIGH)
		spdy_pause(c->listener->forward->spdy);
}

static void session_end(struct spdy_stream *stream, void *user)
{
	struct connection *c = spdy_stream_user(stream);
	if (c && stream == c->data && c->socket)
		stream_end(c->socket);
}

static void session_gone(struct spdy_stream *stream, void *user)
{
	struct connection *c = spdy_stream_user(stream);
	if (!c)
		return;
	if (stream == c->data) {
		c->data = NULL;
		stream_finish(TAKE_PTR(c->socket));
	} else {
		c->error = NULL;
	}
	connection_settle(c);
}

static void session_closed(struct spdy *session, void *user)
{
	struct forward *f = user;
	f->rc = err_set(&f->err, RC_UNAVAILABLE, "lost connection to pod");
	loop_stop(f->loop);
}

static const struct spdy_ops session_ops = {
	.on_stream = session_stream,
	.on_data = session_data,
	.on_end = session_end,
	.on_gone = session_gone,
	.on_closed = session_closed,
};

static struct spdy_stream *open_stream(struct connection *c, const char *type, unsigned request)
{
	char port[8], id[16];
	snprintf(port, sizeof(port), "%u", c->listener->remote_port);
	snprintf(id, sizeof(id), "%u", request);
	const struct http_header headers[] = {
		{STR("streamtype"), str_of(type)},
		{STR("port"), str_of(port)},
		{STR("requestid"), str_of(id)},
	};
	return spdy_stream_open(c->listener->forward->spdy, headers, ARRAY_LEN(headers), c);
}

/* ---- listening ---- */

static void accepted(uv_stream_t *server, int status)
{
	struct listener *l = server->data;
	struct forward *f = l->forward;
	uv_os_fd_t fd;
	if (status < 0 || uv_fileno((uv_handle_t *)server, &fd) < 0)
		return;
	uv_tcp_t *client = NEW(uv_tcp_t);
	uv_tcp_init(loop_uv(f->loop), client);
	if (uv_accept(server, (uv_stream_t *)client) == 0 &&
	    uv_fileno((uv_handle_t *)client, &fd) == 0) {
		struct connection *c = NEW(struct connection);
		unsigned request = f->next_request++;
		printf("Handling connection for %d\n", l->local_port);
		fflush(stdout);
		c->listener = l;
		c->error = open_stream(c, "error", request);
		c->data = open_stream(c, "data", request);
		if (c->error)
			spdy_stream_end(c->error);
		c->socket = stream_new(f->loop, dup(fd), NULL, NULL, &socket_ops, c);
		if (!c->data)
			connection_end(c);
	}
	uv_close((uv_handle_t *)client, (uv_close_cb)free);
}

static enum rc listen_at(struct forward *f, const char *address, size_t port, struct err *err)
{
	struct sockaddr_storage name;
	int len = sizeof(name);
	bool is_v6 = strchr(address, ':');
	int local = (int)f->ports[port].local;
	int status = is_v6 ? uv_ip6_addr(address, local, (struct sockaddr_in6 *)&name)
			   : uv_ip4_addr(address, local, (struct sockaddr_in *)&name);
	if (status != 0)
		return err_set(err, RC_BAD_REQUEST, "%s is not a valid IP", address);
	/* Taken even when it can't listen: the loop knows the handle from now on. */
	struct listener *l = &f->listeners[f->listener_count++];
	uv_tcp_init(loop_uv(f->loop), &l->tcp);
	l->tcp.data = l;
	l->forward = f;
	l->remote_port = (uint16_t)f->ports[port].remote;
	status = uv_tcp_bind(&l->tcp, (struct sockaddr *)&name, is_v6 ? UV_TCP_IPV6ONLY : 0);
	if (status == 0)
		status = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, accepted);
	if (status < 0)
		return err_set(err, RC_UNAVAILABLE,
			       "unable to listen on port %d: %s; choose another local port, or :%u "
			       "for a free one",
			       local, uv_strerror(status), l->remote_port);
	uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&name, &len);
	l->local_port = ntohs(is_v6 ? ((struct sockaddr_in6 *)&name)->sin6_port
				    : ((struct sockaddr_in *)&name)->sin_port);
	f->ports[port].local = l->local_port; /* the same for the other family */
	printf(is_v6 ? "Forwarding from [%s]:%d -> %u\n" : "Forwarding from %s:%d -> %u\n", address,
	       l->local_port, l->remote_port);
	fflush(stdout);
	return RC_OK;
}

static enum rc listen_all(struct forward *f, struct err *err)
{
	static const char *both[] = {"127.0.0.1", "::1"};
	const struct forward_options *o = f->verb->line->values;
	bool is_local = o->addresses.count == 0 || strcmp(o->addresses.at[0], "localhost") == 0;
	const char **at = is_local ? both : o->addresses.at;
	size_t count = is_local ? ARRAY_LEN(both) : o->addresses.count;
	for (size_t i = 0; i < f->port_count; i++)
		for (size_t k = 0; k < count && f->listener_count < SOCKETS_MAX; k++) {
			enum rc rc = listen_at(f, at[k], i, err);
			if (rc != RC_OK && !(is_local && k > 0)) /* a host without IPv6 */
				return rc;
		}
	return RC_OK;
}

static void connected(struct remote *r, const struct dial_reply *reply, const struct err *err)
{
	struct forward *f = r->ctx;
	if (err) {
		f->err = *err;
		f->rc = err->rc;
	} else {
		f->rc = spdy_tunnel_answered(f->loop, r->client->arena, reply, r->key, &session_ops,
					     f, &f->spdy, &f->err);
		if (f->rc == RC_OK)
			f->rc = listen_all(f, &f->err);
	}
	if (f->rc != RC_OK)
		loop_stop(f->loop);
}

/* ---- ports ---- */

static const struct json *find_port(const struct json *list, struct str text, const char *key)
{
	int64_t number = 0;
	bool is_number = str_to_i64(text, &number);
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *p = json_at(list, i);
		if (is_number ? json_i64(json_get(p, str_of(key))) == number
			      : str_eq(json_path_str(p, "name"), text))
			return p;
	}
	return NULL;
}

static const struct json *named_port(const struct json *pod, struct str name)
{
	const struct json *containers = json_path(pod, "spec.containers");
	const struct json *found = NULL;
	for (size_t i = 0; i < json_count(containers) && !found; i++)
		found = find_port(json_get(json_at(containers, i), STR("ports")), name,
				  "containerPort");
	return json_get(found, STR("containerPort"));
}

/* The port of the pod that is meant: a Service's goes through its targetPort. */
static bool pod_port(const struct json *service, const struct json *pod, struct str text,
		     int64_t *ret_port)
{
	if (service) {
		const struct json *p = find_port(json_path(service, "spec.ports"), text, "port");
		const struct json *target = json_get(p, STR("targetPort"));
		bool is_headless = str_is(json_path_str(service, "spec.clusterIP"), "None");
		if (!p)
			return false;
		if (is_headless || !target)
			target = json_get(p, STR("port"));
		else if (target->type == JSON_STRING)
			target = named_port(pod, target->string);
		*ret_port = json_i64(target);
		return *ret_port > 0;
	}
	if (str_to_i64(text, ret_port))
		return *ret_port > 0 && *ret_port <= UINT16_MAX;
	*ret_port = json_i64(named_port(pod, text));
	return *ret_port > 0;
}

/* "8080", "8080:80", ":80", "http" */
static enum rc parse_port(struct forward *f, const char *word, const struct json *service,
			  const struct json *pod, struct err *err)
{
	struct str local, remote, text = str_of(word);
	int64_t from = 0, to;
	bool has_both = str_cut(text, ':', &local, &remote);
	if (!has_both)
		remote = text;
	if (!pod_port(service, pod, remote, &to))
		return err_set(err, RC_BAD_REQUEST,
			       "'%s': the %s has no port '%.*s'; write LOCAL:REMOTE", word,
			       service ? "Service" : "pod", STR_FMT(remote));
	if (!has_both && !str_to_i64(text, &from))
		from = to;
	if (has_both && local.len && (!str_to_i64(local, &from) || from < 0 || from > UINT16_MAX))
		return err_set(err, RC_BAD_REQUEST, "error parsing local port '%.*s'",
			       STR_FMT(local));
	if (f->port_count == PORTS_MAX)
		return err_set(err, RC_TOO_LARGE, "more than %d ports at once", PORTS_MAX);
	f->ports[f->port_count].local = from;
	f->ports[f->port_count++].remote = to;
	return RC_OK;
}

static enum rc find_target(struct verb *v, const struct json **ret_service,
			   const struct json **ret_pod, struct err *err)
{
	struct resource_target target;
	*ret_service = NULL;
	TRY(logs_target_parse(v->arena, v->line->words.at[0], &target, err));
	if (str_is(target.kind->plural, "services")) {
		struct json *tree;
		TRY(api_client_get(
			&v->client, v->arena,
			api_path(v->arena, target.kind, v->client.namespace, target.name, NULL),
			&tree, err));
		*ret_service = tree;
	}
	return logs_pod_find(&v->client, &target, ret_pod, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct forward *f = NEW(struct forward);
	const struct json *service, *pod;
	f->verb = v;
	if (v->line->words.count < 2)
		return err_set(err, RC_BAD_REQUEST,
			       "TYPE/NAME and list of ports are required for port-forward");
	TRY(find_target(v, &service, &pod, err));
	for (size_t i = 1; i < v->line->words.count; i++)
		TRY(parse_port(f, v->line->words.at[i], service, pod, err));
	if (!str_is(json_path_str(pod, "status.phase"), "Running"))
		return err_set(
			err, RC_BAD_REQUEST,
			"unable to forward port because pod is not running. Current status=%.*s",
			STR_FMT(json_path_str(pod, "status.phase")));
	f->loop = loop_new();
	f->remote =
		(struct remote){.client = &v->client, .loop = f->loop, .done = connected, .ctx = f};
	struct str path = api_path(v->arena, resource_type_find(STR("pods")), v->client.namespace,
				   json_path_str(pod, "metadata.name"), "portforward");
	TRY(remote_start(&f->remote, path, PROTOCOL, err));
	loop_run(f->loop); /* until Ctrl-C, or the pod is gone */
	*err = f->err;
	return f->rc;
}

static const struct option options[] = {
	{"address", 0, OPTION_LIST, offsetof(struct forward_options, addresses), "IP",
	 "listen here instead of 127.0.0.1 and ::1"},
	CLIENT_OPTIONS(struct forward_options, client),
};

const struct command command_port_forward = {
	.name = "port-forward",
	.arguments = "POD | TYPE/NAME [LOCAL:]REMOTE…",
	.summary = "Reach ports of a pod from here",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct forward_options),
	VERB_RUN(body),
};
