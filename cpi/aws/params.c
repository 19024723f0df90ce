/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters of Query calls, encoded as they come. Which ones there are is left to the typed calls. */
#include <stdarg.h>
#include <stdio.h>

#include "cpi/aws/client.h"
#include "cpi/aws/sigv4.h"

#define MAX_BODY ((size_t)4 * 1024 * 1024) /* user data is 16 KiB at most, filters and tags a few hundred */
#define MAX_NAME 200

void aws_params_init(struct aws_params *params)
{
	*params = (struct aws_params){ .body = BUF_INIT(MAX_BODY) };
}

void aws_params_free(struct aws_params *params)
{
	buf_free(&params->body);
}

void aws_params_add(struct aws_params *params, const char *name, const char *value)
{
	if (value == NULL)
		return;
	buf_char(&params->body, '&');
	sigv4_encode(&params->body, name, "");
	buf_char(&params->body, '=');
	sigv4_encode(&params->body, value, "");
}

void aws_params_addf(struct aws_params *params, const char *value, const char *name_format, ...)
{
	char name[MAX_NAME];
	va_list args;

	va_start(args, name_format);
	int len = vsnprintf(name, sizeof(name), name_format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(name))
		params->body.failed = true;
	else
		aws_params_add(params, name, value);
}
