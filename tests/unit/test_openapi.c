#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/schema.h"
#include "base/map.h"
#include "codec/json.h"
#include "codec/protobuf.h"
#include "server/openapi.h"

static struct json *parse(struct arena *a, const struct buf *text)
{
	struct json *tree;
	struct err err;
	if (json_parse(a, buf_str(text), &tree, NULL, &err))
		fail_msg("%s", err.text);
	return tree;
}

static struct json *document(struct arena *a, const char *name, struct buf *text)
{
	if (!openapi_write_v3(text, str_of(name)))
		fail_msg("no document %s", name);
	return parse(a, text);
}

/* By keys with '|' between them, since keys have dots and slashes. */
static struct json *at(const struct json *root, const char *keys)
{
	struct str key, rest = str_of(keys);
	struct json *tree = (struct json *)root;
	while (rest.at) {
		str_cut(rest, '|', &key, &rest);
		tree = json_get(tree, key);
	}
	return tree;
}

/* Without the description, which is only words. */
static void assert_json(const struct json *tree, const char *keys, const char *expected)
{
	CLEANUP_BUF b = BUF_INIT(1u << 20);
	struct json *found = at(tree, keys);
	json_remove(found, STR("description"));
	if (found)
		json_write(&b, found);
	else
		buf_add_cstr(&b, "absent");
	if (!str_is(buf_str(&b), expected))
		fail_msg("%s: %.*s, not %s", keys, STR_FMT(buf_str(&b)), expected);
}

#define CORE	"components|schemas|io.k8s.api.core.v1."
#define META	"components|schemas|io.k8s.apimachinery.pkg.apis.meta.v1."
#define CORE_V2 "definitions|io.k8s.api.core.v1."
#define REF	"#/components/schemas/"

