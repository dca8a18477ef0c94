#include "client/command.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX 64

/* Levenshtein distance of short words; long ones are far from everything. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAMES_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	if (a_len > NAMES_MAX || b_len > NAMES_MAX)
		return NAMES_MAX;
	for (size_t k = 0; k <= b_len; k++)
		row[k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t above = row[k];
			size_t change = diagonal + (a[i - 1] != b[k - 1]);
			size_t shift = MIN(above, row[k - 1]) + 1;
			row[k] = MIN(shift, change);
			diagonal = above;
		}
	}
	return row[b_len];
}

const char *nearest_name(const char *word, const char *const *names, size_t count)
{
	const char *best = NULL;
	size_t least = strlen(word) / 2 + 1;
	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, names[i]);
		if (d < least) {
			least = d;
			best = names[i];
		}
	}
	return best;
}

size_t command_option_count(const struct command *c)
{
	return c->option_count + (c->shared ? c->shared->count : 0);
}

const struct option *command_option(const struct command *c, size_t index)
{
	ASSERT(index < command_option_count(c));
	return index < c->option_count ? &c->options[index]
				       : &c->shared->options[index - c->option_count];
}

static const struct option *find_long(const struct command *c, const char *name, size_t len)
{
	for (size_t i = 0; i < command_option_count(c); i++) {
		const struct option *o = command_option(c, i);
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

static const struct option *find_letter(const struct command *c, char letter)
{
	for (size_t i = 0; i < c->option_count; i++)
		if (c->options[i].letter == letter)
			return &c->options[i];
	return NULL;
}

const char *command_nearest_option(const struct command *c, const char *word)
{
	const char *names[COMMAND_OPTIONS_MAX];
	size_t count = MIN(command_option_count(c), ARRAY_LEN(names));
	for (size_t i = 0; i < count; i++)
		names[i] = command_option(c, i)->name;
	return nearest_name(word, names, count);
}

static enum rc unknown_option(struct command_line *line, const char *arg, struct err *err)
{
	const char *near = command_nearest_option(line->command, arg + strspn(arg, "-"));
	return err_set(err, RC_BAD_REQUEST, "unknown option '%s'%s%s%s; see 'skeg %s --help'", arg,
		       near ? "; did you mean '--" : "", near ? near : "", near ? "'" : "",
		       line->command->name);
}

void text_list_add(struct arena *a, struct text_list *list, const char *text)
{
	list->at = arena_grow(a, list->at, list->count, &list->cap, sizeof(*list->at));
	list->at[list->count++] = text;
}

static enum rc parse_number(const struct option *o, const char *text, int64_t *ret_number,
			    struct err *err)
{
	if (!str_to_i64(str_of(text), ret_number))
		return err_set(err, RC_BAD_REQUEST, "option '--%s' needs a whole number, not '%s'",
			       o->name, text);
	if (o->most && (*ret_number < 0 || *ret_number > o->most))
		return err_set(err, RC_BAD_REQUEST,
			       "option '--%s' needs a number from 0 to %lld, not '%s'", o->name,
			       (long long)o->most, text);
	return RC_OK;
}

static size_t option_index(const struct command *c, const struct option *o)
{
	size_t index = 0;
	while (command_option(c, index) != o)
		index++;
	return index;
}

static uint64_t option_bit(const struct command_line *line, const struct option *o)
{
	size_t index = option_index(line->command, o);
	ASSERT(index < COMMAND_OPTIONS_MAX);
	return (uint64_t)1 << index;
}

static void *option_slot(const struct command_line *line, const struct option *o)
{
	const struct command *c = line->command;
	size_t base = option_index(c, o) < c->option_count ? 0 : c->shared_offset;
	return (char *)line->values + base + o->offset;
}

bool command_is_given(const struct command_line *line, const char *name)
{
	const struct option *o = find_long(line->command, name, strlen(name));
	return o && (line->given & option_bit(line, o));
}

const void *command_value(const struct command_line *line, const char *name)
{
	const struct option *o = find_long(line->command, name, strlen(name));
	return o ? option_slot(line, o) : NULL;
}

static enum rc store_value(struct command_line *line, const struct option *o, const char *text,
			   struct err *err)
{
	void *slot = option_slot(line, o);
	if (o->is_good && text && !o->is_good(text))
		return err_set(err, RC_BAD_REQUEST, "option '--%s' needs %s, not '%s'", o->name,
			       o->wants, text);
	switch (o->form) {
	case OPTION_FLAG:
		if (text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
			return err_set(err, RC_BAD_REQUEST,
				       "option '--%s' is true or false, not '%s'", o->name, text);
		*(bool *)slot = !text || strcmp(text, "true") == 0;
		break;
	case OPTION_TEXT:
		*(const char **)slot = text;
		break;
	case OPTION_LIST:
		text_list_add(&line->arena, slot, text);
		break;
	case OPTION_NUMBER:
		return parse_number(o, text, (int64_t *)slot, err);
	}
	return RC_OK;
}

static enum rc take_option(struct command_line *line, const struct option *o, const char *text,
			   struct err *err)
{
	line->given |= option_bit(line, o);
	return store_value(line, o, text, err);
}

/* The value of an option that has one: what follows, else the next word. */
static enum rc take_value(struct command_line *line, const struct option *o, const char *arg,
			  const char *value, int argc, char **argv, int *at, struct err *err)
{
	if (!value && o->bare)
		value = o->bare;
	if (!value) {
		if (*at + 1 >= argc)
			return err_set(err, RC_BAD_REQUEST, "option '%s' needs a value: --%s %s",
				       arg, o->name, o->value);
		value = argv[++*at];
	}
	return take_option(line, o, value, err);
}

