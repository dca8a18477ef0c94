/* Names of the image store: index.json, read anew for each call and replaced under a lock, so that
 * all processes of the machine see one truth. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/map.h"
#include "io/file.h"
#include "node/image_store-int.h"
#include "node/image_user.h"

#define INDEX_BYTES_MAX (16u << 20)
#define SHORT_ID_MIN	12

enum rc store_index_read(struct image_store *store, struct arena *a, struct json **ret_index,
			 struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	struct str text;
	enum rc rc = file_open_beneath(store->dir_fd, "index.json", O_RDONLY, 0, &fd, err);
	if (rc == RC_NOT_FOUND) {
		*ret_index = json_object(a);
		json_set(a, *ret_index, STR("schemaVersion"), json_int(a, 2));
		json_set_str(a, *ret_index, STR("mediaType"), STR(MEDIA_OCI_INDEX));
		json_set(a, *ret_index, STR("manifests"), json_array(a));
		return RC_OK;
	}
	TRY(rc);
	TRY(file_read_fd(fd, "index.json", INDEX_BYTES_MAX, a, &text, err));
	if (json_parse(a, text, ret_index, NULL, err) != RC_OK)
		return err_wrap(err, "%s/index.json", store->dir);
	return RC_OK;
}

static enum rc index_write(struct image_store *store, const struct json *index, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(INDEX_BYTES_MAX);
	json_write(&text, index);
	TRY(buf_check(&text, "index of images", err));
	return file_write_at(store->dir_fd, "index.json", buf_str(&text), 0600, err);
}

static struct str entry_note(const struct json *entry, const char *annotation)
{
	return json_str(json_get(json_get(entry, STR("annotations")), str_of(annotation)));
}

static struct json *entry_make(struct arena *a, const char *name,
			       const struct image_descriptor *top, const char *manifest_digest,
			       const struct image_manifest *m)
{
	struct json *entry = json_object(a), *notes = json_object(a);
	json_set_str(a, entry, STR("mediaType"),
		     top->media_type.len ? top->media_type : STR(MEDIA_OCI_MANIFEST));
	json_set_str(a, entry, STR("digest"), str_of(top->digest));
	json_set(a, entry, STR("size"), json_int(a, top->size_bytes));
	json_set_str(a, notes, STR(STORE_ANNOTATION_NAME), str_of(name));
	json_set_str(a, notes, STR(STORE_ANNOTATION_CONFIG), str_of(m->config.digest));
	json_set_str(a, notes, STR(STORE_ANNOTATION_MANIFEST), str_of(manifest_digest));
	json_set(a, notes, STR(STORE_ANNOTATION_SIZE),
		 json_printf(a, "%lld", (long long)m->size_bytes));
	json_set(a, entry, STR("annotations"), notes);
	return entry;
}

enum rc image_store_name(struct image_store *store, const char *name,
			 const struct image_descriptor *top, const char *manifest_digest,
			 const struct image_manifest *m, struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP(close_fd_p) int lock = -1;
	struct json *index;
	TRY(store_lock(store->dir_fd, "lock", LOCK_EX, &lock, err));
	TRY(store_index_read(store, &arena, &index, err));
	struct json *entries = json_get(index, STR("manifests"));
	for (size_t i = json_count(entries); i-- > 0;) {
		if (str_is(entry_note(json_at(entries, i), STORE_ANNOTATION_NAME), name))
			json_remove_at(entries, i);
	}
	json_append(&arena, entries, entry_make(&arena, name, top, manifest_digest, m));
	store_touch(store, str_of(m->config.digest));
	return index_write(store, index, err);
}

enum rc image_store_pin(struct image_store *store, const char *name, struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP(close_fd_p) int lock = -1;
	struct json *index;
	TRY(store_lock(store->dir_fd, "lock", LOCK_EX, &lock, err));
	TRY(store_index_read(store, &arena, &index, err));
	struct json *entries = json_get(index, STR("manifests"));
	for (size_t i = 0; i < json_count(entries); i++) {
		struct json *notes = json_get(json_at(entries, i), STR("annotations"));
		if (str_is(json_str(json_get(notes, STR(STORE_ANNOTATION_NAME))), name))
			json_set_str(&arena, notes, STR(STORE_ANNOTATION_PINNED), STR("true"));
	}
	return index_write(store, index, err);
}

/* --- what a user calls an image --- */

