#include "client/kubeconfig_set.h"

#include "client/object_output.h"
#include "io/file.h"

/* Members that name files; a name that is not absolute counts from the kubeconfig's folder. */
static const char *const file_keys[] = {"certificate-authority", "client-certificate", "client-key",
					"tokenFile"};

/* ---- files ---- */

static enum rc add_file(struct kubeconfig_set *s, const char *path, struct err *err)
{
	struct kubeconfig_file *f = &s->files[s->count];
	if (s->count == KUBECONFIG_FILES_MAX)
		return err_set(err, RC_TOO_LARGE, "KUBECONFIG names more than %d files",
			       KUBECONFIG_FILES_MAX);
	*f = (struct kubeconfig_file){.path = path};
	enum rc rc = kubeconfig_read(s->arena, path, &f->tree, err);
	if (rc != RC_OK && rc != RC_NOT_FOUND)
		return rc;
	f->exists = rc == RC_OK;
	s->count++;
	return RC_OK;
}

static enum rc add_environment(struct kubeconfig_set *s, struct err *err)
{
	const char *set = getenv("KUBECONFIG");
	struct str rest = str_of(set), path;
	while (rest.len) {
		str_cut(rest, ':', &path, &rest);
		if (path.len)
			TRY(add_file(s, arena_cstr(s->arena, path), err));
	}
	return s->count ? RC_OK : add_file(s, kubeconfig_default_path(s->arena), err);
}

static struct kubeconfig_file *file_of_new(struct kubeconfig_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].exists)
			return &s->files[i];
	return &s->files[s->count - 1];
}

enum rc kubeconfig_set_load(struct arena *a, const char *path, struct kubeconfig_set *ret_set,
			    struct err *err)
{
	*ret_set = (struct kubeconfig_set){.arena = a};
	TRY(path && *path ? add_file(ret_set, path, err) : add_environment(ret_set, err));
	ret_set->path = file_of_new(ret_set)->path;
	return RC_OK;
}

/* ---- entries ---- */

static struct json *list_of(const struct kubeconfig_file *f, enum kubeconfig_section section)
{
	struct json *list = json_get(f->tree, str_of(kubeconfig_names[section].list));
	return list && list->type == JSON_ARRAY ? list : NULL;
}

static struct json *find(const struct kubeconfig_set *s, enum kubeconfig_section section,
			 struct str name, size_t *ret_file)
{
	for (size_t i = 0; i < s->count; i++) {
		struct json *entry = kubeconfig_find(list_of(&s->files[i], section), name);
		if (!entry)
			continue;
		*ret_file = i;
		return entry;
	}
	return NULL;
}

struct json *kubeconfig_set_get(const struct kubeconfig_set *s, enum kubeconfig_section section,
				struct str name)
{
	size_t file;
	struct json *value =
		json_get(find(s, section, name, &file), str_of(kubeconfig_names[section].key));
	return value && value->type == JSON_OBJECT ? value : NULL;
}

struct json *kubeconfig_set_need(struct kubeconfig_set *s, enum kubeconfig_section section,
				 struct str name)
{
	size_t file = (size_t)(file_of_new(s) - s->files);
	struct json *entry = find(s, section, name, &file);
	struct kubeconfig_file *f = &s->files[file];
	f->is_changed = true;
	if (!entry) {
		struct json *list = list_of(f, section);
		entry = json_object(s->arena);
		json_set_str(s->arena, entry, STR("name"), name);
		if (!list)
			list = json_array(s->arena);
		json_set(s->arena, f->tree, str_of(kubeconfig_names[section].list), list);
		json_append(s->arena, list, entry);
	}
	return json_need_object(s->arena, entry, str_of(kubeconfig_names[section].key));
}

