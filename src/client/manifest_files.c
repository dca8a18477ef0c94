/* The sources of manifests: files, folders, standard input. */
#include "client/manifest.h"
#include "codec/yaml.h"
#include "io/file.h"

#define FOLDER_DEPTH_MAX 32

static enum rc add_file(struct manifest *m, struct arena *a, const char *path, struct err *err)
{
	struct str text;
	TRY(file_read(path, YAML_MAX_BYTES, a, &text, err));
	return manifest_add_text(m, a, path, text, err);
}

static bool is_manifest_name(const char *name)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (str_has_suffix(str_of(name), str_of(endings[i])))
			return true;
	return false;
}

static enum rc add_folder(struct manifest *m, struct arena *a, const char *path, int depth,
			  struct err *err);

/* Only folders are looked into, whatever their names; files by their endings. */
static enum rc add_entry(struct manifest *m, struct arena *a, const char *folder, const char *name,
			 int depth, struct err *err)
{
	struct file_facts facts;
	const char *path = arena_cstr(a, arena_printf(a, "%s/%s", folder, name));
	if (name[0] == '.' && !is_manifest_name(name))
		return RC_OK;
	if (file_look(path, true, &facts, NULL) == RC_OK && facts.kind == FILE_FOLDER) {
		if (!m->is_recursive)
			return RC_OK;
		if (depth == FOLDER_DEPTH_MAX)
			return err_set(err, RC_TOO_LARGE,
				       "folder '%s' is deeper than %d levels; name it itself", path,
				       FOLDER_DEPTH_MAX);
		return add_folder(m, a, path, depth + 1, err);
	}
	return is_manifest_name(name) ? add_file(m, a, path, err) : RC_OK;
}

static enum rc add_folder(struct manifest *m, struct arena *a, const char *path, int depth,
			  struct err *err)
{
	const char **names;
	size_t before = m->count, count;
	TRY(dir_list(path, a, &names, &count, err));
	for (size_t i = 0; i < count; i++)
		TRY(add_entry(m, a, path, names[i], depth, err));
	if (m->count == before && depth == 0)
		return err_set(err, RC_NOT_FOUND,
			       "folder '%s' has no file that ends with .yaml, .yml or .json", path);
	return RC_OK;
}

static enum rc add_source(struct manifest *m, struct arena *a, const char *source, struct err *err)
{
	struct file_facts facts;
	struct str text;
	if (strcmp(source, "-") == 0) {
		TRY(file_read_fd(STDIN_FILENO, "standard input", YAML_MAX_BYTES, a, &text, err));
		return manifest_add_text(m, a, "standard input", text, err);
	}
	if (file_look(source, true, &facts, NULL) != RC_OK)
		return err_set(err, RC_NOT_FOUND,
			       "the path \"%s\" does not exist; name a file, a folder or '-'",
			       source);
	return facts.kind == FILE_FOLDER ? add_folder(m, a, source, 0, err)
					 : add_file(m, a, source, err);
}

enum rc manifest_read(struct manifest *m, struct arena *a, const struct text_list *sources,
		      struct err *err)
{
	for (size_t i = 0; i < sources->count; i++)
		TRY(add_source(m, a, sources->at[i], err));
	if (m->count == 0)
		return err_set(err, RC_INVALID, "no objects in '%s'; nothing to do",
			       sources->count ? sources->at[0] : "");
	return RC_OK;
}
