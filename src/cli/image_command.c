/* skeg image: the images of this machine, which all its nodes share. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli/cluster_files.h"
#include "cli/verbs.h"
#include "client/progress.h"
#include "client/text_table.h"
#include "io/file.h"
#include "node/image_archive.h"
#include "node/image_store.h"

#define ID_DIGITS 12 /* shown of "sha256:<64 digits>" */

struct image_options {
	const char *data_dir, *name;
};

struct image_command {
	struct image_store *store;
	struct arena *arena;
	const struct image_options *options;
};

/* ---- load ---- */

static enum rc load_file(struct image_command *c, const char *path, struct err *err)
{
	struct str *names;
	size_t count;
	bool is_stdin = strcmp(path, "-") == 0;
	CLEANUP(close_fd_p)
	int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(err, RC_NOT_FOUND,
			       "there is no such file; name an archive that 'docker save' or "
			       "another tool wrote, or '-' for standard input");
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "open it");
	progress_step("loading %s", is_stdin ? "standard input" : path);
	TRY(image_archive_load(c->store, fd, str_of(c->options->name), c->arena, &names, &count,
			       err));
	for (size_t i = 0; i < count; i++)
		printf("%.*s\n", STR_FMT(names[i]));
	return RC_OK;
}

static enum rc load(struct image_command *c, const struct text_list *files, struct err *err)
{
	for (size_t i = 0; i < files->count; i++) {
		enum rc rc = load_file(c, files->at[i], err);
		if (rc != RC_OK)
			return err_wrap(err, "load %s", files->at[i]);
	}
	return RC_OK;
}

/* ---- list ---- */

static struct str size_text(struct arena *a, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double)bytes;
	size_t unit = 0;
	for (; value >= 1000 && unit + 1 < ARRAY_LEN(units); unit++)
		value /= 1000;
	return arena_printf(a, unit ? "%.1f%s" : "%.0f%s", value, units[unit]);
}

static struct str short_id(struct str id)
{
	struct str kind, digits;
	if (!str_cut(id, ':', &kind, &digits))
		digits = id;
	return str_n(digits.at, MIN(digits.len, (size_t)ID_DIGITS));
}

static enum rc list(struct image_command *c, const struct text_list *words, struct err *err)
{
	static const struct str heads[] = {STR_INIT("IMAGE"), STR_INIT("IMAGE ID"),
					   STR_INIT("SIZE")};
	struct runtime_image_list images;
	struct text_table table = {};
	TRY(image_store_list(c->store, c->arena, &images, err));
	text_table_add(&table, c->arena, heads, ARRAY_LEN(heads));
	for (size_t i = 0; i < images.count; i++) {
		const struct runtime_image_info *image = &images.items[i];
		struct str size = size_text(c->arena, image->size_bytes);
		const struct str *names = image->tag_count ? image->tags : image->digests;
		size_t count = image->tag_count ? image->tag_count : image->digest_count;
		for (size_t k = 0; k < count; k++) {
			const struct str cells[] = {names[k], short_id(image->id), size};
			text_table_add(&table, c->arena, cells, ARRAY_LEN(cells));
		}
	}
	text_table_print(&table);
	return RC_OK;
}

/* ---- remove ---- */

static enum rc remove_images(struct image_command *c, const struct text_list *refs, struct err *err)
{
	for (size_t i = 0; i < refs->count; i++) {
		struct runtime_image_info info;
		struct str ref = str_of(refs->at[i]);
		enum rc rc = image_store_find(c->store, ref, c->arena, &info, err);
		if (rc == RC_NOT_FOUND)
			return err_set(err, rc, "there is no image '%s'; 'skeg image ls' lists all",
				       refs->at[i]);
		TRY(rc);
		TRY(image_store_remove(c->store, ref, err));
		printf("%s removed\n", refs->at[i]);
	}
	return RC_OK;
}

/* ---- the verb ---- */

static const struct {
	const char *name;
	bool has_words;
	enum rc (*run)(struct image_command *c, const struct text_list *words, struct err *err);
} verbs[] = {
	{"load", true, load},
	{"ls", false, list},
	{"rm", true, remove_images},
};

static int run_verb(struct command_line *line, size_t verb)
{
	struct err err;
	struct image_command c = {.arena = &line->arena, .options = line->values};
	const struct text_list words = {.at = line->words.at + 1, .count = line->words.count - 1};
	const char *data = cluster_data(c.arena, c.options->data_dir);
	if (dir_make(data, 0700, &err) != RC_OK ||
	    image_store_open(cluster_path(c.arena, data, "images"), &c.store, &err) != RC_OK)
		return command_failed(&err);
	enum rc rc = verbs[verb].run(&c, &words, &err);
	image_store_free(c.store);
	return rc == RC_OK ? EXIT_OK : command_failed(&err);
}

static int run(struct command_line *line)
{
	struct err err;
	const char *word = line->words.count ? line->words.at[0] : "";
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(word, verbs[i].name) == 0 &&
		    verbs[i].has_words == (line->words.count > 1))
			return run_verb(line, i);
	err_set(&err, RC_BAD_REQUEST,
		"say 'skeg image load FILE…', 'skeg image ls' or 'skeg image rm IMAGE…'");
	command_failed(&err);
	return EXIT_USAGE;
}

static const struct option options[] = {
	{"name", 0, OPTION_TEXT, offsetof(struct image_options, name), "NAME",
	 "load: name of an image that the archive doesn't name"},
	{"data-dir", 0, OPTION_TEXT, offsetof(struct image_options, data_dir), "DIR",
	 "of the cluster (/var/lib/skeg)"},
};

const struct command command_image = {
	.name = "image",
	.arguments = "load FILE… | ls | rm IMAGE…",
	.summary = "Load, list and remove images of this machine",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct image_options),
	.run = run,
};
