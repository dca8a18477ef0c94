#include "control/controllers.h"

#include "base/mem.h"
#include "control/control.h"

/* In the order in which they get their turns. */
/* clang-format off */
const struct controller *const controllers[] = {
	&deployment_controller,
	&replica_set_controller,
	&replication_controller_controller,
	&endpoint_slice_controller,
	&endpoints_controller,
	&load_balancer_controller,
	&service_account_controller,
	&root_ca_controller,
	&namespace_controller,
	&garbage_controller,
	&node_ipam_controller,
	&node_lifecycle_controller,
	&taint_eviction_controller,
	&pod_garbage_controller,
	&daemon_set_controller,
	&stateful_set_controller,
	&job_controller,
	&job_orphan_controller,
	&ttl_after_finished_controller,
	&cron_job_controller,
	&disruption_controller,
	&claim_protection_controller,
	&volume_protection_controller,
	&cluster_role_aggregation_controller,
	&custom_resources_controller,
	&flow_schema_controller,
};
/* clang-format on */
const size_t controllers_count = ARRAY_LEN(controllers);

size_t control_kinds(const struct api *api, uint16_t *ret_kinds)
{
	size_t count = 0;
	for (uint16_t id = 0; id < api->stored_count; id++)
		if (api_by_stored(api, id))
			ret_kinds[count++] = id;
	return count;
}
