/* The file of --authentication-config.  Field names and checks are upstream's; expressions are
 * refused by name, for a rule that is not applied would let in whom it should keep out. */
#include "codec/yaml.h"
#include "io/file.h"
#include "server/authentication_config.h"

#define FILE_BYTES_MAX (1u << 20)

struct reading {
	struct authentication_config *config;
	const char *path;
	struct err *err;
};

/* A member of an object: a text of the issuer, or what take makes of it. */
struct field {
	const char *name;
	enum rc (*take)(struct reading *f, struct jwt_issuer_config *issuer,
			const struct json *value, const char *at);
	size_t text_at; /* without take */
};
#define TEXT_FIELD(member) .text_at = offsetof(struct jwt_issuer_config, member)

static enum rc refuse(struct reading *f, const char *at, const char *name, const char *why)
{
	return err_set(f->err, RC_INVALID, "%s: %s%s%s: %s", f->path, at, *at && *name ? "." : "",
		       name, why);
}

static const struct field *find(const struct field *fields, struct str name)
{
	for (; fields->name; fields++)
		if (str_is(name, fields->name))
			return fields;
	return NULL;
}

static enum rc take_text(struct reading *f, const struct json *value, const char *at,
			 struct str *ret_text)
{
	if (value->type != JSON_STRING)
		return refuse(f, at, "", "a string is expected");
	*ret_text = arena_str(&f->config->arena, value->string);
	return RC_OK;
}

static enum rc take_member(struct reading *f, struct jwt_issuer_config *issuer,
			   const struct field *field, const struct json *value, const char *at)
{
	if (field->take)
		return field->take(f, issuer, value, at);
	return take_text(f, value, at, (void *)((char *)issuer + field->text_at));
}

static enum rc take_object(struct reading *f, struct jwt_issuer_config *issuer,
			   const struct field *fields, const struct json *tree, const char *at)
{
	if (!tree || tree->type != JSON_OBJECT)
		return refuse(f, at, "", "an object is expected");
	for (size_t i = 0; i < tree->object.count; i++) {
		const struct json_member *m = &tree->object.members[i];
		const struct field *field = find(fields, m->key);
		const char *name = arena_str(&f->config->arena, m->key).at;
		if (!field)
			return refuse(f, at, name, "unknown field");
		const char *below =
			arena_printf(&f->config->arena, "%s%s%s", at, *at ? "." : "", name).at;
		TRY(take_member(f, issuer, field, m->value, below));
	}
	return RC_OK;
}

static enum rc take_texts(struct reading *f, const struct json *value, const char *at,
			  const struct str **ret_texts, size_t *ret_count)
{
	struct str *texts = ARENA_ARRAY(&f->config->arena, struct str, json_count(value) + 1);
	if (value->type != JSON_ARRAY)
		return refuse(f, at, "", "a list is expected");
	for (size_t i = 0; i < json_count(value); i++)
		TRY(take_text(f, json_at(value, i), at, &texts[i]));
	*ret_texts = texts;
	*ret_count = json_count(value);
	return RC_OK;
}

static enum rc no_expression(struct reading *f, struct jwt_issuer_config *issuer,
			     const struct json *value, const char *at)
{
	return refuse(f, at, "", "expressions are not supported; name a claim instead");
}

/* ---- issuer ---- */

static enum rc take_audiences(struct reading *f, struct jwt_issuer_config *issuer,
			      const struct json *value, const char *at)
{
	return take_texts(f, value, at, &issuer->audiences, &issuer->audience_count);
}

/* A token is for us when it names one of our audiences: the only policy there is. */
static enum rc take_match_policy(struct reading *f, struct jwt_issuer_config *issuer,
				 const struct json *value, const char *at)
{
	struct str policy;
	TRY(take_text(f, value, at, &policy));
	return policy.len == 0 || str_is(policy, "MatchAny")
		       ? RC_OK
		       : refuse(f, at, "", "Unsupported value: supported values: \"MatchAny\"");
}

