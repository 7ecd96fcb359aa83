// SPDX-License-Identifier: GPL-2.0-or-later
/* Command about network boot: netboot config. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "control/cli.h"
#include "control/names.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define FOLDER_DEFAULT "/srv/repave/boot"
/* The DHCP header has 128 bytes for a boot file's name. */
#define URL_MOST 110u

struct netboot {
	const char *interface, *range, *proxy, *router, *folder, *http, *control_units;
};

static bool is_address(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1;
}

/* Addresses with commas between; exactly two for a range. */
static bool are_addresses(const char *list, bool two)
{
	char copy[256], *state, *word;
	unsigned count = 0;

	if (strlen(list) >= sizeof copy || list[0] == ',' || strstr(list, ",,") || !list[0] || list[strlen(list) - 1] == ',')
		return false;
	strcpy(copy, list);
	for (word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state), count++)
		if (!is_address(word))
			return false;
	return two ? count == 2 : count <= 8;
}

/* ADDRESS/LENGTH to a network and its mask, as dnsmasq wants them. */
static int parse_subnet(const char *text, char ret_network[INET_ADDRSTRLEN], char ret_mask[INET_ADDRSTRLEN])
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	struct in_addr network, mask;
	uint64_t length;

	if (!slash || (size_t)(slash - text) >= sizeof address || parse_u64(slash + 1, &length) < 0 || length < 8 || length > 30)
		return -EINVAL;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = 0;
	if (inet_pton(AF_INET, address, &network) != 1)
		return -EINVAL;
	mask.s_addr = htonl(~(uint32_t)0 << (32 - length));
	network.s_addr &= mask.s_addr;
	inet_ntop(AF_INET, &network, ret_network, INET_ADDRSTRLEN);
	inet_ntop(AF_INET, &mask, ret_mask, INET_ADDRSTRLEN);
	return 0;
}

static void print_server(const struct netboot *n)
{
	printf("# DHCP server. --proxy instead of --range leaves addresses to another one.\n"
	       "dhcp-range=%s,12h\n", n->range);
	if (n->router)
		printf("dhcp-option=option:router,%s\n", n->router);
	if (n->control_units) {
		fputs("# Stage 1 asks these control units before the one that its medium names.\n"
		      "dhcp-option-force=224,cu=", stdout);
		/* Commas would part values of an option. */
		for (const char *at = n->control_units; *at; at++)
			putchar(*at == ',' ? ' ' : *at);
		putchar('\n');
	}
	puts("\n"
	     "# What firmware says it is (RFC 4578): 0 BIOS; 7 and 9 UEFI on x86-64. 32-bit UEFI (6) and ARM (11) get an address\n"
	     "# and no file: no boot medium is built for them.\n"
	     "dhcp-match=set:bios,option:client-arch,0\n"
	     "dhcp-match=set:efi,option:client-arch,7\n"
	     "dhcp-match=set:efi,option:client-arch,9\n"
	     "dhcp-boot=tag:bios,pxelinux.0\n"
	     "dhcp-boot=tag:efi,repave.efi");
	if (n->http)
		printf("# UEFI HTTP boot (16): the answer must have the class of the request.\n"
		       "dhcp-match=set:efi-http,option:client-arch,16\n"
		       "dhcp-option-force=tag:efi-http,option:vendor-class,HTTPClient\n"
		       "dhcp-boot=tag:efi-http,%s%srepave.efi\n", n->http, n->http[strlen(n->http) - 1] == '/' ? "" : "/");
}

static void print_proxy(const char *network, const char *mask)
{
	printf("# Beside a DHCP server, which gives the addresses and says nothing of booting.\n"
	       "dhcp-range=%s,proxy,%s\n"
	       "# BIOS, then UEFI on x86-64 under both of its numbers.\n"
	       "pxe-service=x86PC,\"Repave\",pxelinux.0\n"
	       "pxe-service=x86-64_EFI,\"Repave\",repave.efi\n"
	       "pxe-service=BC_EFI,\"Repave\",repave.efi\n", network, mask);
}

