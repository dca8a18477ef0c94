#include "client/copy_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/file.h"

#define CHUNK_BYTES (64u << 10)
#define PADDING_MAX ((size_t)1 << 20)

static enum rc archive_failed(struct archive *archive, const char *what, struct err *err)
{
	const char *text = archive_error_string(archive);
	return err_set(err, RC_IO, "%s: %s", what, text ? text : "the archive is damaged");
}

/* ---- to an archive ---- */

struct packer {
	struct archive *archive;
	struct arena arena;
	char chunk[CHUNK_BYTES];
};

static enum rc pack_bytes(struct packer *p, const char *path, int64_t size, struct err *err)
{
	CLEANUP(close_fd_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "open '%s'", path);
	/* A file that grew or shrank meanwhile has the size of its header all the same. */
	while (size > 0) {
		ssize_t got = read(fd, p->chunk, (size_t)MIN(size, (int64_t)sizeof(p->chunk)));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(err, RC_IO, errno, "read '%s'", path);
		if (got == 0)
			return RC_OK;
		if (archive_write_data(p->archive, p->chunk, (size_t)got) < 0)
			return archive_failed(p->archive, path, err);
		size -= got;
	}
	return RC_OK;
}

static enum rc pack_entry(struct packer *p, const char *path, const char *name,
			  const struct file_facts *facts, struct err *err)
{
	static const unsigned types[] = {
		[FILE_REGULAR] = AE_IFREG, [FILE_FOLDER] = AE_IFDIR, [FILE_LINK] = AE_IFLNK};
	struct archive_entry *entry = archive_entry_new();
	char target[PATH_MAX];
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, types[facts->kind]);
	archive_entry_set_perm(entry, facts->permissions);
	archive_entry_set_mtime(entry, facts->modified_s, 0);
	archive_entry_set_size(entry, facts->kind == FILE_REGULAR ? facts->size_bytes : 0);
	ssize_t len = facts->kind == FILE_LINK ? readlink(path, target, sizeof(target) - 1) : 0;
	if (len > 0) {
		target[len] = '\0';
		archive_entry_set_symlink(entry, target);
	}
	enum rc rc = RC_OK;
	if (archive_write_header(p->archive, entry) < ARCHIVE_WARN)
		rc = archive_failed(p->archive, path, err);
	archive_entry_free(entry);
	if (rc == RC_OK && facts->kind == FILE_REGULAR)
		rc = pack_bytes(p, path, facts->size_bytes, err);
	return rc;
}

static enum rc pack(struct packer *p, const char *path, const char *name, int depth,
		    struct err *err)
{
	struct file_facts facts;
	const char **names;
	size_t count;
	TRY(file_look(path, false, &facts, err));
	if (facts.kind == FILE_OTHER) {
		fprintf(stderr, "warning: skipping '%s': neither a file nor a folder\n", path);
		return RC_OK;
	}
	TRY(pack_entry(p, path, name, &facts, err));
	if (facts.kind != FILE_FOLDER)
		return RC_OK;
	if (depth == COPY_DEPTH_MAX)
		return err_set(err, RC_TOO_LARGE, "folder '%s' is deeper than %d levels", path,
			       COPY_DEPTH_MAX);
	TRY(dir_list(path, &p->arena, &names, &count, err));
	for (size_t i = 0; i < count; i++) {
		const char *below =
			arena_cstr(&p->arena, arena_printf(&p->arena, "%s/%s", path, names[i]));
		const char *called =
			arena_cstr(&p->arena, arena_printf(&p->arena, "%s/%s", name, names[i]));
		TRY(pack(p, below, called, depth + 1, err));
	}
	return RC_OK;
}

enum rc copy_pack(int fd, const char *path, const char *name, struct err *err)
{
	struct packer *p = NEW(struct packer);
	struct file_facts facts;
	p->archive = archive_write_new();
	archive_write_set_format_pax_restricted(p->archive);
	archive_write_set_bytes_in_last_block(p->archive, 1);
	enum rc rc = RC_OK;
	if (archive_write_open_fd(p->archive, fd) != ARCHIVE_OK)
		rc = archive_failed(p->archive, "write the archive", err);
	/* A symlink that was named itself stands for what it points to. */
	if (rc == RC_OK && file_look(path, true, &facts, NULL) == RC_OK &&
	    facts.kind == FILE_REGULAR)
		rc = pack_entry(p, path, name, &facts, err);
	else if (rc == RC_OK)
		rc = pack(p, path, name, 0, err);
	if (rc == RC_OK && archive_write_close(p->archive) != ARCHIVE_OK)
		rc = archive_failed(p->archive, "write the archive", err);
	archive_write_free(p->archive);
	arena_done(&p->arena);
	free(p);
	return rc;
}

