/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lab/world/emulator.h"
#include "lab/world/process.h"
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

/* Refused if the program is no QEMU. */
static int read_version(const struct us_lab *lab, const char *qemu, char ret_version[32],
			int *ret_major, struct us_reason *reason)
{
	const char *const argv[] = { qemu, "--version", NULL };
	US_CLEANUP(us_freep) char *text = us_lab_process_read(lab, NULL, argv);

	*ret_major = text ? us_lab_emulator_parse_version(text, ret_version) : -ENOENT;
	if (*ret_major < 0) {
		us_refuse(reason, "%s --version gives no version of QEMU", qemu);
		return us_advise(reason, "install it, or choose another --qemu");
	}
	return 0;
}

static __attribute__((format(printf, 2, 3))) void announce(struct us_lab *lab, const char *format,
							   ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(lab->emulator.choice, sizeof(lab->emulator.choice), format, arguments);
	va_end(arguments);
	fprintf(lab->output, "%s\n", lab->emulator.choice);
}

static int prepare(struct us_lab *lab, const char *host_version, struct us_reason *reason)
{
	const char *program = lab->options.machine->qemu;
	US_CLEANUP(us_freep) char *path = NULL;
	char script[300], version[32];
	int major, r;

	snprintf(script, sizeof(script), "%s/make-qemu", lab->programs.guest_data);
	path = us_lab_process_read_line(
		lab, NULL, (const char *const[]){ script, SOUND_RELEASE, program, NULL });
	if (!path || !strchr(path, '/')) {
		us_refuse(reason,
			  "QEMU %s migrates emulated guests wrongly, and another one cannot be "
			  "prepared",
			  host_version);
		return us_advise(
			reason,
			"see the messages of make-qemu above, or choose a --qemu of %d.0 or later",
			SOUND_SINCE);
	}
	snprintf(lab->emulator.program, sizeof(lab->emulator.program), "%.255s", path);
	r = read_version(lab, lab->emulator.program, version, &major, reason);
	if (r)
		return r;
	announce(lab,
		 "QEMU %s of Debian " SOUND_RELEASE
		 " runs the guests: the host's %s migrates emulated guests wrongly",
		 version, host_version);
	return 0;
}

static int refuse_unsound(const char *qemu, const char *version, struct us_reason *reason)
{
	us_refuse(reason, "%s is QEMU %s, which migrates emulated guests wrongly (fixed in %d.0)",
		  qemu, version, SOUND_SINCE);
	return us_advise(reason, "leave --qemu out, choose a later one, or give --allow-unsound, "
				 "which makes the result invalid");
}

int us_lab_emulator_choose(struct us_lab *lab, bool migrates, struct us_reason *reason)
{
	const struct us_lab_options *options = &lab->options;
	const char *why = "it is the host's";
	bool is_sound;
	char version[32];
	int major, r;

	snprintf(lab->emulator.program, sizeof(lab->emulator.program), "%s",
		 options->qemu ? options->qemu : options->machine->qemu);
	if (us_lab_has_machines(lab)) {
		announce(lab, "%s in the host machines runs the guests, with KVM",
			 lab->emulator.program);
		return 0;
	}
	r = read_version(lab, lab->emulator.program, version, &major, reason);
	if (r)
		return r;
	is_sound = major >= SOUND_SINCE || !strcmp(options->accel, "kvm") || !migrates;
	if (!is_sound && !options->allows_unsound)
		return options->qemu ? refuse_unsound(lab->emulator.program, version, reason)
				     : prepare(lab, version, reason);
	if (options->qemu)
		why = "--qemu names it";
	else if (!migrates)
		why = "it is the host's, and no guest migrates";
	if (!is_sound) {
		why = "--allow-unsound, so results of migrations are invalid";
		snprintf(lab->emulator.why_unsound, sizeof(lab->emulator.why_unsound),
			 "QEMU %s migrates emulated guests wrongly", version);
	}
	announce(lab, "QEMU %s (%s) runs the guests: %s", version, lab->emulator.program, why);
	return 0;
}
