/* SPDX-License-Identifier: Apache-2.0 */
/* What people (and serve: cpi) start. Each function is one command from its options to its output; the work is done by
 * session, device, target and pipeline. */
#include "onhost/commands.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/progress.h"
#include "onhost/blockflow.h"
#include "onhost/device.h"
#include "onhost/image_file.h"
#include "onhost/metadata.h"
#include "onhost/pipeline.h"
#include "onhost/result.h"
#include "onhost/sandbox.h"
#include "onhost/session.h"
#include "onhost/target.h"

#define OUTPUT_MAX ((size_t)65536)
#define ARENA_MAX ((size_t)4 * 1024 * 1024)
#define LAB_LINKS "/dev/" DEVICE_BY_ID

static const struct device_paths system_paths = DEVICE_PATHS_SYSTEM;

static int print(const struct buf *text, struct error *err)
{
	if (buf_check(text, "the result", err) != 0)
		return -1;
	return io_write_all(STDOUT_FILENO, text->data, text->len, "the result to standard output", err);
}

static const char *lab_links(const struct options *options)
{
	if (!options->lab)
		return NULL;
	return options->lab_devices != NULL ? options->lab_devices : LAB_LINKS;
}

/* --- serve, metadata ---------------------------------------------------------------------------------------------- */

static int run_serve(struct runtime *runtime, const struct options *options, struct error *err)
{
	const struct session_options session = {
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.paths = &system_paths,
		.lab_links = lab_links(options),
		.lab_files = options->lab_devices != NULL,
	};

	if (isatty(STDIN_FILENO) == 1)
		return error_set(err, ERROR_INVALID_CALL,
				 "serve expects a session with cpi on its standard input (lines of JSON, the first "
				 "{\"op\":\"hello\",\"version\":1}), not a terminal. For people there is `onhost "
				 "write`");
	return session_serve(runtime, &session, err);
}

static int run_metadata(struct runtime *runtime, const struct options *options, struct error *err)
{
	struct buf text CLEANUP_BUF = BUF_INIT(OUTPUT_MAX);

	(void)options;
	if (metadata_print(runtime, &text, err) != 0)
		return -1;
	return print(&text, err);
}

/* --- wait-device -------------------------------------------------------------------------------------------------- */

static int find_volume(struct runtime *runtime, const struct options *options, const char *device_name,
		       struct device *ret_device, struct error *err)
{
	struct arena *arena CLEANUP_ARENA = arena_new(ARENA_MAX);
	struct sysfs_disks before = { .count = 0 };
	if (arena == NULL)
		return error_nomem(err);
	if (!options->lab && sysfs_list_disks(&system_paths, arena, &before, err) != 0)
		return -1;

	const struct device_wait wait = {
		.paths = &system_paths,
		.want = {
			.volume_id = options->volume,
			.device_name = device_name,
			.before = &before,
			.lab_links = lab_links(options),
			.lab_files = options->lab_devices != NULL,
		},
		.timeout_ms = options->timeout_ms,
		.in_fd = -1,
		.out_fd = -1,
	};
	return device_await(runtime, &wait, ret_device, err);
}

static int run_wait_device(struct runtime *runtime, const struct options *options, struct error *err)
{
	struct buf text CLEANUP_BUF = BUF_INIT(OUTPUT_MAX);
	struct device device;

	if (options->volume == NULL)
		return error_set(err, ERROR_INVALID_CALL, "wait-device needs --volume ID");
	if (find_volume(runtime, options, options->device, &device, err) != 0 || target_identify(&device, err) != 0)
		return -1;
	result_of_device(&device, options->json, &text);
	return print(&text, err);
}

/* --- write, verify, unpack ---------------------------------------------------------------------------------------- */

static int report(const struct options *options, const struct pipeline_result *result, const char *what,
		  const char *device, struct error *err)
{
	struct buf text CLEANUP_BUF = BUF_INIT(OUTPUT_MAX);

	result_of_image(result, what, device, options->json, &text);
	return print(&text, err);
}

