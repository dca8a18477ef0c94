#include "node/image_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

#include "base/map.h"
#include "node/image_manifest.h"

#define CHUNK_BYTES   (128u << 10)
#define LINK_HOPS_MAX 8

/* A member of the archive: its blob, or what it links to. */
struct member {
	char digest[IMAGE_DIGEST_MAX];
	int64_t size_bytes;
	struct str link; /* absent: a file */
};

struct load {
	struct image_store *store;
	struct arena *a;
	struct map members; /* clean name -> struct member */
	int64_t bytes;
	struct str given_name;
	struct str *names;
	size_t name_count;
};

/* --- reading the archive --- */

/* Without "./" in front; names are keys here, never paths. */
static struct str name_clean(const char *name)
{
	struct str s = str_of(name);
	while (str_has_prefix(s, STR("./")) || str_has_prefix(s, STR("/")))
		s = str_skip(s, s.at[0] == '/' ? 1 : 2);
	return s;
}

static enum rc content_read(struct load *l, struct archive *archive, struct blob_writer *w,
			    struct err *err)
{
	CLEANUP(free_p) char *chunk = mem_alloc(CHUNK_BYTES);
	for (;;) {
		la_ssize_t got = archive_read_data(archive, chunk, CHUNK_BYTES);
		if (got == 0)
			return RC_OK;
		if (got < 0)
			return err_set(err, RC_INVALID, "%s", archive_error_string(archive));
		l->bytes += got;
		if (l->bytes > ARCHIVE_BYTES_MAX)
			return err_set(err, RC_TOO_LARGE, "the archive is larger than %lld bytes",
				       ARCHIVE_BYTES_MAX);
		TRY(blob_add(w, chunk, (size_t)got, err));
	}
}

static enum rc file_read_member(struct load *l, struct archive *archive, struct str name,
				struct member *member, struct err *err)
{
	char expected[IMAGE_DIGEST_MAX] = "";
	struct blob_writer w;
	struct str prefix = STR("blobs/sha256/");
	if (str_has_prefix(name, prefix) && name.len == prefix.len + 64)
		snprintf(expected, sizeof(expected), "sha256:%.*s",
			 STR_FMT(str_skip(name, prefix.len)));
	TRY(blob_open(l->store, ARCHIVE_BYTES_MAX, &w, err));
	enum rc rc = content_read(l, archive, &w, err);
	member->size_bytes = w.size_bytes;
	if (rc == RC_OK)
		rc = blob_commit(&w, expected[0] ? expected : NULL, member->digest, err);
	blob_abort(&w);
	return rc;
}

static enum rc member_read(struct load *l, struct archive *archive, struct archive_entry *entry,
			   struct err *err)
{
	struct str name = name_clean(archive_entry_pathname(entry));
	struct member *member = ARENA_NEW(l->a, struct member);
	const char *hard = archive_entry_hardlink(entry), *soft = archive_entry_symlink(entry);
	if (hard || soft)
		member->link = arena_str(l->a, name_clean(hard ? hard : soft));
	else if (archive_entry_filetype(entry) == AE_IFREG)
		TRY(file_read_member(l, archive, name, member, err));
	else
		return RC_OK;
	map_set(&l->members, name, member);
	return RC_OK;
}

static enum rc members_read(struct load *l, struct archive *archive, int fd, struct err *err)
{
	struct archive_entry *entry;
	archive_read_support_filter_gzip(archive);
	archive_read_support_filter_zstd(archive);
	archive_read_support_format_tar(archive);
	if (archive_read_open_fd(archive, fd, CHUNK_BYTES) != ARCHIVE_OK)
		return err_set(err, RC_INVALID, "%s", archive_error_string(archive));
	for (int count = 0;; count++) {
		int got = archive_read_next_header(archive, &entry);
		if (got == ARCHIVE_EOF)
			return RC_OK;
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return err_set(err, RC_INVALID, "%s", archive_error_string(archive));
		if (count == ARCHIVE_ENTRIES_MAX)
			return err_set(err, RC_TOO_LARGE, "the archive has more than %d entries",
				       ARCHIVE_ENTRIES_MAX);
		TRY(member_read(l, archive, entry, err));
	}
}

/* Links of `docker save` are relative to the folder of the one that links: "../<id>/layer.tar". */
static const struct member *member_find(const struct load *l, struct str name)
{
	const struct member *m = map_get(&l->members, name);
	for (int hops = 0; m && m->link.at && hops < LINK_HOPS_MAX; hops++) {
		struct str target = m->link;
		while (str_has_prefix(target, STR("../")))
			target = str_skip(target, 3);
		m = map_get(&l->members, target);
	}
	return m && !m->link.at ? m : NULL;
}

