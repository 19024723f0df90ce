/* SPDX-License-Identifier: Apache-2.0 */
/* Reads top to bottom as the story of a session: hello, then for each write the device is found, checked and opened,
 * and a worker streams the image that follows onto it. */
#include "onhost/session.h"

#include <string.h>

#include "common/arena.h"
#include "common/cleanup.h"
#include "common/onhost_msg.h"
#include "onhost/confined.h"
#include "onhost/device.h"
#include "onhost/metadata.h"
#include "onhost/peer.h"
#include "onhost/target.h"
#include "onhost/worker.h"

#define ARENA_MAX ((size_t)16 * 1024 * 1024)
#define MIB ((uint64_t)1024 * 1024)

struct session {
	struct runtime *runtime;
	const struct session_options *options;
	struct peer peer;
	struct arena *arena;   /* for as long as the session */
	struct arena *scratch; /* for one message */
	struct sysfs_disks before; /* the disks when the session began, */
	bool listed;               /* if they could be told; otherwise at the first write */
	bool greeted;
	bool over; /* after an error: what follows in the stream cannot be understood */
};

static void session_close(struct session *session)
{
	peer_free(&session->peer);
	arena_free(session->arena);
	arena_free(session->scratch);
}

static int session_open(struct session *session, struct runtime *runtime, const struct session_options *options,
			struct error *err)
{
	session->runtime = runtime;
	session->options = options;
	peer_init(&session->peer, options->in_fd, options->out_fd, runtime->cancel);
	session->arena = arena_new(ARENA_MAX);
	session->scratch = arena_new(ARENA_MAX);
	if (session->arena == NULL || session->scratch == NULL)
		return error_nomem(err);
	if (options->lab_links != NULL) {
		log_info(runtime->log, "lab: the links in %s are taken for the volumes' identity%s", options->lab_links,
			 options->lab_files ? ", and may lead to regular files" : "");
		return 0;
	}
	/* where there is no sysfs, hello says so: cpi may want another builder then */
	session->listed = sysfs_list_disks(options->paths, session->arena, &session->before, err) == 0;
	return session->listed || err->kind == ERROR_IO ? 0 : -1;
}

static int end_session(struct session *session)
{
	session->over = true;
	return -1;
}

/* --- hello -------------------------------------------------------------------------------------------------------- */

static int say_hello(struct session *session, const struct onhost_hello *hello, struct error *err)
{
	struct onhost_msg answer = {
		.type = ONHOST_MSG_HELLO_OK,
		.hello_ok = { .version = ONHOST_PROTOCOL_VERSION, .release = CPI_VERSION, .devices_error = "" },
	};

	if (hello->version != ONHOST_PROTOCOL_VERSION)
		return error_set(err, ERROR_PROTOCOL,
				 "cpi %s speaks version %lld of the session and onhost " CPI_VERSION
				 " version %d: install both from one release",
				 hello->release, (long long)hello->version, ONHOST_PROTOCOL_VERSION);
	if (metadata_hello(session->runtime, session->scratch, &answer.hello_ok, err) != 0)
		return -1;
	if (session->options->lab_links == NULL &&
	    confined_check(session->options->paths, session->scratch, &answer.hello_ok.devices_error, err) != 0)
		return -1;
	if (peer_send(&session->peer, &answer, err) != 0)
		return end_session(session);
	session->greeted = true;
	return 0;
}

/* --- write -------------------------------------------------------------------------------------------------------- */

static int check_write(const struct session *session, const struct onhost_write *write, struct error *err)
{
	if (!session->greeted)
		return error_set(err, ERROR_PROTOCOL, "a write came before hello: say hello first");
	if (write->skip_zero_blocks && write->encrypted)
		return error_set(err, ERROR_CONFIG,
				 "skip_zero_blocks cannot be used with encryption: blocks that were never written read "
				 "as noise on an encrypted volume. Switch one of them off");
	if (write->skip_zero_blocks && !write->fresh)
		return error_set(err, ERROR_CONFIG, "skip_zero_blocks can only be used on a new volume");
	return 0;
}

static int find_device(struct session *session, const struct onhost_write *write, struct device *ret_device,
		       struct error *err)
{
	const struct session_options *options = session->options;
	const bool by_links = options->lab_links != NULL;

	/* what is there by now is older than the volume's disk, or not to be told from it */
	if (!by_links && !session->listed && sysfs_list_disks(options->paths, session->arena, &session->before, err) != 0)
		return -1;
	session->listed = !by_links;
	struct device_wait wait = {
		.paths = options->paths,
		.want = {
			.volume_id = write->volume_id,
			.device_name = write->device_name,
			.size = write->size_mib * MIB,
			.before = &session->before,
			.lab_links = options->lab_links,
			.lab_files = options->lab_files,
		},
		.timeout_ms = (int64_t)write->device_timeout_ms,
		.in_fd = options->in_fd,
		.out_fd = options->out_fd,
	};
	if (device_await(session->runtime, &wait, ret_device, err) != 0)
		return err->kind == ERROR_PROTOCOL ? end_session(session) : -1;
	return 0;
}

