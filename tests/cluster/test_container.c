/* Real containers by runc under conmon: from an OCI archive made here to the last exit code, with a
 * second process that adopts what a killed one left.  Needs root, runc, conmon and control groups;
 * else it is skipped (exit 77). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "image_build.h"
#include "node/image_archive.h"
#include "node/runtime_oci.h"
#include "node/runtime_programs.h"

#define SKIPPED	   77
#define IMAGE	   "registry.example/guest:1"
#define MANY	   "registry.example/many:1"
#define POD_UID	   "0f4c5a0e-1111-4222-8333-444455556666"
#define CGROUP	   "skegtest/one/n1"
#define WAIT_MS	   60000
#define SECOND_OWN "as-first-process"

static struct world {
	char folder[64], log[128];
	struct arena arena;
	struct image_store *images;
	const struct registry_config *registries;
	struct loop *loop;
	struct runtime *runtime;
	struct runtime_listener listener;
	struct runtime_container_status exit; /* the last one told; strings are not kept */
	int exits;
	struct str image_id;
} w;

static struct err err;

#define MUST(call)                                                                                 \
	do {                                                                                       \
		if ((call) != RC_OK) {                                                             \
			fprintf(stderr, "%s: %s\n", #call, err.text);                              \
			fail();                                                                    \
		}                                                                                  \
	} while (0)

/* --- calls to their end --- */

struct waited {
	struct runtime_call call;
	bool is_done;
};

static void waited_done(struct runtime_call *call)
{
	CONTAINER_OF(call, struct waited, call)->is_done = true;
}

static enum rc await(struct waited *waited)
{
	int64_t due_ms = world_mono_ms() + WAIT_MS;
	while (!waited->is_done) {
		assert_true(world_mono_ms() < due_ms);
		loop_run_once(w.loop, 100);
	}
	err = waited->call.err;
	waited->is_done = false;
	return waited->call.rc;
}

static void until_exits(int count)
{
	int64_t due_ms = world_mono_ms() + WAIT_MS;
	while (w.exits < count) {
		assert_true(world_mono_ms() < due_ms);
		loop_run_once(w.loop, 100);
	}
}

#define WAITED(name) struct waited name = {.call = {.done = waited_done}}
#define OPS	     (w.runtime->ops)

static void exited_on(struct runtime_listener *listener,
		      const struct runtime_container_status *status)
{
	w.exit = *status;
	w.exits++;
}

static void runtime_start(void)
{
	struct runtime_oci_config config = {
		.dir = arena_printf(&w.arena, "%s/node", w.folder).at,
		.cgroup = CGROUP,
		.program = getenv("TEST_RUNTIME"), /* NULL: the default */
		.images = w.images,
		.registries = w.registries,
		.pull_netns_fd = -1,
	};
	w.listener.exited = exited_on;
	w.exits = 0;
	MUST(runtime_oci_new(w.loop, &config, &w.listener, &w.runtime, &err));
}

static void runtime_stop(void)
{
	OPS->free(w.runtime);
	w.runtime = NULL;
}

static void images_open(void)
{
	MUST(image_store_open(arena_printf(&w.arena, "%s/images", w.folder).at, &w.images, &err));
	MUST(registry_config_parse(&w.arena, NULL, &w.registries, &err));
}

static struct runtime_container_config config_of(const char *name, const struct str *args,
						 size_t arg_count)
{
	return (struct runtime_container_config){
		.pod_uid = STR(POD_UID),
		.pod_namespace = STR("default"),
		.pod_name = STR("web"),
		.name = str_of(name),
		.image_id = w.image_id,
		.args = args,
		.arg_count = arg_count,
		.security = {.run_as_user = RUNTIME_ID_UNSET, .run_as_group = RUNTIME_ID_UNSET},
		.resources = {.cpu_request_milli = 100, .memory_limit_bytes = 64 << 20},
		.log_path = str_of(w.log),
	};
}

static void container_run(const struct runtime_container_config *config, char id[RUNTIME_ID_MAX])
{
	int64_t started_us = 0;
	WAITED(call);
	OPS->create(w.runtime, config, id, &call.call);
	MUST(await(&call));
	OPS->start(w.runtime, str_of(id), &started_us, &call.call);
	MUST(await(&call));
	assert_true(started_us > 0);
}

static void container_remove(const char *id)
{
	WAITED(call);
	OPS->remove(w.runtime, str_of(id), &call.call);
	MUST(await(&call));
}

static bool log_has(const char *words);

/* After it has said hello, so that its handler of signals is there. */
static void container_run_server(const struct runtime_container_config *config,
				 char id[RUNTIME_ID_MAX])
{
	unlink(w.log);
	container_run(config, id);
	for (int i = 0; i < 500 && !log_has("a warning"); i++)
		poll(NULL, 0, 20);
}

static void container_kill(const char *id, int signal)
{
	WAITED(call);
	OPS->kill(w.runtime, str_of(id), signal, &call.call);
	MUST(await(&call));
}

static struct str log_text(void)
{
	struct str text = STR("");
	if (file_read(w.log, 1u << 20, &w.arena, &text, &err) != RC_OK)
		return STR("");
	return text;
}

static bool log_has(const char *words)
{
	struct str text = log_text();
	return memmem(text.at, text.len, words, strlen(words)) != NULL;
}

/* One command inside; gives its exit code, its output in out. */
static int inside(const char *id, const char *words, struct str *out)
{
	struct str argv[8];
	size_t argc = 0;
	struct str rest = str_of(words);
	static struct runtime_exec_result result;
	WAITED(call);
	while (rest.len > 0)
		str_cut(rest, ' ', &argv[argc++], &rest);
	OPS->exec_sync(w.runtime, str_of(id), argv, argc, 20000, &result, &call.call);
	MUST(await(&call));
	assert_false(result.is_timed_out);
	*out = arena_str(&w.arena, str_n(result.output, result.output_len));
	return result.exit_code;
}

#define assert_has(text, words)                                                                    \
	do {                                                                                       \
		if (!memmem((text).at, (text).len, words, strlen(words)))                          \
			fail_msg("'%.*s' lacks '%s'", STR_FMT(text), words);                       \
	} while (0)

/* --- tests, in their order --- */

static struct str image_load(void)
{
	char path[128];
	struct str *names;
	size_t count;
	snprintf(path, sizeof(path), "%s/image.tar", w.folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	MUST(image_archive_load(w.images, fd, (struct str){}, &w.arena, &names, &count, &err));
	close(fd);
	assert_int_equal(count, 1);
	return names[0];
}

static void test_load(void **state)
{
	struct runtime_image_info info;
	WAITED(call);
	assert_true(str_is(image_load(), IMAGE));
	OPS->image_status(w.runtime, STR(IMAGE), &w.arena, &info, &call.call);
	MUST(await(&call));
	assert_true(str_is(info.user_name, "web"));
	assert_int_equal(info.user_id, RUNTIME_ID_UNSET);
	w.image_id = info.id;
	OPS->image_status(w.runtime, STR("nothing"), &w.arena, &info, &call.call);
	assert_int_equal(await(&call), RC_NOT_FOUND);
}

static void test_sandbox(void **state)
{
	struct runtime_sandbox sandbox;
	struct statfs fs;
	const struct runtime_name_value sysctls[] = {
		{STR_INIT("kernel.shm_rmid_forced"), STR_INIT("1")}};
	struct runtime_sandbox_config config = {
		.pod_uid = STR(POD_UID),
		.hostname = STR("web-0"),
		.sysctls = sysctls,
		.sysctl_count = 1,
		.resources = {.cpu_request_milli = 100, .memory_limit_bytes = 128 << 20},
	};
	WAITED(call);
	OPS->sandbox_create(w.runtime, &config, &sandbox, &call.call);
	MUST(await(&call));
	assert_false(sandbox.was_there);
	assert_int_equal(statfs(sandbox.netns_path, &fs), 0);
	assert_int_equal(fs.f_type, 0x6e736673);
	OPS->sandbox_create(w.runtime, &config, &sandbox, &call.call);
	MUST(await(&call));
	assert_true(sandbox.was_there);
	config.pod_uid = STR("../evil");
	OPS->sandbox_create(w.runtime, &config, &sandbox, &call.call);
	assert_int_equal(await(&call), RC_INVALID);
	const struct runtime_name_value bad[] = {
		{STR_INIT("kernel.core_pattern"), STR_INIT("|/x")}};
	config.pod_uid = STR("other");
	config.sysctls = bad;
	OPS->sandbox_create(w.runtime, &config, &sandbox, &call.call);
	assert_int_equal(await(&call), RC_INVALID);
	OPS->sandbox_remove(w.runtime, STR("other"), &call.call);
	MUST(await(&call));
}

static void test_life(void **state)
{
	char id[RUNTIME_ID_MAX];
	struct str out;
	const int64_t groups[] = {7777};
	const struct str drop[] = {STR_INIT("ALL")};
	const struct runtime_name_value env[] = {{STR_INIT("GREETING"), STR_INIT("good day")}};
	struct runtime_container_config config = config_of("app", NULL, 0);
	struct runtime_stats stats;
	WAITED(call);
	config.security.supplemental_groups = groups;
	config.security.supplemental_group_count = 1;
	config.security.capabilities_drop = drop;
	config.security.capability_drop_count = 1;
	config.security.has_no_new_privs = true;
	config.security.is_root_read_only = true;
	config.env = env;
	config.env_count = 1;
	config.oom_score_adj = -998;
	container_run_server(&config, id);
	assert_true(log_has(" stdout F hello from 1\n"));
	assert_true(log_has(" stderr F a warning\n"));
	assert_int_equal(inside(id, "/bin/guest id", &out), 0);
	assert_has(out, "uid=1234 gid=2345 groups=2345,3456,7777");
	assert_has(out, "CapEff:\t0000000000000000");
	assert_has(out, "NoNewPrivs:\t1");
	assert_has(out, "Seccomp:\t2");
	assert_int_equal(inside(id, "/bin/guest env GREETING", &out), 0);
	assert_has(out, "good day");
	assert_int_equal(inside(id, "/bin/guest env FROM_IMAGE", &out), 0);
	assert_has(out, "yes");
	assert_int_equal(inside(id, "/bin/guest name", &out), 0);
	assert_has(out, "web-0");
	assert_int_equal(inside(id, "/bin/guest touch /tmp/file", &out), 1);
	assert_has(out, "refused");
	assert_int_equal(inside(id, "/bin/guest exit 42", &out), 42);
	OPS->stats(w.runtime, str_of(id), &stats, &call.call);
	MUST(await(&call));
	assert_true(stats.memory_usage_bytes > 0 && stats.cpu_usage_ns > 0);
	int before = w.exits;
	container_kill(id, SIGTERM);
	until_exits(before + 1);
	assert_int_equal(w.exit.exit_code, 7);
	assert_false(w.exit.is_oom_killed);
	assert_true(w.exit.finished_us >= w.exit.started_us);
	container_remove(id);
	container_remove(id);
}

static void test_failures(void **state)
{
	char id[RUNTIME_ID_MAX];
	const struct str missing[] = {STR_INIT("/bin/missing")};
	struct runtime_container_config config = config_of("bad", NULL, 0);
	static struct runtime_exec_result result;
	const struct str sleep_argv[] = {STR_INIT("/bin/guest"), STR_INIT("sleep"), STR_INIT("60")};
	WAITED(call);
	config.command = missing;
	config.command_count = 1;
	OPS->create(w.runtime, &config, id, &call.call);
	assert_int_equal(await(&call), RC_INVALID);
	assert_has(str_of(err.text), "OCI runtime create failed");
	assert_has(str_of(err.text), "/bin/missing");
	config = config_of("bad", NULL, 0);
	config.image_id =
		STR("sha256:0000000000000000000000000000000000000000000000000000000000000000");
	OPS->create(w.runtime, &config, id, &call.call);
	assert_int_equal(await(&call), RC_NOT_FOUND);
	config = config_of("slow", NULL, 0);
	container_run(&config, id);
	OPS->exec_sync(w.runtime, str_of(id), missing, 1, 10000, &result, &call.call);
	assert_int_equal(await(&call), RC_INVALID);
	assert_has(str_of(err.text), "OCI runtime exec failed");
	OPS->exec_sync(w.runtime, str_of(id), sleep_argv, 3, 300, &result, &call.call);
	MUST(await(&call));
	assert_true(result.is_timed_out);
	container_remove(id);
}

static void test_memory(void **state)
{
	char id[RUNTIME_ID_MAX];
	const struct str args[] = {STR_INIT("eat")};
	struct runtime_container_config config = config_of("eater", args, 1);
	int before = w.exits;
	container_run(&config, id);
	until_exits(before + 1);
	assert_int_equal(w.exit.exit_code, 137);
	assert_true(w.exit.is_oom_killed);
	container_remove(id);
}

/* More layers than a page of mount options holds. */
static void test_many_layers(void **state)
{
	char id[RUNTIME_ID_MAX];
	struct str out;
	struct runtime_image_info info;
	struct runtime_container_config config = config_of("many", NULL, 0);
	WAITED(call);
	MUST(image_build(w.folder, TEST_SOURCE "/guest.c", MANY, 90, &err));
	assert_true(str_is(image_load(), MANY));
	OPS->image_status(w.runtime, STR(MANY), &w.arena, &info, &call.call);
	MUST(await(&call));
	config.image_id = info.id;
	container_run(&config, id);
	assert_int_equal(inside(id, "/bin/guest show /number", &out), 3);
	assert_true(str_is(out, "90\n"));
	container_remove(id);
	OPS->image_remove(w.runtime, STR(MANY), &call.call);
	MUST(await(&call));
}

/* --- streams --- */

static bool stream_ended;

static void stream_exited(struct runtime_exec *exec)
{
	stream_ended = true;
}

static struct str stream_read(struct runtime_exec *exec)
{
	static char out[4096];
	size_t len = 0;
	int64_t due_ms = world_mono_ms() + WAIT_MS;
	for (bool is_last = false; !is_last;) {
		is_last = stream_ended;
		assert_true(world_mono_ms() < due_ms);
		loop_run_once(w.loop, 50);
		ssize_t got;
		while ((got = read(exec->stdout_fd, out + len, sizeof(out) - len)) > 0)
			len += (size_t)got;
	}
	return str_n(out, len);
}

static struct runtime_exec *stream_open(const char *id, const char *verb, bool is_tty)
{
	const struct str argv[] = {STR("/bin/guest"), str_of(verb)};
	struct runtime_exec_config config = {
		.container_id = str_of(id),
		.argv = argv,
		.argc = 2,
		.is_tty = is_tty,
		.has_stdin = true,
		.has_stdout = true,
		.has_stderr = true,
	};
	struct runtime_exec *exec = NULL;
	WAITED(call);
	OPS->exec(w.runtime, &config, &exec, &call.call);
	MUST(await(&call));
	exec->exited = stream_exited;
	stream_ended = false;
	return exec;
}

static void test_streams(void **state)
{
	char id[RUNTIME_ID_MAX];
	struct runtime_container_config config = config_of("streams", NULL, 0);
	container_run(&config, id);
	struct runtime_exec *exec = stream_open(id, "copy", false);
	assert_int_equal(write(exec->stdin_fd, "through", 7), 7);
	close(exec->stdin_fd);
	struct str out = stream_read(exec);
	assert_true(str_is(out, "through"));
	assert_int_equal(exec->exit_code, 3);
	close(exec->stdout_fd);
	close(exec->stderr_fd);
	OPS->exec_free(exec);
	exec = stream_open(id, "tty", true);
	OPS->exec_resize(exec, 120, 40);
	out = stream_read(exec);
	assert_has(out, "terminal\r\n");
	assert_int_equal(exec->exit_code, 0);
	close(exec->stdout_fd);
	OPS->exec_free(exec);
	exec = stream_open(id, "serve", false);
	close(exec->stdin_fd);
	close(exec->stdout_fd);
	close(exec->stderr_fd);
	OPS->exec_free(exec); /* still running: killed */
	container_remove(id);
}

static void test_attach_and_logs(void **state)
{
	char id[RUNTIME_ID_MAX], packet[256];
	const struct str args[] = {STR_INIT("copy")};
	struct runtime_container_config config = config_of("stdin", args, 1);
	int fd = -1;
	config.has_stdin = true;
	config.is_stdin_once = true;
	WAITED(call);
	container_run(&config, id);
	OPS->attach(w.runtime, str_of(id), &fd, &call.call);
	MUST(await(&call));
	OPS->log_rotate(w.runtime, str_of(id), 1, 3, &call.call);
	MUST(await(&call));
	for (int i = 0; i < 100 && access(w.log, F_OK) < 0; i++)
		poll(NULL, 0, 20);
	int before = w.exits;
	assert_int_equal(write(fd, "ping\n", 5), 5);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, WAIT_MS), 1);
	ssize_t got = read(fd, packet, sizeof(packet));
	assert_int_equal(got, 6);
	assert_memory_equal(packet, "\002ping\n", 6);
	close(fd);
	until_exits(before + 1);
	assert_int_equal(w.exit.exit_code, 3);
	struct str text = log_text();
	assert_has(text, "stdout F ping");
	assert_null(memmem(text.at, text.len, "hello", 5)); /* that is in the old file */
	container_remove(id);
}

