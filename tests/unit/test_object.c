#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "api/api_ids.h"
#include "api/object.h"
#include "api/views.h"
#include "wire_objects.h"

static struct object *object_of(uint16_t stored_id, const char *text, int64_t revision)
{
	CLEANUP_ARENA a = {};
	struct object *o = NULL;
	struct json *tree;
	struct err err;
	const struct api_kind *kind = api_by_stored(api_builtin(), stored_id);
	if (json_parse(&a, str_of(text), &tree, NULL, &err) != RC_OK ||
	    object_new(kind, tree, revision, &o, &err) != RC_OK)
		fail_msg("%s", err.text);
	return o;
}

static void assert_text(const struct object *o, const char *want)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_MAX_BYTES);
	object_write(&text, o);
	assert_string_equal(text.data, want);
	assert_int_equal(object_size(o), text.len);
}

static void parts_are_in_canonical_order(void **state)
{
	struct object *o = object_of(KIND_POD,
				     "{\"status\":{},\"metadata\":{\"managedFields\":[{\"manager\":"
				     "\"m\"}],\"labels\":{\"a\":\"<b>\","
				     "\"c\":\"\"},\"uid\":\"u\",\"resourceVersion\":\"99\","
				     "\"namespace\":\"n\",\"generation\":3,"
				     "\"name\":\"x\",\"deletionTimestamp\":\"2026-01-01T00:00:"
				     "00Z\"},\"spec\":{\"nodeName\":\"w\"}}",
				     17);
	assert_text(
		o,
		"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
		"\"namespace\":\"n\","
		"\"uid\":\"u\",\"resourceVersion\":\"17\",\"generation\":3,\"deletionTimestamp\":"
		"\"2026-01-01T00:00:00Z\",\"labels\":{\"a\":\"\\u003cb\\u003e\",\"c\":\"\"},"
		"\"managedFields\":[{\"manager\":\"m\"}]},\"status\":{},\"spec\":{\"nodeName\":"
		"\"w\"}}");
	assert_true(str_is(o->name, "x"));
	assert_true(str_is(o->namespace, "n"));
	assert_true(str_is(o->uid, "u"));
	assert_int_equal(o->generation, 3);
	assert_true(o->is_deleting);
	assert_true(str_is(object_label(o, STR("a")), "<b>"));
	assert_non_null(object_label(o, STR("c")).at);
	assert_null(object_label(o, STR("d")).at);
	assert_true(str_is(o->managed, ",\"managedFields\":[{\"manager\":\"m\"}]"));
	object_unref(o);
}

static void without_a_revision_the_member_is_left_out(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"{\"metadata\":{\"name\":\"x\"}}",
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\"}}"},
		{"{\"metadata\":{\"generation\":1}}",
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"generation\":1}}"},
		{"{\"metadata\":{\"name\":\"x\",\"generation\":1},\"spec\":{}}",
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"x\","
		 "\"generation\":1},"
		 "\"spec\":{}}"},
		{"{}", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}}"},
		{"{\"metadata\":{\"managedFields\":[{}]}}",
		 "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"managedFields\":[{}]}}"},
		{"{\"metadata\":7}", "{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct object *o = object_of(KIND_POD, rows[i].text, 0);
		assert_text(o, rows[i].want);
		assert_null(json_path(object_tree(&a, o), "metadata.resourceVersion"));
		object_set_revision(o, 5);
		assert_true(
			str_is(json_path_str(object_tree(&a, o), "metadata.resourceVersion"), "5"));
		assert_true(str_is(object_meta(o)->resource_version, "5"));
		object_unref(o);
	}
}

