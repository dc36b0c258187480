/* SPDX-License-Identifier: Apache-2.0
 *
 * Where to listen: "9464", ":9464", "127.0.0.1:9464", "[::1]:9464". Without a host it is the loopback.
 */
#include "config/config.h"
#include <arpa/inet.h>
#include <string.h>

static int port_of(const char *s, uint16_t *ret)
{
	uint32_t port = 0;

	if (!*s || strlen(s) > 5)
		return -1;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		port = port * 10 + (uint32_t)(*s - '0');
	}
	if (port > 65535)
		return -1;
	*ret = (uint16_t)port;
	return 0;
}

int parse_address(const char *text, struct address *ret)
{
	struct address a = { .host = "127.0.0.1" };
	const char *colon = strrchr(text, ':'), *from = text;
	unsigned char binary[16];
	size_t n = colon ? (size_t)(colon - text) : 0;

	if (port_of(colon ? colon + 1 : text, &a.port) != 0)
		return -1;
	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		a.six = true;
		from++;
		n -= 2;
	}
	if (n >= sizeof a.host)
		return -1;
	if (n > 0) {
		memcpy(a.host, from, n);
		a.host[n] = '\0';
	} else if (a.six) {
		return -1;
	}
	if (strcmp(a.host, "localhost") == 0)
		memcpy(a.host, "127.0.0.1", 10);
	if (inet_pton(a.six ? AF_INET6 : AF_INET, a.host, binary) != 1)
		return -1;
	*ret = a;
	return 0;
}
