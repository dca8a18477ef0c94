/* user_program: a program that the user names: words cut at spaces, which no shell reads. */
#ifndef SKEG_CLIENT_USER_PROGRAM_H
#define SKEG_CLIENT_USER_PROGRAM_H

#include "client/command.h"

/* The words of a text. */
struct text_list user_program_words(struct arena *a, const char *text);
/* Runs it with our own streams until it ends.  RC_NOT_FOUND: there is no such program. */
[[nodiscard]] enum rc user_program_run(struct arena *a, struct text_list *words, int *ret_code,
				       struct err *err);

#endif
