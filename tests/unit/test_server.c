/* The pure pieces of src/server: what a request line, its query and its headers mean, and in which
 * words they are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "server/continue_token.h"
#include "server/list_options.h"
#include "server/negotiate.h"
#include "server/route.h"

static void check_str(struct str got, const char *want, const char *about)
{
	if (want ? !got.at || !str_is(got, want) : got.at != NULL)
		fail_msg("%s: got '%.*s', want '%s'", about, STR_FMT(got),
			 want ? want : "(absent)");
}

/* "/path?query" */
static struct request request_for(const char *method, const char *target)
{
	struct request r = {.method = str_of(method)};
	if (!str_cut(str_of(target), '?', &r.path, &r.query))
		r.query = STR("");
	route_parse(&r);
	return r;
}

/* ---- paths ---- */

static const struct {
	const char *method, *target, *verb, *resource, *namespace, *name, *subresource;
	bool has_kind, has_sub;
} routes[] = {
	{"GET", "/api/v1/pods", "list", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/pods/", "list", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/namespaces/a/pods", "list", "pods", "a", NULL, NULL, true, false},
	{"GET", "/api/v1/namespaces/a/pods/b", "get", "pods", "a", "b", NULL, true, false},
	{"HEAD", "/api/v1/namespaces/a/pods/b", "get", "pods", "a", "b", NULL, true, false},
	{"GET", "/api/v1/pods?watch=1", "watch", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/pods?watch=true", "watch", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/pods?watch", "watch", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/pods?watch=0", "list", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/pods?watch=false", "list", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/watch/pods", "watch", "pods", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/watch/namespaces/a/pods/b", "watch", "pods", "a", "b", NULL, true, false},
	{"GET", "/api/v1/namespaces/a/pods/b?watch=1", "get", "pods", "a", "b", NULL, true, false},
	{"POST", "/api/v1/namespaces/a/pods", "create", "pods", "a", NULL, NULL, true, false},
	{"PUT", "/api/v1/namespaces/a/pods/b", "update", "pods", "a", "b", NULL, true, false},
	{"PATCH", "/api/v1/namespaces/a/pods/b", "patch", "pods", "a", "b", NULL, true, false},
	{"DELETE", "/api/v1/namespaces/a/pods/b", "delete", "pods", "a", "b", NULL, true, false},
	{"DELETE", "/api/v1/namespaces/a/pods", "deletecollection", "pods", "a", NULL, NULL, true,
	 false},
	{"GET", "/api/v1/namespaces/a/pods/b/status", "get", "pods", "a", "b", "status", true,
	 true},
	{"GET", "/api/v1/namespaces/a/pods/b/log", "get", "pods", "a", "b", "log", true, true},
	{"POST", "/api/v1/namespaces/a/pods/b/exec", "create", "pods", "a", "b", "exec", true,
	 true},
	{"GET", "/api/v1/namespaces/a/pods/b/proxy/c/d", "get", "pods", "a", "b", "proxy", true,
	 true},
	{"POST", "/api/v1/namespaces/a/pods/b/eviction", "create", "pods", "a", "b", "eviction",
	 true, true},
	{"GET", "/api/v1/namespaces/a/pods/b/status/c", "get", "pods", "a", "b", "status", false,
	 true},
	{"GET", "/api/v1/namespaces/a/pods/b/nothing", "get", "pods", "a", "b", "nothing", false,
	 false},
	{"GET", "/api/v1/namespaces", "list", "namespaces", NULL, NULL, NULL, true, false},
	{"GET", "/api/v1/namespaces/a", "get", "namespaces", "a", "a", NULL, true, false},
	{"PUT", "/api/v1/namespaces/a/status", "update", "namespaces", "a", "a", "status", true,
	 true},
	{"PUT", "/api/v1/namespaces/a/finalize", "update", "namespaces", "a", "a", "finalize", true,
	 true},
	{"GET", "/api/v1/nodes/a", "get", "nodes", NULL, "a", NULL, true, false},
	{"GET", "/api/v1/nothing", "list", "nothing", NULL, NULL, NULL, false, false},
	{"GET", "/api/v2/pods", "list", "pods", NULL, NULL, NULL, false, false},
	{"GET", "/apis/apps/v1/namespaces/a/deployments/b/scale", "get", "deployments", "a", "b",
	 "scale", true, true},
	{"GET", "/apis/nothing.io/v1/things", "list", "things", NULL, NULL, NULL, false, false},
	/* of cluster scope, named below a namespace: judged by the wrong roles otherwise */
	{"GET", "/api/v1/namespaces/a/nodes/b", "get", "nodes", "a", "b", NULL, false, false},
	{"GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/a/clusterroles", "list",
	 "clusterroles", "a", NULL, NULL, false, false},
	/* of a namespace, named without one */
	{"GET", "/api/v1/pods/b", "get", "pods", NULL, "b", NULL, false, false},
	/* escapes are undone in the segments, and what comes out names no other path */
	{"GET", "/api/v1/namespaces/a/pods/b%63", "get", "pods", "a", "bc", NULL, true, false},
	{"GET", "/api/v1/namespaces/a/pods/b%2fstatus", "get", "pods", "a", "b/status", NULL, false,
	 false},
	{"GET", "/api/v1/namespaces/a/pods/..", "get", "pods", "a", "..", NULL, true, false},
};

