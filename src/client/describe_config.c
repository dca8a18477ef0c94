/* ConfigMaps, Secrets, claims, namespaces, service accounts. */
#include <stdio.h>

#include "base/encode.h"
#include "client/describe.h"

/* Values stand as they are, not in columns. */
static void add_verbatim(struct describe *d, struct str text)
{
	buf_add_str(&d->text, text);
	buf_add_char(&d->text, '\n');
}

enum rc describe_config_map(struct describe *d, const struct resource *r, struct err *err)
{
	size_t count;
	const struct json_member *m =
		json_sorted_members(d->arena, json_get(r->tree, STR("data")), &count);
	describe_metadata(d, r->tree);
	describe_line(d, 0, "\nData\n====");
	for (size_t i = 0; i < count; i++) {
		describe_line(d, 0, "%.*s:\n----", STR_FMT(m[i].key));
		add_verbatim(d, json_str(m[i].value));
		buf_add_char(&d->text, '\n');
	}
	describe_line(d, 0, "\nBinaryData\n====");
	m = json_sorted_members(d->arena, json_get(r->tree, STR("binaryData")), &count);
	for (size_t i = 0; i < count; i++) {
		struct str bytes = {};
		if (!base64_decode(d->arena, json_str(m[i].value), &bytes))
			continue;
		describe_line(d, 0, "%.*s: %zu bytes", STR_FMT(m[i].key), bytes.len);
	}
	buf_add_char(&d->text, '\n');
	return describe_events(d, r, err);
}

enum rc describe_secret(struct describe *d, const struct resource *r, struct err *err)
{
	size_t count;
	const struct json_member *m =
		json_sorted_members(d->arena, json_get(r->tree, STR("data")), &count);
	bool is_token =
		str_is(json_path_str(r->tree, "type"), "kubernetes.io/service-account-token");
	describe_metadata(d, r->tree);
	describe_line(d, 0, "\nType:\t%.*s", STR_FMT(json_path_str(r->tree, "type")));
	describe_line(d, 0, "\nData\n====");
	for (size_t i = 0; i < count; i++) {
		struct str key = m[i].key, bytes = {};
		if (!base64_decode(d->arena, json_str(m[i].value), &bytes))
			continue;
		if (is_token && str_is(key, "token"))
			describe_line(d, 0, "%.*s:\t%.*s", STR_FMT(key), STR_FMT(bytes));
		else
			describe_line(d, 0, "%.*s:\t%zu bytes", STR_FMT(key), bytes.len);
	}
	return RC_OK;
}

static struct str access_modes(struct arena *a, const struct json *list)
{
	static const struct {
		const char *name, *text;
	} modes[] = {{"ReadWriteOnce", "RWO"},
		     {"ReadOnlyMany", "ROX"},
		     {"ReadWriteMany", "RWX"},
		     {"ReadWriteOncePod", "RWOP"}};
	CLEANUP_BUF text = BUF_INIT(1024);
	for (size_t i = 0; i < json_count(list); i++)
		for (size_t k = 0; k < ARRAY_LEN(modes); k++)
			if (str_is(json_str(json_at(list, i)), modes[k].name))
				buf_printf(&text, "%s%s", text.len ? "," : "", modes[k].text);
	return arena_str(a, buf_str(&text));
}

static enum rc describe_users(struct describe *d, const struct resource *r, struct err *err)
{
	struct json *pods;
	size_t shown = 0;
	TRY(describe_list(d->verb, "pods", r->namespace, NULL, (struct str){}, &pods, err));
	for (size_t i = 0; i < json_count(pods); i++) {
		const struct json *volumes = json_path(json_at(pods, i), "spec.volumes");
		for (size_t k = 0; k < json_count(volumes); k++)
			if (str_eq(json_path_str(json_at(volumes, k),
						 "persistentVolumeClaim.claimName"),
				   r->name))
				describe_line(
					d, 0, "%s\t%.*s", shown++ ? "" : "Used By:",
					STR_FMT(json_path_str(json_at(pods, i), "metadata.name")));
	}
	if (!shown)
		describe_line(d, 0, "Used By:\t<none>");
	return RC_OK;
}

