#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "literal.h"
#include "little_server.h"
#include "sync/http_client.h"
#include "sync/workqueue.h"

/* --- cache --- */

static void cache_is_ordered_and_indexed(void **state)
{
	struct cache *c = literal_cache(
		"kind: Pod\n"
		"apiVersion: v1\n"
		"metadata: {name: b, namespace: ny, ownerReferences: [{uid: u1, "
		"kind: ReplicaSet, name: r, apiVersion: apps/v1, controller: true}]}\n"
		"spec: {nodeName: n1}\n"
		"---\n"
		"kind: Pod\n"
		"apiVersion: v1\n"
		"metadata: {name: a, namespace: ny}\n"
		"---\n"
		"kind: Pod\n"
		"apiVersion: v1\n"
		"metadata: {name: z, namespace: nx}\n"
		"spec: {nodeName: n1}\n");
	const char *const order[] = {"z", "a", "b"};
	struct object *o;
	size_t i = 0;
	for (struct cache_iter it = cache_iterate(c, KIND_POD, (struct str){});
	     (o = cache_next(&it));)
		assert_true(str_is(o->name, order[i++]));
	assert_int_equal(i, 3);
	struct cache_iter it = cache_iterate(c, KIND_POD, STR("nx"));
	assert_true(str_is(cache_next(&it)->name, "z"));
	assert_null(cache_next(&it));
	it = cache_owned(c, KIND_POD, STR("ny"), STR("u1"));
	assert_true(str_is(cache_next(&it)->name, "b"));
	assert_null(cache_next(&it));
	it = cache_orphans(c, KIND_POD, STR("ny"));
	assert_true(str_is(cache_next(&it)->name, "a"));
	assert_null(cache_next(&it));
	it = cache_on_node(c, STR("n1"));
	assert_true(str_is(cache_next(&it)->name, "z"));
	assert_true(str_is(cache_next(&it)->name, "b"));
	cache_drop(c, KIND_POD, STR("ny"), STR("b"));
	it = cache_owned(c, KIND_POD, STR("ny"), STR("u1"));
	assert_null(cache_next(&it));
	assert_null(cache_get(c, KIND_POD, STR("ny"), STR("b")));
	assert_non_null(cache_get(c, KIND_POD, STR("ny"), STR("a")));
	cache_free(c);
}

static void cache_holds_many(void **state)
{
	struct cache *c = cache_new_literal(api_builtin());
	CLEANUP_ARENA a = {};
	for (unsigned i = 0; i < 3000; i++) {
		struct json *tree = json_object(&a);
		json_set_str(&a, tree, STR("kind"), STR("ConfigMap"));
		json_set_str(&a, tree, STR("apiVersion"), STR("v1"));
		json_set_str(&a, json_need_object(&a, tree, STR("metadata")), STR("name"),
			     arena_printf(&a, "m%04u", i * 7919 % 3000));
		struct object *o = literal_object(&a, tree, i + 1);
		cache_put(c, o);
		object_unref(o);
	}
	struct object *o, *before = NULL;
	size_t count = 0;
	for (struct cache_iter it = cache_iterate(c, KIND_CONFIG_MAP, STR("default"));
	     (o = cache_next(&it)); count++, before = o)
		assert_true(!before || str_cmp(before->name, o->name) < 0);
	assert_int_equal(count, 3000);
	for (unsigned i = 0; i < 3000; i += 2)
		cache_drop(c, KIND_CONFIG_MAP, STR("default"), arena_printf(&a, "m%04u", i));
	assert_int_equal(cache_count(c, KIND_CONFIG_MAP), 1500);
	assert_null(cache_get(c, KIND_CONFIG_MAP, STR("default"), STR("m0100")));
	assert_non_null(cache_get(c, KIND_CONFIG_MAP, STR("default"), STR("m0101")));
	cache_free(c);
}

/* --- work queue --- */

static void count_ready(void *ctx)
{
	++*(int *)ctx;
}