static int open_image(struct runtime *runtime, const struct options *options, struct image_file *ret_file,
		      struct error *err)
{
	const char *path = options->image == NULL ? "-" : options->image;

	if (strcmp(path, "-") == 0 && isatty(STDIN_FILENO) == 1)
		return error_set(err, ERROR_INVALID_CALL,
				 "a stemcell image is expected on standard input, which is a terminal: redirect it, or "
				 "say --image FILE");
	return image_file_open(ret_file, path, runtime->cancel, err);
}

static struct pipeline_options pipeline_of(const struct options *options, struct image_file *file,
					   struct progress *progress)
{
	return (struct pipeline_options){
		.source = { .read = image_file_read, .self = file, .stop = image_file_stop },
		.digest = options->digest,
		.progress = progress_show,
		.progress_self = progress,
	};
}

/* When all is open, and before the first byte of the image is read: from here on nothing needs root any more.
 * target_fd is -1 where there is none; what then goes to standard output may be a file of any size. */
static int enter_sandbox(const struct runtime *runtime, const struct image_file *file, int target_fd, struct error *err)
{
	const struct sandbox_rules rules = {
		.keep = { STDOUT_FILENO, STDERR_FILENO, file->fd, file->stop.read_fd, file->stop.write_fd, target_fd,
			  runtime->cancel->read_fd, runtime->cancel->write_fd },
		.n_keep = 8,
		.file_room = target_fd >= 0 ? SANDBOX_FILE_ROOM : 0,
	};
	const char *missing;

	if (sandbox_enter(&rules, &missing, err) != 0)
		return -1;
	if (missing != NULL)
		log_info(runtime->log, "the image is read with %s: this machine does not give them to onhost", missing);
	return 0;
}

static int check_write(const struct options *options, struct error *err)
{
	if ((options->volume == NULL) == (options->device == NULL))
		return error_set(err, ERROR_INVALID_CALL, "write needs either --volume ID or --device PATH");
	if (options->force && options->volume != NULL)
		return error_set(err, ERROR_INVALID_CALL,
				 "--force is only for a device that you name with --device PATH");
	if (options->fresh && options->device != NULL)
		return error_set(err, ERROR_INVALID_CALL,
				 "--fresh is only for a volume (--volume ID): that both ends of a device are blank "
				 "does not show that its middle is");
	if (options->skip_zero_blocks && (!options->fresh || options->encrypted))
		return error_set(err, ERROR_INVALID_CALL, "--skip-zero-blocks needs --fresh, and forbids --encrypted");
	return 0;
}

static int open_target(struct runtime *runtime, const struct options *options, struct target *ret_target,
		       struct error *err)
{
	const struct target_rules rules = { .encrypted = options->encrypted, .force = options->force };
	struct device device;

	if (options->device != NULL) {
		if (target_name(options->device, &device, err) != 0)
			return -1;
	} else if (find_volume(runtime, options, options->device_name, &device, err) != 0) {
		return -1;
	}
	if (target_open(&system_paths, &device, &rules, ret_target, err) != 0)
		return -1;
	log_info(runtime->log, "the device is %s (%s)", ret_target->node, ret_target->recognised_by);
	return 0;
}

static int run_write(struct runtime *runtime, const struct options *options, struct error *err)
{
	struct image_file file CLEANUP(image_file_close) = IMAGE_FILE_INIT;
	struct target opened CLEANUP(target_close) = TARGET_INIT;
	struct progress progress CLEANUP(progress_end);
	struct pipeline_result result;

	progress_init(&progress, STDERR_FILENO, options->json, runtime->clock);
	if (check_write(options, err) != 0 || open_image(runtime, options, &file, err) != 0 ||
	    open_target(runtime, options, &opened, err) != 0 ||
	    enter_sandbox(runtime, &file, opened.fd, err) != 0)
		return -1;

	const struct pipeline_options how = pipeline_of(options, &file, &progress);
	const struct pipeline_target target = {
		.fd = opened.fd,
		.name = opened.node,
		.size = opened.size,
		.fresh = options->fresh,
		.encrypted = options->encrypted,
		.skip_zero_blocks = options->skip_zero_blocks,
	};
	if (pipeline_write(runtime, &how, &target, &result, err) != 0)
		return -1;
	progress_end(&progress);
	return report(options, &result, "written", opened.node, err);
}

