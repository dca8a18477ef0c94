/* grpc_server: the health service of gRPC on one connection, in frames of HTTP/2 that are written
 * out by hand: for the test of the client, and as a program in a container. */
#ifndef SKEG_TESTS_GRPC_SERVER_H
#define SKEG_TESTS_GRPC_SERVER_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct grpc_answer {
	int http_status;     /* 200 or 404 */
	const char *code;    /* of gRPC: "0"; "": none is sent */
	const char *message; /* may be "" */
	int health;	     /* -1: no message at all */
};

struct grpc_frames {
	unsigned char bytes[1024];
	size_t len;
};

static inline void grpc_frame(struct grpc_frames *f, int type, int flags, int stream,
			      const void *payload, size_t len)
{
	const unsigned char head[] = {
		0, 0, (unsigned char)len,   (unsigned char)type, (unsigned char)flags, 0,
		0, 0, (unsigned char)stream};
	memcpy(f->bytes + f->len, head, sizeof(head));
	memcpy(f->bytes + f->len + sizeof(head), payload, len);
	f->len += sizeof(head) + len;
}

/* A header field without compression. */
static inline size_t grpc_field(unsigned char *out, const char *name, const char *value)
{
	out[0] = 0;
	return 1 + (size_t)sprintf((char *)out + 1, "%c%s%c%s", (int)strlen(name), name,
				   (int)strlen(value), value);
}

static inline size_t grpc_trailers(unsigned char *out, const struct grpc_answer *answer)
{
	size_t len = 0;
	if (answer->code[0])
		len += grpc_field(out, "grpc-status", answer->code);
	if (answer->message[0])
		len += grpc_field(out + len, "grpc-message", answer->message);
	return len;
}

static inline void grpc_answer_write(struct grpc_frames *f, const struct grpc_answer *answer)
{
	unsigned char block[256];
	const unsigned char body[] = {0, 0, 0, 0, 2, 8, (unsigned char)answer->health};
	f->len = 0;
	grpc_frame(f, 4, 0, 0, "", 0); /* SETTINGS, and ours to theirs */
	grpc_frame(f, 4, 1, 0, "", 0);
	block[0] = answer->http_status == 200 ? 0x88 : 0x8d;
	size_t len = 1 + grpc_field(block + 1, "content-type", "application/grpc");
	grpc_frame(f, 1, 4, 1, block, len);
	if (answer->health >= 0)
		grpc_frame(f, 0, 0, 1, body, sizeof(body));
	len = grpc_trailers(block, answer);
	if (len)
		grpc_frame(f, 1, 5, 1, block, len);
	else
		grpc_frame(f, 0, 1, 1, "", 0);
}

static inline int grpc_read(int fd, unsigned char *out, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t got = read(fd, out + at, len - at);
		if (got <= 0)
			return 0;
		at += (size_t)got;
	}
	return 1;
}

/* Serves the connection to its end. */
static inline void grpc_serve(int fd, const struct grpc_answer *answer)
{
	unsigned char head[24], payload[16384];
	struct grpc_frames reply;
	grpc_answer_write(&reply, answer);
	if (!grpc_read(fd, head, 24)) /* the client's preface */
		return;
	while (grpc_read(fd, head, 9)) {
		size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
		if (len > sizeof(payload) || !grpc_read(fd, payload, len))
			return;
		if (head[3] <= 1 && (head[4] & 1) && write(fd, reply.bytes, reply.len) < 0)
			return;
	}
}

#endif
