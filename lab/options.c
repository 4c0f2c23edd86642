/* SPDX-License-Identifier: BSD-3-Clause */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/options.h"

static const char usage[] =
	"Usage: understudy-lab COMMAND [OPTIONS]\n"
	"\n"
	"A laboratory for Understudy: two hosts, a switch and a client in network namespaces,\n"
	"a real QEMU, a real Linux guest, and scenarios that count its frames.\n"
	"\n"
	"  demo               migrate a guest with Understudy and with QEMU's own failover, and\n"
	"                     compare the two\n"
	"  up                 raise the lab, with a guest on host-a, and leave it running\n"
	"  down               remove the lab\n"
	"  status             show what runs in the lab\n"
	"  list               list the scenarios\n"
	"  run SCENARIO...    run scenarios, each in a lab of its own if none is up\n"
	"  compare            run scenarios with Understudy and with QEMU's own failover by "
	"turns;\n"
	"                     with --vmm libvirt, with libvirt's teaming in its place\n"
	"  faults             list the faults\n"
	"  break              run faults, all or those chosen, and print a table of the results\n"
	"  shell PLACE        open a shell in host-a, host-b, client or guest\n"
	"\n"
	"  --manager understudy|qemu|libvirt-teaming\n"
	"                     who shows and hides the primary (understudy)\n"
	"  --vmm qemu|libvirt the lab starts the guest's QEMU, or a libvirtd on each host (qemu)\n"
	"  --hosts netns|vm   network namespaces, or emulated machines with VFs and KVM (netns)\n"
	"  --primary MODEL    the primary's model: any PCI NIC of QEMU (vmxnet3), or vfio on\n"
	"                     machines; for compare, repeatable (vmxnet3, e1000e)\n"
	"  --scenario NAME    for compare, repeatable (hide, migrate, migrate-fail); for break,\n"
	"                     a fault, repeatable (all)\n"
	"  --qemu PATH        the QEMU that runs the guests (the host's; to migrate an emulated\n"
	"                     guest, 9.0 or later, downloaded if the host's is older)\n"
	"  --allow-unsound    migrate emulated guests with an older QEMU; the result is invalid\n"
	"  --accel tcg|kvm    emulate the guest's CPU or use KVM (tcg)\n"
	"  --machine q35|pc|virt|s390-ccw-virtio\n"
	"                     the guest's machine (q35); virt is arm64, s390-ccw-virtio is s390x\n"
	"  --guest bookworm|trixie\n"
	"                     the Debian release of the guest's kernel (bookworm)\n"
	"  --hotplug acpi|native\n"
	"                     hot-plug by ACPI, or by the root port of a q35 (acpi)\n"
	"  --queues N         queues of the standby and CPUs of the guest, up to 4 (1)\n"
	"  --memory MIB       memory of the guest, up to 8192 (256)\n"
	"  --lazy-memory      allocate it when it is first used, or when a VF is plugged\n"
	"  --repeat N         run each scenario N times (1)\n"
	"  --times N          migrations in a ping-pong, up to 200 (20)\n"
	"  --rate FRAMES      frames per second to the guest, up to 10000 (1000, on machines 50);\n"
	"                     from the guest at most 1000\n"
	"  --tcp              also a bulk transfer, and requests and responses, over TCP\n"
	"  --slow-switch SECONDS\n"
	"                     the switch learns of a migration only after this time\n"
	"  --json FILE        write the report to FILE, - for standard output\n"
	"  --html FILE        draw the runs in FILE, for any browser\n"
	"  --svg FILE         for demo: draw the migrations in FILE, small\n"
	"  --log FILE         for demo: append output that is not shown\n"
	"                     (/run/understudy-lab/NAME.log)\n"
	"  --verbose          for demo: show all output\n"
	"  --name NAME        name of the lab, so that several can be up (uslab)\n"
	"  --help, --version\n"
	"\n"
	"Exit status: 0 done or passed, 1 failed, 2 usage, 4 invalid: a guest's kernel crashed.\n";

