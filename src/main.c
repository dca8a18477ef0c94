/* skeg: one binary, many roles; see src/cli/ for the verbs. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

#define COMMANDS_MAX   256
#define NAME_BYTES_MAX 128

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int unknown_command(const char *name)
{
	const char *names[COMMANDS_MAX];
	size_t count = MIN(command_count, ARRAY_LEN(names));
	for (size_t i = 0; i < count; i++)
		names[i] = commands[i]->name;
	const char *near = nearest_name(name, names, count);
	fprintf(stderr, "skeg: unknown command '%s'%s%s%s; 'skeg --help' lists all\n", name,
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return EXIT_USAGE;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct err err;
	CLEANUP(free_p) void *values = mem_alloc(c->values_size);
	struct command_line line = {.command = c, .values = values};
	if (c->defaults)
		memcpy(values, c->defaults, c->values_size);
	if (wants_help(argc, argv)) {
		command_help(c);
		if (command_is_family(c->name))
			family_help(c->name);
		return EXIT_OK;
	}
	int code = EXIT_USAGE;
	if (command_parse(&line, argc, argv, &err) == RC_OK)
		code = c->run(&line);
	else
		command_failed(&err);
	arena_done(&line.arena);
	return code;
}

/* "skeg rollout status …", "skeg rollout" */
static int run_family(int argc, char **argv)
{
	char name[NAME_BYTES_MAX];
	const struct command *c = NULL;
	if (argc > 2) {
		snprintf(name, sizeof(name), "%s %s", argv[1], argv[2]);
		c = command_find(name);
	}
	if (c)
		return run(c, argc - 3, argv + 3);
	c = command_find(argv[1]);
	if (c)
		return run(c, argc - 2, argv + 2);
	if (argc > 2 && !wants_help(1, argv + 2))
		return unknown_command(name);
	printf("Usage: skeg %s COMMAND [options]\n", argv[1]);
	family_help(argv[1]);
	return argc > 2 ? EXIT_OK : EXIT_USAGE;
}

/* Options of the client may stand before the verb: "skeg -n x get pods".  How many words. */
static size_t leading_options(int argc, char **argv)
{
	static const char *const valued[] = {"--kubeconfig", "--context", "--namespace",
					     "-n",	     "--server",  "-s",
					     "--token",	     "--as",	  "--as-group"};
	int at = 1;
	while (at < argc && argv[at][0] == '-') {
		struct str name, value;
		bool is_known = false, has_value = str_cut(str_of(argv[at]), '=', &name, &value);
		for (size_t i = 0; i < ARRAY_LEN(valued); i++)
			is_known |= str_is(name, valued[i]);
		if (!is_known)
			return 0;
		at += has_value ? 1 : 2;
	}
	return at < argc ? (size_t)at - 1 : 0;
}

static char **verb_first(int argc, char **argv, size_t options)
{
	char **out = mem_alloc(((size_t)argc + 1) * sizeof(*out));
	size_t from = options + 1, count = 0;
	size_t words = command_is_family(argv[from]) && from + 1 < (size_t)argc &&
				       argv[from + 1][0] != '-'
			       ? 2
			       : 1;
	out[count++] = argv[0];
	for (size_t i = 0; i < words; i++)
		out[count++] = argv[from + i];
	for (size_t i = 0; i < options; i++)
		out[count++] = argv[1 + i];
	for (size_t i = from + words; i < (size_t)argc; i++)
		out[count++] = argv[i];
	return out;
}

static int run_named(int argc, char **argv)
{
	if (command_is_family(argv[1]))
		return run_family(argc, argv);
	const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
	const struct command *c = command_find(name);
	return c ? run(c, argc - 2, argv + 2) : unknown_command(argv[1]);
}

/* Bodies and lists of megabytes go back to the system when they are through, instead of staying in
 * the heap of the thread that had them. */
#define OWN_PAGES_BYTES (512 << 10)

int main(int argc, char **argv)
{
	mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		commands_help();
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	size_t options = leading_options(argc, argv);
	CLEANUP(free_p) char **sorted = options ? verb_first(argc, argv, options) : NULL;
	return run_named(argc, sorted ? sorted : argv);
}
