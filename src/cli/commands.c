/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of understudy, with their arguments, options and help. */
#include "api/uri.h"
#include "cli/cli.h"

static const struct us_option attach_options[] = {
	{ "qmp", 0, "PATH", "the VM's monitor socket, which no other program uses" },
	{ "libvirt", 0, "[=URI]", "the VM is a domain of libvirt (qemu:///system)" },
	{ NULL, 0, NULL, NULL },
};

static const struct us_option add_options[] = {
	{ "vm", 0, "VM", "the VM, attached before; with --persist a domain of libvirt" },
	{ "standby", 0, "DEVICE", "the id of its virtio-net device, with failover=on" },
	{ "port", 0, "IFNAME",
	  "the standby's interface on the host's switch; libvirt knows a domain's" },
	{ "mac", 0, "MAC", "the address that the standby must have" },
	{ "primary", 0, "SPEC", "pool:NAME, vfio:0000:5e:00.2 or emulated:MODEL,port=IFNAME" },
	{ "mode", 0, "MODE", "separate, coupled or combined (the default)" },
	{ "group", 0, "UUID", "the pair's group id" },
	{ "bus", 0, "BUS", "the bus for the primary; by default a free slot is found" },
	{ "hold", 0, NULL, "keep the primary hidden until `understudy expose`" },
	{ "handover", 0, "HOW",
	  "lossless (the default), or low-latency: park no frames, lose some" },
	{ "unused", 0, "WHAT",
	  "if the guest does not use its visible primary: report (the default), hide or ignore" },
	{ "park-frames", 0, "N", "park at most N frames in a transition" },
	{ "park-bytes", 0, "N", "… in at most N bytes, as in 8M" },
	{ "park-time", 0, "SECONDS", "… for at most this time" },
	{ "persist", 0, NULL,
	  "write the pair into the metadata of the domain, which need not run or be attached" },
	{ NULL, 0, NULL, NULL },
};

static const struct us_option assign_options[] = {
	{ "primary", 0, "SPEC",
	  "pool:NAME, vfio:0000:5e:00.2, emulated:MODEL,port=IFNAME, or none" },
	{ "persist", 0, NULL, "change the primary in the domain's metadata" },
	{ "vm", 0, "DOMAIN", "… of this domain, if several declare a pair of that name" },
	{ NULL, 0, NULL, NULL },
};

static const struct us_option remove_options[] = {
	{ "persist", 0, NULL, "take the pair out of the domain's metadata" },
	{ "vm", 0, "DOMAIN", "… of this domain, if several declare a pair of that name" },
	{ NULL, 0, NULL, NULL },
};

static const struct us_option migrate_options[] = {
	{ "to", 0, "HOST",
	  "the other host's daemon: " US_URI_FORMS
	  "; for a domain its libvirt: qemu+ssh://[USER@]HOST/system" },
	{ "peer", 0, "HOST", "its daemon, if --to names a libvirt that is reached in another way" },
	{ "set", 0, "K=V", "a migration parameter or capability of QEMU; can be repeated" },
	{ "deadline", 0, "SECONDS", "undo the migration if it takes longer" },
	{ "abort", 0, NULL, "end the present migration" },
	{ NULL, 0, NULL, NULL },
};

static const struct us_option proxy_options[] = {
	{ "peer", 0, NULL,
	  "for another host's daemon: allow only the calls of a migration to here" },
	{ NULL, 0, NULL, NULL },
};

const struct us_command us_commands[] = {
	{ "vm attach", "NAME --qmp PATH|--libvirt[=URI]", "adopt a running VM", attach_options, 1,
	  1, us_cli_vm_attach },
	{ "vm detach", "NAME", "remove a VM and its pairs, and leave them as they are", NULL, 1, 1,
	  us_cli_vm_detach },
	{ "vm list", "", "list the VMs", NULL, 0, 0, us_cli_vm_list },
	{ "pair add",
	  "[NAME] --vm VM --standby DEVICE [--port IFNAME] [--mac MAC] [--primary SPEC]\n"
	  "                           [--mode MODE] [--group UUID] [--bus BUS] [--hold]\n"
	  "                           [--handover HOW] [--park-frames N] [--park-bytes N]\n"
	  "                           [--park-time SECONDS] [--unused WHAT] [--persist]",
	  "pair a VM's standby with a primary", add_options, 0, 1, us_cli_pair_add },
	{ "pair assign", "NAME --primary SPEC|none [--persist [--vm DOMAIN]]",
	  "assign a primary to a pair, or remove it", assign_options, 1, 1, us_cli_pair_assign },
	{ "pair remove", "NAME [--persist [--vm DOMAIN]]",
	  "hide the primary, return it, and restore the switch", remove_options, 1, 1,
	  us_cli_pair_remove },
	{ "status", "[NAME]", "show all pairs; or one pair, with details and the next step", NULL,
	  0, 1, us_cli_status },
	{ "hide", "NAME", "hide the primary and keep it hidden", NULL, 1, 1, us_cli_hide },
	{ "expose", "NAME", "let the guest see the primary again", NULL, 1, 1, us_cli_expose },
	{ "prepare", "VM", "hide the VM's primaries for a migration by somebody else", NULL, 1, 1,
	  us_cli_prepare },
	{ "finish", "VM", "show the VM's primaries again", NULL, 1, 1, us_cli_finish },
	{ "migrate", "VM --to HOST [--peer HOST] [--set K=V]… [--deadline SECONDS] | VM --abort",
	  "migrate a VM with its pairs, or abort that", migrate_options, 1, 1, us_cli_migrate },
	{ "watch", "", "show every move, VM event and migration stage from now on", NULL, 0, 0,
	  us_cli_watch },
	{ "metrics", "", "print the metrics, as OpenMetrics text", NULL, 0, 0, us_cli_metrics },
	{ "doctor", "[VM]", "find problems of the host, or of a VM, and the next steps", NULL, 0, 1,
	  us_cli_doctor },
	{ "proxy", "[--peer]", "connect stdin and stdout to the local daemon", proxy_options, 0, 0,
	  us_cli_proxy },
	{ NULL, NULL, NULL, NULL, 0, 0, NULL },
};