enum rc describe_claim(struct describe *d, const struct resource *r, struct err *err)
{
	static const struct describe_row rows[] = {
		DESCRIBE_NAME,
		{"StorageClass", "spec.storageClassName", ROW_TEXT, false, NULL},
		{"Status", "status.phase", ROW_TEXT, false, NULL},
		{"Volume", "spec.volumeName", ROW_TEXT, false, NULL},
		DESCRIBE_LABELS,
	};
	const struct json *t = r->tree;
	describe_rows(d, t, rows, ARRAY_LEN(rows));
	describe_line(d, 0, "Finalizers:\t[%.*s]",
		      STR_FMT(json_joined(d->arena, json_path(t, "metadata.finalizers"), " ")));
	describe_line(d, 0, "Capacity:\t%.*s",
		      STR_FMT(describe_value(d->arena, json_path(t, "status.capacity.storage"))));
	describe_line(d, 0, "Access Modes:\t%.*s",
		      STR_FMT(access_modes(d->arena, json_path(t, "status.accessModes"))));
	describe_line(d, 0, "VolumeMode:\t%.*s", STR_FMT(json_path_str(t, "spec.volumeMode")));
	TRY(describe_users(d, r, err));
	return describe_events(d, r, err);
}

static enum rc describe_quotas(struct describe *d, const struct resource *r, struct err *err)
{
	struct json *quotas;
	TRY(describe_list(d->verb, "resourcequotas", r->name, NULL, (struct str){}, &quotas, err));
	if (json_count(quotas) == 0) {
		describe_line(d, 0, "\nNo resource quota.");
		return RC_OK;
	}
	describe_line(d, 0, "\nResource Quotas");
	for (size_t i = 0; i < json_count(quotas); i++) {
		size_t count;
		const struct json *q = json_at(quotas, i);
		const struct json_member *hard =
			json_sorted_members(d->arena, json_path(q, "status.hard"), &count);
		describe_line(d, 1, "Name:\t%.*s", STR_FMT(json_path_str(q, "metadata.name")));
		describe_line(d, 1, "Resource\tUsed\tHard");
		describe_line(d, 1, "--------\t---\t---");
		for (size_t k = 0; k < count; k++) {
			struct str key = hard[k].key;
			describe_line(d, 1, "%.*s\t%.*s\t%.*s", STR_FMT(key),
				      STR_FMT(json_str(json_get(json_path(q, "status.used"), key))),
				      STR_FMT(json_str(hard[k].value)));
		}
	}
	return RC_OK;
}

enum rc describe_namespace(struct describe *d, const struct resource *r, struct err *err)
{
	struct json *limits;
	describe_metadata(d, r->tree);
	describe_line(d, 0, "Status:\t%.*s", STR_FMT(json_path_str(r->tree, "status.phase")));
	TRY(describe_quotas(d, r, err));
	TRY(describe_list(d->verb, "limitranges", r->name, NULL, (struct str){}, &limits, err));
	if (json_count(limits) == 0)
		describe_line(d, 0, "\nNo LimitRange resource.");
	for (size_t i = 0; i < json_count(limits); i++)
		describe_line(d, 0, "%s  Name:\t%.*s", i ? "" : "\nResource Limits\n",
			      STR_FMT(json_path_str(json_at(limits, i), "metadata.name")));
	return RC_OK;
}

static void describe_names(struct describe *d, const char *label, const struct json *list)
{
	if (json_count(list) == 0)
		describe_line(d, 0, "%s:\t<none>", label);
	for (size_t i = 0; i < json_count(list); i++)
		describe_line(d, 0, "%s%s\t%.*s", i ? "" : label, i ? "" : ":",
			      STR_FMT(json_path_str(json_at(list, i), "name")));
}

enum rc describe_service_account(struct describe *d, const struct resource *r, struct err *err)
{
	describe_metadata(d, r->tree);
	describe_names(d, "Image pull secrets", json_get(r->tree, STR("imagePullSecrets")));
	describe_names(d, "Mountable secrets", json_get(r->tree, STR("secrets")));
	describe_names(d, "Tokens", NULL);
	return describe_events(d, r, err);
}
