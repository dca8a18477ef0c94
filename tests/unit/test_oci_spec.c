/* The configuration for runc and crun, compared as a whole with tests/data/node/oci-*.json.
 * SKEG_UPDATE_GOLDEN=1 writes them anew; read the difference before committing it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "io/file.h"
#include "node/oci_capabilities.h"
#include "node/oci_seccomp.h"
#include "node/oci_spec.h"

static struct arena a;

static struct runtime_container_config plain_config(void)
{
	static const struct str cmd[] = {STR_INIT("serve"), STR_INIT("--port=80")};
	static const struct runtime_name_value env[] = {
		{STR_INIT("POD_NAME"), STR_INIT("web-0")},
		{STR_INIT("PATH"), STR_INIT("/bin")},
		{STR_INIT("ODD"), STR_INIT("a=b\n\"c\"")},
	};
	static const struct runtime_mount mounts[] = {
		{STR_INIT("/var/lib/skeg/pods/u/volumes/data"), STR_INIT("/data"), false, 0},
		{STR_INIT("/var/lib/skeg/pods/u/volumes/conf"), STR_INIT("/etc/conf"), true,
		 RUNTIME_PROPAGATION_HOST_TO_CONTAINER},
	};
	static const int64_t groups[] = {2000, 3000};
	static const struct str drop[] = {STR_INIT("ALL")};
	static const struct str add[] = {STR_INIT("NET_BIND_SERVICE")};
	return (struct runtime_container_config){
		.pod_uid = STR("u"),
		.name = STR("app"),
		.args = cmd,
		.arg_count = 2,
		.env = env,
		.env_count = 3,
		.mounts = mounts,
		.mount_count = 2,
		.security = {.run_as_user = 1000,
			     .run_as_group = RUNTIME_ID_UNSET,
			     .supplemental_groups = groups,
			     .supplemental_group_count = 2,
			     .has_no_new_privs = true,
			     .is_root_read_only = true,
			     .capabilities_drop = drop,
			     .capability_drop_count = 1,
			     .capabilities_add = add,
			     .capability_add_count = 1},
		.resources = {.cpu_request_milli = 250,
			      .cpu_limit_milli = 500,
			      .memory_limit_bytes = 256 << 20,
			      .pids_limit = 100},
	};
}

static struct oci_spec_input input_of(const struct runtime_container_config *config)
{
	static const struct str entrypoint[] = {STR_INIT("/app/web")};
	static const struct str image_env[] = {STR_INIT("LANG=C"), STR_INIT("PATH=/usr/bin"),
					       STR_INIT("bad")};
	static const struct image_config image = {.entrypoint = entrypoint,
						  .entrypoint_count = 1,
						  .env = image_env,
						  .env_count = 3,
						  .working_dir = STR_INIT("/app")};
	static const struct image_user user = {
		.uid = 1000, .gid = 1000, .groups = {50, 2000}, .group_count = 2};
	struct oci_spec_input in = {
		.config = config,
		.image = &image,
		.user = &user,
		.oom_score_adj = 968,
		.can_limit_swap = true,
		.rootfs_path = "/r",
		.cgroups_path = "/skeg/c/n/podu/app",
		.net_path = "/s/net",
		.ipc_path = "/s/ipc",
		.uts_path = "/s/uts",
		.shm_path = "/s/shm",
		.hostname_path = "/s/hostname",
		.hostname = STR("web-0"),
	};
	assert_int_equal(capabilities_of(&config->security, &in.capabilities, NULL), RC_OK);
	return in;
}

static void assert_golden(const struct json *tree, const char *file)
{
	struct str expected;
	struct err err = {};
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	char path[512];
	json_write_indent(&text, tree, 2);
	buf_add_char(&text, '\n');
	snprintf(path, sizeof(path), "%s/node/%s", TEST_DATA, file);
	if (getenv("SKEG_UPDATE_GOLDEN"))
		assert_int_equal(file_write_volatile(path, buf_str(&text), 0644, &err), RC_OK);
	if (file_read(path, 1u << 20, &a, &expected, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_string_equal(text.data, expected.at);
}

static struct json *build(const struct oci_spec_input *in)
{
	struct json *spec = NULL;
	struct err err = {};
	if (oci_spec_build(&a, in, &spec, &err) != RC_OK)
		fail_msg("%s", err.text);
	return spec;
}

static void test_restricted(void **state)
{
	struct runtime_container_config config = plain_config();
	struct oci_spec_input in = input_of(&config);
	assert_golden(build(&in), "oci-restricted.json");
}

static void test_privileged(void **state)
{
	static const struct oci_device devices[] = {{"/dev/fuse", 'c', 10, 229, 0666, 0, 0}};
	struct runtime_container_config config = plain_config();
	config.security = (struct runtime_security){.is_privileged = true};
	config.resources = (struct runtime_resources){};
	config.is_tty = true;
	config.mount_count = 0;
	struct oci_spec_input in = input_of(&config);
	in.net_path = in.uts_path = in.hostname_path = NULL;
	in.hostname = (struct str){};
	in.is_host_pid = true;
	in.has_cgroup_namespace = true;
	in.devices = devices;
	in.device_count = 1;
	assert_golden(build(&in), "oci-privileged.json");
}

static void test_mount_order(void **state)
{
	static const struct runtime_mount mounts[] = {
		{STR_INIT("/1"), STR_INIT("/a/b/c"), false, 0},
		{STR_INIT("/2"), STR_INIT("/a"), false, 0},
		{STR_INIT("/3"), STR_INIT("/a//d/"), false, 0},
		{STR_INIT("/4"), STR_INIT("/dev/shm"), false, 0},
	};
	static const char *const order[] = {"/2", "/3", "/4", "/1"};
	struct runtime_container_config config = plain_config();
	config.mounts = mounts;
	config.mount_count = 4;
	struct oci_spec_input in = input_of(&config);
	const struct json *list = json_get(build(&in), STR("mounts"));
	size_t count = json_count(list);
	for (size_t i = 0; i < 4; i++)
		assert_true(
			str_is(json_path_str(json_at(list, count - 4 + i), "source"), order[i]));
	assert_int_equal(count, 11); /* ours on /dev/shm gives way */
}

