/* Warnings about volumes of pods.  Source: upstream's pkg/api/pod/warnings.go. */
#include "api/quantity.h"
#include "api/warnings.h"

#define PATHS_MAX 256 /* of one volume; what is beyond is not compared */

static void plugins(const struct warnings *w, const char *at, const struct json *v)
{
	static const struct {
		const char *member, *shown, *text;
	} rows[] = {
		{"photonPersistentDisk", "photonPersistentDisk",
		 "deprecated in v1.11, non-functional in v1.16+"},
		{"gitRepo", "gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"},
		{"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
		{"flocker", "flocker", "deprecated in v1.22, non-functional in v1.25+"},
		{"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
		{"quobyte", "quobyte", "deprecated in v1.22, non-functional in v1.25+"},
		{"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
		{"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
		{"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"},
	};
	for (size_t k = 0; k < ARRAY_LEN(rows); k++)
		if (json_get(v, str_of(rows[k].member)))
			warn(w, "%s.%s: %s", at, rows[k].shown, rows[k].text);
}

static void claim_amount(const struct warnings *w, const char *at, const struct json *v)
{
	static const char path[] = "ephemeral.volumeClaimTemplate.spec.resources.requests.storage";
	struct str text = json_path_str(v, path);
	struct quantity q;
	if (text.len && quantity_parse(text, &q, NULL) == RC_OK && quantity_milli(q) % 1000 != 0)
		warn(w,
		     "%s.ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: "
		     "fractional byte value \"%.*s\" is invalid, must be an integer",
		     at, STR_FMT(text));
}

/* ---- files that stand in each other's way ---- */

struct file {
	struct str path, source; /* source: of a projected volume, else absent */
};

struct files {
	const struct warnings *w;
	struct str volume, source; /* names, as they are told */
	struct file seen[PATHS_MAX];
	size_t count;
};

static bool is_below(struct str path, struct str folder)
{
	return str_has_prefix(path, folder) &&
	       (path.len == folder.len || path.at[folder.len] == '/');
}

static struct str file_text(struct files *f, struct file file)
{
	return file.source.at ? arena_printf(f->w->arena, "\"%.*s\" (%.*s)", STR_FMT(file.path),
					     STR_FMT(file.source))
			      : arena_printf(f->w->arena, "\"%.*s\"", STR_FMT(file.path));
}

static void add_file(struct files *f, struct str path, struct str source)
{
	while (str_has_suffix(path, STR("/")))
		path.len--;
	struct file file = {path, source};
	for (size_t i = 0; i < f->count; i++)
		if (is_below(path, f->seen[i].path) || is_below(f->seen[i].path, path))
			warn(f->w, "volume \"%.*s\" (%.*s): overlapping paths: %.*s with %.*s",
			     STR_FMT(f->volume), STR_FMT(f->source), STR_FMT(file_text(f, file)),
			     STR_FMT(file_text(f, f->seen[i])));
	if (f->count < PATHS_MAX)
		f->seen[f->count++] = file;
}

static void add_items(struct files *f, const struct json *source, struct str text)
{
	const struct json *items = json_get(source, STR("items"));
	for (size_t i = 0; i < json_count(items); i++)
		add_file(f, json_path_str(json_at(items, i), "path"), text);
}

static const struct {
	const char *member, *shown;
	const char *name; /* of the member that names the object, in a volume; NULL: none */
} sources[] = {
	{"configMap", "ConfigMap", "name"},
	{"secret", "Secret", "secretName"},
	{"downwardAPI", "DownwardAPI", NULL},
};

static struct str source_text(const struct warnings *w, size_t i, const struct json *source,
			      const char *name)
{
	return name ? arena_printf(w->arena, "%s \"%.*s\"", sources[i].shown,
				   STR_FMT(json_path_str(source, name)))
		    : str_of(sources[i].shown);
}

static void plain_files(const struct warnings *w, const struct json *v)
{
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		const struct json *source = json_get(v, str_of(sources[i].member));
		struct files f = {.w = w, .volume = json_path_str(v, "name")};
		if (json_count(json_get(source, STR("items"))) == 0)
			continue;
		f.source = source_text(w, i, source, sources[i].name);
		add_items(&f, source, (struct str){});
	}
}

static void projected_files(const struct warnings *w, const struct json *v)
{
	const struct json *list = json_path(v, "projected.sources");
	struct files f = {.w = w, .volume = json_path_str(v, "name"), .source = STR("Projected")};
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *from = json_at(list, i);
		if (json_count(from) == 0)
			warn(w, "volume \"%.*s\" (Projected) has no sources provided",
			     STR_FMT(f.volume));
		for (size_t k = 0; k < ARRAY_LEN(sources); k++) {
			const struct json *source = json_get(from, str_of(sources[k].member));
			if (source)
				add_items(
					&f, source,
					source_text(w, k, source, sources[k].name ? "name" : NULL));
		}
		if (json_get(from, STR("serviceAccountToken")))
			add_file(&f, json_path_str(from, "serviceAccountToken.path"),
				 STR("ServiceAccountToken"));
	}
}

void warnings_of_volumes(const struct warnings *w, const char *at, const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const char *here = arena_cstr(w->arena, arena_printf(w->arena, "%s[%zu]", at, i));
		plugins(w, here, json_at(list, i));
		claim_amount(w, here, json_at(list, i));
	}
	for (size_t i = 0; i < json_count(list); i++) {
		plain_files(w, json_at(list, i));
		projected_files(w, json_at(list, i));
	}
}
