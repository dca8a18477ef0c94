/* The sources of manifests: files, folders, standard input. */
#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

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

static int is_manifest_name(const struct dirent *entry)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	for (size_t i = 0; i < ARRAY_LEN(endings); i++)
		if (str_has_suffix(str_of(entry->d_name), str_of(endings[i])))
			return 1;
	return 0;
}

static enum rc add_folder(struct manifest *m, struct arena *a, const char *path, int depth,
			  struct err *err);

/* Only folders are looked into, whatever their names; files by their endings. */
static enum rc add_entry(struct manifest *m, struct arena *a, const char *folder,
			 const struct dirent *entry, int depth, struct err *err)
{
	struct stat status;
	const char *path = arena_cstr(a, arena_printf(a, "%s/%s", folder, entry->d_name));
	if (entry->d_name[0] == '.' && !is_manifest_name(entry))
		return RC_OK;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		if (!m->is_recursive)
			return RC_OK;
		if (depth == FOLDER_DEPTH_MAX)
			return err_set(err, RC_TOO_LARGE,
				       "folder '%s' is deeper than %d levels; name it itself", path,
				       FOLDER_DEPTH_MAX);
		return add_folder(m, a, path, depth + 1, err);
	}
	return is_manifest_name(entry) ? add_file(m, a, path, err) : RC_OK;
}

static enum rc add_folder(struct manifest *m, struct arena *a, const char *path, int depth,
			  struct err *err)
{
	struct dirent **entries;
	enum rc rc = RC_OK;
	size_t before = m->count;
	int count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		return err_sys(err, RC_IO, errno, "read folder '%s'", path);
	for (int i = 0; i < count; i++) {
		if (rc == RC_OK)
			rc = add_entry(m, a, path, entries[i], depth, err);
		free(entries[i]);
	}
	free(entries);
	if (rc == RC_OK && m->count == before && depth == 0)
		return err_set(err, RC_NOT_FOUND,
			       "folder '%s' has no file that ends with .yaml, .yml or .json", path);
	return rc;
}

static enum rc add_source(struct manifest *m, struct arena *a, const char *source, struct err *err)
{
	struct stat status;
	struct str text;
	if (strcmp(source, "-") == 0) {
		TRY(file_read_fd(STDIN_FILENO, "standard input", YAML_MAX_BYTES, a, &text, err));
		return manifest_add_text(m, a, "standard input", text, err);
	}
	if (stat(source, &status) < 0)
		return err_set(err, RC_NOT_FOUND,
			       "the path \"%s\" does not exist; name a file, a folder or '-'",
			       source);
	return S_ISDIR(status.st_mode) ? add_folder(m, a, source, 0, err)
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