static struct str word(const struct json *spec, size_t index)
{
	return json_str(json_at(json_path(spec, "process.args"), index));
}

/* https://kubernetes.io/docs/tasks/inject-data-application/define-command-argument-container/ */
static void test_command(void **state)
{
	static const struct str command[] = {STR_INIT("/bin/x")};
	static const struct str args[] = {STR_INIT("y")};
	static const struct str cmd[] = {STR_INIT("default")};
	struct runtime_container_config config = plain_config();
	struct oci_spec_input in = input_of(&config);
	struct image_config image = *in.image;
	image.cmd = cmd;
	image.cmd_count = 1;
	in.image = &image;
	config.arg_count = 0;
	struct json *spec = build(&in);
	assert_true(str_is(word(spec, 0), "/app/web") && str_is(word(spec, 1), "default"));
	config.command = command;
	config.command_count = 1;
	spec = build(&in);
	assert_int_equal(json_count(json_path(spec, "process.args")), 1);
	config.args = args;
	config.arg_count = 1;
	spec = build(&in);
	assert_true(str_is(word(spec, 0), "/bin/x") && str_is(word(spec, 1), "y"));
	config.command_count = 0;
	spec = build(&in);
	assert_true(str_is(word(spec, 0), "/app/web") && str_is(word(spec, 1), "y"));
}

static void assert_refused(const struct oci_spec_input *in, const char *words)
{
	struct json *spec = NULL;
	struct err err = {};
	assert_int_not_equal(oci_spec_build(&a, in, &spec, &err), RC_OK);
	if (!strstr(err.text, words))
		fail_msg("'%s' lacks '%s'", err.text, words);
}

static void test_refused(void **state)
{
	static const struct runtime_mount bad_mount[] = {
		{STR_INIT("/x"), STR_INIT("/a/../../etc"), false, 0}};
	static const struct runtime_name_value bad_env[] = {{STR_INIT("A=B"), STR_INIT("x")}};
	static const struct str nul[] = {STR_INIT("a\0b")};
	struct runtime_container_config config = plain_config();
	struct oci_spec_input in = input_of(&config);
	config.mounts = bad_mount;
	config.mount_count = 1;
	assert_refused(&in, "mount path '/a/../../etc' must be absolute and without '..'");
	config.mount_count = 0;
	config.env = bad_env;
	config.env_count = 1;
	assert_refused(&in, "environment variable 'A=B'");
	config.env_count = 0;
	config.args = nul;
	config.arg_count = 1;
	assert_refused(&in, "has a NUL byte");
	config.arg_count = 0;
	config.working_dir = STR("relative");
	assert_refused(&in, "working directory 'relative' is not absolute");
	config.working_dir = STR("");
	struct image_config image = {};
	in.image = &image;
	assert_refused(&in, "no command specified");
}

