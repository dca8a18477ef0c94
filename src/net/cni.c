#include "net/cni.h"

#include <errno.h>

#include "io/file.h"
#include "net/cni_config.h"
#include "net/netns.h"
#include "net/program.h"

#define DEFAULT_PLUGIN_FOLDERS "/opt/cni/bin:/usr/lib/cni"
#define PLUGIN_PACKAGE	       "containernetworking-plugins"
#define POD_LINK	       "eth0"
#define SANDBOX_ID_MAX	       128
#define INPUT_MAX_BYTES	       (4u << 20)
#define RESULT_SUFFIX	       ".json"
#define FIRST_WITH_CHECK       "0.4.0"

struct cni {
	struct arena arena; /* everything below */
	const struct json *list;
	const char *plugin_folders;
	const char *results_folder;
	int netns_fd;
};

static const char *const verb_names[] = {
	[CNI_ADD] = "ADD", [CNI_DEL] = "DEL", [CNI_CHECK] = "CHECK"};

/* --- making --- */

enum rc cni_new(const struct cni_config *config, struct cni **ret_cni, struct err *err)
{
	struct cni *cni = NEW(struct cni);
	struct json *list = NULL;
	const char *folders = config->plugin_folders ? config->plugin_folders
						     : DEFAULT_PLUGIN_FOLDERS;
	cni->netns_fd = config->netns_fd;
	cni->plugin_folders = arena_cstr(&cni->arena, str_of(folders));
	cni->results_folder = arena_printf(&cni->arena, "%s/cni/results", config->data_folder).at;
	enum rc rc = cni_config_load(&cni->arena, config, &list, err);
	if (rc == RC_OK)
		rc = dir_make(cni->results_folder, 0700, err);
	if (rc != RC_OK) {
		cni_free(cni);
		return err_wrap(err, "CNI");
	}
	cni->list = list;
	*ret_cni = cni;
	return RC_OK;
}

void cni_free(struct cni *cni)
{
	if (!cni)
		return;
	arena_done(&cni->arena);
	free(cni);
}

/* --- results kept on disk: prevResult of CHECK and DEL, and what survives a restart --- */

static bool is_id_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '_' || c == '.' || c == '-';
}

static enum rc check_id(struct str id, struct err *err)
{
	bool is_fine = id.len > 0 && id.len <= SANDBOX_ID_MAX && id.at[0] != '.';
	for (size_t i = 0; is_fine && i < id.len; i++)
		is_fine = is_id_char(id.at[i]);
	return is_fine ? RC_OK
		       : err_set(err, RC_INVALID, "'%.*s' can't be a sandbox id", STR_FMT(id));
}

static const char *result_path(const struct cni *cni, struct arena *a, struct str id)
{
	return arena_printf(a, "%s/%.*s" RESULT_SUFFIX, cni->results_folder, STR_FMT(id)).at;
}

/* NULL when there is none or it can't be read: then the plugins go without. */
static struct json *load_result(const struct cni *cni, struct arena *a, struct str id)
{
	struct str text;
	struct json *tree = NULL;
	if (file_read(result_path(cni, a, id), CNI_CONF_MAX_BYTES, a, &text, NULL) != RC_OK ||
	    json_parse(a, text, &tree, NULL, NULL) != RC_OK)
		return NULL;
	return tree;
}

static enum rc save_result(const struct cni *cni, struct arena *a, struct str id,
			   const struct json *result, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(CNI_CONF_MAX_BYTES);
	json_write(&text, result);
	TRY(buf_check(&text, "CNI result", err));
	return file_write(result_path(cni, a, id), buf_str(&text), 0600, err);
}

