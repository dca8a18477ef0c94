#include "api/print-int.h"

void print_mutating(struct cells *c, const void *view)
{
	const struct mutating_webhook_configuration *configuration = view;
	cell(c, configuration->metadata.name);
	cell_int(c, configuration->webhooks.count);
	cell_age(c, configuration->metadata.creation_timestamp);
}

void print_validating(struct cells *c, const void *view)
{
	const struct validating_webhook_configuration *configuration = view;
	cell(c, configuration->metadata.name);
	cell_int(c, configuration->webhooks.count);
	cell_age(c, configuration->metadata.creation_timestamp);
}

void print_policy(struct cells *c, const void *view)
{
	const struct validating_admission_policy *policy = view;
	const struct param_kind *kind = policy->spec.param_kind;
	cell(c, policy->metadata.name);
	cell_int(c, policy->spec.validations.count);
	if (kind)
		cell_printf(c, "%.*s/%.*s", STR_FMT(kind->api_version), STR_FMT(kind->kind));
	else
		cell_cstr(c, "<unset>");
	cell_age(c, policy->metadata.creation_timestamp);
}

void print_policy_binding(struct cells *c, const void *view)
{
	const struct validating_admission_policy_binding *binding = view;
	const struct param_ref *ref = binding->spec.param_ref;
	cell(c, binding->metadata.name);
	cell(c, binding->spec.policy_name);
	if (!ref)
		cell_cstr(c, "<unset>");
	else if (ref->namespace.len > 0)
		cell_printf(c, "%.*s/%.*s", STR_FMT(ref->namespace),
			    STR_FMT(or_text(ref->name, "*")));
	else
		cell_or(c, ref->name, "*");
	cell_age(c, binding->metadata.creation_timestamp);
}

static void cell_available(struct cells *c, const struct api_service_condition_array *conditions)
{
	for (uint32_t i = 0; i < conditions->count; i++) {
		const struct api_service_condition *condition = &conditions->at[i];
		if (!str_is(condition->type, "Available"))
			continue;
		if (str_is(condition->status, "True"))
			cell_cstr(c, "True");
		else
			cell_printf(c, "%.*s (%.*s)", STR_FMT(condition->status),
				    STR_FMT(condition->reason));
		return;
	}
	cell_cstr(c, "Unknown");
}

void print_api_service(struct cells *c, const void *view)
{
	const struct api_service *service = view;
	cell(c, service->metadata.name);
	if (service->spec.service)
		cell_printf(c, "%.*s/%.*s", STR_FMT(service->spec.service->namespace),
			    STR_FMT(service->spec.service->name));
	else
		cell_cstr(c, "Local");
	cell_available(c, &service->status.conditions);
	cell_age(c, service->metadata.creation_timestamp);
}

static bool has_condition(const struct certificate_signing_request_status *status, const char *type)
{
	for (uint32_t i = 0; i < status->conditions.count; i++)
		if (str_is(status->conditions.at[i].type, type))
			return true;
	return false;
}

static void cell_csr_status(struct cells *c,
			    const struct certificate_signing_request_status *status)
{
	const char *verdict = has_condition(status, "Denied")	  ? "Denied"
			      : has_condition(status, "Approved") ? "Approved"
								  : "Pending";
	cell_printf(c, "%s%s%s", verdict, has_condition(status, "Failed") ? ",Failed" : "",
		    status->certificate.len > 0 ? ",Issued" : "");
}

void print_csr(struct cells *c, const void *view)
{
	const struct certificate_signing_request *request = view;
	cell(c, request->metadata.name);
	cell_age(c, request->metadata.creation_timestamp);
	cell_or(c, request->spec.signer_name, "<none>");
	cell_or(c, request->spec.username, "");
	if (request->spec.expiration_seconds)
		cell(c, duration_text(c, *request->spec.expiration_seconds * (int64_t)1000000));
	else
		cell_cstr(c, "<none>");
	cell_csr_status(c, &request->status);
}

void print_runtime_class(struct cells *c, const void *view)
{
	const struct runtime_class *class = view;
	cell(c, class->metadata.name);
	cell(c, class->handler);
	cell_age(c, class->metadata.creation_timestamp);
}

static void cell_subjects(struct cells *c, const struct rbac_subject_array *subjects,
			  const char *kind)
{
	struct texts t = {};
	for (uint32_t i = 0; i < subjects->count; i++) {
		const struct rbac_subject *subject = &subjects->at[i];
		if (!str_is(subject->kind, kind))
			continue;
		if (subject->namespace.len > 0)
			texts_add(c, &t,
				  arena_printf(c->arena, "%.*s/%.*s", STR_FMT(subject->namespace),
					       STR_FMT(subject->name)));
		else
			texts_add(c, &t, subject->name);
	}
	cell(c, texts_joined(c, &t, ", "));
}

