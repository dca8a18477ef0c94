/* config: what the verbs of the family "config" share: their options, and that the kubeconfigs are
 * read before and written after when one was changed.  None of them talks to a server. */
#ifndef SKEG_CLIENT_CONFIG_H
#define SKEG_CLIENT_CONFIG_H

#include "client/command.h"
#include "client/kubeconfig_set.h"

struct config_options {
	const char *kubeconfig, *context, *output;
	const char *cluster, *user, *namespace; /* of a context */
	const char *server, *ca_file, *tls_server_name, *proxy_url;
	const char *cert_file, *key_file, *token, *username, *password;
	const char *exec_command, *exec_api_version;
	struct text_list exec_args, exec_env;
	bool is_raw, is_minified, is_flat, has_no_heads, is_current, embeds, skip_verify,
		takes_raw_bytes;
};

struct config {
	struct command_line *line;
	const struct config_options *options;
	struct arena *arena;
	struct kubeconfig_set set;
	const void *detail; /* of the command's struct config_detail */
};

struct config_detail {
	enum rc (*body)(struct config *c, struct err *err);
	const void *detail;
};

/* The only word; RC_BAD_REQUEST when there are more or none. */
[[nodiscard]] enum rc config_name(const struct config *c, struct str *ret_name, struct err *err);
/* Instead of the member that names a file its bytes, as "<member>-data". */
[[nodiscard]] enum rc config_embed(struct arena *a, struct json *value, const char *member,
				   const char *path, struct err *err);
int config_run(struct command_line *line);

#define CONFIG_AT(member) offsetof(struct config_options, member)
#define CONFIG_TEXT(name, member, value, help)                                                     \
	{                                                                                          \
		name, 0, OPTION_TEXT, CONFIG_AT(member), value, help                               \
	}
#define CONFIG_FLAG(name, member, help)                                                            \
	{                                                                                          \
		name, 0, OPTION_FLAG, CONFIG_AT(member), NULL, help                                \
	}
#define CONFIG_COMMON                                                                              \
	CONFIG_TEXT("kubeconfig", kubeconfig, "FILE",                                              \
		    "this file only ($KUBECONFIG's, else ~/.kube/config)"),                        \
		CONFIG_TEXT("context", context, "NAME", "context that counts as the current one")

/* The last argument is a body, and what it must know. */
#define CONFIG_COMMAND(id, words, args, text, table, ...)                                          \
	const struct command command_config_##id = {                                               \
		.name = "config " words,                                                           \
		.arguments = args,                                                                 \
		.summary = text,                                                                   \
		.options = table,                                                                  \
		.option_count = ARRAY_LEN(table),                                                  \
		.values_size = sizeof(struct config_options),                                      \
		.run = config_run,                                                                 \
		.detail = &(const struct config_detail){__VA_ARGS__},                              \
	}

#endif
