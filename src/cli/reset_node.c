#include "cli/reset_node.h"

#include "cli/cluster_files.h"
#include "io/file.h"
#include "node/cgroup.h"
#include "node/runtime_oci.h"

#define ROUND_MS 1000

struct node_reset {
	struct loop *loop;
	struct runtime *runtime;
	struct arena arena;
	struct runtime_call call;
	bool is_done;
	enum rc first; /* error */
};

static void called(struct runtime_call *call)
{
	struct node_reset *n = CONTAINER_OF(call, struct node_reset, call);
	n->is_done = true;
}

static struct runtime_call *call_begin(struct node_reset *n)
{
	n->call = (struct runtime_call){.done = called};
	n->is_done = false;
	return &n->call;
}

static enum rc call_wait(struct node_reset *n, struct err *err)
{
	while (!n->is_done)
		loop_run_once(n->loop, ROUND_MS);
	if (n->call.rc != RC_OK && n->first == RC_OK) {
		n->first = n->call.rc;
		err_set(err, n->call.rc, "%s", n->call.err.text);
	}
	return n->call.rc;
}

static size_t remove_containers(struct node_reset *n, struct err *err)
{
	struct runtime_container_list list = {};
	const struct runtime_ops *ops = n->runtime->ops;
	size_t removed = 0;
	ops->list(n->runtime, &n->arena, &list, call_begin(n));
	if (call_wait(n, err) != RC_OK)
		return 0;
	for (size_t i = 0; i < list.count; i++) {
		ops->remove(n->runtime, str_of(list.items[i].id), call_begin(n));
		removed += call_wait(n, err) == RC_OK;
	}
	return removed;
}

static size_t remove_pods(struct node_reset *n, struct err *err)
{
	struct str *uids = NULL;
	size_t count = 0, removed = 0;
	const struct runtime_ops *ops = n->runtime->ops;
	ops->sandbox_list(n->runtime, &n->arena, &uids, &count, call_begin(n));
	if (call_wait(n, err) != RC_OK)
		return 0;
	for (size_t i = 0; i < count; i++) {
		ops->sandbox_remove(n->runtime, uids[i], call_begin(n));
		removed += call_wait(n, err) == RC_OK;
	}
	return removed;
}

static enum rc open_runtime(struct node_reset *n, const char *folder, const char *node,
			    struct image_store *images, struct err *err)
{
	const struct registry_config *registries;
	char cgroup[CGROUP_PATH_MAX];
	TRY(registry_config_parse(&n->arena, NULL, &registries, err));
	cluster_node_cgroup(node, cgroup);
	const struct runtime_oci_config config = {
		.dir = folder,
		.cgroup = cgroup,
		.images = images,
		.registries = registries,
		.pull_netns_fd = -1,
	};
	return runtime_oci_new(n->loop, &config, NULL, &n->runtime, err);
}

enum rc reset_node(const char *folder, const char *node, struct image_store *images,
		   struct reset_node_count *ret_count, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct node_reset n = {};
	const char *dir = cluster_path(&a, folder, CLUSTER_RUNTIME_FOLDER);
	*ret_count = (struct reset_node_count){};
	if (!file_exists(dir))
		return RC_OK;
	n.loop = loop_new();
	enum rc rc = open_runtime(&n, dir, node, images, err);
	if (rc == RC_OK) {
		ret_count->containers = remove_containers(&n, err);
		ret_count->pods = remove_pods(&n, err);
		rc = n.first;
		n.runtime->ops->free(n.runtime);
	}
	loop_free(n.loop);
	arena_done(&n.arena);
	return rc;
}
