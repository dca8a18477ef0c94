/* Layers, friendly and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "io/file.h"
#include "node/image_digest.h"
#include "node/unpack.h"

#define ARCHIVE_ROOM (8u << 20)

static char folder[64];

struct entry {
	const char *name;
	unsigned type;
	int mode;
	const char *content; /* or the target of a link */
	bool is_hard;
};

#define DIR_ENTRY(name)                                                                            \
	{                                                                                          \
		(name), AE_IFDIR, 0755, "", false                                                  \
	}
#define FILE_ENTRY(name, c)                                                                        \
	{                                                                                          \
		(name), AE_IFREG, 0644, (c), false                                                 \
	}
#define LINK_ENTRY(name, c)                                                                        \
	{                                                                                          \
		(name), AE_IFLNK, 0777, (c), false                                                 \
	}
#define HARD_ENTRY(name, c)                                                                        \
	{                                                                                          \
		(name), AE_IFREG, 0644, (c), true                                                  \
	}

static void entry_write(struct archive *archive, const struct entry *row)
{
	struct archive_entry *e = archive_entry_new();
	bool is_file = row->type == AE_IFREG && !row->is_hard;
	archive_entry_set_pathname(e, row->name);
	archive_entry_set_filetype(e, row->type);
	archive_entry_set_perm(e, (mode_t)row->mode);
	archive_entry_set_size(e, is_file ? (la_int64_t)strlen(row->content) : 0);
	archive_entry_set_mtime(e, 1000000000, 0);
	if (row->is_hard)
		archive_entry_set_hardlink(e, row->content);
	else if (row->type == AE_IFLNK)
		archive_entry_set_symlink(e, row->content);
	if (row->type == AE_IFCHR)
		archive_entry_set_rdev(e, makedev(1, 3));
	if (row->type == AE_IFREG && !strcmp(row->content, "with attributes")) {
		archive_entry_xattr_add_entry(e, "user.note", "hi", 2);
		archive_entry_xattr_add_entry(e, "trusted.overlay.opaque", "y", 1);
	}
	assert_int_equal(archive_write_header(archive, e), ARCHIVE_OK);
	if (is_file)
		archive_write_data(archive, row->content, strlen(row->content));
	archive_entry_free(e);
}