static int open_device(struct session *session, const struct onhost_write *write, struct target *ret_target,
		       struct error *err)
{
	struct device device;
	const struct target_rules rules = { .min_size = write->size_mib * MIB, .encrypted = write->encrypted };

	if (find_device(session, write, &device, err) != 0 ||
	    target_open(session->options->paths, &device, &rules, ret_target, err) != 0)
		return -1;
	log_info(session->runtime->log, "%s is %s (%s)", write->volume_id, ret_target->node,
		 ret_target->recognised_by);

	const struct onhost_msg ready = {
		.type = ONHOST_MSG_READY,
		.ready = { .device = ret_target->node, .recognised_by = ret_target->recognised_by },
	};
	if (peer_send(&session->peer, &ready, err) != 0) {
		target_close(ret_target);
		return end_session(session);
	}
	return 0;
}

static int tell_written(struct session *session, const struct onhost_write *write,
			const struct onhost_written *written, struct error *err)
{
	const struct onhost_msg msg = { .type = ONHOST_MSG_WRITTEN, .written = *written };

	log_info(session->runtime->log, "%s: %llu bytes written, %llu left out, in %.1f s (%s)", write->volume_id,
		 (unsigned long long)written->written, (unsigned long long)written->skipped, written->seconds,
		 written->format);
	return peer_send(&session->peer, &msg, err);
}

static int write_volume(struct session *session, const struct onhost_write *write, struct error *err)
{
	struct target target CLEANUP(target_close) = TARGET_INIT;
	struct onhost_written written;

	/* until it has heard that the device is ready, cpi sends nothing: a refusal leaves the session usable */
	if (check_write(session, write, err) != 0 || open_device(session, write, &target, err) != 0)
		return -1;
	/* from here on the image is looked at, and nothing needs root any more: the worker is in the sandbox */
	const struct worker_job job = { .peer = &session->peer, .write = write, .target = &target };
	if (worker_run(session->runtime, &job, session->scratch, &written, err) != 0) {
		error_prefix(err, "%s on %s", write->volume_id, target.node);
		return end_session(session);
	}
	if (tell_written(session, write, &written, err) != 0)
		return end_session(session);
	return 0;
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static int obey(struct session *session, const struct onhost_msg *msg, struct error *err)
{
	switch (msg->type) {
	case ONHOST_MSG_HELLO:
		return say_hello(session, &msg->hello, err);
	case ONHOST_MSG_WRITE:
		return write_volume(session, &msg->write, err);
	case ONHOST_MSG_UNKNOWN:
		return error_set(err, ERROR_PROTOCOL,
				 "onhost " CPI_VERSION " does not know the operation \"%.100s\": it "
				 "knows hello and write",
				 msg->unknown);
	default:
		return error_set(err, ERROR_PROTOCOL, "this message is not for onhost to receive here: it knows the "
				 "operations hello and write");
	}
}

static int next_message(struct session *session, struct onhost_msg *ret_msg, bool *ret_ended, struct error *err)
{
	const char *line;
	size_t len;

	arena_reset(session->scratch);
	if (peer_line(&session->peer, &line, &len, ret_ended, err) != 0)
		return end_session(session);
	if (!*ret_ended && onhost_msg_decode(session->scratch, line, len, ret_msg, err) != 0)
		return end_session(session);
	return 0;
}

static int answer_error(struct session *session, const struct error *what)
{
	const struct onhost_msg msg = {
		.type = ONHOST_MSG_ERROR,
		.error = { .type = error_kind_name(what->kind), .message = what->message },
	};
	return peer_send(&session->peer, &msg, NULL);
}

/* One message. *ret_ended at the end of the session; -1 only when the session is over because of an error. */
static int serve_one(struct session *session, bool *ret_ended, struct error *err)
{
	struct onhost_msg msg;

	if (next_message(session, &msg, ret_ended, err) == 0 && (*ret_ended || obey(session, &msg, err) == 0))
		return 0;
	/* what went wrong first is what the session ends with, whether or not it can still be told */
	if (answer_error(session, err) != 0 || cancel_raised(session->runtime->cancel))
		session->over = true;
	if (session->over)
		return -1;
	log_error(session->runtime->log, "%s", err->message);
	return 0;
}

int session_serve(struct runtime *runtime, const struct session_options *options, struct error *err)
{
	struct session session CLEANUP(session_close) = { .greeted = false };
	bool ended = false;

	if (session_open(&session, runtime, options, err) != 0)
		return -1;
	while (!ended) {
		if (serve_one(&session, &ended, err) != 0)
			return -1;
	}
	return 0;
}
