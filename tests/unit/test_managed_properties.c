/* What holds for every object and every configuration, tried on trees that fixed seeds make. */
#include "rules.h"

#include "api/empty_lists.h"
#include "api/gates.h"
#include "api/managed_fields.h"
#include "api/strategic.h"
#include "codec/patch.h"

#define SEEDS	200
#define CHOICES 4 /* names to choose from: few, so that configurations meet */

/* ---- random trees ---- */

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static size_t below(uint64_t *state, size_t limit)
{
	return (size_t)(next_random(state) >> 11) % limit;
}

static bool chance(uint64_t *state)
{
	return below(state, 2);
}

static struct json *word(struct arena *a, uint64_t *s, const char *prefix)
{
	return json_printf(a, "%s%zu", prefix, below(s, CHOICES));
}

static struct json *words_map(struct arena *a, uint64_t *s)
{
	struct json *map = json_object(a);
	for (size_t i = below(s, CHOICES); i > 0; i--)
		json_set(a, map, json_str(word(a, s, "key-")), word(a, s, "value-"));
	return map;
}

static struct json *words_list(struct arena *a, uint64_t *s)
{
	struct json *list = json_array(a);
	for (size_t i = below(s, CHOICES); i > 0; i--)
		json_append(a, list, word(a, s, "x/"));
	return list;
}

/* Names are different, so that a list keeps its keys. */
static struct json *named_list(struct arena *a, uint64_t *s, const char *prefix,
			       void (*fill)(struct arena *a, uint64_t *s, struct json *item))
{
	struct json *list = json_array(a);
	for (size_t i = 0; i < CHOICES; i++) {
		struct json *item = json_object(a);
		if (chance(s))
			continue;
		json_set(a, item, STR("name"), json_printf(a, "%s%zu", prefix, i));
		fill(a, s, item);
		json_append(a, list, item);
	}
	for (size_t i = json_count(list); i > 1; i--) {
		size_t k = below(s, i);
		struct json *item = list->array.items[i - 1];
		list->array.items[i - 1] = list->array.items[k];
		list->array.items[k] = item;
	}
	return list;
}

static void fill_variable(struct arena *a, uint64_t *s, struct json *item)
{
	if (chance(s))
		json_set(a, item, STR("value"), word(a, s, "v"));
}

static struct json *ports(struct arena *a, uint64_t *s)
{
	struct json *list = json_array(a);
	for (int64_t port = 80; port < 80 + CHOICES; port++) {
		struct json *item = json_object(a);
		if (chance(s))
			continue;
		json_set(a, item, STR("containerPort"), json_int(a, port));
		if (chance(s))
			json_set(a, item, STR("protocol"), json_cstring(a, "UDP"));
		json_append(a, list, item);
	}
	return list;
}

static void fill_container(struct arena *a, uint64_t *s, struct json *item)
{
	json_set(a, item, STR("image"), word(a, s, "i:"));
	if (chance(s))
		json_set(a, item, STR("args"), words_list(a, s));
	if (chance(s))
		json_set(a, item, STR("env"), named_list(a, s, "E", fill_variable));
	if (chance(s))
		json_set(a, item, STR("ports"), ports(a, s));
}

/* A PodTemplate with maps, sets, lists with one key and with two, and atomic values. */
static struct json *random_config(struct arena *a, uint64_t *s)
{
	struct json *tree = json_object(a), *meta = json_object(a), *spec = json_object(a);
	json_set_str(a, tree, STR("apiVersion"), STR("v1"));
	json_set_str(a, tree, STR("kind"), STR("PodTemplate"));
	json_set_str(a, meta, STR("name"), STR("p"));
	json_set(a, tree, STR("metadata"), meta);
	if (chance(s))
		json_set(a, meta, STR("labels"), words_map(a, s));
	if (chance(s))
		json_set(a, meta, STR("annotations"), words_map(a, s));
	if (chance(s))
		json_set(a, spec, STR("nodeSelector"), words_map(a, s));
	if (chance(s))
		json_set(a, spec, STR("containers"), named_list(a, s, "c", fill_container));
	if (chance(s))
		json_set(a, spec, STR("priority"), json_int(a, (int64_t)below(s, CHOICES)));
	if (json_count(spec))
		json_set(a, json_need_object(a, tree, STR("template")), STR("spec"), spec);
	return tree;
}

static struct json *empty_config(struct arena *a)
{
	return parsed(a, "{\"apiVersion\":\"v1\",\"kind\":\"PodTemplate\",\"metadata\":{\"name\":"
			 "\"p\"}}");
}