static int run_verify(struct runtime *runtime, const struct options *options, struct error *err)
{
	struct image_file file CLEANUP(image_file_close) = IMAGE_FILE_INIT;
	struct target opened CLEANUP(target_close) = TARGET_INIT;
	struct progress progress CLEANUP(progress_end);
	struct pipeline_result result;

	progress_init(&progress, STDERR_FILENO, options->json, runtime->clock);
	if (options->device == NULL)
		return error_set(err, ERROR_INVALID_CALL, "verify needs --device PATH");
	if (open_image(runtime, options, &file, err) != 0 ||
	    target_open_to_read(options->device, &opened, err) != 0 ||
	    enter_sandbox(runtime, &file, opened.fd, err) != 0)
		return -1;

	const struct pipeline_options how = pipeline_of(options, &file, &progress);
	const struct pipeline_target target = {
		.fd = opened.fd,
		.name = opened.node,
		.size = opened.size,
		.fresh = options->fresh,
		.encrypted = options->encrypted,
	};
	if (pipeline_verify(runtime, &how, &target, &result, err) != 0)
		return -1;
	progress_end(&progress);
	return report(options, &result, "the same", opened.node, err);
}

static int check_unpack(const struct options *options, struct error *err)
{
	if (options->encrypted && options->skip_zero_blocks)
		return error_set(err, ERROR_INVALID_CALL, "--skip-zero-blocks forbids --encrypted: on an encrypted volume "
				 "what is not in its snapshot reads as noise");
	if (!options->blocks && (options->encrypted || options->skip_zero_blocks))
		return error_set(err, ERROR_INVALID_CALL, "%s is only for --blocks: without it unpack writes all of the image",
				 options->encrypted ? "--encrypted" : "--skip-zero-blocks");
	if (isatty(STDOUT_FILENO) == 1)
		return error_set(err, ERROR_INVALID_CALL,
				 "unpack writes a disk image%s to standard output, which is a terminal: redirect it%s",
				 options->blocks ? "'s blocks" : "", options->blocks ? "" : " (> root.img)");
	return 0;
}

struct unpacking {
	struct runtime *runtime;
	const struct options *options;
	struct image_file file;
	struct pipeline_options how;
	struct pipeline_result result;
};

static int begin_unpack(struct unpacking *work, struct error *err)
{
	if (open_image(work->runtime, work->options, &work->file, err) != 0)
		return -1;
	return enter_sandbox(work->runtime, &work->file, -1, err);
}

static int unpack_whole(struct unpacking *work, struct error *err)
{
	if (begin_unpack(work, err) != 0)
		return -1;
	return pipeline_unpack(work->runtime, &work->how, STDOUT_FILENO, &work->result, err);
}

static int send_blocks(struct unpacking *work, struct blockflow *out, struct error *err)
{
	const struct pipeline_blocks blocks = {
		.out = out,
		.encrypted = work->options->encrypted,
		.skip_zero_blocks = work->options->skip_zero_blocks,
	};
	struct onhost_written written;

	if (begin_unpack(work, err) != 0 ||
	    pipeline_unpack_blocks(work->runtime, &work->how, &blocks, &work->result, err) != 0)
		return -1;
	result_as_written(&work->result, &written);
	return blockflow_written(out, &written, err);
}

/* What goes wrong is said in the stream too. */
static int unpack_blocks(struct unpacking *work, struct error *err)
{
	struct blockflow out;

	if (blockflow_open(&out, STDOUT_FILENO, work->runtime->cancel, err) != 0)
		return -1;
	int result = send_blocks(work, &out, err);
	if (result != 0)
		blockflow_failed(&out, err);
	blockflow_close(&out);
	return result;
}

static void end_unpacking(struct unpacking *work)
{
	image_file_close(&work->file);
}

