/* skeg apply: server-side apply of files.  All files are read and checked before the first object
 * is sent; what the server refuses afterwards doesn't keep the other objects from being applied. */
#include <stdio.h>

#include "client/api_client.h"
#include "client/api_error.h"
#include "client/api_path.h"
#include "client/manifest.h"
#include "client/object_output.h"
#include "client/resource_types.h"
#include "client/verbs.h"

#define FIELD_MANAGER	 "skeg"
#define OBJECT_BYTES_MAX (16u << 20)

struct apply_options {
	struct client_options client;
	struct text_list files;
	const char *dry_run, *field_manager, *output;
	bool is_server_side, is_forced;
};

struct apply {
	struct api_client client;
	const struct apply_options *options;
	struct arena *arena;
	bool is_dry_run;
	enum output_form form;
};

/* The object as it is now; NULL when there is none. */
static enum rc read_current(struct apply *p, struct str path, struct json **ret_object,
			    struct err *err)
{
	struct api_reply reply;
	const struct api_request request = {.path = path};
	*ret_object = NULL;
	enum rc rc = api_client_call(&p->client, p->arena, &request, &reply, err);
	if (rc == RC_OK)
		*ret_object = reply.tree;
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

static enum rc send(struct apply *p, struct str path, const struct json *tree,
		    struct json **ret_object, struct err *err)
{
	struct api_reply reply;
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES), body = BUF_INIT(OBJECT_BYTES_MAX);
	buf_add_str(&url, path);
	query_add(&url, "fieldManager", str_of(p->options->field_manager));
	query_add(&url, "fieldValidation", STR("Strict"));
	query_add(&url, "force", p->options->is_forced ? STR("true") : STR("false"));
	query_add(&url, "dryRun", p->is_dry_run ? STR("All") : STR(""));
	json_write(&body, tree);
	TRY(buf_check(&body, "the object", err));
	const struct api_request request = {
		.method = "PATCH",
		.path = buf_str(&url),
		.content_type = "application/apply-patch+yaml",
		.body = buf_str(&body),
	};
	TRY(api_client_call(&p->client, p->arena, &request, &reply, err));
	*ret_object = reply.tree;
	return RC_OK;
}

/* A dry run gives no new resourceVersion, so the objects themselves are compared. */
static bool is_same(const struct apply *p, struct json *before, struct json *after)
{
	if (!p->is_dry_run)
		return str_eq(json_path_str(before, "metadata.resourceVersion"),
			      json_path_str(after, "metadata.resourceVersion"));
	object_drop_managed_fields(before);
	object_drop_managed_fields(after);
	return json_equal(before, after);
}

static enum rc tell(struct apply *p, const struct manifest_object *o, struct json *before,
		    struct json *after, struct err *err)
{
	if (p->form == OUTPUT_YAML || p->form == OUTPUT_JSON) {
		object_drop_managed_fields(after);
		return object_print(after, p->form, err);
	}
	if (p->form == OUTPUT_NAME) {
		object_print_name(p->arena, o->kind, o->name);
		return RC_OK;
	}
	const char *what = p->options->is_server_side  ? "serverside-applied"
			   : !before		       ? "created"
			   : is_same(p, before, after) ? "unchanged"
						       : "configured";
	printf("%.*s/%.*s %s%s\n", STR_FMT(resource_type_label(p->arena, o->kind)),
	       STR_FMT(o->name), what, p->is_dry_run ? " (server dry run)" : "");
	fflush(stdout);
	return RC_OK;
}

/* What a user can do about a refusal, where the server's words don't say it. */
static const char *remedy(const struct err *err)
{
	if (err->rc == RC_CONFLICT)
		return "\nOther managers own these fields: remove them from the file, or take them "
		       "over with --force-conflicts.";
	if (err->rc == RC_NOT_FOUND && strstr(err->text, "namespaces \""))
		return "\nApply a Namespace of this name first, or choose another with -n.";
	return "";
}