static void test_exec(void **state)
{
	const struct str argv[] = {STR("/bin/ls"), STR("-l")};
	struct runtime_container_config config = plain_config();
	struct oci_spec_input in = input_of(&config);
	struct json *spec = build(&in), *process = NULL;
	assert_int_equal(oci_process_build(&a, spec, argv, 2, true, &process, NULL), RC_OK);
	assert_true(json_is_true(json_get(process, STR("terminal"))));
	assert_true(json_is_true(json_get(process, STR("noNewPrivileges"))));
	assert_int_equal(json_i64(json_path(process, "user.uid")), 1000);
	assert_int_equal(json_count(json_get(process, STR("args"))), 2);
	assert_false(json_is_true(json_path(spec, "process.terminal"))); /* a copy was changed */
	assert_int_equal(oci_process_build(&a, spec, argv, 0, false, &process, NULL), RC_INVALID);
}

static void test_capabilities(void **state)
{
	static const struct {
		const char *add, *drop;
		uint64_t set;
	} rows[] = {
		{NULL, NULL, 0xa80425fb}, /* as Docker's default */
		{NULL, "ALL", 0},
		{NULL, "all", 0},
		{"ALL", NULL, (1ull << 41) - 1},
		{"SYS_TIME", "ALL", 1ull << 25},
		{"cap_sys_time", "CAP_KILL", (0xa80425fbull | 1ull << 25) & ~(1ull << 5)},
		{"ALL", "SYS_ADMIN", ((1ull << 41) - 1) & ~(1ull << 21)},
		{"KILL", "KILL", 0xa80425fbull & ~(1ull << 5)},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct str add = str_of(rows[i].add), drop = str_of(rows[i].drop);
		const struct runtime_security security = {
			.capabilities_add = &add,
			.capability_add_count = rows[i].add != NULL,
			.capabilities_drop = &drop,
			.capability_drop_count = rows[i].drop != NULL,
		};
		uint64_t set = 0;
		assert_int_equal(capabilities_of(&security, &set, NULL), RC_OK);
		assert_true(set == rows[i].set);
	}
	const struct str unknown = STR("FLY");
	const struct runtime_security security = {.capabilities_add = &unknown,
						  .capability_add_count = 1};
	uint64_t set;
	struct err err = {};
	assert_int_equal(capabilities_of(&security, &set, &err), RC_INVALID);
	assert_string_equal(err.text, "unknown capability \"CAP_FLY\"");
}

static bool profile_allows(const struct json *profile, const char *call)
{
	const struct json *rules = json_get(profile, STR("syscalls"));
	for (size_t i = 0; i < json_count(rules); i++) {
		const struct json *rule = json_at(rules, i), *names = json_get(rule, STR("names"));
		for (size_t j = 0; j < json_count(names); j++) {
			if (str_is(json_str(json_at(names, j)), call) &&
			    str_is(json_path_str(rule, "action"), "SCMP_ACT_ALLOW") &&
			    !json_get(rule, STR("args")))
				return true;
		}
	}
	return false;
}

static void test_seccomp(void **state)
{
	const struct json *none = oci_seccomp_default(&a, 0);
	const struct json *all = oci_seccomp_default(&a, capabilities_all);
	static const char *const guarded[] = {
		"mount",	"umount2",	   "unshare",		"setns",  "bpf",   "reboot",
		"init_module",	"perf_event_open", "open_by_handle_at", "clone3", "clone", "iopl",
		"clock_settime"};
	static const char *const never[] = {"keyctl",	      "add_key",     "request_key",
					    "kexec_load",     "userfaultfd", "swapon",
					    "io_uring_setup", "uselib"};
	for (size_t i = 0; i < ARRAY_LEN(guarded); i++) {
		assert_false(profile_allows(none, guarded[i]));
		assert_true(profile_allows(all, guarded[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		assert_false(profile_allows(all, never[i]));
	assert_true(profile_allows(none, "read"));
	struct json *parsed;
	struct err err = {};
	assert_int_equal(oci_seccomp_parse(&a, STR("{}"), &parsed, &err), RC_INVALID);
	assert_int_equal(oci_seccomp_parse(&a, STR("{"), &parsed, &err), RC_BAD_REQUEST);
	assert_int_equal(
		oci_seccomp_parse(&a, STR("{\"defaultAction\":\"SCMP_ACT_LOG\"}"), &parsed, &err),
		RC_OK);
}

static int teardown(void **state)
{
	arena_done(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restricted),   cmocka_unit_test(test_privileged),
		cmocka_unit_test(test_command),	     cmocka_unit_test(test_mount_order),
		cmocka_unit_test(test_refused),	     cmocka_unit_test(test_exec),
		cmocka_unit_test(test_capabilities), cmocka_unit_test(test_seccomp),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