static int run_unpack(struct runtime *runtime, const struct options *options, struct error *err)
{
	struct unpacking work CLEANUP(end_unpacking) = { .runtime = runtime, .options = options, .file = IMAGE_FILE_INIT };
	struct progress progress CLEANUP(progress_end);
	struct buf text CLEANUP_BUF = BUF_INIT(OUTPUT_MAX);

	progress_init(&progress, STDERR_FILENO, options->json, runtime->clock);
	if (check_unpack(options, err) != 0)
		return -1;
	work.how = pipeline_of(options, &work.file, &progress);
	if ((options->blocks ? unpack_blocks(&work, err) : unpack_whole(&work, err)) != 0)
		return -1;
	progress_end(&progress);
	/* standard output is the image's */
	result_of_image(&work.result, "unpacked", NULL, options->json, &text);
	return io_write_all(STDERR_FILENO, text.data, text.len, "the result to standard error", err);
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static const struct command commands[] = {
	{ .name = "serve",
	  .usage = "[--lab [--lab-devices DIR]]",
	  .summary = "the session with cpi, on standard input and output",
	  .details = "Reads messages and image from standard input; only messages are written to standard output, and\n"
		     "the log to standard error. cpi starts it, by itself or through ssh.\n",
	  .example = "echo '{\"op\":\"hello\",\"version\":1}' | onhost serve",
	  .options = "lLVh",
	  .http = true,
	  .log_info = true,
	  .run = run_serve },
	{ .name = "metadata",
	  .usage = "[--json]",
	  .summary = "what the instance metadata service says of this machine, as JSON",
	  .details = "Instance id, region, availability zone, instance type and architecture. With --json, failures are\n"
		     "told as JSON too.\n",
	  .example = "onhost metadata",
	  .options = "jVh",
	  .http = true,
	  .run = run_metadata },
	{ .name = "wait-device",
	  .usage = "--volume ID [--device NAME] [--timeout SECONDS]",
	  .summary = "waits for the volume's block device and prints it",
	  .details = "Prints the device's path, a tab, and how it was recognised. On Xen the device is known by its name\n"
		     "(--device /dev/sdf, as given to AttachVolume) and only when it comes after this command was "
		     "started.\n",
	  .example = "onhost wait-device --volume vol-0123456789abcdef0 --timeout 30",
	  .options = "vdtjlLVh",
	  .run = run_wait_device },
	{ .name = "write",
	  .usage = "(--volume ID | --device PATH) [--image FILE]",
	  .summary = "writes a stemcell image, with all the checks",
	  .details = "The image may be a gzip'd tar with root.img in it, also plain tar, zstd, xz, or a raw disk image. The\n"
		     "device must be blank and in nobody's use. Its first MiB is written last.\n",
	  .example = "onhost write --volume vol-0123456789abcdef0 --fresh --image stemcell/image",
	  .options = "vdnitrezfsjlLVh",
	  .run = run_write },
	{ .name = "verify",
	  .usage = "--device PATH [--image FILE]",
	  .summary = "compares a device with what write must write to it",
	  .details = "Of --device only as much is read as the image has. With the --fresh and --encrypted that write was\n"
		     "given, what it may leave out may hold anything.\n",
	  .example = "onhost verify --device /dev/nvme1n1 --image stemcell/image",
	  .options = "diresjVh",
	  .run = run_verify },
	{ .name = "unpack",
	  .usage = "[--image FILE] [--blocks [--encrypted | --skip-zero-blocks]] > root.img",
	  .summary = "the disk image inside, to standard output; needs no root",
	  .details = "The result goes to standard error. With --blocks, standard output has records in place of the image, as\n"
		     "cpi reads them for the EBS direct APIs: the blocks of 512 KiB that a snapshot needs, between two\n"
		     "messages. The man page describes them.\n",
	  .example = "onhost unpack --image stemcell/image > root.img",
	  .options = "ibezsjVh",
	  .run = run_unpack },
};

const struct command *commands_list(size_t *ret_count)
{
	*ret_count = sizeof(commands) / sizeof(commands[0]);
	return commands;
}

const struct command *commands_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}
