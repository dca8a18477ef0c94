/* The memory backend: what is accepted is durable for as long as the process lives. */
#include "base/mem.h"
#include "store/store-int.h"

struct backend {
	char unused;
};

static enum rc memory_open(const struct backend_config *config, struct backend **ret_backend,
			   struct err *err)
{
	*ret_backend = NEW(struct backend);
	return RC_OK;
}

static enum rc memory_load(struct backend *b, struct backend_load *load, struct err *err)
{
	load->revision = 1; /* 0 has a meaning of its own in the API */
	load->reserved_until = INT64_MAX;
	for (uint32_t i = 0; i < load->api->stored_count; i++)
		load->is_kind_lazy[i] = true; /* nothing has to be remembered */
	return RC_OK;
}

static enum rc memory_commit(struct backend *b, const struct list *commits,
			     int64_t *ret_reserved_until, uint64_t *ret_bytes, struct err *err)
{
	*ret_reserved_until = INT64_MAX;
	*ret_bytes = 0;
	return RC_OK;
}

static enum rc memory_tidy(struct backend *b, struct err *err)
{
	return RC_OK;
}

static void memory_close(struct backend *b, int64_t revision)
{
	free(b);
}

const struct backend_ops backend_memory = {
	.name = "memory",
	.open = memory_open,
	.load = memory_load,
	.commit = memory_commit,
	.tidy = memory_tidy,
	.close = memory_close,
};
