#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/image_ref.h"
#include "node/image_user.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_valid(void **state)
{
	static const char *const rows[][2] = {
		{"nginx", "docker.io/library/nginx:latest"},
		{"nginx:1.25", "docker.io/library/nginx:1.25"},
		{"user/app", "docker.io/user/app:latest"},
		{"index.docker.io/nginx", "docker.io/library/nginx:latest"},
		{"docker.io/nginx:a", "docker.io/library/nginx:a"},
		{"localhost/app", "localhost/app:latest"},
		{"localhost:5000/app:v1", "localhost:5000/app:v1"},
		{"gcr.io/a/b/c:d", "gcr.io/a/b/c:d"},
		{"HOST/app", "HOST/app:latest"},
		{"[::1]:5000/app", "[::1]:5000/app:latest"},
		{"a__b/c-d.e---f", "docker.io/a__b/c-d.e---f:latest"},
		{"nginx@sha256:" HEX64, "docker.io/library/nginx@sha256:" HEX64},
		{"nginx:1@sha256:" HEX64, "docker.io/library/nginx@sha256:" HEX64},
		{"myregistry.io/webapp:v1.2.3", "myregistry.io/webapp:v1.2.3"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_ref ref;
		struct err err = {};
		char out[IMAGE_REF_MAX];
		if (image_ref_parse(str_of(rows[i][0]), &ref, &err) != RC_OK)
			fail_msg("%s: %s", rows[i][0], err.text);
		image_ref_print(&ref, out);
		assert_string_equal(out, rows[i][1]);
	}
}

static void test_invalid(void **state)
{
	static const char *const rows[][2] = {
		{"", "invalid reference format"},
		{":tag", "invalid reference format"},
		{"a//b", "invalid reference format"},
		{"-a", "invalid reference format"},
		{"a..b", "invalid reference format"},
		{"a___b", "invalid reference format"},
		{"a:", "invalid reference format"},
		{"a:-x", "invalid reference format"},
		{"a b", "invalid reference format"},
		{"a@sha256:123", "invalid reference format"},
		{"a@", "invalid reference format"},
		{"../../etc", "invalid reference format"},
		{"host:port/app", "invalid reference format"},
		{"Nginx", "invalid reference format: repository name (Nginx) must be lowercase"},
		{HEX64,
		 "invalid repository name (" HEX64 "), cannot specify 64-byte hexadecimal strings"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_ref ref;
		struct err err = {};
		assert_int_equal(image_ref_parse(str_of(rows[i][0]), &ref, &err), RC_INVALID);
		assert_string_equal(err.text, rows[i][1]);
	}
}

static void test_long(void **state)
{
	char name[400];
	struct image_ref ref;
	memset(name, 'a', sizeof(name));
	assert_int_equal(image_ref_parse(str_n(name, 300), &ref, NULL), RC_INVALID);
	memcpy(name, "x/", 2);
	name[200] = ':';
	assert_int_equal(image_ref_parse(str_n(name, 201 + 128), &ref, NULL), RC_OK);
	assert_int_equal(image_ref_parse(str_n(name, 201 + 129), &ref, NULL), RC_INVALID);
}

/* --- users of images (security facts: CVE-2022-27650, CVE-2024-40635) --- */

static const struct str passwd = STR_INIT("root:x:0:0:root:/root:/bin/sh\n"
					  "# comment:x:5:5::/:\n"
					  "+nis:x:6:6::/:\n"
					  "web:x:1000:2000:Web:/home/web:/bin/sh\n"
					  "broken:x:-1:0::/:\n"
					  "0x10:x:16:16::/:\n");
static const struct str group =
	STR_INIT("root:x:0:\nstaff:x:50:web,other\nadm:x:4:other,web\nx:x:9:\n");

static void test_users(void **state)
{
	static const struct {
		const char *user;
		int64_t as_user, as_group;
		int64_t uid, gid;
		size_t groups;
	} rows[] = {
		{"", -1, -1, 0, 0, 0},
		{"web", -1, -1, 1000, 2000, 2},
		{"1000", -1, -1, 1000, 2000, 2},
		{"web:staff", -1, -1, 1000, 50, 1},
		{"web:7", -1, -1, 1000, 7, 2},
		{"4242", -1, -1, 4242, 0, 0},
		{"4242:adm", -1, -1, 4242, 4, 0},
		{"web", 0, -1, 0, 0, 0},
		{"web", 1000, 5, 1000, 5, 2},
		{"root", 65534, -1, 65534, 0, 0},
		{"2147483647", -1, -1, 2147483647, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_user user;
		struct err err = {};
		if (image_user_resolve(passwd, group, str_of(rows[i].user), rows[i].as_user,
				       rows[i].as_group, &user, &err) != RC_OK)
			fail_msg("'%s': %s", rows[i].user, err.text);
		assert_int_equal(user.uid, rows[i].uid);
		assert_int_equal(user.gid, rows[i].gid);
		assert_int_equal(user.group_count, rows[i].groups);
	}
}

static void test_users_refused(void **state)
{
	static const char *const rows[] = {"-1",	  "+0",		"0x0",
					   "0x10",	  " 0",		"0 ",
					   "2147483648",  "4294967296", "18446744073709551616",
					   "nobody",	  "broken",	"#",
					   "+nis",	  "web:",	"web:-1",
					   "web:nogroup", "1e3",	"00000000000"};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct image_user user;
		enum rc rc =
			image_user_resolve(passwd, group, str_of(rows[i]), -1, -1, &user, NULL);
		if (strcmp(rows[i], "web:") == 0)
			assert_int_equal(rc, RC_OK); /* an empty group is no group */
		else if (rc != RC_INVALID)
			fail_msg("'%s' was accepted as %lld", rows[i], (long long)user.uid);
	}
}

static void test_user_split(void **state)
{
	int64_t uid;
	struct str name;
	image_user_split(STR("1234:5"), &uid, &name);
	assert_int_equal(uid, 1234);
	assert_null(name.at);
	image_user_split(STR("web:5"), &uid, &name);
	assert_int_equal(uid, -1);
	assert_true(str_is(name, "web"));
	image_user_split((struct str){}, &uid, &name);
	assert_int_equal(uid, 0);
	image_user_split(STR("-1"), &uid, &name);
	assert_int_equal(uid, -1);
	assert_true(str_is(name, "-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),	      cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_long),	      cmocka_unit_test(test_users),
		cmocka_unit_test(test_users_refused), cmocka_unit_test(test_user_split),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
