/* verbs: the commands that talk to an API server, each in a file of its name. */
#ifndef SKEG_CLIENT_VERBS_H
#define SKEG_CLIENT_VERBS_H

#include "client/command.h"

extern const struct command command_get, command_describe, command_create, command_create_budget,
	command_create_cluster_role, command_create_cluster_role_binding, command_create_config_map,
	command_create_cron_job, command_create_deployment, command_create_ingress,
	command_create_job, command_create_namespace, command_create_priority, command_create_quota,
	command_create_role, command_create_role_binding, command_create_secret,
	command_create_service, command_create_service_account, command_create_token, command_apply,
	command_delete, command_edit, command_replace, command_patch, command_label,
	command_annotate, command_scale, command_rollout_history, command_rollout_pause,
	command_rollout_restart, command_rollout_resume, command_rollout_status,
	command_rollout_undo, command_set_image, command_expose, command_wait, command_logs,
	command_exec, command_attach, command_port_forward, command_events, command_top,
	command_cordon, command_uncordon, command_drain, command_taint, command_api_resources,
	command_api_versions, command_auth_can_i, command_auth_whoami, command_cluster_info,
	command_explain, command_run, command_autoscale, command_certificate_approve,
	command_certificate_deny, command_set_env, command_set_resources, command_set_selector,
	command_set_service_account, command_set_subject, command_diff, command_cp,
	command_config_view, command_config_get_contexts, command_config_get_clusters,
	command_config_get_users, command_config_current_context, command_config_use_context,
	command_config_set_context, command_config_set_cluster, command_config_set_credentials,
	command_config_set, command_config_unset, command_config_rename_context,
	command_config_delete_context, command_config_delete_cluster, command_config_delete_user;

#endif