bool kubeconfig_set_drop(struct kubeconfig_set *s, enum kubeconfig_section section, struct str name)
{
	bool is_dropped = false;
	for (size_t i = 0; i < s->count; i++) {
		struct kubeconfig_file *f = &s->files[i];
		bool had_it = kubeconfig_drop(list_of(f, section), name);
		f->is_changed |= had_it;
		is_dropped |= had_it;
	}
	return is_dropped;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

struct str *kubeconfig_set_names(const struct kubeconfig_set *s, enum kubeconfig_section section,
				 size_t *ret_count)
{
	struct str *names = NULL;
	size_t count = 0, cap = 0, file;
	for (size_t f = 0; f < s->count; f++) {
		const struct json *list = list_of(&s->files[f], section);
		for (size_t i = 0; i < json_count(list); i++) {
			struct str name = json_path_str(json_at(list, i), "name");
			if (find(s, section, name, &file) != json_at(list, i))
				continue;
			names = arena_grow(s->arena, names, count, &cap, sizeof(*names));
			names[count++] = name;
		}
	}
	if (count)
		qsort(names, count, sizeof(*names), by_text);
	*ret_count = count;
	return names;
}

/* ---- which context is current ---- */

static size_t file_of_current(const struct kubeconfig_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (json_path_str(s->files[i].tree, "current-context").len)
			return i;
	return s->count;
}

struct str kubeconfig_set_current(const struct kubeconfig_set *s)
{
	size_t file = file_of_current(s);
	return file < s->count ? json_path_str(s->files[file].tree, "current-context") : STR("");
}

void kubeconfig_set_choose(struct kubeconfig_set *s, struct str context)
{
	size_t file = file_of_current(s);
	struct kubeconfig_file *f = file < s->count ? &s->files[file] : file_of_new(s);
	json_set_str(s->arena, f->tree, STR("current-context"), context);
	f->is_changed = true;
}

/* ---- one document ---- */

static struct str folder_of(struct arena *a, const char *path)
{
	char here[4096];
	struct str folder, name;
	str_cut_last(str_of(path), '/', &folder, &name);
	if (*path == '/')
		return folder;
	const char *cwd = getcwd(here, sizeof(here));
	return folder.len ? arena_printf(a, "%s/%.*s", cwd ? cwd : ".", STR_FMT(folder))
			  : arena_str(a, str_of(cwd ? cwd : "."));
}

static void make_absolute(struct arena *a, struct json *value, struct str folder)
{
	for (size_t i = 0; i < ARRAY_LEN(file_keys); i++) {
		struct str path = json_str(json_get(value, str_of(file_keys[i])));
		if (path.len && path.at[0] != '/')
			json_set(a, value, str_of(file_keys[i]),
				 json_printf(a, "%.*s/%.*s", STR_FMT(folder), STR_FMT(path)));
	}
}

static struct json *merged_list(const struct kubeconfig_set *s, enum kubeconfig_section section)
{
	struct json *list = json_array(s->arena);
	struct str key = str_of(kubeconfig_names[section].key);
	size_t count, file = 0;
	const struct str *names = kubeconfig_set_names(s, section, &count);
	for (size_t i = 0; i < count; i++) {
		struct json *entry = json_object(s->arena);
		const struct json *own = json_get(find(s, section, names[i], &file), key);
		struct json *value = own && own->type == JSON_OBJECT ? json_copy(s->arena, own)
								     : json_object(s->arena);
		make_absolute(s->arena, value, folder_of(s->arena, s->files[file].path));
		json_set_str(s->arena, entry, STR("name"), names[i]);
		json_set(s->arena, entry, key, value);
		json_append(s->arena, list, entry);
	}
	return list;
}

/* Members that are written though they are empty. */
static void fill(struct arena *a, struct json *list, const char *key, const char *member)
{
	for (size_t i = 0; i < json_count(list); i++) {
		struct json *value = json_get(json_at(list, i), str_of(key));
		if (!json_get(value, str_of(member)))
			json_set_str(a, value, str_of(member), STR(""));
	}
}

struct json *kubeconfig_set_merged(const struct kubeconfig_set *s)
{
	struct arena *a = s->arena;
	struct json *t = json_object(a);
	json_set_str(a, t, STR("apiVersion"), STR("v1"));
	json_set_str(a, t, STR("kind"), STR("Config"));
	json_set(a, t, STR("preferences"), json_object(a));
	json_set_str(a, t, STR("current-context"), kubeconfig_set_current(s));
	for (size_t i = 0; i < KUBECONFIG_SECTIONS; i++)
		json_set(a, t, str_of(kubeconfig_names[i].list), merged_list(s, i));
	fill(a, json_get(t, STR("clusters")), "cluster", "server");
	fill(a, json_get(t, STR("contexts")), "context", "cluster");
	fill(a, json_get(t, STR("contexts")), "context", "user");
	json_sort_keys(t);
	return t;
}

/* ---- writing ---- */

static int by_name(const void *a, const void *b)
{
	return str_cmp(json_path_str(*(struct json *const *)a, "name"),
		       json_path_str(*(struct json *const *)b, "name"));
}

static enum rc save_file(struct kubeconfig_set *s, struct kubeconfig_file *f, struct err *err)
{
	struct str folder, name;
	for (size_t i = 0; i < KUBECONFIG_SECTIONS; i++) {
		struct json *list = list_of(f, i);
		if (!list)
			json_set(s->arena, f->tree, str_of(kubeconfig_names[i].list),
				 json_array(s->arena));
		else if (list->array.count)
			qsort(list->array.items, list->array.count, sizeof(*list->array.items),
			      by_name);
	}
	if (!json_get(f->tree, STR("current-context")))
		json_set_str(s->arena, f->tree, STR("current-context"), STR(""));
	json_sort_keys(f->tree);
	if (str_cut_last(str_of(f->path), '/', &folder, &name) && folder.len)
		TRY(dir_make(arena_cstr(s->arena, folder), 0700, err));
	f->is_changed = false;
	return kubeconfig_save(f->path, f->tree, err);
}

enum rc kubeconfig_set_save(struct kubeconfig_set *s, struct err *err)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->files[i].is_changed)
			TRY(save_file(s, &s->files[i], err));
	return RC_OK;
}
