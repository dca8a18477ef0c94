#include "cli/verbs.h"

const struct command *const commands[] = {
	&command_up, &command_server,	&command_stop,	     &command_status,  &command_reset,
	&command_get,	&command_apply,	     &command_delete,  &command_logs,
	&command_image, &command_kubeconfig, &command_version, &command_completion,
	&command_agent, &command_control,
};
const size_t command_count = ARRAY_LEN(commands);
