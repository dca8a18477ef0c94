#include "server/io_thread.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "server/authenticate.h"
#include "server/pipeline.h"
#include "server/route.h"

#define REQUEST_ID_MAX 64
#define STOP_WAIT_MS   1000 /* the message that it is through comes earlier */

static size_t on_headers(struct http_exchange *x, void *ctx)
{
	struct io_thread *t = ctx;
	struct str prefix, below;
	return route_is_proxy(http_path_raw(x), &prefix, &below)
		       ? HTTP_BODY_STREAMED
		       : authenticate_body_max(t->server, x);
}

static void finish_exchange(struct request *r)
{
	if (deadline_end(r))
		r->reply.status = 504;
	else
		reply_send(r);
	request_replied(r);
	if (!r->reply.is_streaming)
		request_free(r);
}

/* Upstream compares the whole body with the limit before it looks at anything else. */
static bool is_too_large(struct request *r)
{
	if (!http_body_is_cut(r->exchange))
		return false;
	r->output = (struct output){.content_type = STR("application/json")};
	request_fail(r, RC_TOO_LARGE, "Request entity too large: limit is %zu",
		     authenticate_body_max(r->server, r->exchange));
	r->finish(r);
	return true;
}

/* The client's own if it is of a fitting length, as upstream. */
static struct str request_id(struct http_exchange *x)
{
	struct str brought = http_header(x, "audit-id");
	char id[37];
	if (brought.len > 0 && brought.len <= REQUEST_ID_MAX)
		return brought;
	world_uuid(id);
	return arena_str(http_arena(x), str_of(id));
}

static void on_request(struct http_exchange *x, void *ctx)
{
	struct io_thread *t = ctx;
	struct request *r = request_new(t->server, t->loop);
	r->exchange = x;
	r->finish = finish_exchange;
	r->method = http_method(x);
	r->path = http_path_raw(x);
	r->query = http_query(x);
	r->accept = http_header(x, "accept");
	r->content_type = http_header(x, "content-type");
	r->user_agent = http_header(x, "user-agent");
	r->body = http_body(x);
	r->output = (struct output){.content_type = STR("application/json")};
	r->id = request_id(x);
	http_add_header(x, STR("audit-id"), r->id, true);
	http_set_user(x, r);
	if (!is_too_large(r))
		request_run(r);
}

static void on_gone(struct http_exchange *x, void *ctx)
{
	struct request *r = http_user(x);
	if (r && r->route.verb == DO_WATCH)
		watch_gone(r);
	else if (r && r->route.verb == DO_CONNECT)
		connect_gone(r);
}

static const struct http_handler handler = {
	.on_headers = on_headers,
	.on_request = on_request,
	.on_gone = on_gone,
};

/* take_identity() gives it its certificate. */
static enum rc open_kubelet_client(struct io_thread *t, const struct cluster_keys *k,
				   struct err *err)
{
	struct http_client_opts opts = {.ca_pem = k->server_ca.cert_pem, .http1_only = true};
	return http_client_new(t->loop, &opts, &t->kubelets, err);
}

static void *run(void *arg)
{
	struct io_thread *t = arg;
	loop_run(t->loop);
	return NULL;
}

/* ---- certificates ---- */

static enum rc open_contexts(struct server *s, struct io_identity *id, struct err *err)
{
	const struct cluster_keys *k = s->keys;
	struct tls_server_opts serving = {
		.cert_pem = k->serving.cert_pem,
		.key_pem = k->serving.key_pem,
		.client_ca_pem =
			arena_printf(&id->arena, "%.*s\n%.*s", STR_FMT(k->client_ca.cert_pem),
				     STR_FMT(request_headers_authority(s->request_headers))),
	};
	struct tls_client_opts kubelet = {
		.ca_pem = k->server_ca.cert_pem,
		.cert_pem = id->pair.cert_pem,
		.key_pem = id->pair.key_pem,
	};
	TRY(tls_server_new(&serving, &id->serving, err));
	return tls_client_new(&kubelet, &id->kubelet, err);
}

