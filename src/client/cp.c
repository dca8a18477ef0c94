/* skeg cp: files to and from a container, by tar in the container and libarchive here. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

#include "client/copy_archive.h"
#include "client/exec_session.h"
#include "client/logs_pod.h"
#include "client/verb.h"
#include "client/verbs.h"
#include "io/file.h"

struct cp_options {
	struct client_options client;
	const char *container;
	bool keeps_nothing;
};

/* "[[namespace/]pod:]path" */
struct place {
	struct str namespace, pod; /* absent pod: of this machine */
	struct str path;
};

#define FORM "filespec must match the canonical format: [[namespace/]pod:]file/path"

static enum rc parse_place(struct verb *v, const char *text, struct place *ret_place,
			   struct err *err)
{
	struct place p = {.namespace = v->client.namespace};
	struct str head, tail;
	if (!str_cut(str_of(text), ':', &head, &p.path)) {
		p.path = head;
	} else {
		p.pod = head;
		if (str_cut(head, '/', &p.namespace, &tail))
			p.pod = tail;
		else
			p.namespace = v->client.namespace;
		if (!p.pod.len || !p.namespace.len || memchr(p.pod.at, '/', p.pod.len))
			return err_set(err, RC_BAD_REQUEST, FORM);
	}
	*ret_place = p;
	return p.path.len ? RC_OK : err_set(err, RC_BAD_REQUEST, "filepath can not be empty");
}

/* ---- names ---- */

/* Without "." and "..", double and last slashes: "/var//log/" is "/var/log", "/" is "". */
static struct str clean(struct arena *a, struct str path)
{
	struct str out = path.len && path.at[0] == '/' ? STR("/") : STR(""), part;
	while (path.len) {
		str_cut(path, '/', &part, &path);
		if (!part.len || str_is(part, "."))
			continue;
		bool needs_slash = out.len && out.at[out.len - 1] != '/';
		out = arena_printf(a, "%.*s%s%.*s", STR_FMT(out), needs_slash ? "/" : "",
				   STR_FMT(part));
	}
	return out;
}

/* What names in the archive begin with: tar takes the slash and "../" at the beginning away. */
static struct str archive_prefix(struct arena *a, struct str path)
{
	struct str out = clean(a, path);
	while (str_has_prefix(out, STR("/")) || str_has_prefix(out, STR("../")))
		out = str_skip(out, out.at[0] == '/' ? 1 : 3);
	return str_is(out, "..") ? STR("") : out;
}

static struct str last_part(struct str path)
{
	struct str folder, name;
	str_cut_last(path, '/', &folder, &name);
	return name;
}

/* ---- the other end ---- */

/* Where the archive is made or read while the session runs on the command's own thread. */
struct worker {
	int fd;
	const char *path;
	struct str name; /* in the archive */
	size_t count;
	enum rc rc;
	struct err err;
};

static void *pack_thread(void *arg)
{
	struct worker *w = arg;
	CLEANUP_ARENA a = {};
	w->rc = copy_pack(w->fd, w->path, arena_cstr(&a, w->name), &w->err);
	close(w->fd);
	return NULL;
}

static void *unpack_thread(void *arg)
{
	struct worker *w = arg;
	w->rc = copy_unpack(w->fd, w->name, w->path, &w->count, &w->err);
	close(w->fd);
	return NULL;
}

struct remote_command {
	struct place at;
	struct str container;
	struct text_list command;
	int in_fd, out_fd, err_fd;
};

static enum rc run_there(struct verb *v, const struct remote_command *r, int *ret_code,
			 struct err *err)
{
	struct exec_session session = {
		.client = &v->client, .in_fd = r->in_fd, .out_fd = r->out_fd, .err_fd = r->err_fd};
	const struct exec_request request = {
		.namespace = r->at.namespace,
		.pod = r->at.pod,
		.container = r->container,
		.subresource = "exec",
		.command = r->command,
		.has_input = r->in_fd >= 0,
	};
	TRY(exec_path(v->arena, &request, &session.path, err));
	return exec_session_run(&session, ret_code, err);
}

static enum rc find_container(struct verb *v, const struct place *at, struct str *ret_container,
			      struct err *err)
{
	const struct cp_options *o = v->line->values;
	const struct api_kind *pods = resource_type_find(STR("pods"));
	const struct resource_target target = {pods, at->pod};
	const struct json *pod;
	v->client.namespace = at->namespace;
	TRY(logs_pod_find(&v->client, &target, &pod, err));
	TRY(logs_pod_check(pod, "exec into", err));
	*ret_container = logs_choose_container(v->arena, pod, str_of(o->container), false);
	return RC_OK;
}

