/* skeg diff: what an apply of the files would change, by the server's own dry run.
 *
 * Both states become folders of YAML, which a program compares: KUBECTL_EXTERNAL_DIFF, whose words
 * are cut at spaces and read by no shell, else "diff -u -N".  Exit codes are diff's: 0 no
 * difference, 1 differences, above 1 it could not be told. */
#include <stdio.h>

#include "client/apply_merge.h"
#include "client/change.h"
#include "client/user_program.h"
#include "client/verbs.h"
#include "codec/yaml.h"
#include "io/file.h"
#include "io/loop.h"

#define OBJECT_BYTES_MAX (16u << 20)
#define EXIT_TROUBLE	 2 /* the least that is not "there are differences" */

struct diff_options {
	struct client_options client;
	struct resource_options resources;
	const char *field_manager;
	bool is_server_side, is_forced, shows_managed_fields;
};

struct diff {
	const struct diff_options *options;
	struct change change;
	const char *live, *merged; /* folders */
};

/* ---- the two states ---- */

static enum rc dry_run(struct diff *d, struct resource *r, struct json *live,
		       struct json **ret_merged, struct err *err)
{
	struct arena *a = d->change.arena;
	if (d->options->is_server_side)
		return change_apply(&d->change, r->kind, r->namespace, r->name, r->file->tree,
				    d->options->is_forced, ret_merged, err);
	struct json *plain = apply_plain(a, r);
	if (!live)
		return change_create(&d->change, r->kind, r->namespace, plain, ret_merged, err);
	struct json *patch = apply_patch(a, r, plain, live);
	*ret_merged = json_copy(a, live);
	return patch ? change_patch(&d->change, r->kind, r->namespace, r->name, NULL,
				    PATCH_STRATEGIC, patch, ret_merged, err)
		     : RC_OK;
}

/* Values of Secrets are not shown; whether they differ is. */
static void mask(struct arena *a, struct json *live, struct json *merged)
{
	struct json *before = json_get(live, STR("data")), *after = json_get(merged, STR("data"));
	for (size_t i = 0; i < json_count(before); i++) {
		struct json_member *m = &before->object.members[i];
		struct json *now = json_get(after, m->key);
		bool is_same = !now || json_equal(now, m->value);
		m->value = json_cstring(a, is_same ? "***" : "*** (before)");
		if (now)
			json_set(a, after, m->key,
				 json_cstring(a, is_same ? "***" : "*** (after)"));
	}
	for (size_t i = 0; i < json_count(after); i++)
		if (!json_get(before, after->object.members[i].key))
			after->object.members[i].value = json_cstring(a, "***");
}

static void hide_secrets(struct arena *a, const struct api_kind *kind, struct json *live,
			 struct json *merged)
{
	static const char *const annotations = "metadata.annotations";
	if (!str_is(kind->plural, "secrets") || kind->group.len)
		return;
	mask(a, live, merged);
	struct json *const trees[] = {live, merged};
	for (size_t i = 0; i < ARRAY_LEN(trees); i++)
		if (json_get(json_path(trees[i], annotations), STR(LAST_APPLIED)))
			json_set_str(a, json_path(trees[i], annotations), STR(LAST_APPLIED),
				     STR("***"));
}

/* ---- files ---- */

/* "apps.v1.Deployment.default.web"; what an API server takes for a name has no slash in it, what a
 * stranger answers may. */
static struct str file_name(struct arena *a, const struct resource *r)
{
	const struct api_kind *k = r->kind;
	struct str name = arena_printf(a, "%.*s%s%.*s.%.*s.%.*s.%.*s", STR_FMT(k->group),
				       k->group.len ? "." : "", STR_FMT(k->version),
				       STR_FMT(k->kind), STR_FMT(r->namespace), STR_FMT(r->name));
	char *text = arena_cstr(a, name);
	for (char *c = text; *c; c++)
		*c = *c == '/' ? '_' : *c;
	return str_n(text, name.len);
}

