#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "api/schema.h"
#include "api/views.h"
#include "base/mem.h"

static void kinds_are_found(void **state)
{
	static const struct {
		const char *group, *version, *plural, *kind;
		int served, stored;
	} rows[] = {
		{"", "v1", "pods", "Pod", SERVED_CORE_V1_POD, KIND_POD},
		{"apps", "v1", "deployments", "Deployment", SERVED_APPS_V1_DEPLOYMENT,
		 KIND_DEPLOYMENT},
		{"events.k8s.io", "v1", "events", "Event", SERVED_EVENTS_V1_EVENT, KIND_EVENT},
		{"", "v1", "events", "Event", SERVED_CORE_V1_EVENT, KIND_EVENT},
		{"autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
		 SERVED_AUTOSCALING_V2_HORIZONTAL_POD_AUTOSCALER, KIND_HORIZONTAL_POD_AUTOSCALER},
		{"authentication.k8s.io", "v1", "tokenreviews", "TokenReview",
		 SERVED_AUTHENTICATION_V1_TOKEN_REVIEW, KIND_NONE},
	};
	const struct api *api = api_builtin();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str group = str_of(rows[i].group), version = str_of(rows[i].version);
		const struct api_kind *k =
			api_by_resource(api, group, version, str_of(rows[i].plural));
		assert_non_null(k);
		assert_int_equal(k->served_id, rows[i].served);
		assert_int_equal(k->stored_id, rows[i].stored);
		assert_ptr_equal(k, api_by_kind(api, group, version, str_of(rows[i].kind)));
		assert_ptr_equal(k, api_by_api_version(api, k->api_version, k->kind));
		assert_ptr_equal(k, &api->kinds[k->served_id]);
	}
	assert_null(api_by_resource(api, STR("apps"), STR("v2"), STR("deployments")));
	assert_null(api_by_kind(api, STR(""), STR("v1"), STR("Deployment")));
	assert_null(api_by_resource(api, (struct str){}, (struct str){}, (struct str){}));
}

/* What the hash tables find is what a walk over the kinds finds. */
static void walk_and_index_agree(void **state)
{
	const struct api *api = api_builtin();
	struct api plain = *api;
	plain.index = NULL;
	for (uint32_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *k = &api->kinds[i];
		assert_ptr_equal(k, api_by_resource(&plain, k->group, k->version, k->plural));
		assert_ptr_equal(k, api_by_resource(api, k->group, k->version, k->plural));
		assert_ptr_equal(k, api_by_kind(&plain, k->group, k->version, k->kind));
		assert_ptr_equal(k, api_by_kind(api, k->group, k->version, k->kind));
	}
	for (uint16_t id = 0; id <= api->stored_count; id++)
		assert_ptr_equal(api_by_stored(&plain, id), api_by_stored(api, id));
	assert_null(api_by_stored(api, KIND_NONE));
}

static void storage_versions_are_first(void **state)
{
	const struct api *api = api_builtin();
	const struct api_kind *hpa = api_by_stored(api, KIND_HORIZONTAL_POD_AUTOSCALER);
	assert_true(str_is(hpa->version, "v2"));
	assert_true(str_is(api_by_stored(api, KIND_EVENT)->api_version, "v1"));
	assert_ptr_equal(hpa, api_by_group_resource(api, STR("autoscaling"),
						    STR("horizontalpodautoscalers")));
	for (uint16_t id = 1; id < api->stored_count; id++) {
		assert_non_null(api_by_stored(api, id));
		assert_true(api_by_stored(api, id)->is_storage_version);
	}
}

static void subresources_name_their_bodies(void **state)
{
	const struct api *api = api_builtin();
	const struct api_kind *pod = api_by_stored(api, KIND_POD);
	const struct api_subresource *eviction = api_subresource(pod, STR("eviction"));
	assert_true(str_is(eviction->group, "policy"));
	assert_int_equal(eviction->verbs, VERB_CREATE);
	assert_int_equal(eviction->type, TYPE_POLICY_V1_EVICTION);
	assert_null(api_subresource(pod, STR("scale")));
	assert_int_equal(api_subresource(api_by_stored(api, KIND_DEPLOYMENT), STR("scale"))->type,
			 TYPE_AUTOSCALING_V1_SCALE);
}

static void fields_carry_what_is_known(void **state)
{
	const struct api *api = api_builtin();
	const struct api_type *spec = api_type(api, TYPE_APPS_V1_DEPLOYMENT_SPEC);
	const struct api_field *f = api_field(spec, STR("template"));
	assert_int_equal(f->tag, 3);
	assert_int_equal(f->form, FORM_STRUCT);
	assert_int_equal(f->type, TYPE_CORE_V1_POD_TEMPLATE_SPEC);
	assert_int_equal(f->view_offset, offsetof(struct deployment_spec, template));
	assert_int_equal(f->flags, FIELD_REQUIRED);
	assert_true(str_is(f->go_type, "v1.PodTemplateSpec"));

	f = api_field(api_type(api, TYPE_CORE_V1_CONTAINER), STR("ports"));
	assert_int_equal(f->list_type, LIST_MAP);
	assert_true(str_is(f->list_keys, "containerPort,protocol"));
	assert_true(str_is(f->merge_key, "containerPort"));
	assert_true(f->flags & FIELD_PATCH_MERGE);
	assert_true(str_is(f->go_type, "[]v1.ContainerPort"));

	f = api_field(api_type(api, TYPE_CORE_V1_CONTAINER_PORT), STR("protocol"));
	assert_true(str_is(f->default_json, "\"TCP\""));
	assert_true(str_is(f->enum_values, "SCTP,TCP,UDP"));
	assert_null(api_field(spec, STR("Template")));
	assert_null(api_field(spec, (struct str){}));
	assert_null(api_type(api, -1));
	assert_null(api_type(api, TYPE_COUNT));
}

/* Nested by protobuf only: its fields follow it, with offsets of the parent. */
static void inlined_fields_follow_their_mark(void **state)
{
	const struct api *api = api_builtin();
	const struct api_type *volume = api_type(api, TYPE_CORE_V1_VOLUME);
	const struct api_type *source = api_type(api, TYPE_CORE_V1_VOLUME_SOURCE);
	assert_true(volume->fields[1].flags & FIELD_INLINE);
	assert_int_equal(volume->fields[1].type, TYPE_CORE_V1_VOLUME_SOURCE);
	assert_int_equal(volume->field_count, 2 + source->field_count);
	assert_true(str_eq(volume->fields[2].name, source->fields[0].name));
	assert_int_equal(volume->fields[2].view_offset, offsetof(struct volume, host_path));
}

/* Every index of a table stays inside its table. */
static void tables_are_closed(void **state)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->type_count; i++)
		for (uint32_t j = 0; j < api->types[i].field_count; j++) {
			const struct api_field *f = &api->types[i].fields[j];
			assert_true(f->form != FORM_STRUCT || api_type(api, f->type));
			assert_true(f->flags & FIELD_INLINE ||
				    f->view_offset < api->types[i].view_size);
			assert_true(f->list_type != LIST_MAP || f->list_keys.len);
		}
	for (uint32_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *k = &api->kinds[i];
		assert_non_null(api_type(api, k->type));
		assert_true(!(k->verbs & VERB_LIST) == (k->list_type < 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_are_found),
		cmocka_unit_test(walk_and_index_agree),
		cmocka_unit_test(storage_versions_are_first),
		cmocka_unit_test(subresources_name_their_bodies),
		cmocka_unit_test(fields_carry_what_is_known),
		cmocka_unit_test(inlined_fields_follow_their_mark),
		cmocka_unit_test(tables_are_closed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