/* --- the host's namespaces, all rights, a terminal --- */

static void test_host(void **state)
{
	char id[RUNTIME_ID_MAX], own[64], path[256];
	struct str out, uid = STR("host-pod");
	struct runtime_sandbox sandbox;
	struct runtime_sandbox_config sandbox_config = {
		.pod_uid = uid,
		.is_host_network = true,
		.is_host_ipc = true,
		.is_host_pid = true,
	};
	const struct runtime_mount mounts[] = {
		{str_of(w.folder), STR_INIT("/host"), true, RUNTIME_PROPAGATION_HOST_TO_CONTAINER}};
	struct runtime_container_config config = config_of("host", NULL, 0);
	WAITED(call);
	OPS->sandbox_create(w.runtime, &sandbox_config, &sandbox, &call.call);
	MUST(await(&call));
	assert_string_equal(sandbox.netns_path, "");
	config.pod_uid = uid;
	config.is_host_pid = true;
	config.is_tty = true;
	config.security.is_privileged = true;
	config.security.run_as_user = 0;
	config.mounts = mounts;
	config.mount_count = 1;
	container_run_server(&config, id);
	assert_false(log_has("hello from 1\r")); /* not the first process of a namespace */
	assert_int_equal(inside(id, "/bin/guest id", &out), 0);
	assert_has(out, "uid=0 gid=0");
	assert_has(out, "Seccomp:\t0");
	assert_int_equal(inside(id, "/bin/guest touch /host/file", &out), 1);
	gethostname(own, sizeof(own));
	assert_int_equal(inside(id, "/bin/guest name", &out), 0);
	assert_has(out, own);
	int before = w.exits;
	container_kill(id, SIGKILL);
	until_exits(before + 1);
	assert_int_equal(w.exit.exit_code, 137);
	assert_false(w.exit.is_oom_killed);
	container_remove(id);
	OPS->sandbox_remove(w.runtime, uid, &call.call);
	MUST(await(&call));
	snprintf(path, sizeof(path), "%s/node/sandboxes/host-pod", w.folder);
	assert_false(file_exists(path));
}

