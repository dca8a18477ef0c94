/* skeg set serviceaccount: under which account the pods of a workload run. */
#include "client/create.h"
#include "client/set.h"
#include "client/verbs.h"

static enum rc fill(struct setting *s, const struct resource *r, struct json *patch,
		    struct err *err)
{
	const char *at;
	TRY(set_pod_spec(r, &at, err));
	create_set(s->arena, create_at(s->arena, patch, at), "serviceAccountName", s->words.at[0]);
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct setting s;
	size_t count = v->line->words.count;
	TRY(set_open(v, &s, err));
	s.tells_unchanged = true;
	if (count == 0)
		return err_set(err, RC_BAD_REQUEST, "serviceaccount is required");
	return set_run(&s, count - 1, PATCH_STRATEGIC, fill, "serviceaccount updated", err);
}

static const struct option options[] = {SET_COMMON};
SET_COMMAND(service_account, "set serviceaccount", "set sa", "TYPE/NAME ACCOUNT",
	    "Change the service account of a workload", options, body);