static enum rc take_issuer(struct reading *f, struct jwt_issuer_config *issuer,
			   const struct json *value, const char *at)
{
	static const struct field fields[] = {
		{"url", TEXT_FIELD(url)},
		{"discoveryURL", TEXT_FIELD(discovery_url)},
		{"certificateAuthority", TEXT_FIELD(ca_pem)},
		{"audiences", take_audiences},
		{"audienceMatchPolicy", take_match_policy},
		{},
	};
	TRY(take_object(f, issuer, fields, value, at));
	if (issuer->audience_count == 0)
		return refuse(f, at, "audiences",
			      "Required value: at least one jwt audience is "
			      "required");
	bool has_policy = json_path_str(value, "audienceMatchPolicy").len;
	if (issuer->audience_count > 1 && !has_policy)
		return refuse(f, at, "audienceMatchPolicy",
			      "audienceMatchPolicy must be MatchAny for multiple audiences");
	return RC_OK;
}

/* ---- claims ---- */

static enum rc check_prefix(struct reading *f, struct str claim, const struct json *value,
			    const char *at)
{
	if (!claim.len || json_get(value, STR("prefix")))
		return RC_OK;
	return refuse(f, at, "prefix",
		      "Required value: prefix is required when claim is set. It can be set to an "
		      "empty string to disable prefixing");
}

static enum rc take_username(struct reading *f, struct jwt_issuer_config *issuer,
			     const struct json *value, const char *at)
{
	static const struct field fields[] = {
		{"claim", TEXT_FIELD(username_claim)},
		{"prefix", TEXT_FIELD(username_prefix)},
		{"expression", no_expression},
		{},
	};
	TRY(take_object(f, issuer, fields, value, at));
	if (issuer->username_claim.len == 0)
		return refuse(f, at, "", "Required value: claim or expression is required");
	return check_prefix(f, issuer->username_claim, value, at);
}

static enum rc take_groups(struct reading *f, struct jwt_issuer_config *issuer,
			   const struct json *value, const char *at)
{
	static const struct field fields[] = {
		{"claim", TEXT_FIELD(groups_claim)},
		{"prefix", TEXT_FIELD(groups_prefix)},
		{"expression", no_expression},
		{},
	};
	TRY(take_object(f, issuer, fields, value, at));
	return check_prefix(f, issuer->groups_claim, value, at);
}

static enum rc take_uid(struct reading *f, struct jwt_issuer_config *issuer,
			const struct json *value, const char *at)
{
	static const struct field fields[] = {
		{"claim", TEXT_FIELD(uid_claim)}, {"expression", no_expression}, {}};
	return take_object(f, issuer, fields, value, at);
}

static enum rc take_mappings(struct reading *f, struct jwt_issuer_config *issuer,
			     const struct json *value, const char *at)
{
	static const struct field fields[] = {
		{"username", take_username},
		{"groups", take_groups},
		{"uid", take_uid},
		{"extra", no_expression},
		{},
	};
	return take_object(f, issuer, fields, value, at);
}

static enum rc take_rule(struct reading *f, const struct json *rule, const char *at,
			 struct jwt_claim *ret_claim)
{
	for (size_t i = 0; i < json_count(rule); i++) {
		const struct json_member *m = &rule->object.members[i];
		if (str_is(m->key, "claim"))
			TRY(take_text(f, m->value, at, &ret_claim->name));
		else if (str_is(m->key, "requiredValue"))
			TRY(take_text(f, m->value, at, &ret_claim->value));
		else
			return no_expression(f, NULL, m->value, at);
	}
	return ret_claim->name.len
		       ? RC_OK
		       : refuse(f, at, "", "Required value: claim or expression is required");
}

static enum rc take_rules(struct reading *f, struct jwt_issuer_config *issuer,
			  const struct json *value, const char *at)
{
	struct jwt_claim *claims =
		ARENA_ARRAY(&f->config->arena, struct jwt_claim, json_count(value) + 1);
	if (value->type != JSON_ARRAY)
		return refuse(f, at, "", "a list is expected");
	for (size_t i = 0; i < json_count(value); i++) {
		if (json_at(value, i)->type != JSON_OBJECT)
			return refuse(f, at, "", "objects are expected in this list");
		TRY(take_rule(f, json_at(value, i), at, &claims[i]));
	}
	issuer->required = claims;
	issuer->required_count = json_count(value);
	return RC_OK;
}

