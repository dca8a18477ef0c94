/* The input chooses a kind and two objects of it (random_object.h).  Whatever they are: the patch
 * between them makes the second out of the first, as a merge patch and as what a client-side apply
 * sends, which leaves what others set; and a manager that owns everything gets by an apply just
 * what it would have got in a fresh object. */
#include <stdio.h>
#include <stdlib.h>

#include "api/decode.h"
#include "api/empty_lists.h"
#include "api/managed_fields.h"
#include "api/strategic.h"
#include "client/three_way.h"
#include "codec/patch.h"
#include "fuzz.h"
#include "random_object.h"

#define OUTPUT_MAX (64u << 20)
#define NOW_US	   1767225600000000 /* 2026-01-01T00:00:00Z */

struct pair {
	struct arena *a;
	const struct api_kind *kind;
	const struct api_type *type;
	const struct json *from, *to;
};

static void show(const char *name, const struct json *tree)
{
	CLEANUP_BUF text = BUF_INIT(OUTPUT_MAX);
	if (tree)
		json_write(&text, tree);
	fprintf(stderr, "%s %.*s\n", name, STR_FMT(buf_str(&text)));
}

static struct json *normal(const struct pair *p, const struct json *tree)
{
	struct json *result = NULL;
	struct err err = {};
	if (api_normalise(p->a, p->type, tree, NULL, &result, &err) == RC_OK)
		return result;
	show(err.text, tree);
	abort();
}

static void expect_same(const struct pair *p, const struct json *got, const struct json *want,
			const struct json *patch, const char *what)
{
	got = normal(p, got);
	want = normal(p, want);
	if (json_equal(got, want))
		return;
	fprintf(stderr, "%s\n", what);
	show("  from", p->from);
	show("    to", p->to);
	show(" patch", patch);
	show("   got", got);
	show("wanted", want);
	abort();
}

static void check_merge_patch(const struct pair *p)
{
	struct json *patch = merge_patch_diff(p->a, p->from, p->to);
	struct json *target = json_copy(p->a, p->from);
	FUZZ_CHECK(merge_patch_apply(p->a, &target, patch, NULL) == RC_OK);
	expect_same(p, target, p->to, patch, "merge patch");
}

static struct json *with_note(const struct pair *p, const struct json *tree)
{
	struct json *copy = json_copy(p->a, tree), *meta = json_get(copy, STR("metadata"));
	json_set_str(p->a, json_need_object(p->a, meta, STR("annotations")), STR("other/note"),
		     STR("stays"));
	return copy;
}

static void check_three_way(const struct pair *p, const struct json *current,
			    const struct json *want, const char *what)
{
	struct field_errors errors = {.arena = p->a};
	struct json *patch = three_way_patch(p->a, p->type, p->from, p->to, current);
	struct json *result = json_copy(p->a, current);
	struct err err = {};
	if (patch && strategic_merge(p->a, p->type, result, json_copy(p->a, patch), &result,
				     &errors, &err) != RC_OK) {
		/* Upstream does not merge maps of lists either. */
		if (strstr(err.text, "data type is not struct, instead is: map"))
			return;
		show(err.text, patch);
		abort();
	}
	expect_same(p, result, want, patch, what);
}

/* The status belongs to its subresource: an apply neither sets nor owns it. */
static struct json *applied(const struct pair *p, const struct json *live, const struct json *with)
{
	struct json *config = json_copy(p->a, with);
	json_remove(config, STR("status"));
	struct json *tree = NULL;
	struct err err = {};
	enum rc rc = managed_apply(p->a, p->kind, live, config, STR("one"), true, (struct str){},
				   NOW_US, &tree, NULL, &err);
	FUZZ_CHECK(rc == RC_OK || err.text[0]);
	if (rc != RC_OK)
		return NULL;
	api_empty_lists_to_null(p->a, p->type, tree); /* as the store has it */
	return tree;
}

/* What an apply takes its last member from is null, though the configuration has it as {}; so
 * structured-merge-diff has it. */
static void drop_empty(struct json *tree)
{
	for (size_t i = json_count(tree); i > 0; i--) {
		struct json *value = json_child(tree, i - 1);
		bool is_tree = value->type == JSON_OBJECT || value->type == JSON_ARRAY;
		drop_empty(value);
		if (tree->type == JSON_OBJECT &&
		    (value->type == JSON_NULL || (is_tree && !json_count(value))))
			json_remove(tree, tree->object.members[i - 1].key);
	}
}

static void drop_managers(struct json *tree)
{
	json_remove(json_get(tree, STR("metadata")), STR("managedFields"));
	drop_empty(tree);
}

static void check_apply(const struct pair *p)
{
	struct json *first = applied(p, NULL, p->from), *fresh = applied(p, NULL, p->to);
	if (!first || !fresh)
		return;
	struct json *second = applied(p, first, p->to), *third = applied(p, second, p->to);
	FUZZ_CHECK(second && third);
	FUZZ_CHECK(managed_equal(second, third) && managed_equal(second, fresh));
	drop_managers(fresh);
	drop_managers(second);
	drop_managers(third);
	expect_same(p, second, fresh, NULL, "apply");
	expect_same(p, third, second, NULL, "apply again");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct random_source source = {.at = bytes, .end = bytes + size};
	struct pair p = {.a = &a, .kind = random_kind(&source)};
	p.type = api_type(api_builtin(), p.kind->type);
	struct json *from = random_object(&a, &source, p.kind);
	random_drop_system(from);
	struct json *to = random_change(&a, &source, p.kind, from);
	random_drop_system(to);
	p.from = normal(&p, from);
	p.to = normal(&p, to);
	check_merge_patch(&p);
	check_three_way(&p, p.from, p.to, "two-way");
	/* A map that the file has no more goes as a whole, with what others put into it. */
	if (!json_path(p.from, "metadata.annotations") || json_path(p.to, "metadata.annotations"))
		check_three_way(&p, with_note(&p, p.from), with_note(&p, p.to), "three-way");
	/* Its spec stays what it was at first, and nobody owns it. */
	if (!str_is(p.kind->kind, "CertificateSigningRequest"))
		check_apply(&p);
	return 0;
}
