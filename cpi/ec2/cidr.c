/* SPDX-License-Identifier: Apache-2.0 */
/* Compares networks by their bits. Whether a network makes sense somewhere is EC2's to judge. */
#include "cpi/ec2/cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "common/parse.h"

struct network {
	int family;
	unsigned bits;
	unsigned char address[sizeof(struct in6_addr)]; /* zeros behind bits */
};

bool cidr_is_ipv6(const char *text)
{
	return strchr(text, ':') != NULL;
}

static bool read_network(const char *text, struct network *ret_network)
{
	struct network network = { .family = cidr_is_ipv6(text) ? AF_INET6 : AF_INET };
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	uint64_t bits;

	if (text[len] == '\0' || len >= sizeof(address) || !parse_u64(text + len + 1, &bits) ||
	    bits > (network.family == AF_INET6 ? 128 : 32))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(network.family, address, network.address) != 1)
		return false;
	network.bits = (unsigned)bits;
	for (size_t i = 0; i < sizeof(network.address); i++) {
		unsigned kept = network.bits > i * 8 ? network.bits - (unsigned)i * 8 : 0;
		if (kept < 8)
			network.address[i] &= (unsigned char)(0xFF00U >> kept);
	}
	*ret_network = network;
	return true;
}

bool cidr_equal(const char *a, const char *b)
{
	struct network first, second;

	if (!read_network(a, &first) || !read_network(b, &second))
		return strcmp(a, b) == 0;
	return first.family == second.family && first.bits == second.bits &&
	       memcmp(first.address, second.address, sizeof(first.address)) == 0;
}