/* A memory file with the archive, at its beginning. */
static int archive_make(const struct entry *rows, size_t count, const char *filter)
{
	CLEANUP(free_p) char *bytes = mem_alloc(ARCHIVE_ROOM);
	size_t len = 0;
	struct archive *archive = archive_write_new();
	archive_write_set_format_pax_restricted(archive);
	if (filter)
		archive_write_add_filter_by_name(archive, filter);
	archive_write_open_memory(archive, bytes, ARCHIVE_ROOM, &len);
	for (size_t i = 0; i < count; i++)
		entry_write(archive, &rows[i]);
	archive_write_close(archive);
	archive_write_free(archive);
	int fd = memfd_create("layer", MFD_CLOEXEC);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static struct unpack_limits limits;
static char diff_id[IMAGE_DIGEST_MAX];

/* Into <folder>/root, which is fresh; <folder>/outside must not change. */
static enum rc unpack_fd(int fd, struct err *err)
{
	char path[128];
	int dir_fd;
	snprintf(path, sizeof(path), "%s/root", folder);
	assert_int_equal(dir_remove(path, NULL), RC_OK);
	assert_int_equal(dir_make(path, 0755, NULL), RC_OK);
	assert_int_equal(dir_open(path, &dir_fd, NULL), RC_OK);
	enum rc rc = unpack_layer(fd, dir_fd, &limits, diff_id, err);
	close(dir_fd);
	close(fd);
	return rc;
}

static enum rc unpack_rows(const struct entry *rows, size_t count, struct err *err)
{
	return unpack_fd(archive_make(rows, count, NULL), err);
}

static const char *at(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void assert_content(const char *name, const char *content)
{
	CLEANUP_ARENA arena = {};
	struct str text;
	assert_int_equal(file_read(at(name), 4096, &arena, &text, NULL), RC_OK);
	assert_true(str_is(text, content));
}

static void test_plain(void **state)
{
	struct stat st;
	char value[16], target[64] = "";
	const struct entry rows[] = {
		{"./", AE_IFDIR, 0711, "", false},
		DIR_ENTRY("./bin/"),
		{"bin/tool", AE_IFREG, 04755, "code", false},
		FILE_ENTRY("deep/er/file", "with attributes"),
		LINK_ENTRY("bin/link", "../../../../etc/passwd"),
		HARD_ENTRY("bin/same", "./bin/tool"),
		FILE_ENTRY("bin/twice", "first"),
		FILE_ENTRY("bin/twice", "second"),
		{"pipe", AE_IFIFO, 0600, "", false},
		{"null", AE_IFCHR, 0666, "", false},
		{"disk", AE_IFBLK, 0666, "", false},
		FILE_ENTRY("/absolute", "inside"),
	};
	static const char *const filters[] = {NULL, "gzip", "zstd"};
	char first[IMAGE_DIGEST_MAX] = "";
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		struct err err = {};
		if (unpack_fd(archive_make(rows, ARRAY_LEN(rows), filters[i]), &err) != RC_OK)
			fail_msg("%s", err.text);
		if (i == 0)
			memcpy(first, diff_id, sizeof(first));
		assert_string_equal(diff_id, first); /* of the uncompressed layer */
		assert_content("root/bin/tool", "code");
		assert_content("root/bin/twice", "second");
		assert_content("root/absolute", "inside");
		assert_int_equal(stat(at("root/bin/same"), &st), 0);
		assert_int_equal(st.st_nlink, 2);
		assert_int_equal(st.st_mode & 07777, 04755);
		assert_int_equal(st.st_mtime, 1000000000);
		assert_int_equal(stat(at("root"), &st), 0);
		assert_int_equal(st.st_mode & 07777, 0711);
		assert_int_equal(lstat(at("root/pipe"), &st), 0);
		assert_true(S_ISFIFO(st.st_mode));
		assert_int_equal(lstat(at("root/null"), &st), -1);
		assert_int_equal(lstat(at("root/disk"), &st), -1);
		assert_true(readlink(at("root/bin/link"), target, sizeof(target) - 1) > 0);
		assert_string_equal(target, "../../../../etc/passwd");
		assert_int_equal(getxattr(at("root/deep/er/file"), "user.note", value, 16), 2);
		assert_int_equal(
			getxattr(at("root/deep/er/file"), "trusted.overlay.opaque", value, 16), -1);
	}
}

static void test_hostile(void **state)
{
	static const struct {
		struct entry rows[3];
		const char *error;
	} cases[] = {
		{{FILE_ENTRY("../outside/file", "x")}, "'..' in a name"},
		{{FILE_ENTRY("a/../../outside/file", "x")}, "'..' in a name"},
		{{FILE_ENTRY("/../outside/file", "x")}, "'..' in a name"},
		{{LINK_ENTRY("way", "../outside"), FILE_ENTRY("way/file", "x")}, "folder 'way'"},
		{{LINK_ENTRY("way", "."), FILE_ENTRY("way/file", "x")}, "folder 'way'"},
		{{LINK_ENTRY("way", "/"), DIR_ENTRY("way/tmp/skeg")}, "folder 'way/tmp'"},
		{{LINK_ENTRY("way", "../outside"), HARD_ENTRY("leak", "way/secret")},
		 "folder 'way'"},
		{{HARD_ENTRY("leak", "../outside/secret")}, "'..' in a name"},
		{{HARD_ENTRY("leak", "/etc/../../outside/secret")}, "'..' in a name"},
		{{HARD_ENTRY("leak", "absent")}, "hard link to 'absent'"},
		{{DIR_ENTRY("d"), HARD_ENTRY("leak", "d")}, "which is no file"},
		{{FILE_ENTRY(".wh...", "")}, "whiteout of no name"},
		{{FILE_ENTRY("a/.wh..", "")}, "whiteout of no name"},
		{{FILE_ENTRY(".wh.", "")}, "whiteout of no name"},
		{{FILE_ENTRY("file", "x"), FILE_ENTRY("file/below", "x")}, "folder 'file'"},
		{{FILE_ENTRY(".", "x")}, "the root must be a folder"},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = {};
		size_t count = 0;
		while (count < 3 && cases[i].rows[count].name)
			count++;
		assert_int_equal(unpack_rows(cases[i].rows, count, &err), RC_INVALID);
		if (!strstr(err.text, cases[i].error))
			fail_msg("case %zu gave '%s'", i, err.text);
		assert_content("outside/secret", "secret");
		assert_false(file_exists(at("outside/file")));
	}
}

/* A file is written over a link by replacing it, never through it. */
static void test_replace(void **state)
{
	struct stat st;
	const struct entry rows[] = {
		LINK_ENTRY("a", "../outside/secret"),
		FILE_ENTRY("a", "mine"),
		DIR_ENTRY("d"),
		FILE_ENTRY("d/in", "x"),
		FILE_ENTRY("d", "now a file"),
		FILE_ENTRY("e", "x"),
		DIR_ENTRY("e"),
	};
	struct err err = {};
	if (unpack_rows(rows, ARRAY_LEN(rows), &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_content("outside/secret", "secret");
	assert_content("root/a", "mine");
	assert_content("root/d", "now a file");
	assert_int_equal(stat(at("root/e"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
}

static bool is_whiteout(const char *name)
{
	struct stat st;
	return lstat(at(name), &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static bool is_opaque(const char *name)
{
	char value[4];
	return getxattr(at(name), "trusted.overlay.opaque", value, sizeof(value)) == 1;
}

static void test_whiteouts(void **state)
{
	const struct entry rows[] = {
		FILE_ENTRY("d/.wh.gone", ""), FILE_ENTRY("o/.wh..wh..opq", ""),
		FILE_ENTRY("o/kept", "x"),    FILE_ENTRY(".wh..wh.plnk", ""),
		FILE_ENTRY("n/new", "x"),     FILE_ENTRY(".wh.n", ""),
		FILE_ENTRY(".wh.m", ""),      FILE_ENTRY("m/new", "x"),
		FILE_ENTRY("f", "x"),	      FILE_ENTRY(".wh.f", ""),
	};
	const struct entry replaced[] = {FILE_ENTRY(".wh.m", ""), DIR_ENTRY("m"),
					 FILE_ENTRY("m/new", "x")};
	struct err err = {};
	if (geteuid() != 0)
		skip(); /* trusted.* is root's */
	assert_int_equal(unpack_rows(rows, 6, &err), RC_OK);
	assert_true(is_whiteout("root/d/gone"));
	assert_true(is_opaque("root/o"));
	assert_true(is_opaque("root/n"));
	assert_content("root/n/new", "x");
	assert_false(file_exists(at("root/.wh..wh.plnk")));
	assert_int_equal(unpack_rows(rows + 8, 2, &err), RC_OK);
	assert_content("root/f", "x");
	assert_int_equal(unpack_rows(replaced, 3, &err), RC_OK);
	assert_true(is_opaque("root/m"));
	assert_content("root/m/new", "x");
	/* A file below what was hidden as a whole needs the folder to be named first. */
	assert_int_equal(unpack_rows(rows + 6, 2, &err), RC_INVALID);
}

static void test_limits(void **state)
{
	const struct entry rows[] = {FILE_ENTRY("a", "1234"), FILE_ENTRY("b", "5678")};
	struct err err = {};
	char name[8200];
	limits.bytes_max = 7;
	assert_int_equal(unpack_rows(rows, 2, &err), RC_TOO_LARGE);
	limits.bytes_max = 1 << 20;
	limits.entries_max = 1;
	assert_int_equal(unpack_rows(rows, 2, &err), RC_TOO_LARGE);
	limits.entries_max = 1000;
	memset(name, 'x', sizeof(name));
	name[300] = '\0';
	const struct entry long_name = {name, AE_IFREG, 0644, "", false};
	assert_int_equal(unpack_rows(&long_name, 1, &err), RC_INVALID);
	for (int i = 0; i < 600; i++)
		memcpy(name + 2 * i, "d/", 2);
	name[1199] = '\0';
	assert_int_equal(unpack_rows(&long_name, 1, &err), RC_INVALID);
}

static void test_damaged(void **state)
{
	const struct entry rows[] = {FILE_ENTRY("a", "some content that is long enough to be cut")};
	struct err err = {};
	int fd = memfd_create("rubbish", MFD_CLOEXEC);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(write(fd, &i, sizeof(i)), sizeof(i));
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(unpack_fd(fd, &err), RC_INVALID);
	fd = archive_make(rows, 1, "gzip");
	assert_int_equal(ftruncate(fd, 60), 0);
	assert_int_equal(unpack_fd(fd, &err), RC_INVALID);
	/* An empty layer is two blocks of zeros; a file of no bytes is no tar. */
	fd = memfd_create("empty", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 1024), 0);
	if (unpack_fd(fd, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_string_equal(diff_id,
			    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10"
			    "ace3c6ef");
	assert_int_equal(unpack_fd(memfd_create("nothing", MFD_CLOEXEC), &err), RC_INVALID);
}

static int setup(void **state)
{
	limits = (struct unpack_limits){.bytes_max = 1 << 20, .entries_max = 1000};
	snprintf(folder, sizeof(folder), "/tmp/skeg-unpack-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	assert_int_equal(dir_make(at("outside"), 0755, NULL), RC_OK);
	return file_write_volatile(at("outside/secret"), STR("secret"), 0644, NULL) != RC_OK;
}

static int teardown(void **state)
{
	return dir_remove(folder, NULL) != RC_OK;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),	cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_replace), cmocka_unit_test(test_whiteouts),
		cmocka_unit_test(test_limits),	cmocka_unit_test(test_damaged),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
