#include "server/authz.h"

#include <pthread.h>

#include "api/api_ids.h"
#include "api/views.h"
#include "base/map.h"
#include "server/node_authorizer.h"
#include "server/rule_match.h"

/* What a subject was given by one binding. */
struct grant {
	struct grant *next;
	struct str namespace; /* empty: in all of them, and non-resource paths */
	struct str binding;   /* `RoleBinding "name/namespace" of Role "r"` */
	struct str problem;   /* the role is not there: then it has no rules */
	const struct rbac_subject *subject;
	const struct policy_rule *rules;
	uint32_t rule_count;
};

struct rbac_index {
	atomic_int refs;
	struct snapshot *snapshot; /* keeps the views that rules point into */
	struct arena arena;
	struct map subjects; /* "U:name", "G:name" -> first grant */
};

struct authorizer {
	struct store *store;
	struct node_graph *nodes;
	pthread_mutex_t lock; /* of index; held for a swap or a rebuild only */
	struct rbac_index *index;
};

static const uint16_t rbac_kinds[] = {KIND_CLUSTER_ROLE, KIND_CLUSTER_ROLE_BINDING, KIND_ROLE,
				      KIND_ROLE_BINDING};

static bool is_same_rbac(const struct snapshot *a, const struct snapshot *b)
{
	for (size_t i = 0; i < ARRAY_LEN(rbac_kinds); i++)
		if (!snapshot_kind_is_same(a, b, rbac_kinds[i]))
			return false;
	return true;
}

static void index_unref(struct rbac_index *x)
{
	if (!x || atomic_fetch_sub(&x->refs, 1) != 1)
		return;
	map_done(&x->subjects);
	arena_done(&x->arena);
	snapshot_unref(x->snapshot);
	free(x);
}

static struct str subject_key(struct arena *a, const struct rbac_subject *s,
			      struct str binding_namespace)
{
	if (str_is(s->kind, "User"))
		return arena_printf(a, "U:%.*s", STR_FMT(s->name));
	if (str_is(s->kind, "Group"))
		return arena_printf(a, "G:%.*s", STR_FMT(s->name));
	struct str namespace = s->namespace.len ? s->namespace : binding_namespace;
	return arena_printf(a, "U:system:serviceaccount:%.*s:%.*s", STR_FMT(namespace),
			    STR_FMT(s->name));
}

static void add_grants(struct rbac_index *x, struct str binding, const struct role_ref *ref,
		       const struct rbac_subject_array *subjects, struct str namespace,
		       const struct policy_rule_array *rules)
{
	struct str problem = {};
	if (!rules)
		problem = arena_printf(&x->arena, "%s.rbac.authorization.k8s.io \"%.*s\" not found",
				       str_is(ref->kind, "ClusterRole") ? "clusterrole" : "role",
				       STR_FMT(ref->name));
	for (uint32_t i = 0; i < subjects->count; i++) {
		struct str key = subject_key(&x->arena, &subjects->at[i], namespace);
		struct grant *g = ARENA_NEW(&x->arena, struct grant);
		*g = (struct grant){.next = map_get(&x->subjects, key),
				    .namespace = namespace,
				    .binding = binding,
				    .problem = problem,
				    .subject = &subjects->at[i],
				    .rules = rules ? rules->at : NULL,
				    .rule_count = rules ? rules->count : 0};
		map_set(&x->subjects, key, g);
	}
}

static const struct policy_rule_array *cluster_rules(const struct snapshot *s, struct str name)
{
	const struct object *o = snapshot_get(s, KIND_CLUSTER_ROLE, (struct str){}, name);
	return o ? &((const struct cluster_role *)object_view(o))->rules : NULL;
}

static const struct policy_rule_array *role_rules(const struct snapshot *s, struct str namespace,
						  const struct role_ref *ref)
{
	if (str_is(ref->kind, "ClusterRole"))
		return cluster_rules(s, ref->name);
	const struct object *o = snapshot_get(s, KIND_ROLE, namespace, ref->name);
	return o ? &((const struct role *)object_view(o))->rules : NULL;
}

