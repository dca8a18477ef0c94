/* skeg: one binary, many roles; see src/cli/ for the verbs. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"

static bool wants_help(int argc, char **argv)
{
	for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int unknown_command(const char *name)
{
	const char *names[64];
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

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		commands_help();
		return argc < 2 ? EXIT_USAGE : EXIT_OK;
	}
	const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
	const struct command *c = command_find(name);
	return c ? run(c, argc - 2, argv + 2) : unknown_command(argv[1]);
}