/* --- adoption --- */

/* As another process: starts two containers, names them, waits to be killed. */
[[gnu::noreturn]] static void first_process(const char *folder)
{
	char ids[2][RUNTIME_ID_MAX];
	struct runtime_image_info info;
	snprintf(w.folder, sizeof(w.folder), "%s", folder);
	snprintf(w.log, sizeof(w.log), "%s/log", folder);
	w.loop = loop_new();
	images_open();
	runtime_start();
	MUST(image_store_find(w.images, STR(IMAGE), &w.arena, &info, &err));
	w.image_id = info.id;
	for (int i = 0; i < 2; i++) {
		struct runtime_container_config config = config_of(i ? "two" : "one", NULL, 0);
		container_run_server(&config, ids[i]);
	}
	printf("%s %s\n", ids[0], ids[1]);
	fflush(stdout);
	for (;;)
		pause();
}

static pid_t first_process_start(char ids[2][RUNTIME_ID_MAX])
{
	int fds[2];
	char line[256] = "";
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(fds[1], STDOUT_FILENO);
		execl("/proc/self/exe", "test", SECOND_OWN, w.folder, NULL);
		_exit(127);
	}
	close(fds[1]);
	FILE *out = fdopen(fds[0], "r");
	assert_non_null(fgets(line, sizeof(line), out));
	fclose(out);
	assert_int_equal(sscanf(line, "%64s %64s", ids[0], ids[1]), 2);
	return pid;
}