static void keys_run_once(void **state)
{
	struct loop *loop = loop_new();
	int ready = 0;
	struct workqueue *q = workqueue_new(loop, "test", 3, count_ready, &ready);
	workqueue_add(q, STR("ns"), STR("a"));
	workqueue_add(q, STR("ns"), STR("a"));
	workqueue_add(q, STR(""), STR("b"));
	assert_int_equal(workqueue_waiting(q), 2);
	assert_int_equal(ready, 1);
	struct work_key *a = workqueue_take(q), *b = workqueue_take(q);
	assert_null(workqueue_take(q));
	assert_true(str_is(a->namespace, "ns") && str_is(a->name, "a"));
	assert_true(str_is(b->namespace, "") && str_is(b->name, "b"));
	workqueue_add(q, STR("ns"), STR("a"));
	assert_null(workqueue_take(q));
	workqueue_done(a);
	a = workqueue_take(q);
	assert_non_null(a);
	workqueue_retry(a, "why");
	assert_null(workqueue_take(q));
	while (!(a = workqueue_take(q)))
		loop_run_once(loop, 50);
	assert_int_equal(a->failures, 1);
	assert_true(str_is(a->last_error, "why"));
	workqueue_add(q, STR("ns"), STR("c"));
	workqueue_add(q, STR("ns"), STR("d")); /* one too many */
	assert_int_equal(workqueue_waiting(q), 1);
	workqueue_done(a);
	workqueue_free(q);
	loop_free(loop);
}

/* --- the driver --- */

static unsigned plans_made;

static void plan_copy(struct plan *p, struct str namespace, struct str name)
{
	plans_made++;
	const struct object *o = cache_get(p->cache, KIND_CONFIG_MAP, namespace, name);
	struct str copy = arena_printf(p->arena, "%.*s-copy", STR_FMT(name));
	if (!o || str_has_suffix(name, STR("-copy")) ||
	    cache_get(p->cache, KIND_CONFIG_MAP, namespace, copy))
		return;
	struct config_map map = {.metadata = {.name = copy}};
	plan_create(p, KIND_CONFIG_MAP, namespace, &map);
	plan_event_when(p, PLAN_NOTE_NAMED, o, "copier", "Normal", "Copied", "Copied to ");
	plan_event_when(p, PLAN_NOTE_FAILED, o, "copier", "Warning", "Failed", "No copy: ");
}

static const struct controller_watch copy_watches[] = {{KIND_CONFIG_MAP, NULL}};
static const struct controller copier = {.name = "copier",
					 .service_account = "copier",
					 .watches = copy_watches,
					 .watch_count = 1,
					 .plan = plan_copy};

static const struct event *only_event(struct little_server *s)
{
	assert_int_equal(cache_count(s->cache, KIND_EVENT), 1);
	struct cache_iter it = cache_iterate(s->cache, KIND_EVENT, (struct str){});
	return object_view(cache_next(&it));
}

static void driver_acts_and_records(void **state)
{
	static const struct controller *const rows[] = {&copier};
	struct little_server s;
	little_start(&s);
	literal_put(s.cache, "kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\n");
	struct reconciler *r = reconciler_new(s.cache, little_client, &s, rows, 1, NULL);
	little_settle(&s, r);
	assert_non_null(cache_get(s.cache, KIND_CONFIG_MAP, STR("default"), STR("m-copy")));
	const struct event *e = only_event(&s);
	assert_true(str_is(e->reason, "Copied"));
	assert_true(str_is(e->message, "Copied to m-copy"));
	assert_true(str_is(e->source.component, "copier"));
	assert_true(str_has_prefix(e->metadata.name, STR("m.")));
	assert_int_equal(e->count, 1);
	/* The same again raises its count. */
	cache_drop(s.cache, KIND_CONFIG_MAP, STR("default"), STR("m-copy"));
	literal_put(s.cache,
		    "kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\ndata: {a: b}\n");
	little_settle(&s, r);
	assert_int_equal(only_event(&s)->count, 2);
	reconciler_free(r);
	little_stop(&s);
}

