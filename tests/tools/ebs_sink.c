/* SPDX-License-Identifier: Apache-2.0 */
/* For the bench: `ebs_sink [--latency MS]` answers as EBS, EC2 and STS do to whoever uploads a snapshot, and throws the blocks
 * away: nothing is hashed, kept or checked, a block's bytes are not even copied out of the kernel. So what an upload costs
 * against it is what the uploader costs. Plain HTTP on the loopback address; its URL is the first line on standard output. Each
 * answer comes MS (20) milliseconds after its request, those of several connections side by side. SIGTERM ends it with a line
 * of JSON: what has come, and how much of it at once. One thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 32768 /* bytes of headers, and of the bodies of calls that are no blocks */
#define ANSWER_MAX 4096
#define EVENTS 64
#define FDS_MAX 1024
#define SNAPSHOT "snap-0123456789abcdef0"

struct connection {
	int fd;
	char head[HEAD_MAX + 1];
	size_t head_len;
	size_t headers_len; /* with the empty line; 0: it has not come yet */
	size_t body_left;   /* bytes of a block that are still to come */
	bool is_block;
	bool gone;
	char checksum[64 + 1];
	int64_t due_ms; /* when the answer is */
	struct connection *next; /* in the row of those that wait for their answers */
};

struct counts {
	uint64_t calls, blocks, bytes;
	unsigned connections, most_connections, blocks_now, most_blocks;
};

struct sink {
	int epoll, listener, signals;
	int64_t latency_ms;
	struct connection *by_fd[FDS_MAX];
	struct connection *first, *last; /* whose answers wait, in the order in which they are due */
	struct counts counts;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

/* The value of a header, "" where there is none; it ends at the line's end. */
static const char *header(const struct connection *connection, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = strstr(connection->head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, len) == 0 && line[2 + len] == ':')
			return line + 3 + len + strspn(line + 3 + len, " ");
	return "";
}

/* The value of a form's field or of a JSON number; it ends where its characters do. */
static void field(const struct connection *connection, const char *name, const char *characters, char *ret, size_t size)
{
	const char *found = strstr(connection->head + connection->headers_len, name);
	const char *value = found == NULL ? "" : found + strlen(name);

	snprintf(ret, size, "%.*s", (int)strspn(value, characters), value);
}

static int ec2_answer(const struct connection *connection, char *body, size_t size)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
	char action[64];
	char snapshot[64];

	field(connection, "Action=", letters, action, sizeof(action));
	field(connection, "SnapshotId.1=", letters, snapshot, sizeof(snapshot));
	if (strcmp(action, "DescribeSnapshots") == 0)
		return snprintf(body, size,
				"<DescribeSnapshotsResponse><requestId>0</requestId><snapshotSet><item><snapshotId>%s</snapshotId>"
				"<volumeId>vol-ffffffff</volumeId><status>completed</status><progress>100%%</progress><ownerId>123456789012"
				"</ownerId><volumeSize>1</volumeSize><description></description><encrypted>false</encrypted><tagSet/>"
				"</item></snapshotSet></DescribeSnapshotsResponse>", *snapshot == '\0' ? SNAPSHOT : snapshot);
	if (strcmp(action, "GetCallerIdentity") == 0)
		return snprintf(body, size,
				"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/sink</Arn>"
				"<UserId>AIDASINK</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata>"
				"<RequestId>0</RequestId></ResponseMetadata></GetCallerIdentityResponse>");
	if (strcmp(action, "GetEbsEncryptionByDefault") == 0)
		return snprintf(body, size,
				"<GetEbsEncryptionByDefaultResponse><ebsEncryptionByDefault>false</ebsEncryptionByDefault>"
				"</GetEbsEncryptionByDefaultResponse>");
	if (strcmp(action, "RegisterImage") == 0)
		return snprintf(body, size, "<RegisterImageResponse><imageId>ami-0123456789abcdef0</imageId></RegisterImageResponse>");
	return snprintf(body, size, "<%sResponse><requestId>0</requestId><return>true</return></%sResponse>", action, action);
}

static int ebs_answer(const struct connection *connection, char *body, size_t size)
{
	char gib[16];

	if (strncmp(connection->head, "POST /snapshots/completion/", 27) == 0)
		return snprintf(body, size, "{\"Status\":\"pending\"}");
	field(connection, "\"VolumeSize\":", " 0123456789", gib, sizeof(gib));
	return snprintf(body, size,
			"{\"SnapshotId\":\"" SNAPSHOT "\",\"OwnerId\":\"123456789012\",\"Status\":\"pending\",\"StartTime\":1.0,"
			"\"VolumeSize\":%s,\"BlockSize\":524288}", *gib == '\0' ? "1" : gib);
}

