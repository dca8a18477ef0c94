#include "node/kubelet_server.h"

#include "api/api_ids.h"
#include "base/log.h"
#include "node/kubelet_server-int.h"

#define STOP_GRACE_MS	   1000
#define POD_LIST_MAX_BYTES (64u << 20)
#define PATH_PARTS_MAX	   4

static void reply_text(struct http_exchange *x, int status, struct str text)
{
	http_reply_text(x, status, "text/plain; charset=utf-8", text);
}

void kubelet_fail(struct http_exchange *x, const struct err *err)
{
	reply_text(x, rc_status(err->rc), str_of(err->text));
}

bool kubelet_param_is_true(struct http_exchange *x, const char *name)
{
	struct str value = http_param(x, name);
	return str_is(value, "1") || str_is(value, "true");
}

/* ---- who may ---- */

static bool is_master(const struct tls_identity *id)
{
	for (size_t i = 0; i < id->organization_count; i++)
		if (str_is(id->organizations[i], "system:masters"))
			return true;
	return false;
}

static enum rc authorize(struct http_exchange *x, bool is_for_anyone, struct err *err)
{
	const struct tls_identity *id = http_identity(x);
	if (!id || !id->is_verified || id->not_after_us < world_wall_us())
		return err_set(err, RC_UNAUTHORIZED, "Unauthorized");
	if (is_for_anyone || is_master(id))
		return RC_OK;
	return err_set(err, RC_FORBIDDEN,
		       "Forbidden (user=%.*s, verb=%s, resource=nodes, subresource=proxy)",
		       STR_FMT(id->common_name), str_is(http_method(x), "POST") ? "create" : "get");
}

/* ---- plain documents ---- */

static void serve_health(struct kubelet_request *q)
{
	reply_text(q->x, 200, STR("ok"));
}

static void serve_pods(struct kubelet_request *q)
{
	const struct cache *cache = kubelet_pods(q->server);
	CLEANUP_BUF out = BUF_INIT(POD_LIST_MAX_BYTES);
	struct object *o;
	struct err err;
	buf_add_cstr(&out,
		     "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":[");
	if (cache) {
		size_t count = 0;
		struct cache_iter it = cache_iterate(cache, KIND_POD, (struct str){});
		while ((o = cache_next(&it))) {
			if (count++)
				buf_add_char(&out, ',');
			object_write(&out, o);
		}
	}
	buf_add_cstr(&out, "]}");
	if (buf_check(&out, "list of pods", &err) != RC_OK)
		kubelet_fail(q->x, &err);
	else
		http_reply_text(q->x, 200, "application/json", buf_str(&out));
}

/* ---- routes ---- */

struct node_route_row {
	const char *name;
	size_t parts; /* behind it: namespace, pod, container */
	bool is_for_anyone, takes_post, needs_lookup;
	void (*serve)(struct kubelet_request *q);
};

static const struct node_route_row routes[] = {
	{"healthz", 0, true, false, false, serve_health},
	{"pods", 0, false, false, false, serve_pods},
	{"containerLogs", 3, false, false, true, kubelet_serve_log},
	{"exec", 3, false, true, true, kubelet_serve_exec},
	{"attach", 3, false, true, true, kubelet_serve_attach},
	{"portForward", 2, false, true, true, kubelet_serve_forward},
};

/* The parts of "/a/b/c"; 0 when there are too many or an empty one. */
static size_t split_path(struct str path, struct str parts[PATH_PARTS_MAX])
{
	size_t count = 0;
	struct str rest = str_skip(path, 1), part;
	while (rest.len) {
		str_cut(rest, '/', &part, &rest);
		if (part.len == 0 || count == PATH_PARTS_MAX)
			return 0;
		parts[count++] = part;
	}
	return count;
}

static const struct node_route_row *find_route(const struct str *parts, size_t count)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++)
		if (count == routes[i].parts + 1 && str_is(parts[0], routes[i].name))
			return &routes[i];
	return NULL;
}

static bool is_method_fit(struct str method, const struct node_route_row *row)
{
	return str_is(method, "GET") || (row->takes_post && str_is(method, "POST"));
}

