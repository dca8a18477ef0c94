/* skeg version */
#include <stdio.h>

#include "cli/verbs.h"

static int run(struct command_line *line)
{
	printf("skeg " SKEG_VERSION "\nKubernetes v1.35\n");
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "Print the version",
	.run = run,
};