static const struct runtime_container_status *listed(const struct runtime_container_list *list,
						     const char *id)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->items[i].id, id))
			return &list->items[i];
	}
	fail_msg("%s is not listed", id);
	return NULL;
}

static void container_signal_from_outside(const char *id)
{
	char path[256];
	struct str text;
	int64_t pid;
	snprintf(path, sizeof(path), "%s/node/containers/%s/pid", w.folder, id);
	MUST(file_read(path, 64, &w.arena, &text, &err));
	assert_true(str_to_i64(str_trim(text), &pid));
	snprintf(path, sizeof(path), "%s/node/containers/%s/exit", w.folder, id);
	/* The first process of a namespace ignores what it has no handler for, as at its very
	 * start. */
	for (int i = 0; i < 500 && access(path, F_OK) < 0; i++) {
		kill((pid_t)pid, SIGTERM);
		poll(NULL, 0, 20);
	}
}

static void test_adoption(void **state)
{
	char ids[2][RUNTIME_ID_MAX];
	struct runtime_container_list list;
	struct str out;
	WAITED(call);
	runtime_stop();
	pid_t pid = first_process_start(ids);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	container_signal_from_outside(ids[1]); /* while nobody looks */
	runtime_start();
	OPS->list(w.runtime, &w.arena, &list, &call.call);
	MUST(await(&call));
	assert_int_equal(list.count, 2);
	const struct runtime_container_status *one = listed(&list, ids[0]);
	const struct runtime_container_status *two = listed(&list, ids[1]);
	assert_int_equal(one->state, RUNTIME_RUNNING);
	assert_true(str_is(one->name, "one") && str_is(one->pod_uid, POD_UID));
	assert_int_equal(two->state, RUNTIME_EXITED);
	assert_int_equal(two->exit_code, 7);
	assert_int_equal(inside(ids[0], "/bin/guest exit 5", &out), 5);
	container_kill(ids[0], SIGTERM);
	until_exits(1);
	assert_int_equal(w.exit.exit_code, 7);
	container_remove(ids[0]);
	container_remove(ids[1]);
}

