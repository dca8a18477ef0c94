/* verbs: the commands, each in a file of its name. */
#ifndef SKEG_CLI_VERBS_H
#define SKEG_CLI_VERBS_H

#include "cli/command.h"

extern const struct command command_up, command_stop, command_reset, command_status,
	command_control, command_server, command_agent, command_version, command_kubeconfig, command_image,
	command_get, command_apply, command_delete, command_logs, command_completion;

#endif
