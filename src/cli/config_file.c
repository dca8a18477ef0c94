#include "cli/config_file.h"

#include "codec/yaml.h"
#include "io/file.h"

#define VALUE_BYTES_MAX (64u << 10)

struct config_file {
	struct command_line *line;
	const char *path;
	struct str text;
};

/* Keys of the document stand at the beginning of their lines. */
static unsigned key_line(struct str text, struct str key)
{
	unsigned number = 0;
	while (text.len) {
		struct str line, head;
		number++;
		str_cut(text, '\n', &line, &text);
		if (str_cut(line, ':', &head, &line) && str_eq(str_trim(head), key))
			return number;
	}
	return 1;
}

static enum rc refused(const struct config_file *f, struct str key, const char *why,
		       struct err *err)
{
	return err_set(err, RC_INVALID, "%s: line %u: %s", f->path, key_line(f->text, key), why);
}

static enum rc unknown_key(const struct config_file *f, struct str key, struct err *err)
{
	struct arena *a = &f->line->arena;
	const char *near = command_nearest_option(f->line->command, arena_cstr(a, key));
	struct str why = arena_printf(
		a, "unknown key '%.*s'%s%s%s; the keys are the options of 'skeg %s --help'",
		STR_FMT(key), near ? "; did you mean '" : "", near ? near : "", near ? "'" : "",
		f->line->command->name);
	return refused(f, key, why.at, err);
}

static enum rc set_value(const struct config_file *f, struct str key, const struct json *value,
			 struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(VALUE_BYTES_MAX);
	struct err cause;
	bool is_known;
	if (value->type == JSON_ARRAY || value->type == JSON_OBJECT || value->type == JSON_NULL)
		return refused(f, key, "give a text, a number, true or false here", err);
	if (value->type == JSON_STRING)
		buf_add_str(&text, value->string);
	else
		json_write(&text, value);
	TRY(buf_check(&text, "a value of the configuration", err));
	if (command_set(f->line, key, arena_cstr(&f->line->arena, buf_str(&text)), &is_known,
			&cause) != RC_OK)
		return refused(f, key, cause.text, err);
	return is_known ? RC_OK : unknown_key(f, key, err);
}

static enum rc set_key(const struct config_file *f, const struct json_member *m, struct err *err)
{
	if (str_is(m->key, "config"))
		return refused(f, m->key, "a configuration file can't name another one", err);
	if (m->value->type != JSON_ARRAY)
		return set_value(f, m->key, m->value, err);
	for (size_t i = 0; i < json_count(m->value); i++)
		TRY(set_value(f, m->key, json_at(m->value, i), err));
	return RC_OK;
}

enum rc config_file_apply_text(struct command_line *line, const char *path, struct str text,
			       struct err *err)
{
	const struct config_file f = {line, path, text};
	struct json_duplicates duplicates = {};
	struct yaml_document *documents;
	size_t count;
	if (yaml_parse(&line->arena, text, &documents, &count, &duplicates, err) != RC_OK)
		return err_wrap(err, "%s", path);
	if (duplicates.count)
		return err_set(err, RC_INVALID, "%s: line %u: '%.*s' was given before; keep one",
			       path, duplicates.lines[0], STR_FMT(duplicates.paths[0]));
	if (count == 0 || documents[0].tree->type == JSON_NULL)
		return RC_OK;
	if (count > 1 || documents[0].tree->type != JSON_OBJECT)
		return err_set(err, RC_INVALID,
			       "%s: one document of lines 'option: value' is expected, such as "
			       "'port: 6443'",
			       path);
	const struct json *tree = documents[0].tree;
	for (size_t i = 0; i < tree->object.count; i++)
		TRY(set_key(&f, &tree->object.members[i], err));
	return RC_OK;
}

enum rc config_file_apply(struct command_line *line, const char *path, struct err *err)
{
	struct str text;
	const char *chosen = path ? path : CONFIG_FILE_DEFAULT;
	enum rc rc = file_read(chosen, CONFIG_FILE_BYTES_MAX, &line->arena, &text, err);
	if (rc == RC_NOT_FOUND && !path)
		return RC_OK;
	TRY(rc);
	return config_file_apply_text(line, chosen, text, err);
}
