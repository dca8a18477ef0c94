/* config_file: options of a command from a YAML file: the keys are the options' names without
 * dashes, lists stand for options that may be given several times.  What the command line gives
 * wins.  Unknown keys and values that an option doesn't take are refused, with the line.
 * Limits: CONFIG_FILE_BYTES_MAX. */
#ifndef SKEG_CLI_CONFIG_FILE_H
#define SKEG_CLI_CONFIG_FILE_H

#include "client/command.h"

#define CONFIG_FILE_DEFAULT   "/etc/skeg/config.yaml"
#define CONFIG_FILE_BYTES_MAX (1u << 20)

/* path NULL: the default one, which need not be there. */
[[nodiscard]] enum rc config_file_apply(struct command_line *line, const char *path,
					struct err *err);
/* The same from a text; path is for messages. */
[[nodiscard]] enum rc config_file_apply_text(struct command_line *line, const char *path,
					     struct str text, struct err *err);

#endif
