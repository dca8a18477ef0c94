#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "api/decode.h"
#include "api/empty_lists.h"
#include "api/gates.h"
#include "api/gotext.h"
#include "codec/yaml.h"
#include "wire_objects.h"

static struct json *parse(struct arena *a, struct str text, struct json_duplicates *duplicates)
{
	struct json *tree = NULL;
	struct err err;
	if (json_parse(a, text, &tree, duplicates, &err) != RC_OK)
		fail_msg("%s", err.text);
	return tree;
}

static const struct api_type *type_of(const struct json *tree)
{
	return api_type_by_kind(api_builtin(), json_path_str(tree, "apiVersion"),
				json_path_str(tree, "kind"));
}

/* What an API server wrote is normal already. */
static void normal_objects_stay_as_they_are(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct wire_object *o = &all.items[i];
		struct unknown_fields unknown = {};
		struct json *out;
		struct err err;
		if (api_normalise(&all.arena, o->type, o->json, &unknown, &out, &err) != RC_OK)
			fail_msg("%.*s: %s", STR_FMT(o->path), err.text);
		assert_int_equal(unknown.count, 0);
		wire_assert_same(o->path, out, o->json);
	}
	wire_objects_done(&all);
}

/* To YAML and back nothing changes, and what comes back decodes to the same document. */
static void documents_survive_yaml(void **state)
{
	struct wire_objects all;
	wire_objects_load(&all);
	for (size_t i = 0; i < all.count; i++) {
		const struct wire_object *o = &all.items[i];
		CLEANUP_ARENA a = {};
		CLEANUP_BUF text = BUF_INIT(16u << 20);
		struct yaml_document *documents;
		struct json_duplicates duplicates = {};
		struct json *tree;
		struct err err;
		size_t count;
		yaml_write(&text, o->json);
		if (yaml_parse(&a, buf_str(&text), &documents, &count, &duplicates, &err) ||
		    api_normalise(&a, o->type, documents[0].tree, NULL, &tree, &err))
			fail_msg("%.*s: %s", STR_FMT(o->path), err.text);
		assert_int_equal(count, 1);
		assert_int_equal(duplicates.count, 0);
		wire_assert_same(o->path, documents[0].tree, o->json);
		wire_assert_same(o->path, tree, o->json);
	}
	wire_objects_done(&all);
}

static void check_fault_row(struct arena *a, const struct json *row)
{
	struct json_duplicates duplicates = {};
	struct unknown_fields unknown = {};
	struct json *tree = parse(a, json_path_str(row, "body"), &duplicates), *out;
	struct str id = json_path_str(row, "id"), message = json_path_str(row, "message");
	const struct json *warnings = json_get(row, STR("warnings"));
	const struct api_type *type = type_of(tree);
	struct err err = {};
	if (!type)
		fail_msg("%.*s: no type", STR_FMT(id));
	enum rc rc = api_normalise(a, type, tree, &unknown, &out, &err);
	struct strict_faults faults = api_strict_faults(a, tree, &duplicates, &unknown, false);
	bool is_strict = str_has_prefix(message, STR("strict decoding error"));
	struct str got = is_strict ? api_strict_error(a, &faults) : str_of(err.text);
	if (message.len && !str_eq(got, message))
		fail_msg("%.*s:\n got %.*s\nwant %.*s", STR_FMT(id), STR_FMT(got),
			 STR_FMT(message));
	if (message.len)
		return;
	if (rc != RC_OK)
		fail_msg("%.*s: %s", STR_FMT(id), err.text);
	if (faults.count != json_count(warnings))
		fail_msg("%.*s: %zu faults instead of %zu", STR_FMT(id), faults.count,
			 json_count(warnings));
	for (size_t i = 0; i < faults.count; i++)
		if (!str_eq(faults.texts[i], json_str(json_at(warnings, i))))
			fail_msg("%.*s: %.*s", STR_FMT(id), STR_FMT(faults.texts[i]));
}

/* Messages and warnings that an API server gave for these bodies. */
static void faults_are_told_in_the_words_of_go(void **state)
{
	CLEANUP_BUF text = BUF_INIT(64u << 20);
	FILE *f = fopen(TEST_DATA "/decode_faults.jsonl", "re");
	assert_non_null(f);
	for (size_t n = 1; n > 0; buf_grew(&text, n))
		n = fread(buf_reserve(&text, 1u << 16), 1, 1u << 16, f);
	fclose(f);
	struct str rest = buf_str(&text), line;
	size_t count = 0;
	for (; rest.len; count++) {
		CLEANUP_ARENA a = {};
		str_cut(rest, '\n', &line, &rest);
		check_fault_row(&a, parse(&a, line, NULL));
	}
	assert_true(count > 200);
}