static void test_routes(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct request r = request_for(routes[i].method, routes[i].target);
		const char *about = routes[i].target;
		assert_true(r.route.is_resource);
		check_str(r.route.authz_verb, routes[i].verb, about);
		check_str(r.route.resource, routes[i].resource, about);
		check_str(r.route.namespace, routes[i].namespace, about);
		check_str(r.route.name, routes[i].name, about);
		check_str(r.route.subresource, routes[i].subresource, about);
		if ((r.route.kind != NULL) != routes[i].has_kind ||
		    (r.route.sub != NULL) != routes[i].has_sub)
			fail_msg("%s %s: kind %d, sub %d", routes[i].method, about,
				 r.route.kind != NULL, r.route.sub != NULL);
		arena_done(&r.arena);
	}
}

static void test_routes_that_are_no_resource(void **state)
{
	static const struct {
		const char *method, *target, *verb;
	} rows[] = {
		{"GET", "/", "get"},
		{"GET", "/version", "get"},
		{"GET", "/api", "get"},
		{"GET", "/api/v1", "get"},
		{"GET", "/apis", "get"},
		{"GET", "/apis/apps", "get"},
		{"GET", "/apis/apps/v1", "get"},
		{"POST", "/version", "post"},
		{"DELETE", "/metrics", "delete"},
		{"GET", "/openapi/v3/apis/apps/v1", "get"},
		{"GET", "//api//v1", "get"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct request r = request_for(rows[i].method, rows[i].target);
		if (r.route.is_resource || r.route.kind)
			fail_msg("%s is taken for a resource", rows[i].target);
		check_str(r.route.authz_verb, rows[i].verb, rows[i].target);
		arena_done(&r.arena);
	}
}

/* As deep as anybody likes. */
static void test_long_paths(void **state)
{
	CLEANUP_BUF path = BUF_INIT(1 << 20);
	buf_add_cstr(&path, "/api/v1/namespaces/a/pods/b/proxy");
	for (int i = 0; i < 10000; i++)
		buf_add_cstr(&path, "/x");
	buf_add_char(&path, '\0');
	struct request r = request_for("GET", path.data);
	assert_true(r.route.kind && r.route.sub && r.route.rest.at);
	assert_int_equal(r.route.verb, DO_CONNECT);
	arena_done(&r.arena);
}

/* ---- queries ---- */

static void test_query(void **state)
{
	static const struct {
		const char *query, *name, *value;
	} rows[] = {
		{"a=1&b=2", "a", "1"},
		{"a=1&b=2", "b", "2"},
		{"a=1&b=2", "c", NULL},
		{"a=1&a=2", "a", "1"},
		{"a", "a", ""},
		{"a=", "a", ""},
		{"=a", "a", NULL},
		{"", "a", NULL},
		{"&&a=1&&", "a", "1"},
		{"a=b=c", "a", "b=c"},
		{"a=b%3Dc%26d", "a", "b=c&d"},
		{"a=b+c", "a", "b c"},
		{"a=b%2Bc", "a", "b+c"},
		{"%61=1", "a", "1"},
		{"a=%", "a", NULL},
		{"a=%4", "a", NULL},
		{"a=%zz", "a", NULL},
		{"a=%zz&a=1", "a", "1"},
		{"a=1;b=2&b=3", "b", "3"},
		{"a=1;b=2", "a", NULL},
		{"a=%e2%82%ac", "a", "\xe2\x82\xac"},
		{"ab=1&a=2", "a", "2"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		check_str(query_get(&a, str_of(rows[i].query), rows[i].name), rows[i].value,
			  rows[i].query);
	}
}

static void test_query_repeated(void **state)
{
	CLEANUP_ARENA a = {};
	struct str query = STR("command=ls&x=1&command=-l&command=");
	size_t pos = 0;
	check_str(query_next(&a, query, "command", &pos), "ls", "first");
	check_str(query_next(&a, query, "command", &pos), "-l", "second");
	check_str(query_next(&a, query, "command", &pos), "", "third");
	check_str(query_next(&a, query, "command", &pos), NULL, "end");
}

static void test_options(void **state)
{
	struct request r = request_for(
		"GET", "/api/v1/pods?limit=5&continue=abc&labelSelector=a%3Db&fieldSelector=c%3Dd"
		       "&resourceVersion=7&resourceVersionMatch=Exact&timeoutSeconds=9&dryRun=All"
		       "&force=true&fieldManager=me&fieldValidation=Strict&pretty=true"
		       "&allowWatchBookmarks=1&sendInitialEvents=false");
	const struct options *o = &r.options;
	assert_int_equal(o->limit, 5);
	assert_int_equal(o->timeout_s, 9);
	check_str(o->continue_token, "abc", "continue");
	check_str(o->label_selector, "a=b", "labelSelector");
	check_str(o->field_selector, "c=d", "fieldSelector");
	check_str(o->resource_version, "7", "resourceVersion");
	check_str(o->resource_version_match, "Exact", "resourceVersionMatch");
	check_str(o->field_manager, "me", "fieldManager");
	check_str(o->field_validation, "Strict", "fieldValidation");
	assert_true(o->is_dry_run && o->has_force && o->is_force && o->wants_pretty);
	assert_true(o->allow_bookmarks && o->has_send_initial_events && !o->send_initial_events);
	assert_false(o->is_watch);
	arena_done(&r.arena);
}

/* ---- continue tokens ---- */

static void test_continue_round_trip(void **state)
{
	static const struct {
		int64_t revision;
		const char *namespace, *name;
	} rows[] = {
		{12, "default", "web"}, {1, "", "node-1"},    {-1, "default", "web"},
		{INT64_MAX, "a", "b"},	{7, "", "a.b.c:d_e"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct continue_token in = {rows[i].revision, str_of(rows[i].namespace),
					    str_of(rows[i].name)};
		struct continue_token out;
		struct str text = continue_token_write(&a, &in);
		assert_int_equal(continue_token_parse(&a, text, &out, NULL), RC_OK);
		assert_int_equal(out.revision, in.revision);
		check_str(out.namespace, rows[i].namespace, "namespace");
		check_str(out.name, rows[i].name, "name");
	}
}

/* What other tools read and write. */
static void test_continue_as_upstream(void **state)
{
	CLEANUP_ARENA a = {};
	struct continue_token t = {12, STR("ns"), STR("name")};
	struct str bytes;
	assert_true(base64url_decode(&a, continue_token_write(&a, &t), &bytes));
	check_str(bytes, "{\"v\":\"meta.k8s.io/v1\",\"rv\":12,\"start\":\"ns/name\\u0000\"}",
		  "token");
}

static void test_continue_forged(void **state)
{
	static const struct {
		const char *json, *why;
	} rows[] = {
		{"", "unexpected end of JSON input"},
		{"[]", "does not recognize this encoded version"},
		{"null", "does not recognize this encoded version"},
		{"{\"v\":\"meta.k8s.io/v2\",\"rv\":1,\"start\":\"a\"}", "version meta.k8s.io/v2"},
		{"{\"v\":\"meta.k8s.io/v1\",\"start\":\"a\"}", "start resourceVersion"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":0,\"start\":\"a\"}", "start resourceVersion"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":\"1\",\"start\":\"a\"}",
		 "start resourceVersion"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1}", "start key empty"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":5}", "start key empty"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"../secrets\"}", "../secrets"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"a/../b\"}", "a/../b"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"a//b\"}", "a//b"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"a/\"}", "a/"},
		{"{\"v\":\"meta.k8s.io/v1\",\"rv\":1,\"start\":\"./a\"}", "./a"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		CLEANUP_BUF text = BUF_INIT(4096);
		struct continue_token out;
		struct err err = {};
		base64url_add(&text, str_of(rows[i].json));
		assert_int_equal(continue_token_parse(&a, buf_str(&text), &out, &err),
				 RC_BAD_REQUEST);
		if (!strstr(err.text, "continue key is not valid") ||
		    !strstr(err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].json, err.text);
	}
}

static void test_continue_no_base64(void **state)
{
	static const char *const texts[] = {"%%%", "a b", "YQ==", "a", "\xff"};
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		CLEANUP_ARENA a = {};
		struct continue_token out;
		struct err err = {};
		assert_int_equal(continue_token_parse(&a, str_of(texts[i]), &out, &err),
				 RC_BAD_REQUEST);
		if (!strstr(err.text, "illegal base64"))
			fail_msg("%s: %s", texts[i], err.text);
	}
}

/* ---- list options ---- */

static const struct {
	const char *query;
	int status; /* 0: fine */
	const char *why;
} list_rows[] = {
	{"", 0, NULL},
	{"limit=5", 0, NULL},
	{"limit=-1", 0, NULL},
	{"limit=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"},
	{"limit=99999999999999999999", 400, "value out of range"},
	{"timeoutSeconds=x", 400, "invalid syntax"},
	{"timeoutSeconds=1.5", 400, "invalid syntax"},
	{"resourceVersionMatch=Exact", 422, "is forbidden unless resourceVersion is provided"},
	{"resourceVersionMatch=Exact&resourceVersion=0", 422,
	 "forbidden for resourceVersion \"0\""},
	{"resourceVersionMatch=Exact&resourceVersion=5", 0, NULL},
	{"resourceVersionMatch=NotOlderThan&resourceVersion=0", 0, NULL},
	{"resourceVersionMatch=Some&resourceVersion=5", 422, "supported values"},
	{"resourceVersionMatch=Exact&resourceVersion=5&continue=a", 422,
	 "forbidden when continue is provided"},
	{"sendInitialEvents=true", 422, "sendInitialEvents is forbidden for list"},
	{"watch=1", 0, NULL},
	{"watch=1&resourceVersion=5", 0, NULL},
	{"watch=1&resourceVersion=x", 500, "invalid syntax"},
	{"watch=1&resourceVersion=-5", 500, "invalid syntax"},
	{"watch=1&continue=a", 422, "forbidden when continue is provided"},
	{"watch=1&resourceVersionMatch=Exact", 422, "unless sendInitialEvents is provided"},
	{"watch=1&sendInitialEvents=true", 422, "setting resourceVersionMatch to NotOlderThan"},
	{"watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", 0, NULL},
	{"watch=1&sendInitialEvents=true&resourceVersionMatch=Exact", 422, "supported values"},
};

static void test_list_options(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(list_rows); i++) {
		CLEANUP_BUF target = BUF_INIT(4096);
		buf_printf(&target, "/api/v1/pods?%s", list_rows[i].query);
		buf_add_char(&target, '\0');
		struct request r = request_for("GET", target.data);
		enum step step = list_options_check(&r);
		struct str message = json_path_str(r.reply.tree, "message");
		if (r.reply.status != list_rows[i].status ||
		    (step == STEP_DONE) != (list_rows[i].status != 0))
			fail_msg("%s: %d %.*s", list_rows[i].query, r.reply.status,
				 STR_FMT(message));
		if (list_rows[i].why && !strstr(arena_cstr(&r.arena, message), list_rows[i].why))
			fail_msg("%s: %.*s", list_rows[i].query, STR_FMT(message));
		arena_done(&r.arena);
	}
}

