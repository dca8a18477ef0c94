/* The grammar (https://github.com/distribution/reference/blob/main/reference.go):
 *   reference   = name [ ":" tag ] [ "@" digest ]
 *   name        = [ domain "/" ] path-component *[ "/" path-component ]
 *   domain      = host [ ":" port ]
 *   component   = alpha-numeric *[ separator alpha-numeric ]; separator = [_.] | "__" | [-]*
 *   tag         = [\w][\w.-]{0,127} */
#include "node/image_ref.h"

#include <stdio.h>

#include "base/mem.h"

#define NAME_LENGTH_MAX 255

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower_or_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z');
}

static bool is_letter_or_digit(char c)
{
	return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.at[i]) && !(s.at[i] >= 'a' && s.at[i] <= 'f'))
			return false;
	}
	return true;
}

bool image_digest_is_valid(struct str digest)
{
	struct str prefix = STR("sha256:");
	return digest.len == prefix.len + 64 && str_has_prefix(digest, prefix) &&
	       is_hex(str_skip(digest, prefix.len));
}

static bool tag_is_valid(struct str tag)
{
	if (tag.len == 0 || tag.len >= IMAGE_TAG_MAX || tag.at[0] == '.' || tag.at[0] == '-')
		return false;
	for (size_t i = 0; i < tag.len; i++) {
		char c = tag.at[i];
		if (!is_letter_or_digit(c) && c != '_' && c != '.' && c != '-')
			return false;
	}
	return true;
}

/* One '.', one or two '_', any number of '-'. */
static size_t separator_length(struct str s)
{
	size_t len = 0;
	while (len < s.len && s.at[len] == s.at[0])
		len++;
	size_t most = s.at[0] == '.' ? 1 : s.at[0] == '_' ? 2 : s.at[0] == '-' ? len : 0;
	return len <= most ? len : 0;
}

static bool component_is_valid(struct str s)
{
	if (s.len == 0 || !is_lower_or_digit(s.at[0]) || !is_lower_or_digit(s.at[s.len - 1]))
		return false;
	while (s.len > 0) {
		size_t step = is_lower_or_digit(s.at[0]) ? 1 : separator_length(s);
		if (step == 0)
			return false;
		s = str_skip(s, step);
	}
	return true;
}

static bool path_is_valid(struct str path)
{
	struct str component, rest = path;
	bool has_more = true;
	while (has_more) {
		has_more = str_cut(rest, '/', &component, &rest);
		if (!component_is_valid(component))
			return false;
	}
	return true;
}

static bool host_is_valid(struct str host)
{
	struct str label, rest = host;
	if (host.len > 2 && host.at[0] == '[' && host.at[host.len - 1] == ']') {
		for (size_t i = 1; i + 1 < host.len; i++) {
			if (!is_hex(str_n(host.at + i, 1)) && host.at[i] != ':')
				return false;
		}
		return true;
	}
	for (bool has_more = true; has_more;) {
		has_more = str_cut(rest, '.', &label, &rest);
		if (label.len == 0 || label.at[0] == '-' || label.at[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++) {
			if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-')
				return false;
		}
	}
	return true;
}

static bool domain_is_valid(struct str domain)
{
	struct str host, port;
	if (domain.len > 0 && domain.at[domain.len - 1] == ']')
		return host_is_valid(domain);
	bool has_port = str_cut_last(domain, ':', &host, &port);
	if (!has_port)
		return host_is_valid(domain);
	for (size_t i = 0; i < port.len; i++) {
		if (!is_digit(port.at[i]))
			return false;
	}
	return port.len > 0 && port.len <= 5 && host_is_valid(host);
}

static bool has_any(struct str s, const char *chars)
{
	for (size_t i = 0; i < s.len; i++) {
		if (strchr(chars, s.at[i]))
			return true;
	}
	return false;
}

static bool has_upper(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] >= 'A' && s.at[i] <= 'Z')
			return true;
	}
	return false;
}

/* The first part is a domain only when it looks like one. */
static void domain_split(struct str name, struct str *ret_domain, struct str *ret_path)
{
	struct str head, tail;
	bool has_slash = str_cut(name, '/', &head, &tail);
	if (has_slash && (has_any(head, ".:") || str_is(head, "localhost") || has_upper(head))) {
		*ret_domain = str_is(head, "index.docker.io") ? STR("docker.io") : head;
		*ret_path = tail;
		return;
	}
	*ret_domain = STR("docker.io");
	*ret_path = name;
}

/* The ':' of a tag comes after the last '/'. */
static void tag_split(struct str text, struct str *ret_name, struct str *ret_tag)
{
	struct str name, tag;
	bool has_colon = str_cut_last(text, ':', &name, &tag);
	if (has_colon && !has_any(tag, "/")) {
		*ret_name = name;
		*ret_tag = tag;
		return;
	}
	*ret_name = text;
	*ret_tag = (struct str){};
}

static void put(char *out, size_t size, struct str s)
{
	snprintf(out, size, "%.*s", STR_FMT(s));
}

static enum rc name_parse(struct str name, struct image_ref *ref, struct err *err)
{
	struct str domain, path;
	domain_split(name, &domain, &path);
	if (has_upper(path))
		return err_set(err, RC_INVALID,
			       "invalid reference format: repository name (%.*s) must be lowercase",
			       STR_FMT(path));
	bool is_official = str_is(domain, "docker.io") && !has_any(path, "/");
	if (domain.len + 1 + path.len + (is_official ? 8 : 0) > NAME_LENGTH_MAX)
		return err_set(err, RC_INVALID,
			       "repository name must not be more than %d characters",
			       NAME_LENGTH_MAX);
	if (!domain_is_valid(domain) || !path_is_valid(path))
		return err_set(err, RC_INVALID, "invalid reference format");
	put(ref->registry, sizeof(ref->registry), domain);
	snprintf(ref->repository, sizeof(ref->repository), "%s%.*s", is_official ? "library/" : "",
		 STR_FMT(path));
	return RC_OK;
}

enum rc image_ref_parse(struct str text, struct image_ref *ret_ref, struct err *err)
{
	struct image_ref ref = {};
	struct str rest, digest, name, tag;
	if (text.len == 64 && is_hex(text))
		return err_set(err, RC_INVALID,
			       "invalid repository name (%.*s), cannot specify 64-byte "
			       "hexadecimal strings",
			       STR_FMT(text));
	bool has_digest = str_cut(text, '@', &rest, &digest);
	if (has_digest && !image_digest_is_valid(digest))
		return err_set(err, RC_INVALID, "invalid reference format");
	tag_split(rest, &name, &tag);
	if (tag.at && !tag_is_valid(tag))
		return err_set(err, RC_INVALID, "invalid reference format");
	TRY(name_parse(name, &ref, err));
	put(ref.tag, sizeof(ref.tag), tag.at || has_digest ? tag : STR("latest"));
	put(ref.digest, sizeof(ref.digest), has_digest ? digest : STR(""));
	*ret_ref = ref;
	return RC_OK;
}

void image_ref_print_digest(const struct image_ref *ref, const char *digest,
			    char out[IMAGE_REF_MAX])
{
	snprintf(out, IMAGE_REF_MAX, "%.250s/%.255s@%.71s", ref->registry, ref->repository, digest);
}

void image_ref_print(const struct image_ref *ref, char out[IMAGE_REF_MAX])
{
	if (ref->digest[0])
		image_ref_print_digest(ref, ref->digest, out);
	else
		snprintf(out, IMAGE_REF_MAX, "%.250s/%.255s:%.128s", ref->registry, ref->repository,
			 ref->tag);
}
