/* skeg set resources: what containers request, and at most get. */
#include "client/create.h"
#include "client/set.h"
#include "client/verbs.h"

/* "cpu=200m,memory=64Mi" */
static enum rc put_list(struct setting *s, struct json *resources, const char *key,
			const char *text, struct err *err)
{
	struct str rest = str_of(text), pair, name, amount;
	while (rest.len) {
		str_cut(rest, ',', &pair, &rest);
		if (!str_cut(pair, '=', &name, &amount) || !name.len || !amount.len)
			return err_set(err, RC_BAD_REQUEST,
				       "Invalid argument syntax %.*s, expected <resource>=<value>",
				       STR_FMT(pair));
		json_set(s->arena, json_need_object(s->arena, resources, str_of(key)), name,
			 str_is(amount, "0") ? json_null(s->arena) : json_string(s->arena, amount));
	}
	return RC_OK;
}

static enum rc put(struct setting *s, const struct json *container, struct json *patch,
		   struct err *err)
{
	struct json *resources = create_at(s->arena, patch, "resources");
	TRY(put_list(s, resources, "limits", s->options->limits, err));
	return put_list(s, resources, "requests", s->options->requests, err);
}

static enum rc fill(struct setting *s, const struct resource *r, struct json *patch,
		    struct err *err)
{
	bool is_found;
	TRY(set_containers(s, r, SET_CONTAINERS | SET_INIT_CONTAINERS, s->options->containers,
			   patch, put, &is_found, err));
	if (!is_found)
		return err_set(err, RC_NOT_FOUND, "unable to find container named %s",
			       s->options->containers);
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct setting s;
	TRY(set_open(v, &s, err));
	if (!s.options->limits && !s.options->requests)
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify an update to requests or limits (in the form of "
			       "--requests/--limits)");
	return set_run(&s, v->line->words.count, PATCH_STRATEGIC, fill,
		       "resource requirements updated", err);
}

static const struct option options[] = {
	{"limits", 0, OPTION_TEXT, SET_AT(limits), "NAME=AMOUNT,…",
	 "at most: cpu=200m,memory=64Mi"},
	{"requests", 0, OPTION_TEXT, SET_AT(requests), "NAME=AMOUNT,…",
	 "at least: cpu=100m,memory=32Mi"},
	{"containers", 'c', OPTION_TEXT, SET_AT(containers), "NAME",
	 "only of those, '*' stands for anything (all)"},
	SET_COMMON,
};
SET_COMMAND(resources, "set resources", NULL, "TYPE/NAME --limits=… --requests=…",
	    "Change what containers request and at most get", options, body);