static enum rc document_read(struct load *l, const struct member *m, struct json **ret_tree,
			     struct err *err)
{
	struct str text;
	if (m->size_bytes > MANIFEST_BYTES_MAX)
		return err_set(err, RC_TOO_LARGE,
			       "a document of the archive is larger than %u bytes",
			       MANIFEST_BYTES_MAX);
	TRY(image_store_read_blob(l->store, m->digest, l->a, &text, err));
	return json_parse(l->a, text, ret_tree, NULL, err);
}

/* --- naming --- */

static enum rc name_normalize(struct str name, char out[IMAGE_REF_MAX], struct err *err)
{
	struct image_ref ref;
	if (image_ref_parse(name, &ref, err) != RC_OK)
		return err_wrap(err, "name '%.*s' of an image", STR_FMT(name));
	image_ref_print(&ref, out);
	return RC_OK;
}

static enum rc image_keep(struct load *l, struct str name, const struct image_descriptor *top,
			  const char *manifest_digest, const struct image_manifest *m,
			  struct err *err)
{
	char full[IMAGE_REF_MAX];
	if (l->name_count == ARCHIVE_IMAGES_MAX)
		return err_set(err, RC_TOO_LARGE, "the archive has more than %d images",
			       ARCHIVE_IMAGES_MAX);
	if (name.len == 0)
		return err_set(err, RC_INVALID, "an image of the archive has no name: give one");
	TRY(name_normalize(name, full, err));
	TRY(image_store_name(l->store, full, top, manifest_digest, m, err));
	TRY(image_store_pin(l->store, full, err));
	l->names[l->name_count++] = arena_str(l->a, str_of(full));
	return RC_OK;
}

static enum rc manifest_unpack(struct load *l, const struct image_manifest *m, struct err *err)
{
	struct image_config config;
	for (size_t i = 0; i < m->layer_count; i++) {
		if (!image_store_has_blob(l->store, m->layers[i].digest))
			return err_set(err, RC_INVALID, "layer %s is not in the archive",
				       m->layers[i].digest);
	}
	TRY(image_store_config(l->store, str_of(m->config.digest), l->a, &config, err));
	return image_store_unpack(l->store, m, &config, err);
}

/* --- OCI layout --- */

static struct str entry_name(const struct load *l, const struct json *entry)
{
	const struct json *notes = json_get(entry, STR("annotations"));
	struct str name = json_str(json_get(notes, STR("io.containerd.image.name")));
	struct str ref = json_str(json_get(notes, STR("org.opencontainers.image.ref.name")));
	if (name.len > 0)
		return name;
	/* Often only a tag. */
	if (ref.len > 0 && (memchr(ref.at, '/', ref.len) || memchr(ref.at, ':', ref.len)))
		return ref;
	return l->given_name.len > 0 ? l->given_name : ref;
}

static enum rc tree_of_blob(struct load *l, const char *digest, struct json **ret_tree,
			    struct err *err)
{
	struct str text;
	if (!image_store_has_blob(l->store, digest))
		return err_set(err, RC_INVALID, "%s is not in the archive", digest);
	TRY(image_store_read_blob(l->store, digest, l->a, &text, err));
	return json_parse(l->a, text, ret_tree, NULL, err);
}

static enum rc layout_entry(struct load *l, const struct json *entry, struct err *err)
{
	struct image_descriptor top, chosen;
	struct image_manifest m;
	struct json *tree = NULL;
	TRY(image_descriptor_read(entry, &top, err));
	TRY(tree_of_blob(l, top.digest, &tree, err));
	chosen = top;
	if (image_is_index(top.media_type, tree)) {
		TRY(image_index_choose(tree, &chosen, err));
		TRY(tree_of_blob(l, chosen.digest, &tree, err));
	}
	TRY(image_manifest_read(l->a, tree, &m, err));
	TRY(manifest_unpack(l, &m, err));
	return image_keep(l, entry_name(l, entry), &top, chosen.digest, &m, err);
}

static enum rc layout_load(struct load *l, const struct member *index, struct err *err)
{
	struct json *tree = NULL;
	TRY(document_read(l, index, &tree, err));
	const struct json *entries = json_get(tree, STR("manifests"));
	for (size_t i = 0; i < json_count(entries); i++)
		TRY(layout_entry(l, json_at(entries, i), err));
	return RC_OK;
}

/* --- docker save --- */

