/* SPDX-License-Identifier: Apache-2.0 */
/* The words for a failed exchange, and whether trying again can help. Knows the reasons, not the library. */
#include "common/http_error.h"

#include <stdbool.h>
#include <string.h>

static bool says(const char *detail, const char *const words[])
{
	for (size_t i = 0; words[i] != NULL; i++) {
		if (strstr(detail, words[i]) != NULL)
			return true;
	}
	return false;
}

static int untrusted(const struct http_failure *failure, struct error *err)
{
	static const char *const time_words[] = { "expired", "not yet valid", NULL };
	static const char *const name_words[] = { "subject name", "does not match", "hostname", NULL };
	const char *file = failure->ca_file == NULL ? "the system's CA certificates" : failure->ca_file;

	if (says(failure->detail, time_words))
		return error_set(err, ERROR_NETWORK, "the certificate of %s is refused: %s; if it is a current one, "
				 "this machine's clock is wrong", failure->origin, failure->detail);
	if (says(failure->detail, name_words))
		return error_set(err, ERROR_NETWORK, "the certificate of %s is refused: %s; the configured endpoint "
				 "must be a name that the certificate holds", failure->origin, failure->detail);
	return error_set(err, ERROR_NETWORK, "the certificate of %s is refused: %s; it was checked against %s; set "
			 "BOSH_CA_CERT_FILE or AWS_CA_BUNDLE to a PEM file that holds the authority which signed it",
			 failure->origin, failure->detail, file);
}

/* A handshake that broke off may succeed next time; one that was refused (version, cipher, not TLS at all) will not. */
static int no_tls(const struct http_failure *failure, struct error *err)
{
	static const char *const cut_words[] = { "SYSCALL", "reset", "unexpected eof", "terminated", NULL };

	error_set(err, ERROR_NETWORK, "cannot set up TLS (1.2 or later) with %s: %s", failure->origin,
		  failure->detail);
	if (err != NULL)
		err->retryable = says(failure->detail, cut_words);
	return -1;
}

static int transient(enum error_kind kind, const struct http_failure *failure, const char *what, struct error *err)
{
	if (failure->os_errno != 0)
		error_errno(err, kind, failure->os_errno, "%s %s: %s", what, failure->origin, failure->detail);
	else
		error_set(err, kind, "%s %s: %s", what, failure->origin, failure->detail);
	if (err != NULL)
		err->retryable = true;
	return -1;
}

int http_error_set(const struct http_failure *failure, struct error *err)
{
	switch (failure->trouble) {
	case HTTP_TROUBLE_BODY_SIZE:
		return error_set(err, ERROR_TOO_BIG, "the answer from %s is larger than %zu bytes", failure->origin,
				 failure->max_answer);
	case HTTP_TROUBLE_HEADER_SIZE:
		return error_set(err, ERROR_TOO_BIG, "the answer from %s has too many or too long headers",
				 failure->origin);
	case HTTP_TROUBLE_NOMEM:
		return error_nomem(err);
	case HTTP_TROUBLE_URL:
		return error_set(err, ERROR_NETWORK, "not a usable http or https URL: %s; correct the endpoint",
				 failure->detail);
	case HTTP_TROUBLE_NAME:
		return error_set(err, ERROR_NETWORK, "cannot reach %s: %s; check the endpoint, the region and this "
				 "machine's name servers", failure->origin, failure->detail);
	case HTTP_TROUBLE_PROXY:
		return error_set(err, ERROR_NETWORK, "cannot reach %s: the proxy of http_proxy or https_proxy has an "
				 "unknown name or an unusable URL", failure->origin);
	case HTTP_TROUBLE_TIMEOUT:
		return transient(ERROR_TIMEOUT, failure, "no answer in time from", err);
	case HTTP_TROUBLE_UNTRUSTED:
		return untrusted(failure, err);
	case HTTP_TROUBLE_CA_FILE:
		return error_set(err, ERROR_NETWORK, "the CA file %s cannot be used: %s; BOSH_CA_CERT_FILE or "
				 "AWS_CA_BUNDLE must name a readable PEM file",
				 failure->ca_file == NULL ? "of the system" : failure->ca_file, failure->detail);
	case HTTP_TROUBLE_TLS:
		return no_tls(failure, err);
	case HTTP_TROUBLE_NONE:
	case HTTP_TROUBLE_BROKEN:
	default:
		return transient(ERROR_NETWORK, failure, "cannot reach", err);
	}
}
