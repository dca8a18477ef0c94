#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>

#include "io/file.h"
#include "literal.h"
#include "node/agent-int.h"
#include "node/atomic_folder.h"
#include "node/downward.h"
#include "node/go_duration.h"
#include "node/log_line.h"
#include "node/pod_env.h"
#include "node/pod_files.h"
#include "node/pod_message.h"
#include "node/pod_security.h"

/* A worker that nothing runs: what pure functions look at. */
struct worker {
	struct arena arena;
	struct node_agent agent;
	struct pod_worker w;
	struct pod_container c, *list[1];
};

static void worker_make(struct worker *k, const char *text)
{
	struct yaml_document *documents;
	size_t count;
	struct err err;
	*k = (struct worker){};
	if (yaml_parse(&k->arena, str_of(text), &documents, &count, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	k->agent.config = (struct node_agent_config){
		.node_name = "n1",
		.folder = "/data",
		.address = ipaddr_v4(172, 31, 0, 10),
		.cluster_dns = STR("10.43.0.10"),
		.cluster_domain = STR("cluster.local"),
	};
	k->list[0] = &k->c;
	k->w = (struct pod_worker){.agent = &k->agent, .containers = k->list, .count = 1};
	k->w.object = literal_object(&k->arena, documents[0].tree, 1);
	k->w.pod = object_view(k->w.object);
	k->w.namespace = k->w.object->namespace;
	k->w.name = k->w.object->name;
	k->w.uid = k->w.object->uid;
	k->w.addresses[0] = ipaddr_v4(10, 42, 0, 5);
	k->w.address_count = 1;
	k->c = (struct pod_container){
		.worker = &k->w, .role = CONTAINER_MAIN, .spec = &k->w.pod->spec.containers.at[0]};
	k->c.name = k->c.spec->name;
}

static void worker_done(struct worker *k)
{
	object_unref(k->w.object);
	arena_done(&k->arena);
}

#define POD_TEXT(spec)                                                                             \
	"kind: Pod\napiVersion: v1\nmetadata: {name: p, namespace: ny, labels: {b: x, a: "         \
	"'q\"'}, annotations: {k: v}}\nspec: {nodeName: n1, " spec "}\n"

/* ---- environment ---- */

static void references_are_expanded(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"", ""},	   {"plain", "plain"},	   {"$(A)", "1"},
		{"x$(A)y", "x1y"}, {"$(NONE)", "$(NONE)"}, {"$$(A)", "$(A)"},
		{"$A", "$A"},	   {"$(A", "$(A"},	   {"$", "$"},
		{"$$", "$"},	   {"$(A)$(B)", "1two"},   {"$()", "$()"},
	};
	CLEANUP_ARENA a = {};
	struct runtime_name_value items[] = {{STR("A"), STR("1")}, {STR("B"), STR("two")}};
	struct pod_env env = {.items = items, .count = 2};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str got;
		assert_int_equal(pod_env_expand(&a, &env, str_of(rows[i].text), &got, NULL), RC_OK);
		if (!str_is(got, rows[i].want))
			fail_msg("'%s' gave '%.*s'", rows[i].text, STR_FMT(got));
	}
}

static void environment_is_made(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{"FIRST", "1"},	     {"SECOND", "1-2"},	      {"LATER", "$(LAST)"}, {"NAME", "p"},
		{"IP", "10.42.0.5"}, {"HOST", "172.31.0.10"}, {"LABEL", "x"},	    {"NODE", "n1"},
		{"CPU", "2"},	     {"MEMORY", "64"},	      {"EMPTY", ""},
	};
	CLEANUP_ARENA a = {};
	struct pod_env env;
	struct worker k;
	worker_make(
		&k,
		POD_TEXT(
			"containers: [{name: a, image: x, resources: {limits: {cpu: 1500m, memory: 64Mi}}, "
			"env: [{name: FIRST, value: '1'}, {name: SECOND, value: '$(FIRST)-2'}, "
			"{name: LATER, value: '$(LAST)'}, {name: LAST, value: z}, {name: EMPTY}, "
			"{name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, "
			"{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}, "
			"{name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}, "
			"{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}, "
			"{name: LABEL, valueFrom: {fieldRef: {fieldPath: \"metadata.labels['b']\"}}}, "
			"{name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}, "
			"{name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: "
			"1Mi}}}]}]"));
	assert_int_equal(pod_env_make(&a, &k.c, &env, NULL), RC_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str got = pod_env_get(&env, str_of(rows[i].name));
		if (!got.at || !str_is(got, rows[i].want))
			fail_msg("%s is '%.*s'", rows[i].name, STR_FMT(got));
	}
	worker_done(&k);
}

