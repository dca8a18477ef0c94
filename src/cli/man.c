/* skeg __man: the manual pages, made from the tables that parse and explain the verbs, at build
 * time.  Language: mdoc (https://mandoc.bsd.lv/man/mdoc.7.html). */
#include <stdio.h>
#include <time.h>

#include "cli/verbs.h"
#include "client/text_wrap.h"
#include "io/file.h"
#include "io/loop.h"

#define PAGE_BYTES_MAX (1u << 20)
#define LINE_WIDTH     76

/* ---- text ---- */

/* Signs that troff would take for its own, and those that not every terminal has. */
static void add_escaped(struct buf *out, struct str text)
{
	static const struct str ellipsis = STR_INIT("…");
	while (text.len) {
		if (str_has_prefix(text, ellipsis)) {
			buf_add_cstr(out, "...");
			text = str_skip(text, ellipsis.len);
			continue;
		}
		if (*text.at == '\\')
			buf_add_cstr(out, "\\e");
		else
			buf_add_char(out, *text.at);
		text = str_skip(text, 1);
	}
}

/* Words of a macro's line: none of them is to be read as a macro, no last sign as a delimiter. */
static void add_words(struct buf *out, const char *text)
{
	struct str rest = str_of(text), word;
	while (rest.len) {
		str_cut(rest, ' ', &word, &rest);
		buf_add_cstr(out, " \\&");
		add_escaped(out, word);
		buf_add_cstr(out,
			     word.len && strchr(".,;:?!)]", word.at[word.len - 1]) ? "\\&" : "");
	}
}

/* Lines of text; a sentence begins on a line of its own, and no line looks like a request. */
static void add_text(struct buf *out, const char *text)
{
	CLEANUP_BUF wrapped = BUF_INIT(PAGE_BYTES_MAX);
	CLEANUP_BUF escaped = BUF_INIT(PAGE_BYTES_MAX);
	add_escaped(&escaped, str_of(text));
	text_wrap(&wrapped, buf_str(&escaped), LINE_WIDTH);
	struct str rest = buf_str(&wrapped), line;
	while (rest.len) {
		str_cut(rest, '\n', &line, &rest);
		line = str_trim(line);
		if (line.len && strchr(".'", *line.at))
			buf_add_cstr(out, "\\&");
		buf_add_str(out, line);
		buf_add_char(out, '\n');
	}
}

/* ---- a page ---- */

static struct str page_name(struct arena *a, const char *verb)
{
	char *name = arena_cstr(a, arena_printf(a, "skeg-%s", verb));
	for (char *c = name; *c; c++)
		*c = *c == ' ' ? '-' : *c;
	return str_of(name);
}

