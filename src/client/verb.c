#include "client/verb.h"

#include "base/duration.h"

void verb_note(struct verb *v, const struct err *err)
{
	v->failures =
		arena_grow(v->arena, v->failures, v->failed, &v->failure_cap, sizeof(*v->failures));
	v->failures[v->failed++] = *err;
}

struct text_list verb_words(const struct verb *v, size_t from)
{
	const struct text_list *words = &v->line->words;
	from = MIN(from, words->count);
	return (struct text_list){.at = words->at ? words->at + from : NULL,
				  .count = words->count - from};
}

int verb_run(struct command_line *line)
{
	const struct verb_detail *detail = line->command->detail;
	struct verb v = {.line = line,
			 .arena = &line->arena,
			 .detail = detail->detail,
			 .code_of_failure = EXIT_FAILED};
	struct err err;
	if (api_client_open(v.arena, line->values, &v.client, &err) != RC_OK)
		return client_failed(&err);
	enum rc rc = detail->body(&v, &err);
	fflush(stdout);
	for (size_t i = 0; i < v.failed; i++)
		client_failed(&v.failures[i]);
	if (rc != RC_OK)
		client_failed(&err);
	api_client_close(&v.client);
	return rc != RC_OK || v.failed ? v.code_of_failure : v.code;
}

enum rc option_refused(const char *name, const char *value, const char *choices, struct err *err)
{
	return err_set(err, RC_BAD_REQUEST, "option '--%s': '%s' is not one of %s", name, value,
		       choices);
}

enum rc option_duration(const char *name, const char *text, int64_t *ret_ms, struct err *err)
{
	int64_t seconds = 0;
	if (text && !duration_parse(str_of(text), &seconds))
		return err_set(err, RC_BAD_REQUEST,
			       "option '--%s': '%s' is no duration; write it as 5s, 2m or 1h30m",
			       name, text);
	*ret_ms = seconds * 1000;
	return RC_OK;
}