static enum rc descriptor_append(struct load *l, struct json *list, struct str path,
				 const char *media_type, struct err *err)
{
	const struct member *m = member_find(l, path);
	if (!m)
		return err_set(err, RC_INVALID, "'%.*s' is not in the archive", STR_FMT(path));
	struct json *descriptor = json_object(l->a);
	json_set_str(l->a, descriptor, STR("mediaType"), str_of(media_type));
	json_set_str(l->a, descriptor, STR("digest"), str_of(m->digest));
	json_set(l->a, descriptor, STR("size"), json_int(l->a, m->size_bytes));
	json_append(l->a, list, descriptor);
	return RC_OK;
}

/* The manifest that the format lacks. */
static enum rc manifest_make(struct load *l, const struct json *entry, struct image_descriptor *top,
			     struct image_manifest *m, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(MANIFEST_BYTES_MAX);
	struct json *tree = json_object(l->a), *one = json_array(l->a), *layers = json_array(l->a);
	const struct json *paths = json_get(entry, STR("Layers"));
	TRY(descriptor_append(l, one, json_path_str(entry, "Config"), MEDIA_OCI_CONFIG, err));
	for (size_t i = 0; i < json_count(paths); i++)
		TRY(descriptor_append(l, layers, json_str(json_at(paths, i)), MEDIA_OCI_LAYER,
				      err));
	json_set(l->a, tree, STR("schemaVersion"), json_int(l->a, 2));
	json_set_str(l->a, tree, STR("mediaType"), STR(MEDIA_OCI_MANIFEST));
	json_set(l->a, tree, STR("config"), json_at(one, 0));
	json_set(l->a, tree, STR("layers"), layers);
	json_write(&text, tree);
	TRY(buf_check(&text, "manifest", err));
	*top = (struct image_descriptor){
		.media_type = STR(MEDIA_OCI_MANIFEST),
		.size_bytes = (int64_t)text.len,
	};
	TRY(image_store_write_blob(l->store, buf_str(&text), NULL, top->digest, err));
	return image_manifest_read(l->a, tree, m, err);
}

static enum rc docker_entry(struct load *l, const struct json *entry, struct err *err)
{
	struct image_descriptor top;
	struct image_manifest m;
	const struct json *tags = json_get(entry, STR("RepoTags"));
	TRY(manifest_make(l, entry, &top, &m, err));
	TRY(manifest_unpack(l, &m, err));
	if (json_count(tags) == 0)
		return image_keep(l, l->given_name, &top, top.digest, &m, err);
	for (size_t i = 0; i < json_count(tags); i++)
		TRY(image_keep(l, json_str(json_at(tags, i)), &top, top.digest, &m, err));
	return RC_OK;
}

static enum rc docker_load(struct load *l, const struct member *manifest, struct err *err)
{
	struct json *tree = NULL;
	TRY(document_read(l, manifest, &tree, err));
	for (size_t i = 0; i < json_count(tree); i++)
		TRY(docker_entry(l, json_at(tree, i), err));
	return RC_OK;
}

/* --- the whole --- */

static enum rc images_load(struct load *l, struct err *err)
{
	const struct member *index = member_find(l, STR("index.json"));
	const struct member *manifest = member_find(l, STR("manifest.json"));
	/* Newer `docker save` writes both; its index lacks the names' registry, the other has them.
	 */
	if (manifest)
		return docker_load(l, manifest, err);
	if (index)
		return layout_load(l, index, err);
	return err_set(
		err, RC_INVALID,
		"no image archive: it has neither index.json (OCI) nor manifest.json (docker)");
}

static enum rc load_run(struct load *l, int fd, struct err *err)
{
	CLEANUP(close_fd_p) int hold = -1;
	struct archive *archive = archive_read_new();
	ASSERT(archive);
	enum rc rc = image_store_hold(l->store, &hold, err);
	if (rc == RC_OK)
		rc = members_read(l, archive, fd, err);
	archive_read_free(archive);
	return rc == RC_OK ? images_load(l, err) : rc;
}

enum rc image_archive_load(struct image_store *store, int fd, struct str name, struct arena *a,
			   struct str **ret_names, size_t *ret_count, struct err *err)
{
	struct load l = {
		.store = store,
		.a = a,
		.given_name = name,
		.names = ARENA_ARRAY(a, struct str, ARCHIVE_IMAGES_MAX),
	};
	enum rc rc = load_run(&l, fd, err);
	map_done(&l.members);
	*ret_names = l.names;
	*ret_count = l.name_count;
	if (rc != RC_OK) {
		(void)image_store_collect(store, NULL); /* what was read for nothing */
		return rc;
	}
	return image_store_collect(store, err);
}