static void print_binding(struct cells *c, const struct object_meta *metadata,
			  const struct role_ref *ref, const struct rbac_subject_array *subjects)
{
	cell(c, metadata->name);
	cell_printf(c, "%.*s/%.*s", STR_FMT(ref->kind), STR_FMT(ref->name));
	cell_age(c, metadata->creation_timestamp);
	cell_subjects(c, subjects, "User");
	cell_subjects(c, subjects, "Group");
	cell_subjects(c, subjects, "ServiceAccount");
}

void print_role_binding(struct cells *c, const void *view)
{
	const struct role_binding *binding = view;
	print_binding(c, &binding->metadata, &binding->role_ref, &binding->subjects);
}

void print_cluster_role_binding(struct cells *c, const void *view)
{
	const struct cluster_role_binding *binding = view;
	print_binding(c, &binding->metadata, &binding->role_ref, &binding->subjects);
}

void print_device_class(struct cells *c, const void *view)
{
	const struct device_class *class = view;
	cell(c, class->metadata.name);
	cell_age(c, class->metadata.creation_timestamp);
}

void print_resource_claim(struct cells *c, const void *view)
{
	const struct resource_claim *claim = view;
	bool is_deleted = claim->metadata.deletion_timestamp != 0;
	bool is_allocated = claim->status.allocation != NULL;
	cell(c, claim->metadata.name);
	cell_printf(c, "%s%s%s", is_deleted ? "deleted" : "",
		    is_allocated ? (is_deleted ? ",allocated" : "allocated")
				 : (is_deleted ? "" : "pending"),
		    claim->status.reserved_for.count ? ",reserved" : "");
	cell_age(c, claim->metadata.creation_timestamp);
}

void print_claim_template(struct cells *c, const void *view)
{
	const struct resource_claim_template *template = view;
	cell(c, template->metadata.name);
	cell_age(c, template->metadata.creation_timestamp);
}

void print_resource_slice(struct cells *c, const void *view)
{
	const struct resource_slice *slice = view;
	cell(c, slice->metadata.name);
	cell_or(c, slice->spec.node_name, "");
	cell(c, slice->spec.driver);
	cell(c, slice->spec.pool.name);
	cell_age(c, slice->metadata.creation_timestamp);
}

void print_priority_class(struct cells *c, const void *view)
{
	const struct priority_class *class = view;
	cell(c, class->metadata.name);
	cell_int(c, class->value);
	cell_bool(c, class->global_default);
	cell_age(c, class->metadata.creation_timestamp);
	cell_or(c, class->preemption_policy, "");
}

static bool is_set(const bool *value)
{
	return value && *value;
}

void print_csi_driver(struct cells *c, const void *view)
{
	const struct csi_driver *driver = view;
	struct texts audiences = {};
	for (uint32_t i = 0; i < driver->spec.token_requests.count; i++)
		texts_add(c, &audiences, driver->spec.token_requests.at[i].audience);
	cell(c, driver->metadata.name);
	cell_bool(c, !driver->spec.attach_required || *driver->spec.attach_required);
	cell_bool(c, is_set(driver->spec.pod_info_on_mount));
	cell_bool(c, is_set(driver->spec.storage_capacity));
	cell_or(c, texts_joined(c, &audiences, ","), "<unset>");
	cell_bool(c, is_set(driver->spec.requires_republish));
	cell_or(c, list_text(c, &driver->spec.volume_lifecycle_modes, ","), "<none>");
	cell_age(c, driver->metadata.creation_timestamp);
}

void print_csi_node(struct cells *c, const void *view)
{
	const struct csi_node *node = view;
	cell(c, node->metadata.name);
	cell_int(c, node->spec.drivers.count);
	cell_age(c, node->metadata.creation_timestamp);
}

static bool is_default_class(const struct str_map *annotations)
{
	return str_is(str_map_cget(annotations, "storageclass.kubernetes.io/is-default-class"),
		      "true") ||
	       str_is(str_map_cget(annotations, "storageclass.beta.kubernetes.io/is-default-class"),
		      "true");
}

void print_storage_class(struct cells *c, const void *view)
{
	const struct storage_class *class = view;
	cell_printf(c, "%.*s%s", STR_FMT(class->metadata.name),
		    is_default_class(&class->metadata.annotations) ? " (default)" : "");
	cell(c, class->provisioner);
	cell_or(c, class->reclaim_policy, "Delete");
	cell_or(c, class->volume_binding_mode, "Immediate");
	cell_bool(c, is_set(class->allow_volume_expansion));
	cell_age(c, class->metadata.creation_timestamp);
}

void print_attachment(struct cells *c, const void *view)
{
	const struct volume_attachment *attachment = view;
	cell(c, attachment->metadata.name);
	cell(c, attachment->spec.attacher);
	cell_or(c, attachment->spec.source.persistent_volume_name, "");
	cell(c, attachment->spec.node_name);
	cell_bool(c, attachment->status.attached);
	cell_age(c, attachment->metadata.creation_timestamp);
}

void print_attributes_class(struct cells *c, const void *view)
{
	const struct volume_attributes_class *class = view;
	cell(c, class->metadata.name);
	cell(c, class->driver_name);
	cell_age(c, class->metadata.creation_timestamp);
}