/* The session with one end of a pipe, the archive on a thread with the other. */
static enum rc run_with(struct verb *v, struct remote_command *r, struct worker *w,
			void *(*work)(void *), int *ret_code, struct err *err)
{
	int ends[2];
	pthread_t thread;
	bool is_upload = work == pack_thread;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, RC_IO, errno, "make a pipe");
	w->fd = ends[is_upload ? 1 : 0];
	*(is_upload ? &r->in_fd : &r->out_fd) = ends[is_upload ? 0 : 1];
	if (pthread_create(&thread, NULL, work, w) != 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set(err, RC_IO, "no thread for the archive");
	}
	enum rc rc = run_there(v, r, ret_code, err);
	close(ends[is_upload ? 0 : 1]);
	pthread_join(thread, NULL);
	/* One end's failure makes the other's: the one at the beginning is told. */
	if (w->rc != RC_OK && !(is_upload && (rc != RC_OK || *ret_code)))
		return *err = w->err, w->rc;
	return rc;
}

static enum rc ended(int code, struct err *err)
{
	return code == 0 ? RC_OK
			 : err_set(err, RC_IO, "command terminated with exit code %d", code);
}

/* ---- to the container ---- */

static enum rc is_folder_there(struct verb *v, const struct remote_command *r, bool *ret_is_folder,
			       struct err *err)
{
	const char *words[] = {"test", "-d", arena_cstr(v->arena, r->at.path)};
	struct remote_command test = *r;
	int code = 0;
	test.command = (struct text_list){.at = words, .count = ARRAY_LEN(words)};
	test.out_fd = test.err_fd = test.in_fd = -1;
	TRY(run_there(v, &test, &code, err));
	*ret_is_folder = code == 0;
	return RC_OK;
}

static enum rc to_pod(struct verb *v, const struct place *from, const struct place *to,
		      struct err *err)
{
	const struct cp_options *o = v->line->values;
	struct remote_command r = {
		.at = *to, .in_fd = -1, .out_fd = STDOUT_FILENO, .err_fd = STDERR_FILENO};
	struct worker w = {.path = arena_cstr(v->arena, from->path)};
	struct str target = clean(v->arena, to->path), folder;
	const char *words[8];
	bool is_folder;
	int code = 0;
	if (!file_exists(w.path))
		return err_set(err, RC_NOT_FOUND, "%s doesn't exist in local filesystem", w.path);
	TRY(find_container(v, to, &r.container, err));
	TRY(is_folder_there(v, &r, &is_folder, err));
	if (is_folder) {
		struct str name = last_part(clean(v->arena, from->path));
		bool is_root = str_is(target, "/") || !target.len;
		target = arena_printf(v->arena, "%.*s%s%.*s", STR_FMT(target), is_root ? "" : "/",
				      STR_FMT(name));
	}
	if (!str_cut_last(target, '/', &folder, &w.name))
		folder = STR(".");
	r.command.at = words;
	words[r.command.count++] = "tar";
	if (o->keeps_nothing) {
		words[r.command.count++] = "--no-same-permissions";
		words[r.command.count++] = "--no-same-owner";
	}
	words[r.command.count++] = "-xmf";
	words[r.command.count++] = "-";
	words[r.command.count++] = "-C";
	words[r.command.count++] = folder.len ? arena_cstr(v->arena, folder) : "/";
	TRY(run_with(v, &r, &w, pack_thread, &code, err));
	return ended(code, err);
}

/* ---- from the container ---- */

static enum rc from_pod(struct verb *v, const struct place *from, const struct place *to,
			struct err *err)
{
	const char *words[] = {"tar", "cf", "-", arena_cstr(v->arena, from->path)};
	struct remote_command r = {.at = *from,
				   .command = {.at = words, .count = ARRAY_LEN(words)},
				   .in_fd = -1,
				   .err_fd = STDERR_FILENO};
	struct worker w = {.path = arena_cstr(v->arena, to->path),
			   .name = archive_prefix(v->arena, from->path)};
	int code = 0;
	TRY(find_container(v, from, &r.container, err));
	TRY(run_with(v, &r, &w, unpack_thread, &code, err));
	return ended(code, err);
}

/* ---- the verb ---- */

static enum rc body(struct verb *v, struct err *err)
{
	const struct text_list *words = &v->line->words;
	struct place from, to;
	if (words->count != 2)
		return err_set(err, RC_BAD_REQUEST, "source and destination are required");
	TRY(parse_place(v, words->at[0], &from, err));
	TRY(parse_place(v, words->at[1], &to, err));
	if (from.pod.len && to.pod.len)
		return err_set(err, RC_BAD_REQUEST,
			       "one of src or dest must be a local file specification");
	if (!from.pod.len && !to.pod.len)
		return err_set(err, RC_BAD_REQUEST,
			       "one of src or dest must be a remote file specification");
	return to.pod.len ? to_pod(v, &from, &to, err) : from_pod(v, &from, &to, err);
}

#define AT(member) offsetof(struct cp_options, member)
static const struct option options[] = {
	{"container", 'c', OPTION_TEXT, AT(container), "NAME", "which one of the pod (the first)"},
	{"no-preserve", 0, OPTION_FLAG, AT(keeps_nothing), NULL,
	 "owner and permissions are those of the container's user"},
	CLIENT_OPTIONS(struct cp_options, client),
};

const struct command command_cp = {
	.name = "cp",
	.arguments = "FILE [NS/]POD:FILE | [NS/]POD:FILE FILE",
	.summary = "Copy files to and from containers",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct cp_options),
	VERB_RUN(body),
};