static enum rc write_state(struct diff *d, const char *folder, const struct resource *r,
			   struct json *tree, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_BYTES_MAX);
	struct arena *a = d->change.arena;
	const char *path =
		arena_cstr(a, arena_printf(a, "%s/%.*s", folder, STR_FMT(file_name(a, r))));
	if (tree) {
		if (!d->options->shows_managed_fields)
			object_drop_managed_fields(tree);
		json_sort_keys(tree);
		yaml_write(&text, tree);
	}
	TRY(buf_check(&text, "the object", err));
	return file_write_volatile(path, buf_str(&text), 0600, err);
}

static enum rc diff_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct diff *d = ctx;
	struct json *live, *merged;
	TRY(apply_live(v, r, &live, err));
	TRY(dry_run(d, r, live, &merged, err));
	hide_secrets(v->arena, r->kind, live, merged);
	TRY(write_state(d, d->live, r, live, err));
	return write_state(d, d->merged, r, merged, err);
}

static enum rc make_folder(struct arena *a, const char *name, const char **ret_path,
			   struct err *err)
{
	const char *set = getenv("TMPDIR");
	*ret_path = arena_cstr(a, arena_printf(a, "%s/%s-%016llx", set && *set ? set : "/tmp", name,
					       (unsigned long long)world_random_u64()));
	return dir_make(*ret_path, 0700, err);
}

/* ---- the program ---- */

static enum rc compare(struct diff *d, int *ret_code, struct err *err)
{
	struct arena *a = d->change.arena;
	const char *set = getenv("KUBECTL_EXTERNAL_DIFF");
	struct text_list words = user_program_words(a, set && *set ? set : "diff -u -N");
	text_list_add(a, &words, d->live);
	text_list_add(a, &words, d->merged);
	enum rc rc = user_program_run(a, &words, ret_code, err);
	if (rc == RC_NOT_FOUND)
		return err_set(err, rc,
			       "there is no program '%s' to compare with; install it, or name "
			       "another by KUBECTL_EXTERNAL_DIFF",
			       words.at[0]);
	return rc;
}

/* ---- the verb ---- */

static enum rc run_diff(struct verb *v, struct diff *d, struct err *err)
{
	const struct diff_options *o = d->options;
	const struct change_options change = {.dry_run = "server",
					      .field_manager = o->field_manager};
	struct manifest m;
	struct resources r;
	TRY(apply_open(v, &o->resources, &change, o->is_server_side, o->is_forced, &d->change,
		       err));
	TRY(resources_read_files(v, &o->resources, true, &m, err));
	TRY(apply_resources(v, &m, &r, err));
	TRY(make_folder(v->arena, "LIVE", &d->live, err));
	TRY(make_folder(v->arena, "MERGED", &d->merged, err));
	resources_each(v, &r, diff_one, d);
	return v->failed ? RC_OK : compare(d, &v->code, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct diff d = {.options = v->line->values};
	v->code_of_failure = EXIT_TROUBLE;
	enum rc rc = run_diff(v, &d, err);
	if (d.live)
		(void)!dir_remove(d.live, NULL);
	if (d.merged)
		(void)!dir_remove(d.merged, NULL);
	return rc;
}

#define AT(member) offsetof(struct diff_options, member)
static const struct option options[] = {
	RESOURCE_FILE_OPTIONS(struct diff_options, resources),
	{"server-side", 0, OPTION_FLAG, AT(is_server_side), NULL,
	 "as a server-side apply would have it"},
	{"force-conflicts", 0, OPTION_FLAG, AT(is_forced), NULL,
	 "as if fields that others manage were taken over"},
	{"field-manager", 0, OPTION_TEXT, AT(field_manager), "NAME",
	 "who would own the fields that are set"},
	{"show-managed-fields", 0, OPTION_FLAG, AT(shows_managed_fields), NULL,
	 "with managedFields"},
	CLIENT_OPTIONS(struct diff_options, client),
};

const struct command command_diff = {
	.name = "diff",
	.arguments = "-f FILE|FOLDER|-",
	.summary = "Show what an apply would change",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct diff_options),
	VERB_RUN(body),
};