static enum rc read_result(const struct json *tree, struct cni_result *ret_result, struct err *err)
{
	const struct json *ips = json_get(tree, STR("ips"));
	struct cni_result result = {};
	for (size_t i = 0; i < json_count(ips); i++) {
		struct str text = json_str(json_get(json_at(ips, i), STR("address")));
		struct ipnet net;
		if (!ipnet_parse(text, &net))
			return err_set(err, RC_INTERNAL,
				       "CNI result: ips[%zu].address '%.*s' is no address", i,
				       STR_FMT(text));
		if (result.addr_count < CNI_MAX_ADDRS)
			result.addrs[result.addr_count++] = net.addr;
	}
	if (result.addr_count == 0)
		return err_set(err, RC_INTERNAL, "CNI result: the plugins gave the pod no address");
	*ret_result = result;
	return RC_OK;
}

/* --- one plugin --- */

struct plugin_run {
	const struct cni *cni;
	const struct cni_pod *pod;
	enum cni_verb verb;
	struct arena *arena;
	struct str type;
};

static enum rc find_plugin(const struct plugin_run *run, const char **ret_path, struct err *err)
{
	struct str folder, rest = str_of(run->cni->plugin_folders);
	for (bool more = true; more;) {
		more = str_cut(rest, ':', &folder, &rest);
		const char *path =
			arena_printf(run->arena, "%.*s/%.*s", STR_FMT(folder), STR_FMT(run->type))
				.at;
		if (folder.len > 0 && access(path, X_OK) == 0) {
			*ret_path = path;
			return RC_OK;
		}
	}
	return err_set(err, RC_UNAVAILABLE,
		       "CNI plugin '%.*s' is not in %s: install the package " PLUGIN_PACKAGE,
		       STR_FMT(run->type), run->cni->plugin_folders);
}

static struct str plugin_input(const struct plugin_run *run, const struct json *plugin,
			       const struct json *prev, struct buf *out)
{
	struct json *conf = json_copy(run->arena, plugin);
	const struct json *list = run->cni->list;
	json_set(run->arena, conf, STR("cniVersion"), json_get(list, STR("cniVersion")));
	json_set(run->arena, conf, STR("name"), json_get(list, STR("name")));
	if (prev)
		json_set(run->arena, conf, STR("prevResult"), (struct json *)prev);
	json_write(out, conf);
	return buf_str(out);
}