static void route(struct kubelet_server *server, struct http_exchange *x)
{
	struct str parts[PATH_PARTS_MAX] = {};
	struct err err;
	const struct node_route_row *row = find_route(parts, split_path(http_path(x), parts));
	if (authorize(x, row && row->is_for_anyone, &err) != RC_OK) {
		kubelet_fail(x, &err);
		return;
	}
	if (!row || !is_method_fit(http_method(x), row)) {
		reply_text(x, row ? 405 : 404,
			   row ? STR("405: Method Not Allowed") : STR("404: Page Not Found"));
		return;
	}
	struct kubelet_request *q = ARENA_NEW(http_arena(x), struct kubelet_request);
	*q = (struct kubelet_request){
		.server = server,
		.x = x,
		.namespace = parts[1],
		.pod = parts[2],
		.container = parts[3],
		.serve = row->serve,
	};
	if (row->needs_lookup)
		kubelet_find(q);
	else
		q->serve(q);
}

static size_t on_headers(struct http_exchange *x, void *ctx)
{
	return 0;
}

static void on_request(struct http_exchange *x, void *ctx)
{
	struct kubelet_server *server = ctx;
	if (server->is_stopping)
		reply_text(x, 503, STR("the node agent is stopping"));
	else
		route(server, x);
}

static void on_gone(struct http_exchange *x, void *ctx)
{
	if (http_user(x))
		kubelet_log_gone(x);
}

static const struct http_handler handler = {
	.on_headers = on_headers,
	.on_request = on_request,
	.on_gone = on_gone,
};

/* ---- life ---- */

static void exited_on(struct runtime_listener *l, const struct runtime_container_status *status)
{
	struct kubelet_server *server = CONTAINER_OF(l, struct kubelet_server, exits);
	kubelet_logs_exited(server, status->id);
	if (server->former)
		server->former->exited(server->former, status);
}

enum rc kubelet_server_new(struct loop *loop, const struct kubelet_server_config *config,
			   struct kubelet_server **ret_server, struct err *err)
{
	struct kubelet_server *server = NEW(struct kubelet_server);
	struct http_server_config http = {
		.address = config->address,
		.port = config->port,
		.tls = config->tls,
	};
	server->magic = KUBELET_SERVER_MAGIC;
	server->config = *config;
	server->loop = loop;
	server->inotify_fd = -1;
	list_init(&server->logs);
	list_init(&server->sessions);
	list_init(&server->forwards);
	if (config->sandbox_folder)
		server->config.sandbox_folder =
			arena_cstr(&server->arena, str_of(config->sandbox_folder));
	server->former = config->runtime->listener;
	server->exits.exited = exited_on;
	if (http_server_new(loop, &http, &handler, server, &server->http, err) != RC_OK) {
		arena_done(&server->arena);
		free(server);
		return err_wrap(err, "server of the node, port %u", config->port);
	}
	config->runtime->listener = &server->exits;
	*ret_server = server;
	return RC_OK;
}

uint16_t kubelet_server_port(const struct kubelet_server *server)
{
	return http_server_port(server->http);
}

void kubelet_server_set_tls(struct kubelet_server *server, struct tls_context *tls)
{
	http_server_set_tls(server->http, tls);
}

void kubelet_check_stopped(struct kubelet_server *server)
{
	if (!server->is_http_stopped || !server->on_stopped || server->pending ||
	    server->log_count || server->session_count || server->forward_count)
		return;
	void (*done)(void *ctx) = TAKE_PTR(server->on_stopped);
	done(server->stop_ctx);
}

static void http_stopped(void *ctx)
{
	struct kubelet_server *server = ctx;
	server->is_http_stopped = true;
	kubelet_check_stopped(server);
}

void kubelet_server_stop(struct kubelet_server *server, void (*done)(void *ctx), void *ctx)
{
	ASSERT(server->magic == KUBELET_SERVER_MAGIC && !server->is_stopping);
	server->is_stopping = true;
	server->on_stopped = done;
	server->stop_ctx = ctx;
	kubelet_logs_stop(server);
	kubelet_sessions_stop(server);
	kubelet_forwards_stop(server);
	http_server_stop(server->http, STOP_GRACE_MS, http_stopped, server);
}

void kubelet_server_free(struct kubelet_server *server)
{
	if (!server)
		return;
	struct runtime *r = server->config.runtime;
	if (r->listener == &server->exits)
		r->listener = server->former;
	kubelet_logs_done(server);
	http_server_free(server->http);
	arena_done(&server->arena);
	server->magic = 0;
	free(server);
}