static void add_cluster_bindings(struct rbac_index *x)
{
	struct snapshot_iter it;
	snapshot_iter_init(&it, x->snapshot, KIND_CLUSTER_ROLE_BINDING, (struct str){},
			   (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		const struct cluster_role_binding *b = object_view(o);
		const struct policy_rule_array *rules =
			cluster_rules(x->snapshot, b->role_ref.name);
		add_grants(x,
			   arena_printf(&x->arena,
					"ClusterRoleBinding \"%.*s\" of ClusterRole \"%.*s\"",
					STR_FMT(o->name), STR_FMT(b->role_ref.name)),
			   &b->role_ref, &b->subjects, STR(""), rules);
	}
}

static void add_bindings(struct rbac_index *x)
{
	struct snapshot_iter it;
	snapshot_iter_init(&it, x->snapshot, KIND_ROLE_BINDING, (struct str){}, (struct str){},
			   (struct str){});
	for (struct object *o; (o = snapshot_next(&it));) {
		const struct role_binding *b = object_view(o);
		const struct policy_rule_array *rules =
			role_rules(x->snapshot, o->namespace, &b->role_ref);
		add_grants(x,
			   arena_printf(&x->arena, "RoleBinding \"%.*s/%.*s\" of %.*s \"%.*s\"",
					STR_FMT(o->name), STR_FMT(o->namespace),
					STR_FMT(b->role_ref.kind), STR_FMT(b->role_ref.name)),
			   &b->role_ref, &b->subjects, o->namespace, rules);
	}
}

static struct rbac_index *index_build(const struct snapshot *s)
{
	struct rbac_index *x = NEW(struct rbac_index);
	x->refs = 1;
	x->snapshot = snapshot_narrow(s, rbac_kinds, ARRAY_LEN(rbac_kinds));
	add_cluster_bindings(x);
	add_bindings(x);
	return x;
}

/* The index of the newest snapshot, referenced. */
static struct rbac_index *index_get(struct authorizer *z)
{
	struct snapshot *s = store_snapshot(z->store);
	pthread_mutex_lock(&z->lock);
	if (!z->index || (snapshot_revision(s) > snapshot_revision(z->index->snapshot) &&
			  !is_same_rbac(s, z->index->snapshot))) {
		index_unref(z->index);
		z->index = index_build(s);
	}
	struct rbac_index *x = z->index;
	atomic_fetch_add(&x->refs, 1);
	pthread_mutex_unlock(&z->lock);
	snapshot_unref(s);
	return x;
}

struct authorizer *authorizer_new(struct store *store)
{
	struct authorizer *z = NEW(struct authorizer);
	z->store = store;
	z->nodes = node_graph_new(store);
	pthread_mutex_init(&z->lock, NULL);
	return z;
}

void authorizer_free(struct authorizer *z)
{
	if (!z)
		return;
	index_unref(z->index);
	node_graph_free(z->nodes);
	pthread_mutex_destroy(&z->lock);
	free(z);
}

/* "pods/log", "*" or "*" + "/log" */
static bool has_resource(const struct str_array *list, const struct attributes *what)
{
	for (uint32_t i = 0; i < list->count; i++) {
		struct str resource, subresource;
		if (str_is(list->at[i], "*"))
			return true;
		str_cut(list->at[i], '/', &resource, &subresource);
		if (str_eq(subresource, what->subresource) &&
		    (str_eq(resource, what->resource) ||
		     (subresource.len && str_is(resource, "*"))))
			return true;
	}
	return false;
}

static bool has_name(const struct str_array *list, struct str name)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_eq(list->at[i], name))
			return true;
	return list->count == 0;
}

bool rule_allows(const struct policy_rule *rule, const struct attributes *what)
{
	if (!rule_lists(&rule->verbs, what->verb))
		return false;
	if (!what->is_resource)
		return rule_lists_path(&rule->non_resource_urls, what->path);
	return rule_lists(&rule->api_groups, what->group) && has_resource(&rule->resources, what) &&
	       has_name(&rule->resource_names, what->name);
}

