/* SPDX-License-Identifier: Apache-2.0 */
/* What is left out counts as done: the bar shows how far through the disk image we are. */
#include "onhost/progress.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/io.h"

#define MIB 1048576.0
#define GIB 1073741824.0
#define DEFAULT_COLUMNS 80
#define MIN_BAR 10
#define MAX_BAR 60

struct view {
	char amount[64]; /* "1.3 of 3.0 GiB" */
	char rate[32];
	char left[48];   /* "" while it cannot be told */
	unsigned percent;
};

static uint64_t bytes_done(const struct onhost_progress *done)
{
	uint64_t sum = done->written + done->skipped;

	if (done->total == 0)
		return done->read;
	return sum < done->total ? sum : done->total;
}

static void format_amount(uint64_t count, uint64_t total, char *text, size_t size)
{
	uint64_t largest = total > count ? total : count;
	double unit = (double)largest < GIB ? MIB : GIB;
	const char *name = unit < GIB ? "MiB" : "GiB";

	if (total == 0)
		snprintf(text, size, "%.1f %s read", (double)count / unit, name);
	else
		snprintf(text, size, "%.1f of %.1f %s", (double)count / unit, (double)total / unit, name);
}

static void format_left(double seconds, char *text, size_t size)
{
	uint64_t whole = seconds > 359999 ? 359999 : (uint64_t)(seconds + 0.5);

	if (whole >= 3600)
		snprintf(text, size, "%llu:%02llu:%02llu left", (unsigned long long)(whole / 3600),
			 (unsigned long long)(whole / 60 % 60), (unsigned long long)(whole % 60));
	else
		snprintf(text, size, "%llu:%02llu left", (unsigned long long)(whole / 60),
			 (unsigned long long)(whole % 60));
}

static void make_view(const struct onhost_progress *done, struct view *view)
{
	uint64_t count = bytes_done(done);
	double rate = done->seconds > 0 ? (double)count / done->seconds : 0;

	*view = (struct view){ .percent = 0 };
	format_amount(count, done->total, view->amount, sizeof(view->amount));
	snprintf(view->rate, sizeof(view->rate), "%.0f MiB/s", rate / MIB);
	if (done->total == 0)
		return;
	view->percent = (unsigned)((double)count * 100 / (double)done->total);
	if (rate > 0)
		format_left((double)(done->total - count) / rate, view->left, sizeof(view->left));
}

void progress_format_line(const struct onhost_progress *done, char ret_text[PROGRESS_TEXT_MAX])
{
	struct view view;

	make_view(done, &view);
	if (done->total == 0)
		snprintf(ret_text, PROGRESS_TEXT_MAX, "%s, %s", view.amount, view.rate);
	else
		snprintf(ret_text, PROGRESS_TEXT_MAX, "%s (%u %%), %s%s%s", view.amount, view.percent, view.rate,
			 view.left[0] == '\0' ? "" : ", ", view.left);
}

void progress_format_bar(const struct onhost_progress *done, unsigned columns, char ret_text[PROGRESS_TEXT_MAX])
{
	struct view view;
	char figures[192];
	char bar[MAX_BAR + 1];

	make_view(done, &view);
	int used = snprintf(figures, sizeof(figures), "%3u %%  %s  %s  %s", view.percent, view.amount, view.rate,
			    view.left);
	if (done->total == 0 || used < 0 || columns < (unsigned)used + MIN_BAR + 3) {
		progress_format_line(done, ret_text);
		if (columns < PROGRESS_TEXT_MAX)
			ret_text[columns] = '\0';
		return;
	}
	unsigned width = columns - (unsigned)used - 3;
	if (width > MAX_BAR)
		width = MAX_BAR;
	unsigned filled = width * view.percent / 100;
	memset(bar, ' ', width);
	memset(bar, '=', filled);
	if (filled < width)
		bar[filled] = '>';
	bar[width] = '\0';
	snprintf(ret_text, PROGRESS_TEXT_MAX, "[%s] %s", bar, figures);
}

void progress_init(struct progress *progress, int fd, const struct clock *clock)
{
	*progress = (struct progress){ .fd = fd, .terminal = isatty(fd) == 1, .clock = clock };
	progress->next_ms = clock->monotonic_ms(clock->self) + PROGRESS_LINE_EVERY_MS;
}

static unsigned terminal_columns(int fd)
{
	struct winsize size;

	/* the last column is left free: a terminal may break the line after it */
	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
		return DEFAULT_COLUMNS - 1;
	return size.ws_col - 1U;
}

static void show_bar(struct progress *progress, const struct onhost_progress *done)
{
	char text[PROGRESS_TEXT_MAX];
	char line[PROGRESS_TEXT_MAX + 8];

	progress_format_bar(done, terminal_columns(progress->fd), text);
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
	progress_format_line(done, text);
	int len = snprintf(line, sizeof(line), "%s\n", text);
	if (len > 0)
		(void)io_write_all(progress->fd, line, (size_t)len, "progress", NULL);
}

int progress_show(void *self, const struct onhost_progress *done, struct error *err)
{
	struct progress *progress = self;

	(void)err;
	if (progress->terminal)
		show_bar(progress, done);
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
