/* The input chooses a kind and an object of it (random_object.h), which then goes the way of a
 * write and of a read.  It is the same after every encoding; defaults are filled once and for all;
 * what was judged valid stays valid when nothing changes; a row of a Table has all its cells. */
#include "api/decode.h"
#include "api/defaults.h"
#include "api/empty_lists.h"
#include "api/gates.h"
#include "api/object.h"
#include "api/print.h"
#include "api/protobuf.h"
#include "api/validate.h"
#include "api/view.h"
#include "api/warnings.h"
#include "codec/yaml.h"
#include "fuzz.h"
#include "random_object.h"

#define OUTPUT_MAX (64u << 20)
#define NOW_US	   1767225600000000 /* 2026-01-01T00:00:00Z */

static void expect_same(const struct json *got, const struct json *want, const char *what)
{
	if (json_equal(got, want))
		return;
	CLEANUP_BUF text = BUF_INIT(OUTPUT_MAX);
	json_write(&text, got);
	buf_add_str(&text, STR("\nwanted\n"));
	json_write(&text, want);
	fprintf(stderr, "%s:\n%.*s\n", what, STR_FMT(buf_str(&text)));
	abort();
}

static struct json *normal(struct arena *a, const struct api_type *type, const struct json *tree)
{
	struct json *result = NULL;
	struct err err = {};
	if (api_normalise(a, type, tree, NULL, &result, &err) != RC_OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	return result;
}

static void check_text(struct arena *a, const struct json *tree)
{
	CLEANUP_BUF text = BUF_INIT(OUTPUT_MAX), yaml = BUF_INIT(OUTPUT_MAX);
	struct yaml_document *documents;
	struct json *again;
	size_t count;
	json_write(&text, tree);
	FUZZ_CHECK(json_parse(a, buf_str(&text), &again, NULL, NULL) == RC_OK);
	expect_same(again, tree, "JSON");
	yaml_write(&yaml, tree);
	FUZZ_CHECK(yaml_parse(a, buf_str(&yaml), &documents, &count, NULL, NULL) == RC_OK);
	FUZZ_CHECK(count == 1);
	expect_same(documents[0].tree, tree, "YAML");
}

/* In protobuf an empty list is none: what comes back is as the store has it. */
static void check_protobuf(struct arena *a, const struct api_type *type, const struct json *tree)
{
	CLEANUP_BUF out = BUF_INIT(OUTPUT_MAX);
	struct json *stored = json_copy(a, tree), *again;
	struct protobuf_envelope e;
	api_empty_lists_to_null(a, type, stored);
	api_protobuf_write(&out, type, stored);
	FUZZ_CHECK(protobuf_envelope_open(buf_str(&out), &e, NULL) == RC_OK);
	FUZZ_CHECK(api_protobuf_decode(a, type, &e, &again, NULL) == RC_OK);
	expect_same(again, stored, "protobuf");
	expect_same(view_to_tree(a, type, view_from_tree(a, type, stored)), stored, "view");
}

static void check_row(struct arena *a, const struct api_kind *kind, const struct json *tree)
{
	CLEANUP_BUF text = BUF_INIT(OUTPUT_MAX), cells = BUF_INIT(OUTPUT_MAX);
	struct object *o;
	struct json *row;
	if (object_new(kind, tree, 7, &o, NULL) != RC_OK)
		return;
	object_write(&text, o);
	FUZZ_CHECK(text.len == object_size(o));
	api_print_cells(&cells, kind, object_view(o), NOW_US);
	FUZZ_CHECK(json_parse(a, buf_str(&cells), &row, NULL, NULL) == RC_OK);
	/* Upstream's IPAddress has an age for which it has no column. */
	size_t spare = str_is(kind->kind, "IPAddress") ? 1 : 0;
	if (json_count(row) != kind->column_count + spare) {
		fprintf(stderr, "%s: %.*s\n", kind->kind.at, STR_FMT(buf_str(&cells)));
		abort();
	}
	object_unref(o);
}

static void ignore_text(void *ctx, struct str text)
{
	FUZZ_CHECK(text.len);
}

static void check_errors(const struct api_kind *kind, const struct field_errors *errors)
{
	CLEANUP_BUF text = BUF_INIT(OUTPUT_MAX);
	for (size_t i = 0; i < errors->count; i++)
		FUZZ_CHECK(utf8_is_valid(errors->items[i].path));
	api_invalid_message(&text, kind->kind, STR("a"), errors);
	FUZZ_CHECK(utf8_is_valid(buf_str(&text)));
}

static void check_update(struct arena *a, const struct api_kind *kind, const struct json *old,
			 const struct json *next, bool is_valid)
{
	static const char *const subresources[] = {
		"", "status", "scale", "finalize", "approval", "resize", "ephemeralcontainers"};
	for (size_t i = 0; i < ARRAY_LEN(subresources); i++) {
		struct field_errors errors = {.arena = a};
		struct json *tree = json_copy(a, next);
		if (i && !api_subresource(kind, str_of(subresources[i])))
			continue;
		api_prepare_update(a, kind, old, tree, subresources[i], NOW_US);
		api_drop_gated(api_type(api_builtin(), kind->type), tree, old);
		api_validate_update(kind, old, tree, subresources[i], &errors);
		check_errors(kind, &errors);
		if (!is_valid || !errors.count)
			continue;
		CLEANUP_BUF text = BUF_INIT(OUTPUT_MAX);
		api_invalid_message(&text, kind->kind, STR("a"), &errors);
		buf_add_str(&text, STR("\n"));
		json_write(&text, old);
		fprintf(stderr, "valid before: %s: %.*s\n", subresources[i],
			STR_FMT(buf_str(&text)));
		abort();
	}
}

/* Returns whether it was judged valid. */
static bool check_create(struct arena *a, const struct api_kind *kind, struct json *tree)
{
	struct field_errors errors = {.arena = a};
	random_drop_system(tree);
	api_prepare_create(a, kind, tree, NOW_US);
	api_drop_gated(api_type(api_builtin(), kind->type), tree, NULL);
	api_validate_create(kind, tree, &errors);
	check_errors(kind, &errors);
	api_warnings(kind, NULL, tree, &(struct warnings){.arena = a, .add = ignore_text});
	/* The sources of a node's configuration are judged by updates only. */
	return errors.count == 0 && !str_is(kind->kind, "Node");
}

static struct json *check_defaults(struct arena *a, const struct api_kind *kind,
				   const struct json *tree)
{
	const struct api_type *type = api_type(api_builtin(), kind->type);
	struct json *once = json_copy(a, tree);
	api_default(a, kind, once);
	struct json *twice = json_copy(a, once);
	api_default(a, kind, twice);
	expect_same(twice, once, "defaults twice");
	expect_same(normal(a, type, once), once, "defaults in normal form");
	return once;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct random_source source = {.at = bytes, .end = bytes + size};
	const struct api_kind *kind = random_kind(&source);
	const struct api_type *type = api_type(api_builtin(), kind->type);
	struct json *document = random_object(&a, &source, kind);
	struct json *tree = normal(&a, type, document);
	expect_same(normal(&a, type, tree), tree, "normal form");
	check_text(&a, tree);
	check_protobuf(&a, type, tree);
	tree = check_defaults(&a, kind, tree);
	struct json *next = normal(&a, type, random_change(&a, &source, kind, tree));
	api_default(&a, kind, next);
	bool is_valid = check_create(&a, kind, tree);
	struct json *meta = json_get(tree, STR("metadata"));
	json_set_str(&a, meta, STR("resourceVersion"), STR("7"));
	json_set_str(&a, meta, STR("uid"), STR("00000000-0000-0000-0000-000000000001"));
	json_set_str(&a, meta, STR("creationTimestamp"), STR("2026-01-01T00:00:00Z"));
	if (kind->is_storage_version && kind->verbs & VERB_WATCH)
		check_row(&a, kind, tree);
	check_update(&a, kind, tree, tree, is_valid);
	json_set(&a, json_get(next, STR("metadata")), STR("resourceVersion"),
		 json_cstring(&a, "7"));
	check_update(&a, kind, tree, next, false);
	return 0;
}
