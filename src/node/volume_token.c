#include "node/volume_token.h"

#include "api/api_ids.h"
#include "base/log.h"
#include "base/timefmt.h"
#include "node/agent-int.h"

#define TOKEN_DEFAULT_S	  3600
#define TOKEN_RETRY_MS	  5000
#define TOKEN_OLD_MS	  (24 * 3600 * INT64_C(1000))
#define TOKEN_JITTER_MS	  10000
#define TOKENS_MAX	  32
#define BOUND_API_VERSION "v1"

struct token {
	struct volume_tokens *all;
	struct str audience; /* in the worker's arena; empty: the API server's */
	int64_t seconds;
	char *text; /* NULL: not there yet */
	struct loop_timer timer;
};

struct volume_tokens {
	struct pod_worker *worker;
	void (*on_change)(struct pod_worker *w);
	char *problem;
	size_t count;
	struct token items[TOKENS_MAX];
};

static void token_ask(struct token *t);

static void on_timer(struct loop_timer *timer)
{
	token_ask(CONTAINER_OF(timer, struct token, timer));
}

static int64_t renewal_ms(const struct token *t, int64_t expires_us)
{
	int64_t left_ms = (expires_us - world_wall_us()) / 1000;
	int64_t delay_ms = MIN(MAX(left_ms, t->seconds * 100) * 8 / 10, TOKEN_OLD_MS);
	return delay_ms - (int64_t)(world_random_u64() % TOKEN_JITTER_MS);
}

static void set_problem(struct volume_tokens *all, const char *text)
{
	free(all->problem);
	all->problem = text ? mem_strdup(text) : NULL;
}

static void answered(void *ctx, const struct client_reply *reply)
{
	struct token *t = ctx;
	struct pod_worker *w = t->all->worker;
	struct str text = json_path_str(reply->tree, "status.token");
	int64_t expires_us = 0, delay_ms = TOKEN_RETRY_MS;
	if (reply->rc == RC_OK && text.len) {
		(void)time_parse(json_path_str(reply->tree, "status.expirationTimestamp"),
				 &expires_us);
		free(t->text);
		t->text = mem_strndup(text.at, text.len);
		set_problem(t->all, NULL);
		delay_ms = MAX(renewal_ms(t, expires_us), TOKEN_RETRY_MS);
	} else {
		set_problem(t->all,
			    reply->rc == RC_OK ? "the answer holds no token" : reply->err.text);
		log_warn("node", "token for pod %.*s/%.*s: %s", STR_FMT(w->namespace),
			 STR_FMT(w->name), t->all->problem);
	}
	loop_timer_start(w->agent->loop, &t->timer, delay_ms, on_timer);
	t->all->on_change(w);
}

static struct json *token_request(struct arena *a, const struct token *t)
{
	const struct pod_worker *w = t->all->worker;
	struct json *body = json_object(a), *spec = json_object(a), *bound = json_object(a);
	struct json *audiences = json_array(a);
	if (t->audience.len)
		json_append(a, audiences, json_string(a, t->audience));
	json_set_str(a, bound, STR("kind"), STR("Pod"));
	json_set_str(a, bound, STR("apiVersion"), STR(BOUND_API_VERSION));
	json_set_str(a, bound, STR("name"), w->name);
	json_set_str(a, bound, STR("uid"), w->uid);
	json_set(a, spec, STR("audiences"), audiences);
	json_set(a, spec, STR("expirationSeconds"), json_int(a, t->seconds));
	json_set(a, spec, STR("boundObjectRef"), bound);
	json_set_str(a, body, STR("apiVersion"), STR("authentication.k8s.io/v1"));
	json_set_str(a, body, STR("kind"), STR("TokenRequest"));
	json_set(a, body, STR("spec"), spec);
	return body;
}

static void token_ask(struct token *t)
{
	CLEANUP_ARENA a = {};
	struct pod_worker *w = t->all->worker;
	struct str account = w->pod->spec.service_account_name;
	struct client_request q = {
		.verb = CLIENT_CREATE,
		.kind = api_by_stored(w->agent->config.client->api, KIND_SERVICE_ACCOUNT),
		.namespace = w->namespace,
		.name = account.len ? account : STR("default"),
		.subresource = STR("token"),
		.body = token_request(&a, t),
	};
	requests_submit(&w->agent->requests, &q, answered, t);
}

static struct token *find(const struct volume_tokens *all,
			  const struct service_account_token_projection *p)
{
	int64_t seconds = p->expiration_seconds ? *p->expiration_seconds : TOKEN_DEFAULT_S;
	for (size_t i = 0; i < all->count; i++)
		if (str_eq(all->items[i].audience, p->audience) && all->items[i].seconds == seconds)
			return (struct token *)&all->items[i];
	return NULL;
}

static void add(struct volume_tokens *all, const struct service_account_token_projection *p)
{
	if (find(all, p) || all->count == TOKENS_MAX)
		return;
	struct token *t = &all->items[all->count++];
	t->all = all;
	t->audience = arena_str(&all->worker->arena, p->audience);
	t->seconds = p->expiration_seconds ? *p->expiration_seconds : TOKEN_DEFAULT_S;
	token_ask(t);
}

struct volume_tokens *volume_tokens_new(struct pod_worker *w,
					void (*on_change)(struct pod_worker *w))
{
	struct volume_tokens *all = NEW(struct volume_tokens);
	all->worker = w;
	all->on_change = on_change;
	for (uint32_t i = 0; i < w->pod->spec.volumes.count; i++) {
		const struct projected_volume_source *v = w->pod->spec.volumes.at[i].projected;
		for (uint32_t k = 0; v && k < v->sources.count; k++)
			if (v->sources.at[k].service_account_token)
				add(all, v->sources.at[k].service_account_token);
	}
	return all;
}

void volume_tokens_free(struct volume_tokens *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->count; i++) {
		requests_drop(&t->worker->agent->requests, &t->items[i]);
		loop_timer_stop(&t->items[i].timer);
		free(t->items[i].text);
	}
	free(t->problem);
	free(t);
}

struct str volume_token_get(const void *ctx, const struct service_account_token_projection *p)
{
	const struct token *t = find(ctx, p);
	return str_of(t ? t->text : NULL);
}

const char *volume_tokens_problem(const struct volume_tokens *t)
{
	return t->problem;
}
