/* rules: what the tests of the rules in src/api share: documents as text. */
#ifndef SKEG_TESTS_RULES_H
#define SKEG_TESTS_RULES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/decode.h"
#include "api/schema.h"
#include "codec/json.h"

#define NOW_US 1767225600000000 /* 2026-01-01T00:00:00Z */

static inline const struct api_kind *kind_named(const char *api_version, const char *kind)
{
	const struct api_kind *found =
		api_by_api_version(api_builtin(), str_of(api_version), str_of(kind));
	assert_non_null(found);
	return found;
}

static inline struct json *parsed(struct arena *a, const char *text)
{
	struct json *tree = NULL;
	struct err err = {};
	if (json_parse(a, str_of(text), &tree, NULL, &err) != RC_OK)
		fail_msg("%s in %s", err.text, text);
	return tree;
}

static inline struct json *normal(struct arena *a, const struct api_kind *kind,
				  const struct json *tree)
{
	struct json *result = NULL;
	struct err err = {};
	const struct api_type *type = api_type(api_builtin(), kind->type);
	if (api_normalise(a, type, tree, NULL, &result, &err) != RC_OK)
		fail_msg("%s", err.text);
	return result;
}

/* Every member of expected is in actual with that value; lists as a whole. */
static inline bool covers(const struct json *actual, const struct json *expected)
{
	if (!actual || expected->type != JSON_OBJECT)
		return actual && json_equal(actual, expected);
	for (size_t i = 0; i < expected->object.count; i++)
		if (!covers(json_get(actual, expected->object.members[i].key),
			    expected->object.members[i].value))
			return false;
	return true;
}

static inline void assert_covers(const struct json *actual, const struct json *expected)
{
	CLEANUP_BUF a = BUF_INIT(1u << 20), b = BUF_INIT(1u << 20);
	if (covers(actual, expected))
		return;
	if (actual)
		json_write(&a, actual);
	json_write(&b, expected);
	fail_msg("\n  %s\nlacks\n  %s", a.data ? a.data : "nothing", b.data);
}

#endif
