/* Parts of the client verbs without a server: columns, three-way merges, states of rollouts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/change.h"
#include "client/rollout_status.h"
#include "client/tab_writer.h"
#include "client/three_way.h"
#include "rules.h"

static void columns_belong_to_their_block(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"a:\tb\nlonger:\tc\n", "a:       b\nlonger:  c\n"},
		{"a:\tb\nbreak\nlonger:\tc\n", "a:  b\nbreak\nlonger:  c\n"},
		{"a:\tb\n\tc\n", "a:  b\n    c\n"},
		{"x\t\ty\n", "x    y\n"},
		{"é\tb\nab\tc\n", "é   b\nab  c\n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF out = BUF_INIT(4096);
		tab_write(str_of(rows[i].text), &out);
		assert_string_equal(out.data, rows[i].want);
	}
}

static void three_ways_meet(void **state)
{
	static const struct {
		const char *original, *modified, *current, *want; /* "": nothing to do */
	} rows[] = {
		{"{}", "{\"a\":1}", "{\"a\":1,\"b\":2}", ""},
		{"{\"b\":2}", "{\"a\":1}", "{\"a\":1,\"b\":2}", "{\"b\":null}"},
		{"{}", "{\"a\":{\"x\":2}}", "{\"a\":{\"x\":1,\"y\":3}}", "{\"a\":{\"x\":2}}"},
		{"{\"spec\":{\"containers\":[{\"name\":\"old\"}]}}",
		 "{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"b\"}]}}",
		 "{\"spec\":{\"containers\":[{\"name\":\"web\",\"image\":\"a\",\"tty\":true},{\"name\":"
		 "\"old\"},{\"name\":\"other\"}]}}",
		 "{\"spec\":{\"containers\":[{\"image\":\"b\",\"name\":\"web\"},{\"$patch\":\"delete\","
		 "\"name\":\"old\"}],\"$setElementOrder/containers\":[{\"name\":\"web\"}]}}"},
		/* only the order differs, of what the file has */
		{"{}", "{\"spec\":{\"initContainers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}",
		 "{\"spec\":{\"initContainers\":[{\"name\":\"a\"},{\"name\":\"x\"},{\"name\":\"b\"}]}}",
		 "{\"spec\":{\"$setElementOrder/initContainers\":[{\"name\":\"b\"},{\"name\":\"a\"}]}}"},
		{"{}", "{\"spec\":{\"initContainers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}}",
		 "{\"spec\":{\"initContainers\":[{\"name\":\"x\"},{\"name\":\"a\"},{\"name\":\"b\"}]}}",
		 ""},
		/* a scalar goes, and another one's stays */
		{"{\"metadata\":{\"finalizers\":[\"a/a\",\"b/b\"]}}",
		 "{\"metadata\":{\"finalizers\":[\"b/b\"]}}",
		 "{\"metadata\":{\"finalizers\":[\"a/a\",\"b/b\",\"c/c\"]}}",
		 "{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"a/a\"],"
		 "\"$setElementOrder/finalizers\":[\"b/b\"]}}"},
		/* a volume has one source */
		{"{}", "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"configMap\":{\"name\":\"c\"}}]}}",
		 "{\"spec\":{\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}}]}}",
		 "{\"spec\":{\"volumes\":[{\"configMap\":{\"name\":\"c\"},\"$retainKeys\":[\"name\","
		 "\"configMap\"],\"name\":\"v\"}],\"$setElementOrder/volumes\":[{\"name\":\"v\"}]}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF out = BUF_INIT(4096);
		const struct api_kind *pods =
			api_by_resource(api_builtin(), STR(""), STR("v1"), STR("pods"));
		struct json *patch = three_way_patch(
			&a, api_type(api_builtin(), pods->type), parsed(&a, rows[i].original),
			parsed(&a, rows[i].modified), parsed(&a, rows[i].current));
		if (patch)
			json_write(&out, patch);
		if (!str_is(buf_str(&out), rows[i].want))
			fail_msg("row %zu gave '%.*s'", i, STR_FMT(buf_str(&out)));
	}
}

static void a_merge_patch_is_small(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(4096);
	struct json *before = parsed(&a, "{\"a\":1,\"b\":{\"c\":2,\"d\":3},\"e\":[1]}");
	struct json *after = parsed(&a, "{\"a\":1,\"b\":{\"c\":4},\"e\":[1,2]}");
	assert_null(merge_patch_between(&a, before, before));
	json_write(&out, merge_patch_between(&a, before, after));
	assert_string_equal(out.data, "{\"b\":{\"c\":4,\"d\":null},\"e\":[1,2]}");
}

static void rollouts_have_words(void **state)
{
	static const struct {
		const char *object, *want;
		bool is_done;
	} rows[] = {
		{"{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"w\",\"generation\":2},\"status\":{"
		 "\"observedGeneration\":1}}",
		 "Waiting for deployment spec update to be observed...\n", false},
		{"{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"replicas\":3},"
		 "\"status\":{\"updatedReplicas\":1,\"replicas\":3}}",
		 "Waiting for deployment \"w\" rollout to finish: 1 out of 3 new replicas have been "
		 "updated...\n",
		 false},
		{"{\"kind\":\"Deployment\",\"metadata\":{\"name\":\"w\"},\"spec\":{\"replicas\":1},"
		 "\"status\":{\"updatedReplicas\":1,\"replicas\":1,\"availableReplicas\":1}}",
		 "deployment \"w\" successfully rolled out\n", true},
		{"{\"kind\":\"StatefulSet\",\"metadata\":{\"name\":\"s\"},\"spec\":{\"replicas\":2,"
		 "\"updateStrategy\":{\"type\":\"RollingUpdate\"}},\"status\":{\"observedGeneration\":1,"
		 "\"readyReplicas\":1}}",
		 "Waiting for 1 pods to be ready...\n", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct str text;
		struct err err;
		bool is_done;
		if (rollout_status_text(&a, parsed(&a, rows[i].object), 0, &text, &is_done, &err) !=
		    RC_OK)
			fail_msg("%s", err.text);
		if (!str_is(text, rows[i].want))
			fail_msg("row %zu: '%.*s'", i, STR_FMT(text));
		assert_int_equal(is_done, rows[i].is_done);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_belong_to_their_block),
		cmocka_unit_test(three_ways_meet),
		cmocka_unit_test(a_merge_patch_is_small),
		cmocka_unit_test(rollouts_have_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
