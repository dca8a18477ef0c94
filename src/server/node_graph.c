#include "server/node_graph.h"

#include <pthread.h>

#include "api/api_ids.h"
#include "base/map.h"

#define BATCH	   64
#define NAME_PARTS (STORE_KEY_MAX + 8)

/* Names ("namespace/name") by kind, each with the number of references to it. */
struct node_names {
	struct map kinds[POD_REFERENCE_KINDS];
};

struct node_graph {
	struct store *store;
	pthread_mutex_t lock; /* of all below */
	bool is_open;
	struct cursor pods;
	struct map nodes; /* name -> struct node_names */
};

/* ---- the index ---- */

struct change {
	struct node_names *names;
	struct str namespace;
	intptr_t by; /* +1 or -1 */
};

static struct str key_of(char text[NAME_PARTS], struct str namespace, struct str name)
{
	int len = snprintf(text, NAME_PARTS, "%.*s/%.*s", STR_FMT(namespace), STR_FMT(name));
	return str_n(text, len < 0 ? 0 : MIN((size_t)len, (size_t)NAME_PARTS - 1));
}

static void count_one(void *ctx, enum pod_reference kind, struct str name)
{
	struct change *c = ctx;
	char text[NAME_PARTS];
	struct map *map = &c->names->kinds[kind];
	struct str key = key_of(text, c->namespace, name);
	intptr_t count = (intptr_t)map_get(map, key) + c->by;
	ASSERT(count >= 0);
	if (count == 0)
		map_remove(map, key);
	else
		map_set(map, key, (void *)count);
}

static void names_free(struct node_names *names)
{
	for (size_t i = 0; i < POD_REFERENCE_KINDS; i++)
		map_done(&names->kinds[i]);
	free(names);
}

static bool is_empty(const struct node_names *names)
{
	for (size_t i = 0; i < POD_REFERENCE_KINDS; i++)
		if (names->kinds[i].count)
			return false;
	return true;
}

static void count_pod(struct node_graph *g, const struct object *o, intptr_t by)
{
	CLEANUP_ARENA a = {};
	const struct json *pod = o ? object_tree(&a, o) : NULL;
	struct str node = json_path_str(pod, "spec.nodeName");
	if (node.len == 0 || pod_is_mirror(pod))
		return;
	struct change c = {map_get(&g->nodes, node), o->namespace, by};
	if (!c.names) {
		c.names = NEW(struct node_names);
		map_set(&g->nodes, node, c.names);
	}
	pod_references_each(&a, pod, count_one, &c);
	if (is_empty(c.names)) {
		map_remove(&g->nodes, node);
		names_free(c.names);
	}
}

static void forget(struct node_graph *g)
{
	for (struct map_entry *e = map_next(&g->nodes, NULL); e; e = map_next(&g->nodes, e))
		names_free(e->value);
	map_done(&g->nodes);
	g->is_open = false;
}

/* ---- up to the newest snapshot ---- */

static void build(struct node_graph *g)
{
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(g->store);
	struct snapshot_iter it;
	forget(g);
	snapshot_iter_init(&it, s, KIND_POD, (struct str){}, (struct str){}, (struct str){});
	for (struct object *o; (o = snapshot_next(&it));)
		count_pod(g, o, 1);
	g->is_open = store_cursor_open(g->store, KIND_POD, snapshot_revision(s), &g->pods, NULL) ==
		     RC_OK;
}

/* False when the ring has overtaken the index. */
static bool follow(struct node_graph *g)
{
	struct store_event events[BATCH];
	size_t count = BATCH;
	while (count == BATCH) {
		if (store_cursor_read(g->store, &g->pods, events, BATCH, &count, NULL) != RC_OK)
			return false;
		for (size_t i = 0; i < count; i++) {
			count_pod(g, events[i].old, -1);
			count_pod(g, events[i].new, 1);
			store_event_done(&events[i]);
		}
	}
	return true;
}

static const struct node_names *names_now(struct node_graph *g, struct str node)
{
	if (!g->is_open || !follow(g))
		build(g);
	return map_get(&g->nodes, node);
}