/* ---- negotiation ---- */

#define PROTOBUF "application/vnd.kubernetes.protobuf"
#define TABLE	 "application/json;as=Table;v=v1;g=meta.k8s.io"
#define PARTIAL	 "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"

static const struct offers everything = {true, true, true, false};
static const struct offers stream = {true, true, true, true};
static const struct offers document = {};

static const struct {
	const char *accept;
	const struct offers *offers;
	const char *content_type; /* NULL: 406 */
	enum output_shape shape;
} accepts[] = {
	{"", &everything, "application/json", AS_OBJECT},
	{"*/*", &everything, "application/json", AS_OBJECT},
	{"application/json", &everything, "application/json", AS_OBJECT},
	{"application/json; charset=utf-8", &everything, "application/json", AS_OBJECT},
	{"application/yaml", &everything, "application/yaml", AS_OBJECT},
	{PROTOBUF, &everything, PROTOBUF, AS_OBJECT},
	{PROTOBUF ",application/json", &everything, PROTOBUF, AS_OBJECT},
	{PROTOBUF ",application/json", &document, "application/json", AS_OBJECT},
	{PROTOBUF, &document, NULL, AS_OBJECT},
	{"text/html", &everything, NULL, AS_OBJECT},
	{"text/html, application/json", &everything, "application/json", AS_OBJECT},
	{",,", &everything, NULL, AS_OBJECT},
	{"application/yaml;q=0.5,application/json", &everything, "application/json", AS_OBJECT},
	{"application/json;q=0.5,application/yaml;q=0.9", &everything, "application/yaml",
	 AS_OBJECT},
	{"*/*,application/yaml", &everything, "application/yaml", AS_OBJECT},
	{"text/html,application/*", &everything, "application/json", AS_OBJECT},
	{TABLE, &everything, "application/json", AS_TABLE},
	{TABLE ",application/json", &everything, "application/json", AS_TABLE},
	{TABLE ",application/json", &document, "application/json", AS_OBJECT},
	{TABLE, &document, NULL, AS_OBJECT},
	{"application/json;as=Table;v=v1beta1;g=meta.k8s.io", &everything, "application/json",
	 AS_TABLE},
	{"application/json;as=Table;v=v2;g=meta.k8s.io", &everything, NULL, AS_OBJECT},
	{"application/json;as=Table;v=v1;g=other", &everything, NULL, AS_OBJECT},
	{"application/json;as=Table", &everything, NULL, AS_OBJECT},
	{"application/json;as=Nothing;v=v1;g=meta.k8s.io", &everything, NULL, AS_OBJECT},
	{"application/json ; as=Table ; v=v1 ; g=meta.k8s.io", &everything, "application/json",
	 AS_TABLE},
	{PARTIAL, &everything, "application/json", AS_PARTIAL},
	{PARTIAL, &document, NULL, AS_OBJECT},
	{"application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", &everything,
	 "application/json", AS_PARTIAL_LIST},
	{PROTOBUF ";as=PartialObjectMetadata;v=v1;g=meta.k8s.io", &everything, PROTOBUF,
	 AS_PARTIAL},
	{PROTOBUF, &stream, PROTOBUF ";stream=watch", AS_OBJECT},
	{"application/json", &stream, "application/json", AS_OBJECT},
	{"application/yaml", &stream, NULL, AS_OBJECT},
	{"application/yaml,application/json", &stream, "application/json", AS_OBJECT},
};

