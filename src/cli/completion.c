/* skeg completion: scripts for shells, made from the same tables as --help. */
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"
#include "client/resource_types.h"

/* Text within single quotes of the shell. */
static void print_quoted(const char *text, const char *quote)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs(quote, stdout);
		else
			putchar(*text);
	}
}

static bool takes_types(const struct command *c)
{
	return c->arguments && strstr(c->arguments, "TYPE");
}

static void print_types(void)
{
	const struct api *api = api_builtin();
	for (size_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *kind = &api->kinds[i];
		/* A plural of several groups is offered once. */
		if ((kind->verbs & VERB_LIST) && resource_type_find(kind->plural) == kind)
			printf(" %.*s", STR_FMT(kind->plural));
	}
}

/* Families by their first words, once. */
static void print_verbs(void)
{
	struct str last = {};
	for (size_t i = 0; i < command_count; i++) {
		struct str head, tail;
		str_cut(str_of(commands[i]->name), ' ', &head, &tail);
		if (!commands[i]->is_internal && !str_eq(head, last))
			printf(" %.*s", STR_FMT(head));
		last = head;
	}
}

static void print_options(const struct command *c)
{
	for (size_t i = 0; i < command_option_count(c); i++)
		printf(" --%s", command_option(c, i)->name);
}

static void print_bash(void)
{
	printf("_skeg() {\n\tlocal current=\"${COMP_WORDS[COMP_CWORD]}\" words=\"\"\n"
	       "\tlocal types=\"");
	print_types();
	printf("\"\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords=\"");
	print_verbs();
	printf("\"\n\telse\n\t\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]} \" in\n");
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i]->is_internal)
			continue;
		printf("\t\t'%s '*) words=\"%s", commands[i]->name,
		       takes_types(commands[i]) ? "$types" : "");
		print_options(commands[i]);
		printf(" --help\" ;;\n");
	}
	printf("\t\tesac\n\tfi\n"
	       "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n"
	       "complete -o default -F _skeg skeg\n");
}

static void print_zsh_options(const struct command *c)
{
	for (size_t i = 0; i < command_option_count(c); i++) {
		printf(" '--%s:", command_option(c, i)->name);
		print_quoted(command_option(c, i)->help, "'\\''");
		putchar('\'');
	}
}

static void print_zsh(void)
{
	printf("#compdef skeg\n_skeg() {\n\tlocal -a entries types\n\ttypes=(");
	print_types();
	printf(")\n\tif (( CURRENT == 2 )); then\n\t\tentries=(");
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i]->is_internal)
			continue;
		printf(" '%s:", commands[i]->name);
		print_quoted(commands[i]->summary, "'\\''");
		putchar('\'');
	}
	printf(")\n\t\t_describe command entries\n\t\treturn\n\tfi\n\tcase \"$words[2] $words[3] \" in\n");
	for (size_t i = 0; i < command_count; i++) {
		if (commands[i]->is_internal)
			continue;
		printf("\t'%s '*) entries=(", commands[i]->name);
		print_zsh_options(commands[i]);
		printf(")%s ;;\n", takes_types(commands[i]) ? "; compadd -a types" : "");
	}
	printf("\tesac\n\t_describe option entries\n\t_files\n}\n"
	       "if [ \"$funcstack[1]\" = _skeg ]; then _skeg \"$@\"; else compdef _skeg skeg; fi\n");
}

static void print_fish_option(const struct command *c, const struct option *o)
{
	printf("complete -c skeg -n '__fish_seen_subcommand_from %s' -l %s", c->name, o->name);
	if (o->letter)
		printf(" -s %c", o->letter);
	printf("%s -d '", o->form == OPTION_FLAG ? "" : " -r");
	print_quoted(o->help, "\\'");
	printf("'\n");
}

static void print_fish(void)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = commands[i];
		if (c->is_internal)
			continue;
		printf("complete -c skeg -n __fish_use_subcommand -a '%s' -d '", c->name);
		print_quoted(c->summary, "\\'");
		printf("'\n");
		for (size_t k = 0; k < command_option_count(c); k++)
			print_fish_option(c, command_option(c, k));
		if (!takes_types(c))
			continue;
		printf("complete -c skeg -n '__fish_seen_subcommand_from %s' -a '", c->name);
		print_types();
		printf("'\n");
	}
}

static const struct {
	const char *name;
	void (*print)(void);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

static int run(struct command_line *line)
{
	struct err err;
	const char *word = line->words.count == 1 ? line->words.at[0] : "";
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(word, shells[i].name) != 0)
			continue;
		shells[i].print();
		return EXIT_OK;
	}
	err_set(&err, RC_BAD_REQUEST,
		"name one shell: bash, zsh or fish; for bash: source <(skeg completion bash)");
	command_failed(&err);
	return EXIT_USAGE;
}

const struct command command_completion = {
	.name = "completion",
	.arguments = "bash|zsh|fish",
	.summary = "Print a script that completes skeg's words",
	.run = run,
};
