#include "net/program.h"

#include "io/spawn.h"
#include "net/netns.h"

#define DEFAULT_TIMEOUT_MS 60000
#define PATH_MAX_BYTES	   512

static const char *const safe_folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",	      "/sbin",		"/bin"};
static const char *const safe_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

struct run {
	const struct spawn_opts *opts;
	struct spawn_result *result;
};

/* Not by the caller's PATH: these programs run as root. */
static enum rc find_program(const struct program *program, char out[PATH_MAX_BYTES],
			    struct err *err)
{
	if (strchr(program->path, '/')) {
		if (snprintf(out, PATH_MAX_BYTES, "%s", program->path) < PATH_MAX_BYTES &&
		    access(out, X_OK) == 0)
			return RC_OK;
	} else {
		for (size_t i = 0; i < ARRAY_LEN(safe_folders); i++) {
			snprintf(out, PATH_MAX_BYTES, "%s/%s", safe_folders[i], program->path);
			if (access(out, X_OK) == 0)
				return RC_OK;
		}
	}
	return err_set(err, RC_UNAVAILABLE,
		       "program '%s' is not there or not executable: install the package %s",
		       program->path, program->package);
}

static enum rc run_here(void *arg, struct err *err)
{
	struct run *run = arg;
	return spawn_run(run->opts, run->result, err);
}

static enum rc check_result(const struct spawn_opts *opts, const struct spawn_result *result,
			    struct err *err)
{
	if (result->is_timed_out)
		return err_set(err, RC_TIMEOUT, "'%s' didn't end within %lld ms", opts->argv[0],
			       (long long)opts->timeout_ms);
	if (result->is_cut)
		return err_set(err, RC_TOO_LARGE, "'%s' wrote more than %u bytes", opts->argv[0],
			       PROGRAM_OUTPUT_MAX);
	return RC_OK;
}

enum rc program_run(const struct program *program, struct buf *out, struct buf *error_out,
		    int *ret_status, struct err *err)
{
	char path[PATH_MAX_BYTES];
	const char *argv[PROGRAM_ARGS_MAX + 1];
	struct spawn_result result = {};
	size_t count = 0;
	TRY(find_program(program, path, err));
	for (; program->argv[count]; count++) {
		ASSERT(count < PROGRAM_ARGS_MAX);
		argv[count] = count == 0 ? path : program->argv[count];
	}
	argv[count] = NULL;
	struct spawn_opts opts = {
		.argv = argv,
		.env = program->envp ? program->envp : safe_env,
		.stdin_bytes = program->input,
		.output_max = PROGRAM_OUTPUT_MAX,
		.timeout_ms = program->timeout_ms ? program->timeout_ms : DEFAULT_TIMEOUT_MS,
	};
	struct run run = {&opts, &result};
	TRY(netns_call(program->netns_fd, run_here, &run, err));
	enum rc rc = check_result(&opts, &result, err);
	if (rc == RC_OK) {
		if (out)
			buf_add_str(out, buf_str(&result.out));
		if (error_out)
			buf_add_str(error_out, buf_str(&result.err));
		*ret_status = result.exit_code;
	}
	spawn_result_done(&result);
	return rc;
}
