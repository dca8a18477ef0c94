#include "client/auth_rules.h"

#include <stdio.h>

#include "client/api_path.h"
#include "client/create.h"
#include "client/policy_rules.h"
#include "client/resource_types.h"
#include "client/text_table.h"

enum rc auth_rules_print(struct verb *v, bool has_no_heads, struct err *err)
{
	static const struct str heads[] = {STR_INIT("Resources"), STR_INIT("Non-Resource URLs"),
					   STR_INIT("Resource Names"), STR_INIT("Verbs")};
	struct arena *a = v->arena;
	struct json *t = json_object(a), *reply;
	struct text_table table = {};
	size_t count;
	create_set(a, t, "apiVersion", "authorization.k8s.io/v1");
	create_set(a, t, "kind", "SelfSubjectRulesReview");
	json_set_str(a, create_at(a, t, "spec"), STR("namespace"), v->client.namespace);
	struct str path =
		api_path(a, resource_type_find(STR("selfsubjectrulesreviews.authorization.k8s.io")),
			 (struct str){}, (struct str){}, NULL);
	TRY(api_client_send(&v->client, a, "POST", path, NULL, t, &reply, err));
	if (json_is_true(json_path(reply, "status.incomplete")))
		fprintf(stderr, "warning: the list may be incomplete: %.*s\n",
			STR_FMT(json_path_str(reply, "status.evaluationError")));
	const struct json *const lists[] = {json_path(reply, "status.resourceRules"),
					    json_path(reply, "status.nonResourceRules")};
	const struct policy_row *rows = policy_rows(a, lists, ARRAY_LEN(lists), &count);
	if (!has_no_heads)
		text_table_add(&table, a, heads, ARRAY_LEN(heads));
	for (size_t i = 0; i < count; i++) {
		const struct str cells[] = {rows[i].resource, policy_list_text(a, rows[i].urls),
					    policy_list_text(a, rows[i].names),
					    policy_list_text(a, rows[i].verbs)};
		text_table_add(&table, a, cells, ARRAY_LEN(cells));
	}
	text_table_print(&table);
	return RC_OK;
}