/* A monitor that is killed: its container must not run on unseen. */
static void test_lost_monitor(void **state)
{
	char id[RUNTIME_ID_MAX], path[256];
	struct str text;
	int64_t pid;
	struct runtime_container_config config = config_of("lost", NULL, 0);
	container_run(&config, id);
	snprintf(path, sizeof(path), "%s/node/containers/%s/conmon.pid", w.folder, id);
	MUST(file_read(path, 64, &w.arena, &text, &err));
	assert_true(str_to_i64(str_trim(text), &pid));
	int before = w.exits;
	kill((pid_t)pid, SIGKILL);
	until_exits(before + 1);
	assert_true(w.exit.is_lost);
	assert_int_equal(w.exit.exit_code, 137);
	container_remove(id);
}

/* --- nothing is left --- */

static bool mounts_mention(const char *words)
{
	struct str text;
	MUST(file_read("/proc/self/mountinfo", 4u << 20, &w.arena, &text, &err));
	return memmem(text.at, text.len, words, strlen(words)) != NULL;
}

static bool processes_mention(const char *words)
{
	DIR *dir = opendir("/proc");
	bool found = false;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		CLEANUP_ARENA arena = {};
		char path[300];
		struct str text;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", d->d_name);
		if (d->d_name[0] >= '0' && d->d_name[0] <= '9' && atoi(d->d_name) != getpid() &&
		    file_read(path, 1u << 20, &arena, &text, NULL) == RC_OK)
			found |= memmem(text.at, text.len, words, strlen(words)) != NULL;
	}
	closedir(dir);
	return found;
}