struct walk {
	struct str namespace;
	bool (*stop_at)(void *ctx, const struct grant *grant, const struct policy_rule *rule);
	void *ctx;
};

static bool walk_grants(const struct grant *g, const struct walk *w)
{
	for (; g; g = g->next) {
		if (g->namespace.len && !str_eq(g->namespace, w->namespace))
			continue;
		for (uint32_t i = 0; i < g->rule_count; i++)
			if (w->stop_at(w->ctx, g, &g->rules[i]))
				return true;
	}
	return false;
}

static bool walk_subject(const struct rbac_index *x, const char *prefix, struct str name,
			 const struct walk *w)
{
	char key[512];
	int len = snprintf(key, sizeof(key), "%s%.*s", prefix, STR_FMT(name));
	if (len < 0 || (size_t)len >= sizeof(key))
		return false;
	return walk_grants(map_get(&x->subjects, str_n(key, (size_t)len)), w);
}

static bool walk_user(struct authorizer *z, const struct user *user, const struct walk *w)
{
	struct rbac_index *x = index_get(z);
	bool is_stopped = walk_subject(x, "U:", user->name, w);
	for (size_t i = 0; !is_stopped && i < user->group_count; i++)
		is_stopped = walk_subject(x, "G:", user->groups[i], w);
	index_unref(x);
	return is_stopped;
}

struct question {
	const struct attributes *what;
	struct arena *arena; /* for the reason; NULL: nobody wants it */
	struct str reason;
};

static bool answers(void *ctx, const struct grant *grant, const struct policy_rule *rule)
{
	struct question *q = ctx;
	if (!rule_allows(rule, q->what))
		return false;
	bool is_account = str_is(grant->subject->kind, "ServiceAccount");
	struct str subject_namespace = grant->subject->namespace.len ? grant->subject->namespace
								     : grant->namespace;
	if (q->arena)
		q->reason = arena_printf(q->arena, "RBAC: allowed by %.*s to %.*s \"%.*s%s%.*s\"",
					 STR_FMT(grant->binding), STR_FMT(grant->subject->kind),
					 STR_FMT(grant->subject->name), is_account ? "/" : "",
					 STR_FMT(is_account ? subject_namespace : STR("")));
	return true;
}

static bool is_same_text(const struct buf *list, struct str text)
{
	return memmem(list->data, list->len, text.at, text.len) != NULL;
}

struct problems {
	struct str namespace;
	struct buf text;
	size_t count;
};

static void gather_problems(const struct rbac_index *x, const char *prefix, struct str name,
			    struct problems *p)
{
	char key[512];
	int len = snprintf(key, sizeof(key), "%s%.*s", prefix, STR_FMT(name));
	if (len < 0 || (size_t)len >= sizeof(key))
		return;
	for (const struct grant *g = map_get(&x->subjects, str_n(key, (size_t)len)); g;
	     g = g->next) {
		bool is_elsewhere = g->namespace.len && !str_eq(g->namespace, p->namespace);
		if (!g->problem.len || is_elsewhere || is_same_text(&p->text, g->problem))
			continue;
		buf_printf(&p->text, "%s%.*s", p->count++ ? ", " : "", STR_FMT(g->problem));
	}
}

struct str authorizer_problems(struct authorizer *z, const struct user *user, struct str namespace,
			       struct arena *a)
{
	struct rbac_index *x = index_get(z);
	struct problems p = {.namespace = namespace, .text = BUF_INIT(64u << 10)};
	gather_problems(x, "U:", user->name, &p);
	for (size_t i = 0; i < user->group_count; i++)
		gather_problems(x, "G:", user->groups[i], &p);
	index_unref(x);
	struct str text = p.count > 1 ? arena_printf(a, "[%.*s]", STR_FMT(buf_str(&p.text)))
				      : arena_str(a, buf_str(&p.text));
	buf_done(&p.text);
	return text.at ? text : STR("");
}

/* With why not in the arena, when there is one. */
static bool node_allows(struct authorizer *z, const struct user *user,
			const struct attributes *what, struct arena *a, struct str *ret_reason)
{
	CLEANUP_ARENA scratch = {};
	struct str node, reason = {};
	bool is_allowed = user_is_node(user, &node) &&
			  node_authorizer_allows(z->nodes, z->store, node, what, &scratch, &reason);
	*ret_reason = a && reason.len ? arena_str(a, reason) : STR("");
	return is_allowed;
}

