/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers, times and ids out of text, each with one accepted form. No strtol, strptime or timegm: those skip blanks,
 * heed the locale, or are not everywhere. */
#include "common/parse.h"

#include <string.h>
#include <time.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool parse_u64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (text == NULL || *text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		if (!is_digit(*text))
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*ret_value = value;
	return true;
}

bool parse_i64(const char *text, int64_t *ret_value)
{
	uint64_t magnitude;

	if (text == NULL)
		return false;
	bool negative = *text == '-';
	if (!parse_u64(negative ? text + 1 : text, &magnitude))
		return false;
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	if (!negative)
		*ret_value = (int64_t)magnitude;
	else if (magnitude == (uint64_t)INT64_MAX + 1)
		*ret_value = INT64_MIN;
	else
		*ret_value = -(int64_t)magnitude;
	return true;
}

/* A date and time of day, as written. */
struct civil {
	int year;
	int month; /* 1 to 12 */
	int day;
	int hour;
	int minute;
	int second; /* up to 60: leap seconds are written so */
};

/* Exactly `count` digits, and moves on. */
static bool take_digits(const char **text, int count, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		char c = (*text)[i];
		if (!is_digit(c))
			return false;
		value = value * 10 + (c - '0');
	}
	*text += count;
	*ret_value = value;
	return true;
}

static bool take_char(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

/* "10:20:30" */
static bool take_time(const char **text, struct civil *civil)
{
	return take_digits(text, 2, &civil->hour) && take_char(text, ':') && take_digits(text, 2, &civil->minute) &&
	       take_char(text, ':') && take_digits(text, 2, &civil->second);
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool exists(const struct civil *civil)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (civil->month < 1 || civil->month > 12)
		return false;
	int last = days[civil->month - 1] + (civil->month == 2 && is_leap(civil->year) ? 1 : 0);
	return civil->day >= 1 && civil->day <= last && civil->hour <= 23 && civil->minute <= 59 && civil->second <= 60;
}

/* Seconds since 1970. The year is counted from March, so that the leap day is its last. */
static int64_t civil_seconds(const struct civil *civil)
{
	int64_t year = civil->month > 2 ? civil->year : civil->year - 1;
	int64_t month = (civil->month + 9) % 12;
	int64_t leap_days = year / 4 - year / 100 + year / 400;
	if (year < 0)
		leap_days = -1; /* January and February of the year 0 */
	int64_t days = year * 365 + leap_days + (month * 153 + 2) / 5 + civil->day - 1;

	/* 719468 days lie between 1 March of the year 0 and 1 January 1970 */
	return (days - 719468) * 86400 + civil->hour * 3600 + civil->minute * 60 + civil->second;
}

static bool finish(const char *rest, const struct civil *civil, int64_t *ret_seconds)
{
	if (*rest != '\0' || !exists(civil))
		return false;
	*ret_seconds = civil_seconds(civil);
	return true;
}

/* "2026-01-31", the separator, "10:20:30" and perhaps a fraction. */
static bool take_date_and_time(const char **text, const char *separators, struct civil *civil)
{
	if (!take_digits(text, 4, &civil->year) || !take_char(text, '-') || !take_digits(text, 2, &civil->month) ||
	    !take_char(text, '-') || !take_digits(text, 2, &civil->day))
		return false;
	if (**text == '\0' || strchr(separators, **text) == NULL)
		return false;
	(*text)++;
	if (!take_time(text, civil))
		return false;
	if (take_char(text, '.')) {
		if (!is_digit(**text))
			return false;
		while (is_digit(**text))
			(*text)++;
	}
	return true;
}

bool parse_iso8601(const char *text, int64_t *ret_seconds)
{
	struct civil civil;

	if (text == NULL || !take_date_and_time(&text, "T", &civil))
		return false;
	return take_char(&text, 'Z') && finish(text, &civil, ret_seconds);
}

/* "Z", "UTC", "+02:00" or "+0200"; *ret_seconds east of Greenwich. */
static bool take_zone(const char **text, int64_t *ret_seconds)
{
	int hours;
	int minutes;

	*ret_seconds = 0;
	if (take_char(text, 'Z'))
		return true;
	if (strncmp(*text, "UTC", 3) == 0) {
		*text += 3;
		return true;
	}
	bool west = **text == '-';
	if (!west && **text != '+')
		return false;
	(*text)++;
	if (!take_digits(text, 2, &hours))
		return false;
	(void)take_char(text, ':');
	if (!take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = (west ? -1 : 1) * ((int64_t)hours * 3600 + minutes * 60);
	return true;
}

bool parse_zoned_time(const char *text, int64_t *ret_seconds)
{
	struct civil civil;
	int64_t east;
	int64_t seconds;

	if (text == NULL || !take_date_and_time(&text, "T ", &civil) || !take_zone(&text, &east) ||
	    !finish(text, &civil, &seconds))
		return false;
	*ret_seconds = seconds - east;
	return true;
}

/* One of the three-letter names that stand behind each other in `names`; its index. */
static bool take_name(const char **text, const char *names, int *ret_index)
{
	for (int i = 0; names[i * 3] != '\0'; i++) {
		if (strncmp(*text, names + (size_t)i * 3, 3) == 0) {
			*text += 3;
			*ret_index = i;
			return true;
		}
	}
	return false;
}

bool format_iso8601(int64_t seconds, char ret_text[static FORMAT_ISO8601_SIZE])
{
	time_t at = (time_t)seconds;
	struct tm utc;

	return gmtime_r(&at, &utc) != NULL && strftime(ret_text, FORMAT_ISO8601_SIZE, "%Y-%m-%dT%H:%M:%S", &utc) != 0;
}

bool parse_http_date(const char *text, int64_t *ret_seconds)
{
	struct civil civil;
	int weekday;
	int month;

	if (text == NULL)
		return false;
	if (!take_name(&text, "MonTueWedThuFriSatSun", &weekday) || !take_char(&text, ',') || !take_char(&text, ' ') ||
	    !take_digits(&text, 2, &civil.day) || !take_char(&text, ' ') ||
	    !take_name(&text, "JanFebMarAprMayJunJulAugSepOctNovDec", &month) || !take_char(&text, ' ') ||
	    !take_digits(&text, 4, &civil.year) || !take_char(&text, ' ') || !take_time(&text, &civil))
		return false;
	if (strncmp(text, " GMT", 4) != 0)
		return false;
	civil.month = month + 1;
	return finish(text + 4, &civil, ret_seconds);
}

bool parse_aws_id(const char *text, const char *prefix)
{
	if (text == NULL)
		return false;
	size_t prefix_len = strlen(prefix);
	if (strncmp(text, prefix, prefix_len) != 0)
		return false;
	size_t digits = strspn(text + prefix_len, "0123456789abcdef");
	return text[prefix_len + digits] == '\0' && (digits == 8 || digits == 17);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int parse_hex(const char *text, size_t count)
{
	int number = 0;

	for (size_t i = 0; i < count; i++) {
		int digit = hex_value(text[i]);
		if (digit < 0)
			return -1;
		number = number * 16 + digit;
	}
	return number;
}