enum rc io_identity_new(struct server *s, struct io_identity **ret_identity, struct err *err)
{
	struct io_identity *id = NEW(struct io_identity);
	id->pair = (struct pki_pair){arena_str(&id->arena, s->keys->kubelet_client.cert_pem),
				     arena_str(&id->arena, s->keys->kubelet_client.key_pem)};
	enum rc rc = open_contexts(s, id, err);
	if (rc != RC_OK) {
		io_identity_free(id);
		return rc;
	}
	*ret_identity = id;
	return RC_OK;
}

void io_identity_free(struct io_identity *id)
{
	if (!id)
		return;
	tls_unref(id->serving);
	tls_unref(id->kubelet);
	arena_done(&id->arena);
	free(id);
}

static void take_identity(struct io_thread *t, struct io_identity *id)
{
	struct tls_context *old = t->kubelet_tls;
	t->kubelet_tls = tls_ref(id->kubelet);
	tls_unref(old);
	http_server_set_tls(t->http, id->serving);
	http_client_set_identity(t->kubelets, id->pair.cert_pem, id->pair.key_pem);
	io_identity_free(id);
}

static void identity_msg(struct loop_msg *msg)
{
	struct io_identity *id = CONTAINER_OF(msg, struct io_identity, msg);
	take_identity(id->to, id);
}

void io_thread_set_identity(struct io_thread *t, struct io_identity *own_identity)
{
	own_identity->to = t;
	own_identity->msg.fn = identity_msg;
	loop_post(t->loop, &own_identity->msg);
}

/* ---- life ---- */

enum rc io_thread_start(struct io_thread *t, struct server *server, const struct io_thread *first,
			struct err *err)
{
	struct io_identity *id;
	TRY(io_identity_new(server, &id, err));
	t->server = server;
	t->loop = loop_new();
	struct http_server_config config = {
		.address = server->config.address,
		.port = server->config.port,
		.listen_fd = first ? fcntl(http_server_listen_fd(first->http), F_DUPFD_CLOEXEC, 0)
				   : -1,
		.tls = id->serving,
		/* A watcher waits above WATCH_QUEUE_BYTES; one event more must still fit. */
		.limits = {.queued_bytes = 16u << 20},
	};
	enum rc rc = http_server_new(t->loop, &config, &handler, t, &t->http, err);
	if (rc == RC_OK)
		rc = open_kubelet_client(t, server->keys, err);
	if (rc != RC_OK) {
		io_identity_free(id);
		return rc;
	}
	take_identity(t, id);
	deadlines_init(&t->deadlines, t->loop);
	watch_set_init(&t->watches, server->store, t->loop);
	if (pthread_create(&t->thread, NULL, run, t) != 0)
		return err_set(err, RC_INTERNAL, "cannot start an io thread");
	pthread_setname_np(t->thread, "io");
	t->is_running = true;
	return RC_OK;
}

static void stopped_msg(struct loop_msg *msg)
{
	CONTAINER_OF(msg, struct io_thread, stop_msg)->is_through = true;
}

static void stopped(void *ctx)
{
	struct io_thread *t = ctx;
	t->stop_msg.fn = stopped_msg;
	loop_post(t->server->loop, &t->stop_msg);
	loop_stop(t->loop);
}

static void stop_msg(struct loop_msg *msg)
{
	struct io_thread *t = CONTAINER_OF(msg, struct io_thread, stop_msg);
	watch_set_end(&t->watches);
	http_server_stop(t->http, t->grace_ms, stopped, t);
}

void io_thread_stop(struct io_thread *t, uint32_t grace_ms)
{
	if (!t->is_running)
		return;
	t->grace_ms = grace_ms;
	t->stop_msg.fn = stop_msg;
	loop_post(t->loop, &t->stop_msg);
}

void io_thread_join(struct io_thread *t)
{
	if (!t->is_running)
		return;
	while (!t->is_through)
		loop_run_once(t->server->loop, STOP_WAIT_MS);
	pthread_join(t->thread, NULL);
	deadlines_done(&t->deadlines);
	http_client_free(t->kubelets);
	tls_unref(t->kubelet_tls);
	http_server_free(t->http);
	loop_free(t->loop);
	t->is_running = false;
}

struct io_thread *io_thread_of(struct server *server, const struct loop *loop)
{
	for (int i = 0; i < server->io_count; i++)
		if (server->io[i].loop == loop)
			return &server->io[i];
	ASSERT(!"a loop of an io thread");
}
