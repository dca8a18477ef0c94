/* The CA of the API server, published in every namespace, and mended where somebody changed it. */
#include "control/common.h"
#include "control/controllers.h"

#define ROOT_CA		"kube-root-ca.crt"
#define DESCRIPTION_KEY "kubernetes.io/description"
#define DESCRIPTION                                                                                \
	"Contains a CA bundle that can be used to verify the kube-apiserver when using internal "  \
	"endpoints such as the internal service IP or kubernetes.default.svc. No other usage is "  \
	"guaranteed across distributions of Kubernetes clusters."

static struct str_map map_of(struct arena *a, struct str key, struct str value)
{
	struct str_map none = {};
	return str_map_with(a, &none, key, value);
}

/* Keys are ("", namespace). */
static void plan_root_ca(struct plan *p, struct str namespace, struct str name)
{
	struct str pem = plan_settings(p)->ca_pem;
	const struct object *ns = cache_get(p->cache, KIND_NAMESPACE, STR(""), name);
	if (!ns || ns->is_deleting || !pem.len)
		return;
	struct str_map data = map_of(p->arena, STR("ca.crt"), pem);
	const struct object *o = cache_get(p->cache, KIND_CONFIG_MAP, name, STR(ROOT_CA));
	if (!o) {
		struct config_map map = {.metadata = {.name = STR(ROOT_CA), .namespace = name},
					 .data = data};
		map.metadata.annotations = map_of(p->arena, STR(DESCRIPTION_KEY), STR(DESCRIPTION));
		plan_create(p, KIND_CONFIG_MAP, name, &map);
		return;
	}
	struct config_map copy = *(const struct config_map *)object_view(o);
	bool is_described = str_map_cget(&copy.metadata.annotations, DESCRIPTION_KEY).len > 0;
	if (str_map_eq(&copy.data, &data) && is_described)
		return;
	copy.data = data;
	copy.metadata.annotations = str_map_with(p->arena, &copy.metadata.annotations,
						 STR(DESCRIPTION_KEY), STR(DESCRIPTION));
	plan_update(p, KIND_CONFIG_MAP, name, STR(ROOT_CA), &copy);
}

static void map_config(struct keys *keys, const struct cache *cache, const struct object *old,
		       const struct object *new)
{
	const struct object *o = new ? new : old;
	if (str_is(o->name, ROOT_CA))
		keys_add(keys, STR(""), o->namespace);
}

static const struct controller_watch watches[] = {{KIND_NAMESPACE, NULL},
						  {KIND_CONFIG_MAP, map_config}};

const struct controller root_ca_controller = {
	.name = "root-ca-certificate-publisher",
	.service_account = "root-ca-cert-publisher",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_root_ca,
};
