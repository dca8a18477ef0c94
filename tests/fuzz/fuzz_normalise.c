/* A document that is normalised is normal; so is what an object or a view makes of it.  Whatever
 * its managedFields are, an update and an apply of it end. */
#include "api/decode.h"
#include "api/managed_fields.h"
#include "api/object.h"
#include "api/view.h"
#include "fuzz.h"

static void check_object(const struct api_kind *kind, const struct json *tree)
{
	struct object *o;
	CLEANUP_BUF text = BUF_INIT(OBJECT_MAX_BYTES * 2);
	if (object_new(kind, tree, 7, &o, NULL) != RC_OK)
		return;
	object_write(&text, o);
	FUZZ_CHECK(text.len == object_size(o));
	FUZZ_CHECK(object_view(o) && object_meta(o));
	object_unref(o);
}

static void check_managed(struct arena *a, const struct api_kind *kind, const struct json *body,
			  struct json *tree)
{
	struct json *next = json_copy(a, tree), *applied;
	managed_update(a, kind, tree, next, STR("m"), (struct str){}, 1);
	if (managed_apply(a, kind, next, body, STR("n"), true, (struct str){}, 2, &applied, NULL,
			  NULL) == RC_OK)
		managed_update(a, kind, next, applied, STR("o"), (struct str){}, 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct json_duplicates duplicates = {};
	struct unknown_fields unknown = {};
	struct json *body, *tree, *again;
	if (json_parse(&a, str_n((const char *)bytes, size), &body, &duplicates, NULL) != RC_OK)
		return 0;
	struct str version = json_path_str(body, "apiVersion"), name = json_path_str(body, "kind");
	const struct api_type *type = api_type_by_kind(api_builtin(), version, name);
	const struct api_kind *kind = api_by_api_version(api_builtin(), version, name);
	if (!type || api_normalise(&a, type, body, &unknown, &tree, NULL) != RC_OK)
		return 0;
	struct strict_faults faults = api_strict_faults(&a, body, &duplicates, &unknown, false);
	FUZZ_CHECK(faults.count <= UNKNOWN_FIELDS_MAX && api_strict_error(&a, &faults).len);
	FUZZ_CHECK(api_normalise(&a, type, tree, NULL, &again, NULL) == RC_OK);
	FUZZ_CHECK(json_equal(tree, again));
	void *view = view_from_tree(&a, type, tree);
	(void)!view_to_tree(&a, type, view);
	if (kind)
		check_object(kind, tree);
	if (kind)
		check_managed(&a, kind, body, tree);
	return 0;
}
