/* reviews: kinds that are asked, not stored: access reviews, token reviews, who am I; and tokens of
 * service accounts.  Threads: io; everything comes from the snapshot. */
#ifndef SKEG_SERVER_REVIEWS_H
#define SKEG_SERVER_REVIEWS_H

#include "server/request.h"

bool is_review(const struct request *r);
enum step review(struct request *r);

/* The rows of its table that have a file of their own; r->tree is the decoded body. */
enum step access_review_self(struct request *r);
enum step access_review_of_user(struct request *r); /* also of one namespace */
enum step token_request(struct request *r);
/* Replies with the body, completed by status. */
enum step review_answer(struct request *r, struct json *status);

#endif