struct node_graph *node_graph_new(struct store *store)
{
	struct node_graph *g = NEW(struct node_graph);
	g->store = store;
	pthread_mutex_init(&g->lock, NULL);
	return g;
}

void node_graph_free(struct node_graph *g)
{
	if (!g)
		return;
	forget(g);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* ---- questions ---- */

bool node_graph_has(struct node_graph *g, struct str node, enum pod_reference kind,
		    struct str namespace, struct str name)
{
	char text[NAME_PARTS];
	pthread_mutex_lock(&g->lock);
	const struct node_names *names = names_now(g, node);
	bool is_there = names && map_has(&names->kinds[kind], key_of(text, namespace, name));
	pthread_mutex_unlock(&g->lock);
	return is_there;
}

bool node_graph_has_volume(struct node_graph *g, struct str node, struct str name)
{
	CLEANUP_ARENA a = {};
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(g->store);
	struct object *o = snapshot_get(s, KIND_PERSISTENT_VOLUME, (struct str){}, name);
	const struct json *ref = o ? json_path(object_tree(&a, o), "spec.claimRef") : NULL;
	return ref && node_graph_has(g, node, POD_VOLUME_CLAIM, json_path_str(ref, "namespace"),
				     json_path_str(ref, "name"));
}

/* Secrets of a volume stand in its source; those that name no namespace lie in the claim's. */
static bool volume_needs(const struct json *spec, struct str claim_namespace, struct str namespace,
			 struct str name)
{
	static const char *const paths[] = {
		"azureFile",
		"cephfs.secretRef",
		"cinder.secretRef",
		"csi.controllerPublishSecretRef",
		"csi.nodePublishSecretRef",
		"csi.nodeStageSecretRef",
		"csi.nodeExpandSecretRef",
		"flexVolume.secretRef",
		"iscsi.secretRef",
		"rbd.secretRef",
		"scaleIO.secretRef",
		"storageos.secretRef",
	};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct json *ref = json_path(spec, paths[i]);
		bool is_azure = i == 0;
		struct str its_name = json_path_str(ref, is_azure ? "secretName" : "name"),
			   its_namespace =
				   json_path_str(ref, is_azure ? "secretNamespace" : "namespace");
		if (its_name.len && str_eq(its_name, name) &&
		    str_eq(its_namespace.len ? its_namespace : claim_namespace, namespace))
			return true;
	}
	return false;
}

/* Of a claim that a pod of the node has. */
static bool claim_needs(const struct snapshot *s, struct str claim, struct str namespace,
			struct str name)
{
	CLEANUP_ARENA a = {};
	struct str claim_namespace, claim_name;
	str_cut(claim, '/', &claim_namespace, &claim_name);
	struct object *o =
		snapshot_get(s, KIND_PERSISTENT_VOLUME_CLAIM, claim_namespace, claim_name);
	struct str volume = o ? json_path_str(object_tree(&a, o), "spec.volumeName")
			      : (struct str){};
	o = volume.len ? snapshot_get(s, KIND_PERSISTENT_VOLUME, (struct str){}, volume) : NULL;
	const struct json *spec = o ? json_get(object_tree(&a, o), STR("spec")) : NULL;
	/* What a claim says of itself is its owner's word; the volume's counts. */
	return spec && str_eq(json_path_str(spec, "claimRef.namespace"), claim_namespace) &&
	       str_eq(json_path_str(spec, "claimRef.name"), claim_name) &&
	       volume_needs(spec, claim_namespace, namespace, name);
}

bool node_graph_has_volume_secret(struct node_graph *g, struct str node, struct str namespace,
				  struct str name)
{
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(g->store);
	bool is_needed = false;
	pthread_mutex_lock(&g->lock);
	const struct node_names *names = names_now(g, node);
	const struct map *claims = names ? &names->kinds[POD_VOLUME_CLAIM] : NULL;
	for (struct map_entry *e = claims ? map_next(claims, NULL) : NULL; e && !is_needed;
	     e = map_next(claims, e))
		is_needed = claim_needs(s, e->key, namespace, name);
	pthread_mutex_unlock(&g->lock);
	return is_needed;
}
