/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line: options, and the words that explain them. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/options.h"

static const char usage[] =
	"Usage: understudy-lab COMMAND [OPTIONS]\n"
	"\n"
	"A laboratory for Understudy: two hosts, a switch and a client in network namespaces,\n"
	"real QEMU, a real Linux guest, and scenarios that show what becomes of its network.\n"
	"\n"
	"  demo               migrate a guest with Understudy and with QEMU's own failover, and\n"
	"                     sum up what became of its frames\n"
	"  up                 raise the lab and leave it, with a guest on host-a\n"
	"  down               take it away, whatever is left of it\n"
	"  status             what of it is there\n"
	"  list               the scenarios\n"
	"  run SCENARIO...    run scenarios, in a lab of their own when none is up\n"
	"  compare            run scenarios with Understudy and with QEMU's own failover, by "
	"turns\n"
	"  faults             what can be broken\n"
	"  break              break it, all or the ones chosen, and print what became of it\n"
	"  shell PLACE        a shell in host-a, host-b, client or guest\n"
	"\n"
	"  --manager understudy|qemu\n"
	"                     who shows and hides the primary (understudy)\n"
	"  --hosts netns|vm   namespaces, or emulated machines with VFs that run KVM (netns)\n"
	"  --primary MODEL    the primary's model, any PCI NIC of QEMU (vmxnet3), vfio on\n"
	"                     machines; to compare, any number of them (vmxnet3, e1000e)\n"
	"  --scenario NAME    to compare, any number of them (hide, migrate, migrate-fail); to "
	"break,\n"
	"                     any number of faults (all)\n"
	"  --qemu PATH        (the host's; for a migration of an emulated guest one of 9.0 or\n"
	"                     later, which is downloaded if the host has none)\n"
	"  --allow-unsound    migrate emulated guests with an earlier one all the same: the "
	"result\n"
	"                     is invalid\n"
	"  --accel tcg|kvm    (tcg)\n"
	"  --machine q35|pc|virt|s390-ccw-virtio\n"
	"                     (q35); virt is an arm64, s390-ccw-virtio an s390x\n"
	"  --guest bookworm|trixie\n"
	"                     Debian's release that the guest's kernel is of (bookworm)\n"
	"  --hotplug acpi|native\n"
	"                     what tells the guest of a card: ACPI, or the root port of a q35 "
	"(acpi)\n"
	"  --queues N         of the standby, with as many CPUs, up to 4 (1)\n"
	"  --repeat N         run each N times\n"
	"  --times N          in a ping-pong, migrate N times, up to 200 (20)\n"
	"  --rate FRAMES      a second to the guest, up to 10000 (1000, on machines 50); from\n"
	"                     it no more than 1000\n"
	"  --tcp              a bulk transfer and requests over TCP as well\n"
	"  --slow-switch SECONDS\n"
	"                     the switch learns so late that the guest has migrated\n"
	"  --json FILE        write the report there, - for standard output\n"
	"  --html FILE        draw it there, in one file for any browser\n"
	"  --svg FILE         of the demo: draw its migrations there, small enough for a page\n"
	"  --log FILE         of the demo: append what is not shown\n"
	"                     (/run/understudy-lab/NAME.log)\n"
	"  --verbose          of the demo: show it instead\n"
	"  --name NAME        of the lab, so that two can be up (uslab)\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 done or passed, 1 failed, 2 usage, 4 invalid: a guest's kernel crashed.\n";

enum { RATE_MAX = 10000, SLOW_SWITCH_MAX_SEC = 60, QUEUES_MAX = 4 };

void us_options_usage(void)
{
	fputs(usage, stderr);
}

static bool is_one_of(const char *value, const char *one, const char *other)
{
	return !strcmp(value, one) || !strcmp(value, other);
}

static bool number(const char *text, unsigned least, unsigned most, unsigned *ret_value)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*ret_value = value;
	return *text && !*end && value >= least && value <= most;
}

static bool choose(const char *choices[US_CAMPAIGN_CHOICES], unsigned *count, const char *choice)
{
	if (*count == US_CAMPAIGN_CHOICES)
		return false;
	choices[(*count)++] = choice;
	return true;
}

static bool parse_manager(const char *value, enum us_lab_manager *ret_manager)
{
	for (int manager = 0; manager < US_LAB_MANAGERS; manager++)
		if (!strcmp(value, us_lab_manager_name(manager))) {
			*ret_manager = manager;
			return true;
		}
	return false;
}

