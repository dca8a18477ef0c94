/* `skeg reset` on what a killed node agent left: a running container, its pod, its mounts and
 * control group.  In network and mount namespaces of its own, under a node name of its own, so that
 * clusters of this machine don't notice.  Needs root, runc and conmon; else skipped (exit 77). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cli/cluster_files.h"
#include "cli/verbs.h"
#include "image_build.h"
#include "node/cgroup.h"
#include "node/image_archive.h"
#include "node/runtime_oci.h"
#include "node/runtime_programs.h"

#define SKIPPED 77
#define IMAGE	"registry.example/guest:1"
#define POD_UID "0f4c5a0e-2222-4222-8333-444455556666"
#define WAIT_MS 60000

static char folder[64], node[32];
static struct err err;

#define MUST(call)                                                                                 \
	do {                                                                                       \
		if ((call) != RC_OK) {                                                             \
			fprintf(stderr, "%s: %s\n", #call, err.text);                              \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static const char *in_folder(struct arena *a, const char *name)
{
	return cluster_path(a, folder, name);
}

/* --- the agent that will be killed --- */

struct waited {
	struct runtime_call call;
	bool is_done;
};

static void waited_done(struct runtime_call *call)
{
	CONTAINER_OF(call, struct waited, call)->is_done = true;
}

static void await(struct loop *loop, struct waited *waited)
{
	while (!waited->is_done)
		loop_run_once(loop, 100);
	err = waited->call.err;
	waited->is_done = false;
	MUST(waited->call.rc);
}

static struct str load_image(struct arena *a, struct image_store *images)
{
	struct str *names;
	size_t count;
	struct runtime_image_info info;
	MUST(image_build(folder, TEST_SOURCE "/guest.c", IMAGE, 0, &err));
	CLEANUP(close_fd_p) int fd = open(in_folder(a, "image.tar"), O_RDONLY | O_CLOEXEC);
	MUST(image_archive_load(images, fd, (struct str){}, a, &names, &count, &err));
	MUST(image_store_find(images, names[0], a, &info, &err));
	return info.id;
}

static struct runtime *open_runtime(struct arena *a, struct loop *loop, struct image_store *images)
{
	static struct runtime_listener listener;
	const struct registry_config *registries;
	struct runtime *runtime;
	char cgroup[CLUSTER_CGROUP_MAX];
	const char *nodes = in_folder(a, "nodes");
	const char *dir = cluster_path(a, cluster_path(a, nodes, node), CLUSTER_RUNTIME_FOLDER);
	cluster_node_cgroup(node, cgroup);
	MUST(registry_config_parse(a, NULL, &registries, &err));
	MUST(dir_make(dir, 0700, &err));
	const struct runtime_oci_config config = {.dir = dir,
						  .cgroup = cgroup,
						  .images = images,
						  .registries = registries,
						  .pull_netns_fd = -1};
	MUST(runtime_oci_new(loop, &config, &listener, &runtime, &err));
	return runtime;
}

static void start_pod(struct arena *a, struct loop *loop, struct runtime *runtime,
		      struct str image_id)
{
	struct runtime_sandbox sandbox;
	char id[RUNTIME_ID_MAX];
	int64_t started_us;
	struct waited w = {.call = {.done = waited_done}};
	const struct runtime_sandbox_config pod = {.pod_uid = STR(POD_UID),
						   .pod_namespace = STR("default"),
						   .pod_name = STR("web"),
						   .hostname = STR("web")};
	const struct runtime_container_config container = {
		.pod_uid = STR(POD_UID),
		.pod_namespace = STR("default"),
		.pod_name = STR("web"),
		.name = STR("main"),
		.image_id = image_id,
		.security = {.run_as_user = RUNTIME_ID_UNSET, .run_as_group = RUNTIME_ID_UNSET},
		.log_path = str_of(in_folder(a, "log")),
	};
	runtime->ops->sandbox_create(runtime, &pod, &sandbox, &w.call);
	await(loop, &w);
	runtime->ops->create(runtime, &container, id, &w.call);
	await(loop, &w);
	runtime->ops->start(runtime, str_of(id), &started_us, &w.call);
	await(loop, &w);
}

