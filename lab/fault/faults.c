/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of faults. */
#include <stdio.h>
#include <string.h>

#include "lab/fault/fault-private.h"
#include "util/cleanup.h"

#define A US_LAB_HOST_A
#define B US_LAB_HOST_B

#define INJECTION(id, of_transition, of_target, on_host, where, ends, ...)                         \
	{                                                                                          \
		.scenario = { .name = id,                                                          \
			      .summary = "a target fails in a transition",                         \
			      .run = us_fault_inject,                                              \
			      .migrates = US_FAULT_##of_transition == US_FAULT_MIGRATE },          \
		.transition = US_FAULT_##of_transition, .target = US_FAULT_TARGET_##of_target,     \
		.host = on_host, .at = where, .end = US_FAULT_##ends, __VA_ARGS__                  \
	}

#define FAULT(id, how, function, promise, ...)                                                     \
	{                                                                                          \
		.scenario = { .name = id, .summary = how, .run = function, __VA_ARGS__ },          \
		.expectation = promise,                                                            \
	}

const struct us_fault us_faults[] = {
	INJECTION("expose-crash-park", EXPOSE, DAEMON, A, "exposing:steer-parked", AT_GOAL),
	INJECTION("expose-crash-plug", EXPOSE, DAEMON, A, "exposing:plug", AT_GOAL),
	INJECTION("expose-crash-watch", EXPOSE, DAEMON, A, "exposing:watch", AT_GOAL),
	INJECTION("expose-crash-steer", EXPOSE, DAEMON, A, "exposing:steer-primary", AT_GOAL),
	INJECTION("expose-crash-visible", EXPOSE, DAEMON, A, "visible:publish", AT_GOAL),
	INJECTION("expose-kill-client", EXPOSE, CLIENT, A, "hidden → exposing", AT_GOAL,
		  .keeps_frames = true),
	INJECTION("expose-kill-qemu", EXPOSE, QEMU, A, "hidden → exposing", NOWHERE),
	INJECTION("expose-stop-qemu", EXPOSE, PAUSED, A, "hidden → exposing", AT_GOAL,
		  .seconds = 3),

	INJECTION("hide-crash-park", HIDE, DAEMON, A, "hiding:steer-parked", AT_GOAL),
	INJECTION("hide-crash-unplug", HIDE, DAEMON, A, "hiding:unplug", AT_GOAL),
	INJECTION("hide-crash-steer", HIDE, DAEMON, A, "hidden:steer-standby", AT_GOAL),
	INJECTION("hide-crash-hidden", HIDE, DAEMON, A, "hidden:publish", AT_GOAL),
	INJECTION("hide-kill-client", HIDE, CLIENT, A, "visible → hiding", AT_GOAL,
		  .keeps_frames = true),
	INJECTION("hide-kill-qemu", HIDE, QEMU, A, "visible → hiding", NOWHERE),
	INJECTION("hide-stop-qemu", HIDE, PAUSED, A, "visible → hiding", AT_GOAL, .seconds = 3),
	INJECTION("hide-stop-qemu-30s", HIDE, PAUSED, A, "visible → hiding", AT_SOURCE,
		  .seconds = 30,
		  .expectation =
			  "prepare fails after 20 s with a message; the primary is exposed again"),

	INJECTION("reset-crash-unplug", RESET, DAEMON, A, "hiding:unplug", AT_GOAL),
	INJECTION("reset-crash-reset", RESET, DAEMON, A, "hiding:reset-vm", AT_GOAL),
	INJECTION("reset-crash-steer", RESET, DAEMON, A, "hiding:steer-standby", AT_GOAL),
	INJECTION("reset-kill-qemu", RESET, QEMU, A, "visible → hiding", NOWHERE),
	INJECTION("reset-stop-qemu", RESET, PAUSED, A, "visible → hiding", AT_GOAL, .seconds = 3),

	INJECTION("migrate-crash-check", MIGRATE, DAEMON, A, "migrate:check", AT_SOURCE),
	INJECTION("migrate-crash-reserve", MIGRATE, DAEMON, A, "migrate:reserve", AT_SOURCE),
	INJECTION("migrate-crash-hide", MIGRATE, DAEMON, A, "migrate:hide", AT_SOURCE),
	INJECTION("migrate-crash-hidden", MIGRATE, DAEMON, A, "hidden:steer-standby", AT_SOURCE),
	INJECTION("migrate-crash-transfer", MIGRATE, DAEMON, A, "migrate:transfer", AT_SOURCE),
	INJECTION("migrate-crash-started", MIGRATE, DAEMON, A, "migrate:started", AT_EITHER),
	INJECTION("migrate-crash-stopped", MIGRATE, DAEMON, A, "hidden:steer-parked", AT_EITHER),
	INJECTION("migrate-crash-arrive", MIGRATE, DAEMON, A, "migrate:arrive", AT_GOAL),
	INJECTION("migrate-crash-handoff", MIGRATE, DAEMON, A, "migrate:handoff", AT_GOAL),
	INJECTION("migrate-crash-release", MIGRATE, DAEMON, A, "migrate:release", AT_GOAL),

	INJECTION("arrive-crash-asked", MIGRATE, DAEMON, B, "receive:asked", AT_SOURCE),
	INJECTION("arrive-crash-listening", MIGRATE, DAEMON, B, "receive:listening", AT_SOURCE),
	INJECTION("arrive-crash-stopped", MIGRATE, DAEMON, B, "handoff:stopped", AT_EITHER),
	INJECTION("arrive-crash-arrived", MIGRATE, DAEMON, B, "receive:arrived", AT_EITHER),
	INJECTION("arrive-crash-held", MIGRATE, DAEMON, B, "handoff:held", AT_GOAL),
	INJECTION("arrive-crash-late", MIGRATE, DAEMON, B, "handoff:late", AT_GOAL),
	INJECTION("arrive-crash-plug", MIGRATE, DAEMON, B, "exposing:plug", AT_GOAL),
	INJECTION("arrive-crash-steer", MIGRATE, DAEMON, B, "exposing:steer-primary", AT_GOAL),

	INJECTION("migrate-kill-client-check", MIGRATE, CLIENT, A, ": check", AT_GOAL,
		  .keeps_frames = true),
	INJECTION("migrate-kill-client-hide", MIGRATE, CLIENT, A, ": hide", AT_GOAL,
		  .keeps_frames = true),
	INJECTION("migrate-kill-client-transfer", MIGRATE, CLIENT, A, ": transfer", AT_GOAL,
		  .keeps_frames = true),
	INJECTION("migrate-kill-client-handoff", MIGRATE, CLIENT, A, ": handoff", AT_GOAL,
		  .keeps_frames = true),

	INJECTION("migrate-cut-check", MIGRATE, RELAY, A, ": check", AT_SOURCE,
		  .keeps_frames = true),
	INJECTION("migrate-cut-reserve", MIGRATE, RELAY, A, ": reserve", AT_SOURCE,
		  .keeps_frames = true),
	INJECTION("migrate-cut-hide", MIGRATE, RELAY, A, ": hide", AT_SOURCE, .keeps_frames = true),
	INJECTION("migrate-cut-transfer", MIGRATE, RELAY, A, ": transfer", AT_EITHER),
	INJECTION("migrate-cut-arrive", MIGRATE, RELAY, A, ": arrive", AT_GOAL),
	INJECTION("migrate-cut-handoff", MIGRATE, RELAY, A, ": handoff", AT_GOAL),

	INJECTION("migrate-kill-qemu-hide", MIGRATE, QEMU, A, ": hide", NOWHERE),
	INJECTION("migrate-kill-qemu-transfer", MIGRATE, QEMU, A, ": transfer", NOWHERE),
	INJECTION("migrate-kill-qemu-release", MIGRATE, QEMU, A, ": release", AT_GOAL),
	INJECTION("arrive-kill-qemu-hide", MIGRATE, QEMU, B, ": hide", AT_SOURCE,
		  .keeps_frames = true),
	INJECTION("arrive-kill-qemu-transfer", MIGRATE, QEMU, B, ": transfer", AT_SOURCE,
		  .keeps_frames = true),

	INJECTION("migrate-stop-qemu-hide", MIGRATE, PAUSED, A, ": hide", AT_EITHER, .seconds = 3),
	INJECTION("migrate-stop-qemu-transfer", MIGRATE, PAUSED, A, ": transfer", AT_EITHER,
		  .seconds = 3),
	INJECTION("migrate-stop-qemu-handoff", MIGRATE, PAUSED, A, ": handoff", AT_GOAL,
		  .seconds = 3),
	INJECTION("arrive-stop-qemu-reserve", MIGRATE, PAUSED, B, ": reserve", AT_EITHER,
		  .seconds = 3),
	INJECTION("arrive-stop-qemu-transfer", MIGRATE, PAUSED, B, ": transfer", AT_EITHER,
		  .seconds = 3),
	INJECTION("arrive-stop-qemu-30s", MIGRATE, PAUSED, B, ": transfer", AT_EITHER,
		  .seconds = 30),
	INJECTION("arrive-stop-qemu-handoff", MIGRATE, PAUSED, B, ": handoff", AT_GOAL,
		  .seconds = 3),

	FAULT("guest-ignores-unplug", "the guest ignores the ACPI eject request for a while",
	      us_fault_ignored_unplug,
	      "reported after 20 s; parked frames go to the primary, without loss; hidden once the "
	      "guest acknowledges: frames that arrive while it detaches the primary are lost"),
	FAULT("guest-acknowledges-late",
	      "the guest acknowledges the unplug after its migration has failed",
	      us_fault_late_acknowledgement,
	      "never stopped while it has its primary; the primary is exposed again",
	      .migrates = true),
	FAULT("guest-unloads-module", "rmmod virtio_net net_failover in the guest",
	      us_fault_unloaded_module, "hidden while the guest has no driver, then exposed again"),
	FAULT("guest-downs-primary", "the guest sets its primary's link down; --unused hide",
	      us_fault_unused_primary,
	      "reported after 10 to 20 s and hidden; network over the standby; exposed again"),
	FAULT("guest-downs-primary-report", "the same; --unused report",
	      us_fault_unused_primary_reported,
	      "reported only; traffic continues once the link is up"),
	FAULT("guest-changes-mac", "the guest gives its primary another MAC address, then its own",
	      us_fault_changed_mac,
	      "the host changes nothing; traffic continues with the original address"),
	FAULT("guest-says-nothing", "no frames to or from the guest", us_fault_silent_guest,
	      "hidden again after 15 s and reported; exposed once there is traffic"),
	FAULT("guest-resets", "30 resets as fast as QEMU accepts them", us_fault_flood_of_resets,
	      "no more plugs than the back-off allows; exposed in the end"),
	FAULT("guest-panics", "the guest panics; a hide is requested, then a reset", us_fault_panic,
	      "the unplug is reported as overdue; the reset completes it"),
	FAULT("guest-powers-off", "the guest powers off: QEMU ends", us_fault_power_off,
	      "nothing is steered; a new QEMU is taken over"),
	FAULT("guest-pauses", "another tool stops the VM for a minute; a hide is requested",
	      us_fault_pause, "reported after 20 s; hidden when the VM is resumed"),
	FAULT("device-vanishes", "another tool's device_del of the primary",
	      us_fault_vanished_device, "network at once; exposed again after a back-off"),
	FAULT("device-refused", "device_add refused: the tap is in use", us_fault_refused_plug,
	      "stays on the standby without loss; QEMU's error is reported; tried again"),
	{},
};

const struct us_fault *us_fault_of(const struct us_scenario *scenario)
{
	for (const struct us_fault *fault = us_faults; fault->scenario.name; fault++)
		if (&fault->scenario == scenario)
			return fault;
	return NULL;
}

const char *us_fault_description(const struct us_fault *fault, char buffer[160])
{
	static const struct {
		const char *who, *what;
	} words[] = {
		[US_FAULT_TARGET_DAEMON] = { "understudyd", "killed" },
		[US_FAULT_TARGET_CLIENT] = { "understudy", "killed" },
		[US_FAULT_TARGET_QEMU] = { "QEMU", "killed" },
		[US_FAULT_TARGET_PAUSED] = { "QEMU", "stopped (SIGSTOP)" },
		[US_FAULT_TARGET_RELAY] = { "understudyd's connections", "cut" },
	};
	_Static_assert(US_ARRAY_LENGTH(words) == US_FAULT_TARGETS, "words for each victim");
	int length;

	if (!fault->at) {
		snprintf(buffer, 160, "%s", fault->scenario.summary);
		return buffer;
	}
	length = snprintf(buffer, 160, "%s of %s %s at \"%s\"", words[fault->target].who,
			  us_lab_host_name(fault->host), words[fault->target].what,
			  fault->at + strspn(fault->at, ": "));
	if (fault->seconds)
		snprintf(buffer + length, 160 - length, " for %u s", fault->seconds);
	return buffer;
}

const char *us_fault_expectation(const struct us_fault *fault)
{
	static const char *const reached[] = {
		[US_FAULT_EXPOSE] = "network at once; the primary is exposed",
		[US_FAULT_HIDE] = "network at once; the primary is hidden",
		[US_FAULT_RESET] = "boots on the standby; the primary is exposed again",
		[US_FAULT_MIGRATE] = "network at once; the guest arrives and uses its primary",
	};

	if (fault->expectation)
		return fault->expectation;
	if (fault->end == US_FAULT_AT_SOURCE)
		return "network at once; the primary at the source again; the next migration "
		       "succeeds";
	if (fault->end == US_FAULT_AT_EITHER)
		return "runs at exactly one host, with its primary; if that is the source, the "
		       "next "
		       "migration succeeds";
	if (fault->end == US_FAULT_NOWHERE)
		return "nothing is steered; a new QEMU is taken over";
	return reached[fault->transition];
}
