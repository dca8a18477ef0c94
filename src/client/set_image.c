/* skeg set image: other images in the pods of a workload. */
#include "client/set.h"
#include "client/verbs.h"

static enum rc put_image(struct setting *s, const struct json *container, struct json *patch,
			 struct err *err)
{
	json_set_str(s->arena, patch, STR("image"), s->value);
	return RC_OK;
}

/* A container that two of the words mean has the image of the last one. */
static enum rc fill(struct setting *s, const struct resource *r, struct json *patch,
		    struct err *err)
{
	for (size_t i = 0; i < s->words.count; i++) {
		struct str name;
		bool is_found;
		str_cut(str_of(s->words.at[i]), '=', &name, &s->value);
		TRY(set_containers(s, r, SET_CONTAINERS | SET_INIT_CONTAINERS,
				   arena_cstr(s->arena, name), patch, put_image, &is_found, err));
		if (!is_found)
			return err_set(err, RC_NOT_FOUND, "unable to find container named \"%.*s\"",
				       STR_FMT(name));
	}
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct setting s;
	size_t objects = set_words_before(v, "=");
	TRY(set_open(v, &s, err));
	if (objects == v->line->words.count)
		return err_set(err, RC_BAD_REQUEST,
			       "at least one image update is required: CONTAINER=IMAGE");
	return set_run(&s, objects, PATCH_STRATEGIC, fill, "image updated", err);
}

static const struct option options[] = {SET_COMMON};
SET_COMMAND(image, "set image", NULL, "TYPE/NAME CONTAINER=IMAGE…", "Change images of a workload",
	    options, body);
