#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "io/file.h"
#include "node/cgroup.h"
#include "node/runtime_programs.h"

static void test_shares(void **state)
{
	static const struct {
		int64_t milli;
		uint64_t shares, weight;
	} rows[] = {
		{0, 2, 1},
		{-5, 2, 1},
		{1, 2, 1},
		{100, 102, 4},
		{500, 512, 20},
		{1000, 1024, 39},
		{2000, 2048, 79},
		{255999, 262142, 9999},
		{256000, 262144, 10000},
		{1000000, 262144, 10000},
		{INT64_MAX, 262144, 10000},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(cgroup_shares_of_milli(rows[i].milli), rows[i].shares);
		assert_int_equal(cgroup_weight_of_shares(rows[i].shares), rows[i].weight);
	}
	assert_int_equal(cgroup_weight_of_shares(0), 1);
	assert_int_equal(cgroup_weight_of_shares(UINT64_MAX), 10000);
}

static void test_quota(void **state)
{
	assert_int_equal(cgroup_quota_of_milli(0), -1);
	assert_int_equal(cgroup_quota_of_milli(-1), -1);
	assert_int_equal(cgroup_quota_of_milli(1), 1000); /* the least that the kernel takes */
	assert_int_equal(cgroup_quota_of_milli(100), 10000);
	assert_int_equal(cgroup_quota_of_milli(1500), 150000);
	assert_int_equal(cgroup_quota_of_milli(INT64_MAX), -1);
}

static void test_trees(void **state)
{
	struct cgroups c;
	cgroups_parse(
		&c,
		STR("24 1 0:20 / /proc rw - proc proc rw\n"
		    "30 24 0:26 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
		    "31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		    "32 24 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
		    "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"));
	assert_int_equal(c.count, 4);
	assert_false(c.is_v2);
	assert_string_equal(c.trees[0].controllers, "rw,cpu");
	assert_string_equal(c.trees[3].mount, "/sys/fs/cgroup/unified");
	cgroups_parse(
		&c, STR("30 24 0:26 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw,nsdelegate"));
	assert_int_equal(c.count, 1);
	assert_true(c.is_v2);
	cgroups_parse(&c, STR("rubbish\n\n - - \ncgroup cgroup2"));
	assert_int_equal(c.count, 0);
}

/* ---- update: folders of plain files stand for the kernel's ---- */

struct tree {
	char folder[64];
	struct cgroups groups;
};

static void tree_make(struct tree *t, bool is_v2, const char *const *files)
{
	*t = (struct tree){.groups = {.is_v2 = is_v2, .count = 1}};
	strcpy(t->folder, "/tmp/skeg-test-cgroup-XXXXXX");
	assert_non_null(mkdtemp(t->folder));
	snprintf(t->groups.trees[0].mount, sizeof(t->groups.trees[0].mount), "%s", t->folder);
	if (!is_v2)
		strcpy(t->groups.trees[0].controllers, "rw,cpu,memory,pids");
	for (; *files; files += 2) {
		char path[128];
		snprintf(path, sizeof(path), "%s/g", t->folder);
		assert_int_equal(dir_make(path, 0700, NULL), RC_OK);
		snprintf(path, sizeof(path), "%s/%s", t->folder, files[0]);
		assert_int_equal(file_write_volatile(path, str_of(files[1]), 0600, NULL), RC_OK);
	}
}

static void assert_file(const struct tree *t, const char *name, const char *want)
{
	CLEANUP_ARENA a = {};
	struct str text;
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", t->folder, name);
	assert_int_equal(file_read(path, 4096, &a, &text, NULL), RC_OK);
	if (!str_is(text, want))
		fail_msg("%s: '%.*s', not '%s'", name, STR_FMT(text), want);
}

static const struct runtime_resources limits = {
	.cpu_request_milli = 500, .cpu_limit_milli = 1500, .memory_limit_bytes = 64 << 20};
static const struct runtime_resources no_limits = {.cpu_request_milli = 500};

static void test_update_v2(void **state)
{
	static const char *const files[] = {
		"g/cpu.weight",	    "",	       "g/cpu.max", "", "g/memory.max", "",
		"g/memory.current", "1000000", NULL};
	struct tree t;
	tree_make(&t, true, files);
	assert_int_equal(cgroup_update(&t.groups, "g", &limits, true, NULL), RC_OK);
	assert_file(&t, "g/cpu.weight", "20");
	assert_file(&t, "g/cpu.max", "150000 100000");
	assert_file(&t, "g/memory.max", "67108864");
	assert_int_equal(dir_remove(t.folder, NULL), RC_OK);
	tree_make(&t, true, files);
	assert_int_equal(cgroup_update(&t.groups, "g", &no_limits, true, NULL), RC_OK);
	assert_file(&t, "g/cpu.max", "max 100000");
	assert_file(&t, "g/memory.max", "max");
	assert_int_equal(dir_remove(t.folder, NULL), RC_OK);
}

static void test_update_v1(void **state)
{
	static const char *const files[] = {"g/cpu.shares",
					    "",
					    "g/cpu.cfs_quota_us",
					    "",
					    "g/cpu.cfs_period_us",
					    "",
					    "g/memory.limit_in_bytes",
					    "",
					    "g/memory.memsw.limit_in_bytes",
					    "",
					    "memory.memsw.limit_in_bytes",
					    "",
					    "g/memory.usage_in_bytes",
					    "1000000",
					    NULL};
	struct tree t;
	tree_make(&t, false, files);
	assert_int_equal(cgroup_update(&t.groups, "g", &limits, true, NULL), RC_OK);
	assert_file(&t, "g/cpu.shares", "512");
	assert_file(&t, "g/cpu.cfs_quota_us", "150000");
	assert_file(&t, "g/memory.limit_in_bytes", "67108864");
	assert_file(&t, "g/memory.memsw.limit_in_bytes", "67108864");
	assert_int_equal(dir_remove(t.folder, NULL), RC_OK);
	tree_make(&t, false, files);
	assert_int_equal(cgroup_update(&t.groups, "g", &no_limits, false, NULL), RC_OK);
	assert_file(&t, "g/cpu.cfs_quota_us", "-1");
	assert_file(&t, "g/memory.limit_in_bytes", "-1");
	assert_file(&t, "g/memory.memsw.limit_in_bytes", "");
	assert_int_equal(dir_remove(t.folder, NULL), RC_OK);
}

static void test_update_below_usage(void **state)
{
	static const char *const files[] = {"g/memory.max", "", "g/memory.current", "67108865",
					    NULL};
	struct tree t;
	struct err err;
	tree_make(&t, true, files);
	assert_int_equal(cgroup_update(&t.groups, "g", &limits, true, &err), RC_CONFLICT);
	assert_string_equal(err.text, "attempting to set memory limit (67108864) below current "
				      "usage (67108865)");
	assert_file(&t, "g/memory.max", "");
	assert_int_equal(dir_remove(t.folder, NULL), RC_OK);
}

static void test_missing_programs(void **state)
{
	char path[PROGRAM_PATH_MAX];
	struct err err = {};
	assert_int_equal(program_find("skeg-no-such-program", path, &err), RC_UNAVAILABLE);
	assert_non_null(strstr(err.text, "skeg-no-such-program"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_quota),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_update_v2),
		cmocka_unit_test(test_update_v1),
		cmocka_unit_test(test_update_below_usage),
		cmocka_unit_test(test_missing_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