static bool cgroup_exists(void)
{
	struct str text;
	bool found = false;
	MUST(file_read("/proc/self/mountinfo", 4u << 20, &w.arena, &text, &err));
	while (text.len > 0) {
		struct str line, word = {};
		str_cut(text, '\n', &line, &text);
		for (int i = 0; i < 5; i++)
			str_cut(line, ' ', &word, &line);
		if (str_has_prefix(word, STR("/sys/fs/cgroup")))
			found |= file_exists(
				arena_printf(&w.arena, "%.*s/skegtest", STR_FMT(word)).at);
	}
	return found;
}

static void test_nothing_left(void **state)
{
	struct str *uids;
	size_t count;
	WAITED(call);
	OPS->sandbox_list(w.runtime, &w.arena, &uids, &count, &call.call);
	MUST(await(&call));
	assert_int_equal(count, 1);
	OPS->sandbox_remove(w.runtime, STR(POD_UID), &call.call);
	MUST(await(&call));
	OPS->sandbox_list(w.runtime, &w.arena, &uids, &count, &call.call);
	MUST(await(&call));
	assert_int_equal(count, 0);
	assert_false(mounts_mention(w.folder));
	assert_false(processes_mention(w.folder));
	assert_false(cgroup_exists());
	OPS->image_remove(w.runtime, STR(IMAGE), &call.call);
	MUST(await(&call));
	MUST(dir_remove(arena_printf(&w.arena, "%s/images/ingest", w.folder).at, &err));
	assert_int_equal(rmdir(arena_printf(&w.arena, "%s/images/layers", w.folder).at), 0);
	assert_int_equal(rmdir(arena_printf(&w.arena, "%s/images/blobs/sha256", w.folder).at), 0);
	assert_int_equal(rmdir(arena_printf(&w.arena, "%s/node/containers", w.folder).at), 0);
}

