/* skeg kubeconfig: print the admin's kubeconfig of the cluster on this machine. */
#include <stdio.h>

#include "cli/cluster_files.h"
#include "cli/verbs.h"
#include "io/file.h"

struct kubeconfig_options {
	const char *data_dir;
};

static int run(struct command_line *line)
{
	struct kubeconfig_options *o = line->values;
	struct arena *a = &line->arena;
	struct str text;
	struct err err;
	const char *path = cluster_path(a, cluster_data(a, o->data_dir), "server/admin.kubeconfig");
	if (file_read(path, 1u << 20, a, &text, &err) != RC_OK) {
		if (err.rc == RC_NOT_FOUND)
			err_set(&err, RC_NOT_FOUND,
				"there is no cluster here yet (no %s); start one with 'skeg up'",
				path);
		return command_failed(&err);
	}
	printf("%.*s", STR_FMT(text));
	return EXIT_OK;
}

static const struct option options[] = {
	{"data-dir", 0, OPTION_TEXT, offsetof(struct kubeconfig_options, data_dir), "DIR",
	 "of the cluster (/var/lib/skeg)"},
};

const struct command command_kubeconfig = {
	.name = "kubeconfig",
	.summary = "Print the admin's kubeconfig",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct kubeconfig_options),
	.run = run,
};