static void schemas_say_what_clients_need(void **state)
{
	static const struct {
		const char *keys, *expected;
	} rows[] = {
		{"openapi", "\"3.0.0\""},
		{CORE "Container|required", "[\"name\"]"},
		{CORE "Container|properties|name", "{\"type\":\"string\",\"default\":\"\"}"},
		{CORE "Container|properties|ports",
		 "{\"type\":\"array\",\"items\":{\"default\":{},\"allOf\":[{\"$ref\":\"" REF
		 "io.k8s.api.core.v1.ContainerPort\"}]},\"x-kubernetes-list-map-keys\":["
		 "\"containerPort\",\"protocol\"],\"x-kubernetes-list-type\":\"map\","
		 "\"x-kubernetes-patch-merge-key\":\"containerPort\","
		 "\"x-kubernetes-patch-strategy\":\"merge\"}"},
		{CORE "ContainerPort|properties|protocol",
		 "{\"type\":\"string\",\"default\":\"TCP\",\"enum\":[\"SCTP\",\"TCP\",\"UDP\"]}"},
		{CORE "PodSpec|properties|volumes|x-kubernetes-patch-strategy",
		 "\"merge,retainKeys\""},
		{CORE "PodSpec|properties|nodeSelector|x-kubernetes-map-type", "\"atomic\""},
		{CORE "PersistentVolumeSpec|properties|claimRef|x-kubernetes-map-type",
		 "\"granular\""},
		{CORE "Secret|properties|data|additionalProperties",
		 "{\"type\":\"string\",\"format\":\"byte\"}"},
		{CORE "ResourceRequirements|properties|limits|additionalProperties",
		 "{\"$ref\":\"" REF "io.k8s.apimachinery.pkg.api.resource.Quantity\"}"},
		{CORE "Pod|x-kubernetes-group-version-kind",
		 "[{\"group\":\"\",\"kind\":\"Pod\",\"version\":\"v1\"}]"},
		{CORE "PodList|x-kubernetes-group-version-kind",
		 "[{\"group\":\"\",\"kind\":\"PodList\",\"version\":\"v1\"}]"},
		{CORE "SeccompProfile|x-kubernetes-unions",
		 "[{\"discriminator\":\"type\",\"fields-to-discriminateBy\":{"
		 "\"localhostProfile\":\"LocalhostProfile\"}}]"},
		{CORE "ObjectReference|x-kubernetes-map-type", "\"atomic\""},
		{META "ObjectMeta|properties|creationTimestamp",
		 "{\"allOf\":[{\"$ref\":\"" REF "io.k8s.apimachinery.pkg.apis.meta.v1.Time\"}]}"},
		{META "Time|format", "\"date-time\""},
		{"components|schemas|io.k8s.apimachinery.pkg.util.intstr.IntOrString|oneOf",
		 "[{\"type\":\"integer\"},{\"type\":\"string\"}]"},
		{"components|securitySchemes|BearerToken|in", "\"header\""},
	};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	struct json *d = document(&a, "api/v1", &text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_json(d, rows[i].keys, rows[i].expected);
}

static void types_and_fields_are_described(void **state)
{
	static const struct {
		const char *keys, *expected;
	} rows[] = {
		{CORE "Pod|description", "\"Containers that run together on one node.\""},
		{CORE "Pod|properties|kind|description",
		 "\"What this document is, for example Deployment.\""},
		{CORE "Container|properties|image|description",
		 "\"The image, for example nginx:1.27.\""},
	};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	struct json *d = document(&a, "api/v1", &text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_json(d, rows[i].keys, rows[i].expected);
}

/* One sentence, not upstream's essays. */
static bool is_sentence(struct str text)
{
	return text.len > 3 && text.len < 160 && text.at[text.len - 1] == '.' &&
	       !memchr(text.at, '\n', text.len);
}

struct coverage {
	size_t types, described_types, fields, described_fields;
};

static void count_described(const struct json_member *type, struct coverage *c)
{
	const struct json *fields = json_get(type->value, STR("properties"));
	struct str text = json_path_str(type->value, "description");
	c->types++;
	c->described_types += is_sentence(text);
	if (!is_sentence(text))
		print_message("no sentence: %.*s\n", STR_FMT(type->key));
	for (size_t i = 0; i < json_count(fields); i++) {
		text = json_path_str(json_child(fields, i), "description");
		c->fields++;
		c->described_fields += is_sentence(text);
		if (!is_sentence(text))
			print_message("no sentence: %.*s %.*s\n", STR_FMT(type->key),
				      STR_FMT(fields->object.members[i].key));
	}
}

/* All but six fields of JSONSchemaProps and one of IngressRule, whose references must stand alone.
 */
static void everything_is_described(void **state)
{
	enum { LEFT_OUT = 7 };
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	struct coverage c = {};
	openapi_write_v2(&text);
	const struct json *types = at(parse(&a, &text), "definitions");
	for (size_t i = 0; i < json_count(types); i++)
		count_described(&types->object.members[i], &c);
	assert_true(c.types > 500 && c.fields > 2000);
	assert_int_equal(c.described_types, c.types);
	assert_int_equal(c.described_fields + LEFT_OUT, c.fields);
}

/* Whether a line of api/descriptions.txt is about something that is there. */
static bool is_about_something(struct str key)
{
	const struct api *api = api_builtin();
	struct str type, field;
	bool has_field = str_cut(key, '.', &type, &field);
	if (!has_field && str_has_prefix(key, STR("*")))
		return true;
	for (uint32_t i = 0; i < api->type_count; i++) {
		const struct api_type *t = &api->types[i];
		if (!str_is(type, "*") && !str_eq(type, t->name))
			continue;
		if (!has_field || api_field(t, field))
			return true;
	}
	return str_is(type, "Info"); /* the version, which no table has */
}

extern const char openapi_descriptions[];
extern const size_t openapi_descriptions_len;

static void descriptions_are_about_what_is_there(void **state)
{
	struct str line, key, text, rest = str_n(openapi_descriptions, openapi_descriptions_len);
	struct map seen = {};
	while (rest.at) {
		str_cut(rest, '\n', &line, &rest);
		if (!line.len || line.at[0] == '#' || !str_cut(line, ':', &key, &text))
			continue;
		if (!is_about_something(key) || map_set(&seen, key, &seen))
			fail_msg("%.*s: about nothing, or twice", STR_FMT(key));
	}
	map_done(&seen);
}

#define PODS "paths|/api/v1/namespaces/{namespace}/pods"

static void paths_say_what_clients_need(void **state)
{
	static const struct {
		const char *keys, *expected;
	} rows[] = {
		{PODS "|post|operationId", "\"createCoreV1NamespacedPod\""},
		{PODS "|post|tags", "[\"core_v1\"]"},
		{PODS "|delete|operationId", "\"deleteCoreV1CollectionNamespacedPod\""},
		{PODS "/{name}|patch|x-kubernetes-group-version-kind",
		 "{\"group\":\"\",\"version\":\"v1\",\"kind\":\"Pod\"}"},
		{PODS "/{name}/exec|get|operationId", "\"connectCoreV1GetNamespacedPodExec\""},
		{PODS "/{name}/proxy/{path}|head|operationId",
		 "\"connectCoreV1HeadNamespacedPodProxyWithPath\""},
		{PODS "/{name}/eviction|post|x-kubernetes-group-version-kind",
		 "{\"group\":\"policy\",\"version\":\"v1\",\"kind\":\"Eviction\"}"},
		{"paths|/api/v1/pods|get|operationId", "\"listCoreV1PodForAllNamespaces\""},
		{"paths|/api/v1/pods|post", "absent"},
		{"paths|/api/v1/watch/pods|get|operationId",
		 "\"watchCoreV1PodListForAllNamespaces\""},
		{"paths|/api/v1/watch/nodes/{name}|get|x-kubernetes-action", "\"watch\""},
		{"paths|/api/v1/namespaces/{name}/finalize|put|operationId",
		 "\"replaceCoreV1NamespaceFinalize\""},
		{"paths|/api/v1/namespaces/{name}/finalize|get", "absent"},
		{"paths|/api/v1/namespaces/{namespace}/bindings|get", "absent"},
	};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	struct json *d = document(&a, "api/v1", &text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_json(d, rows[i].keys, rows[i].expected);
}

/* ---- what holds of every document ---- */

static void check_ref(const struct json *root, struct str ref)
{
	struct str key, rest = str_skip(ref, 2);
	const struct json *found = root;
	assert_true(str_has_prefix(ref, STR("#/")));
	while (rest.at) {
		str_cut(rest, '/', &key, &rest);
		found = json_get(found, key);
	}
	if (!found)
		fail_msg("%.*s leads nowhere", STR_FMT(ref));
}

static void check_refs(const struct json *root, const struct json *tree)
{
	if (tree->type == JSON_ARRAY)
		for (size_t i = 0; i < json_count(tree); i++)
			check_refs(root, json_at(tree, i));
	if (tree->type != JSON_OBJECT)
		return;
	for (size_t i = 0; i < json_count(tree); i++) {
		const struct json_member *m = &tree->object.members[i];
		if (str_is(m->key, "$ref") && m->value->type == JSON_STRING)
			check_ref(root, m->value->string);
		else
			check_refs(root, m->value);
	}
}

static void check_operation_ids(const struct json *root)
{
	const struct json *paths = at(root, "paths");
	struct map seen = {};
	for (size_t i = 0; i < json_count(paths); i++) {
		const struct json *item = paths->object.members[i].value;
		for (size_t m = 0; m < json_count(item); m++) {
			struct str id = json_str(
				json_get(item->object.members[m].value, STR("operationId")));
			if (id.at && map_set(&seen, id, &seen))
				fail_msg("%.*s twice", STR_FMT(id));
		}
	}
	assert_true(seen.count > 0);
	map_done(&seen);
}

static void check_document(struct str name, void *ctx)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	int *count = ctx;
	assert_true(openapi_write_v3(&text, name));
	struct json *d = parse(&a, &text);
	check_refs(d, d);
	check_operation_ids(d);
	++*count;
}

static void references_lead_somewhere_and_ids_are_unique(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	int count = 0;
	openapi_each_name(check_document, &count);
	assert_true(count > 40);
	openapi_write_v2(&text);
	struct json *v2 = parse(&a, &text);
	check_refs(v2, v2);
	check_operation_ids(v2);
}

/* kubectl looks for it before it sends anything. */
static bool has_field_validation(const struct json *operation)
{
	const struct json *list = json_get(operation, STR("parameters"));
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_path_str(json_at(list, i), "name"), "fieldValidation"))
			return true;
	return false;
}

