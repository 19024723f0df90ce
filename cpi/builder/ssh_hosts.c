/* SPDX-License-Identifier: Apache-2.0 */
/* Takes lines apart; whether a key is a key is for ssh to say. */
#include "cpi/builder/ssh_hosts.h"

#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r"
#define BASE64 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
#define NAME "aws.stemcell.ssh.host_key"

struct word {
	const char *text;
	size_t len;
};

/* The next word of a line; of no length at its end. */
static struct word next_word(const char **at, const char *end)
{
	struct word word;

	while (*at < end && strchr(BLANKS, **at) != NULL)
		(*at)++;
	word = (struct word){ .text = *at };
	while (*at < end && strchr(BLANKS, **at) == NULL)
		(*at)++;
	word.len = (size_t)(*at - word.text);
	return word;
}

static bool begins_with(struct word word, const char *text)
{
	return word.len >= strlen(text) && memcmp(word.text, text, strlen(text)) == 0;
}

static bool is_type(struct word word)
{
	return begins_with(word, "ssh-") || begins_with(word, "ecdsa-sha2-") || begins_with(word, "sk-ssh-") ||
	       begins_with(word, "sk-ecdsa-");
}

/* "AAAA": all keys begin with the length of their type's name. */
static bool is_key(struct word word)
{
	return begins_with(word, "AAAA") && strspn(word.text, BASE64) >= word.len;
}

static int write_line(const char *line, const char *end, struct buf *out, struct error *err)
{
	struct word type = next_word(&line, end);

	if (type.len == 0 || type.text[0] == '#')
		return 0;
	if (type.text[0] == '@')
		return error_set(err, ERROR_CONFIG,
				 "the configuration's " NAME " has the marker %.*s: it should be plain keys; for certificates leave it "
				 "out, and use ~/.ssh/known_hosts",
				 (int)(type.len < 40 ? type.len : 40), type.text);
	if (!is_type(type))
		type = next_word(&line, end);
	struct word key = next_word(&line, end);
	if (!is_type(type) || !is_key(key))
		return error_set(err, ERROR_CONFIG,
				 "the configuration's " NAME " should be a host's public key (ssh-ed25519 AAAA…) or lines of known_hosts, as "
				 "`ssh-keyscan HOST` prints them");
	buf_printf(out, SSH_HOSTS_ALIAS " %.*s %.*s\n", (int)type.len, type.text, (int)key.len, key.text);
	return 0;
}

int ssh_hosts_write(const char *text, struct buf *out, struct error *err)
{
	size_t before = out->len;

	while (*text != '\0') {
		const char *end = text + strcspn(text, "\n");
		if (write_line(text, end, out, err) != 0)
			return -1;
		text = *end == '\n' ? end + 1 : end;
	}
	if (buf_check(out, NAME, err) != 0)
		return -1;
	if (out->len == before)
		return error_set(err, ERROR_CONFIG, "the configuration's " NAME " has no key in it");
	return 0;
}
