/* Status replies in upstream's words. */
#include "api/validate.h"
#include "server/request.h"

#define NO_UNIQUE_NAME ", the server was not able to generate a unique name for the object"
/* A patch that makes something wrong is told with what it made, twice quoted. */
#define INVALID_MAX_BYTES (4 * REQUEST_BODY_MAX)

struct str kind_group_resource(struct arena *a, const struct api_kind *kind)
{
	if (kind->group.len == 0)
		return kind->plural;
	return arena_printf(a, "%.*s.%.*s", STR_FMT(kind->plural), STR_FMT(kind->group));
}

/* name may be borrowed from an object that is gone when the reply is written. */
static struct json *details(struct request *r, struct str group, struct str kind, struct str name)
{
	struct json *d = json_object(&r->arena);
	if (name.len)
		json_set_str(&r->arena, d, STR("name"), arena_str(&r->arena, name));
	if (group.len)
		json_set_str(&r->arena, d, STR("group"), group);
	if (kind.len)
		json_set_str(&r->arena, d, STR("kind"), kind);
	return d;
}

/* own: the message and the details live in the arena. */
static enum step fail(struct request *r, enum rc rc, struct str message, struct json *own_details)
{
	struct arena *a = &r->arena;
	struct json *s = json_object(a);
	json_set_str(a, s, STR("kind"), STR("Status"));
	json_set_str(a, s, STR("apiVersion"), STR("v1"));
	json_set(a, s, STR("metadata"), json_object(a));
	json_set_str(a, s, STR("status"), STR("Failure"));
	json_set_str(a, s, STR("message"), message);
	json_set_str(a, s, STR("reason"), str_of(rc_reason(rc)));
	if (own_details)
		json_set(a, s, STR("details"), own_details);
	json_set(a, s, STR("code"), json_int(a, rc_status(rc)));
	object_unref(TAKE_PTR(r->reply.object));
	r->reply.tree = s;
	r->reply.tree_kind = NULL;
	r->reply.status = rc_status(rc);
	return STEP_DONE;
}

enum step request_fail(struct request *r, enum rc rc, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str message = arena_vprintf(&r->arena, fmt, ap);
	va_end(ap);
	return fail(r, rc, message, NULL);
}

enum step request_fail_err(struct request *r, const struct err *err)
{
	bool is_plain = err->rc == RC_INTERNAL &&
			!str_has_prefix(str_of(err->text), STR("Internal error occurred"));
	fail(r, err->rc, arena_str(&r->arena, str_of(err->text)), NULL);
	if (is_plain) /* upstream gives a reason only to errors that it made as Status */
		json_remove(r->reply.tree, STR("reason"));
	return STEP_DONE;
}

static enum step fail_about(struct request *r, enum rc rc, const struct api_kind *kind,
			    struct str name, struct str message)
{
	return fail(r, rc, message, details(r, kind->group, kind->plural, name));
}

enum step request_not_found(struct request *r, const struct api_kind *kind, struct str name)
{
	struct str resource = kind_group_resource(&r->arena, kind);
	return fail_about(r, RC_NOT_FOUND, kind, name,
			  arena_printf(&r->arena, "%.*s \"%.*s\" not found", STR_FMT(resource),
				       STR_FMT(name)));
}

enum step request_already_exists(struct request *r, const struct api_kind *kind, struct str name)
{
	struct str resource = kind_group_resource(&r->arena, kind);
	bool is_generated = json_path_str(r->tree, "metadata.generateName").len > 0;
	fail_about(r, RC_ALREADY_EXISTS, kind, name,
		   arena_printf(&r->arena, "%.*s \"%.*s\" already exists%s", STR_FMT(resource),
				STR_FMT(name), is_generated ? NO_UNIQUE_NAME : ""));
	if (is_generated) {
		json_set(&r->arena, json_get(r->reply.tree, STR("details")),
			 STR("retryAfterSeconds"), json_int(&r->arena, 1));
		r->reply.retry_after_s = 1;
	}
	return STEP_DONE;
}

enum step request_conflict(struct request *r, const struct api_kind *kind, struct str name,
			   const char *why)
{
	struct str resource = kind_group_resource(&r->arena, kind);
	return fail_about(r, RC_CONFLICT, kind, name,
			  arena_printf(&r->arena,
				       "Operation cannot be fulfilled on %.*s \"%.*s\": %s",
				       STR_FMT(resource), STR_FMT(name), why));
}

enum step request_forbidden(struct request *r, const struct api_kind *kind, struct str name,
			    struct str why)
{
	struct str resource = kind_group_resource(&r->arena, kind);
	struct str message = name.len ? arena_printf(&r->arena, "%.*s \"%.*s\" is forbidden: %.*s",
						     STR_FMT(resource), STR_FMT(name), STR_FMT(why))
				      : arena_printf(&r->arena, "%.*s is forbidden: %.*s",
						     STR_FMT(resource), STR_FMT(why));
	return fail_about(r, RC_FORBIDDEN, kind, name, message);
}

enum step request_forbid(struct request *r, struct str name, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct str why = arena_vprintf(&r->arena, fmt, ap);
	va_end(ap);
	return request_forbidden(r, r->route.kind, name, why);
}

static struct json *causes(struct request *r, const struct field_errors *errors)
{
	struct arena *a = &r->arena;
	struct json *list = json_array(a);
	for (size_t i = 0; i < errors->count; i++) {
		const struct field_error *e = &errors->items[i];
		CLEANUP_BUF body = BUF_INIT(INVALID_MAX_BYTES);
		field_error_write_body(&body, e);
		struct json *cause = json_object(a);
		json_set_str(a, cause, STR("reason"), str_of(field_error_reason(e->type)));
		json_set_str(a, cause, STR("message"), arena_str(a, buf_str(&body)));
		json_set_str(a, cause, STR("field"), e->path);
		json_append(a, list, cause);
	}
	return list;
}

enum step request_invalid(struct request *r, struct str group, struct str kind, struct str name,
			  const struct field_errors *errors)
{
	CLEANUP_BUF text = BUF_INIT(INVALID_MAX_BYTES);
	struct str kind_text =
		group.len ? arena_printf(&r->arena, "%.*s.%.*s", STR_FMT(kind), STR_FMT(group))
			  : kind;
	api_invalid_message(&text, kind_text, name, errors);
	struct json *d = details(r, group, kind, name);
	json_set(&r->arena, d, STR("causes"), causes(r, errors));
	return fail(r, RC_INVALID, arena_str(&r->arena, buf_str(&text)), d);
}

enum step request_no_such_path(struct request *r)
{
	return fail(r, RC_NOT_FOUND, STR("the server could not find the requested resource"),
		    json_object(&r->arena));
}

enum step request_text(struct request *r, int status, struct str text)
{
	r->reply.status = status;
	r->reply.text = text;
	r->reply.content_type = STR("text/plain; charset=utf-8");
	r->reply.tree = NULL;
	return STEP_DONE;
}

void request_warn(struct request *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	struct warning *w = ARENA_NEW(&r->arena, struct warning);
	w->text = arena_vprintf(&r->arena, fmt, ap);
	va_end(ap);
	struct warning **last = &r->reply.warnings;
	for (; *last; last = &(*last)->next)
		if (str_eq((*last)->text, w->text)) /* upstream's recorder says a thing once */
			return;
	if (r->reply.warning_count++ < REQUEST_WARNINGS_MAX)
		*last = w;
}
