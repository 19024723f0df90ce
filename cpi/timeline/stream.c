/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"

_Static_assert(STREAM_BUFFER / 2 >= READ_MIN_PIECE, "half a buffer must do for a piece");

struct stream {
	struct reader *reader;
	struct stream_counts counts;
	char *buffer;
	size_t begin;    /* of the line, or of what is left of it */
	size_t searched; /* no line end before that */
	size_t end;
	uint64_t noted; /* what the reader had noted before the line */
};

static uint64_t noted(const struct reader *reader)
{
	return reader->found + reader->cut;
}

static void end_line(struct stream *stream, size_t end)
{
	read_events(stream->reader, stream->buffer + stream->begin, end - stream->begin, true);
	stream->counts.lines++;
	if (noted(stream->reader) == stream->noted)
		stream->counts.foreign++;
	stream->noted = noted(stream->reader);
}

static void take_lines(struct stream *stream)
{
	while (stream->searched < stream->end) {
		const char *from = stream->buffer + stream->searched;
		const char *at = memchr(from, '\n', stream->end - stream->searched);
		if (at == NULL) {
			stream->searched = stream->end;
			return;
		}
		end_line(stream, (size_t)(at - stream->buffer));
		stream->begin = stream->searched = (size_t)(at - stream->buffer) + 1;
	}
}

/* Room behind what is there; from a line that fills the buffer a piece is taken. */
static void make_room(struct stream *stream)
{
	if (stream->end < STREAM_BUFFER)
		return;
	if (stream->end - stream->begin >= STREAM_BUFFER / 2)
		stream->begin += read_events(stream->reader, stream->buffer + stream->begin, stream->end - stream->begin,
					     false);
	memmove(stream->buffer, stream->buffer + stream->begin, stream->end - stream->begin);
	stream->searched -= stream->begin;
	stream->end -= stream->begin;
	stream->begin = 0;
}

int stream_read(int fd, const char *what, struct reader *reader, struct stream_counts *ret_counts, struct error *err)
{
	CLEANUP_FREE char *buffer = malloc(STREAM_BUFFER);
	struct stream stream = { .reader = reader, .buffer = buffer, .noted = noted(reader) };

	if (buffer == NULL)
		return error_nomem(err);
	for (;;) {
		make_room(&stream);
		ssize_t got = read(fd, stream.buffer + stream.end, STREAM_BUFFER - stream.end);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, ERROR_IO, errno, "cannot read %s", what);
		if (got == 0)
			break;
		stream.counts.bytes += (uint64_t)got;
		stream.end += (size_t)got;
		take_lines(&stream);
	}
	if (stream.begin < stream.end)
		end_line(&stream, stream.end);
	*ret_counts = stream.counts;
	return 0;
}