/* ---- from an archive ---- */

struct unpacker {
	struct archive *archive;
	struct str prefix;
	int root_fd;
	char base[NAME_MAX + 1]; /* what prefix becomes beneath the root; "": the root itself */
	size_t count;
	bool has_told_of_links;
	char chunk[CHUNK_BYTES];
};

static enum rc open_root(struct unpacker *u, const char *path, struct err *err)
{
	struct file_facts facts;
	CLEANUP_ARENA a = {};
	struct str folder, name, whole = str_of(path);
	if (file_look(path, true, &facts, NULL) == RC_OK && facts.kind == FILE_FOLDER)
		return dir_open(path, &u->root_fd, err);
	while (whole.len > 1 && str_has_suffix(whole, STR("/")))
		whole.len--;
	if (!str_cut_last(whole, '/', &folder, &name))
		folder = STR(".");
	else if (!folder.len)
		folder = STR("/");
	if (name.len > NAME_MAX)
		return err_set(err, RC_INVALID, "'%s' is too long a name", path);
	memcpy(u->base, name.at, name.len);
	const char *made = arena_cstr(&a, folder);
	TRY(dir_make(made, 0777, err));
	return dir_open(made, &u->root_fd, err);
}

/* The parts of a name below prefix without "." and empty ones; false when one is "..". */
static bool clean(struct str rest, const char *base, char out[PATH_MAX])
{
	size_t len = (size_t)snprintf(out, PATH_MAX, "%s", base);
	while (rest.len) {
		struct str part;
		str_cut(rest, '/', &part, &rest);
		if (part.len == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..") || len + part.len + 2 > PATH_MAX)
			return false;
		len += (size_t)snprintf(out + len, PATH_MAX - len, "%s%.*s", len ? "/" : "",
					STR_FMT(part));
	}
	return true;
}

/* Where an entry goes; *ret_is_ours false: it is left out, which has been said. */
static enum rc find_place(struct unpacker *u, const char *name, bool is_folder, char out[PATH_MAX],
			  bool *ret_is_ours, struct err *err)
{
	struct str rest = str_of(name), head, last;
	while (str_has_prefix(rest, STR("/")) || str_has_prefix(rest, STR("./")))
		rest = str_skip(rest, rest.at[0] == '/' ? 1 : 2);
	*ret_is_ours = false;
	bool begins = str_has_prefix(rest, u->prefix);
	rest = str_skip(rest, u->prefix.len);
	if (!begins || (u->prefix.len && rest.len && rest.at[0] != '/'))
		return err_set(err, RC_INVALID,
			       "tar contents corrupted: '%.200s' is not below '%.*s'", name,
			       STR_FMT(u->prefix));
	if (!clean(rest, u->base, out)) {
		fprintf(stderr, "warning: file '%.200s' is outside target destination, skipping\n",
			name);
		return RC_OK;
	}
	if (!out[0] && !is_folder) { /* one file into a folder that exists */
		str_cut_last(u->prefix, '/', &head, &last);
		if (!clean(last, "", out) || !out[0])
			return err_set(err, RC_INVALID, "'%.200s' has no name here", name);
	}
	*ret_is_ours = true;
	return RC_OK;
}

/* Makes the folders of path beneath the root; with the last part only when it is one itself. */
static enum rc make_folders(struct unpacker *u, const char *path, bool is_folder, struct err *err)
{
	char text[PATH_MAX];
	snprintf(text, sizeof(text), "%s", path);
	for (char *at = text; *at; at++) {
		char *slash = strchr(at, '/');
		CLEANUP(close_fd_p) int fd = -1;
		if (!slash && !is_folder)
			return RC_OK;
		if (slash)
			*slash = '\0';
		if (mkdirat(u->root_fd, text, 0777) < 0 && errno != EEXIST)
			return err_sys(err, RC_IO, errno, "make folder '%s'", text);
		/* Also refuses a symlink in the way, so that mkdirat() follows none below it. */
		TRY(file_open_beneath(u->root_fd, text, O_PATH | O_DIRECTORY, 0, &fd, err));
		if (!slash)
			return RC_OK;
		*slash = '/';
		at = slash;
	}
	return RC_OK;
}

static enum rc write_bytes(struct unpacker *u, int fd, const char *path, struct err *err)
{
	for (;;) {
		la_ssize_t got = archive_read_data(u->archive, u->chunk, sizeof(u->chunk));
		if (got < 0)
			return archive_failed(u->archive, path, err);
		if (got == 0)
			return RC_OK;
		for (struct str rest = str_n(u->chunk, (size_t)got); rest.len;) {
			ssize_t put = write(fd, rest.at, rest.len);
			if (put < 0 && errno != EINTR)
				return err_sys(err, RC_IO, errno, "write '%s'", path);
			rest = str_skip(rest, (size_t)MAX(put, (ssize_t)0));
		}
	}
}

/* A hard link has no bytes in the archive: they are copied from the file that has them. */
static enum rc copy_linked(struct unpacker *u, int fd, const char *from, const char *path,
			   struct err *err)
{
	char source[PATH_MAX];
	bool is_ours;
	CLEANUP(close_fd_p) int from_fd = -1;
	TRY(find_place(u, from, false, source, &is_ours, err));
	if (!is_ours)
		return RC_OK;
	TRY(file_open_beneath(u->root_fd, source, O_RDONLY, 0, &from_fd, err));
	for (;;) {
		ssize_t got = copy_file_range(from_fd, NULL, fd, NULL, 1u << 30, 0);
		if (got < 0 && errno != EINTR)
			return err_sys(err, RC_IO, errno, "copy '%s' to '%s'", source, path);
		if (got == 0)
			return RC_OK;
	}
}

static enum rc unpack_file(struct unpacker *u, struct archive_entry *entry, const char *path,
			   struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	const char *link = archive_entry_hardlink(entry);
	mode_t mode = 0666 | (archive_entry_perm(entry) & 0111);
	TRY(make_folders(u, path, false, err));
	TRY(file_open_beneath(u->root_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, mode,
			      &fd, err));
	return link ? copy_linked(u, fd, link, path, err) : write_bytes(u, fd, path, err);
}

static enum rc unpack_entry(struct unpacker *u, struct archive_entry *entry, struct err *err)
{
	char path[PATH_MAX];
	bool is_ours;
	const char *name = archive_entry_pathname(entry), *target = archive_entry_symlink(entry);
	bool is_folder = archive_entry_filetype(entry) == AE_IFDIR;
	bool is_file = archive_entry_filetype(entry) == AE_IFREG || archive_entry_hardlink(entry);
	if (!name)
		return err_set(err, RC_INVALID, "tar contents corrupted: an entry has no name");
	TRY(find_place(u, name, is_folder, path, &is_ours, err));
	if (!is_ours)
		return RC_OK;
	if (!is_folder && !is_file) {
		fprintf(stderr, "warning: skipping %s: \"%.200s\"%s%.200s%s\n",
			target ? "symlink" : "what is neither file nor folder", name,
			target ? " -> \"" : "", target ? target : "", target ? "\"" : "");
		return RC_OK;
	}
	u->count++;
	return is_folder ? make_folders(u, path, true, err) : unpack_file(u, entry, path, err);
}

/* tar fills its last record with zeros: who writes them should not find the pipe closed. */
static void read_padding(struct unpacker *u, int fd)
{
	for (size_t left = PADDING_MAX; left > 0;) {
		ssize_t got = read(fd, u->chunk, MIN(left, sizeof(u->chunk)));
		if (got == 0 || (got < 0 && errno != EINTR))
			return;
		left -= got > 0 ? (size_t)got : 0;
	}
}

static enum rc unpack_all(struct unpacker *u, int fd, struct err *err)
{
	struct archive_entry *entry;
	archive_read_support_filter_none(u->archive);
	archive_read_support_format_tar(u->archive);
	archive_read_support_format_empty(u->archive);
	if (archive_read_open_fd(u->archive, fd, CHUNK_BYTES) != ARCHIVE_OK)
		return archive_failed(u->archive, "read the archive", err);
	for (;;) {
		int got = archive_read_next_header(u->archive, &entry);
		if (got == ARCHIVE_EOF) {
			read_padding(u, fd);
			return RC_OK;
		}
		if (got < ARCHIVE_WARN)
			return archive_failed(u->archive, "read the archive", err);
		TRY(unpack_entry(u, entry, err));
	}
}

enum rc copy_unpack(int fd, struct str prefix, const char *path, size_t *ret_count, struct err *err)
{
	struct unpacker *u = NEW(struct unpacker);
	u->root_fd = -1;
	u->prefix = prefix;
	u->archive = archive_read_new();
	enum rc rc = open_root(u, path, err);
	if (rc == RC_OK)
		rc = unpack_all(u, fd, err);
	*ret_count = u->count;
	archive_read_free(u->archive);
	close_fd_p(&u->root_fd);
	free(u);
	return rc;
}
