#include "server/filter.h"

enum rc filter_init(struct request *r, struct filter *ret_filter, struct err *err)
{
	struct filter f = {.kind = r->route.kind, .namespace = r->route.namespace};
	if (!f.kind->is_namespaced)
		f.namespace = (struct str){};
	TRY(selector_parse(&r->arena, r->options.label_selector, &f.labels, err));
	TRY(field_selector_parse(&r->arena, r->options.field_selector, &f.fields, err));
	TRY(field_selector_check(&f.fields, f.kind, err));
	*ret_filter = f;
	return RC_OK;
}

bool filter_is_one(const struct filter *f)
{
	bool is_placed = f->namespace.len || !f->kind->is_namespaced;
	return is_placed && field_selector_exact(&f->fields, "metadata.name").len > 0;
}

bool filter_matches(const struct filter *f, const struct object *o)
{
	if (!o || (f->namespace.len && !str_eq(f->namespace, o->namespace)))
		return false;
	if (f->labels.count && !selector_matches_object(&f->labels, o))
		return false;
	if (f->fields.count == 0)
		return true;
	CLEANUP_ARENA scratch = {};
	return field_selector_matches_object(&f->fields, o, &scratch);
}