static void services_become_variables(void **state)
{
	static const struct {
		const char *name, *want;
	} rows[] = {
		{"MY_WEB_SERVICE_HOST", "10.43.0.7"},
		{"MY_WEB_SERVICE_PORT", "80"},
		{"MY_WEB_SERVICE_PORT_HTTP", "80"},
		{"MY_WEB_PORT", "tcp://10.43.0.7:80"},
		{"MY_WEB_PORT_80_TCP", "tcp://10.43.0.7:80"},
		{"MY_WEB_PORT_80_TCP_PROTO", "tcp"},
		{"MY_WEB_PORT_80_TCP_PORT", "80"},
		{"MY_WEB_PORT_80_TCP_ADDR", "10.43.0.7"},
	};
	CLEANUP_ARENA a = {};
	const struct service_port port = {.name = STR("http"), .protocol = STR("TCP"), .port = 80};
	struct service s = {.metadata = {.name = STR("my-web")},
			    .spec = {.cluster_ip = STR("10.43.0.7"), .ports = {&port, 1}}};
	struct pod_env env = {};
	service_env_add(&a, &env, &s);
	assert_int_equal(env.count, ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_true(str_is(pod_env_get(&env, str_of(rows[i].name)), rows[i].want));
	s.spec.cluster_ip = STR("None");
	env = (struct pod_env){};
	service_env_add(&a, &env, &s);
	assert_int_equal(env.count, 0);
}

static void labels_are_lines(void **state)
{
	CLEANUP_ARENA a = {};
	struct worker k;
	struct str got;
	struct err err;
	worker_make(&k, POD_TEXT("containers: [{name: a, image: x}]"));
	assert_int_equal(downward_field(&a, &k.w, STR("metadata.labels"), &got, NULL), RC_OK);
	assert_true(str_is(got, "a=\"q\\\"\"\nb=\"x\""));
	assert_int_equal(downward_field(&a, &k.w, STR("spec.foo"), &got, &err), RC_INVALID);
	assert_string_equal(err.text, "unsupported fieldPath: spec.foo");
	worker_done(&k);
}

/* ---- security ---- */

static void non_root_is_checked(void **state)
{
	static const struct {
		const char *spec;
		int64_t image_user;
		const char *image_name, *want; /* NULL: good */
	} rows[] = {
		{"", 0, NULL, NULL},
		{"runAsNonRoot: true, runAsUser: 1000", 0, NULL, NULL},
		{"runAsNonRoot: true, runAsUser: 0", 5, NULL,
		 "container's runAsUser breaks non-root policy (pod: \"p_ny(uid-p)\", container: "
		 "a)"},
		{"runAsNonRoot: true", 65532, NULL, NULL},
		{"runAsNonRoot: true", RUNTIME_ID_UNSET, NULL,
		 "container has runAsNonRoot and image will run as root (pod: \"p_ny(uid-p)\", "
		 "container: a)"},
		{"runAsNonRoot: true", RUNTIME_ID_UNSET, "web",
		 "container has runAsNonRoot and image has non-numeric user (web), cannot verify "
		 "user is non-root (pod: \"p_ny(uid-p)\", container: a)"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_p)
		char *text = mem_printf(POD_TEXT("securityContext: {%s}, containers: [{name: a, "
						 "image: x}]"),
					rows[i].spec);
		struct runtime_image_info image = {.user_id = rows[i].image_user,
						   .user_name = str_of(rows[i].image_name)};
		struct runtime_security s;
		struct worker k;
		struct err err;
		worker_make(&k, text);
		enum rc rc = pod_security_make(&k.arena, &k.c, &image, &s, &err);
		assert_int_equal(rc == RC_OK, rows[i].want == NULL);
		if (rows[i].want)
			assert_string_equal(err.text, rows[i].want);
		worker_done(&k);
	}
}

static void security_is_passed_on(void **state)
{
	struct runtime_image_info image = {.user_id = RUNTIME_ID_UNSET};
	struct runtime_security s;
	struct worker k;
	worker_make(&k,
		    POD_TEXT("securityContext: {runAsUser: 1000, fsGroup: 2000, "
			     "supplementalGroups: [7], seccompProfile: {type: RuntimeDefault}}, "
			     "containers: [{name: a, image: x, securityContext: {runAsUser: 5, "
			     "allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, "
			     "capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}}]"));
	assert_int_equal(pod_security_make(&k.arena, &k.c, &image, &s, NULL), RC_OK);
	assert_int_equal(s.run_as_user, 5);
	assert_int_equal(s.run_as_group, RUNTIME_ID_UNSET);
	assert_int_equal(s.supplemental_group_count, 2);
	assert_int_equal(s.supplemental_groups[0], 7);
	assert_int_equal(s.supplemental_groups[1], 2000);
	assert_true(s.has_no_new_privs && s.is_root_read_only && !s.is_privileged);
	assert_int_equal(s.seccomp, RUNTIME_SECCOMP_DEFAULT);
	assert_int_equal(s.capability_drop_count, 1);
	assert_true(str_is(s.capabilities_add[0], "NET_BIND_SERVICE"));
	worker_done(&k);
}

/* ---- files ---- */

static void resolver_follows_the_policy(void **state)
{
	static const char machine[] = "nameserver 192.0.2.1\nsearch corp.example\noptions edns0\n";
	static const struct {
		const char *spec, *want;
	} rows[] = {
		{"dnsPolicy: ClusterFirst",
		 "search ny.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
		 "nameserver 10.43.0.10\noptions ndots:5\n"},
		{"dnsPolicy: Default",
		 "search corp.example\nnameserver 192.0.2.1\noptions edns0\n"},
		{"dnsPolicy: ClusterFirst, hostNetwork: true",
		 "search corp.example\nnameserver 192.0.2.1\noptions edns0\n"},
		{"dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.9], searches: [a.b], options: "
		 "[{name: ndots, value: '2'}]}",
		 "search a.b\nnameserver 192.0.2.9\noptions ndots:2\n"},
		{"dnsPolicy: ClusterFirst, dnsConfig: {options: [{name: ndots, value: '2'}]}",
		 "search ny.svc.cluster.local svc.cluster.local cluster.local corp.example\n"
		 "nameserver 10.43.0.10\noptions ndots:2\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_p)
		char *text =
			mem_printf(POD_TEXT("%s, containers: [{name: a, image: x}]"), rows[i].spec);
		CLEANUP_BUF out = BUF_INIT(4096);
		struct worker k;
		worker_make(&k, text);
		pod_resolv_text(&out, &k.w, str_of(machine));
		assert_string_equal(out.data, rows[i].want);
		worker_done(&k);
	}
}

static void hosts_name_the_pod(void **state)
{
	CLEANUP_BUF out = BUF_INIT(4096);
	struct worker k;
	worker_make(&k,
		    POD_TEXT("hostname: h, subdomain: s, hostAliases: [{ip: 1.2.3.4, hostnames: "
			     "[a, b]}], containers: [{name: a, image: x}]"));
	pod_hosts_text(&out, &k.w, STR("ignored"));
	assert_non_null(
		strstr(out.data, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"));
	assert_non_null(strstr(out.data, "10.42.0.5\th.s.ny.svc.cluster.local\th\n"));
	assert_non_null(strstr(out.data, "\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n"));
	worker_done(&k);
}

static struct str read_below(struct arena *a, const char *folder, const char *name)
{
	struct str bytes = {};
	(void)file_read(arena_printf(a, "%s/%s", folder, name).at, 4096, a, &bytes, NULL);
	return bytes;
}

static void folder_changes_as_a_whole(void **state)
{
	char folder[] = "/tmp/skeg-test-folder-XXXXXX", before[128] = "", after[128] = "";
	CLEANUP_ARENA a = {};
	struct folder_files files = {};
	struct stat st;
	assert_non_null(mkdtemp(folder));
	folder_files_add(&a, &files, (struct folder_file){STR("a"), STR("1"), 0644, -1});
	folder_files_add(&a, &files, (struct folder_file){STR("d/b"), STR("2"), 0600, -1});
	const char *link = arena_printf(&a, "%s/..data", folder).at;
	assert_int_equal(atomic_folder_write(folder, &files, -1, NULL), RC_OK);
	assert_true(str_is(read_below(&a, folder, "a"), "1"));
	assert_true(str_is(read_below(&a, folder, "d/b"), "2"));
	assert_int_equal(stat(arena_printf(&a, "%s/d/b", folder).at, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(readlink(link, before, sizeof(before) - 1) > 0);
	/* The same again: nothing is written. */
	assert_int_equal(atomic_folder_write(folder, &files, -1, NULL), RC_OK);
	assert_true(readlink(link, after, sizeof(after) - 1) > 0);
	assert_string_equal(before, after);
	/* One changed, one gone. */
	files.items[0].bytes = STR("new");
	files.count = 1;
	assert_int_equal(atomic_folder_write(folder, &files, -1, NULL), RC_OK);
	assert_true(str_is(read_below(&a, folder, "a"), "new"));
	assert_false(file_exists(arena_printf(&a, "%s/d", folder).at));
	assert_false(file_exists(arena_printf(&a, "%s/%s", folder, before).at));
	assert_int_equal(dir_remove(folder, NULL), RC_OK);
}

static void paths_stay_inside(void **state)
{
	static const char *const bad[] = {"../x", "/etc/x", "a/../../x", "..", "..data/x", ""};
	char folder[] = "/tmp/skeg-test-folder-XXXXXX";
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP_ARENA a = {};
		struct folder_files files = {};
		folder_files_add(&a, &files,
				 (struct folder_file){str_of(bad[i]), STR("1"), 0644, -1});
		assert_int_equal(atomic_folder_write(folder, &files, -1, NULL), RC_INVALID);
	}
	assert_int_equal(dir_remove(folder, NULL), RC_OK);
}

/* ---- texts ---- */

static void durations_are_go_s(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} rows[] = {{0, "0s"},	      {10, "10ms"},	{1000, "1s"},
		    {1500, "1.5s"},   {10000, "10s"},	{80000, "1m20s"},
		    {300000, "5m0s"}, {1234, "1.234s"}, {3600000, "1h0m0s"}};
	char text[GO_DURATION_MAX];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(go_duration(rows[i].ms, text), rows[i].want);
}

static void signals_have_names(void **state)
{
	assert_int_equal(signal_number(STR("SIGTERM")), SIGTERM);
	assert_int_equal(signal_number(STR("QUIT")), SIGQUIT);
	assert_int_equal(signal_number(STR("9")), SIGKILL);
	assert_int_equal(signal_number(STR("SIGRTMIN+3")), SIGRTMIN + 3);
	assert_int_equal(signal_number(STR("SIGNONE")), 0);
	assert_int_equal(signal_number(STR("-1")), 0);
	assert_int_equal(signal_number(STR("")), 0);
}

static void last_words_come_from_the_log(void **state)
{
	static const char log[] = "2026-01-01T00:00:00Z stdout F one\n"
				  "2026-01-01T00:00:01Z stderr P two-\n"
				  "2026-01-01T00:00:02Z stderr F half\n"
				  "no entry\n"
				  "2026-01-01T00:00:03Z stdout F three\n";
	CLEANUP_BUF all = BUF_INIT(4096), few = BUF_INIT(4096), cut = BUF_INIT(4096);
	log_tail_text(&all, str_of(log), 80, 2048);
	assert_string_equal(all.data, "one\ntwo-half\nthree\n");
	log_tail_text(&few, str_of(log), 2, 2048);
	assert_string_equal(few.data, "two-half\nthree\n");
	log_tail_text(&cut, str_of(log), 80, 6);
	assert_string_equal(cut.data, "three\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_expanded),
		cmocka_unit_test(environment_is_made),
		cmocka_unit_test(services_become_variables),
		cmocka_unit_test(labels_are_lines),
		cmocka_unit_test(non_root_is_checked),
		cmocka_unit_test(security_is_passed_on),
		cmocka_unit_test(resolver_follows_the_policy),
		cmocka_unit_test(hosts_name_the_pod),
		cmocka_unit_test(folder_changes_as_a_whole),
		cmocka_unit_test(paths_stay_inside),
		cmocka_unit_test(durations_are_go_s),
		cmocka_unit_test(signals_have_names),
		cmocka_unit_test(last_words_come_from_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