static bool is_patch_of(const struct json *operation, const struct api_kind *k)
{
	return operation &&
	       str_eq(json_str(at(operation, "x-kubernetes-group-version-kind|kind")), k->kind) &&
	       str_eq(json_str(at(operation, "x-kubernetes-group-version-kind|group")), k->group);
}

static void every_patch_takes_field_validation(void **state)
{
	const struct api *api = api_builtin();
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	openapi_write_v2(&text);
	const struct json *paths = at(parse(&a, &text), "paths");
	for (uint32_t k = 0; k < api->kind_count; k++) {
		int found = 0;
		for (size_t i = 0; i < json_count(paths); i++) {
			const struct json *patch =
				json_get(paths->object.members[i].value, STR("patch"));
			if (!is_patch_of(patch, &api->kinds[k]))
				continue;
			assert_true(has_field_validation(patch));
			found++;
		}
		assert_true(found > 0 || !(api->kinds[k].verbs & VERB_PATCH));
	}
}

static void version_two_differs(void **state)
{
	static const struct {
		const char *keys, *expected;
	} rows[] = {
		{"swagger", "\"2.0\""},
		{CORE_V2 "Pod|properties|metadata",
		 "{\"$ref\":\"#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta\"}"},
		{CORE_V2 "Container|properties|name", "{\"type\":\"string\"}"},
		{"definitions|io.k8s.apimachinery.pkg.util.intstr.IntOrString|type", "\"string\""},
		{"paths|/api/v1/nodes|get|produces",
		 "[\"application/json\",\"application/yaml\",\"application/vnd.kubernetes."
		 "protobuf\",\"application/json;stream=watch\",\"application/vnd.kubernetes."
		 "protobuf;stream=watch\"]"},
		{"parameters|pretty|in", "\"query\""},
		{"parameters|fieldValidation", "absent"},
		{"security", "[{\"BearerToken\":[]}]"},
	};
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	openapi_write_v2(&text);
	struct json *d = parse(&a, &text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_json(d, rows[i].keys, rows[i].expected);
}

/* ---- protobuf ---- */

static size_t count_pairs(struct str message, uint32_t number)
{
	struct protobuf_reader r = protobuf_reader(message);
	struct protobuf_field field;
	size_t count = 0;
	while (protobuf_next(&r, &field))
		count += field.number == number;
	assert_int_equal(protobuf_check(&r, "map", NULL), RC_OK);
	return count;
}

static void protobuf_holds_the_same(void **state)
{
	enum { SWAGGER = 1, PATHS = 8, DEFINITIONS = 9, PARAMETERS = 10, PATHS_PATH = 2 };
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES), bytes = BUF_INIT(OPENAPI_MAX_BYTES);
	openapi_write_v2(&text);
	openapi_write_v2_protobuf(&bytes);
	struct json *d = parse(&a, &text);
	struct protobuf_reader r = protobuf_reader(buf_str(&bytes));
	struct protobuf_field field;
	int found = 0;
	while (protobuf_next(&r, &field)) {
		if (field.number == SWAGGER && ++found)
			assert_true(str_is(field.bytes, "2.0"));
		if (field.number == PATHS && ++found)
			assert_int_equal(count_pairs(field.bytes, PATHS_PATH),
					 json_count(at(d, "paths")));
		if (field.number == DEFINITIONS && ++found)
			assert_int_equal(count_pairs(field.bytes, 1),
					 json_count(at(d, "definitions")));
		if (field.number == PARAMETERS && ++found)
			assert_int_equal(count_pairs(field.bytes, 1),
					 json_count(at(d, "parameters")));
	}
	assert_int_equal(protobuf_check(&r, "Document", NULL), RC_OK);
	assert_int_equal(found, 4);
}