/* Each authorizer that has a word to say gets a line. */
static struct str refusal_reason(struct authorizer *z, const struct user *user,
				 const struct attributes *what, struct arena *a, struct str of_node)
{
	struct str problems = authorizer_problems(z, user, what->namespace, a);
	if (problems.len == 0)
		return of_node;
	return arena_printf(a, "%.*s%sRBAC: %.*s", STR_FMT(of_node), of_node.len ? "\n" : "",
			    STR_FMT(problems));
}

/* a: for the reason of a refusal; of_grant: for that of a permission; NULL: it is not wanted. */
static bool decide(struct authorizer *z, const struct user *user, const struct attributes *what,
		   struct arena *a, struct arena *of_grant, struct str *ret_reason)
{
	struct question q = {what, of_grant, STR("")};
	struct walk w = {what->namespace, answers, &q};
	struct str of_node = STR("");
	bool is_allowed = user_is_in(user, STR("system:masters")) ||
			  node_allows(z, user, what, a, &of_node) || walk_user(z, user, &w);
	if (a)
		*ret_reason = is_allowed ? q.reason : refusal_reason(z, user, what, a, of_node);
	return is_allowed;
}

bool authorizer_allows_because(struct authorizer *z, const struct user *user,
			       const struct attributes *what, struct arena *a,
			       struct str *ret_reason)
{
	return decide(z, user, what, a, a, ret_reason);
}

bool authorizer_allows_or_why(struct authorizer *z, const struct user *user,
			      const struct attributes *what, struct arena *a,
			      struct str *ret_reason)
{
	return decide(z, user, what, a, NULL, ret_reason);
}

bool authorizer_allows(struct authorizer *z, const struct user *user, const struct attributes *what)
{
	return decide(z, user, what, NULL, NULL, NULL);
}

struct visit {
	void (*fn)(void *ctx, const struct policy_rule *rule);
	void *ctx;
};

static bool visit_rule(void *ctx, const struct grant *grant, const struct policy_rule *rule)
{
	struct visit *v = ctx;
	v->fn(v->ctx, rule);
	return false;
}

void authorizer_rules(struct authorizer *z, const struct user *user, struct str namespace,
		      void (*fn)(void *ctx, const struct policy_rule *rule), void *ctx)
{
	struct visit v = {fn, ctx};
	struct walk w = {namespace, visit_rule, &v};
	walk_user(z, user, &w);
}

static struct str cannot(struct arena *a, const struct user *user, const struct attributes *what)
{
	if (!what->is_resource)
		return arena_printf(a, "User \"%.*s\" cannot %.*s path \"%.*s\"",
				    STR_FMT(user->name), STR_FMT(what->verb), STR_FMT(what->path));
	struct str resource = what->subresource.len
				      ? arena_printf(a, "%.*s/%.*s", STR_FMT(what->resource),
						     STR_FMT(what->subresource))
				      : what->resource;
	struct str scope = what->namespace.len ? arena_printf(a, "in the namespace \"%.*s\"",
							      STR_FMT(what->namespace))
					       : STR("at the cluster scope");
	return arena_printf(
		a, "User \"%.*s\" cannot %.*s resource \"%.*s\" in API group \"%.*s\" %.*s",
		STR_FMT(user->name), STR_FMT(what->verb), STR_FMT(resource), STR_FMT(what->group),
		STR_FMT(scope));
}

struct str attributes_refusal(struct arena *a, const struct user *user,
			      const struct attributes *what, struct str reason)
{
	struct str text = cannot(a, user, what);
	return reason.len ? arena_printf(a, "%.*s: %.*s", STR_FMT(text), STR_FMT(reason)) : text;
}

bool user_is_in(const struct user *user, struct str group)
{
	for (size_t i = 0; i < user->group_count; i++)
		if (str_eq(user->groups[i], group))
			return true;
	return false;
}
