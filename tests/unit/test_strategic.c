#include "rules.h"

#include "api/strategic.h"

/* A PodTemplate's spec with two containers and two volumes. */
static const char base[] =
	"{\"metadata\":{\"labels\":{\"a\":\"1\",\"b\":\"2\"},\"finalizers\":[\"x/1\",\"x/2\"]},"
	"\"template\":{\"spec\":{\"containers\":[{\"name\":\"one\",\"image\":\"i:1\",\"env\":[{"
	"\"name\":\"A\","
	"\"value\":\"1\"}],\"args\":[\"x\",\"y\"]},{\"name\":\"two\",\"image\":\"i:2\"}],"
	"\"volumes\":[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"w\",\"hostPath\":{\"path\":\"/"
	"w\"}}]}}}";

static enum rc merge(struct arena *a, const char *patch, struct json **ret_tree,
		     struct field_errors *errors, struct err *err)
{
	const struct api_kind *kind = kind_named("v1", "PodTemplate");
	return strategic_merge(a, api_type(api_builtin(), kind->type), parsed(a, base),
			       parsed(a, patch), ret_tree, errors, err);
}

#define SPEC(text)	 "{\"template\":{\"spec\":{" text "}}}"
#define CONTAINERS(text) SPEC("\"containers\":[" text "]")

