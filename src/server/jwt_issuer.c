#include "server/jwt_issuer.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "http/client.h"

struct jwt_issuer {
	const struct jwt_issuer_config *config;
	struct loop *loop;
	struct http_client *client;
	struct http_call *call;
	struct loop_timer timer; /* the next try */
	int64_t retry_ms;
	struct arena arena;
	const char *keys_url;	 /* NULL: not discovered */
	struct list next, asked; /* wait for a fetch to begin, wait for the one that runs */
	size_t waiting;
	int64_t fetch_began_ms;
	bool has_fetched, is_stopped, is_troubled;
	struct loop_msg refresh;
	atomic_bool is_known, is_refreshing;
	_Atomic int64_t fetched_ms;
	pthread_mutex_t lock; /* of keys */
	struct jwt_keys *keys;
};

static void fetch_when_due(struct jwt_issuer *i);
static void discover(struct jwt_issuer *i);

/* ---- who waits ---- */

static void tell(struct jwt_issuer *i, struct list *waiting)
{
	while (!list_is_empty(waiting)) {
		struct jwt_wait *w = LIST_FIRST(waiting, struct jwt_wait, link);
		list_remove(&w->link);
		i->waiting--;
		w->done(w);
	}
}

static void trouble(struct jwt_issuer *i, const char *why)
{
	if (!i->is_troubled)
		log_warn("authentication", "issuer %.*s: %s", STR_FMT(i->config->url), why);
	i->is_troubled = true;
}

static void fine_again(struct jwt_issuer *i, const char *what)
{
	log_at(i->is_troubled ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "authentication",
	       "issuer %.*s: %s", STR_FMT(i->config->url), what);
	i->is_troubled = false;
}

static enum rc ask(struct jwt_issuer *i, const char *url, const struct http_call_ops *ops,
		   struct err *err)
{
	const struct http_request q = {
		.url = url,
		.timeout_ms = JWT_FETCH_TIMEOUT_MS,
		.body_max = JWT_DOCUMENT_MAX,
		.max_redirects = 5,
	};
	return http_call_start(i->client, &q, ops, i, &i->call, err);
}

static enum rc check_answer(const struct http_response *response, const struct err *failure,
			    struct err *err)
{
	if (failure) {
		*err = *failure;
		return failure->rc;
	}
	return response->status == 200 ? RC_OK
				       : err_set(err, RC_UNAVAILABLE, "%.*s: status %d",
						 STR_FMT(response->url), response->status);
}

/* ---- keys ---- */

static void publish(struct jwt_issuer *i, struct jwt_keys *own_keys)
{
	pthread_mutex_lock(&i->lock);
	struct jwt_keys *old = i->keys;
	i->keys = own_keys;
	pthread_mutex_unlock(&i->lock);
	jwt_keys_unref(old);
}

static enum rc take_keys(struct jwt_issuer *i, const struct http_response *response,
			 const struct err *failure, struct err *err)
{
	struct jwt_keys *keys;
	TRY(check_answer(response, failure, err));
	TRY(jwt_keys_parse(response->body, &keys, err));
	publish(i, keys);
	return RC_OK;
}

static void fetch_over(struct jwt_issuer *i)
{
	i->fetched_ms = world_mono_ms();
	i->is_refreshing = false;
	tell(i, &i->asked);
}

static void on_keys(struct http_call *call, const struct http_response *response,
		    const struct err *failure, void *ctx)
{
	struct jwt_issuer *i = ctx;
	struct err err;
	i->call = NULL;
	if (take_keys(i, response, failure, &err) == RC_OK)
		fine_again(i, "keys are read");
	else
		trouble(i, err.text);
	fetch_over(i);
	if (!list_is_empty(&i->next))
		fetch_when_due(i);
}

static void fetch(struct jwt_issuer *i)
{
	static const struct http_call_ops ops = {.on_done = on_keys};
	struct err err;
	while (!list_is_empty(&i->next)) {
		struct jwt_wait *w = LIST_FIRST(&i->next, struct jwt_wait, link);
		list_remove(&w->link);
		list_append(&i->asked, &w->link);
	}
	i->has_fetched = true;
	i->fetch_began_ms = world_mono_ms();
	if (ask(i, i->keys_url, &ops, &err) == RC_OK)
		return;
	trouble(i, err.text);
	fetch_over(i);
}

static void fetch_due(struct loop_timer *timer)
{
	fetch(CONTAINER_OF(timer, struct jwt_issuer, timer));
}

/* One at a time, and not too often. */
static void fetch_when_due(struct jwt_issuer *i)
{
	int64_t wait_ms = i->fetch_began_ms + JWT_FETCH_LEAST_MS - world_mono_ms();
	if (i->call || i->timer.loop)
		return;
	if (i->has_fetched && wait_ms > 0)
		loop_timer_start(i->loop, &i->timer, wait_ms, fetch_due);
	else
		fetch(i);
}

