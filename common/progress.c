/* SPDX-License-Identifier: Apache-2.0 */
/* What is left out counts as done: the bar shows how far through the disk image we are. The rate does not count it. */
#include "common/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/terminal.h"

#define MIB 1048576.0
#define GIB 1073741824.0
#define DEFAULT_COLUMNS 80
#define MIN_BAR 10
#define MAX_BAR 60
#define RATE_WIDTH 10 /* "9999 MiB/s" */
#define LEFT_WIDTH 12 /* "9:59:59 left" */

struct view {
	char amount[64]; /* "1.3 of 3.0 GiB" */
	char rate[32];
	char left[48];   /* "" while it cannot be told; at the end, how long it took */
	unsigned percent;
};

/* All of a run's texts are equally long, so that the bar does not shift: the count is padded to the total's width. */
static void format_amount(uint64_t count, uint64_t total, char *text, size_t size)
{
	uint64_t largest = total > count ? total : count;
	double unit = (double)largest < GIB ? MIB : GIB;
	const char *name = unit < GIB ? "MiB" : "GiB";
	char whole[32];

	if (total == 0) {
		snprintf(text, size, "%.1f %s read", (double)count / unit, name);
		return;
	}
	int width = snprintf(whole, sizeof(whole), "%.1f", (double)total / unit);
	snprintf(text, size, "%*.1f of %s %s", width, (double)count / unit, whole, name);
}

static void format_rate(double rate, char *text, size_t size)
{
	snprintf(text, size, "%.*f MiB/s", rate > 0 && rate < 9.95 * MIB ? 1 : 0, rate / MIB);
}

static void format_time(double seconds, char *text, size_t size)
{
	uint64_t whole = seconds > 359999 ? 359999 : (uint64_t)(seconds + 0.5);

	if (whole >= 3600)
		snprintf(text, size, "%llu:%02llu:%02llu", (unsigned long long)(whole / 3600),
			 (unsigned long long)(whole / 60 % 60), (unsigned long long)(whole % 60));
	else
		snprintf(text, size, "%llu:%02llu", (unsigned long long)(whole / 60), (unsigned long long)(whole % 60));
}

static void make_view(const struct onhost_progress *done, const struct pace *pace, struct view *view)
{
	uint64_t count = pace_bytes_done(done);
	double left = pace_seconds_left(pace, done);
	char time[32];

	*view = (struct view){ .percent = 0 };
	format_amount(count, done->total, view->amount, sizeof(view->amount));
	if (done->total == 0 || count < done->total) {
		format_rate(pace_rate(pace), view->rate, sizeof(view->rate));
		format_time(left, time, sizeof(time));
		if (left >= 0)
			snprintf(view->left, sizeof(view->left), "%s left", time);
	} else {
		format_rate(done->seconds > 0 ? (double)done->written / done->seconds : 0, view->rate,
			    sizeof(view->rate));
		format_time(done->seconds, time, sizeof(time));
		snprintf(view->left, sizeof(view->left), "in %s", time);
	}
	if (done->total > 0)
		view->percent = (unsigned)((double)count * 100 / (double)done->total);
}

static void format_view(const struct onhost_progress *done, const struct view *view, char ret_text[PROGRESS_TEXT_MAX])
{
	const char *amount = view->amount + strspn(view->amount, " ");

	if (done->total == 0)
		snprintf(ret_text, PROGRESS_TEXT_MAX, "%s, %s", amount, view->rate);
	else
		snprintf(ret_text, PROGRESS_TEXT_MAX, "%s (%u %%), %s%s%s", amount, view->percent, view->rate,
			 view->left[0] == '\0' ? "" : ", ", view->left);
}

void progress_format_line(const struct onhost_progress *done, const struct pace *pace, char ret_text[PROGRESS_TEXT_MAX])
{
	struct view view;

	make_view(done, pace, &view);
	format_view(done, &view, ret_text);
}

/* The most that fits: all of it, percent and time, percent. */
static void format_narrow(const struct onhost_progress *done, const struct view *view, unsigned columns,
			  char ret_text[PROGRESS_TEXT_MAX])
{
	format_view(done, view, ret_text);
	if (strlen(ret_text) > columns && done->total > 0)
		snprintf(ret_text, PROGRESS_TEXT_MAX, "%u %%, %s", view->percent,
			 view->left[0] == '\0' ? view->rate : view->left);
	if (strlen(ret_text) > columns && done->total > 0)
		snprintf(ret_text, PROGRESS_TEXT_MAX, "%u %%", view->percent);
	if (columns < PROGRESS_TEXT_MAX)
		ret_text[columns] = '\0';
}

