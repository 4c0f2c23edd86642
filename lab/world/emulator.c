/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which QEMU runs the guests. Before 9.0 (commit "physmem: Fix migration dirty bitmap coherency
 * with TCG memory access") a store of an emulated guest may miss the dirty bitmap, so stale pages
 * arrive and the guest's kernel crashes some seconds after its migration. KVM is not affected.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/world/lab.h"
#include "lab/world/proc.h"
#include "util/cleanup.h"

#define SOUND_SINCE 9	       /* major version */
#define SOUND_RELEASE "trixie" /* Debian's, with QEMU 10.0 */

int us_lab_emulator_parse_version(const char *line, char ret_version[32])
{
	int major, minor, micro;

	if (sscanf(line, "QEMU emulator version %d.%d.%d", &major, &minor, &micro) != 3)
		return -EBADMSG;
	snprintf(ret_version, 32, "%d.%d.%d", major, minor, micro);
	return major;
}

/* The major version, or refused. */
static int read_version(const struct us_lab *lab, const char *qemu, char ret_version[32],
			int *ret_major, struct us_reason *reason)
{
	const char *const argv[] = { qemu, "--version", NULL };
	US_CLEANUP(us_freep) char *text = us_lab_process_read(lab, NULL, argv);

	*ret_major = text ? us_lab_emulator_parse_version(text, ret_version) : -ENOENT;
	if (*ret_major < 0)
		return us_refuse(reason,
				 "%s --version gives no version of QEMU: install it, or choose "
				 "another --qemu",
				 qemu);
	return 0;
}

static __attribute__((format(printf, 2, 3))) void say(struct us_lab *lab, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(lab->qemu_choice, sizeof(lab->qemu_choice), format, arguments);
	va_end(arguments);
	fprintf(us_lab_out(lab), "%s\n", lab->qemu_choice);
}

static int prepare(struct us_lab *lab, const char *host_version, struct us_reason *reason)
{
	const char *program = lab->options.machine->qemu;
	US_CLEANUP(us_freep) char *path = NULL;
	char script[300], version[32];
	int major, r;

	snprintf(script, sizeof(script), "%s/make-qemu", lab->data);
	path = us_lab_process_read(lab, NULL,
			    (const char *const[]){ script, SOUND_RELEASE, program, NULL });
	if (!path || !strchr(path, '/'))
		return us_refuse(
			reason,
			"QEMU %s migrates emulated guests wrongly, and another one cannot "
			"be prepared: see what make-qemu said above, or choose a --qemu of "
			"%d.0 or later",
			host_version, SOUND_SINCE);
	path[strcspn(path, "\n")] = 0;
	snprintf(lab->qemu, sizeof(lab->qemu), "%.255s", path);
	r = read_version(lab, lab->qemu, version, &major, reason);
	if (r)
		return r;
	say(lab,
	    "QEMU %s of Debian " SOUND_RELEASE
	    " runs the guests: the host's %s migrates emulated guests wrongly",
	    version, host_version);
	return 0;
}

static int refuse_unsound(const char *qemu, const char *version, struct us_reason *reason)
{
	return us_refuse(reason,
			 "%s is QEMU %s, which migrates emulated guests wrongly (fixed in %d.0): "
			 "leave --qemu out, choose a later one, or give --allow-unsound, which "
			 "makes the result invalid",
			 qemu, version, SOUND_SINCE);
}

int us_lab_emulator_choose(struct us_lab *lab, bool migrates, struct us_reason *reason)
{
	const struct us_lab_options *options = &lab->options;
	const char *why = "it is the host's";
	bool is_sound;
	char version[32];
	int major, r;

	snprintf(lab->qemu, sizeof(lab->qemu), "%s",
		 options->qemu ? options->qemu : options->machine->qemu);
	if (options->hosts == US_LAB_HOST_KIND_MACHINE) {
		say(lab, "%s in the host machines runs the guests, with KVM", lab->qemu);
		return 0;
	}
	r = read_version(lab, lab->qemu, version, &major, reason);
	if (r)
		return r;
	is_sound = major >= SOUND_SINCE || !strcmp(options->accel, "kvm") || !migrates;
	if (!is_sound && !options->allows_unsound)
		return options->qemu ? refuse_unsound(lab->qemu, version, reason)
				     : prepare(lab, version, reason);
	if (options->qemu)
		why = "--qemu names it";
	else if (!migrates)
		why = "it is the host's, and no guest migrates";
	if (!is_sound) {
		why = "--allow-unsound, so results of migrations are invalid";
		snprintf(lab->qemu_why_unsound, sizeof(lab->qemu_why_unsound),
			 "QEMU %s migrates emulated guests wrongly", version);
	}
	say(lab, "QEMU %s (%s) runs the guests: %s", version, lab->qemu, why);
	return 0;
}