static int answer_to(const struct connection *connection, char *answer, size_t size)
{
	char body[ANSWER_MAX / 2] = "{}";
	char more[128] = "";
	const char *status = "200 OK";
	int len = 2;

	if (connection->is_block) {
		status = "201 Created";
		snprintf(more, sizeof(more), "x-amz-Checksum: %s\r\nx-amz-Checksum-Algorithm: SHA256\r\n", connection->checksum);
	} else if (strncmp(connection->head, "POST /snapshots", 15) == 0) {
		status = connection->head[15] == '/' ? "202 Accepted" : "201 Created";
		len = ebs_answer(connection, body, sizeof(body));
	} else {
		len = ec2_answer(connection, body, sizeof(body));
	}
	return snprintf(answer, size, "HTTP/1.1 %s\r\nContent-Type: %s\r\nx-amzn-RequestId: 0\r\n%sContent-Length: %d\r\n\r\n%s",
			status, *body == '{' ? "application/json" : "text/xml", more, len, body);
}

/* --- connections -------------------------------------------------------------------------------------------------- */

static void let_go(struct sink *sink, struct connection *connection)
{
	sink->by_fd[connection->fd] = NULL;
	close(connection->fd);
	sink->counts.connections--;
	free(connection);
}

/* The connection is no good any more; one that waits for its answer goes when that is due. */
static void lose(struct sink *sink, struct connection *connection)
{
	epoll_ctl(sink->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
	if (connection->due_ms == 0) {
		sink->counts.blocks_now -= connection->is_block;
		let_go(sink, connection);
	} else {
		connection->gone = true;
	}
}

static void request_came(struct sink *sink, struct connection *connection)
{
	sink->counts.calls++;
	sink->counts.blocks += connection->is_block;
	connection->due_ms = now_ms() + sink->latency_ms;
	connection->next = NULL;
	if (sink->first == NULL)
		sink->first = connection;
	else
		sink->last->next = connection;
	sink->last = connection;
}

/* The headers are there; what follows them in head already is of the body. False: this is no request. */
static bool headers_came(struct sink *sink, struct connection *connection)
{
	size_t came = connection->head_len - connection->headers_len;

	connection->is_block = strncmp(connection->head, "PUT ", 4) == 0;
	if (connection->is_block) {
		connection->head[connection->headers_len] = '\0'; /* what follows is no text */
		if (++sink->counts.blocks_now > sink->counts.most_blocks)
			sink->counts.most_blocks = sink->counts.blocks_now;
	}
	size_t body = strtoul(header(connection, "Content-Length"), NULL, 10);
	const char *checksum = header(connection, "x-amz-Checksum");
	if (came > body || (!connection->is_block && connection->headers_len + body > HEAD_MAX))
		return false;
	connection->body_left = body - came;
	sink->counts.bytes += connection->is_block ? body : 0;
	snprintf(connection->checksum, sizeof(connection->checksum), "%.*s", (int)strcspn(checksum, "\r"), checksum);
	if (*header(connection, "Expect") != '\0')
		return send(connection->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) == 25;
	return true;
}

/* With MSG_TRUNC the kernel drops what it would have copied. */
static ssize_t receive(struct connection *connection)
{
	if (connection->headers_len > 0 && connection->is_block)
		return recv(connection->fd, NULL, connection->body_left, MSG_TRUNC | MSG_DONTWAIT);
	size_t room = connection->headers_len > 0 ? connection->body_left : HEAD_MAX - connection->head_len;
	return recv(connection->fd, connection->head + connection->head_len, room, MSG_DONTWAIT);
}

/* Whether the connection goes on. */
static bool take(struct sink *sink, struct connection *connection, size_t n)
{
	if (connection->headers_len > 0) {
		connection->body_left -= n;
		connection->head_len += connection->is_block ? 0 : n;
	} else {
		connection->head_len += n;
		connection->head[connection->head_len] = '\0';
		const char *end = memmem(connection->head, connection->head_len, "\r\n\r\n", 4);
		if (end == NULL)
			return connection->head_len < HEAD_MAX;
		connection->headers_len = (size_t)(end + 4 - connection->head);
		if (!headers_came(sink, connection))
			return false;
	}
	connection->head[connection->head_len] = '\0';
	if (connection->body_left == 0)
		request_came(sink, connection);
	return true;
}

static void readable(struct sink *sink, struct connection *connection)
{
	while (connection->due_ms == 0) {
		ssize_t n = receive(connection);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0 || !take(sink, connection, (size_t)n)) {
			lose(sink, connection);
			return;
		}
	}
	char byte;
	if (recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) /* an end, or a request before the answer */
		lose(sink, connection);
}

