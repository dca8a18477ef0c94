#include "control/template_hash.h"

#include "base/buf.h"

#define TEMPLATE_MAX_BYTES (8u << 20)

uint32_t fnv32a(uint32_t hash, struct str bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		hash = (hash ^ (unsigned char)bytes.at[i]) * 16777619u;
	return hash;
}

struct str safe_encode(struct arena *a, uint32_t hash)
{
	/* No vowels, so that no words come out; no digits that look like letters. */
	static const char letters[] = "bcdfghjklmnpqrstvwxz2456789";
	char *text = arena_cstr(a, arena_printf(a, "%u", hash));
	for (char *c = text; *c; c++)
		*c = letters[(unsigned char)*c % (sizeof(letters) - 1)];
	return str_of(text);
}

/* The index of PodTemplateSpec, found as the type of a field that has it. */
static const struct api_type *template_type(const struct api *api)
{
	const struct api_kind *kind = api_by_stored(api, KIND_POD_TEMPLATE);
	const struct api_field *field = api_field(api_type(api, kind->type), STR("template"));
	ASSERT(field);
	return api_type(api, field->type);
}

struct json *template_tree(struct arena *a, const struct api *api,
			   const struct pod_template_spec *template)
{
	struct pod_template_spec bare = *template;
	bare.metadata.labels =
		str_map_without(a, &template->metadata.labels, STR(POD_TEMPLATE_HASH));
	return view_to_tree(a, template_type(api), &bare);
}

const struct pod_template_spec *template_view(struct arena *a, const struct api *api,
					      const struct json *tree)
{
	return view_from_tree(a, template_type(api), tree);
}

struct str template_hash(struct arena *a, const struct api *api,
			 const struct pod_template_spec *template, const int32_t *collisions)
{
	CLEANUP_BUF text = BUF_INIT(TEMPLATE_MAX_BYTES);
	json_write(&text, template_tree(a, api, template));
	uint32_t hash = fnv32a(FNV32A_START, buf_str(&text));
	if (collisions && *collisions)
		hash = fnv32a(hash, arena_printf(a, "%d", *collisions));
	return safe_encode(a, hash);
}
