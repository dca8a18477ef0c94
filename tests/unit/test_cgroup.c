#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
		cmocka_unit_test(test_missing_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
