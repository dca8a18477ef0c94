/* verbs: the table of commands, each in a file of its name. */
#ifndef SKEG_CLI_VERBS_H
#define SKEG_CLI_VERBS_H

#include "client/verbs.h"

extern const struct command command_up, command_stop, command_reset, command_status,
	command_control, command_server, command_agent, command_version, command_kubeconfig,
	command_image, command_completion, command_complete, command_man;

extern const struct command *const commands[];
extern const size_t command_count;

/* By name or alias; NULL when there is none. */
const struct command *command_find(const char *name);
/* Is there a command of two words that begins with this one? */
bool command_is_family(const char *word);
/* All commands, or those of a family ("rollout"). */
void commands_help(void);
void family_help(const char *word);

#endif