struct wanted {
	char name[IMAGE_REF_MAX]; /* "" when only an id can be meant */
	struct str id;		  /* absent when only a name can be meant */
};

static bool is_hex_text(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!strchr("0123456789abcdef", s.at[i]))
			return false;
	}
	return s.len > 0;
}

static enum rc wanted_parse(struct str ref, struct wanted *out, struct err *err)
{
	struct image_ref parsed;
	*out = (struct wanted){};
	if (image_digest_is_valid(ref))
		out->id = str_skip(ref, 7);
	else if (ref.len >= SHORT_ID_MIN && ref.len <= 64 && is_hex_text(ref))
		out->id = ref;
	if (out->id.len == 64)
		return RC_OK;
	enum rc rc = image_ref_parse(ref, &parsed, err);
	if (rc == RC_OK)
		image_ref_print(&parsed, out->name);
	return rc;
}

static bool entry_fits(const struct json *entry, const struct wanted *wanted)
{
	struct str config = entry_note(entry, STORE_ANNOTATION_CONFIG);
	struct str name = entry_note(entry, STORE_ANNOTATION_NAME), repository, digest;
	if (wanted->id.len > 0 && str_has_prefix(str_skip(config, 7), wanted->id))
		return true;
	if (wanted->name[0] && str_is(name, wanted->name))
		return true;
	/* A pull by tag answers for the digest that the tag had, too. */
	if (!str_cut(str_of(wanted->name), '@', &repository, &digest))
		return false;
	return str_has_prefix(name, repository) && name.len > repository.len &&
	       name.at[repository.len] == ':' &&
	       str_eq(digest, json_str(json_get(entry, STR("digest"))));
}

static const struct json *entry_find(const struct json *entries, const struct wanted *wanted)
{
	for (size_t i = 0; i < json_count(entries); i++) {
		const struct json *entry = json_at(entries, i);
		if (entry_fits(entry, wanted))
			return entry;
	}
	return NULL;
}

/* --- reading --- */

/* "docker.io/library/nginx:1.25" and its digest -> "docker.io/library/nginx@sha256:..." */
static struct str digest_name(struct arena *a, struct str name, struct str digest)
{
	struct str repository, rest;
	if (!str_cut(name, '@', &repository, &rest))
		str_cut_last(name, ':', &repository, &rest);
	return arena_printf(a, "%.*s@%.*s", STR_FMT(repository), STR_FMT(digest));
}

static void name_append(struct arena *a, const struct str **names, size_t *count, struct str name)
{
	for (size_t i = 0; i < *count; i++) {
		if (str_eq((*names)[i], name))
			return;
	}
	struct str *more = ARENA_ARRAY(a, struct str, *count + 1);
	if (*count > 0)
		memcpy(more, *names, *count * sizeof(*more));
	more[(*count)++] = name;
	*names = more;
}

static void info_add_entry(struct arena *a, const struct json *entry,
			   struct runtime_image_info *info)
{
	struct str name = entry_note(entry, STORE_ANNOTATION_NAME), head, tail;
	struct str digest = json_str(json_get(entry, STR("digest")));
	if (!str_cut(name, '@', &head, &tail))
		name_append(a, &info->tags, &info->tag_count, name);
	name_append(a, &info->digests, &info->digest_count, digest_name(a, name, digest));
}

