#include "server/account_secrets.h"

#include <stdatomic.h>

#include "api/api_ids.h"
#include "base/encode.h"
#include "base/log.h"
#include "base/timefmt.h"
#include "sync/client.h"

#define SECRET_TYPE "kubernetes.io/service-account-token"
#define NAME_KEY    "kubernetes.io/service-account.name"
#define UID_KEY	    "kubernetes.io/service-account.uid"

#define DATE_LEN 10 /* of a time in RFC 3339 */

struct account_secrets {
	struct server *server;
	struct loop_msg used_msg;
	atomic_bool is_marking; /* who sets it owns used_arena until core has seen the message */
	struct arena used_arena;
	struct str used_namespace, used_name;
	struct client_watch *secrets, *accounts;
};

static void answered(void *ctx, const struct client_reply *reply)
{
	if (reply->rc != RC_OK && reply->rc != RC_CONFLICT && reply->rc != RC_NOT_FOUND)
		log_warn("account-secrets", "%s", reply->err.text);
}

static void submit(struct account_secrets *s, enum client_verb verb, const struct object *o,
		   const struct json *tree)
{
	struct client_request q = {.verb = verb,
				   .kind = o->kind,
				   .namespace = o->namespace,
				   .name = o->name,
				   .uid = verb == CLIENT_DELETE ? o->uid : (struct str){},
				   .body = tree,
				   .field_manager = STR("kube-controller-manager"),
				   .grace_period_s = -1};
	s->server->local->ops->submit(s->server->local, &q, answered, s);
}

static struct str annotation(const struct json *tree, const char *key)
{
	return json_str(json_get(json_path(tree, "metadata.annotations"), str_of(key)));
}

/* True: it was not yet what it should be. */
static bool set_data(struct arena *a, struct json *tree, const char *key, struct str value)
{
	struct json *data = json_need_object(a, tree, STR("data"));
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	base64_add(&text, value);
	if (str_eq(json_str(json_get(data, str_of(key))), buf_str(&text)))
		return false;
	json_set_str(a, data, str_of(key), arena_str(a, buf_str(&text)));
	return true;
}

static bool set_token(struct account_secrets *s, struct arena *a, struct json *tree,
		      const struct object *secret, const struct object *account)
{
	struct str token;
	if (json_str(json_path(tree, "data.token")).len)
		return false;
	if (token_sign_legacy(s->server->tokens, a, account->namespace, account->name, account->uid,
			      secret->name, &token, NULL) != RC_OK)
		return false;
	return set_data(a, tree, "token", token);
}

static void fill(struct account_secrets *s, struct arena *a, const struct object *secret,
		 const struct object *account, struct json *tree)
{
	struct json *notes =
		json_need_object(a, json_need_object(a, tree, STR("metadata")), STR("annotations"));
	bool is_changed = set_token(s, a, tree, secret, account);
	is_changed |= set_data(a, tree, "ca.crt", s->server->keys->server_ca.cert_pem);
	is_changed |= set_data(a, tree, "namespace", secret->namespace);
	if (annotation(tree, UID_KEY).len == 0) {
		json_set_str(a, notes, STR(UID_KEY), account->uid);
		is_changed = true;
	}
	if (is_changed)
		submit(s, CLIENT_UPDATE, secret, tree);
}

static void look_at(struct account_secrets *s, const struct object *secret)
{
	CLEANUP_ARENA a = {};
	struct json *tree = object_tree(&a, secret);
	struct str name = annotation(tree, NAME_KEY), uid = annotation(tree, UID_KEY);
	if (secret->is_deleting || name.len == 0 ||
	    !str_is(json_path_str(tree, "type"), SECRET_TYPE))
		return;
	const struct object *account =
		store_pending_get(s->server->store, KIND_SERVICE_ACCOUNT, secret->namespace, name);
	if (!account || (uid.len && !str_eq(uid, account->uid)))
		submit(s, CLIENT_DELETE, secret, NULL);
	else
		fill(s, &a, secret, account, tree);
}

static void on_secret(void *ctx, struct object *old, struct object *new)
{
	if (new)
		look_at(ctx, new);
}

static void on_account(void *ctx, struct object *old, struct object *new)
{
	struct account_secrets *s = ctx;
	struct snapshot_iter it;
	if (new)
		return;
	CLEANUP(snapshot_unref_p) struct snapshot *snapshot = store_snapshot(s->server->store);
	snapshot_iter_init(&it, snapshot, KIND_SECRET, old->namespace, (struct str){},
			   (struct str){});
	for (struct object *o; (o = snapshot_next(&it));)
		look_at(s, o);
}

static const struct client_watch_ops secret_ops = {.on_event = on_secret},
				     account_ops = {.on_event = on_account};

static struct client_watch *watch(struct account_secrets *s, uint16_t kind,
				  const struct client_watch_ops *ops)
{
	struct client *local = s->server->local;
	return local->ops->watch(local, api_by_stored(api_builtin(), kind), (struct str){},
				 (struct str){}, ops, s);
}

/* ---- use ---- */

static struct str today(struct arena *a)
{
	char text[TIME_TEXT_MAX];
	time_format(world_wall_us(), text);
	return arena_str(a, str_n(text, DATE_LEN));
}

static void mark_used(struct loop_msg *msg)
{
	struct account_secrets *s = CONTAINER_OF(msg, struct account_secrets, used_msg);
	CLEANUP_ARENA a = {};
	const struct object *o =
		store_pending_get(s->server->store, KIND_SECRET, s->used_namespace, s->used_name);
	if (o) {
		struct json *tree = object_tree(&a, o);
		struct json *labels = json_need_object(
			&a, json_need_object(&a, tree, STR("metadata")), STR("labels"));
		json_set_str(&a, labels, STR(ACCOUNT_TOKEN_USED_LABEL), today(&a));
		submit(s, CLIENT_UPDATE, o, tree);
	}
	arena_done(&s->used_arena);
	s->is_marking = false;
}

void account_secrets_used(struct account_secrets *s, const struct object *secret)
{
	CLEANUP_ARENA a = {};
	if (str_eq(object_label(secret, STR(ACCOUNT_TOKEN_USED_LABEL)), today(&a)) ||
	    atomic_exchange(&s->is_marking, true))
		return;
	s->used_arena = (struct arena){};
	s->used_namespace = arena_str(&s->used_arena, secret->namespace);
	s->used_name = arena_str(&s->used_arena, secret->name);
	s->used_msg.fn = mark_used;
	loop_post(s->server->loop, &s->used_msg);
}

struct account_secrets *account_secrets_new(struct server *server)
{
	struct account_secrets *s = NEW(struct account_secrets);
	s->server = server;
	s->accounts = watch(s, KIND_SERVICE_ACCOUNT, &account_ops);
	s->secrets = watch(s, KIND_SECRET, &secret_ops);
	return s;
}

void account_secrets_free(struct account_secrets *s)
{
	if (!s)
		return;
	loop_post_cancel(s->server->loop, &s->used_msg);
	arena_done(&s->used_arena);
	s->server->local->ops->unwatch(s->server->local, s->secrets);
	s->server->local->ops->unwatch(s->server->local, s->accounts);
	free(s);
}