static void test_merges(void **state)
{
	static const struct {
		const char *patch, *path, *expected;
	} rows[] = {
		{"{\"metadata\":{\"labels\":{\"a\":null,\"c\":\"3\"}}}", "metadata.labels",
		 "{\"b\":\"2\",\"c\":\"3\"}"},
		{"{\"metadata\":{\"labels\":{\"$patch\":\"replace\",\"c\":\"3\"}}}",
		 "metadata.labels", "{\"c\":\"3\"}"},
		{"{\"metadata\":{\"labels\":{\"$patch\":\"delete\"}}}", "metadata.labels", "{}"},
		{"null", "metadata.labels", "{\"a\":\"1\",\"b\":\"2\"}"},
		{"{\"metadata\":{\"finalizers\":[\"x/3\"]}}", "metadata.finalizers",
		 "[\"x/3\",\"x/1\",\"x/2\"]"},
		{"{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[\"x/1\"]}}",
		 "metadata.finalizers", "[\"x/2\"]"},
		{CONTAINERS("{\"name\":\"two\",\"image\":\"i:9\"}"), "template.spec.containers",
		 "[{\"name\":\"one\",\"image\":\"i:1\",\"env\":[{\"name\":\"A\",\"value\":\"1\"}],"
		 "\"args\":[\"x\",\"y\"]},{\"name\":\"two\",\"image\":\"i:9\"}]"},
		{CONTAINERS("{\"name\":\"one\",\"$patch\":\"delete\"}"), "template.spec.containers",
		 "[{\"name\":\"two\",\"image\":\"i:2\"}]"},
		{CONTAINERS("{\"$patch\":\"replace\"},{\"name\":\"z\"}"),
		 "template.spec.containers", "[{\"name\":\"z\"}]"},
		{CONTAINERS(
			 "{\"name\":\"one\",\"args\":[\"z\"],\"env\":[{\"name\":\"A\",\"$patch\":"
			 "\"delete\"},{\"name\":\"B\"}],\"image\":null},{\"name\":\"two\",\"$"
			 "patch\":"
			 "\"delete\"}"),
		 "template.spec.containers",
		 "[{\"name\":\"one\",\"env\":[{\"name\":\"B\"}],"
		 "\"args\":[\"z\"]}]"},
		{SPEC("\"$setElementOrder/volumes\":[{\"name\":\"w\"},{\"name\":\"v\"}]"),
		 "template.spec.volumes",
		 "[{\"name\":\"w\",\"hostPath\":{\"path\":\"/"
		 "w\"}},{\"name\":\"v\",\"emptyDir\":{}}]"},
		{SPEC("\"volumes\":[{\"name\":\"v\",\"$retainKeys\":[\"name\",\"secret\"],"
		      "\"secret\":{}}]"),
		 "template.spec.volumes",
		 "[{\"name\":\"v\",\"secret\":{}},{\"name\":\"w\",\"hostPath\":{\"path\":\"/"
		 "w\"}}]"},
		{SPEC("\"$setElementOrder/volumes\":[],\"volumes\":[{\"name\":\"u\"}]"),
		 "template.spec.volumes",
		 "[{\"name\":\"v\",\"emptyDir\":{}},{\"name\":\"w\",\"hostPath\":{\"path\":\"/w\"}},"
		 "{\"name\":\"u\"}]"},
		{SPEC("\"securityContext\":{\"$patch\":\"replace\",\"fsGroup\":1},\"priority\":1"),
		 "template.spec.priority", "1"},
		{SPEC("\"affinity\":{\"nodeAffinity\":{\"$patch\":\"replace\"},\"podAffinity\":null}"),
		 "template.spec.affinity", "{}"},
		{SPEC("\"dnsConfig\":{\"$retainKeys\":[\"searches\"],\"searches\":[\"a\"]}"),
		 "template.spec.dnsConfig",
		 "{\"$retainKeys\":[\"searches\"],\"searches\":[\"a\"]}"},
		{CONTAINERS("{\"name\":\"new\"}"), "template.spec.containers",
		 "[{\"name\":\"new\"},{\"name\":\"one\",\"image\":\"i:1\",\"env\":[{\"name\":\"A\","
		 "\"value\":\"1\"}],\"args\":[\"x\",\"y\"]},{\"name\":\"two\",\"image\":\"i:2\"}]"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct field_errors errors = {.arena = &a};
		struct json *tree = NULL;
		struct err err = {};
		if (merge(&a, rows[i].patch, &tree, &errors, &err) != RC_OK)
			fail_msg("%s: %s", rows[i].patch, err.text);
		struct json *expected = parsed(&a, rows[i].expected);
		const struct json *got = json_path(tree, rows[i].path);
		assert_covers(got, expected);
		assert_true(json_equal(got, expected));
	}
}

static void test_bad_patches(void **state)
{
	static const struct {
		const char *patch;
		enum rc rc;
		const char *message;
	} rows[] = {
		{"[]", RC_BAD_REQUEST,
		 "json: cannot unmarshal array into Go value of type map[string]interface {}"},
		{"{\"metadata\":{\"labels\":{\"$patch\":\"foo\"}}}", RC_INTERNAL,
		 "unknown patch type: foo in map: map[$patch:foo]"},
		{CONTAINERS("{\"image\":\"i:9\"}"), RC_INTERNAL,
		 "map: map[image:i:9] does not contain declared merge key: name"},
		{SPEC("\"volumes\":[{\"name\":\"v\",\"$retainKeys\":\"name\"}]"), RC_BAD_REQUEST,
		 "invalid patch format of retainKeys"},
		{SPEC("\"$setElementOrder/"
		      "containers\":[{\"name\":\"one\"}],\"containers\":[{\"name\":"
		      "\"three\"}]"),
		 RC_INTERNAL,
		 "The order in patch list:\n[map[name:three]]\n doesn't match "
		 "$setElementOrder list:\n[map[name:one]]\n"},
		{"{\"metadata\":{\"labels\":\"x\"}}", RC_INVALID, "cannot restore map from string"},
		{"{\"metadata\":{\"$setElementOrder/ownerReferences\":[],\"ownerReferences\":[]}}",
		 RC_INTERNAL, "no elements in any of the given slices"},
		{"{\"metadata\":{\"creationTimestamp\":5}}", RC_INVALID,
		 "json: cannot unmarshal number into Go value of type string"},
		{SPEC("\"restartPolicy\":5"), RC_INVALID,
		 "cannot convert int64 to v1.RestartPolicy"},
		{SPEC("\"restartPolicy\":true"), RC_INVALID, "unrecognized type: string"},
		{SPEC("\"hostNetwork\":\"yes\""), RC_INVALID, "unrecognized type: bool"},
		{SPEC("\"priority\":\"high\""), RC_INVALID, "unrecognized type: int32"},
		{SPEC("\"priority\":1.5"), RC_INVALID, "cannot convert float64 to int32"},
		{SPEC("\"containers\":{\"name\":\"one\"}"), RC_INVALID,
		 "cannot restore slice from map"},
		{SPEC("\"$setElementOrder/containers\":\"one\""), RC_INTERNAL,
		 "expected a []interface {}, but received a string"},
		{"{\"$setElementOrder/metadata\":[1]}", RC_INTERNAL,
		 "expected a []interface {}, but received a map[string]interface {}"},
		{"{\"metadata\":{\"labels\":{\"$patch\":1}}}", RC_INTERNAL,
		 "unknown patch type: %!s(int64=1) in map: map[$patch:1]"},
		{SPEC("\"$setElementOrder/boxes\":[]"), RC_INTERNAL,
		 "unable to find api field in struct PodSpec for the json field \"boxes\""},
		{"{\"metadata\":{\"finalizers\":[\"x/3\",4]}}", RC_INTERNAL,
		 "list element types are not identical: [[x/1 x/2] [x/3 4]]"},
		{"{\"metadata\":{\"$deleteFromPrimitiveList/finalizers\":[[]]}}", RC_INTERNAL,
		 "list element types are not identical: [[x/1 x/2] [[]]]"},
		{CONTAINERS("{\"name\":\"one\",\"$patch\":\"merge\"}"), RC_INTERNAL,
		 "merging lists cannot yet be specified in the patch"},
		{CONTAINERS("{\"image\":\"i:1\",\"$patch\":\"delete\"}"), RC_INTERNAL,
		 "map: map[$patch:delete image:i:1] does not contain declared merge key: name"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct field_errors errors = {.arena = &a};
		struct json *tree = NULL;
		struct err err = {};
		assert_int_equal(merge(&a, rows[i].patch, &tree, &errors, &err), rows[i].rc);
		assert_string_equal(err.text, rows[i].message);
	}
}

/* A patch that would keep the server busy for long is refused before it begins. */
static void test_large_patches(void **state)
{
	CLEANUP_ARENA a = {};
	struct field_errors errors = {.arena = &a};
	struct json *patch = parsed(&a, "{\"metadata\":{}}"), *tree;
	struct json *labels = json_need_object(&a, json_get(patch, STR("metadata")), STR("labels"));
	struct err err;
	for (int i = 0; i < 10000; i++)
		json_add(&a, labels, arena_printf(&a, "k%d", i), json_null(&a));
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	json_write(&text, patch);
	assert_int_equal(merge(&a, text.data, &tree, &errors, &err), RC_TOO_LARGE);
	labels->object.count = 1000;
	buf_reset(&text);
	json_write(&text, patch);
	assert_int_equal(merge(&a, text.data, &tree, &errors, &err), RC_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merges),
		cmocka_unit_test(test_bad_patches),
		cmocka_unit_test(test_large_patches),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