enum {
	RATE_MAX = 10000,
	SLOW_SWITCH_MAX_SEC = 60,
	QUEUES_MAX = 4,
	MEMORY_MIN = 128,
	MEMORY_MAX = 8192
};

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

static bool parse_vmm(const char *value, enum us_lab_vmm *ret_vmm)
{
	for (int vmm = 0; vmm < US_LAB_VMMS; vmm++)
		if (!strcmp(value, us_lab_vmm_name(vmm))) {
			*ret_vmm = vmm;
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

static const struct option known[] = {
	{ "manager", required_argument, NULL, 'M' },
	{ "vmm", required_argument, NULL, 'L' },
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
	{ "memory", required_argument, NULL, 'e' },
	{ "lazy-memory", no_argument, NULL, 'z' },
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

static bool set(const char **ret_value, const char *value)
{
	*ret_value = value;
	return true;
}

/* Options of runs and campaigns. False: unknown, or a wrong value. */
static bool parse_campaign(int option, const char *value, struct us_campaign_options *options)
{
	switch (option) {
	case 'p':
		return choose(options->primaries, &options->primaries_count, value);
	case 's':
		return choose(options->scenarios, &options->scenarios_count, value);
	case 'r':
		return number(value, 1, 1000, &options->repeat);
	case 'T':
		return number(value, 1, US_RUN_TIMES_MAX, &options->run.times);
	case 'S':
		return number(value, 0, SLOW_SWITCH_MAX_SEC, &options->run.slow_switch_sec);
	case 't':
		return options->run.tcp = true;
	case 'j':
		return set(&options->json, value);
	case 'H':
		return set(&options->html, value);
	case 'G':
		return set(&options->svg, value);
	case 'l':
		return set(&options->log, value);
	case 'w':
		return options->is_verbose = true;
	default:
		return false;
	}
}

/* Options of the lab. The same. */
static bool parse_lab(int option, const char *value, struct us_lab_options *options)
{
	switch (option) {
	case 'M':
		return parse_manager(value, &options->manager);
	case 'L':
		return parse_vmm(value, &options->vmm);
	case 'V':
		return parse_hosts(value, &options->hosts);
	case 'q':
		return set(&options->qemu, value);
	case 'u':
		return options->allows_unsound = true;
	case 'a':
		return set(&options->accel, value) && is_one_of(value, "tcg", "kvm");
	case 'm':
		options->machine = us_lab_platform_find(value);
		return options->machine;
	case 'g':
		return set(&options->guest, value) && is_one_of(value, "bookworm", "trixie");
	case 'P':
		return set(&options->hotplug, value) && is_one_of(value, "acpi", "native");
	case 'Q':
		return number(value, 1, QUEUES_MAX, &options->queues);
	case 'e':
		return number(value, MEMORY_MIN, MEMORY_MAX, &options->memory);
	case 'z':
		return options->has_lazy_memory = true;
	case 'R':
		return number(value, 1, RATE_MAX, &options->rate);
	case 'n':
		options->name = value;
		return *value && strlen(value) <= 32 && !strpbrk(value, "/ ") && *value != '.';
	default:
		return false;
	}
}

static bool parse_one(int option, const char *value, struct us_options *options)
{
	switch (option) {
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 'v':
		printf("understudy-lab " US_VERSION "\n");
		exit(0);
	case 'p':
		options->lab.primary = value;
		break;
	}
	return parse_campaign(option, value, &options->campaign) ||
	       parse_lab(option, value, &options->lab);
}

bool us_options_parse(int argc, char **argv, struct us_options *ret_options, int *ret_rest)
{
	int option;

	*ret_options = (struct us_options){
		.lab = { .name = "uslab",
			 .accel = "tcg",
			 .machine = us_lab_platform_find("q35"),
			 .guest = "bookworm",
			 .hotplug = "acpi",
			 .queues = 1,
			 .memory = 256 },
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
