/* controllers: the rows, one a file. */
#ifndef SKEG_CONTROL_CONTROLLERS_H
#define SKEG_CONTROL_CONTROLLERS_H

#include "sync/reconcile.h"

extern const struct controller deployment_controller;
extern const struct controller replica_set_controller;
extern const struct controller replication_controller_controller;
extern const struct controller endpoint_slice_controller;
extern const struct controller endpoints_controller;
extern const struct controller service_account_controller;
extern const struct controller root_ca_controller;
extern const struct controller namespace_controller;
extern const struct controller garbage_controller;
extern const struct controller node_ipam_controller;
extern const struct controller node_lifecycle_controller;
extern const struct controller taint_eviction_controller;
extern const struct controller pod_garbage_controller;
extern const struct controller load_balancer_controller;
extern const struct controller daemon_set_controller;
extern const struct controller stateful_set_controller;
extern const struct controller job_controller;
extern const struct controller job_orphan_controller;
extern const struct controller ttl_after_finished_controller;
extern const struct controller cron_job_controller;
extern const struct controller disruption_controller;
extern const struct controller claim_protection_controller;
extern const struct controller volume_protection_controller;
extern const struct controller cluster_role_aggregation_controller;
extern const struct controller custom_resources_controller;
extern const struct controller flow_schema_controller;

#endif
