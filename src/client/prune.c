#include "client/prune.h"

#include "client/api_path.h"

/* In this order, as kubectl has it. */
static const char *const usual[] = {
	"core/v1/ConfigMap",
	"core/v1/Endpoints",
	"core/v1/Namespace",
	"core/v1/PersistentVolumeClaim",
	"core/v1/PersistentVolume",
	"core/v1/Pod",
	"core/v1/ReplicationController",
	"core/v1/Secret",
	"core/v1/Service",
	"batch/v1/Job",
	"batch/v1/CronJob",
	"networking.k8s.io/v1/Ingress",
	"apps/v1/DaemonSet",
	"apps/v1/Deployment",
	"apps/v1/ReplicaSet",
	"apps/v1/StatefulSet",
};

static bool has(const struct str *list, size_t count, struct str text)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(list[i], text))
			return true;
	return false;
}

void prune_keep(struct prune *p, struct str uid)
{
	struct arena *a = p->verb->arena;
	p->kept = arena_grow(a, p->kept, p->kept_count, &p->kept_cap, sizeof(*p->kept));
	p->kept[p->kept_count++] = uid;
}

void prune_visit(struct prune *p, struct str namespace)
{
	struct arena *a = p->verb->arena;
	if (!namespace.len || has(p->namespaces, p->namespace_count, namespace))
		return;
	p->namespaces = arena_grow(a, p->namespaces, p->namespace_count, &p->namespace_cap,
				   sizeof(*p->namespaces));
	p->namespaces[p->namespace_count++] = namespace;
}

struct pruning {
	struct prune *prune;
	const struct api_kind *kind;
};

static enum rc prune_one(struct prune *p, const struct api_kind *kind, struct json *object,
			 struct err *err)
{
	struct arena *a = p->verb->arena;
	struct str annotation =
		json_str(json_get(json_path(object, "metadata.annotations"), STR(LAST_APPLIED)));
	if (!annotation.len || json_path(object, "metadata.deletionTimestamp") ||
	    has(p->kept, p->kept_count, json_path_str(object, "metadata.uid")))
		return RC_OK;
	if (p->change->dry_run != DRY_RUN_CLIENT) {
		struct json *reply;
		CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
		buf_add_str(&url, api_path(a, kind, json_path_str(object, "metadata.namespace"),
					   json_path_str(object, "metadata.name"), NULL));
		query_add(&url, "propagationPolicy", STR("Background"));
		query_add(&url, "dryRun",
			  p->change->dry_run == DRY_RUN_SERVER ? STR("All") : STR(""));
		TRY(api_client_send(&p->verb->client, a, "DELETE", buf_str(&url), NULL, NULL,
				    &reply, err));
	}
	return change_tell(p->change, kind, object, "pruned", err);
}

static enum rc take_page(struct json *list, void *ctx, struct err *err)
{
	struct pruning *p = ctx;
	struct json *items = json_get(list, STR("items"));
	for (size_t i = 0; i < json_count(items); i++)
		TRY(prune_one(p->prune, p->kind, json_at(items, i), err));
	return RC_OK;
}

static enum rc prune_kind(struct prune *p, const struct api_kind *kind, struct str namespace,
			  struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	struct arena *a = p->verb->arena;
	struct pruning pruning = {p, kind};
	buf_add_str(&url, api_path(a, kind, namespace, (struct str){}, NULL));
	query_add(&url, "labelSelector", str_of(p->label_selector));
	return api_client_list(&p->verb->client, a, buf_str(&url), NULL, take_page, &pruning, err);
}

static enum rc find_kind(const char *text, const struct api_kind **ret_kind, struct err *err)
{
	struct str group, version, kind, rest;
	bool is_whole = str_cut(str_of(text), '/', &group, &rest) &&
			str_cut(rest, '/', &version, &kind);
	if (str_is(group, "core"))
		group = STR("");
	*ret_kind = is_whole ? api_by_kind(api_builtin(), group, version, kind) : NULL;
	return *ret_kind ? RC_OK
			 : err_set(err, RC_BAD_REQUEST,
				   "invalid GroupVersionKind format: %s, please follow "
				   "<group/version/kind>",
				   text);
}

enum rc prune_rest(struct prune *p, struct err *err)
{
	bool is_usual = p->allowed->count == 0;
	size_t count = is_usual ? ARRAY_LEN(usual) : p->allowed->count;
	for (size_t i = 0; i < count; i++) {
		const struct api_kind *kind;
		TRY(find_kind(is_usual ? usual[i] : p->allowed->at[i], &kind, err));
		if (!kind->is_namespaced)
			TRY(prune_kind(p, kind, (struct str){}, err));
		for (size_t k = 0; kind->is_namespaced && k < p->namespace_count; k++)
			TRY(prune_kind(p, kind, p->namespaces[k], err));
	}
	return RC_OK;
}
