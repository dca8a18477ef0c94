#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "api/convert.h"
#include "api/decode.h"
#include "api/defaults.h"
#include "api/managed_fields.h"
#include "wire_objects.h"

#define NOW_US INT64_C(1700000000000000)

static struct json *parse(struct arena *a, struct str text)
{
	struct json *tree = NULL;
	struct err err;
	if (json_parse(a, text, &tree, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	return tree;
}

static const struct api_kind *kind_of(const struct json *tree)
{
	return api_by_api_version(api_builtin(), json_path_str(tree, "apiVersion"),
				  json_path_str(tree, "kind"));
}

/* What a request body is before the API server's rules look at it. */
static struct json *decoded(struct arena *a, struct str id, const struct json *body)
{
	const struct api_kind *kind = kind_of(body);
	struct json *tree;
	struct err err;
	if (api_normalise(a, api_type(api_builtin(), kind->type), body, NULL, &tree, &err) != RC_OK)
		fail_msg("%.*s: %s", STR_FMT(id), err.text);
	api_default(a, kind, tree);
	return tree;
}

/* ---- What an API server did, step by step ---- */

static bool is_same_list(const struct json *got, const struct json *want)
{
	struct json *x = &(struct json){.type = JSON_OBJECT},
		    *y = &(struct json){.type = JSON_OBJECT};
	CLEANUP_ARENA a = {};
	if (got)
		json_set(&a, json_need_object(&a, x, STR("metadata")), STR("managedFields"),
			 (struct json *)got);
	if (want && want->type == JSON_ARRAY)
		json_set(&a, json_need_object(&a, y, STR("metadata")), STR("managedFields"),
			 (struct json *)want);
	return managed_equal(x, y);
}

static void check_entries(struct str id, const struct json *tree, const struct json *want)
{
	const struct json *got = json_path(tree, "metadata.managedFields");
	CLEANUP_BUF got_text = BUF_INIT(1u << 20);
	CLEANUP_BUF want_text = BUF_INIT(1u << 20);
	json_write(&got_text, got ? got : &(struct json){});
	json_write(&want_text, want);
	if (!is_same_list(got, want))
		fail_msg("%.*s:\n got %s\nwant %s", STR_FMT(id), got_text.data, want_text.data);
}

static struct json *apply_step(struct arena *a, struct str id, const struct json *step,
			       struct json *live)
{
	struct json *body = json_get(step, STR("body")), *tree = NULL;
	struct str want = json_path_str(step, "message");
	struct managed_conflicts conflicts = {};
	struct err err = {};
	enum rc rc = managed_apply(a, kind_of(body), live, body, json_path_str(step, "manager"),
				   json_is_true(json_get(step, STR("force"))), (struct str){},
				   NOW_US, &tree, &conflicts, &err);
	if (!str_is(want, err.text))
		fail_msg("%.*s:\n got %s\nwant %.*s", STR_FMT(id), err.text, STR_FMT(want));
	if (rc != RC_OK)
		return live;
	api_default(a, kind_of(body), tree);
	return tree;
}

/* manager is what a client gives, or its User-Agent. */
static struct json *update_step(struct arena *a, struct str id, const struct json *step,
				struct json *live)
{
	struct json *tree = decoded(a, id, json_get(step, STR("body")));
	managed_update(a, kind_of(tree), live, tree,
		       managed_from_agent(a, json_path_str(step, "manager")), (struct str){},
		       NOW_US);
	return tree;
}

/* Parts of the object as the API server had them. */
static void check_result(struct str id, const struct json *tree, const struct json *want)
{
	for (size_t i = 0; i < json_count(want); i++) {
		const struct json_member *m = &want->object.members[i];
		const struct json *got = json_get(tree, m->key);
		if (m->value->type == JSON_NULL ? !got : json_equal(got, m->value))
			continue;
		wire_assert_same(id, got, m->value);
	}
}

/* The live object as the version of body serves it. */
static struct json *served(struct arena *a, struct json *live, const struct json *body)
{
	if (!live || kind_of(live) == kind_of(body))
		return live;
	return convert_tree(a, kind_of(live), kind_of(body), live);
}

static void run_case(struct arena *a, const struct json *row)
{
	struct str id = json_path_str(row, "id");
	const struct json *steps = json_get(row, STR("steps"));
	struct json *live = NULL;
	for (size_t i = 0; i < json_count(steps); i++) {
		const struct json *step = json_at(steps, i);
		const struct json *want = json_get(step, STR("managedFields"));
		struct json *in_version = served(a, live, json_get(step, STR("body")));
		if (str_is(json_path_str(step, "op"), "apply"))
			live = apply_step(a, id, step, in_version);
		else
			live = update_step(a, id, step, in_version);
		if (want)
			check_entries(id, live, want);
		check_result(id, live, json_get(step, STR("result")));
	}
}

static void recorded_cases_are_repeated(void **state)
{
	CLEANUP_BUF text = BUF_INIT(64u << 20);
	FILE *f = fopen(TEST_DATA "/managed_fields.jsonl", "re");
	assert_non_null(f);
	for (size_t n = 1; n > 0; buf_grew(&text, n))
		n = fread(buf_reserve(&text, 1u << 16), 1, 1u << 16, f);
	fclose(f);
	struct str rest = buf_str(&text), line;
	size_t count = 0;
	for (; rest.len; count++) {
		CLEANUP_ARENA a = {};
		str_cut(rest, '\n', &line, &rest);
		run_case(&a, parse(&a, line));
	}
	assert_true(count > 200);
}

/* ---- Sets ---- */

static struct field_set set_of(struct arena *a, const char *text)
{
	struct field_set set;
	struct err err;
	if (field_set_parse(a, parse(a, str_of(text)), &set, &err) != RC_OK)
		fail_msg("%s", err.text);
	return set;
}

static void assert_set(struct arena *a, struct field_set set, const char *want)
{
	wire_assert_same(STR("set"), field_set_to_json(a, &set), parse(a, str_of(want)));
}

static void sets_are_added_and_taken_away(void **state)
{
	CLEANUP_ARENA a = {};
	struct field_set x = set_of(&a, "{\"f:b\":{\".\":{},\"f:c\":{}},\"f:a\":{}}");
	struct field_set y = set_of(&a, "{\"f:b\":{\"f:c\":{},\"f:d\":{}},\"f:e\":{}}");
	assert_set(&a, x, "{\"f:a\":{},\"f:b\":{\".\":{},\"f:c\":{}}}");
	assert_set(&a, field_set_union(&a, &x, &y),
		   "{\"f:a\":{},\"f:b\":{\".\":{},\"f:c\":{},\"f:d\":{}},\"f:e\":{}}");
	assert_set(&a, field_set_intersection(&a, &x, &y), "{\"f:b\":{\"f:c\":{}}}");
	assert_set(&a, field_set_difference(&a, &x, &y, false), "{\"f:a\":{},\"f:b\":{}}");
	struct field_set b = set_of(&a, "{\"f:b\":{}}");
	assert_set(&a, field_set_difference(&a, &x, &b, false),
		   "{\"f:a\":{},\"f:b\":{\"f:c\":{}}}");
	assert_set(&a, field_set_difference(&a, &x, &b, true), "{\"f:a\":{}}");
	assert_true(field_set_has(&x, "b.c"));
	assert_false(field_set_has(&y, "b"));
	assert_false(field_set_has(&x, "b.x"));
}

static void steps_are_ordered_and_canonical(void **state)
{
	CLEANUP_ARENA a = {};
	assert_set(
		&a,
		set_of(&a,
		       "{\"i:10\":{},\"i:9\":{},\"v:\\\"b\\\"\":{},\"v:2\":{},\"v:true\":{},"
		       "\"k:{\\\"p\\\":443}\":{},\"k:{\\\"p\\\":80, \\\"a\\\":1}\":{},\"f:z\":{},"
		       "\"k:{\\\"p\\\":80}\":{},\"x:new\":{\"f:y\":{}}}"),
		"{\"f:z\":{},\"k:{\\\"a\\\":1,\\\"p\\\":80}\":{},\"k:{\\\"p\\\":80}\":{},"
		"\"k:{\\\"p\\\":443}\":{},\"v:2\":{},\"v:\\\"b\\\"\":{},\"v:true\":{},\"i:9\":{},"
		"\"i:10\":{}}");
	static const char *const bad[] = {"{\"k:{\":{}}", "{\"k:1\":{}}", "{\"f:a\":1}", "[]",
					  "{\"v:\":{}}"};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct field_set set;
		assert_int_equal(field_set_parse(&a, parse(&a, str_of(bad[i])), &set, NULL),
				 RC_BAD_REQUEST);
	}
}

/* ---- Entries ---- */

static size_t entry_count(const struct json *tree)
{
	return json_count(json_path(tree, "metadata.managedFields"));
}

static void old_updates_go_together(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_kind *kind = api_by_stored(api_builtin(), KIND_CONFIG_MAP);
	struct json *live = NULL;
	for (int i = 0; i < 15; i++) {
		struct json *tree = live ? json_copy(&a, live)
					 : decoded(&a, STR(""),
						   parse(&a, STR("{\"kind\":\"ConfigMap\","
								 "\"apiVersion\":\"v1\"}")));
		json_set_str(&a, json_need_object(&a, tree, STR("data")),
			     arena_printf(&a, "key-%d", i), STR("x"));
		managed_update(&a, kind, live, tree, arena_printf(&a, "manager-%02d", i),
			       (struct str){}, NOW_US + i * 1000000);
		live = tree;
	}
	assert_int_equal(entry_count(live), MANAGED_UPDATERS_MAX);
	const struct json *list = json_path(live, "metadata.managedFields");
	assert_true(str_is(json_path_str(json_at(list, 0), "manager"), "ancient-changes"));
	assert_int_equal(json_count(json_path(json_at(list, 0), "fieldsV1.f:data")), 7);
}

static void subresources_own_their_part(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_kind *kind = api_by_stored(api_builtin(), KIND_POD);
	struct json *live = decoded(&a, STR(""),
				    parse(&a, STR("{\"kind\":\"Pod\",\"apiVersion\":\"v1\","
						  "\"metadata\":{\"name\":\"p\"},\"spec\":"
						  "{\"containers\":[{\"name\":\"c\",\"image\":"
						  "\"i\"}]},\"status\":{\"phase\":\"Pending\"}}")));
	managed_update(&a, kind, NULL, live, STR("m"), (struct str){}, NOW_US);
	const struct json *list = json_path(live, "metadata.managedFields");
	assert_null(json_path(json_at(list, 0), "fieldsV1.f:status"));
	struct json *tree = json_copy(&a, live);
	json_set_str(&a, json_get(tree, STR("status")), STR("phase"), STR("Running"));
	managed_update(&a, kind, live, tree, STR("kubelet"), STR("status"), NOW_US);
	list = json_path(tree, "metadata.managedFields");
	assert_int_equal(json_count(list), 2);
	assert_true(str_is(json_path_str(json_at(list, 0), "subresource"), "status"));
	assert_non_null(json_path(json_at(list, 0), "fieldsV1.f:status.f:phase"));
	assert_true(managed_equal(tree, tree));
	assert_false(managed_equal(live, tree));
}

static void custom_resources_go_by_their_schema(void **state)
{
	CLEANUP_ARENA a = {};
	struct api_kind kind = {.group = STR("g.test"),
				.version = STR("v1"),
				.kind = STR("Thing"),
				.api_version = STR("g.test/v1")};
	struct json *schema =
		parse(&a, STR("{\"type\":\"object\",\"properties\":{\"spec\":{\"type\":\"object\","
			      "\"properties\":{"
			      "\"plain\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},"
			      "\"items\":{\"type\":"
			      "\"array\",\"x-kubernetes-list-type\":\"map\",\"x-kubernetes-list-"
			      "map-keys\":[\"id\"],"
			      "\"items\":{\"type\":\"object\",\"properties\":{\"id\":{\"type\":"
			      "\"integer\"},\"v\":"
			      "{\"type\":\"string\"}}}},\"free\":{\"type\":\"object\","
			      "\"x-kubernetes-preserve-unknown-fields\":true}}}}}"));
	struct managed_request q = {.kind = &kind,
				    .schema = schema_ref_custom(schema),
				    .manager = STR("one"),
				    .now_us = NOW_US,
				    .is_custom = true};
	struct json *config =
		parse(&a, STR("{\"apiVersion\":\"g.test/"
			      "v1\",\"kind\":\"Thing\",\"metadata\":{\"name\":\"t\"},\"spec\":"
			      "{\"plain\":[\"a\"],\"items\":[{\"id\":1,\"v\":\"x\"}],\"free\":{"
			      "\"deep\":{\"er\":1}}}}"));
	struct json *tree;
	struct err err;
	if (managed_apply_with(&a, &q, NULL, config, &tree, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	wire_assert_same(
		STR("custom"),
		json_path(json_at(json_path(tree, "metadata.managedFields"), 0), "fieldsV1"),
		parse(&a,
		      STR("{\"f:spec\":{\"f:free\":{\"f:deep\":{\".\":{},\"f:er\":{}}},\"f:items\":"
			  "{\"k:{\\\"id\\\":1}\":{\".\":{},\"f:id\":{},\"f:v\":{}}},"
			  "\"f:plain\":{}}}")));
	struct json *other = json_copy(&a, config);
	json_set_str(&a, json_at(json_path(other, "spec.items"), 0), STR("v"), STR("y"));
	q.manager = STR("two");
	assert_int_equal(managed_apply_with(&a, &q, tree, other, &tree, NULL, &err), RC_CONFLICT);
	assert_string_equal(err.text, "Apply failed with 1 conflict: conflict with \"one\": "
				      ".spec.items[id=1].v");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_are_added_and_taken_away),
		cmocka_unit_test(steps_are_ordered_and_canonical),
		cmocka_unit_test(old_updates_go_together),
		cmocka_unit_test(subresources_own_their_part),
		cmocka_unit_test(custom_resources_go_by_their_schema),
		cmocka_unit_test(recorded_cases_are_repeated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
