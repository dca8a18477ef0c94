#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "codec/yaml.h"
#include "node/registry_config.h"
#include "node/registry_keyring.h"

static struct arena a;

static enum rc parse(const char *text, const struct registry_config **ret, struct err *err)
{
	struct yaml_document *documents;
	size_t count;
	TRY(yaml_parse(&a, str_of(text), &documents, &count, NULL, err));
	return registry_config_parse(&a, count ? documents[0].tree : NULL, ret, err);
}

static size_t endpoints(const char *text, const char *image,
			struct registry_endpoint out[REGISTRY_ENDPOINTS_MAX])
{
	const struct registry_config *config;
	struct image_ref ref;
	struct err err = {};
	if (parse(text, &config, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_int_equal(image_ref_parse(str_of(image), &ref, NULL), RC_OK);
	return registry_config_endpoints(config, &a, &ref, out);
}

static void assert_str(struct str s, const char *expected)
{
	if (!str_is(s, expected))
		fail_msg("'%.*s' is not '%s'", STR_FMT(s), expected);
}

static void test_defaults(void **state)
{
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	assert_int_equal(endpoints("", "nginx", e), 1);
	assert_str(e[0].base, "https://registry-1.docker.io/v2");
	assert_str(e[0].repository, "library/nginx");
	assert_null(e[0].origin.at);
	endpoints("mirrors:\nconfigs:\n", "localhost:5000/a", e);
	assert_str(e[0].base, "http://localhost:5000/v2");
	endpoints("", "127.0.0.1:5000/a", e);
	assert_str(e[0].base, "http://127.0.0.1:5000/v2");
	endpoints("", "[::1]:5000/a", e);
	assert_str(e[0].base, "http://[::1]:5000/v2");
	endpoints("", "r.example/a", e);
	assert_str(e[0].base, "https://r.example/v2");
}

static const char full[] = "mirrors:\n"
			   "  docker.io:\n"
			   "    endpoint:\n"
			   "    - \"https://one.example:5000\"\n"
			   "    - http://two.example/prefix/\n"
			   "    rewrite:\n"
			   "      \"^rancher/(.*)\": \"mirrored/rancher-$1\"\n"
			   "      \"^library/(.*)$\": \"lib/$1/$1\"\n"
			   "  \"*\":\n"
			   "    endpoint: [\"https://any.example\"]\n"
			   "configs:\n"
			   "  \"one.example:5000\":\n"
			   "    auth:\n"
			   "      username: u\n"
			   "      password: p\n"
			   "    tls:\n"
			   "      ca_file: /etc/ca.pem\n"
			   "      insecure_skip_verify: true\n"
			   "  two.example:\n"
			   "    auth: {auth: \"dTI6cDI6eA==\"}\n";

static void test_mirrors(void **state)
{
	struct registry_endpoint e[REGISTRY_ENDPOINTS_MAX];
	assert_int_equal(endpoints(full, "rancher/k3s:1", e), 3);
	assert_str(e[0].base, "https://one.example:5000/v2");
	assert_str(e[0].repository, "mirrored/rancher-k3s");
	assert_str(e[0].origin, "docker.io");
	assert_str(e[0].auth.username, "u");
	assert_str(e[0].auth.password, "p");
	assert_string_equal(e[0].tls.ca_file, "/etc/ca.pem");
	assert_true(e[0].tls.is_insecure);
	assert_str(e[1].base, "http://two.example/prefix");
	assert_str(e[1].auth.username, "u2");
	assert_str(e[1].auth.password, "p2:x");
	assert_false(e[1].tls.is_insecure);
	assert_str(e[2].repository, "rancher/k3s");
	endpoints(full, "nginx", e);
	assert_str(e[0].repository, "lib/nginx/nginx");
	assert_int_equal(endpoints(full, "quay.io/a/b", e), 2);
	assert_str(e[0].base, "https://any.example/v2");
}

static void test_refused(void **state)
{
	static const char *const rows[][2] = {
		{"mirrors: [a]", "registries: mirrors must be a map of registries"},
		{"mirrors: {a: 1}",
		 "registries: mirrors.a must be a map with endpoint and rewrite"},
		{"mirrors: {a: {endpoint: [\"ftp://x\"]}}", "mirrors.a.endpoint 'ftp://x'"},
		{"mirrors: {a: {endpoint: [\"http://u:p@x\"]}}", "must be an address"},
		{"mirrors: {a: {endpoint: [\"\"]}}", "must be an address"},
		{"mirrors: {a: {rewrite: {\"(\": b}}}", "is no regular expression"},
		{"configs: {a: {auth: {auth: \"!\"}}}", "configs.a.auth.auth is no base64"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct registry_config *config;
		struct err err = {};
		assert_int_equal(parse(rows[i][0], &config, &err), RC_INVALID);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("'%s' gave '%s'", rows[i][0], err.text);
	}
}

static size_t keys(const char *json, const char *image, struct registry_auth *out)
{
	const struct runtime_pull_secret secrets[] = {{str_of("not json"), false},
						      {str_of(json), false}};
	struct image_ref ref;
	assert_int_equal(image_ref_parse(str_of(image), &ref, NULL), RC_OK);
	return registry_keyring_find(&a, secrets, ARRAY_LEN(secrets), &ref, out);
}

static void test_keyring(void **state)
{
	static const struct {
		const char *key, *image;
		int count;
	} rows[] = {
		{"https://index.docker.io/v1/", "nginx", 1},
		{"docker.io", "user/app", 1},
		{"r.example", "r.example/a", 1},
		{"r.example", "r.example:5000/a", 0},
		{"r.example:5000", "r.example:5000/a", 1},
		{"https://r.example/v2/", "r.example/a", 1},
		{"*.example", "r.example/a", 1},
		{"*.example", "a.r.example/a", 0},
		{"r*.example", "reg.example/a", 1},
		{"*a*b*.example", "xaybz.example/a", 1},
		{"*.*.example", "a.r.example/a", 1},
		{"r.example/team", "r.example/team/a", 1},
		{"r.example/team", "r.example/other/a", 0},
		{"quay.io", "nginx", 0},
		{"****************************************b.example",
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example/x", 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct registry_auth out[KEYRING_MATCHES_MAX];
		char json[256];
		snprintf(json, sizeof(json), "{\"auths\":{\"%s\":{\"auth\":\"dTpw\"}}}",
			 rows[i].key);
		size_t count = keys(json, rows[i].image, out);
		if ((int)count != rows[i].count)
			fail_msg("%s for %s: %zu", rows[i].key, rows[i].image, count);
		if (count > 0)
			assert_str(out[0].password, "p");
	}
}

static void test_keyring_order(void **state)
{
	struct registry_auth out[KEYRING_MATCHES_MAX];
	size_t count = keys("{\"auths\":{\"r.example\":{\"username\":\"wide\",\"password\":\"1\"},"
			    "\"r.example/team\":{\"username\":\"near\",\"password\":\"2\"},"
			    "\"r.example/none\":{},\"*.example\":{\"identitytoken\":\"t\"}}}",
			    "r.example/team/app", out);
	assert_int_equal(count, 3);
	assert_str(out[0].username, "near");
	assert_str(out[1].username, "wide");
	assert_str(out[2].identity_token, "t");
}

static int teardown(void **state)
{
	arena_done(&a);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),      cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_refused),	      cmocka_unit_test(test_keyring),
		cmocka_unit_test(test_keyring_order),
	};
	return cmocka_run_group_tests(tests, NULL, teardown);
}