static void format_wide(const struct view *view, const char *figures, unsigned width, char ret_text[PROGRESS_TEXT_MAX])
{
	char bar[MAX_BAR + 1];
	unsigned filled;

	if (width > MAX_BAR)
		width = MAX_BAR;
	filled = width * view->percent / 100;
	memset(bar, ' ', width);
	memset(bar, '=', filled);
	if (filled < width)
		bar[filled] = '>';
	bar[width] = '\0';
	snprintf(ret_text, PROGRESS_TEXT_MAX, "[%s] %s", bar, figures);
}

void progress_format_bar(const struct onhost_progress *done, const struct pace *pace, unsigned columns,
			 char ret_text[PROGRESS_TEXT_MAX])
{
	struct view view;
	char figures[192];

	make_view(done, pace, &view);
	int used = snprintf(figures, sizeof(figures), "%3u %%  %s  %*s  %*s", view.percent, view.amount, RATE_WIDTH,
			    view.rate, LEFT_WIDTH, view.left);
	if (done->total == 0 || used < 0 || columns < (unsigned)used + MIN_BAR + 3)
		format_narrow(done, &view, columns, ret_text);
	else
		format_wide(&view, figures, columns - (unsigned)used - 3, ret_text);
}

void progress_init(struct progress *progress, int fd, bool json, const struct clock *clock)
{
	*progress = (struct progress){ .fd = fd, .clock = clock };
	if (json)
		progress->form = PROGRESS_JSON;
	else if (isatty(fd) == 1 && terminal_is_able())
		progress->form = PROGRESS_BAR;
	progress->next_ms = clock->monotonic_ms(clock->self) + PROGRESS_LINE_EVERY_MS;
}

static unsigned window_columns(int fd)
{
	struct winsize size;

	/* the last column is left free: a terminal may break the line after it */
	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
		return DEFAULT_COLUMNS - 1;
	return size.ws_col - 1U;
}

/* One write, over what stands there, and then to the line's end: nothing flickers. */
static void show_bar(struct progress *progress, const struct onhost_progress *done)
{
	char text[PROGRESS_TEXT_MAX];
	char line[PROGRESS_TEXT_MAX + 8];

	if (!progress->bar_open && done->seconds < PROGRESS_BAR_AFTER_S)
		return;
	progress_format_bar(done, &progress->pace, window_columns(progress->fd), text);
	int len = snprintf(line, sizeof(line), "\r%s\033[K", text);
	if (len > 0 && io_write_all(progress->fd, line, (size_t)len, "progress", NULL) == 0)
		progress->bar_open = true;
}

static void show_line(struct progress *progress, const struct onhost_progress *done)
{
	char text[PROGRESS_TEXT_MAX];
	char line[PROGRESS_TEXT_MAX + 8];
	int64_t now = progress->clock->monotonic_ms(progress->clock->self);

	if (now < progress->next_ms)
		return;
	progress->next_ms = now + PROGRESS_LINE_EVERY_MS;
	progress_format_line(done, &progress->pace, text);
	int len = snprintf(line, sizeof(line), "%s\n", text);
	if (len > 0)
		(void)io_write_all(progress->fd, line, (size_t)len, "progress", NULL);
}

static void show_json(struct progress *progress, const struct onhost_progress *done)
{
	struct buf line CLEANUP_BUF = BUF_INIT(ONHOST_LINE_MAX);
	const struct onhost_msg msg = { .type = ONHOST_MSG_PROGRESS, .progress = *done };

	if (onhost_msg_encode(&msg, &line, NULL) == 0)
		(void)io_write_all(progress->fd, line.data, line.len, "progress", NULL);
}

int progress_show(void *self, const struct onhost_progress *done, struct error *err)
{
	struct progress *progress = self;

	(void)err;
	pace_add(&progress->pace, done);
	if (progress->form == PROGRESS_BAR)
		show_bar(progress, done);
	else if (progress->form == PROGRESS_JSON)
		show_json(progress, done);
	else
		show_line(progress, done);
	return 0;
}

void progress_end(struct progress *progress)
{
	if (progress->bar_open)
		(void)io_write_all(progress->fd, "\n", 1, "progress", NULL);
	progress->bar_open = false;
}