/* ---- documents as they are kept ---- */

static void hashes_are_sha512_in_upper_case(void **state)
{
	char hash[OPENAPI_HASH_CHARS + 1];
	openapi_hash(STR("abc"), hash);
	assert_string_equal(hash,
			    "DDAF35A193617ABACC417349AE20413112E6FA4E89A97EA20A9EEEE64B55D39A"
			    "2192992A274FC1A836BA3C23A3FEEBBD454D4423643CE80E2A9AC94FA54CA49F");
}

static void kept_documents_are_whole(void **state)
{
	CLEANUP_BUF text = BUF_INIT(OPENAPI_MAX_BYTES);
	char hash[OPENAPI_HASH_CHARS + 1];
	assert_true(openapi_write_v3(&text, STR("apis/apps/v1")));
	struct openapi_document *d = openapi_v3(STR("apis/apps/v1"));
	char *plain = openapi_document_plain(d);
	assert_int_equal(d->plain_bytes, text.len);
	assert_memory_equal(plain, text.data, text.len);
	assert_true(d->gzip_bytes * 5 < d->plain_bytes);
	openapi_hash(buf_str(&text), hash);
	assert_string_equal(d->hash, hash);
	free(plain);
	openapi_document_unref(d);
}

static void index_names_the_hashes(void **state)
{
	CLEANUP_ARENA a = {};
	struct openapi_document *index = openapi_v3_index();
	char *plain = openapi_document_plain(index);
	struct json *tree;
	assert_int_equal(json_parse(&a, str_n(plain, index->plain_bytes), &tree, NULL, NULL),
			 RC_OK);
	const struct json *paths = at(tree, "paths");
	for (size_t i = 0; i < json_count(paths); i++) {
		struct str name = paths->object.members[i].key;
		struct openapi_document *d = openapi_v3(name);
		struct str url =
			arena_printf(&a, "/openapi/v3/%.*s?hash=%s", STR_FMT(name), d->hash);
		assert_true(str_eq(
			json_path_str(paths->object.members[i].value, "serverRelativeURL"), url));
		openapi_document_unref(d);
	}
	assert_true(json_count(paths) > 40);
	free(plain);
	openapi_document_unref(index);
}

