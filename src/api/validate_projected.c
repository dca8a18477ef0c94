/* Volumes whose files are made of objects: secrets, maps, fields of the pod, tokens, and all of
 * them in one. */
#include "api/validate-int.h"

static void check_volume_path(struct check *v, const struct path *at, struct str text)
{
	check_descending_path(v, at, text);
	if (str_has_prefix(text, STR("..")) && !str_has_prefix(text, STR("../")) &&
	    !str_is(text, ".."))
		bad_text(v, at, text, "must not start with '..'");
}

static void check_mode(struct check *v, const struct path *at, const struct json *mode)
{
	if (mode && (json_i64(mode) < 0 || json_i64(mode) > 0777))
		bad(v, at, mode, "must be a number between 0 and 0777 (octal), both inclusive");
}

static void check_key_to_path(struct check *v, const struct path *at, const struct json *items)
{
	FOR_ITEMS(i, item, items)
	{
		const struct path *here = ITEM(at, i);
		check_member(v, here, item, "key");
		if (TEXT(item, "path").len == 0)
			check_member(v, here, item, "path");
		else
			check_volume_path(v, MEMBER(here, "path"), TEXT(item, "path"));
		check_mode(v, MEMBER(here, "mode"), GET(item, "mode"));
	}
}

void check_secret_volume(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "secretName");
	check_mode(v, MEMBER(at, "defaultMode"), GET(s, "defaultMode"));
	check_key_to_path(v, MEMBER(at, "items"), GET(s, "items"));
}

void check_config_map_volume(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "name");
	check_mode(v, MEMBER(at, "defaultMode"), GET(s, "defaultMode"));
	check_key_to_path(v, MEMBER(at, "items"), GET(s, "items"));
}

static void check_downward_item(struct check *v, const struct path *at, const struct json *item)
{
	if (TEXT(item, "path").len == 0)
		check_member(v, at, item, "path");
	else
		check_volume_path(v, MEMBER(at, "path"), TEXT(item, "path"));
	if (GET(item, "fieldRef")) {
		check_field_ref(v, MEMBER(at, "fieldRef"), GET(item, "fieldRef"), true);
		if (GET(item, "resourceFieldRef"))
			bad_text(v, at, STR("resource"),
				 "fieldRef and resourceFieldRef can not be specified "
				 "simultaneously");
	} else if (GET(item, "resourceFieldRef")) {
		check_resource_ref(v, MEMBER(at, "resourceFieldRef"), GET(item, "resourceFieldRef"),
				   true);
	} else {
		required(v, at, "one of fieldRef and resourceFieldRef is required");
	}
	check_mode(v, MEMBER(at, "mode"), GET(item, "mode"));
}

void check_downward_volume(struct check *v, const struct path *at, const struct json *s)
{
	check_mode(v, MEMBER(at, "defaultMode"), GET(s, "defaultMode"));
	FOR_ITEMS(i, item, GET(s, "items"))
	{
		check_downward_item(v, at, item);
	}
}

static void check_token(struct check *v, const struct path *at, const struct json *token)
{
	int64_t seconds = INT(token, "expirationSeconds");
	if (seconds < 600)
		bad(v, MEMBER(at, "expirationSeconds"), json_int(v->arena, seconds),
		    "may not specify a duration less than 10 minutes");
	else if (seconds > (1ll << 32))
		bad(v, MEMBER(at, "expirationSeconds"), json_int(v->arena, seconds),
		    "may not specify a duration larger than 2^32 seconds");
}

/* at: upstream tells of it at the volume, whichever source it is. */
static void check_token_path(struct check *v, const struct path *at, struct str path)
{
	if (path.len == 0)
		required(v, at, "%s", "");
	else
		check_volume_path(v, at, path);
}

struct projected {
	struct str paths[256];
	size_t count;
	const struct path *at;
};

/* shown: what upstream names as the culprit */
static void projected_path(struct check *v, struct projected *p, struct str path, struct str shown)
{
	for (size_t i = 0; i < p->count; i++)
		if (str_eq(p->paths[i], path)) {
			bad_text(v, p->at, shown, "conflicting duplicate paths");
			return;
		}
	if (path.len > 0 && p->count < ARRAY_LEN(p->paths))
		p->paths[p->count++] = path;
}

static void projected_paths(struct check *v, struct projected *p, const struct json *items,
			    struct str name)
{
	FOR_ITEMS(i, item, items)
	{
		projected_path(v, p, TEXT(item, "path"), name.at ? name : TEXT(item, "path"));
	}
}

static void check_projected_source(struct check *v, struct projected *p, const struct path *at,
				   const struct json *source)
{
	static const char *const names[] = {"secret",
					    "configMap",
					    "downwardAPI",
					    "serviceAccountToken",
					    "clusterTrustBundle",
					    "podCertificate"};
	size_t count = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct json *s = json_get(source, str_of(names[i]));
		const struct path *here = MEMBER(at, names[i]);
		if (!s)
			continue;
		if (count++ > 0)
			forbidden(v, at, "may not specify more than 1 volume type per source");
		if (i < 2) {
			check_member(v, here, s, "name");
			check_key_to_path(v, MEMBER(here, "items"), GET(s, "items"));
			projected_paths(v, p, GET(s, "items"), TEXT(s, "name"));
		} else if (i == 2) {
			FOR_ITEMS(k, item, GET(s, "items"))
			{
				check_downward_item(v, here, item);
			}
			projected_paths(v, p, GET(s, "items"), (struct str){});
		} else if (i == 3) {
			check_token(v, here, s);
			check_token_path(v, MEMBER(p->at, "path"), TEXT(s, "path"));
			projected_path(v, p, TEXT(s, "path"), TEXT(s, "path"));
		}
	}
}

void check_projected_volume(struct check *v, const struct path *at, const struct json *s)
{
	struct projected p = {.at = at};
	check_mode(v, MEMBER(at, "defaultMode"), GET(s, "defaultMode"));
	FOR_ITEMS(i, source, GET(s, "sources"))
	{
		check_projected_source(v, &p, ITEM(MEMBER(at, "sources"), i), source);
	}
}
