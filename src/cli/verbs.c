#include "cli/verbs.h"

#include <stdio.h>
#include <string.h>

/* In the order of help: this machine, looking, changing, talking to containers, the rest. */
const struct command *const commands[] = {
	&command_up,
	&command_server,
	&command_agent,
	&command_stop,
	&command_status,
	&command_reset,
	&command_image,
	&command_get,
	&command_describe,
	&command_explain,
	&command_create,
	&command_create_budget,
	&command_create_cluster_role,
	&command_create_cluster_role_binding,
	&command_create_config_map,
	&command_create_cron_job,
	&command_create_deployment,
	&command_create_ingress,
	&command_create_job,
	&command_create_namespace,
	&command_create_priority,
	&command_create_quota,
	&command_create_role,
	&command_create_role_binding,
	&command_create_secret,
	&command_create_service,
	&command_create_service_account,
	&command_create_token,
	&command_apply,
	&command_diff,
	&command_delete,
	&command_edit,
	&command_replace,
	&command_patch,
	&command_label,
	&command_annotate,
	&command_scale,
	&command_rollout_history,
	&command_rollout_pause,
	&command_rollout_restart,
	&command_rollout_resume,
	&command_rollout_status,
	&command_rollout_undo,
	&command_set_image,
	&command_set_env,
	&command_set_resources,
	&command_set_service_account,
	&command_set_subject,
	&command_set_selector,
	&command_autoscale,
	&command_expose,
	&command_wait,
	&command_run,
	&command_logs,
	&command_exec,
	&command_attach,
	&command_cp,
	&command_port_forward,
	&command_events,
	&command_top,
	&command_cordon,
	&command_uncordon,
	&command_drain,
	&command_taint,
	&command_api_resources,
	&command_api_versions,
	&command_certificate_approve,
	&command_certificate_deny,
	&command_auth_can_i,
	&command_auth_whoami,
	&command_cluster_info,
	&command_config_view,
	&command_config_get_contexts,
	&command_config_get_clusters,
	&command_config_get_users,
	&command_config_current_context,
	&command_config_use_context,
	&command_config_set_context,
	&command_config_set_cluster,
	&command_config_set_credentials,
	&command_config_set,
	&command_config_unset,
	&command_config_rename_context,
	&command_config_delete_context,
	&command_config_delete_cluster,
	&command_config_delete_user,
	&command_kubeconfig,
	&command_version,
	&command_completion,
	&command_complete,
	&command_man,
	&command_control,
};
const size_t command_count = ARRAY_LEN(commands);

static bool is_called(const struct command *c, struct str name)
{
	struct str rest = str_of(c->aliases), alias;
	if (str_is(name, c->name))
		return true;
	while (rest.len) {
		str_cut(rest, ',', &alias, &rest);
		if (str_eq(alias, name))
			return true;
	}
	return false;
}

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (is_called(commands[i], str_of(name)))
			return commands[i];
	return NULL;
}

static bool is_of_family(const struct command *c, const char *word)
{
	size_t len = strlen(word);
	return strncmp(c->name, word, len) == 0 && c->name[len] == ' ';
}

bool command_is_family(const char *word)
{
	for (size_t i = 0; i < command_count; i++)
		if (is_of_family(commands[i], word))
			return true;
	return false;
}

void family_help(const char *word)
{
	printf("\nCommands:\n");
	for (size_t i = 0; i < command_count; i++)
		if (is_of_family(commands[i], word))
			printf("  %-26s %s\n", commands[i]->name, commands[i]->summary);
	printf("\n'skeg %s COMMAND --help' explains one command.\n", word);
}

/* Families are shown by their first words only. */
void commands_help(void)
{
	struct str last = {};
	printf("skeg: Kubernetes in one small binary\n\nUsage: skeg COMMAND "
	       "[options]\n\nCommands:\n");
	for (size_t i = 0; i < command_count; i++) {
		struct str head, tail;
		if (commands[i]->is_internal)
			continue;
		bool has_two = str_cut(str_of(commands[i]->name), ' ', &head, &tail);
		if (has_two && !str_eq(head, last))
			printf("  %-12.*s %s, …\n", STR_FMT(head), commands[i]->summary);
		if (!has_two)
			printf("  %-12s %s\n", commands[i]->name, commands[i]->summary);
		last = head;
	}
	printf("\n'skeg COMMAND --help' explains one command.\n");
}