/* CNI_ARGS is split at ';' and '=' by the plugins; names of the API hold neither. */
static void plugin_env(const struct plugin_run *run, const char *env[8])
{
	const struct cni_pod *pod = run->pod;
	struct arena *a = run->arena;
	env[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[1] = arena_printf(a, "CNI_COMMAND=%s", verb_names[run->verb]).at;
	env[2] = arena_printf(a, "CNI_CONTAINERID=%.*s", STR_FMT(pod->sandbox_id)).at;
	env[3] = arena_printf(a, "CNI_NETNS=%s", pod->netns_path ? pod->netns_path : "").at;
	env[4] = "CNI_IFNAME=" POD_LINK;
	env[5] = arena_printf(a, "CNI_PATH=%s", run->cni->plugin_folders).at;
	env[6] = arena_printf(a,
			      "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=%.*s;K8S_POD_NAME=%.*s;"
			      "K8S_POD_INFRA_CONTAINER_ID=%.*s;K8S_POD_UID=%.*s",
			      STR_FMT(pod->namespace), STR_FMT(pod->name), STR_FMT(pod->sandbox_id),
			      STR_FMT(pod->uid))
			 .at;
	env[7] = NULL;
}

static enum rc plugin_error(const struct plugin_run *run, struct str out, struct str error_out,
			    int status, struct err *err)
{
	struct json *tree = NULL;
	const char *verb = verb_names[run->verb];
	if (json_parse(run->arena, out, &tree, NULL, NULL) != RC_OK ||
	    json_str(json_get(tree, STR("msg"))).len == 0)
		return err_set(err, RC_INTERNAL, "CNI plugin '%.*s' %s ended with %d: %.*s",
			       STR_FMT(run->type), verb, status,
			       STR_FMT(str_trim(error_out.len ? error_out : out)));
	struct str details = json_str(json_get(tree, STR("details")));
	return err_set(err, RC_INTERNAL, "CNI plugin '%.*s' %s: %.*s%s%.*s (code %lld)",
		       STR_FMT(run->type), verb, STR_FMT(json_str(json_get(tree, STR("msg")))),
		       details.len ? ": " : "", STR_FMT(details),
		       (long long)json_i64(json_get(tree, STR("code"))));
}

/* ret_result may be NULL; of CHECK and DEL nothing comes back. */
static enum rc run_plugin(struct plugin_run *run, const struct json *plugin,
			  const struct json *prev, struct json **ret_result, struct err *err)
{
	CLEANUP_BUF input = BUF_INIT(INPUT_MAX_BYTES);
	CLEANUP_BUF out = BUF_INIT(PROGRAM_OUTPUT_MAX + 1);
	CLEANUP_BUF error_out = BUF_INIT(PROGRAM_OUTPUT_MAX + 1);
	const char *env[8], *path = NULL;
	int status;
	run->type = json_str(json_get(plugin, STR("type")));
	TRY(find_plugin(run, &path, err));
	plugin_env(run, env);
	struct program program = {.path = path,
				  .package = PLUGIN_PACKAGE,
				  .argv = (const char *const[]){path, NULL},
				  .envp = env,
				  .input = plugin_input(run, plugin, prev, &input),
				  .netns_fd = run->cni->netns_fd,
				  .timeout_ms = CNI_TIMEOUT_MS};
	TRY(buf_check(&input, "CNI plugin input", err));
	TRY(program_run(&program, &out, &error_out, &status, err));
	if (status != 0)
		return plugin_error(run, buf_str(&out), buf_str(&error_out), status, err);
	if (!ret_result)
		return RC_OK;
	struct str text = arena_str(run->arena, buf_str(&out));
	if (json_parse(run->arena, text, ret_result, NULL, err) != RC_OK)
		return err_wrap(err, "result of CNI plugin '%.*s'", STR_FMT(run->type));
	return RC_OK;
}

/* --- the chain --- */

/* lo isn't the business of any list, but every container expects it. */
static enum rc set_pod_loopback(void *arg, struct err *err)
{
	return netns_set_loopback_up(err);
}

static enum rc prepare_pod(const struct cni_pod *pod, struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	TRY(netns_open(pod->netns_path, &fd, err));
	return netns_call(fd, set_pod_loopback, NULL, err);
}

static enum rc add_chain(struct plugin_run *run, struct json **ret_result, struct err *err)
{
	const struct json *plugins = json_get(run->cni->list, STR("plugins"));
	struct json *prev = NULL;
	for (size_t i = 0; i < json_count(plugins); i++)
		TRY(run_plugin(run, json_at(plugins, i), prev, &prev, err));
	*ret_result = prev;
	return RC_OK;
}

enum rc cni_add(struct cni *cni, const struct cni_pod *pod, struct cni_result *ret_result,
		struct err *err)
{
	CLEANUP_ARENA a = {};
	struct plugin_run run = {.cni = cni, .pod = pod, .verb = CNI_ADD, .arena = &a};
	struct json *result = NULL;
	TRY(check_id(pod->sandbox_id, err));
	TRY(prepare_pod(pod, err));
	enum rc rc = add_chain(&run, &result, err);
	if (rc == RC_OK)
		rc = read_result(result, ret_result, err);
	if (rc == RC_OK)
		rc = save_result(cni, &a, pod->sandbox_id, result, err);
	if (rc != RC_OK && rc != RC_UNAVAILABLE)
		(void)cni_del(cni, pod, NULL); /* what the first plugins of the chain did */
	return rc;
}

enum rc cni_del(struct cni *cni, const struct cni_pod *pod, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct plugin_run run = {.cni = cni, .pod = pod, .verb = CNI_DEL, .arena = &a};
	const struct json *plugins = json_get(cni->list, STR("plugins"));
	TRY(check_id(pod->sandbox_id, err));
	const struct json *prev = load_result(cni, &a, pod->sandbox_id);
	for (size_t i = json_count(plugins); i-- > 0;)
		TRY(run_plugin(&run, json_at(plugins, i), prev, NULL, err));
	const char *path = result_path(cni, &a, pod->sandbox_id);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, RC_IO, errno, "remove '%s'", path);
	return RC_OK;
}

