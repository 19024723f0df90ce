/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the EC2 instances of a region, as JSON. Credentials come from where the AWS command line takes them.
 *
 *   cc -o list_workers list_workers.c $(pkg-config --cflags --libs cpi_aws)
 *   ./list_workers us-west-2
 */
#include <cpi_aws.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	char settings[128];

	if (argc > 2 || (argc == 2 && strspn(argv[1], "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(argv[1]))) {
		fprintf(stderr, "usage: %s [REGION]\n", argv[0]);
		return 2;
	}
	snprintf(settings, sizeof(settings), "{\"region\": \"%.40s\"}", argc == 2 ? argv[1] : "us-east-1");

	char *answer = cpi_aws_execute(settings, "list_workers", NULL);
	if (answer == NULL) {
		fprintf(stderr, "out of memory\n");
		return 1;
	}
	/* "success" is always the first member; a JSON library reads the rest */
	int failed = strncmp(answer, "{\"success\":true", strlen("{\"success\":true")) != 0;
	fprintf(failed ? stderr : stdout, "%s\n", answer);
	cpi_aws_free(answer);
	return failed;
}
