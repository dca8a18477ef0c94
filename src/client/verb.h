/* verb: what a verb works with: its command line, its connection, and the failures that did not
 * keep it from going on; they are told at the end, as kubectl tells them. */
#ifndef SKEG_CLIENT_VERB_H
#define SKEG_CLIENT_VERB_H

#include "client/api_client.h"

struct verb {
	struct command_line *line;
	struct arena *arena;
	struct api_client client;
	struct err *failures;
	size_t failed, failure_cap;
	const void *detail;  /* of the command's struct verb_detail */
	int code;	     /* of the process; EXIT_OK unless the body says otherwise */
	int code_of_failure; /* EXIT_FAILED unless the body says otherwise */
};

/* What makes a command one that talks to a server; its values begin with a struct client_options.
 */
struct verb_detail {
	enum rc (*body)(struct verb *v, struct err *err);
	const void *detail; /* what the body must know that several commands have in common */
};
#define VERB_RUN(...)                                                                              \
	.run = verb_run, .detail = &(const struct verb_detail)                                     \
	{                                                                                          \
		__VA_ARGS__                                                                        \
	}

/* Connects, runs the command's body and tells what failed; returns the exit code. */
int verb_run(struct command_line *line);
/* Remembers a failure of one of several objects. */
void verb_note(struct verb *v, const struct err *err);

/* The words from one on, as a list. */
struct text_list verb_words(const struct verb *v, size_t from);

/* "option '--x': 'y' is not one of a, b" */
[[nodiscard]] enum rc option_refused(const char *name, const char *value, const char *choices,
				     struct err *err);
/* A duration of an option ("5s", "1m30s") in milliseconds; NULL or "0" gives 0. */
[[nodiscard]] enum rc option_duration(const char *name, const char *text, int64_t *ret_ms,
				      struct err *err);

#endif