static void driver_tries_again(void **state)
{
	static const struct controller *const rows[] = {&copier};
	struct little_server s;
	little_start(&s);
	s.fail_create = RC_INVALID;
	s.fail_kind = KIND_CONFIG_MAP;
	literal_put(s.cache, "kind: ConfigMap\napiVersion: v1\nmetadata: {name: m}\n");
	struct reconciler *r = reconciler_new(s.cache, little_client, &s, rows, 1, NULL);
	plans_made = 0;
	log_setup(LOG_LEVEL_ERROR, false);
	while (plans_made < 3)
		loop_run_once(s.client.loop, 20);
	assert_true(str_is(only_event(&s)->message, "No copy: refused by the test"));
	s.fail_create = RC_OK;
	while (!cache_get(s.cache, KIND_CONFIG_MAP, STR("default"), STR("m-copy")))
		loop_run_once(s.client.loop, 20);
	reconciler_free(r);
	little_stop(&s);
}

/* --- HTTP --- */

static void paths_are_built(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_kind *pods = api_by_stored(api_builtin(), KIND_POD);
	const struct api_kind *sets = api_by_stored(api_builtin(), KIND_REPLICA_SET);
	const struct api_kind *nodes = api_by_stored(api_builtin(), KIND_NODE);
	const struct {
		struct client_request request;
		const char *path;
	} rows[] = {
		{{.verb = CLIENT_CREATE,
		  .kind = pods,
		  .namespace = STR("a"),
		  .name = STR("p"),
		  .field_manager = STR("me")},
		 "/api/v1/namespaces/a/pods?fieldManager=me"},
		{{.verb = CLIENT_CREATE,
		  .kind = pods,
		  .namespace = STR("a"),
		  .name = STR("p"),
		  .subresource = STR("binding")},
		 "/api/v1/namespaces/a/pods/p/binding"},
		{{.verb = CLIENT_UPDATE,
		  .kind = sets,
		  .namespace = STR("a"),
		  .name = STR("r/s"),
		  .subresource = STR("status")},
		 "/apis/apps/v1/namespaces/a/replicasets/r%2Fs/status"},
		{{.verb = CLIENT_APPLY,
		  .kind = nodes,
		  .name = STR("n"),
		  .field_manager = STR("m e")},
		 "/api/v1/nodes/n?fieldManager=m%20e&force=true"},
		{{.verb = CLIENT_DELETE, .kind = nodes, .name = STR("n")}, "/api/v1/nodes/n"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str path = client_http_path(&a, &rows[i].request);
		assert_string_equal(arena_cstr(&a, path), rows[i].path);
	}
}

static void errors_are_read(void **state)
{
	struct err err;
	const struct {
		int status;
		const char *body;
		enum rc rc;
		const char *text;
	} rows[] = {
		{409, "{\"kind\":\"Status\",\"reason\":\"AlreadyExists\",\"message\":\"there\"}",
		 RC_ALREADY_EXISTS, "there"},
		{410, "{\"kind\":\"Status\",\"reason\":\"Expired\",\"message\":\"old\"}",
		 RC_EXPIRED, "old"},
		{404, "page not found", RC_NOT_FOUND,
		 "the server answered with status 404: page not found"},
		{502, "", RC_INTERNAL, "the server answered with status 502: "},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(client_http_error(rows[i].status, str_of(rows[i].body), &err),
				 rows[i].rc);
		assert_string_equal(err.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cache_is_ordered_and_indexed),
		cmocka_unit_test(cache_holds_many),
		cmocka_unit_test(keys_run_once),
		cmocka_unit_test(driver_acts_and_records),
		cmocka_unit_test(driver_tries_again),
		cmocka_unit_test(paths_are_built),
		cmocka_unit_test(errors_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