static void what_is_written_is_read_again(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct wire_object *w = &all.items[i];
		struct object *o = NULL, *again = NULL;
		if (!w->kind)
			continue;
		int64_t revision = 0;
		assert_true(
			str_to_i64(json_path_str(w->json, "metadata.resourceVersion"), &revision));
		assert_int_equal(object_new(w->kind, w->json, revision, &o, NULL), RC_OK);
		wire_assert_same(w->path, object_tree(&all.arena, o), w->json);
		CLEANUP_BUF text = BUF_INIT(OBJECT_MAX_BYTES);
		object_write(&text, o);
		assert_int_equal(object_parse(w->kind, buf_str(&text), revision, &again, NULL),
				 RC_OK);
		assert_text(again, text.data);
		assert_true(str_eq(object_meta(again)->uid, again->uid));
		object_unref(o);
		object_unref(again);
	}
	wire_objects_done(&all);
}

static struct object *config_map(struct arena *a, const char *text, int64_t revision)
{
	struct json *tree;
	struct object *o = NULL;
	const struct api_kind *kind =
		api_by_api_version(api_builtin(), STR("v1"), STR("ConfigMap"));
	assert_int_equal(json_parse(a, str_of(text), &tree, NULL, NULL), RC_OK);
	assert_int_equal(object_new(kind, tree, revision, &o, NULL), RC_OK);
	return o;
}

static void the_same_state_shares_its_bytes(void **state)
{
	static const char one[] = "{\"metadata\":{\"name\":\"a\",\"labels\":{\"b\":\"c\"}}}";
	static const char other[] = "{\"metadata\":{\"name\":\"a\",\"labels\":{\"b\":\"d\"}}}";
	CLEANUP_ARENA a = {};
	struct object *first = config_map(&a, one, 5), *last = config_map(&a, one, 9);
	struct object *third = config_map(&a, one, 11), *changed = config_map(&a, other, 12);
	object_share(&last, first);
	object_share(&third, last);
	object_share(&changed, first);
	assert_ptr_equal(last->head.at, first->head.at);
	assert_ptr_equal(third->base, first);
	assert_null(changed->base);
	object_unref(first); /* its bytes stay */
	object_unref(last);
	assert_true(str_is(object_label(third, STR("b")), "c"));
	assert_true(str_is(object_meta(third)->resource_version, "11"));
	assert_true(str_is(object_label(changed, STR("b")), "d"));
	object_unref(third);
	object_unref(changed);
}

static void too_large_is_refused(void **state)
{
	CLEANUP_ARENA a = {};
	struct object *o = NULL;
	struct err err;
	char *big = arena_alloc(&a, OBJECT_MAX_BYTES);
	memset(big, 'x', OBJECT_MAX_BYTES);
	struct json *tree = json_object(&a);
	json_set_str(&a, tree, STR("data"), str_n(big, OBJECT_MAX_BYTES));
	const struct api_kind *kind = api_by_stored(api_builtin(), KIND_CONFIG_MAP);
	assert_int_equal(object_new(kind, tree, 1, &o, &err), RC_TOO_LARGE);
	assert_int_equal(object_new(kind, json_array(&a), 1, &o, &err), RC_BAD_REQUEST);
	assert_int_equal(object_parse(kind, STR("{\"metadata\":"), 1, &o, &err), RC_BAD_REQUEST);
	assert_null(o);
}

static void *view_in_thread(void *o)
{
	return (void *)object_view(o);
}

static void all_threads_get_one_view(void **state)
{
	struct object *o = object_of(
		KIND_POD, "{\"metadata\":{\"name\":\"x\"},\"spec\":{\"nodeName\":\"w\"}}", 1);
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, view_in_thread, o), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *view;
		pthread_join(threads[i], &view);
		assert_ptr_equal(view, object_view(o));
	}
	const struct pod *pod = object_view(o);
	assert_true(str_is(pod->spec.node_name, "w"));
	assert_ptr_equal(object_meta(o), &pod->metadata);
	assert_ptr_equal(object_ref(o), o);
	object_unref(o);
	object_unref(o);
	object_unref(NULL);
	assert_null(object_ref(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_in_canonical_order),
		cmocka_unit_test(without_a_revision_the_member_is_left_out),
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(the_same_state_shares_its_bytes),
		cmocka_unit_test(too_large_is_refused),
		cmocka_unit_test(all_threads_get_one_view),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