static enum rc apply_object(struct apply *p, const struct manifest_object *o, struct err *err)
{
	struct str namespace;
	struct json *before, *after;
	TRY(manifest_namespace(o, p->client.namespace, p->client.is_namespace_given, &namespace,
			       err));
	struct str path = api_path(p->arena, o->kind, namespace, o->name, NULL);
	TRY(read_current(p, path, &before, err));
	enum rc rc = send(p, path, o->tree, &after, err);
	if (rc != RC_OK) {
		struct err cause = *err;
		return err_set(err, rc, "%s%s\n(%.*s, %.*s \"%.*s\")", cause.text, remedy(&cause),
			       STR_FMT(manifest_place(p->arena, o)), STR_FMT(o->kind->kind),
			       STR_FMT(o->name));
	}
	return tell(p, o, before, after, err);
}

static enum rc check_options(struct apply *p, const struct command_line *line, struct err *err)
{
	const char *dry_run = p->options->dry_run;
	if (line->words.count)
		return err_set(err, RC_BAD_REQUEST,
			       "'%s' belongs to no option; name each file with -f",
			       line->words.at[0]);
	if (p->options->files.count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "name what to apply with -f: a file, a folder, or '-' for standard "
			       "input");
	if (dry_run && strcmp(dry_run, "server") != 0 && strcmp(dry_run, "none") != 0)
		return err_set(err, RC_BAD_REQUEST,
			       "option '--dry-run': '%s' is not one of server, none", dry_run);
	p->is_dry_run = dry_run && strcmp(dry_run, "server") == 0;
	return output_form_parse(p->options->output, &p->form, err);
}

static int nothing_applied(const struct err *err)
{
	command_failed(err);
	fprintf(stderr, "Nothing was applied.\n");
	return EXIT_FAILED;
}

static int apply_all(struct apply *p, const struct manifest *m)
{
	int code = EXIT_OK;
	for (size_t i = 0; i < m->count; i++) {
		struct err err;
		struct str namespace;
		if (manifest_namespace(&m->items[i], p->client.namespace,
				       p->client.is_namespace_given, &namespace, &err) != RC_OK)
			return nothing_applied(&err);
	}
	for (size_t i = 0; i < m->count; i++) {
		struct err err;
		if (apply_object(p, &m->items[i], &err) != RC_OK)
			code = client_failed(&err);
	}
	return code;
}

static int run(struct command_line *line)
{
	struct err err;
	struct apply p = {.options = line->values, .arena = &line->arena};
	struct manifest m = {.is_strict = true};
	if (check_options(&p, line, &err) != RC_OK) {
		command_failed(&err);
		return EXIT_USAGE;
	}
	if (manifest_read(&m, p.arena, &p.options->files, &err) != RC_OK)
		return nothing_applied(&err);
	if (api_client_open(p.arena, &p.options->client, &p.client, &err) != RC_OK)
		return command_failed(&err);
	int code = apply_all(&p, &m);
	api_client_close(&p.client);
	return code;
}

#define AT(member) offsetof(struct apply_options, member)
static const struct option options[] = {
	{"filename", 'f', OPTION_LIST, AT(files), "FILE",
	 "file or folder of YAML or JSON; '-' is standard input"},
	CLIENT_OPTIONS(struct apply_options, client),
	{"dry-run", 0, OPTION_TEXT, AT(dry_run), "server|none",
	 "server: check everything, store nothing"},
	{"force-conflicts", 0, OPTION_FLAG, AT(is_forced), NULL,
	 "take over fields that others manage"},
	{"field-manager", 0, OPTION_TEXT, AT(field_manager), "NAME",
	 "who owns the fields (" FIELD_MANAGER ")"},
	{"server-side", 0, OPTION_FLAG, AT(is_server_side), NULL,
	 "say 'serverside-applied' as kubectl does; it is always server-side"},
	{"output", 'o', OPTION_TEXT, AT(output), "FORM", "yaml, json or name of what came of it"},
};

static const struct apply_options defaults = {.field_manager = FIELD_MANAGER};

const struct command command_apply = {
	.name = "apply",
	.arguments = "-f FILE|FOLDER|-",
	.summary = "Make objects be as files say",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct apply_options),
	.defaults = &defaults,
	.run = run,
};