static void answer(struct sink *sink, struct connection *connection)
{
	char text[ANSWER_MAX];
	int len = answer_to(connection, text, sizeof(text));

	sink->counts.blocks_now -= connection->is_block;
	connection->due_ms = 0;
	connection->head_len = connection->headers_len = 0;
	connection->is_block = false;
	if (connection->gone)
		let_go(sink, connection);
	else if (send(connection->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
		lose(sink, connection);
}

/* Answers what is due; milliseconds until the next one, -1 where none waits. */
static int answer_due(struct sink *sink)
{
	while (sink->first != NULL) {
		int64_t left = sink->first->due_ms - now_ms();
		if (left > 0)
			return (int)left;
		struct connection *connection = sink->first;
		sink->first = connection->next;
		answer(sink, connection);
	}
	return -1;
}

static int welcome(struct sink *sink)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int on = 1;

	if (connection == NULL)
		return -1;
	connection->fd = accept4(sink->listener, NULL, NULL, SOCK_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = connection } };
	if (connection->fd < 0 || connection->fd >= FDS_MAX || epoll_ctl(sink->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
		free(connection);
		return -1;
	}
	sink->by_fd[connection->fd] = connection;
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (++sink->counts.connections > sink->counts.most_connections)
		sink->counts.most_connections = sink->counts.connections;
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------------------------- */

static int open_listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 128) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		return -1;
	printf("http://127.0.0.1:%u\n", ntohs(address.sin_port));
	return fflush(stdout) == 0 ? fd : -1;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	return sigprocmask(SIG_BLOCK, &set, NULL) == 0 ? signalfd(-1, &set, SFD_CLOEXEC) : -1;
}

static int open_sink(struct sink *sink)
{
	struct epoll_event event = { .events = EPOLLIN };

	sink->epoll = epoll_create1(EPOLL_CLOEXEC);
	sink->signals = open_signals();
	sink->listener = open_listener();
	if (sink->epoll < 0 || sink->signals < 0 || sink->listener < 0)
		return -1;
	event.data.ptr = &sink->signals;
	if (epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->signals, &event) != 0)
		return -1;
	event.data.ptr = &sink->listener;
	return epoll_ctl(sink->epoll, EPOLL_CTL_ADD, sink->listener, &event);
}

/* Until a signal comes. Events of connections come before the answers that are due, which may free some. */
static int run(struct sink *sink)
{
	struct epoll_event events[EVENTS];

	while (true) {
		int n = epoll_wait(sink->epoll, events, EVENTS, answer_due(sink));
		if (n < 0 && errno != EINTR)
			return -1;
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &sink->signals)
				return 0;
			if (events[i].data.ptr != &sink->listener)
				readable(sink, events[i].data.ptr);
			else if (welcome(sink) != 0)
				return -1;
		}
	}
}

int main(int argc, char *argv[])
{
	struct sink sink = { .latency_ms = 20 };
	const struct counts *counts = &sink.counts;

	if (argc == 3 && strcmp(argv[1], "--latency") == 0)
		sink.latency_ms = strtol(argv[2], NULL, 10);
	else if (argc != 1) {
		fprintf(stderr, "usage: ebs_sink [--latency MS]\n");
		return 2;
	}
	if (open_sink(&sink) != 0 || run(&sink) != 0) {
		fprintf(stderr, "ebs_sink: %s\n", strerror(errno));
		return 1;
	}
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (sink.by_fd[fd] != NULL)
			let_go(&sink, sink.by_fd[fd]);
	printf("{\"calls\": %" PRIu64 ", \"blocks\": %" PRIu64 ", \"bytes\": %" PRIu64 ", \"most_connections\": %u, "
	       "\"most_blocks_at_once\": %u}\n", counts->calls, counts->blocks, counts->bytes, counts->most_connections,
	       counts->most_blocks);
	return 0;
}
