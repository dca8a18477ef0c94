/* ServiceAccounts: each active namespace has one named "default". */
#include "control/common.h"
#include "control/controllers.h"

/* Keys are ("", namespace). */
static void plan_service_account(struct plan *p, struct str namespace, struct str name)
{
	const struct object *ns = cache_get(p->cache, KIND_NAMESPACE, STR(""), name);
	if (!ns || ns->is_deleting)
		return;
	if (cache_get(p->cache, KIND_SERVICE_ACCOUNT, name, STR("default")))
		return;
	struct service_account account = {.metadata = {.name = STR("default"), .namespace = name}};
	plan_create(p, KIND_SERVICE_ACCOUNT, name, &account);
}

static void map_account(struct keys *keys, const struct cache *cache, const struct object *old,
			const struct object *new)
{
	if (old && !new)
		keys_add(keys, STR(""), old->namespace);
}

static const struct controller_watch watches[] = {{KIND_NAMESPACE, NULL},
						  {KIND_SERVICE_ACCOUNT, map_account}};

const struct controller service_account_controller = {
	.name = "serviceaccount",
	.service_account = "service-account-controller",
	.watches = watches,
	.watch_count = ARRAY_LEN(watches),
	.plan = plan_service_account,
};