static void test_negotiate(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(accepts); i++) {
		CLEANUP_ARENA a = {};
		struct output out = {};
		bool fits = negotiate(&a, str_of(accepts[i].accept), accepts[i].offers, &out);
		if (fits != (accepts[i].content_type != NULL))
			fail_msg("'%s' %s", accepts[i].accept, fits ? "fits" : "does not fit");
		if (!fits)
			continue;
		check_str(out.content_type, accepts[i].content_type, accepts[i].accept);
		if (out.shape != accepts[i].shape)
			fail_msg("'%s': shape %d", accepts[i].accept, out.shape);
	}
}

static void test_media_parameters(void **state)
{
	static const struct {
		const char *type, *name, *value;
	} rows[] = {
		{"a/b;c=d", "c", "d"},	   {"a/b; c = d ", "c", "d"}, {"a/b", "c", NULL},
		{"a/b;c=", "c", ""},	   {"a/b;c", "c", NULL},      {"a/b;cc=d", "c", NULL},
		{"a/b;x=1;c=d", "c", "d"}, {";c=d", "c", "d"},	      {"", "c", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_str(media_parameter(str_of(rows[i].type), rows[i].name), rows[i].value,
			  rows[i].type);
	check_str(media_base(STR(" application/json ; charset=utf-8")), "application/json", "base");
}

/* ---- replies ---- */

static void check_status(struct request *r, int code, const char *reason, const char *message)
{
	const struct json *s = r->reply.tree;
	assert_int_equal(r->reply.status, code);
	assert_int_equal(json_i64(json_get(s, STR("code"))), code);
	check_str(json_path_str(s, "kind"), "Status", message);
	check_str(json_path_str(s, "status"), "Failure", message);
	check_str(json_path_str(s, "reason"), reason, message);
	check_str(json_path_str(s, "message"), message, message);
}

static void test_statuses(void **state)
{
	struct request r = request_for("GET", "/apis/apps/v1/namespaces/a/deployments/b");
	const struct api_kind *kind = r.route.kind;
	request_not_found(&r, kind, STR("b"));
	check_status(&r, 404, "NotFound", "deployments.apps \"b\" not found");
	check_str(json_path_str(r.reply.tree, "details.group"), "apps", "group");
	check_str(json_path_str(r.reply.tree, "details.kind"), "deployments", "kind");
	check_str(json_path_str(r.reply.tree, "details.name"), "b", "name");
	request_already_exists(&r, kind, STR("b"));
	check_status(&r, 409, "AlreadyExists", "deployments.apps \"b\" already exists");
	request_conflict(&r, kind, STR("b"), "it changed");
	check_status(&r, 409, "Conflict",
		     "Operation cannot be fulfilled on deployments.apps \"b\": it changed");
	request_forbidden(&r, kind, STR("b"), STR("no"));
	check_status(&r, 403, "Forbidden", "deployments.apps \"b\" is forbidden: no");
	request_forbidden(&r, kind, STR(""), STR("no"));
	check_status(&r, 403, "Forbidden", "deployments.apps is forbidden: no");
	request_not_allowed(&r);
	check_status(&r, 405, "MethodNotAllowed",
		     "the server does not allow this method on the requested resource");
	request_no_such_path(&r);
	check_status(&r, 404, "NotFound", "the server could not find the requested resource");
	request_text(&r, 404, STR("404 page not found\n"));
	assert_null(r.reply.tree);
	arena_done(&r.arena);
}

/* An error of ours has no reason upstream, one that says "Internal error occurred" has. */
static void test_internal_errors(void **state)
{
	struct request r = request_for("GET", "/api/v1/pods");
	struct err err;
	(void)err_set(&err, RC_INTERNAL, "no luck");
	request_fail_err(&r, &err);
	assert_null(json_get(r.reply.tree, STR("reason")));
	(void)err_set(&err, RC_INTERNAL, "Internal error occurred: no luck");
	request_fail_err(&r, &err);
	check_status(&r, 500, "InternalError", "Internal error occurred: no luck");
	arena_done(&r.arena);
}

static void test_invalid(void **state)
{
	struct request r = request_for("GET", "/apis/apps/v1/namespaces/a/deployments/b");
	struct field_errors errors = {.arena = &r.arena};
	field_error_add(&errors, FIELD_ERROR_REQUIRED, STR("spec.selector"), NULL, "%s", "");
	field_error_add(&errors, FIELD_ERROR_INVALID, STR("spec.replicas"), json_int(&r.arena, -1),
			"must be more");
	request_invalid(&r, STR("apps"), STR("Deployment"), STR("b"), &errors);
	check_status(&r, 422, "Invalid",
		     "Deployment.apps \"b\" is invalid: [spec.selector: Required value, "
		     "spec.replicas: Invalid value: -1: must be more]");
	const struct json *causes = json_path(r.reply.tree, "details.causes");
	assert_int_equal(json_count(causes), 2);
	check_str(json_path_str(json_at(causes, 1), "reason"), "FieldValueInvalid", "reason");
	check_str(json_path_str(json_at(causes, 1), "field"), "spec.replicas", "field");
	arena_done(&r.arena);
}

static void test_warnings(void **state)
{
	struct request r = request_for("GET", "/api/v1/pods");
	size_t count = 0;
	for (int i = 0; i < 2 * REQUEST_WARNINGS_MAX; i++)
		request_warn(&r, "warning %d", i / 2); /* each of them twice */
	for (int i = 0; i < 1000; i++)
		request_warn(&r, "more %d", i);
	for (const struct warning *w = r.reply.warnings; w; w = w->next)
		count++;
	assert_int_equal(count, REQUEST_WARNINGS_MAX);
	check_str(r.reply.warnings->next->text, "warning 1", "second");
	arena_done(&r.arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_routes_that_are_no_resource),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_repeated),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_continue_round_trip),
		cmocka_unit_test(test_continue_as_upstream),
		cmocka_unit_test(test_continue_forged),
		cmocka_unit_test(test_continue_no_base64),
		cmocka_unit_test(test_list_options),
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_media_parameters),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_internal_errors),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_warnings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
