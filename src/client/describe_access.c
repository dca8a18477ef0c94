/* Roles and their bindings, quotas. */
#include "client/describe.h"
#include "client/policy_rules.h"

static const struct describe_row head[] = {{"Name", "metadata.name", ROW_TEXT, false, NULL},
					   DESCRIBE_LABELS};

enum rc describe_role(struct describe *d, const struct resource *r, struct err *err)
{
	const struct json *rules = json_get(r->tree, STR("rules"));
	size_t count;
	const struct policy_row *rows = policy_rows(d->arena, &rules, 1, &count);
	describe_rows(d, r->tree, head, ARRAY_LEN(head));
	describe_line(d, 0, "PolicyRule:");
	describe_line(d, 1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
	describe_line(d, 1, "---------\t-----------------\t--------------\t-----");
	for (size_t i = 0; i < count; i++)
		describe_line(d, 1, "%.*s\t%.*s\t%.*s\t%.*s", STR_FMT(rows[i].resource),
			      STR_FMT(policy_list_text(d->arena, rows[i].urls)),
			      STR_FMT(policy_list_text(d->arena, rows[i].names)),
			      STR_FMT(policy_list_text(d->arena, rows[i].verbs)));
	return RC_OK;
}

enum rc describe_role_binding(struct describe *d, const struct resource *r, struct err *err)
{
	const struct json *subjects = json_get(r->tree, STR("subjects"));
	describe_rows(d, r->tree, head, ARRAY_LEN(head));
	describe_line(d, 0, "Role:");
	describe_line(d, 1, "Kind:\t%.*s", STR_FMT(json_path_str(r->tree, "roleRef.kind")));
	describe_line(d, 1, "Name:\t%.*s", STR_FMT(json_path_str(r->tree, "roleRef.name")));
	describe_line(d, 0, "Subjects:");
	describe_line(d, 1, "Kind\tName\tNamespace");
	describe_line(d, 1, "----\t----\t---------");
	for (size_t i = 0; i < json_count(subjects); i++) {
		const struct json *s = json_at(subjects, i);
		describe_line(d, 1, "%.*s\t%.*s\t%.*s", STR_FMT(json_path_str(s, "kind")),
			      STR_FMT(json_path_str(s, "name")),
			      STR_FMT(json_path_str(s, "namespace")));
	}
	return RC_OK;
}