static enum rc parse_long(struct command_line *line, int argc, char **argv, int *at,
			  struct err *err)
{
	const char *arg = argv[*at], *equals = strchr(arg, '=');
	const struct option *o = find_long(line->command, arg + 2,
					   equals ? (size_t)(equals - arg - 2) : strlen(arg + 2));
	if (!o)
		return unknown_option(line, arg, err);
	if (o->form == OPTION_FLAG)
		return take_option(line, o, equals ? equals + 1 : NULL, err);
	return take_value(line, o, arg, equals ? equals + 1 : NULL, argc, argv, at, err);
}

/* "-it", "-ofile", "-n=x": flags in a group, then at most one option with a value. */
static enum rc parse_letters(struct command_line *line, int argc, char **argv, int *at,
			     struct err *err)
{
	const char *arg = argv[*at];
	for (const char *letter = arg + 1; *letter; letter++) {
		const struct option *o = find_letter(line->command, *letter);
		if (!o)
			return unknown_option(line, arg, err);
		const char *rest = letter[1] == '=' ? letter + 2 : letter[1] ? letter + 1 : NULL;
		if (o->form != OPTION_FLAG)
			return take_value(line, o, arg, rest, argc, argv, at, err);
		bool is_told = letter[1] == '=';
		TRY(take_option(line, o, is_told ? rest : NULL, err));
		if (is_told)
			break;
	}
	return RC_OK;
}

enum rc command_set(struct command_line *line, struct str name, const char *text,
		    bool *ret_is_known, struct err *err)
{
	const struct option *o = find_long(line->command, name.at, name.len);
	*ret_is_known = o != NULL;
	return !o || (line->given & option_bit(line, o)) ? RC_OK : store_value(line, o, text, err);
}

enum rc command_parse(struct command_line *line, int argc, char **argv, struct err *err)
{
	bool has_ended = false;
	for (int i = 0; i < argc; i++) {
		bool is_option = !has_ended && argv[i][0] == '-' && argv[i][1];
		if (is_option && strcmp(argv[i], "--") == 0) {
			has_ended = true;
			line->words_before_dash = line->words.count;
			line->has_dash = true;
		} else if (is_option && argv[i][1] == '-') {
			TRY(parse_long(line, argc, argv, &i, err));
		} else if (is_option) {
			TRY(parse_letters(line, argc, argv, &i, err));
		} else {
			text_list_add(&line->arena, &line->words, argv[i]);
		}
	}
	if (!line->has_dash)
		line->words_before_dash = line->words.count;
	return RC_OK;
}

static void add_text(struct arena *a, struct text_list *args, const struct option *o,
		     const char *text)
{
	text_list_add(a, args, arena_printf(a, "--%s=%s", o->name, text).at);
}

static void add_args(struct arena *a, const struct option *o, const void *slot,
		     struct text_list *args)
{
	const struct text_list *list = slot;
	switch (o->form) {
	case OPTION_FLAG:
		add_text(a, args, o, *(const bool *)slot ? "true" : "false");
		break;
	case OPTION_TEXT:
		if (*(const char *const *)slot)
			add_text(a, args, o, *(const char *const *)slot);
		break;
	case OPTION_LIST:
		for (size_t i = 0; i < list->count; i++)
			add_text(a, args, o, list->at[i]);
		break;
	case OPTION_NUMBER:
		text_list_add(
			a, args,
			arena_printf(a, "--%s=%lld", o->name, (long long)*(const int64_t *)slot)
				.at);
		break;
	}
}

void option_set_args(struct arena *a, const struct option_set *set, const void *values,
		     struct text_list *args)
{
	for (size_t i = 0; i < set->count; i++)
		add_args(a, &set->options[i], (const char *)values + set->options[i].offset, args);
}

static void print_option(const struct option *o)
{
	char head[96];
	char letter[8] = "    ";
	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(head, sizeof(head), "%s--%s%s%s", letter, o->name, o->value ? " " : "",
		 o->value ? o->value : "");
	printf("  %-32s %s\n", head, o->help);
}

void command_help(const struct command *c)
{
	printf("%s\n\nUsage: skeg %s%s%s%s\n", c->summary, c->name,
	       command_option_count(c) ? " [options]" : "", c->arguments ? " " : "",
	       c->arguments ? c->arguments : "");
	if (command_option_count(c))
		printf("\nOptions:\n");
	for (size_t i = 0; i < command_option_count(c); i++)
		print_option(command_option(c, i));
}

int command_failed(const struct err *err)
{
	bool has_color = isatty(STDERR_FILENO);
	fprintf(stderr, "skeg: %serror%s: %s\n", has_color ? "\033[31m" : "",
		has_color ? "\033[0m" : "", err->text);
	return EXIT_FAILED;
}
