#include "client/user_program.h"

#include <stdio.h>

#include "io/spawn.h"

struct text_list user_program_words(struct arena *a, const char *text)
{
	struct text_list words = {};
	struct str rest = str_of(text), word;
	while (rest.len) {
		str_cut(rest, ' ', &word, &rest);
		if (word.len)
			text_list_add(a, &words, arena_cstr(a, word));
	}
	return words;
}

enum rc user_program_run(struct arena *a, struct text_list *words, int *ret_code, struct err *err)
{
	struct spawn_result result = {};
	text_list_add(a, words, NULL);
	const struct spawn_opts opts = {.argv = words->at, .inherit_stdio = true};
	fflush(stdout);
	enum rc rc = spawn_run(&opts, &result, err);
	*ret_code = result.exit_code;
	spawn_result_done(&result);
	return rc;
}
