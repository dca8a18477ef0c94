/* skeg reset: nothing of a cluster is left on this machine.
 *
 * Steps in the order of a table, each idempotent and each saying what it removed; one that fails
 * doesn't keep the others from trying, so a second run finds less to do. */
#include <stdio.h>

#include "cli/cluster_files.h"
#include "cli/cluster_processes.h"
#include "cli/mounts.h"
#include "cli/reset_node.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "client/kubeconfig.h"
#include "client/progress.h"
#include "io/file.h"
#include "net/node_network.h"
#include "net/service_proxy.h"
#include "node/cgroup.h"
#include "node/image_store.h"

struct reset_options {
	const char *data_dir, *kubeconfig;
	bool is_sure;
};

struct reset {
	struct arena *arena;
	const char *data;  /* absolute, without links */
	const char *named; /* as its processes were told */
	const char *kubeconfig;
	bool has_folder; /* of data */
	bool has_nodes;	 /* real ones: containers, networks, control groups */
	bool has_neighbours;
	struct image_store *images;
	size_t removed, failed;
};

[[gnu::format(printf, 2, 3)]] static void removed(struct reset *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str text = arena_vprintf(r->arena, fmt, ap);
	va_end(ap);
	progress_done("%.*s", STR_FMT(text));
	r->removed++;
}

/* ---- processes ---- */

static enum rc stop_cluster(struct reset *r, struct err *err)
{
	if (!cluster_supervisor(r->data))
		return RC_OK;
	progress_step("stopping the cluster and its pods");
	enum rc rc = cluster_stop(r->data, true, err);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	removed(r, "stopped the cluster");
	return RC_OK;
}

static enum rc end_processes(struct reset *r, struct err *err)
{
	size_t count = cluster_processes_end(r->named);
	if (count)
		removed(r, "ended what had outlived its supervisor: %zu process%s", count,
			count == 1 ? "" : "es");
	return RC_OK;
}

/* ---- containers ---- */

static enum rc reset_containers(struct reset *r, const char *node, struct err *err)
{
	struct reset_node_count count;
	const char *folder = cluster_path(r->arena, r->data, "nodes");
	enum rc rc = reset_node(cluster_path(r->arena, folder, node), node, r->images, &count, err);
	if (count.containers || count.pods)
		removed(r, "removed %zu containers of %zu pods on %s", count.containers, count.pods,
			node);
	return rc;
}

/* Calls fn for each real node; goes on after an error and returns the first. */
static enum rc each_node(struct reset *r,
			 enum rc (*fn)(struct reset *r, const char *node, struct err *err),
			 struct err *err)
{
	enum rc rc = RC_OK;
	const char **names;
	size_t count = 0;
	if (dir_list(cluster_path(r->arena, r->data, "nodes"), r->arena, &names, &count, NULL) !=
	    RC_OK)
		return RC_OK;
	for (size_t i = 0; i < count; i++) {
		struct err one;
		if (names[i][0] == '.' || fn(r, names[i], &one) == RC_OK || rc != RC_OK)
			continue;
		rc = one.rc;
		*err = one;
	}
	return rc;
}

static enum rc remove_containers(struct reset *r, struct err *err)
{
	if (!r->has_folder || !r->has_nodes)
		return RC_OK;
	TRY(image_store_open(cluster_path(r->arena, r->data, "images"), &r->images, err));
	enum rc rc = each_node(r, reset_containers, err);
	image_store_free(r->images);
	return rc;
}

/* ---- what the kernel keeps ---- */

/* Once our agents have ended: those of another cluster may use the same names. */
static enum rc look_for_neighbours(struct reset *r, struct err *err)
{
	if (!r->has_nodes || !cluster_agents_run())
		return RC_OK;
	r->has_neighbours = true;
	progress_warn("nodes of another cluster run here: the machine's network is left to them");
	return RC_OK;
}

static enum rc remove_cgroup(struct reset *r, const char *path, struct err *err)
{
	struct cgroups groups;
	bool is_there = false;
	if (cgroups_find(&groups, NULL) != RC_OK)
		return RC_OK;
	for (size_t i = 0; i < groups.count; i++)
		is_there |= file_exists(cluster_path(r->arena, groups.trees[i].mount, path));
	if (!is_there)
		return RC_OK;
	TRY(cgroup_remove(&groups, path, err));
	cgroup_remove_empty(&groups, path);
	removed(r, "removed the control group %s", path);
	return RC_OK;
}

