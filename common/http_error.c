/* SPDX-License-Identifier: Apache-2.0 */
/* The words for a failed exchange, and whether trying again can help. Knows the reasons, not the library. */
#include "common/http_error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* A resolver may be restarting. A wrong region looks the same, and costs the retries. */
static int unknown_name(const struct http_failure *failure, struct error *err)
{
	error_set(err, ERROR_NETWORK, "cannot reach %s: %s; check the endpoint, the region and this machine's name "
		  "servers", failure->origin, failure->detail);
	if (err != NULL)
		err->retryable = true;
	return -1;
}

static int unusable_proxy(const struct http_failure *failure, struct error *err)
{
	static const char *const name_words[] = { "Could not resolve", NULL };

	error_set(err, ERROR_NETWORK, "cannot reach %s: the proxy of http_proxy or https_proxy has an unknown name or "
		  "an unusable URL", failure->origin);
	if (err != NULL)
		err->retryable = says(failure->detail, name_words);
	return -1;
}

/* It is there, and did not let us through. */
static int refused_by_proxy(const struct http_failure *failure, struct error *err)
{
	const char *advice = failure->proxy_status == 407 ?
				     "put USER:PASSWORD@ into the URL of http_proxy or https_proxy" :
				     "have the proxy allow this host and port, or name the host in no_proxy";

	error_set(err, ERROR_NETWORK, "cannot reach %s: the proxy of http_proxy or https_proxy answered with HTTP "
		  "status %ld; %s", failure->origin, failure->proxy_status, advice);
	if (err != NULL)
		err->retryable = failure->proxy_status >= 500 || failure->proxy_status == 429;
	return -1;
}

/* The library names whom it could not connect to: where that is not the origin, it is a proxy. */
static bool was_on_the_way(const struct http_failure *failure)
{
	static const char start[] = "Failed to connect to ";
	const char *host = strstr(failure->origin, "://");
	const char *port = strrchr(failure->origin, ':');
	char expected[400];

	if (host == NULL || strncmp(failure->detail, start, strlen(start)) != 0 ||
	    strstr(failure->detail, " port ") == NULL)
		return false;
	host += 3;
	int brackets = *host == '['; /* of an IPv6 address: the library leaves them out */
	snprintf(expected, sizeof(expected), "%s%.*s port %s ", start, (int)(port - host) - 2 * brackets,
		 host + brackets, port + 1);
	return strncasecmp(failure->detail, expected, strlen(expected)) != 0;
}

static int broken(const struct http_failure *failure, struct error *err)
{
	if (failure->proxy_status >= 400)
		return refused_by_proxy(failure, err);
	return transient(ERROR_NETWORK, failure,
			 was_on_the_way(failure) ? "cannot reach the proxy of http_proxy or https_proxy on the way to" :
						   "cannot reach", err);
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
		return unknown_name(failure, err);
	case HTTP_TROUBLE_PROXY:
		return unusable_proxy(failure, err);
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
		return broken(failure, err);
	}
}