static enum rc take_authenticator(struct reading *f, const struct json *value, size_t index)
{
	static const struct field fields[] = {
		{"issuer", take_issuer},
		{"claimMappings", take_mappings},
		{"claimValidationRules", take_rules},
		{"userValidationRules", no_expression},
		{},
	};
	const char *at = arena_printf(&f->config->arena, "jwt[%zu]", index).at;
	struct jwt_issuer_config *issuer = &f->config->issuers[index];
	TRY(take_object(f, issuer, fields, value, at));
	if (issuer->url.len == 0)
		return refuse(f, at, "issuer.url", "Required value: URL is required");
	if (issuer->username_claim.len == 0)
		return refuse(f, at, "claimMappings.username",
			      "Required value: claim or expression is required");
	return RC_OK;
}

/* ---- the document ---- */

static enum rc take_jwt(struct reading *f, struct jwt_issuer_config *none, const struct json *value,
			const char *at)
{
	if (value->type != JSON_ARRAY || json_count(value) > JWT_ISSUERS_MAX)
		return refuse(f, at, "", "a list of at most 64 issuers is expected");
	for (size_t i = 0; i < json_count(value); i++)
		TRY(take_authenticator(f, json_at(value, i), i));
	f->config->issuer_count = json_count(value);
	return RC_OK;
}

static enum rc take_conditions(struct reading *f, struct jwt_issuer_config *none,
			       const struct json *value, const char *at)
{
	struct str *paths = ARENA_ARRAY(&f->config->arena, struct str, json_count(value) + 1);
	if (value->type != JSON_ARRAY)
		return refuse(f, at, "", "a list is expected");
	for (size_t i = 0; i < json_count(value); i++) {
		struct json *path = json_get(json_at(value, i), STR("path"));
		if (!path)
			return refuse(f, at, "path", "Required value");
		TRY(take_text(f, path, at, &paths[i]));
	}
	f->config->anonymous_paths = json_count(value) ? paths : NULL;
	f->config->anonymous_path_count = json_count(value);
	return RC_OK;
}

static enum rc take_enabled(struct reading *f, struct jwt_issuer_config *none,
			    const struct json *value, const char *at)
{
	f->config->refuses_anonymous = !json_is_true(value);
	return RC_OK;
}

static enum rc take_anonymous(struct reading *f, struct jwt_issuer_config *none,
			      const struct json *value, const char *at)
{
	static const struct field fields[] = {
		{"enabled", take_enabled}, {"conditions", take_conditions}, {}};
	f->config->refuses_anonymous = true;
	TRY(take_object(f, none, fields, value, at));
	if (f->config->refuses_anonymous && f->config->anonymous_path_count)
		return refuse(f, at, "conditions",
			      "Invalid value: enabled should be set to true when conditions are "
			      "defined");
	return RC_OK;
}

static enum rc take_version(struct reading *f, struct jwt_issuer_config *none,
			    const struct json *value, const char *at)
{
	static const char *const known[] = {"apiserver.config.k8s.io/v1",
					    "apiserver.config.k8s.io/v1beta1",
					    "apiserver.config.k8s.io/v1alpha1"};
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (str_is(json_str(value), known[i]))
			return RC_OK;
	return refuse(f, at, "", "apiserver.config.k8s.io/v1 is expected");
}

static enum rc take_kind(struct reading *f, struct jwt_issuer_config *none,
			 const struct json *value, const char *at)
{
	return str_is(json_str(value), "AuthenticationConfiguration")
		       ? RC_OK
		       : refuse(f, at, "", "AuthenticationConfiguration is expected");
}

enum rc authentication_file_read(struct authentication_config *config, const char *path,
				 bool *ret_has_anonymous, struct err *err)
{
	static const struct field fields[] = {
		{"apiVersion", take_version},
		{"kind", take_kind},
		{"jwt", take_jwt},
		{"anonymous", take_anonymous},
		{},
	};
	struct reading f = {config, path, err};
	struct json_duplicates duplicates = {};
	struct yaml_document *documents;
	struct str text;
	size_t count;
	TRY(file_read(path, FILE_BYTES_MAX, &config->arena, &text, err));
	if (yaml_parse(&config->arena, text, &documents, &count, &duplicates, err) != RC_OK)
		return err_wrap(err, "%s", path);
	if (count != 1 || duplicates.count)
		return refuse(&f, "", "document", "one without repeated keys is expected");
	const struct json *tree = documents[0].tree;
	if (!json_get(tree, STR("kind")) || !json_get(tree, STR("apiVersion")))
		return refuse(&f, "", "kind", "apiVersion and kind are missing");
	*ret_has_anonymous = json_get(tree, STR("anonymous")) != NULL;
	return take_object(&f, NULL, fields, tree, "");
}
