/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that accepts, one for each connection; all are joined at the end, so that sanitizers see no leftovers. */
#include "tests/unit/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_CONNECTIONS 64
#define MAX_REQUEST (2 * 1024 * 1024)

struct connection {
	struct http_server *server;
	unsigned number;
	int fd;
	pthread_t thread;
};

struct http_server {
	http_server_answer answer;
	void *context;
	int listener;
	int port;
	char url[512];
	pthread_t thread;
	pthread_mutex_t lock; /* over what follows */
	bool stopping;
	unsigned n_requests;
	unsigned n_connections;
	struct connection connections[MAX_CONNECTIONS];
};

static void give_up(const char *what)
{
	perror(what);
	abort();
}

/* Length of the whole request at the beginning of text, 0 while it is not all there. */
static size_t request_length(const char *text, size_t len)
{
	const char *end = strstr(text, "\r\n\r\n");

	if (end == NULL)
		return 0;
	size_t need = (size_t)(end - text) + 4;
	const char *length = strcasestr(text, "\r\ncontent-length:");
	if (length != NULL && length < end)
		need += strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
	return len >= need ? need : 0;
}

static bool read_request(int fd, char *text)
{
	size_t len = 0;

	text[0] = '\0';
	while (request_length(text, len) == 0) {
		ssize_t n = read(fd, text + len, MAX_REQUEST - len - 1);
		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
	}
	return true;
}

static void *serve_connection(void *self)
{
	struct connection *connection = self;
	struct http_server *server = connection->server;
	char *text = malloc(MAX_REQUEST);
	bool keep = true;

	while (text != NULL && keep && read_request(connection->fd, text)) {
		pthread_mutex_lock(&server->lock);
		unsigned number = server->n_requests++;
		pthread_mutex_unlock(&server->lock);
		struct http_server_request request = { number, connection->number, text, connection->fd };
		keep = server->answer(server, &request, server->context);
	}
	free(text);
	/* under the lock, so that http_server_stop does not shut down a number that is somebody else's by then */
	pthread_mutex_lock(&server->lock);
	close(connection->fd);
	connection->fd = -1;
	pthread_mutex_unlock(&server->lock);
	return NULL;
}

static void *accept_all(void *self)
{
	struct http_server *server = self;

	for (;;) {
		int fd = accept(server->listener, NULL, NULL);
		pthread_mutex_lock(&server->lock);
		if (fd < 0 || server->stopping || server->n_connections == MAX_CONNECTIONS) {
			pthread_mutex_unlock(&server->lock);
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		struct connection *connection = &server->connections[server->n_connections];
		*connection = (struct connection){ .server = server, .number = server->n_connections, .fd = fd };
		if (pthread_create(&connection->thread, NULL, serve_connection, connection) != 0)
			give_up("pthread_create");
		server->n_connections++;
		pthread_mutex_unlock(&server->lock);
	}
}

struct http_server *http_server_start(http_server_answer answer, void *context)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	struct http_server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		give_up("calloc");
	signal(SIGPIPE, SIG_IGN);
	server->answer = answer;
	server->context = context;
	pthread_mutex_init(&server->lock, NULL);
	server->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (server->listener < 0 || bind(server->listener, (struct sockaddr *)&address, len) != 0 ||
	    listen(server->listener, 16) != 0 ||
	    getsockname(server->listener, (struct sockaddr *)&address, &len) != 0)
		give_up("listen");
	server->port = ntohs(address.sin_port);
	if (pthread_create(&server->thread, NULL, accept_all, server) != 0)
		give_up("pthread_create");
	return server;
}

void http_server_stop(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	for (unsigned i = 0; i < server->n_connections; i++) {
		if (server->connections[i].fd >= 0)
			shutdown(server->connections[i].fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&server->lock);
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	for (unsigned i = 0; i < server->n_connections; i++)
		pthread_join(server->connections[i].thread, NULL);
	close(server->listener);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

const char *http_server_url(struct http_server *server, const char *path)
{
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%d%s", server->port, path);
	return server->url;
}

unsigned http_server_requests(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	unsigned n = server->n_requests;
	pthread_mutex_unlock(&server->lock);
	return n;
}

void http_server_send(const struct http_server_request *request, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(request->fd, text, len);
		if (n <= 0)
			return; /* the other side is gone, as some tests want it */
		text += n;
		len -= (size_t)n;
	}
}

void http_server_hang(const struct http_server_request *request)
{
	char byte;

	while (read(request->fd, &byte, 1) > 0)
		;
}

void http_server_reset(const struct http_server_request *request)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(request->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}