static enum rc remove_node_cgroup(struct reset *r, const char *node, struct err *err)
{
	char path[CLUSTER_CGROUP_MAX];
	cluster_node_cgroup(node, path);
	return remove_cgroup(r, path, err);
}

/* What agents of the past left behind, also of clusters of other names; of nobody that runs. */
static void sweep_cgroups(struct reset *r)
{
	struct cgroups groups;
	if (geteuid() == 0 && !cluster_agents_run() && cgroups_find(&groups, NULL) == RC_OK)
		cgroup_sweep(&groups, CLUSTER_CGROUP_ROOT);
}

static enum rc remove_cgroups(struct reset *r, struct err *err)
{
	enum rc rc = RC_OK;
	if (r->has_nodes && !r->has_neighbours)
		rc = r->has_folder ? each_node(r, remove_node_cgroup, err)
				   : remove_cgroup(r, CLUSTER_CGROUP, err);
	sweep_cgroups(r);
	return rc;
}

static enum rc remove_network(struct reset *r, struct err *err)
{
	struct machine_network net;
	if (!r->has_nodes || r->has_neighbours)
		return RC_OK;
	bool is_there = machine_network_find(STR(CLUSTER_NAME), &net, NULL) == RC_OK;
	TRY(machine_network_down(STR(CLUSTER_NAME), err));
	if (is_there)
		removed(r, "removed the link %s, its rules and the nodes' network namespaces",
			net.link);
	return RC_OK;
}

static enum rc remove_own_routes(struct reset *r, struct netlink *links, size_t *ret_count,
				 struct err *err)
{
	struct netlink_route *routes;
	TRY(netlink_routes(links, r->arena, NETLINK_ROUTE_PROTOCOL, &routes, ret_count, err));
	for (size_t i = 0; i < *ret_count; i++)
		TRY(netlink_remove_route(links, &routes[i], err));
	return RC_OK;
}

/* A node that is the machine itself has its rules, addresses and routes in the machine's network.
 */
static enum rc remove_host_network(struct reset *r, const char *node, struct err *err)
{
	struct str text;
	struct ipaddr dns;
	size_t routes = 0;
	const char *folder = cluster_path(r->arena, cluster_path(r->arena, r->data, "nodes"), node);
	enum rc rc = file_read(cluster_path(r->arena, folder, CLUSTER_HOST_NETWORK),
			       IPADDR_TEXT_MAX, r->arena, &text, err);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	TRY(rc);
	CLEANUP(netlink_close_p) struct netlink *links = NULL;
	TRY(netlink_open(&links, err));
	if (ipaddr_parse(str_trim(text), &dns))
		TRY(netlink_remove_addr(links, "lo", ipnet_of(dns), err));
	TRY(remove_own_routes(r, links, &routes, err));
	struct nft *nft = nft_program_new(-1);
	rc = service_proxy_remove_table(nft, err);
	nft->ops->free(nft);
	TRY(rc);
	removed(r, "removed the packet rules, the DNS address and %zu routes of node %s", routes,
		node);
	return RC_OK;
}

static enum rc remove_host_networks(struct reset *r, struct err *err)
{
	if (!r->has_folder || !r->has_nodes || r->has_neighbours)
		return RC_OK;
	return each_node(r, remove_host_network, err);
}

static enum rc remove_mounts(struct reset *r, struct err *err)
{
	size_t count = 0;
	enum rc rc = r->has_folder ? mounts_remove(r->data, &count, err) : RC_OK;
	if (count)
		removed(r, "unmounted %zu file systems below %s", count, r->data);
	return rc;
}

/* ---- files ---- */

/* Only the context that leads to this very cluster: another one may have the name by now. */
static enum rc remove_context(struct reset *r, struct err *err)
{
	struct kubeconfig_target ours, theirs;
	const char *admin = cluster_path(r->arena, r->data, "server/admin.kubeconfig");
	if (kubeconfig_load(r->arena, admin, NULL, &ours, NULL) != RC_OK ||
	    kubeconfig_load(r->arena, r->kubeconfig, KUBECONFIG_NAME, &theirs, NULL) != RC_OK ||
	    !str_eq(ours.ca_pem, theirs.ca_pem))
		return RC_OK;
	TRY(kubeconfig_remove(r->kubeconfig, KUBECONFIG_NAME, err));
	removed(r, "removed the context " KUBECONFIG_NAME " from %s", r->kubeconfig);
	return RC_OK;
}