/* ---- steps ---- */

static const struct api_kind *kind(void)
{
	return kind_named("v1", "PodTemplate");
}

static enum rc try_apply(struct arena *a, const struct json *live, const struct json *config,
			 const char *manager, bool is_forced, struct json **ret_tree)
{
	struct err err = {};
	enum rc rc = managed_apply(a, kind(), live, config, str_of(manager), is_forced,
				   (struct str){}, NOW_US, ret_tree, NULL, &err);
	if (rc != RC_OK && rc != RC_CONFLICT)
		fail_msg("%s", err.text);
	if (rc != RC_OK)
		return rc;
	/* as the store has it */
	api_drop_gated(api_type(api_builtin(), kind()->type), *ret_tree, live);
	api_empty_lists_to_null(a, api_type(api_builtin(), kind()->type), *ret_tree);
	return rc;
}

static struct json *apply(struct arena *a, const struct json *live, const struct json *config,
			  const char *manager)
{
	struct json *tree = NULL;
	assert_int_equal(try_apply(a, live, config, manager, true, &tree), RC_OK);
	return tree;
}

static struct json *without_managers(struct arena *a, const struct json *tree)
{
	struct json *copy = json_copy(a, tree);
	json_remove(json_get(copy, STR("metadata")), STR("managedFields"));
	return copy;
}

static void assert_none(struct arena *a, uint64_t seed, struct field_set set)
{
	CLEANUP_BUF text = BUF_INIT(1u << 20);
	if (field_set_is_empty(&set))
		return;
	json_write(&text, field_set_to_json(a, &set));
	fail_msg("seed %llu: %s", (unsigned long long)seed, text.data);
}

static void assert_same(struct arena *a, uint64_t seed, const struct json *got,
			const struct json *want)
{
	CLEANUP_BUF x = BUF_INIT(1u << 20), y = BUF_INIT(1u << 20);
	got = without_managers(a, got);
	want = without_managers(a, want);
	if (json_equal(got, want))
		return;
	json_write(&x, got);
	json_write(&y, want);
	fail_msg("seed %llu:\n got %s\nwant %s", (unsigned long long)seed, x.data, y.data);
}

static struct field_set owned_by(struct arena *a, const struct json *tree, const char *manager)
{
	const struct json *list = json_path(tree, "metadata.managedFields");
	struct field_set set = {};
	for (size_t i = 0; i < json_count(list); i++)
		if (str_is(json_path_str(json_at(list, i), "manager"), manager))
			assert_int_equal(
				field_set_parse(a, json_get(json_at(list, i), STR("fieldsV1")),
						&set, NULL),
				RC_OK);
	return set;
}

static struct schema_ref schema(void)
{
	return schema_ref_type(api_type(api_builtin(), kind()->type));
}

#define FOR_SEEDS(seed)                                                                            \
	for (uint64_t seed = 1, state = 0x9e3779b97f4a7c15u; seed <= SEEDS;                        \
	     seed++, state = seed * 0x9e3779b97f4a7c15u)

/* ---- properties ---- */

static void what_is_applied_twice_changes_once(void **state_)
{
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *config = random_config(&a, &state);
		struct json *once = apply(&a, NULL, config, "one");
		struct json *twice = NULL;
		assert_int_equal(try_apply(&a, once, config, "one", false, &twice), RC_OK);
		assert_same(&a, seed, twice, once);
		assert_true(managed_equal(once, twice));
	}
}

/* The configuration is in the result, whoever was there before. */
static void force_prevails(void **state_)
{
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *first = random_config(&a, &state), *second = random_config(&a, &state);
		struct json *tree = apply(&a, NULL, first, "one");
		tree = apply(&a, tree, second, "two");
		struct json *laid = typed_merge(&a, schema(), without_managers(&a, tree), second);
		laid = normal(&a, kind(), laid);
		api_drop_gated(api_type(api_builtin(), kind()->type), laid, NULL);
		api_empty_lists_to_null(&a, api_type(api_builtin(), kind()->type), laid);
		assert_same(&a, seed, laid, tree);
		struct field_set set = typed_set(&a, schema(), second);
		struct field_set owned = owned_by(&a, tree, "two");
		struct field_set lost = field_set_difference(&a, &owned, &set, false);
		assert_none(&a, seed, lost);
	}
}