static int setup(void **state)
{
	snprintf(w.folder, sizeof(w.folder), "/tmp/skeg-container-XXXXXX");
	if (!mkdtemp(w.folder))
		return -1;
	snprintf(w.log, sizeof(w.log), "%s/log", w.folder);
	w.loop = loop_new();
	MUST(image_build(w.folder, TEST_SOURCE "/guest.c", IMAGE, 0, &err));
	images_open();
	runtime_start();
	return 0;
}

static int teardown(void **state)
{
	if (w.runtime)
		runtime_stop();
	image_store_free(w.images);
	loop_free(w.loop);
	enum rc rc = dir_remove(w.folder, &err);
	arena_done(&w.arena);
	return rc == RC_OK ? 0 : -1;
}

int main(int argc, char **argv)
{
	char path[PROGRAM_PATH_MAX];
	if (argc == 3 && !strcmp(argv[1], SECOND_OWN))
		first_process(argv[2]);
	if (geteuid() != 0) {
		fprintf(stderr, "skipped: containers need root\n");
		return SKIPPED;
	}
	if (program_find("runc", path, &err) != RC_OK ||
	    program_find("conmon", path, &err) != RC_OK) {
		fprintf(stderr, "skipped: %s\n", err.text);
		return SKIPPED;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),	     cmocka_unit_test(test_sandbox),
		cmocka_unit_test(test_life),	     cmocka_unit_test(test_failures),
		cmocka_unit_test(test_memory),	     cmocka_unit_test(test_many_layers),
		cmocka_unit_test(test_streams),	     cmocka_unit_test(test_attach_and_logs),
		cmocka_unit_test(test_host),	     cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_lost_monitor), cmocka_unit_test(test_nothing_left),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