static void values_become_normal(void **state)
{
	static const struct {
		int type;
		const char *text, *want;
	} rows[] = {
		{TYPE_META_V1_OBJECT_META,
		 "{\"labels\":{\"b\":\"2\",\"a\":null},\"name\":\"x\",\"annotations\":{},\"uid\":"
		 "\"\","
		 "\"creationTimestamp\":null,\"deletionTimestamp\":\"2026-01-02T03:04:05.9+01:"
		 "00\"}",
		 "{\"name\":\"x\",\"deletionTimestamp\":\"2026-01-02T02:04:05Z\",\"labels\":{\"a\":"
		 "\"\","
		 "\"b\":\"2\"}}"},
		{TYPE_CORE_V1_RESOURCE_REQUIREMENTS,
		 "{\"limits\":{\"cpu\":0.5,\"memory\":\"1024Ki\",\"x\":null,\"y\":3}}",
		 "{\"limits\":{\"cpu\":\"500m\",\"memory\":\"1Mi\",\"x\":\"0\",\"y\":\"3\"}}"},
		{TYPE_CORE_V1_POD_SPEC,
		 "{\"containers\":[null],\"priority\":0,\"hostNetwork\":false}",
		 "{\"containers\":[{\"name\":\"\",\"resources\":{}}],\"priority\":0}"},
		{TYPE_CORE_V1_POD_SPEC, "{\"containers\":[]}", "{\"containers\":[]}"},
		{TYPE_CORE_V1_POD_SPEC, "{}", "{\"containers\":null}"},
		{TYPE_CORE_V1_SECRET, "{\"data\":{\"a\":\"AB==\",\"b\":\"\",\"c\":\"QU\\nJD\"}}",
		 "{\"metadata\":{},\"data\":{\"a\":\"AA==\",\"b\":\"\",\"c\":\"QUJD\"}}"},
		{TYPE_APPS_V1_CONTROLLER_REVISION, "{\"data\":{\"b\":null,\"a\":[1.5]}}",
		 "{\"metadata\":{},\"data\":{\"b\":null,\"a\":[1.5]},\"revision\":0}"},
		{TYPE_AUTHENTICATION_V1_USER_INFO, "{\"extra\":{\"k\":[\"a\",null],\"j\":null}}",
		 "{\"extra\":{\"j\":null,\"k\":[\"a\",\"\"]}}"},
		{TYPE_APIEXTENSIONS_V1_JSON_SCHEMA_PROPS,
		 "{\"items\":[{\"type\":\"string\"}],\"additionalProperties\":true,"
		 "\"dependencies\":"
		 "{\"a\":[\"b\"]},\"default\":null,\"minimum\":1,\"additionalItems\":{\"foo\":1}}",
		 "{\"minimum\":1,\"items\":[{\"type\":\"string\"}],\"additionalProperties\":true,"
		 "\"dependencies\":{\"a\":[\"b\"]},\"additionalItems\":{}}"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const struct api_type *type = api_type(api_builtin(), rows[i].type);
		struct json *out;
		struct err err;
		if (api_normalise(&a, type, parse(&a, str_of(rows[i].text), NULL), NULL, &out,
				  &err))
			fail_msg("%s: %s", rows[i].text, err.text);
		wire_assert_same(type->name, out, parse(&a, str_of(rows[i].want), NULL));
	}
}

static void what_is_wrong_comes_in_gos_order(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		/* The first mismatch wins, … */
		{"{\"kind\":\"Pod\",\"spec\":{\"nodeName\":1,\"hostname\":2}}",
		 "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeName of type "
		 "string"},
		/* … but a quantity that does not parse ends everything. */
		{"{\"spec\":{\"nodeName\":1,\"overhead\":{\"cpu\":\"x\"}}}",
		 "quantities must match the regular expression "
		 "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"},
		{"{\"spec\":{\"volumes\":[{\"hostPath\":{\"path\":{}}}]}}",
		 "json: cannot unmarshal object into Go struct field "
		 "HostPathVolumeSource.spec.volumes.VolumeSource.hostPath.path of type string"},
		{"{\"spec\":{\"activeDeadlineSeconds\":99999999999999999999}}",
		 "json: cannot unmarshal number 100000000000000000000 into Go struct field "
		 "PodSpec.spec.activeDeadlineSeconds of type int64"},
		{"{\"spec\":{\"priority\":1.0}}",
		 "json: cannot unmarshal number 1.0 into Go struct field PodSpec.spec.priority of "
		 "type int32"},
		{"[]", "json: cannot unmarshal array into Go value of type v1.Pod"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_POD);
		struct json *out;
		struct err err = {};
		assert_int_equal(api_normalise(&a, type, parse(&a, str_of(rows[i].text), NULL),
					       NULL, &out, &err),
				 RC_BAD_REQUEST);
		assert_string_equal(err.text, rows[i].want);
	}
}

