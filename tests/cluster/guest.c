/* The only program of the test image: static, so that the image needs nothing else. */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../grpc_server.h"

static void on_term(int signal)
{
	_exit(7);
}

static int serve(void)
{
	signal(SIGTERM, on_term);
	printf("hello from %d\n", (int)getpid());
	fflush(stdout);
	fprintf(stderr, "a warning\n");
	for (;;)
		pause();
}

static int identity(void)
{
	gid_t groups[64];
	char line[256];
	int count = getgroups(64, groups);
	printf("uid=%d gid=%d groups=", (int)getuid(), (int)getgid());
	for (int i = 0; i < count; i++)
		printf("%s%d", i ? "," : "", (int)groups[i]);
	FILE *status = fopen("/proc/self/status", "r");
	while (status && fgets(line, sizeof(line), status)) {
		if (!strncmp(line, "CapEff:", 7) || !strncmp(line, "NoNewPrivs:", 11) ||
		    !strncmp(line, "Seccomp:", 8))
			printf(" %.*s", (int)strcspn(line, "\n"), line);
	}
	printf("\n");
	return 0;
}

static int eat(void)
{
	for (int i = 0; i < 4096; i++) {
		char *block = malloc(1 << 20);
		if (block)
			memset(block, 1, 1 << 20);
	}
	return 0;
}

static int copy(void)
{
	char bytes[4096];
	size_t len;
	while ((len = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
		fwrite(bytes, 1, len, stdout);
	return 3;
}

static int touch(const char *path)
{
	FILE *f = fopen(path, "w");
	printf("%s\n", f ? "written" : "refused");
	return f ? 0 : 1;
}

static int show(const char *path)
{
	return freopen(path, "r", stdin) ? copy() : 1;
}

/* Serves one connection after the other; the text, or the health service of gRPC. */
static int listen_on(const char *port, const char *text, int health)
{
	const struct grpc_answer answer = {200, "0", "", health};
	struct sockaddr_in6 at = {.sin6_family = AF_INET6,
				  .sin6_port = htons((unsigned short)atoi(port))};
	int on = 1, fd = socket(AF_INET6, SOCK_STREAM, 0);
	signal(SIGTERM, on_term);
	signal(SIGPIPE, SIG_IGN);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 16))
		return 1;
	for (;;) {
		int client = accept(fd, NULL, NULL);
		if (text)
			(void)!write(client, text, strlen(text));
		else
			grpc_serve(client, &answer);
		close(client);
	}
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "serve";
	if (!strcmp(verb, "serve"))
		return serve();
	if (!strcmp(verb, "exit"))
		return atoi(argv[2]);
	if (!strcmp(verb, "id"))
		return identity();
	if (!strcmp(verb, "eat"))
		return eat();
	if (!strcmp(verb, "copy"))
		return copy();
	if (!strcmp(verb, "touch"))
		return touch(argv[2]);
	if (!strcmp(verb, "show"))
		return show(argv[2]);
	if (!strcmp(verb, "env"))
		return puts(getenv(argv[2]) ? getenv(argv[2]) : "(none)") < 0;
	if (!strcmp(verb, "sleep"))
		return (int)sleep((unsigned)atoi(argv[2]));
	if (!strcmp(verb, "grpc"))
		return listen_on(argv[2], NULL, atoi(argv[3]));
	if (!strcmp(verb, "say"))
		return listen_on(argv[2], argv[3], 0);
	if (!strcmp(verb, "tty"))
		return puts(isatty(0) ? "terminal" : "no terminal") < 0;
	if (!strcmp(verb, "name")) {
		char name[65] = "";
		gethostname(name, sizeof(name));
		return puts(name) < 0;
	}
	return 99;
}
