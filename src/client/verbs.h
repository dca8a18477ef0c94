/* verbs: the commands that talk to an API server, each in a file of its name. */
#ifndef SKEG_CLIENT_VERBS_H
#define SKEG_CLIENT_VERBS_H

#include "client/command.h"

extern const struct command command_get, command_describe, command_apply, command_delete,
	command_logs, command_label, command_annotate, command_scale, command_patch, command_wait;

#endif
