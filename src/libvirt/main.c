/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * understudy-libvirt: the daemon's helper for the domains of one libvirtd.
 *
 * libvirt's functions block, and libvirtd may hang. Therefore they are called in a process of its
 * own, which the daemon starts for each URI and which can end at any time without harm to a VM.
 * Standard input is the control socket (control.h).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libvirt/commands.h"
#include "libvirt/control.h"
#include "libvirt/declare.h"
#include "libvirt/host.h"
#include "libvirt/serve.h"

int main(int argc, char **argv)
{
	static const struct us_lv_host_handler handler = {
		.event = us_lv_channel_event,
		.removed = us_lv_channel_removed,
		.stopped = us_lv_channel_stopped,
		.report = us_lv_control_send,
		.lost = us_lv_channel_end_all,
	};

	if (argc != 2 || strncmp(argv[1], "--", 2) == 0) {
		bool wants_help = argc == 2 && strcmp(argv[1], "--help") == 0;

		fputs("usage: understudy-libvirt URI\n\n"
		      "understudyd(8) starts this program and speaks to it on standard input.\n",
		      wants_help ? stdout : stderr);
		return wants_help ? 0 : 2;
	}
	signal(SIGPIPE, SIG_IGN);
	us_lv_serve_commands(us_lv_command_run);
	if (us_lv_host_start(argv[1], &handler) < 0) {
		fprintf(stderr, "understudy-libvirt: libvirt's event loop cannot be started\n");
		return 1;
	}
	us_lv_control_run(&(struct us_lv_control_handler){ us_lv_serve_domain, us_lv_declare });
	_exit(0); /* exit(3) would destroy what the other threads use */
}
