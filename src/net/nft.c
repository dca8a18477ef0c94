#include "net/nft.h"

#include "net/program.h"

#define NFT_TIMEOUT_MS 60000
#define NFT_PACKAGE    "nftables"

struct nft_program {
	struct nft nft;
	int netns_fd;
};

/* nft repeats the offending line below its message; the first line says it all. */
static struct str first_line(struct str text)
{
	struct str line, rest;
	str_cut(str_trim(text), '\n', &line, &rest);
	return line;
}

static enum rc nft_program_apply(struct nft *nft, struct str batch, struct err *err)
{
	struct nft_program *n = CONTAINER_OF(nft, struct nft_program, nft);
	static const char *const argv[] = {"nft", "-f", "-", NULL};
	struct program program = {.path = "nft",
				  .package = NFT_PACKAGE,
				  .argv = argv,
				  .input = batch,
				  .netns_fd = n->netns_fd,
				  .timeout_ms = NFT_TIMEOUT_MS};
	CLEANUP_BUF complaint = BUF_INIT(PROGRAM_OUTPUT_MAX + 1);
	int status;
	TRY(program_run(&program, NULL, &complaint, &status, err));
	if (status != 0)
		return err_set(err, RC_INTERNAL, "nft refused a batch of %zu bytes: %.*s",
			       batch.len, STR_FMT(first_line(buf_str(&complaint))));
	return RC_OK;
}

static void nft_program_free(struct nft *nft)
{
	struct nft_program *n = CONTAINER_OF(nft, struct nft_program, nft);
	close_fd_p(&n->netns_fd);
	free(n);
}

static const struct nft_ops nft_program_ops = {.apply = nft_program_apply,
					       .free = nft_program_free};

struct nft *nft_program_new(int own_netns_fd)
{
	struct nft_program *n = NEW(struct nft_program);
	n->nft.ops = &nft_program_ops;
	n->netns_fd = own_netns_fd;
	return &n->nft;
}

void nft_free(struct nft *nft)
{
	if (nft)
		nft->ops->free(nft);
}

void nft_add_addr(struct buf *out, struct ipaddr addr)
{
	char text[IPADDR_TEXT_MAX];
	ASSERT(ipaddr_format(addr, text) > 0);
	buf_add_cstr(out, text);
}

void nft_add_net(struct buf *out, struct ipnet net)
{
	char text[IPNET_TEXT_MAX];
	ASSERT(ipnet_format(ipnet_masked(net), text) > 0);
	buf_add_cstr(out, text);
}

static bool is_comment_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr(" ./:_-", c));
}

void nft_add_comment(struct buf *out, struct str text)
{
	buf_add_cstr(out, "comment \"");
	for (size_t i = 0; i < MIN(text.len, (size_t)NFT_COMMENT_MAX); i++)
		buf_add_char(out, is_comment_char(text.at[i]) ? text.at[i] : '_');
	buf_add_char(out, '"');
}
