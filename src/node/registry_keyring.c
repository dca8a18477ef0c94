#include "node/registry_keyring.h"

#include <stdio.h>

#include "base/encode.h"

struct match {
	struct str key;
	struct registry_auth auth;
};

static bool is_same_letter(char a, char b)
{
	return str_eq_nocase(str_n(&a, 1), str_n(&b, 1));
}

/* One label against one label; '*' stands for any run of characters of it.  On a mismatch the last
 * '*' takes one character more, so the work is at most the product of the lengths. */
static bool label_matches(struct str glob, struct str label)
{
	size_t g = 0, l = 0, star = glob.len, mark = 0;
	while (l < label.len) {
		if (g < glob.len && glob.at[g] == '*') {
			star = g++;
			mark = l;
		} else if (g < glob.len && is_same_letter(glob.at[g], label.at[l])) {
			g++;
			l++;
		} else if (star < glob.len) {
			g = star + 1;
			l = ++mark;
		} else {
			return false;
		}
	}
	while (g < glob.len && glob.at[g] == '*')
		g++;
	return g == glob.len;
}

static bool host_matches(struct str glob, struct str host)
{
	struct str glob_label, host_label;
	for (;;) {
		bool glob_more = str_cut(glob, '.', &glob_label, &glob);
		bool host_more = str_cut(host, '.', &host_label, &host);
		if (glob_more != host_more || !label_matches(glob_label, host_label))
			return false;
		if (!glob_more)
			return true;
	}
}

/* "https://index.docker.io/v1/" -> "index.docker.io" */
static struct str key_clean(struct str key)
{
	if (str_has_prefix(key, STR("https://")))
		key = str_skip(key, 8);
	else if (str_has_prefix(key, STR("http://")))
		key = str_skip(key, 7);
	while (key.len > 0 && key.at[key.len - 1] == '/')
		key.len--;
	if (str_has_suffix(key, STR("/v1")) || str_has_suffix(key, STR("/v2")))
		key.len -= 3;
	return key;
}

static bool key_matches(struct str key, const struct image_ref *ref)
{
	struct str host, path, name, port, ref_name, ref_port;
	str_cut(key, '/', &host, &path);
	if (str_is(host, "index.docker.io"))
		host = STR("docker.io");
	str_cut(host, ':', &name, &port);
	str_cut(str_of(ref->registry), ':', &ref_name, &ref_port);
	return str_eq(port, ref_port) && host_matches(name, ref_name) &&
	       str_has_prefix(str_of(ref->repository), path);
}

static bool auth_read(struct arena *a, const struct json *entry, struct registry_auth *out)
{
	struct str bytes, both = json_str(json_get(entry, STR("auth")));
	*out = (struct registry_auth){
		.username = json_str(json_get(entry, STR("username"))),
		.password = json_str(json_get(entry, STR("password"))),
		.identity_token = json_str(json_get(entry, STR("identitytoken"))),
	};
	if (both.len > 0 && base64_decode(a, both, &bytes))
		str_cut(bytes, ':', &out->username, &out->password);
	return out->username.len > 0 || out->identity_token.len > 0;
}

/* Longest key first; among equals the first one read. */
static void match_insert(struct match matches[KEYRING_MATCHES_MAX], size_t *count,
			 const struct match *m)
{
	size_t at = *count;
	while (at > 0 && matches[at - 1].key.len < m->key.len)
		at--;
	if (at == KEYRING_MATCHES_MAX)
		return;
	if (*count < KEYRING_MATCHES_MAX)
		(*count)++;
	memmove(&matches[at + 1], &matches[at], (*count - at - 1) * sizeof(*matches));
	matches[at] = *m;
}

static const struct json *entries_of(struct arena *a, const struct runtime_pull_secret *secret)
{
	struct json *tree;
	if (json_parse(a, secret->json, &tree, NULL, NULL) != RC_OK)
		return NULL;
	const struct json *entries = secret->is_legacy ? tree : json_get(tree, STR("auths"));
	return entries && entries->type == JSON_OBJECT ? entries : NULL;
}

size_t registry_keyring_find(struct arena *a, const struct runtime_pull_secret *secrets,
			     size_t secret_count, const struct image_ref *ref,
			     struct registry_auth out[KEYRING_MATCHES_MAX])
{
	struct match matches[KEYRING_MATCHES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < secret_count; i++) {
		const struct json *entries = entries_of(a, &secrets[i]);
		for (size_t j = 0; entries && j < entries->object.count; j++) {
			const struct json_member *m = &entries->object.members[j];
			struct match found = {.key = key_clean(m->key)};
			if (key_matches(found.key, ref) && auth_read(a, m->value, &found.auth))
				match_insert(matches, &count, &found);
		}
	}
	for (size_t i = 0; i < count; i++)
		out[i] = matches[i].auth;
	return count;
}