static bool has_check(const struct cni *cni)
{
	return str_cmp(json_str(json_get(cni->list, STR("cniVersion"))), STR(FIRST_WITH_CHECK)) >=
		       0 &&
	       !json_is_true(json_get(cni->list, STR("disableCheck")));
}

enum rc cni_check(struct cni *cni, const struct cni_pod *pod, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct plugin_run run = {.cni = cni, .pod = pod, .verb = CNI_CHECK, .arena = &a};
	const struct json *plugins = json_get(cni->list, STR("plugins"));
	TRY(check_id(pod->sandbox_id, err));
	const struct json *prev = load_result(cni, &a, pod->sandbox_id);
	if (!prev)
		return err_set(err, RC_NOT_FOUND, "sandbox '%.*s' has no network",
			       STR_FMT(pod->sandbox_id));
	for (size_t i = 0; has_check(cni) && i < json_count(plugins); i++)
		TRY(run_plugin(&run, json_at(plugins, i), prev, NULL, err));
	return RC_OK;
}

enum rc cni_find(struct cni *cni, struct str sandbox_id, struct cni_result *ret_result,
		 struct err *err)
{
	CLEANUP_ARENA a = {};
	TRY(check_id(sandbox_id, err));
	const struct json *tree = load_result(cni, &a, sandbox_id);
	if (!tree)
		return err_set(err, RC_NOT_FOUND, "sandbox '%.*s' has no network",
			       STR_FMT(sandbox_id));
	return read_result(tree, ret_result, err);
}

/* --- on the loop --- */

struct cni_job {
	struct loop_work work;
	struct arena arena; /* the pod's strings */
	struct cni *cni;
	enum cni_verb verb;
	struct cni_pod pod;
	struct cni_result result;
	enum rc rc;
	struct err err;
	cni_done_fn *done;
	void *ctx;
};

static void job_work(struct loop_work *work)
{
	struct cni_job *job = CONTAINER_OF(work, struct cni_job, work);
	switch (job->verb) {
	case CNI_ADD:
		job->rc = cni_add(job->cni, &job->pod, &job->result, &job->err);
		break;
	case CNI_DEL:
		job->rc = cni_del(job->cni, &job->pod, &job->err);
		break;
	case CNI_CHECK:
		job->rc = cni_check(job->cni, &job->pod, &job->err);
		break;
	}
}

static void job_done(struct loop_work *work)
{
	struct cni_job *job = CONTAINER_OF(work, struct cni_job, work);
	job->done(job->ctx, job->rc, &job->result, &job->err);
	arena_done(&job->arena);
	free(job);
}

void cni_start(struct cni *cni, struct loop *loop, enum cni_verb verb, const struct cni_pod *pod,
	       cni_done_fn *done, void *ctx)
{
	struct cni_job *job = NEW(struct cni_job);
	struct arena *a = &job->arena;
	job->cni = cni;
	job->verb = verb;
	job->done = done;
	job->ctx = ctx;
	job->pod = (struct cni_pod){.namespace = arena_str(a, pod->namespace),
				    .name = arena_str(a, pod->name),
				    .uid = arena_str(a, pod->uid),
				    .sandbox_id = arena_str(a, pod->sandbox_id)};
	if (pod->netns_path)
		job->pod.netns_path = arena_cstr(a, str_of(pod->netns_path));
	job->work.work = job_work;
	job->work.done = job_done;
	loop_work_start(loop, &job->work);
}
