/* nft: packet rules reach the kernel through here, in atomic batches.
 *
 * An ops table; the first backend feeds the program nft on its standard input.  A batch is text in
 * the language of nft(8), built only by the functions below from typed values, so nothing that a
 * user wrote can become syntax.  Either all of a batch takes effect or nothing. apply blocks (a few
 * ms): call it from a pool thread.  Threads: one apply at a time for one backend. */
#ifndef SKEG_NET_NFT_H
#define SKEG_NET_NFT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/ipaddr.h"
#include "base/str.h"

#define NFT_BATCH_MAX	(32u << 20)
#define NFT_COMMENT_MAX 120

struct nft;

struct nft_ops {
	enum rc (*apply)(struct nft *nft, struct str batch, struct err *err);
	void (*free)(struct nft *nft);
};

struct nft {
	const struct nft_ops *ops;
};

/* The program nft, in the namespace of netns_fd (-1: the caller's).  Owns the descriptor. */
[[nodiscard]] struct nft *nft_program_new(int own_netns_fd);

[[nodiscard]] static inline enum rc nft_apply(struct nft *nft, struct str batch, struct err *err)
{
	return nft->ops->apply(nft, batch, err);
}
void nft_free(struct nft *nft); /* NULL allowed */

/* --- pieces of a batch --- */

void nft_add_addr(struct buf *out, struct ipaddr addr);
void nft_add_net(struct buf *out, struct ipnet net);
/* comment "text"; every byte outside [A-Za-z0-9 ./:_-] becomes '_', cut at NFT_COMMENT_MAX. */
void nft_add_comment(struct buf *out, struct str text);

#endif
