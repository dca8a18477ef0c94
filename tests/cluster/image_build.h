/* image_build: a test image as an OCI archive, made from a static program. */
#ifndef SKEG_TESTS_IMAGE_BUILD_H
#define SKEG_TESTS_IMAGE_BUILD_H

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>

#include "io/file.h"
#include "io/spawn.h"
#include "node/image_digest.h"
#include "node/image_manifest.h"

struct tar {
	struct archive *archive;
	char *bytes;
	size_t len;
};

static inline void tar_open(struct tar *t, size_t room)
{
	t->bytes = mem_alloc(room);
	t->len = 0;
	t->archive = archive_write_new();
	archive_write_set_format_pax_restricted(t->archive);
	archive_write_open_memory(t->archive, t->bytes, room, &t->len);
}

static inline void tar_add(struct tar *t, const char *name, unsigned type, int mode,
			   struct str bytes)
{
	struct archive_entry *e = archive_entry_new();
	archive_entry_set_pathname(e, name);
	archive_entry_set_filetype(e, type);
	archive_entry_set_perm(e, (mode_t)mode);
	archive_entry_set_size(e, type == AE_IFREG ? (la_int64_t)bytes.len : 0);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(e, bytes.at);
	archive_write_header(t->archive, e);
	if (type == AE_IFREG)
		archive_write_data(t->archive, bytes.at, bytes.len);
	archive_entry_free(e);
}

static inline struct str tar_close(struct tar *t)
{
	archive_write_close(t->archive);
	archive_write_free(t->archive);
	return str_n(t->bytes, t->len);
}

static inline void blob_put(struct tar *t, struct str bytes, char digest[IMAGE_DIGEST_MAX])
{
	char name[128];
	image_digest_of(bytes, digest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest + 7);
	tar_add(t, name, AE_IFREG, 0644, bytes);
}

/* Compiles the guest; gives its bytes, in a. */
static inline enum rc guest_build(struct arena *a, const char *dir, const char *source,
				  struct str *ret_guest, struct err *err)
{
	const char *binary = arena_printf(a, "%s/guest", dir).at;
	const char *argv[] = {"gcc", "-static", "-O1", "-w", "-o", binary, source, NULL};
	struct spawn_opts opts = {.argv = argv, .timeout_ms = 120000};
	TRY(spawn_check(&opts, NULL, err));
	return file_read(binary, 16u << 20, a, ret_guest, err);
}

static inline struct str layer_build(struct arena *a, struct str guest)
{
	struct tar layer;
	tar_open(&layer, 32u << 20);
	tar_add(&layer, "bin/", AE_IFDIR, 0755, STR(""));
	tar_add(&layer, "bin/guest", AE_IFREG, 0755, guest);
	tar_add(&layer, "etc/", AE_IFDIR, 0755, STR(""));
	tar_add(&layer, "etc/passwd", AE_IFREG, 0644,
		STR("root:x:0:0::/:/bin/guest\nweb:x:1234:2345::/home/web:/bin/guest\n"));
	tar_add(&layer, "etc/group", AE_IFREG, 0644, STR("root:x:0:\nstaff:x:3456:web\n"));
	tar_add(&layer, "tmp/", AE_IFDIR, 0777, STR(""));
	struct str bytes = arena_str(a, tar_close(&layer));
	free(layer.bytes);
	return bytes;
}

/* One that only holds its own number. */
static inline struct str layer_build_tiny(struct arena *a, int number)
{
	struct tar layer;
	tar_open(&layer, 64u << 10);
	tar_add(&layer, "number", AE_IFREG, 0644, arena_printf(a, "%d\n", number));
	struct str bytes = arena_str(a, tar_close(&layer));
	free(layer.bytes);
	return bytes;
}

/* Writes <dir>/image.tar with the image `name`: the guest's layer and tiny ones above it. */
static inline enum rc image_build(const char *dir, const char *source, const char *name,
				  int tiny_layers, struct err *err)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF diff_ids = BUF_INIT(1u << 20);
	CLEANUP_BUF layers = BUF_INIT(1u << 20);
	struct str guest;
	struct tar tar;
	char digest[IMAGE_DIGEST_MAX], config_digest[IMAGE_DIGEST_MAX];
	TRY(guest_build(&a, dir, source, &guest, err));
	tar_open(&tar, 64u << 20);
	for (int i = 0; i <= tiny_layers; i++) {
		struct str layer = i ? layer_build_tiny(&a, i) : layer_build(&a, guest);
		blob_put(&tar, layer, digest);
		buf_printf(&diff_ids, "%s\"%s\"", i ? "," : "", digest);
		buf_printf(&layers, "%s{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%zu}",
			   i ? "," : "", MEDIA_OCI_LAYER, digest, layer.len);
	}
	struct str config = arena_printf(
		&a,
		"{\"architecture\":\"%s\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","
		"\"diff_ids\":[%s]},\"config\":{\"Entrypoint\":[\"/bin/"
		"guest\"],\"Cmd\":[\"serve\"],"
		"\"Env\":[\"FROM_IMAGE=yes\"],\"User\":\"web\"}}",
		image_architecture(), diff_ids.data);
	blob_put(&tar, config, config_digest);
	struct str manifest = arena_printf(
		&a,
		"{\"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":{\"mediaType\":\"%s\","
		"\"digest\":\"%s\",\"size\":%zu},\"layers\":[%s]}",
		MEDIA_OCI_MANIFEST, MEDIA_OCI_CONFIG, config_digest, config.len, layers.data);
	blob_put(&tar, manifest, digest);
	tar_add(&tar, "oci-layout", AE_IFREG, 0644, STR("{\"imageLayoutVersion\":\"1.0.0\"}"));
	tar_add(&tar, "index.json", AE_IFREG, 0644,
		arena_printf(
			&a,
			"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"%s\",\"digest\":\"%"
			"s\","
			"\"size\":%zu,\"annotations\":{\"io.containerd.image.name\":\"%s\"}}]}",
			MEDIA_OCI_MANIFEST, digest, manifest.len, name));
	struct str bytes = tar_close(&tar);
	enum rc rc =
		file_write_volatile(arena_printf(&a, "%s/image.tar", dir).at, bytes, 0644, err);
	free(tar.bytes);
	return rc;
}

#endif