static bool parse_hosts(const char *value, enum us_lab_host_kind *ret_hosts)
{
	for (int hosts = 0; hosts < US_LAB_HOST_KINDS; hosts++)
		if (!strcmp(value, us_lab_host_kind_name(hosts))) {
			*ret_hosts = hosts;
			return true;
		}
	return false;
}

static bool parse_one(int option, const char *value, struct us_options *options)
{
	struct us_campaign_options *campaign = &options->campaign;
	struct us_lab_options *lab = &options->lab;
	struct us_run_options *run = &campaign->run;

	switch (option) {
	case 'p':
		lab->primary = value;
		return choose(campaign->primaries, &campaign->primaries_count, value);
	case 's':
		return choose(campaign->scenarios, &campaign->scenarios_count, value);
	case 'M':
		return parse_manager(value, &lab->manager);
	case 'V':
		return parse_hosts(value, &lab->hosts);
	case 'q':
		lab->qemu = value;
		return true;
	case 'u':
		lab->allows_unsound = true;
		return true;
	case 'a':
		lab->accel = value;
		return is_one_of(value, "tcg", "kvm");
	case 'm':
		lab->machine = us_lab_platform_find(value);
		return lab->machine;
	case 'g':
		lab->guest = value;
		return is_one_of(value, "bookworm", "trixie");
	case 'P':
		lab->hotplug = value;
		return is_one_of(value, "acpi", "native");
	case 'Q':
		return number(value, 1, QUEUES_MAX, &lab->queues);
	case 'r':
		return number(value, 1, 1000, &campaign->repeat);
	case 'T':
		return number(value, 1, US_RUN_TIMES_MAX, &run->times);
	case 'R':
		return number(value, 1, RATE_MAX, &lab->rate);
	case 't':
		run->tcp = true;
		return true;
	case 'S':
		return number(value, 0, SLOW_SWITCH_MAX_SEC, &run->slow_switch_sec);
	case 'j':
		campaign->json = value;
		return true;
	case 'H':
		campaign->html = value;
		return true;
	case 'G':
		campaign->svg = value;
		return true;
	case 'l':
		campaign->log = value;
		return true;
	case 'w':
		campaign->is_verbose = true;
		return true;
	case 'n':
		lab->name = value;
		return *value && strlen(value) <= 32 && !strpbrk(value, "/ ") && *value != '.';
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'v':
		printf("understudy-lab " US_VERSION "\n");
		exit(0);
	default:
		return false;
	}
}

bool us_options_parse(int argc, char **argv, struct us_options *ret_options, int *ret_rest)
{
	static const struct option known[] = {
		{ "manager", required_argument, NULL, 'M' },
		{ "hosts", required_argument, NULL, 'V' },
		{ "primary", required_argument, NULL, 'p' },
		{ "scenario", required_argument, NULL, 's' },
		{ "qemu", required_argument, NULL, 'q' },
		{ "allow-unsound", no_argument, NULL, 'u' },
		{ "accel", required_argument, NULL, 'a' },
		{ "machine", required_argument, NULL, 'm' },
		{ "hotplug", required_argument, NULL, 'P' },
		{ "guest", required_argument, NULL, 'g' },
		{ "queues", required_argument, NULL, 'Q' },
		{ "repeat", required_argument, NULL, 'r' },
		{ "times", required_argument, NULL, 'T' },
		{ "rate", required_argument, NULL, 'R' },
		{ "tcp", no_argument, NULL, 't' },
		{ "slow-switch", required_argument, NULL, 'S' },
		{ "json", required_argument, NULL, 'j' },
		{ "html", required_argument, NULL, 'H' },
		{ "svg", required_argument, NULL, 'G' },
		{ "log", required_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'w' },
		{ "name", required_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{},
	};
	int option;

	*ret_options = (struct us_options){
		.lab = { .name = "uslab",
			 .accel = "tcg",
			 .machine = us_lab_platform_find("q35"),
			 .guest = "bookworm",
			 .hotplug = "acpi",
			 .queues = 1 },
		.campaign = { .repeat = 1, .run = { .times = 20, .out = stdout } },
	};
	while ((option = getopt_long(argc, argv, "", known, NULL)) >= 0)
		if (!parse_one(option, optarg, ret_options))
			return false;
	if (ret_options->lab.machine->hotplug)
		ret_options->lab.hotplug = ret_options->lab.machine->hotplug;
	*ret_rest = optind;
	return true;
}