/* Nobody can begin to use a feature that is off; who uses it goes on. */
static void fields_of_features_that_are_off_are_dropped(void **state)
{
	static const char with[] = "{\"containers\":[{\"name\":\"c\",\"lifecycle\":{\"stopSignal\":"
				   "\"SIGUSR1\"}}],\"workloadRef\":{\"name\":\"w\"},\"os\":{}}";
	CLEANUP_ARENA a = {};
	const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_POD_SPEC);
	struct json *tree = parse(&a, str_of(with), NULL), *old = parse(&a, str_of(with), NULL);
	api_drop_gated(type, tree, NULL);
	wire_assert_same(
		STR("dropped"), tree,
		parse(&a, STR("{\"containers\":[{\"name\":\"c\",\"lifecycle\":{}}],\"os\":{}}"),
		      NULL));
	tree = parse(&a, str_of(with), NULL);
	json_remove(old, STR("workloadRef"));
	api_drop_gated(type, tree, old);
	wire_assert_same(STR("kept"), tree, old);
}

/* Only what is read can be there twice. */
static void unknown_fields_are_told_once(void **state)
{
	CLEANUP_ARENA a = {};
	struct json_duplicates duplicates = {};
	struct json *tree =
		parse(&a, STR("{\"foo\":{\"b\":1,\"b\":2},\"foo\":1,\"data\":{\"a\":1,\"a\":2}}"),
		      &duplicates);
	struct str paths[] = {STR("foo")};
	struct unknown_fields unknown = {paths, 1, 1};
	struct strict_faults faults = api_strict_faults(&a, tree, &duplicates, &unknown, false);
	assert_int_equal(faults.count, 2);
	assert_true(str_is(faults.texts[0], "unknown field \"foo\""));
	assert_true(str_is(faults.texts[1], "duplicate field \"data.a\""));
}

/* A copy is made only where there is something to leave out. */
static void empty_lists_are_not_shown(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_type *type = api_type(api_builtin(), TYPE_CORE_V1_POD_TEMPLATE);
	struct json *tree = parse(&a, STR("{\"template\":{\"metadata\":{\"labels\":{}}}}"), NULL);
	struct json *shown = api_without_empty_lists(&a, type, tree);
	assert_ptr_not_equal(shown, tree);
	assert_non_null(json_path(tree, "template.metadata.labels"));
	assert_non_null(json_path(shown, "template.metadata"));
	assert_null(json_path(shown, "template.metadata.labels"));
	assert_ptr_equal(api_without_empty_lists(&a, type, shown), shown);
}

/* The store knows no empty list; where a field is always written there is none. */
static void empty_lists_are_none(void **state)
{
	CLEANUP_ARENA a = {};
	const struct api_type *type = api_type(api_builtin(), TYPE_STORAGE_V1_CSI_NODE_SPEC);
	struct json *tree = parse(&a, STR("{\"drivers\":[]}"), NULL);
	api_empty_lists_to_null(&a, type, tree);
	wire_assert_same(STR("empty"), tree, parse(&a, STR("{\"drivers\":null}"), NULL));
}

static void yaml_faults_have_lines(void **state)
{
	CLEANUP_ARENA a = {};
	struct json *tree = parse(&a, STR("{\"metadata\":{\"foo\":1},\"bar\":2}"), NULL);
	struct str unknown_paths[] = {STR("metadata.foo"), STR("bar")};
	struct str duplicate_paths[] = {STR("data.a.b")}, duplicate_keys[] = {STR("a.b")};
	uint32_t lines[] = {7};
	struct unknown_fields unknown = {unknown_paths, 2, 2};
	struct json_duplicates duplicates = {duplicate_paths, duplicate_keys, lines, .count = 1};
	struct strict_faults faults = api_strict_faults(&a, tree, &duplicates, &unknown, true);
	assert_int_equal(faults.count, 3);
	assert_true(str_is(faults.texts[0], "line 7: key \"a.b\" already set in map"));
	assert_true(str_is(faults.texts[1], "unknown field \"bar\""));
	assert_true(str_is(
		api_strict_error(&a, &faults),
		"strict decoding error: yaml: unmarshal errors:\n  line 7: key \"a.b\" already "
		"set in map, unknown field \"bar\", unknown field \"metadata.foo\""));
}

