/* The input is three lines: an object as it stands, a configuration and another one.  Whatever they
 * say: an apply that succeeds changes nothing when it is repeated, a forced one finds no conflict,
 * and the managers that are written can be read. */
#include "api/decode.h"
#include "api/gates.h"
#include "api/managed_fields.h"
#include "fuzz.h"

#define MAX_INPUT_BYTES (64u << 10)
#define NOW_US		1767225600000000 /* 2026-01-01T00:00:00Z */

static bool is_of_kind(const struct api_kind *kind, const struct json *tree)
{
	return str_eq(json_path_str(tree, "kind"), kind->kind) &&
	       str_eq(json_path_str(tree, "apiVersion"), kind->api_version);
}

static void check_entries(struct arena *a, const struct json *tree)
{
	const struct json *list = json_path(tree, "metadata.managedFields");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *fields = json_get(json_at(list, i), STR("fieldsV1"));
		struct field_set set;
		FUZZ_CHECK(field_set_parse(a, fields, &set, NULL) == RC_OK);
		FUZZ_CHECK(set.count);
		FUZZ_CHECK(json_equal(field_set_to_json(a, &set), fields));
	}
}

static struct json *applied(struct arena *a, const struct api_kind *kind, const struct json *live,
			    const struct json *config, const char *manager, bool is_forced)
{
	struct managed_conflicts conflicts = {};
	struct json *tree;
	struct err err;
	enum rc rc = managed_apply(a, kind, live, config, str_of(manager), is_forced,
				   (struct str){}, NOW_US, &tree, &conflicts, &err);
	FUZZ_CHECK((rc == RC_CONFLICT) == (rc != RC_OK && conflicts.count > 0));
	FUZZ_CHECK(!is_forced || rc != RC_CONFLICT);
	if (rc != RC_OK)
		return NULL;
	check_entries(a, tree);
	return tree;
}

static void check_repetition(struct arena *a, const struct api_kind *kind, const struct json *once,
			     const struct json *config)
{
	struct json *twice = applied(a, kind, once, config, "one", false);
	FUZZ_CHECK(twice && managed_equal(once, twice));
	FUZZ_CHECK(json_equal(json_get(once, STR("metadata")), json_get(twice, STR("metadata"))));
}

static void check_writers(struct arena *a, const struct api_kind *kind, const struct json *live,
			  struct json *tree)
{
	managed_update(a, kind, live, tree, STR("editor"), (struct str){}, NOW_US + 1000000);
	check_entries(a, tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct str lines[3], rest = str_n((const char *)bytes, size);
	struct json *trees[3], *live;
	if (size > MAX_INPUT_BYTES)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		str_cut(rest, '\n', &lines[i], &rest);
		if (json_parse(&a, lines[i], &trees[i], NULL, NULL) != RC_OK)
			return 0;
	}
	const struct api_kind *kind = api_by_api_version(api_builtin(),
							 json_path_str(trees[0], "apiVersion"),
							 json_path_str(trees[0], "kind"));
	if (!kind || !is_of_kind(kind, trees[1]))
		return 0;
	const struct api_type *type = api_type(api_builtin(), kind->type);
	if (api_normalise(&a, type, trees[0], NULL, &live, NULL) != RC_OK)
		return 0;
	struct json *once = applied(&a, kind, live, trees[1], "one", true);
	if (!once)
		return 0;
	api_drop_gated(type, once, live);
	check_repetition(&a, kind, once, trees[1]);
	struct json *other = applied(&a, kind, once, trees[2], "two", false);
	if (other)
		check_writers(&a, kind, once, json_copy(&a, other));
	return 0;
}
