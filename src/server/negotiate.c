#include "server/negotiate.h"

#include "server/pipeline.h"

struct str media_base(struct str media_type)
{
	struct str base, rest;
	str_cut(media_type, ';', &base, &rest);
	return str_trim(base);
}

struct str media_parameter(struct str media_type, const char *name)
{
	struct str part, rest, key, value;
	str_cut(media_type, ';', &part, &rest);
	while (rest.at) {
		str_cut(rest, ';', &part, &rest);
		if (str_cut(part, '=', &key, &value) && str_is(str_trim(key), name))
			return str_trim(value);
	}
	return (struct str){};
}

static bool pick_media(struct str base, const struct offers *offers, struct output *out)
{
	static const struct {
		const char *name;
		enum media media;
	} rows[] = {
		{"application/json", MEDIA_JSON},
		{"application/*", MEDIA_JSON},
		{"*/*", MEDIA_JSON},
		{"application/yaml", MEDIA_YAML},
		{"application/vnd.kubernetes.protobuf", MEDIA_PROTOBUF},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(base, rows[i].name))
			continue;
		out->media = rows[i].media;
		return (out->media != MEDIA_PROTOBUF || offers->has_protobuf) &&
		       (out->media != MEDIA_YAML || !offers->is_stream);
	}
	return false;
}

static bool pick_shape(struct str clause, const struct offers *offers, struct output *out)
{
	struct str as = media_parameter(clause, "as");
	out->shape = AS_OBJECT;
	if (as.len == 0)
		return true;
	struct str version = media_parameter(clause, "v");
	if (!str_is(media_parameter(clause, "g"), "meta.k8s.io") ||
	    (!str_is(version, "v1") && !str_is(version, "v1beta1")))
		return false;
	out->meta_version = version;
	if (str_is(as, "Table")) {
		out->shape = AS_TABLE;
		return offers->has_table && out->media != MEDIA_PROTOBUF;
	}
	out->shape = str_is(as, "PartialObjectMetadata") ? AS_PARTIAL : AS_PARTIAL_LIST;
	return offers->has_partial &&
	       (out->shape == AS_PARTIAL || str_is(as, "PartialObjectMetadataList"));
}

static void name_content_type(struct arena *a, const struct offers *offers, struct output *out)
{
	static const char *const bases[] = {"application/json", "application/yaml",
					    "application/vnd.kubernetes.protobuf"};
	static const char *const shapes[] = {"", "Table", "PartialObjectMetadata",
					     "PartialObjectMetadataList"};
	struct str type = str_of(bases[out->media]);
	if (out->shape != AS_OBJECT)
		type = arena_printf(a, "%.*s;as=%s;g=meta.k8s.io;v=%.*s", STR_FMT(type),
				    shapes[out->shape], STR_FMT(out->meta_version));
	if (offers->is_stream && out->media == MEDIA_PROTOBUF)
		type = arena_printf(a, "%.*s;stream=watch", STR_FMT(type));
	out->content_type = type;
}

static bool is_refused(struct str clause)
{
	struct str q = media_parameter(clause, "q");
	return q.len && q.at[0] == '0' && (q.len == 1 || str_is(q, "0.0") || str_is(q, "0."));
}

bool negotiate(struct arena *a, struct str accept, const struct offers *offers,
	       struct output *ret_output)
{
	struct output out = {};
	struct str rest = accept.len ? accept : STR("*/*");
	while (rest.at) {
		struct str clause;
		str_cut(rest, ',', &clause, &rest);
		if (is_refused(clause) || !pick_media(media_base(clause), offers, &out) ||
		    !pick_shape(clause, offers, &out))
			continue;
		name_content_type(a, offers, &out);
		*ret_output = out;
		return true;
	}
	return false;
}

static enum step not_acceptable(struct request *r, bool is_stream)
{
	r->output = (struct output){.content_type = STR("application/json")};
	return request_fail(
		r, RC_NOT_ACCEPTABLE,
		"only the following media types are accepted: application/json, application/yaml, "
		"application/vnd.kubernetes.protobuf%s",
		is_stream ? ", application/json;stream=watch, "
			    "application/vnd.kubernetes.protobuf;stream=watch"
			  : "");
}

/* Runs once it is known that the path is a resource. */
enum step stage_negotiate(struct request *r)
{
	if (!r->route.kind)
		return request_no_such_path(r);
	if (r->route.verb == DO_CONNECT)
		return STEP_NEXT;
	struct offers offers = {
		.has_table = r->route.kind->stored_id != 0,
		.has_partial = r->route.kind->stored_id != 0,
		.has_protobuf = true,
		.is_stream = r->route.verb == DO_WATCH,
	};
	return negotiate(&r->arena, r->accept, &offers, &r->output)
		       ? STEP_NEXT
		       : not_acceptable(r, offers.is_stream);
}
