/* Whole documents. */
#include "server/openapi-int.h"

#include "codec/json.h"
#include "server/documents.h"

const struct dialect openapi_dialect_v2 = {true, "#/definitions/"};
const struct dialect openapi_dialect_v3 = {false, "#/components/schemas/"};

/* ---- JSON ---- */

void openapi_key(struct buf *out, struct str key)
{
	char last = out->len ? out->data[out->len - 1] : '{';
	if (last != '{' && last != '[')
		buf_add_char(out, ',');
	if (!key.at)
		return;
	buf_add_char(out, '"');
	buf_add_str(out, key);
	buf_add(out, "\":", 2);
}

void openapi_open(struct buf *out, const char *key, char bracket)
{
	openapi_key(out, str_of(key));
	buf_add_char(out, bracket);
}

void openapi_close(struct buf *out, char bracket)
{
	buf_add_char(out, bracket);
}

void openapi_string(struct buf *out, const char *key, struct str value)
{
	openapi_key(out, str_of(key));
	json_write_string(out, value);
}

void openapi_literal(struct buf *out, const char *key, const char *json)
{
	openapi_key(out, str_of(key));
	buf_add_cstr(out, json);
}

/* ---- documents ---- */

static void begin(struct openapi *o, const struct dialect *dialect, struct buf *out)
{
	*o = (struct openapi){.dialect = dialect, .api = api_builtin(), .out = out};
	o->marks = mem_alloc(o->api->type_count);
}

static void write_head(struct openapi *o)
{
	buf_add_cstr(o->out, o->dialect->is_v2 ? "{\"swagger\":\"2.0\"" : "{\"openapi\":\"3.0.0\"");
	openapi_open(o->out, "info", '{');
	openapi_string(o->out, "title", STR("Kubernetes"));
	openapi_string(o->out, "version", STR(KUBERNETES_VERSION));
	openapi_close(o->out, '}');
	openapi_open(o->out, "paths", '{');
}

static void write_security(struct openapi *o)
{
	openapi_open(o->out, o->dialect->is_v2 ? "securityDefinitions" : "securitySchemes", '{');
	openapi_open(o->out, "BearerToken", '{');
	openapi_string(o->out, "description", STR("A token: Authorization: Bearer <token>"));
	openapi_string(o->out, "type", STR("apiKey"));
	openapi_string(o->out, "name", STR("authorization"));
	openapi_string(o->out, "in", STR("header"));
	buf_add_cstr(o->out, "}}");
}

struct search {
	struct str name;
	struct openapi *openapi;
	bool is_found;
};

/* Nothing when no path refers to one. */
static void write_components(struct openapi *o)
{
	CLEANUP_BUF schemas = BUF_INIT(SIZE_MAX);
	struct buf *out = o->out;
	o->out = &schemas;
	openapi_write_schemas(o);
	o->out = out;
	openapi_open(out, "components", '{');
	if (schemas.len) {
		openapi_open(out, "schemas", '{');
		buf_add_str(out, buf_str(&schemas));
		openapi_close(out, '}');
	}
	write_security(o);
	buf_add_cstr(out, "}}");
}

static void write_if_named(const struct part *part, void *ctx)
{
	struct search *s = ctx;
	if (!str_eq(part->name, s->name))
		return;
	s->is_found = true;
	write_head(s->openapi);
	openapi_write_paths(s->openapi, part);
	openapi_close(s->openapi->out, '}');
}

bool openapi_write_v3(struct buf *out, struct str name)
{
	struct openapi o;
	begin(&o, &openapi_dialect_v3, out);
	struct search search = {.name = name, .openapi = &o};
	openapi_each_part(write_if_named, &search);
	if (search.is_found)
		write_components(&o);
	free(o.marks);
	return search.is_found;
}

static void write_part(const struct part *part, void *ctx)
{
	openapi_write_paths(ctx, part);
}

void openapi_write_v2(struct buf *out)
{
	struct openapi o;
	begin(&o, &openapi_dialect_v2, out);
	write_head(&o);
	openapi_each_part(write_part, &o);
	openapi_close(out, '}');
	openapi_open(out, "definitions", '{');
	openapi_write_schemas(&o);
	openapi_close(out, '}');
	openapi_open(out, "parameters", '{');
	openapi_write_shared_parameters(&o);
	openapi_close(out, '}');
	write_security(&o);
	openapi_literal(out, "security", "[{\"BearerToken\":[]}]");
	openapi_close(out, '}');
	free(o.marks);
}

struct name_call {
	void (*fn)(struct str name, void *ctx);
	void *ctx;
};

static void call_with_name(const struct part *part, void *ctx)
{
	struct name_call *c = ctx;
	c->fn(part->name, c->ctx);
}

void openapi_each_name(void (*fn)(struct str name, void *ctx), void *ctx)
{
	struct name_call call = {fn, ctx};
	openapi_each_part(call_with_name, &call);
}