static void unknown_names_have_no_document(void **state)
{
	static const char *const names[] = {"",
					    "api/v2",
					    "apis/absent.example.test/v1",
					    "apis/apps/",
					    "apis/apps/v1/deployments",
					    "/api/v1"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_null(openapi_v3(str_of(names[i])));
		assert_false(openapi_has_v3(str_of(names[i])));
	}
}

static void *take_document(void *ret_document)
{
	*(struct openapi_document **)ret_document = openapi_v3(STR("apis/batch/v1"));
	return NULL;
}

static void threads_share_one_document(void **state)
{
	enum { THREADS = 4 };
	pthread_t threads[THREADS];
	struct openapi_document *documents[THREADS];
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_document, &documents[i]),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++) {
		assert_ptr_equal(documents[i], documents[0]);
		openapi_document_unref(documents[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schemas_say_what_clients_need),
		cmocka_unit_test(types_and_fields_are_described),
		cmocka_unit_test(everything_is_described),
		cmocka_unit_test(descriptions_are_about_what_is_there),
		cmocka_unit_test(paths_say_what_clients_need),
		cmocka_unit_test(references_lead_somewhere_and_ids_are_unique),
		cmocka_unit_test(every_patch_takes_field_validation),
		cmocka_unit_test(version_two_differs),
		cmocka_unit_test(protobuf_holds_the_same),
		cmocka_unit_test(hashes_are_sha512_in_upper_case),
		cmocka_unit_test(kept_documents_are_whole),
		cmocka_unit_test(index_names_the_hashes),
		cmocka_unit_test(unknown_names_have_no_document),
		cmocka_unit_test(threads_share_one_document),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