[[gnu::noreturn]] static void agent(int ready_fd)
{
	CLEANUP_ARENA a = {};
	struct image_store *images;
	struct loop *loop = loop_new();
	MUST(image_store_open(in_folder(&a, "images"), &images, &err));
	struct str image_id = load_image(&a, images);
	start_pod(&a, loop, open_runtime(&a, loop, images), image_id);
	if (write(ready_fd, "r", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void leave_a_pod_behind(void)
{
	int fds[2];
	char ready;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0)
		agent(fds[1]);
	close(fds[1]);
	bool is_ready = read(fds[0], &ready, 1) == 1;
	close(fds[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(is_ready);
}

/* --- what is on the machine --- */

static bool mounts_mention(const char *words)
{
	CLEANUP_ARENA a = {};
	struct str text;
	MUST(file_read("/proc/self/mountinfo", 4u << 20, &a, &text, &err));
	return memmem(text.at, text.len, words, strlen(words)) != NULL;
}

static bool processes_mention(const char *words)
{
	DIR *dir = opendir("/proc");
	bool found = false;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		CLEANUP_ARENA a = {};
		char path[300];
		struct str text;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", d->d_name);
		if (d->d_name[0] >= '0' && d->d_name[0] <= '9' && atoi(d->d_name) != getpid() &&
		    file_read(path, 1u << 20, &a, &text, NULL) == RC_OK)
			found |= memmem(text.at, text.len, words, strlen(words)) != NULL;
	}
	closedir(dir);
	return found;
}

static bool has_cgroup(void)
{
	CLEANUP_ARENA a = {};
	struct cgroups groups;
	char path[CLUSTER_CGROUP_MAX];
	bool is_there = false;
	cluster_node_cgroup(node, path);
	MUST(cgroups_find(&groups, &err));
	for (size_t i = 0; i < groups.count; i++)
		is_there |= file_exists(cluster_path(&a, groups.trees[i].mount, path));
	return is_there;
}

static bool until_no_process(const char *words)
{
	for (int64_t due_ms = world_mono_ms() + WAIT_MS; world_mono_ms() < due_ms; usleep(20000))
		if (!processes_mention(words))
			return true;
	return false;
}

/* --- tests --- */

static int run_reset(void)
{
	char data[96], kubeconfig[96], yes[] = "--yes";
	char *argv[] = {yes, data, kubeconfig};
	CLEANUP(free_p) void *values = mem_alloc(command_reset.values_size);
	struct command_line line = {.command = &command_reset, .values = values};
	snprintf(data, sizeof(data), "--data-dir=%s", folder);
	snprintf(kubeconfig, sizeof(kubeconfig), "--kubeconfig=%s.kubeconfig", folder);
	MUST(command_parse(&line, ARRAY_LEN(argv), argv, &err));
	int code = command_reset.run(&line);
	arena_done(&line.arena);
	return code;
}

static void a_folder_of_others_is_refused(void **state)
{
	assert_int_equal(run_reset(), EXIT_FAILED);
	assert_true(file_exists(folder));
}

static void nothing_is_left(void **state)
{
	CLEANUP_ARENA a = {};
	MUST(dir_make(in_folder(&a, "server"), 0700, &err));
	leave_a_pod_behind();
	assert_true(mounts_mention(folder));
	assert_true(processes_mention(folder));
	assert_true(has_cgroup());
	assert_int_equal(run_reset(), EXIT_OK);
	assert_false(mounts_mention(folder));
	assert_true(until_no_process(folder));
	assert_false(has_cgroup());
	assert_false(file_exists(folder));
}

static void a_second_time_finds_nothing(void **state)
{
	assert_int_equal(run_reset(), EXIT_OK);
}

/* Mounts and networks that only this process and its children see. */
static bool enter_namespaces(void)
{
	return unshare(CLONE_NEWNS | CLONE_NEWNET) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       (access("/run/netns", F_OK) < 0 ||
		mount("none", "/run/netns", "tmpfs", 0, "mode=0755") == 0);
}

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/skeg-reset-XXXXXX");
	snprintf(node, sizeof(node), "skreset%d", getpid());
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	return dir_remove(folder, &err) == RC_OK ? 0 : -1;
}

int main(void)
{
	char path[PROGRAM_PATH_MAX];
	if (geteuid() != 0 || !enter_namespaces()) {
		fprintf(stderr, "skipped: containers need root\n");
		return SKIPPED;
	}
	if (program_find("runc", path, &err) != RC_OK ||
	    program_find("conmon", path, &err) != RC_OK) {
		fprintf(stderr, "skipped: %s\n", err.text);
		return SKIPPED;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_folder_of_others_is_refused),
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(a_second_time_finds_nothing),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
