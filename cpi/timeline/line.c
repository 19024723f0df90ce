/* SPDX-License-Identifier: Apache-2.0 */
#include "cpi/timeline/line.h"

#include "cpi/timeline/show.h"

void line_finish(struct line *line)
{
	fwrite(buf_text(&line->text), 1, line->text.len, line->drawing->out);
	putc('\n', line->drawing->out);
	buf_reset(&line->text);
}

void line_colour(struct line *line, enum colour colour)
{
	static const char *const codes[] = { "\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m", "\033[35m" };

	if (line->drawing->colour)
		buf_str(&line->text, codes[colour]);
}

void line_blanks(struct line *line, size_t count)
{
	while (count-- > 0)
		buf_char(&line->text, ' ');
}

void line_cell(struct line *line, const char *text, size_t width)
{
	line_blanks(line, width - show_text(&line->text, text, width, line->drawing->unicode));
}

const char *line_symbol(const struct line *line, const char *unicode, const char *ascii)
{
	return line->drawing->unicode ? unicode : ascii;
}

/* How many bytes of text fit into so many columns, up to a blank if there is one. */
static size_t fitting(const struct line *line, const char *text, size_t width)
{
	char part[1024];
	size_t fits = 0;

	for (size_t end = 1; end < sizeof(part) && text[end - 1] != '\0'; end++) {
		if (text[end] != ' ' && text[end] != '\0')
			continue;
		snprintf(part, end + 1, "%s", text);
		if (show_width(part, line->drawing->unicode) > width)
			break;
		fits = end;
	}
	return fits;
}

void line_text(struct line *line, size_t indent, enum colour colour, const char *text)
{
	size_t width = line->drawing->columns - indent;
	char part[1024];

	while (*text != '\0') {
		size_t fits = fitting(line, text, width);
		if (fits == 0)
			fits = strlen(text);
		snprintf(part, sizeof(part), "%.*s", (int)fits, text);
		line_blanks(line, indent);
		line_colour(line, colour);
		show_text(&line->text, part, width, line->drawing->unicode);
		line_colour(line, COLOUR_NONE);
		line_finish(line);
		text += fits;
		while (*text == ' ')
			text++;
	}
}