static void print_head(const struct netboot *n)
{
	puts("# Network boot of Repave's servers, by `repave netboot config`. For a dnsmasq of its own:\n"
	     "#   dnsmasq --conf-file=THIS-FILE\n"
	     "# or a file in /etc/dnsmasq.d; one that also answers DNS queries keeps port=0 out.\n"
	     "port=0\n"
	     "log-dhcp");
	if (n->interface)
		printf("interface=%s\nbind-interfaces\n", n->interface);
	printf("\n"
	       "# Boot media as `make` builds them in build/boot/tftp; dnsmasq's user must be able to read them. Who can reach this\n"
	       "# port can read the join token among them.\n"
	       "enable-tftp\n"
	       "tftp-root=%s\n"
	       "\n", n->folder);
}

static int take(const struct cli *cli, struct netboot *n, int letter)
{
	switch (letter) {
	case 'i':
		n->interface = optarg;
		return text_of(optarg, LETTERS "0123456789._@-", 15) ? CLI_OK : cli_usage(cli, "\"%.64s\" is no name of an interface", optarg);
	case 'r':
		n->range = optarg;
		return are_addresses(optarg, true) ? CLI_OK : cli_usage(cli, "--range wants the first and the last address, such as 10.0.0.100,10.0.0.200");
	case 'p':
		n->proxy = optarg;
		return CLI_OK;
	case 'g':
		n->router = optarg;
		return is_address(optarg) ? CLI_OK : cli_usage(cli, "--router wants an IPv4 address");
	case 't':
		n->folder = optarg;
		return optarg[0] == '/' && text_of(optarg, LETTERS "0123456789._/+-", 255) ? CLI_OK :
		       cli_usage(cli, "--tftp-root wants an absolute path of letters, digits, dots, hyphens and slashes");
	case 'h':
		n->http = optarg;
		return !strncmp(optarg, "http://", 7) && optarg[7] && text_of(optarg, LETTERS "0123456789._:/[]-", URL_MOST) ? CLI_OK :
		       cli_usage(cli, "--http wants the address of the folder, such as http://10.0.0.1:8000/boot");
	case 'c':
		n->control_units = optarg;
		return are_addresses(optarg, false) ? CLI_OK : cli_usage(cli, "--control-unit wants one to eight IPv4 addresses with commas between");
	}
	return CLI_USAGE;
}

int cli_netboot_config(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "interface", required_argument, NULL, 'i' }, { "range", required_argument, NULL, 'r' },
		{ "proxy", required_argument, NULL, 'p' }, { "router", required_argument, NULL, 'g' },
		{ "tftp-root", required_argument, NULL, 't' }, { "http", required_argument, NULL, 'h' },
		{ "control-unit", required_argument, NULL, 'c' }, { NULL, 0, NULL, 0 },
	};
	char network[INET_ADDRSTRLEN], mask[INET_ADDRSTRLEN];
	struct netboot n = { .folder = FOLDER_DEFAULT };
	int letter, r;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == '?' || letter == ':')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
		r = take(cli, &n, letter);
		if (r != CLI_OK)
			return r;
	}
	if (optind != argc + 1)
		return cli_usage(cli, "unknown argument \"%s\"", argv[optind - 1]);
	if (!n.range == !n.proxy)
		return cli_usage(cli, "give --range FIRST,LAST for a DHCP server, or --proxy NETWORK/LENGTH beside one");
	if (n.proxy && (n.http || n.control_units || n.router))
		return cli_usage(cli, "with --proxy, %s has to be set at the other DHCP server",
				 n.http ? "UEFI HTTP boot" : n.router ? "the router" : "option 224 (control units)");
	if (n.proxy && parse_subnet(n.proxy, network, mask) < 0)
		return cli_usage(cli, "--proxy wants a network, such as 10.0.0.0/24");
	print_head(&n);
	if (n.proxy)
		print_proxy(network, mask);
	else
		print_server(&n);
	return CLI_OK;
}
