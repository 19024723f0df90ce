/* SPDX-License-Identifier: Apache-2.0 */
/* Those who hash and send an upload's blocks, and what they share with the one who reads them (uploader.c): pieces, which go round
 * between idle, waiting and at work, and the sums. Memory is the pieces. */
#ifndef CPI_UPLOAD_CREW_H
#define CPI_UPLOAD_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/deadline.h"
#include "common/error.h"
#include "common/runtime.h"
#include "cpi/ec2/client.h"
#include "cpi/upload/gate.h"
#include "cpi/upload/uploader.h"

#define CREW_SPARE_PIECES 2 /* one that is read into, one that waits */

struct crew_piece {
	struct crew_piece *next;
	uint32_t number; /* among those that came, from 0 */
	struct image_block block;
	uint8_t data[ONHOST_BLOCK_SIZE];
};

struct crew {
	const struct uploader_options *options;
	struct ec2_client *ec2;
	struct runtime *runtime;
	struct cancel cut; /* what the calls are to watch: raised at the first failure */
	struct gate *gate;
	unsigned connections;
	int64_t start_ms;
	struct deadline unknown_until; /* "no such snapshot" may be AWS's slowness */
	pthread_t threads[UPLOADER_CONNECTIONS_MAX];
	unsigned n_threads;

	/* the reader's alone */
	struct crew_piece *pieces[UPLOADER_CONNECTIONS_MAX + CREW_SPARE_PIECES];
	unsigned n_pieces;
	uint64_t end;        /* of the last block: bytes from the image's start */

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t work;    /* for those who send */
	pthread_cond_t changed; /* for the reader */
	struct crew_piece *idle;
	struct crew_piece *first; /* that waits to be sent */
	struct crew_piece **last;
	bool no_more;
	unsigned at_work;
	bool failed;
	struct error failure; /* the first */
	uint8_t *digests;     /* SHA256_LEN bytes each, by number */
	size_t room;
	uint32_t n_blocks;
	uint32_t n_known; /* of these, in the record */
	uint32_t n_resumed;
	uint64_t holes; /* bytes of the image that need not be sent */
	uint64_t resumed;
	uint64_t written;
	unsigned throttled;
	unsigned under_way;
	unsigned most_at_once;
	struct error recording; /* why nothing is recorded any more */
};

/* Nothing is started yet. options must outlive it. */
int crew_open(struct crew *crew, struct runtime *runtime, struct ec2_client *ec2, const struct uploader_options *options,
	      struct error *err);
/* As many threads as are wanted and can be had. */
int crew_start(struct crew *crew, struct error *err);
/* No piece is taken any more, and what is on its way is cut off, with that signal or CANCEL_NO_SIGNAL. Of several failures the first
 * counts. Any thread. */
void crew_fail(struct crew *crew, int signal, const struct error *failure);
bool crew_failed(struct crew *crew);

/* The reader's. A piece to read into; NULL: all are in use (wait: also after a moment), or no memory for a first one, which is a
 * failure of the crew's. */
struct crew_piece *crew_idle(struct crew *crew, bool wait);
/* To be sent; it belongs to the crew from now on. */
void crew_hand_over(struct crew *crew, struct crew_piece *piece);
/* Whether all that was handed over is done, also after a moment. */
bool crew_done(struct crew *crew);
/* Returns when all threads have ended; what still waits is sent before, unless the crew has failed. */
void crew_end(struct crew *crew);
/* After that. */
void crew_close(struct crew *crew);

/* Milliseconds on the clock. */
int64_t crew_ms(const struct crew *crew);

#endif