static enum rc remove_folder(struct reset *r, struct err *err)
{
	if (!r->has_folder)
		return RC_OK;
	TRY(dir_remove(r->data, err));
	removed(r, "removed %s", r->data);
	return RC_OK;
}

/* Agents end before their containers, which they would start again. */
static enum rc (*const steps[])(struct reset *r, struct err *err) = {
	stop_cluster,	end_processes,	      remove_containers, look_for_neighbours,
	remove_network, remove_host_networks, remove_cgroups,	 remove_mounts,
	remove_context, remove_folder,
};

/* ---- the verb ---- */

static bool is_cluster_folder(const struct reset *r)
{
	return file_exists(cluster_path(r->arena, r->data, "supervisor.pid")) ||
	       file_exists(cluster_path(r->arena, r->data, "server"));
}

/* A default folder that is gone may still have left networks and control groups behind. */
static enum rc find(struct reset *r, const struct reset_options *o, struct err *err)
{
	const char *wanted = cluster_data(r->arena, o->data_dir);
	CLEANUP(free_p) char *real = realpath(wanted, NULL);
	r->named = wanted;
	r->data = arena_cstr(r->arena, str_of(real ? real : wanted));
	r->kubeconfig = o->kubeconfig ? o->kubeconfig : kubeconfig_default_path(r->arena);
	r->has_folder = real != NULL;
	r->has_nodes = r->has_folder ? file_exists(cluster_path(r->arena, r->data, "nodes"))
				     : !o->data_dir && geteuid() == 0 && !cluster_agents_run();
	if (!r->has_folder || is_cluster_folder(r))
		return RC_OK;
	return err_set(err, RC_CONFLICT,
		       "'%s' is not a folder of a cluster (it has neither 'server' nor "
		       "'supervisor.pid'), so nothing is removed; name the right one with "
		       "--data-dir",
		       r->data);
}

static enum rc confirm(const struct reset *r, const struct reset_options *o, struct err *err)
{
	char answer[16] = "";
	if (o->is_sure || !r->has_folder)
		return RC_OK;
	if (!isatty(STDIN_FILENO))
		return err_set(err, RC_BAD_REQUEST,
			       "this removes the cluster in '%s' with all its data; say --yes",
			       r->data);
	fprintf(stderr, "Remove the cluster in '%s' with all its data? [y/N] ", r->data);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return RC_OK;
	return err_set(err, RC_BAD_REQUEST, "nothing was removed");
}

static int run(struct command_line *line)
{
	struct err err;
	const struct reset_options *o = line->values;
	struct reset r = {.arena = &line->arena};
	if (find(&r, o, &err) != RC_OK)
		return command_failed(&err);
	if (confirm(&r, o, &err) != RC_OK) {
		command_failed(&err);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i](&r, &err) == RC_OK)
			continue;
		r.failed++;
		command_failed(&err);
	}
	if (r.failed)
		fprintf(stderr, "Not everything could be removed; run 'skeg reset' again once the "
				"reasons above are gone.\n");
	else if (!r.removed)
		progress_done("there was nothing to remove in %s", r.data);
	return r.failed ? EXIT_FAILED : EXIT_OK;
}

#define AT(member) offsetof(struct reset_options, member)
static const struct option options[] = {
	{"yes", 'y', OPTION_FLAG, AT(is_sure), NULL, "don't ask"},
	{"data-dir", 0, OPTION_TEXT, AT(data_dir), "DIR", "of the cluster (/var/lib/skeg)"},
	{"kubeconfig", 0, OPTION_TEXT, AT(kubeconfig), "FILE",
	 "file that loses the context 'skeg' ($KUBECONFIG, else ~/.kube/config)"},
};

const struct command command_reset = {
	.name = "reset",
	.summary = "Stop the cluster and remove all of it: pods, networks, data",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct reset_options),
	.run = run,
};