/* The day of the sources where the builder says so, that builds repeat. */
static void add_head(struct arena *a, struct buf *out, struct str name)
{
	const char *set = getenv("SOURCE_DATE_EPOCH");
	int64_t seconds;
	char date[64];
	struct tm day;
	if (!set || !str_to_i64(str_of(set), &seconds))
		seconds = world_wall_us() / 1000000;
	time_t time = (time_t)seconds;
	gmtime_r(&time, &day);
	strftime(date, sizeof(date), "%B %e, %Y", &day);
	char *title = arena_cstr(a, name);
	for (char *c = title; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	buf_printf(out, ".Dd %s\n.Dt %s 1\n.Os\n.Sh NAME\n.Nm %.*s\n", date, title, STR_FMT(name));
}

static void add_option(struct buf *out, const struct option *o)
{
	buf_add_cstr(out, ".It");
	if (o->letter)
		buf_printf(out, " Fl %c ,", o->letter);
	buf_printf(out, " Fl -%s", o->name);
	if (o->value) {
		buf_printf(out, "%s Ar", o->bare ? " Ns = Ns" : "");
		add_words(out, o->value);
	}
	buf_add_char(out, '\n');
	add_text(out, o->help);
}

static void add_options(struct buf *out, const struct command *c)
{
	if (command_option_count(c) == 0)
		return;
	buf_add_cstr(out, ".Pp\nThe options are as follows:\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < command_option_count(c); i++)
		add_option(out, command_option(c, i));
	buf_add_cstr(out, ".El\n");
}

static void add_aliases(struct arena *a, struct buf *out, const struct command *c)
{
	if (c->aliases)
		add_text(out, arena_cstr(a, arena_printf(a, "It may be called %s as well.",
							 c->aliases)));
}

static const char exit_status[] =
	".Sh EXIT STATUS\n"
	"0 when it was done, 1 when it was tried and failed,\n2 when it was asked wrongly.\n";

static void add_page(struct arena *a, struct buf *out, const struct command *c)
{
	add_head(a, out, page_name(a, c->name));
	buf_add_cstr(out, ".Nd");
	add_words(out, c->summary);
	buf_add_cstr(out, "\n.Sh SYNOPSIS\n.Nm skeg");
	add_words(out, c->name);
	buf_printf(out, "\n%s", command_option_count(c) ? ".Op Ar options\n" : "");
	if (c->arguments) {
		buf_add_cstr(out, ".Ar");
		add_words(out, c->arguments);
		buf_add_char(out, '\n');
	}
	buf_add_cstr(out, ".Sh DESCRIPTION\n");
	add_text(out, arena_cstr(a, arena_printf(a, "%s.", c->summary)));
	add_aliases(a, out, c);
	add_options(out, c);
	buf_add_cstr(out, exit_status);
	buf_add_cstr(out, ".Sh SEE ALSO\n.Xr skeg 1\n");
}

/* ---- the page of all ---- */

static void add_overview(struct arena *a, struct buf *out)
{
	add_head(a, out, STR("skeg"));
	buf_add_cstr(out, ".Nd Kubernetes in one small binary\n"
			  ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n"
			  ".Sh DESCRIPTION\n"
			  "Each command has a page of its own, and explains itself with\n"
			  ".Fl -help .\n"
			  "The commands are as follows:\n.Bl -tag -width Ds\n");
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i]->is_internal)
			continue;
		buf_printf(out, ".It Xr %.*s 1\n", STR_FMT(page_name(a, commands[i]->name)));
		add_text(out, commands[i]->summary);
	}
	buf_add_cstr(out, ".El\n.Sh ENVIRONMENT\n.Bl -tag -width Ds\n"
			  ".It Ev KUBECONFIG\n"
			  "Files, with colons between, that say how to reach which cluster.\n"
			  ".It Ev KUBE_EDITOR , EDITOR\n"
			  "The program that edits, for\n.Xr skeg-edit 1 .\n"
			  ".It Ev KUBECTL_EXTERNAL_DIFF\n"
			  "The program that compares, for\n.Xr skeg-diff 1 .\n"
			  ".It Ev TMPDIR\n"
			  "Where files are made that are soon gone.\n.El\n"
			  ".Sh FILES\n.Bl -tag -width Ds\n"
			  ".It Pa ~/.kube/config\n"
			  "Where\n.Ev KUBECONFIG\nnames no file.\n"
			  ".It Pa /etc/skeg/config.yaml\n"
			  "Options of\n.Xr skeg-server 1 .\n"
			  ".It Pa /var/lib/skeg\n"
			  "The cluster of this machine.\n.El\n");
	buf_add_cstr(out, exit_status);
}

/* ---- files ---- */

static enum rc write_page(struct arena *a, const char *folder, struct str name,
			  const struct buf *page, struct err *err)
{
	TRY(buf_check(page, "the manual page", err));
	return file_write_volatile(
		arena_cstr(a, arena_printf(a, "%s/%.*s.1", folder, STR_FMT(name))), buf_str(page),
		0644, err);
}

static enum rc write_pages(struct arena *a, const char *folder, struct err *err)
{
	CLEANUP_BUF overview = BUF_INIT(PAGE_BYTES_MAX);
	TRY(dir_make(folder, 0755, err));
	add_overview(a, &overview);
	TRY(write_page(a, folder, STR("skeg"), &overview, err));
	for (size_t i = 0; i < command_count; i++) {
		CLEANUP_BUF page = BUF_INIT(PAGE_BYTES_MAX);
		if (commands[i]->is_internal)
			continue;
		add_page(a, &page, commands[i]);
		TRY(write_page(a, folder, page_name(a, commands[i]->name), &page, err));
	}
	return RC_OK;
}

static int run(struct command_line *line)
{
	struct err err;
	if (line->words.count != 1) {
		err_set(&err, RC_BAD_REQUEST, "name one folder for the pages");
		command_failed(&err);
		return EXIT_USAGE;
	}
	return write_pages(&line->arena, line->words.at[0], &err) == RC_OK ? EXIT_OK
									   : command_failed(&err);
}

const struct command command_man = {
	.name = "__man",
	.arguments = "FOLDER",
	.summary = "Write the manual pages",
	.run = run,
	.is_internal = true,
};