static void times_are_read_as_go_does(void **state)
{
	static const struct {
		const char *text;
		bool is_micro;
		const char *want; /* NULL: it parses */
	} rows[] = {
		{"2026-01-02T03:04:05Z", false, NULL},
		{"2026-01-02T3:04:05Z", false, NULL},
		{"2024-02-29T23:59:59.123456789-07:30", false, NULL},
		{"2026-01-02T03:04:05.000001Z", true, NULL},
		{"2026-01-02T03:04:05", false,
		 "parsing time \"2026-01-02T03:04:05\" as \"2006-01-02T15:04:05Z07:00\": cannot "
		 "parse "
		 "\"\" as \"Z07:00\""},
		{"0026-01-02T03:04:05Z", false, NULL},
		{"9999-12-31T23:59:59-01:00", false,
		 "parsing time \"9999-12-31T23:59:59-01:00\": year out of range"},
		{"2026-13-02T03:04:05Z", false,
		 "parsing time \"2026-13-02T03:04:05Z\": month out of range"},
		{"2026-02-30T03:04:05Z", false,
		 "parsing time \"2026-02-30T03:04:05Z\": day out of range"},
		{"2026-01-02T03:04:05Zx", false,
		 "parsing time \"2026-01-02T03:04:05Zx\": extra text: \"x\""},
		{"2026-01-02 03:04:05Z", false,
		 "parsing time \"2026-01-02 03:04:05Z\" as \"2006-01-02T15:04:05Z07:00\": cannot "
		 "parse "
		 "\" 03:04:05Z\" as \"T\""},
		{"2026-01-02T03:04:05Z", true,
		 "parsing time \"2026-01-02T03:04:05Z\" as \"2006-01-02T15:04:05.000000Z07:00\": "
		 "cannot "
		 "parse \"Z\" as \".000000\""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t time_us;
		bool is_zero;
		struct err err = {};
		enum rc rc = gotext_time(str_of(rows[i].text), rows[i].is_micro, &time_us, &is_zero,
					 &err);
		assert_int_equal(rc, rows[i].want ? RC_BAD_REQUEST : RC_OK);
		assert_string_equal(err.text, rows[i].want ? rows[i].want : "");
	}
}

static void base64_is_read_as_go_does(void **state)
{
	static const struct {
		const char *text, *want;
		int corrupt_at;
	} rows[] = {
		{"QUJD", "ABC", -1},	 {"QUI=", "AB", -1}, {"QQ==", "A", -1},	 {"", "", -1},
		{"QU\nJD\n", "ABC", -1}, {"QUJ", NULL, 0},   {"QUJDQ", NULL, 4}, {"QQ=", NULL, 3},
		{"Q===", NULL, 1},	 {"QQ==x", NULL, 4}, {"QU%D", NULL, 2},	 {"QQ=x", NULL, 2},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct str bytes;
		struct err err = {};
		char want[64];
		snprintf(want, sizeof(want), "illegal base64 data at input byte %d",
			 rows[i].corrupt_at);
		if (gotext_base64(&a, str_of(rows[i].text), &bytes, &err) == RC_OK)
			assert_true(rows[i].want && str_is(bytes, rows[i].want));
		else
			assert_string_equal(err.text, rows[i].want ? "" : want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normal_objects_stay_as_they_are),
		cmocka_unit_test(documents_survive_yaml),
		cmocka_unit_test(faults_are_told_in_the_words_of_go),
		cmocka_unit_test(values_become_normal),
		cmocka_unit_test(what_is_wrong_comes_in_gos_order),
		cmocka_unit_test(fields_of_features_that_are_off_are_dropped),
		cmocka_unit_test(unknown_fields_are_told_once),
		cmocka_unit_test(empty_lists_are_none),
		cmocka_unit_test(empty_lists_are_not_shown),
		cmocka_unit_test(yaml_faults_have_lines),
		cmocka_unit_test(times_are_read_as_go_does),
		cmocka_unit_test(base64_is_read_as_go_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