/* ---- discovery ---- */

static enum rc take_document(struct jwt_issuer *i, const struct http_response *response,
			     const struct err *failure, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	TRY(check_answer(response, failure, err));
	TRY(json_parse(&a, response->body, &tree, NULL, err));
	struct str issuer = json_path_str(tree, "issuer"), url = json_path_str(tree, "jwks_uri");
	if (!str_eq(issuer, i->config->url))
		return err_set(err, RC_INVALID,
			       "oidc: issuer did not match the issuer returned by provider, "
			       "expected \"%.*s\" got \"%.*s\"",
			       STR_FMT(i->config->url), STR_FMT(issuer));
	if (!str_has_prefix(url, STR("https://")))
		return err_set(err, RC_INVALID,
			       "its discovery document names no jwks_uri of https");
	i->keys_url = arena_str(&i->arena, url).at;
	return RC_OK;
}

static void try_again(struct loop_timer *timer)
{
	discover(CONTAINER_OF(timer, struct jwt_issuer, timer));
}

static void later(struct jwt_issuer *i)
{
	loop_timer_start(i->loop, &i->timer, i->retry_ms, try_again);
	i->retry_ms = MIN(i->retry_ms * 2, (int64_t)JWT_DISCOVERY_LAST_MS);
}

static void on_document(struct http_call *call, const struct http_response *response,
			const struct err *failure, void *ctx)
{
	struct jwt_issuer *i = ctx;
	struct err err;
	i->call = NULL;
	if (take_document(i, response, failure, &err) != RC_OK) {
		trouble(i, err.text);
		later(i);
		return;
	}
	i->is_known = true;
	fetch(i);
}

static void discover(struct jwt_issuer *i)
{
	static const struct http_call_ops ops = {.on_done = on_document};
	struct err err;
	if (ask(i, i->config->discovery_url.at, &ops, &err) == RC_OK)
		return;
	trouble(i, err.text);
	later(i);
}

/* ---- life ---- */

static void refresh(struct loop_msg *msg)
{
	struct jwt_issuer *i = CONTAINER_OF(msg, struct jwt_issuer, refresh);
	if (!i->is_stopped && i->keys_url)
		fetch_when_due(i);
}

enum rc jwt_issuer_new(struct loop *core, const struct jwt_issuer_config *config,
		       struct jwt_issuer **ret_issuer, struct err *err)
{
	const struct http_client_opts opts = {.ca_pem = config->ca_pem, .use_proxy_env = true};
	struct http_client *client;
	TRY(http_client_new(core, &opts, &client, err));
	struct jwt_issuer *i = NEW(struct jwt_issuer);
	i->config = config;
	i->loop = core;
	i->client = client;
	i->retry_ms = JWT_DISCOVERY_FIRST_MS;
	i->refresh.fn = refresh;
	list_init(&i->next);
	list_init(&i->asked);
	pthread_mutex_init(&i->lock, NULL);
	*ret_issuer = i;
	return RC_OK;
}

void jwt_issuer_start(struct jwt_issuer *i)
{
	discover(i);
}

void jwt_issuer_stop(struct jwt_issuer *i)
{
	if (i->is_stopped)
		return;
	i->is_stopped = true;
	loop_timer_stop(&i->timer);
	if (i->call)
		http_call_cancel(TAKE_PTR(i->call));
	tell(i, &i->asked);
	tell(i, &i->next);
}

void jwt_issuer_free(struct jwt_issuer *i)
{
	if (!i)
		return;
	jwt_issuer_stop(i);
	loop_post_cancel(i->loop, &i->refresh);
	http_client_free(i->client);
	jwt_keys_unref(i->keys);
	pthread_mutex_destroy(&i->lock);
	arena_done(&i->arena);
	free(i);
}

const struct jwt_issuer_config *jwt_issuer_config(const struct jwt_issuer *i)
{
	return i->config;
}

struct jwt_keys *jwt_issuer_keys(struct jwt_issuer *i)
{
	pthread_mutex_lock(&i->lock);
	struct jwt_keys *keys = jwt_keys_ref(i->keys);
	pthread_mutex_unlock(&i->lock);
	return keys;
}

bool jwt_issuer_is_known(struct jwt_issuer *i)
{
	return i->is_known;
}

void jwt_issuer_touch(struct jwt_issuer *i)
{
	bool is_old = world_mono_ms() - i->fetched_ms > JWT_KEYS_FRESH_MS;
	if (is_old && !atomic_exchange(&i->is_refreshing, true))
		loop_post(i->loop, &i->refresh);
}

void jwt_issuer_wait(struct jwt_issuer *i, struct jwt_wait *w)
{
	if (i->is_stopped || !i->keys_url || i->waiting == JWT_WAITING_MAX) {
		w->done(w);
		return;
	}
	i->waiting++;
	list_append(&i->next, &w->link);
	fetch_when_due(i);
}
