/* command: a verb and the parser of its options.
 *
 * One row an option; the same rows give parsing, --help, completion and the manual.  Letters may be
 * grouped ("-it"); what follows "--" are words.
 * Exit codes: EXIT_OK, EXIT_FAILED (it was tried and failed), EXIT_USAGE (it was asked wrongly). */
#ifndef SKEG_CLIENT_COMMAND_H
#define SKEG_CLIENT_COMMAND_H

#include "base/arena.h"
#include "base/err.h"

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum option_form { OPTION_FLAG, OPTION_TEXT, OPTION_NUMBER, OPTION_LIST };

struct text_list {
	const char **at;
	size_t count, cap;
};

struct option {
	const char *name; /* without dashes */
	char letter;	  /* 0: none */
	enum option_form form;
	size_t offset;	   /* of a bool, const char *, int64_t or struct text_list in the values */
	const char *value; /* how help calls the value: "N", "FILE"; NULL for flags */
	const char *help;
	const char
		*bare; /* the value when none follows after '='; then "--name value" is not one */
	int64_t most;  /* of a number, which then may not be negative either; 0: any */
	/* Is the text good?  NULL: any is; else wants says what it should be. */
	bool (*is_good)(const char *text);
	const char *wants;
};

/* Rows that several commands have; their offsets count from a struct within the values. */
struct option_set {
	const struct option *options;
	size_t count;
};

struct command_line {
	struct arena arena;
	const struct command *command;
	void *values;		/* a struct of the command, made from its defaults before parsing */
	struct text_list words; /* what is no option */
	size_t words_before_dash; /* all of them without "--" */
	bool has_dash;
	uint64_t given; /* bits of the command's options that were */
};

struct command {
	const char *name;      /* of one word, or two: "rollout status" */
	const char *aliases;   /* other names, ',' between; NULL: none */
	const char *arguments; /* "[TYPE] [NAME…]" */
	const char *summary;
	const struct option *options;
	size_t option_count;
	const struct option_set *shared; /* more rows, at the end; NULL: none */
	size_t shared_offset;		 /* of their struct in the values */
	size_t values_size;
	const void *defaults; /* values before parsing; NULL: zero */
	int (*run)(struct command_line *line);
	const void *detail; /* what run needs besides the values */
	bool is_internal;   /* not in help: processes that skeg starts itself */
};

#define COMMAND_OPTIONS_MAX 64

/* Parses argv after the verb; unknown options are refused with the nearest name.  RC_BAD_REQUEST.
 */
[[nodiscard]] enum rc command_parse(struct command_line *line, int argc, char **argv,
				    struct err *err);
/* Sets an option that was not given, as a configuration file does; *ret_is_known tells whether the
 * command has it.  Values are checked as those of the command line. */
[[nodiscard]] enum rc command_set(struct command_line *line, struct str name, const char *text,
				  bool *ret_is_known, struct err *err);
/* Was the option given on the command line?  False when the command has none of that name. */
bool command_is_given(const struct command_line *line, const char *name);
/* Where its value is, of the type that goes with its form; NULL when there is no such option. */
const void *command_value(const struct command_line *line, const char *name);
/* All options of a command, its own first. */
size_t command_option_count(const struct command *command);
const struct option *command_option(const struct command *command, size_t index);
/* Adds "--name=value" for every option of the set that has a value: how one process gives them to
 * another.  values are those of the set; texts live in the arena. */
void option_set_args(struct arena *a, const struct option_set *set, const void *values,
		     struct text_list *args);
void text_list_add(struct arena *a, struct text_list *list, const char *text); /* not copied */
/* The option whose name is nearest, NULL when none is near. */
const char *command_nearest_option(const struct command *command, const char *word);
/* The nearest of the names by edit distance, NULL when none is near. */
const char *nearest_name(const char *word, const char *const *names, size_t count);
void command_help(const struct command *command);

/* "skeg: error: <text>" on standard error, coloured on a terminal; returns EXIT_FAILED. */
int command_failed(const struct err *err);

#endif
