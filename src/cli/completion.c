/* skeg completion: scripts for shells.  They ask `skeg __complete` for the words that could stand
 * next, so that nothing of the tables is in them. */
#include <stdio.h>
#include <string.h>

#include "cli/complete.h"
#include "cli/verbs.h"

static const char bash_script[] =
	"_skeg() {\n"
	"\tlocal word help\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS=$'\\t' read -r word help; do\n"
	"\t\tCOMPREPLY+=(\"$word\")\n"
	"\tdone < <(\"${COMP_WORDS[0]}\" __complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"\tcase \"${COMPREPLY[0]}\" in\n"
	"\t*=|*/) compopt -o nospace ;;\n"
	"\tesac\n"
	"}\n"
	"complete -o default -F _skeg skeg\n";

static const char zsh_script[] =
	"#compdef skeg\n"
	"_skeg() {\n"
	"\tlocal -a entries\n"
	"\tlocal line\n"
	"\tfor line in \"${(@f)$(\"${words[1]}\" __complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
	"\t\t[[ -n \"$line\" ]] || continue\n"
	"\t\tentries+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	"\tdone\n"
	"\tif (( ${#entries} )); then\n"
	"\t\t_describe -V skeg entries\n"
	"\telse\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _skeg ]; then _skeg \"$@\"; else compdef _skeg skeg; fi\n";

static const char fish_script[] =
	"function __skeg_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l current (commandline -ct)\n"
	"\tset -q current[1]; or set current ''\n"
	"\tset -l found ($words[1] __complete -- $words[2..-1] \"$current\" 2>/dev/null)\n"
	"\tif set -q found[1]\n"
	"\t\tprintf '%s\\n' $found\n"
	"\telse\n"
	"\t\t__fish_complete_path \"$current\"\n"
	"\tend\n"
	"end\n"
	"complete -c skeg -f -k -a '(__skeg_complete)'\n";

static const struct {
	const char *name, *script;
} shells[] = {{"bash", bash_script}, {"zsh", zsh_script}, {"fish", fish_script}};

static int run(struct command_line *line)
{
	struct err err;
	const char *word = line->words.count == 1 ? line->words.at[0] : "";
	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(word, shells[i].name) != 0)
			continue;
		fputs(shells[i].script, stdout);
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

/* ---- what the scripts ask ---- */

static int run_complete(struct command_line *line)
{
	struct candidates found;
	complete_words(&line->arena, &line->words, &found);
	for (size_t i = 0; i < found.count; i++)
		printf("%.*s\t%s\n", STR_FMT(found.at[i].word), found.at[i].help);
	return EXIT_OK;
}

const struct command command_complete = {
	.name = "__complete",
	.arguments = "-- WORD…",
	.summary = "Print the words that could stand next",
	.run = run_complete,
	.is_internal = true,
};
