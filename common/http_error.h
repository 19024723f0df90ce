/* SPDX-License-Identifier: Apache-2.0 */
/* How an exchange can fail, and the error that says so. Private to http.c. */
#ifndef COMMON_HTTP_ERROR_H
#define COMMON_HTTP_ERROR_H

#include <stddef.h>

#include "common/error.h"

enum http_trouble {
	HTTP_TROUBLE_NONE,
	HTTP_TROUBLE_BODY_SIZE,
	HTTP_TROUBLE_HEADER_SIZE,
	HTTP_TROUBLE_NOMEM,
	HTTP_TROUBLE_URL,       /* the URL is unusable */
	HTTP_TROUBLE_NAME,      /* the host's name is unknown */
	HTTP_TROUBLE_PROXY,     /* the proxy's URL is unusable, or its name unknown */
	HTTP_TROUBLE_TIMEOUT,
	HTTP_TROUBLE_UNTRUSTED, /* the other side's certificate was refused */
	HTTP_TROUBLE_CA_FILE,   /* our own CA file cannot be used */
	HTTP_TROUBLE_TLS,       /* no TLS session came about for another reason */
	HTTP_TROUBLE_BROKEN,    /* refused, reset, cut, not HTTP */
};

struct http_failure {
	enum http_trouble trouble;
	const char *origin;  /* scheme, host and port */
	const char *detail;  /* the library's words, free of secrets */
	int os_errno;        /* 0: not known */
	long proxy_status;   /* what a proxy answered to CONNECT; 0: nothing */
	size_t max_answer;
	const char *ca_file; /* NULL: the system's */
};

/* Fills err by the transport's contract (http.h) and returns -1. */
int http_error_set(const struct http_failure *failure, struct error *err);

#endif
