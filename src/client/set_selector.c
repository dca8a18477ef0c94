/* skeg set selector: which pods a Service means. */
#include "client/create.h"
#include "client/set.h"
#include "client/verbs.h"

/* All that was selected by before goes. */
static enum rc fill(struct setting *s, const struct resource *r, struct json *patch,
		    struct err *err)
{
	struct json *selector = create_at(s->arena, patch, "spec.selector");
	const struct json *now = json_path(r->tree, "spec.selector");
	struct str rest = str_of(s->words.at[0]), pair, key, value;
	if (!str_is(r->kind->plural, "services"))
		return err_set(err, RC_BAD_REQUEST,
			       "setting a selector is only supported for Services");
	for (size_t i = 0; i < json_count(now); i++)
		json_set(s->arena, selector, now->object.members[i].key, json_null(s->arena));
	while (rest.len) {
		str_cut(rest, ',', &pair, &rest);
		if (!str_cut(pair, '=', &key, &value) || !key.len)
			return err_set(err, RC_BAD_REQUEST,
				       "'%.*s' is no selector of a Service; write KEY=VALUE",
				       STR_FMT(pair));
		json_set_str(s->arena, selector, key, value.at ? value : STR(""));
	}
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct setting s;
	size_t objects = set_words_before(v, "=");
	TRY(set_open(v, &s, err));
	if (v->line->words.count != objects + 1)
		return err_set(
			err, RC_BAD_REQUEST,
			"one resource and one selector are needed: service NAME KEY=VALUE,…");
	return set_run(&s, objects, PATCH_MERGE, fill, "selector updated", err);
}

static const struct option options[] = {SET_COMMON};
SET_COMMAND(selector, "set selector", NULL, "service NAME KEY=VALUE,…",
	    "Change which pods a Service means", options, body);