/* Without force nothing that another one owns changes. */
static void conflicts_leave_everything(void **state_)
{
	size_t conflicts = 0;
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *first = random_config(&a, &state), *second = random_config(&a, &state);
		struct json *before = apply(&a, NULL, first, "one"), *after = NULL;
		if (try_apply(&a, before, second, "two", false, &after) == RC_CONFLICT) {
			conflicts++;
			continue;
		}
		struct field_set mine = owned_by(&a, before, "one");
		struct typed_diff d = typed_compare(&a, schema(), without_managers(&a, before),
						    without_managers(&a, after));
		struct field_set changed = field_set_union(&a, &d.modified, &d.removed);
		assert_none(&a, seed, field_set_intersection(&a, &mine, &changed));
		struct json *again = NULL;
		assert_int_equal(try_apply(&a, after, first, "one", false, &again), RC_OK);
		assert_same(&a, seed, again, after);
	}
	assert_true(conflicts > SEEDS / 10 && conflicts < SEEDS);
}

/* What all owners withdraw is gone, and what one of two withdraws stays. */
static void what_nobody_wants_goes(void **state_)
{
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *config = random_config(&a, &state);
		struct json *bare = apply(&a, NULL, empty_config(&a), "one");
		struct json *one = apply(&a, NULL, config, "one");
		struct json *both = apply(&a, one, config, "two");
		assert_same(&a, seed, both, one);
		struct json *left = apply(&a, both, empty_config(&a), "one");
		assert_same(&a, seed, left, one);
		assert_none(&a, seed, owned_by(&a, left, "one"));
		struct json *none = apply(&a, left, empty_config(&a), "two");
		assert_same(&a, seed, none, bare);
		assert_null(json_path(none, "metadata.managedFields"));
	}
}

/* A write that is no apply owns what it changed, and nobody else does. */
static void writers_own_what_they_change(void **state_)
{
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *old = apply(&a, NULL, random_config(&a, &state), "one");
		struct json *new = normal(&a, kind(), random_config(&a, &state));
		if (!json_path(old, "metadata.managedFields"))
			continue; /* what nobody has ever owned is not looked after */
		struct json *shown =
			api_without_empty_lists(&a, api_type(api_builtin(), kind()->type), new);
		struct typed_diff d = typed_compare(&a, schema(), without_managers(&a, old), shown);
		managed_update(&a, kind(), old, new, STR("editor"), (struct str){}, NOW_US);
		struct field_set changed = field_set_union(&a, &d.added, &d.modified);
		struct field_set mine = owned_by(&a, new, "editor");
		assert_none(&a, seed, field_set_difference(&a, &changed, &mine, false));
		struct field_set theirs = owned_by(&a, new, "one");
		struct field_set gone = field_set_union(&a, &changed, &d.removed);
		assert_none(&a, seed, field_set_intersection(&a, &theirs, &gone));
	}
}

/* ---- patches ---- */

static void a_merge_patch_makes_the_difference(void **state_)
{
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *from = random_config(&a, &state), *to = random_config(&a, &state);
		struct json *patch = merge_patch_diff(&a, from, to), *target = json_copy(&a, from);
		assert_int_equal(merge_patch_apply(&a, &target, patch, NULL), RC_OK);
		assert_same(&a, seed, target, to);
		target = json_copy(&a, to);
		assert_int_equal(merge_patch_apply(&a, &target, patch, NULL), RC_OK);
		assert_same(&a, seed, target, to);
	}
}

static struct json *merged(struct arena *a, const struct json *tree, const struct json *patch)
{
	struct field_errors errors = {.arena = a};
	struct json *result = NULL;
	struct err err = {};
	const struct api_type *type = api_type(api_builtin(), kind()->type);
	if (strategic_merge(a, type, json_copy(a, tree), json_copy(a, patch), &result, &errors,
			    &err) != RC_OK)
		fail_msg("%s", err.text);
	return result;
}

static void a_strategic_merge_says_the_same_twice(void **state_)
{
	FOR_SEEDS(seed)
	{
		CLEANUP_ARENA a = {};
		struct json *tree = random_config(&a, &state), *patch = random_config(&a, &state);
		assert_same(&a, seed, merged(&a, tree, json_object(&a)), tree);
		assert_same(&a, seed, merged(&a, tree, tree), tree);
		struct json *once = merged(&a, tree, patch);
		assert_same(&a, seed, merged(&a, once, patch), once);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_applied_twice_changes_once),
		cmocka_unit_test(force_prevails),
		cmocka_unit_test(conflicts_leave_everything),
		cmocka_unit_test(what_nobody_wants_goes),
		cmocka_unit_test(writers_own_what_they_change),
		cmocka_unit_test(a_merge_patch_makes_the_difference),
		cmocka_unit_test(a_strategic_merge_says_the_same_twice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
