/* skeg up: a whole cluster on this machine. */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/child.h"
#include "cli/cluster_files.h"
#include "cli/option_value.h"
#include "cli/supervisor.h"
#include "cli/verbs.h"
#include "client/kubeconfig.h"
#include "client/progress.h"
#include "io/file.h"
#include "node/runtime_programs.h"

struct up_options {
	struct cluster_options cluster;
	int64_t nodes, simulated_nodes;
	bool is_detached;
};

extern char **environ;

#define AT(member) offsetof(struct up_options, member)
static const struct option options[] = {
	{"nodes", 0, OPTION_NUMBER, AT(nodes), "N", "real nodes on this machine (1 for root)"},
	{"simulated-nodes", 0, OPTION_NUMBER, AT(simulated_nodes), "N",
	 "nodes without containers, named n1, n2, …", .most = SIMULATED_NODES_MOST},
	{"detach", 'd', OPTION_FLAG, AT(is_detached), NULL, "return once the cluster is ready"},
	{"memory", 0, OPTION_FLAG, AT(cluster.is_memory), NULL,
	 "keep the database in memory; nothing survives"},
	{"node-label", 0, OPTION_LIST, AT(cluster.node_labels), "K=V", "label of every node",
	 .is_good = value_is_label, .wants = LABEL_WANTED},
	{"kubeconfig", 0, OPTION_TEXT, AT(cluster.kubeconfig), "FILE",
	 "file that gets the context 'skeg' (~/.kube/config)"},
	CLUSTER_OPTIONS(struct up_options, cluster),
};

/* ---- what the machine must have ---- */

static enum rc check_machine(struct err *err)
{
	struct err missing;
	if (programs_check(&missing) == RC_OK)
		return RC_OK;
	return err_set(
		err, RC_UNAVAILABLE,
		"containers need programs of this machine: %s (or use --simulated-nodes N instead of --nodes N)",
		missing.text);
}

static enum rc check_options(struct up_options *o, struct arena *a, struct err *err)
{
	o->cluster.data_dir = cluster_data(a, o->cluster.data_dir);
	if (!o->cluster.kubeconfig)
		o->cluster.kubeconfig = kubeconfig_default_path(a);
	if (o->simulated_nodes && o->nodes < 0)
		o->nodes = 0;
	if (o->nodes < 0)
		o->nodes = geteuid() == 0 ? 1 : 0;
	if (o->nodes > NODES_MAX)
		return err_set(err, RC_INVALID,
			       "--nodes: %lld is more than %d on one machine; use "
			       "--simulated-nodes for larger clusters",
			       (long long)o->nodes, NODES_MAX);
	if (o->nodes && geteuid() != 0)
		return err_set(err, RC_FORBIDDEN,
			       "--nodes needs root, for containers and networks; run it with sudo "
			       "or use --simulated-nodes %lld",
			       (long long)o->nodes);
	TRY(api_options_check(&o->cluster.api, err));
	return o->nodes ? check_machine(err) : RC_OK;
}

/* ---- detached: the same command again, in a session of its own ---- */

static void supervisor_args(struct text_list *args, struct arena *a, struct up_options up)
{
	const struct option_set own = {options, ARRAY_LEN(options)};
	up.is_detached = false;
	up.cluster.notify_fd = CHILD_NOTIFY_FD;
	text_list_add(a, args, "/proc/self/exe");
	text_list_add(a, args, "up");
	option_set_args(a, &own, &up, args);
	option_set_args(a, &api_option_set, &up.cluster.api, args);
	text_list_add(a, args, NULL);
}

/* The supervisor's steps are in its log; the wanted ones are shown while we wait. */
static bool wait_ready(int ready_fd, pid_t pid)
{
	char text[16];
	ssize_t len = read(ready_fd, text, sizeof(text));
	return len > 0 && kill(pid, 0) == 0;
}

static int detached(const struct up_options *o, struct arena *a)
{
	struct text_list args = {};
	int pipe_fds[2];
	pid_t pid;
	struct err err;
	const char *log = cluster_path(a, o->cluster.data_dir, "skeg.log");
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	if (dir_make(o->cluster.data_dir, 0700, &err) != RC_OK)
		return command_failed(&err);
	supervisor_args(&args, a, *o);
	if (pipe(pipe_fds) < 0)
		return EXIT_FAILED;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], CHILD_NOTIFY_FD);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	int status =
		posix_spawn(&pid, args.at[0], &actions, &attributes, (char **)args.at, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(pipe_fds[1]);
	if (status != 0) {
		err_sys(&err, RC_IO, status, "start the supervisor");
		return command_failed(&err);
	}
	progress_step("starting; the log is %s", log);
	bool is_ready = wait_ready(pipe_fds[0], pid);
	close(pipe_fds[0]);
	if (is_ready) {
		progress_done("ready: kubectl get nodes");
		return EXIT_OK;
	}
	err_set(&err, RC_UNAVAILABLE, "the cluster did not start; its last words are in %s", log);
	waitpid(pid, NULL, WNOHANG);
	return command_failed(&err);
}

static int run(struct command_line *line)
{
	struct up_options *o = line->values;
	struct err err;
	if (check_options(o, &line->arena, &err) != RC_OK ||
	    cluster_check_idle(o->cluster.data_dir, &err) != RC_OK)
		return command_failed(&err);
	if (o->is_detached)
		return detached(o, &line->arena);
	const struct cluster_plan plan = {
		.options = &o->cluster,
		.nodes = o->nodes,
		.simulated_nodes = o->simulated_nodes,
		.kubeconfig = o->cluster.kubeconfig,
	};
	return supervise(&plan);
}

static const struct up_options defaults = {.cluster = CLUSTER_DEFAULTS, .nodes = -1};

const struct command command_up = {
	.name = "up",
	.summary = "Start a cluster on this machine",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.shared = &api_option_set,
	.shared_offset = offsetof(struct up_options, cluster.api),
	.values_size = sizeof(struct up_options),
	.defaults = &defaults,
	.run = run,
};
