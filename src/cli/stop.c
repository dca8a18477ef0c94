/* skeg stop: end the processes; containers run on unless --pods is given. */
#include <signal.h>

#include "cli/cluster_files.h"
#include "cli/stop.h"
#include "cli/verbs.h"
#include "client/progress.h"
#include "io/loop.h"

#define STOP_TIMEOUT_MS 60000
#define LOOK_EVERY_MS	50

struct stop_options {
	const char *data_dir;
	bool with_pods;
};

enum rc cluster_stop(const char *data, bool with_pods, struct err *err)
{
	pid_t pid = cluster_supervisor(data);
	if (!pid)
		return RC_NOT_FOUND;
	if (kill(pid, with_pods ? SIGINT : SIGTERM) < 0)
		return err_set(err, RC_FORBIDDEN,
			       "process %d of the cluster at '%s' cannot be signalled; run this as "
			       "the user who started it",
			       pid, data);
	/* The lock of its pid file tells when it is gone. */
	for (int64_t waited = 0; waited < STOP_TIMEOUT_MS; waited += LOOK_EVERY_MS) {
		if (cluster_supervisor(data) != pid)
			return RC_OK;
		world_sleep_ms(LOOK_EVERY_MS);
	}
	return err_set(err, RC_TIMEOUT, "process %d did not end within %d s; see %s/skeg.log", pid,
		       STOP_TIMEOUT_MS / 1000, data);
}

static int run(struct command_line *line)
{
	struct stop_options *o = line->values;
	struct err err;
	const char *data = cluster_data(&line->arena, o->data_dir);
	enum rc rc = cluster_stop(data, o->with_pods, &err);
	if (rc == RC_NOT_FOUND) {
		progress_done("no cluster runs from %s", data);
		return EXIT_OK;
	}
	if (rc != RC_OK)
		return command_failed(&err);
	progress_done(o->with_pods ? "stopped, pods too"
				   : "stopped; containers run on, 'skeg up' takes them over");
	return EXIT_OK;
}

static const struct option options[] = {
	{"data-dir", 0, OPTION_TEXT, offsetof(struct stop_options, data_dir), "DIR",
	 "of the cluster (/var/lib/skeg)"},
	{"pods", 0, OPTION_FLAG, offsetof(struct stop_options, with_pods), NULL,
	 "end all pods too"},
};

const struct command command_stop = {
	.name = "stop",
	.summary = "Stop the cluster; containers run on",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct stop_options),
	.run = run,
};
