#include "node/pod_paths.h"

#include "node/agent-int.h"

const char *pod_path(struct arena *a, const struct pod_worker *w)
{
	return arena_printf(a, "%s/pods/%.*s", w->agent->config.folder, STR_FMT(w->uid)).at;
}

const char *pod_path_below(struct arena *a, const struct pod_worker *w, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str rest = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return arena_printf(a, "%s/%s", pod_path(a, w), rest.at).at;
}

const char *pod_log_folder(struct arena *a, const struct pod_worker *w)
{
	return arena_printf(a, "%s/logs/pods/%.*s_%.*s_%.*s", w->agent->config.folder,
			    STR_FMT(w->namespace), STR_FMT(w->name), STR_FMT(w->uid))
		.at;
}

const char *container_log_path(struct arena *a, const struct pod_container *c, int attempt)
{
	return arena_printf(a, "%s/%.*s/%d.log", pod_log_folder(a, c->worker), STR_FMT(c->name),
			    attempt)
		.at;
}

const char *container_message_path(struct arena *a, const struct pod_container *c, int attempt)
{
	return pod_path_below(a, c->worker, "containers/%.*s/%d", STR_FMT(c->name), attempt);
}
