/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/timeline.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/parse.h"
#include "common/terminal.h"
#include "cpi/timeline/draw.h"

#define MIN_COLUMNS 80
#define MAX_COLUMNS 400

static void free_model(struct model **model)
{
	model_free(*model);
}

static bool wants_colour(void)
{
	return isatty(STDOUT_FILENO) && terminal_is_able() && terminal_colour_is_wanted();
}

static size_t wanted_columns(void)
{
	size_t columns = terminal_columns(STDOUT_FILENO);

	return columns < MIN_COLUMNS ? MIN_COLUMNS : columns > MAX_COLUMNS ? MAX_COLUMNS : columns;
}

static int take_options(const struct timeline_options *options, struct model_options *ret_model, struct error *err)
{
	uint64_t slowest = 0;

	if (options->svg && options->json)
		return error_set(err, ERROR_INVALID, "--svg and --json do not go together");
	if (options->slowest != NULL &&
	    (!parse_u64(options->slowest, &slowest) || slowest == 0 || slowest > TIMELINE_MAX_SLOWEST))
		return error_set(err, ERROR_INVALID, "--slowest takes a number from 1 to %d, not %s", TIMELINE_MAX_SLOWEST,
				 options->slowest);
	*ret_model = (struct model_options){ .only_id = options->only_id, .slowest = (size_t)slowest };
	return 0;
}

/* The descriptor to read, and in *opened the one to close. */
static int open_log(const char *path, int *opened, struct error *err)
{
	if (path == NULL || strcmp(path, "-") == 0) {
		if (!isatty(STDIN_FILENO))
			return STDIN_FILENO;
		return error_set(err, ERROR_INVALID,
				 "a log is expected: cpi timeline FILE, or bosh task 12 --cpi | cpi timeline");
	}
	*opened = open(path, O_RDONLY | O_CLOEXEC);
	if (*opened < 0)
		return error_errno(err, ERROR_IO, errno, "cannot open %s", path);
	return *opened;
}

static int draw(const struct timeline_options *options, struct drawing *drawing, struct error *err)
{
	int status;

	if (options->svg)
		status = draw_svg(drawing);
	else if (options->json)
		status = draw_json(drawing);
	else
		status = draw_text(drawing);
	if (status != 0)
		return error_nomem(err);
	if (fflush(drawing->out) != 0 || ferror(drawing->out))
		return error_errno(err, ERROR_IO, errno, "the drawing could not be written");
	return 0;
}

/* Nothing to see is worth a word: most often it is the wrong log. */
static int check_found(const struct timeline_options *options, const struct model_result *result, struct error *err)
{
	if (result->count > 0)
		return 0;
	if (options->only_id != NULL)
		return error_set(err, ERROR_INVALID, "this log has no request %s", options->only_id);
	return error_set(err, ERROR_INVALID,
			 "this log has no line of cpi's; bosh task N --cpi and bosh task N --debug print such logs, "
			 "unless CPI_LOG_LEVEL is warn or error");
}

int timeline_run(const struct timeline_options *options, struct error *err)
{
	struct model_options model_options;
	struct model_result result;
	struct stream_counts counts;
	CLEANUP_FD int opened = -1;

	if (take_options(options, &model_options, err) != 0)
		return -1;
	int fd = open_log(options->path, &opened, err);
	if (fd < 0)
		return -1;
	CLEANUP(free_model) struct model *model = model_new(&model_options);
	if (model == NULL)
		return error_nomem(err);
	struct reader reader = { .take = model_take, .self = model };
	if (stream_read(fd, fd == opened ? options->path : "standard input", &reader, &counts, err) != 0 ||
	    model_finish(model, &result, err) != 0)
		return -1;
	struct drawing drawing = {
		.out = stdout,
		.result = &result,
		.counts = &counts,
		.cut = reader.cut,
		.columns = wanted_columns(),
		.unicode = terminal_is_unicode(),
		.colour = wants_colour(),
	};
	if (draw(options, &drawing, err) != 0)
		return -1;
	return check_found(options, &result, err);
}