static enum rc info_fill(struct image_store *store, struct arena *a, const struct json *entries,
			 const struct json *entry, struct runtime_image_info *info, struct err *err)
{
	struct image_config config;
	struct str id = entry_note(entry, STORE_ANNOTATION_CONFIG);
	*info = (struct runtime_image_info){.id = id, .user_id = RUNTIME_ID_UNSET};
	str_to_i64(entry_note(entry, STORE_ANNOTATION_SIZE), &info->size_bytes);
	for (size_t i = 0; i < json_count(entries); i++) {
		const struct json *other = json_at(entries, i);
		if (!str_eq(entry_note(other, STORE_ANNOTATION_CONFIG), id))
			continue;
		info_add_entry(a, other, info);
		info->is_pinned |= str_is(entry_note(other, STORE_ANNOTATION_PINNED), "true");
	}
	TRY(image_store_config(store, id, a, &config, err));
	info->stop_signal = config.stop_signal;
	image_user_split(config.user, &info->user_id, &info->user_name);
	return RC_OK;
}

enum rc image_store_find(struct image_store *store, struct str ref, struct arena *a,
			 struct runtime_image_info *ret_info, struct err *err)
{
	struct wanted wanted;
	struct json *index;
	TRY(wanted_parse(ref, &wanted, err));
	TRY(store_index_read(store, a, &index, err));
	const struct json *entries = json_get(index, STR("manifests"));
	const struct json *entry = entry_find(entries, &wanted);
	if (!entry)
		return err_set(err, RC_NOT_FOUND, "image \"%.*s\" not found", STR_FMT(ref));
	return info_fill(store, a, entries, entry, ret_info, err);
}

enum rc image_store_list(struct image_store *store, struct arena *a,
			 struct runtime_image_list *ret_list, struct err *err)
{
	struct json *index;
	TRY(store_index_read(store, a, &index, err));
	const struct json *entries = json_get(index, STR("manifests"));
	size_t count = 0;
	struct runtime_image_info *items =
		ARENA_ARRAY(a, struct runtime_image_info, json_count(entries) + 1);
	struct map seen = {};
	enum rc rc = RC_OK;
	for (size_t i = 0; i < json_count(entries) && rc == RC_OK; i++) {
		const struct json *entry = json_at(entries, i);
		struct str id = entry_note(entry, STORE_ANNOTATION_CONFIG);
		if (map_set(&seen, id, store) == NULL)
			rc = info_fill(store, a, entries, entry, &items[count++], err);
	}
	map_done(&seen);
	*ret_list = (struct runtime_image_list){items, count};
	return rc;
}

enum rc image_store_config(struct image_store *store, struct str image_id, struct arena *a,
			   struct image_config *ret_config, struct err *err)
{
	struct str text;
	if (!image_digest_is_valid(image_id))
		return err_set(err, RC_INVALID, "image id '%.*s' is not of the form sha256:<hex>",
			       STR_FMT(image_id));
	enum rc rc = image_store_read_blob(store, arena_cstr(a, image_id), a, &text, err);
	if (rc == RC_NOT_FOUND)
		return err_set(err, RC_NOT_FOUND, "image \"%.*s\" not found", STR_FMT(image_id));
	TRY(rc);
	return image_config_read(a, text, ret_config, err);
}

/* --- removing --- */

enum rc store_names_remove(struct image_store *store, struct str ref, struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP(close_fd_p) int lock = -1;
	struct wanted wanted;
	struct json *index;
	TRY(wanted_parse(ref, &wanted, err));
	TRY(store_lock(store->dir_fd, "lock", LOCK_EX, &lock, err));
	TRY(store_index_read(store, &arena, &index, err));
	struct json *entries = json_get(index, STR("manifests"));
	size_t before = json_count(entries);
	for (size_t i = before; i-- > 0;) {
		if (entry_fits(json_at(entries, i), &wanted))
			json_remove_at(entries, i);
	}
	return json_count(entries) == before ? RC_OK : index_write(store, index, err);
}

enum rc image_store_remove(struct image_store *store, struct str ref, struct err *err)
{
	TRY(store_names_remove(store, ref, err));
	return image_store_collect(store, err);
}
