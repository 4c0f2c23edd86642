/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Golden traces of the pair engine in virtual time, with the log lines: the usual courses of a
 * pair. test-matrix.c puts every event to every state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "scene.h"
#include "util/cleanup.h"

#define USEC_PER_HOUR (UINT64_C(3600) * 1000 * 1000)

#define TO_HIDDEN "vm running, steered standby on, assign, observed off, reserved on"
#define TO_RESERVED "vm incoming, steered none on, assign, observed off, reserved on"
#define TO_VISIBLE TO_HIDDEN ", guest capable on, plugged on, traffic on, steered primary on"

static const struct scene_line boot[] = {
	{ 0, "vm running", "steer=standby", NULL },
	{ 1, "steered standby on", "", NULL },
	{ 2, "assign", "", "web0: absent → unknown (asking the VM whether it has the primary)" },
	{ 3, "observed off", "reserve", "web0: unknown → reserving (the host is reserving it)" },
	{ 50, "reserved on", "", "web0: reserving → hidden (guest's driver is not known yet)" },
	{ 4000, "guest capable off", "",
	  "web0: hidden (guest's driver has not reached DRIVER_OK)" },
	{ 5000, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 5004, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 5400, "traffic on", "steer=primary", NULL },
	{ 5401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 65401, "tick", "", NULL },
	{ 0 },
};

static const struct scene_line legacy[] = {
	{ 3000, "guest legacy on", "", "web0: hidden (guest negotiated without STANDBY)" },
	{ 3001, "guest legacy on", "", NULL },
	{ 0 },
};

static const struct scene_line hold[] = {
	{ 10000, "hold on", "unplug", "web0: visible → hiding (on hold)" },
	{ 10080, "unplugged", "steer=standby", "web0: hiding → hidden (on hold)" },
	{ 10081, "steered standby on", "", NULL },
	{ 10082, "hold on", "", NULL },
	{ 20000, "hold off", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 20004, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 20400, "traffic on", "steer=primary", NULL },
	{ 20401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 0 },
};

static const struct scene_line reset_fresh[] = {
	{ 10000, "reset", "unplug reset-vm steer=standby",
	  "web0: visible → hiding (guest was reset)" },
	{ 10001, "steered standby on", "", NULL },
	{ 10020, "reset", "", NULL },
	{ 10030, "unplugged", "", "web0: hiding → hidden (guest was reset)" },
	{ 14000, "guest capable off", "",
	  "web0: hidden (guest's driver has not reached DRIVER_OK)" },
	{ 15000, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 15004, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 0 },
};

static const struct scene_line reset_stale[] = {
	{ 10000, "reset stale", "unplug steer=standby",
	  "web0: visible → hiding (guest was reset)" },
	{ 10001, "steered standby on", "", NULL },
	{ 14000, "guest capable on", "",
	  "web0: hiding (waiting for the guest to release it, to show it again)" },
	{ 14500, "unplugged", "plug", "web0: hiding → exposing (guest reached DRIVER_OK)" },
	{ 14501, "tick", "", NULL },
	{ 0 },
};

static const struct scene_line unbind[] = {
	{ 10000, "guest none", "unplug steer=standby",
	  "web0: visible → hiding (guest has no driver for the standby)" },
	{ 10001, "steered standby on", "", NULL },
	{ 10070, "unplugged", "", "web0: hiding → hidden (guest has no driver for the standby)" },
	{ 12000, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 12004, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 0 },
};

static const struct scene_line not_ready[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 4, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 15003, "tick", "", NULL },
	{ 15004, "tick", "unplug unwatch",
	  "web0: exposing → hiding (guest did not use the primary in time)" },
	{ 15100, "unplugged", "", "web0: hiding → hidden (guest did not use the primary in time)" },
	{ 17003, "tick", "", NULL },
	{ 17004, "tick", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 17010, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 17400, "traffic on", "steer=primary", NULL },
	{ 17401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 0 },
};

static const struct scene_line plug_refused[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 4, "plugged off", "",
	  "web0: exposing → hidden (the VMM refused to plug it, waiting to try again)" },
	{ 2004, "tick", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 2010, "plugged off", "",
	  "web0: exposing → hidden (the VMM refused to plug it, waiting to try again)" },
	{ 6010, "tick", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

/* Another process has the primary open for a moment: PLUG is sent again, ever more slowly. */
static const struct scene_line plug_busy[] = {
	{ 0, "guest capable on", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "steered parked on", "", NULL },
	{ 4, "plug-busy", "", NULL },
	{ 5, "plugged on", "", NULL }, /* no PLUG is pending */
	{ 103, "tick", "", NULL },
	{ 104, "tick", "plug", NULL },
	{ 110, "plug-busy", "", NULL },
	{ 309, "tick", "", NULL },
	{ 310, "tick", "plug", NULL },
	{ 314, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 0 },
};

/* The VM does not have the primary: UNPLUG is not needed. */
static const struct scene_line plug_busy_hold[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 4, "plug-busy", "", NULL },
	{ 50, "hold on", "", "web0: exposing → hidden (on hold)" },
	{ 104, "tick", "", NULL },
	{ 200, "hold off", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

/* PLUG_BUSY after UNPLUG: the VM never had the primary. */
static const struct scene_line plug_busy_hiding[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "hold on", "unplug", "web0: exposing → hiding (on hold)" },
	{ 4, "plug-busy", "", "web0: hiding → hidden (on hold)" },
	{ 0 },
};

static const struct scene_line plug_unanswered[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 60000, "tick", "unplug",
	  "web0: exposing → hiding (the VMM refused to plug it, waiting to try again)" },
	{ 60500, "plugged on", "", NULL },
	{ 60600, "unplugged", "",
	  "web0: hiding → hidden (the VMM refused to plug it, waiting to try again)" },
	{ 0 },
};

static const struct scene_line overdue[] = {
	{ 1000, "hold on", "unplug", "web0: visible → hiding (on hold)" },
	{ 20999, "tick", "", NULL },
	{ 21000, "tick", "unplug", "web0: hiding (guest has not acknowledged the unplug)" },
	{ 31000, "tick", "unplug", NULL },
	{ 31500, "unplugged", "steer=standby", "web0: hiding → hidden (on hold)" },
	{ 31501, "steered standby on", "", NULL },
	{ 0 },
};

static const struct scene_line after_the_abort[] = {
	{ 1000, "prepare", "unplug", "web0: visible → hiding (hidden for a migration)" },
	/* The guest is slow, and the migration is aborted. */
	{ 15000, "finish", "",
	  "web0: hiding (waiting for the guest to release it, to show it again)" },
	{ 16000, "unplugged", "plug steer=standby",
	  "web0: hiding → exposing (guest reached DRIVER_OK)" },
	{ 16001, "steered standby on", "", NULL },
	{ 16004, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 16400, "traffic on", "steer=primary", NULL },
	{ 16401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 0 },
};

static const struct scene_line kept_after_the_abort[] = {
	{ 1000, "prepare", "unplug", "web0: visible → hiding (hidden for a migration)" },
	{ 15000, "finish", "",
	  "web0: hiding (waiting for the guest to release it, to show it again)" },
	/* The guest still uses the primary, and may keep it. */
	{ 21000, "tick", "", "web0: hiding → visible (guest carries traffic on the primary)" },
	{ 36001, "tick", "", NULL },
	{ 0 },
};

static const struct scene_line prepare_finish[] = {
	{ 1000, "prepare", "unplug", "web0: visible → hiding (hidden for a migration)" },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 2000, "migrating on", "", NULL },
	{ 3000, "migrating off", "", NULL },
	{ 3001, "finish", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 3005, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 0 },
};

static const struct scene_line moved[] = {
	{ 1000, "prepare", "unplug", "web0: visible → hiding (hidden for a migration)" },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 2000, "migrating on", "", NULL },
	{ 9000, "vm moved", "steer=none", "web0: reserved (the guest runs on another host now)" },
	{ 9001, "steered none on", "", NULL },
	{ 9002, "migrating off", "", NULL },
	{ 9100, "finish", "release", "web0: hidden → absent (the guest runs on another host now)" },
	{ 0 },
};

static const struct scene_line incoming[] = {
	{ 0, "vm incoming", "", NULL },
	{ 1, "assign", "", "web0: absent → unknown (asking the VM whether it has the primary)" },
	{ 2, "observed off", "reserve", "web0: unknown → reserving (the host is reserving it)" },
	{ 50, "reserved on", "", "web0: reserving → reserved (waiting for the guest to arrive)" },
	{ 5000, "guest capable on", "", NULL },
	{ 5050, "vm running", "plug steer=standby",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 5051, "steered standby on", "", NULL },
	{ 5055, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 5500, "traffic on", "steer=primary", NULL },
	{ 5501, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 0 },
};

static const struct scene_line restart[] = {
	/* The previous daemon left the path at the primary. */
	{ 0, "path primary", "", NULL },
	{ 1, "assign", "", "web0: absent → unknown (the VM's monitor does not answer)" },
	{ 2, "vm running", "", "web0: unknown (asking the VM whether it has the primary)" },
	{ 3, "observed on", "", "web0: unknown → visible (guest carries traffic on the primary)" },
	{ 4, "guest capable on", "", NULL },
	{ 0 },
};

/* The guest took the primary's link down, and sends on its standby. */
static const struct scene_line idle[] = {
	{ 0, "idle", "steer=parked unplug",
	  "web0: visible → hiding (guest did not use the primary in time)" },
	{ 1, "steered parked on", "", NULL },
	{ 80, "unplugged", "steer=standby",
	  "web0: hiding → hidden (guest did not use the primary in time)" },
	{ 81, "steered standby on", "", NULL },
	{ 2000, "tick", "steer=parked plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

/* The previous daemon was killed during an expose: the guest may receive on either device. */
static const struct scene_line restart_amid[] = {
	{ 0, "path none", "", NULL },
	{ 1, "assign", "", "web0: absent → unknown (the VM's monitor does not answer)" },
	{ 2, "vm running", "", "web0: unknown (asking the VM whether it has the primary)" },
	{ 3, "observed on", "watch",
	  "web0: unknown → exposing (waiting for the guest's traffic on the primary)" },
	{ 4, "guest capable on", "steer=parked", NULL },
	{ 5, "steered parked on", "", NULL },
	{ 400, "traffic on", "steer=primary", NULL },
	{ 401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 0 },
};

static const struct scene_line restart_unlike[] = {
	{ 0, "path primary", "", NULL },
	{ 1, "assign", "", "web0: absent → unknown (the VM's monitor does not answer)" },
	{ 2, "vm running", "", "web0: unknown (asking the VM whether it has the primary)" },
	{ 3, "observed on", "", "web0: unknown → visible (guest carries traffic on the primary)" },
	/* The driver changed while no daemon ran. */
	{ 4, "guest legacy on", "unplug steer=standby",
	  "web0: visible → hiding (guest negotiated without STANDBY)" },
	{ 5, "steered standby on", "", NULL },
	{ 80, "unplugged", "", "web0: hiding → hidden (guest negotiated without STANDBY)" },
	{ 0 },
};

static const struct scene_line monitor_lost[] = {
	{ 1000, "vm unknown", "", "web0: visible → unknown (the VM's monitor does not answer)" },
	{ 3000, "vm running", "", "web0: unknown (asking the VM whether it has the primary)" },
	{ 3001, "observed on", "",
	  "web0: unknown → visible (guest carries traffic on the primary)" },
	{ 3002, "guest capable on", "", NULL },
	{ 0 },
};

static const struct scene_line park[] = {
	{ 0, "guest capable on", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "steered parked on", "", NULL },
	{ 5, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 400, "traffic on", "steer=primary", NULL },
	{ 401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 10000, "hold on", "steer=parked unplug", "web0: visible → hiding (on hold)" },
	{ 10001, "steered parked on", "", NULL },
	{ 10080, "unplugged", "steer=standby", "web0: hiding → hidden (on hold)" },
	{ 10081, "steered standby on", "", NULL },
	{ 0 },
};

/* A release may take as long as parking, and 10 s more; the guest keeps the primary. */
static const struct scene_line park_long[] = {
	{ 0, "guest capable on", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "steered parked on", "", NULL },
	{ 4, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 14001, "traffic on", "steer=primary", NULL },
	{ 15004, "tick", "", NULL },
	{ 44000, "tick", "", NULL },
	{ 44001, "tick", "unplug steer=standby",
	  "web0: exposing → hiding (the switch could not be steered to it)" },
	{ 0 },
};

/* A slow VMM: frames are not parked while the guest cannot see the primary. */
static const struct scene_line park_slow_plug[] = {
	{ 0, "guest capable on", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "steered parked on", "", NULL },
	{ 1999, "tick", "", NULL },
	{ 2000, "tick", "steer=standby", NULL },
	{ 2002, "steered standby on", "", NULL },
	{ 8000, "plugged on", "steer=parked watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 8001, "steered parked on", "", NULL },
	{ 22000, "tick", "", NULL },
	{ 22001, "traffic on", "steer=primary", NULL },
	{ 0 },
};

/* PLUGGED comes during the release: frames are parked again, but not longer in total. */
static const struct scene_line park_slow_plug_releasing[] = {
	{ 0, "guest capable on", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "steered parked on", "", NULL },
	{ 2000, "tick", "steer=standby", NULL },
	{ 2100, "plugged on", "steer=parked watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 2101, "steered parked on", "", NULL },
	{ 17100, "tick", "unplug unwatch",
	  "web0: exposing → hiding (guest did not use the primary in time)" },
	{ 20000, "tick", "", NULL },
	{ 20001, "tick", "steer=standby", NULL },
	{ 0 },
};

/* The guest keeps the primary: parked frames are released to it. */
static const struct scene_line park_kept[] = {
	{ 10000, "hold on", "steer=parked unplug", "web0: visible → hiding (on hold)" },
	{ 10001, "steered parked on", "", NULL },
	{ 14999, "tick", "", NULL },
	{ 15000, "tick", "steer=primary", NULL },
	{ 15010, "steered primary on", "", NULL },
	{ 30000, "tick", "unplug", "web0: hiding (guest has not acknowledged the unplug)" },
	{ 31000, "unplugged", "steer=standby", "web0: hiding → hidden (on hold)" },
	{ 0 },
};

/* The slot delays the unplug by five seconds: frames are not parked for most of them. */
static const struct scene_line unplug_delay[] = {
	{ 10000, "hold on", "unplug", "web0: visible → hiding (on hold)" },
	{ 14799, "tick", "", NULL },
	{ 14800, "tick", "steer=parked", NULL },
	{ 14801, "steered parked on", "", NULL },
	{ 16200, "unplugged", "steer=standby", "web0: hiding → hidden (on hold)" },
	{ 16201, "steered standby on", "", NULL },
	{ 0 },
};

/* The guest is seen on its standby before the VMM reports UNPLUGGED. */
static const struct scene_line unplug_delay_left[] = {
	{ 10000, "hold on", "unplug", "web0: visible → hiding (on hold)" },
	{ 14800, "tick", "steer=parked", NULL },
	{ 14801, "steered parked on", "", NULL },
	{ 15150, "traffic off", "steer=standby", NULL },
	{ 15151, "steered standby on", "", NULL },
	{ 16200, "unplugged", "", "web0: hiding → hidden (on hold)" },
	{ 0 },
};

/* A reset ends the guest's use of the primary. */
static const struct scene_line unplug_delay_reset[] = {
	{ 10000, "hold on", "unplug", "web0: visible → hiding (on hold)" },
	{ 12000, "reset", "steer=standby", NULL },
	{ 12001, "steered standby on", "", NULL },
	{ 14800, "tick", "", NULL },
	{ 0 },
};

/* A second reset would not complete the unplug. The driver that comes back keeps the primary. */
static const struct scene_line unplug_delay_reboot[] = {
	{ 10000, "reset", "unplug steer=standby", "web0: visible → hiding (guest was reset)" },
	{ 10001, "steered standby on", "", NULL },
	{ 14000, "guest capable off", "",
	  "web0: hiding (guest's driver has not reached DRIVER_OK)" },
	{ 15000, "guest capable on", "steer=parked watch",
	  "web0: hiding → exposing (waiting for the guest's traffic on the primary)" },
	{ 15001, "steered parked on", "", NULL },
	{ 15400, "traffic on", "steer=primary", NULL },
	{ 0 },
};

/* If the new driver is not capable, UNPLUG is sent again. */
static const struct scene_line unplug_delay_reboot_legacy[] = {
	{ 10000, "reset", "unplug steer=standby", "web0: visible → hiding (guest was reset)" },
	{ 10001, "steered standby on", "", NULL },
	{ 15000, "guest legacy on", "", "web0: hiding (guest negotiated without STANDBY)" },
	{ 30000, "tick", "unplug", "web0: hiding (guest has not acknowledged the unplug)" },
	{ 36200, "unplugged", "", "web0: hiding → hidden (guest negotiated without STANDBY)" },
	{ 0 },
};

static const struct scene_line park_spent[] = {
	{ 0, "guest capable on", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "steered parked on", "", NULL },
	{ 5, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 15005, "tick", "unplug unwatch",
	  "web0: exposing → hiding (guest did not use the primary in time)" },
	{ 20000, "tick", "", NULL },
	{ 20001, "tick", "steer=standby", NULL },
	{ 20002, "steered standby on", "", NULL },
	/* The next transition may park frames again. */
	{ 20500, "unplugged", "steer=parked plug",
	  "web0: hiding → exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

static const struct scene_line steer_failed[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 4, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 400, "traffic on", "steer=primary", NULL },
	{ 401, "steered primary off", "unplug",
	  "web0: exposing → hiding (the switch could not be steered to it)" },
	{ 480, "unplugged", "", "web0: hiding → hidden (the switch could not be steered to it)" },
	{ 2400, "tick", "", NULL },
	{ 2401, "tick", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

static const struct scene_line removal[] = {
	{ 1000, "remove", "unplug", "web0: visible → hiding (the pair is being removed)" },
	{ 1080, "unplugged", "release steer=none",
	  "web0: hiding → absent (the pair is being removed)" },
	{ 1081, "steered none on", "", NULL },
	{ 0 },
};

static const struct scene_line separate[] = {
	{ 0, "vm running", "", NULL },
	{ 1, "assign", "", "web0: absent → unknown (asking the VM whether it has the primary)" },
	{ 2, "observed off", "", "web0: unknown → hidden (guest's driver is not known yet)" },
	{ 5000, "guest capable on", "",
	  "web0: hidden (guest can handle it, the upper layer may plug it)" },
	{ 6000, "observed on", "watch",
	  "web0: hidden → exposing (waiting for the guest's traffic on the primary)" },
	{ 6400, "traffic on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 21000, "tick", "", NULL }, /* visible: nothing is awaited */
	{ 22000, "guest none", "", NULL },
	{ 22100, "unplugged", "", "web0: visible → hidden (guest has no driver for the standby)" },
	{ 0 },
};

static const struct scene_line moved_parked[] = {
	{ 1000, "prepare", "steer=parked unplug",
	  "web0: visible → hiding (hidden for a migration)" },
	{ 1001, "steered parked on", "", NULL },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 2000, "migrating on", "", NULL },
	{ 9000, "stopped on", "steer=parked", NULL },
	{ 9001, "steered parked on", "", NULL },
	{ 9010, "vm moved", "", "web0: reserved (the guest runs on another host now)" },
	{ 9011, "migrating off", "", NULL },
	/* The parked frames have been handed off. */
	{ 9050, "finish", "release steer=none",
	  "web0: hidden → absent (the guest runs on another host now)" },
	{ 9051, "steered none on", "", NULL },
	{ 0 },
};

/* libvirt ends the VMM that the guest has left, before the frames have been handed off. */
static const struct scene_line moved_and_ended[] = {
	{ 1000, "prepare", "steer=parked unplug",
	  "web0: visible → hiding (hidden for a migration)" },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 9000, "stopped on", "steer=parked", NULL },
	{ 9001, "steered parked on", "", NULL },
	{ 9010, "vm moved", "", "web0: reserved (the guest runs on another host now)" },
	{ 9020, "vm unknown", "", NULL },
	{ 9030, "vm gone", "", NULL },
	{ 9050, "finish", "release steer=none",
	  "web0: hidden → absent (the guest runs on another host now)" },
	{ 9051, "steered none on", "", NULL },
	{ 60000, "vm gone", "", NULL },
	{ 90000, "vm incoming", "reserve", "web0: absent → reserving (the host is reserving it)" },
	{ 0 },
};

/* Without a guest that has moved, nobody waits for the frames. */
static const struct scene_line stopped_and_vmm_ends[] = {
	{ 1000, "prepare", "steer=parked unplug",
	  "web0: visible → hiding (hidden for a migration)" },
	{ 1001, "steered parked on", "", NULL },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 9000, "stopped on", "steer=parked", NULL },
	{ 9001, "steered parked on", "", NULL },
	{ 9010, "vm gone", "steer=none", "web0: reserved (the VM has ended)" },
	{ 9011, "steered none on", "", NULL },
	{ 0 },
};

static const struct scene_line stopped_and_going_on[] = {
	{ 1000, "prepare", "steer=parked unplug",
	  "web0: visible → hiding (hidden for a migration)" },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 9000, "stopped on", "steer=parked", NULL },
	{ 9001, "steered parked on", "", NULL },
	{ 9300, "stopped off", "steer=standby", NULL },
	{ 9301, "steered standby on", "", NULL },
	{ 9302, "finish", "steer=parked plug",
	  "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

/* The destination parks frames from the guest's stop until the source's frames have arrived. */
static const struct scene_line incoming_parked[] = {
	{ 0, "stopped on", "steer=parked", NULL },
	{ 1, "steered parked on", "", NULL },
	{ 40, "guest capable on", "", NULL },
	{ 50, "vm running", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 60, "stopped off", "",
	  NULL }, /* the source's frames are here; the expose continues to park */
	{ 64, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 400, "traffic on", "steer=primary", NULL },
	{ 401, "steered primary on", "",
	  "web0: exposing → visible (guest carries traffic on the primary)" },
	{ 500, "stopped on", "", NULL }, /* ignored for a running guest */
	{ 0 },
};

/* PREPARE for the next migration ends the stop of the previous one. */
static const struct scene_line going_on[] = {
	{ 0, "stopped on", "steer=parked", NULL },
	{ 1, "steered parked on", "", NULL },
	{ 50, "vm running", "", "web0: hidden (guest's driver is not known yet)" },
	{ 60, "prepare", "steer=standby", "web0: hidden (hidden for a migration)" },
	{ 61, "steered standby on", "", NULL },
	{ 500, "migrating on", "", NULL },
	{ 900, "stopped on", "steer=parked", NULL },
	{ 901, "steered parked on", "", NULL },
	{ 902, "prepare", "", NULL },
	{ 0 },
};

/* The source reports the stop and then dies. */
static const struct scene_line incoming_in_vain[] = {
	{ 0, "stopped on", "steer=parked", NULL },
	{ 1, "steered parked on", "", NULL },
	{ 20000, "tick", "", NULL },
	{ 20001, "tick", "steer=none", NULL },
	{ 20002, "steered none on", "", NULL },
	{ 0 },
};

/* A stop that was predicted too early: frames are parked again when it comes. */
static const struct scene_line stopped_late[] = {
	{ 1000, "prepare", "steer=parked unplug",
	  "web0: visible → hiding (hidden for a migration)" },
	{ 1001, "steered parked on", "", NULL },
	{ 1080, "unplugged", "steer=standby", "web0: hiding → hidden (hidden for a migration)" },
	{ 1081, "steered standby on", "", NULL },
	{ 2000, "migrating on", "", NULL },
	{ 9000, "stopped on", "steer=parked", NULL },
	{ 9001, "steered parked on", "", NULL },
	{ 29001, "tick", "steer=standby", NULL },
	{ 29002, "steered standby on", "", NULL },
	{ 35000, "stopped on", "steer=parked", NULL },
	{ 35001, "steered parked on", "", NULL },
	{ 35002, "stopped on", "", NULL }, /* a repetition: not parked for longer */
	{ 55001, "tick", "steer=standby", NULL },
	{ 0 },
};

/* UNPLUGGED before PLUGGED reports another device: UNPLUG is sent again. */
static const struct scene_line unplugged_before_plugged[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "guest none", "unplug",
	  "web0: exposing → hiding (guest has no driver for the standby)" },
	{ 2, "unplugged", "", NULL },
	{ 3, "plugged on", "unplug", NULL },
	{ 80, "unplugged", "", "web0: hiding → hidden (guest has no driver for the standby)" },
	{ 0 },
};

/* The guest may acknowledge two UNPLUGs twice. */
static const struct scene_line unplugged_twice[] = {
	{ 1000, "hold on", "unplug", "web0: visible → hiding (on hold)" },
	{ 21000, "tick", "unplug", "web0: hiding (guest has not acknowledged the unplug)" },
	{ 21001, "hold off", "", NULL },
	{ 21002, "unplugged", "plug steer=standby",
	  "web0: hiding → exposing (guest reached DRIVER_OK)" },
	{ 21003, "unplugged", "", NULL },
	{ 21004, "steered standby on", "", NULL },
	{ 21006, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 0 },
};

/* The guest is reset before anybody knows whether the VM has the primary. */
static const struct scene_line restart_after_reset[] = {
	{ 0, "path primary", "", NULL },
	{ 1, "assign", "", "web0: absent → unknown (the VM's monitor does not answer)" },
	{ 2, "vm running", "", "web0: unknown (asking the VM whether it has the primary)" },
	{ 3, "reset stale", "", NULL },
	{ 4, "observed on", "watch unplug unwatch steer=standby",
	  "web0: unknown → hiding (guest was reset)" },
	{ 0 },
};

/* The guest ejects the primary while the path is steered to it. */
static const struct scene_line ejected_when_ready[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 4, "plugged on", "watch",
	  "web0: exposing (waiting for the guest's traffic on the primary)" },
	{ 400, "traffic on", "steer=primary", NULL },
	{ 401, "unplugged", "plug steer=standby", "web0: exposing (guest reached DRIVER_OK)" },
	{ 0 },
};

/* The VM has the primary, from a plug of another daemon, while the host reserves it. */
static const struct scene_line found_while_reserving[] = {
	{ 0, "vm running", "steer=standby", NULL },
	{ 1, "steered standby on", "", NULL },
	{ 2, "guest capable on", "", NULL },
	{ 3, "assign", "", "web0: absent → unknown (asking the VM whether it has the primary)" },
	{ 4, "observed off", "reserve", "web0: unknown → reserving (the host is reserving it)" },
	{ 5, "observed on", "watch",
	  "web0: reserving → exposing (waiting for the guest's traffic on the primary)" },
	{ 6, "reserved on", "", NULL },
	{ 0 },
};

/* Wanted visible again while PLUG is pending: its answer is awaited. */
static const struct scene_line refused_while_plugging[] = {
	{ 0, "guest capable on", "plug", "web0: hidden → exposing (guest reached DRIVER_OK)" },
	{ 1, "hold on", "unplug", "web0: exposing → hiding (on hold)" },
	{ 2, "hold off", "",
	  "web0: hiding (waiting for the guest to release it, to show it again)" },
	{ 3, "unplug-refused", "", "web0: hiding (guest has not acknowledged the unplug)" },
	{ 0 },
};

static const struct story {
	const char *name;
	enum us_mode mode;
	bool can_park;
	const char *begin; /* events before the trace, at time 0 */
	const struct scene_line *lines;
} stories[] = {
	{ "boot", US_MODE_COMBINED, false, NULL, boot },
	{ "legacy", US_MODE_COMBINED, false, TO_HIDDEN, legacy },
	{ "hold", US_MODE_COMBINED, false, TO_VISIBLE, hold },
	{ "reset fresh", US_MODE_COMBINED, false, TO_VISIBLE, reset_fresh },
	{ "reset stale", US_MODE_COMBINED, false, TO_VISIBLE, reset_stale },
	{ "unbind", US_MODE_COMBINED, false, TO_VISIBLE, unbind },
	{ "not ready", US_MODE_COMBINED, false, TO_HIDDEN, not_ready },
	{ "plug refused", US_MODE_COMBINED, false, TO_HIDDEN, plug_refused },
	{ "plug busy", US_MODE_COMBINED, true, TO_HIDDEN, plug_busy },
	{ "plug busy, on hold", US_MODE_COMBINED, false, TO_HIDDEN, plug_busy_hold },
	{ "plug busy, hiding", US_MODE_COMBINED, false, TO_HIDDEN, plug_busy_hiding },
	{ "plug unanswered", US_MODE_COMBINED, false, TO_HIDDEN, plug_unanswered },
	{ "overdue", US_MODE_COMBINED, false, TO_VISIBLE, overdue },
	{ "after the abort", US_MODE_COMBINED, false, TO_VISIBLE, after_the_abort },
	{ "kept after the abort", US_MODE_COMBINED, false, TO_VISIBLE, kept_after_the_abort },
	{ "prepare finish", US_MODE_COUPLED, false, TO_VISIBLE, prepare_finish },
	{ "moved", US_MODE_COMBINED, false, TO_VISIBLE, moved },
	{ "incoming", US_MODE_COMBINED, false, NULL, incoming },
	{ "restart", US_MODE_COMBINED, false, NULL, restart },
	{ "restart amid", US_MODE_COMBINED, true, NULL, restart_amid },
	{ "restart unlike", US_MODE_COMBINED, false, NULL, restart_unlike },
	{ "idle", US_MODE_COMBINED, true, TO_VISIBLE, idle },
	{ "monitor lost", US_MODE_COMBINED, false, TO_VISIBLE, monitor_lost },
	{ "park", US_MODE_COMBINED, true, TO_HIDDEN, park },
	{ "park long", US_MODE_COMBINED, true, TO_HIDDEN, park_long },
	{ "park spent", US_MODE_COMBINED, true, TO_HIDDEN, park_spent },
	{ "park slow plug", US_MODE_COMBINED, true, TO_HIDDEN, park_slow_plug },
	{ "park slow plug releasing", US_MODE_COMBINED, true, TO_HIDDEN, park_slow_plug_releasing },
	{ "park kept", US_MODE_COMBINED, true, TO_VISIBLE, park_kept },
	{ "steer failed", US_MODE_COMBINED, false, TO_HIDDEN, steer_failed },
	{ "removal", US_MODE_COMBINED, false, TO_VISIBLE, removal },
	{ "separate", US_MODE_SEPARATE, false, NULL, separate },
	{ "moved parked", US_MODE_COMBINED, true, TO_VISIBLE, moved_parked },
	{ "moved and ended", US_MODE_COMBINED, true, TO_VISIBLE, moved_and_ended },
	{ "stopped, VMM ends", US_MODE_COMBINED, true, TO_VISIBLE, stopped_and_vmm_ends },
	{ "incoming parked", US_MODE_COMBINED, true, TO_RESERVED, incoming_parked },
	{ "incoming in vain", US_MODE_COMBINED, true, TO_RESERVED, incoming_in_vain },
	{ "going on", US_MODE_COMBINED, true, TO_RESERVED, going_on },
	{ "stopped and going on", US_MODE_COMBINED, true, TO_VISIBLE, stopped_and_going_on },
	{ "stopped late", US_MODE_COMBINED, true, TO_VISIBLE, stopped_late },
	{ "unplugged before plugged", US_MODE_COMBINED, false, TO_HIDDEN,
	  unplugged_before_plugged },
	{ "unplugged twice", US_MODE_COMBINED, false, TO_VISIBLE, unplugged_twice },
	{ "restart after reset", US_MODE_COMBINED, false, NULL, restart_after_reset },
	{ "ejected when ready", US_MODE_COMBINED, false, TO_HIDDEN, ejected_when_ready },
	{ "found while reserving", US_MODE_COMBINED, false, NULL, found_while_reserving },
	{ "refused while plugging", US_MODE_COMBINED, false, TO_HIDDEN, refused_while_plugging },
};

static void play(void **state)
{
	const struct story *story = *state;
	struct scene scene;

	scene_begin(&scene, story->mode, story->can_park);
	if (story->begin)
		scene_tell_all(&scene, story->begin);
	scene_play(&scene, story->lines);
}

/* ---- Properties over many steps ---- */

static bool asks(const struct scene *scene, enum us_effect_type type)
{
	for (size_t i = 0; i < scene->effects.count; i++)
		if (scene->effects.list[i].type == type)
			return true;
	return false;
}

/* The most plugs that the back-off allows within @usec, for any behaviour of the guest. */
static unsigned most_plugs(const struct us_pair_config *config, uint64_t usec)
{
	unsigned plugs = config->free_churn + 1;
	uint64_t delay = config->backoff_usec;

	for (uint64_t at = delay; at <= usec; at += delay) {
		plugs++;
		delay = delay * 2 < config->backoff_max_usec ? delay * 2 : config->backoff_max_usec;
	}
	return plugs;
}

/* The guest loads and removes its driver every 10 ms. */
static void churning_guest_is_slowed_down(void **state)
{
	unsigned plugs = 0, most;
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_HIDDEN);
	most = most_plugs(&scene.pair.config, USEC_PER_HOUR);
	for (uint64_t now = 0; now < USEC_PER_HOUR; now += 10000) {
		bool capable = now % 20000 == 0;

		scene.now_usec = now;
		scene_tell(&scene, capable ? "guest capable on" : "guest none");
		if (asks(&scene, US_EFFECT_PLUG)) {
			plugs++;
			scene_tell_all(&scene, "plugged on, traffic on, steered primary on");
			assert_int_equal(scene.pair.primary.state, US_PRIMARY_VISIBLE);
		} else if (asks(&scene, US_EFFECT_UNPLUG)) {
			scene_tell_all(&scene, "steered standby on, unplugged");
		}
	}
	assert_in_range(plugs, scene.pair.config.free_churn + 2, most);
}

/* The guest reboots in a loop. Each reboot causes at most one RESET_VM. */
static void rebooting_guest_is_slowed_down(void **state)
{
	unsigned plugs = 0, resets = 0;
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_HIDDEN);
	for (uint64_t now = 0; now < USEC_PER_HOUR; now += 10000) {
		scene.now_usec = now;
		scene_tell(&scene, "guest capable on");
		plugs += asks(&scene, US_EFFECT_PLUG);
		scene_tell(&scene, "plugged on");
		scene_tell(&scene, "reset");
		resets += asks(&scene, US_EFFECT_RESET_VM);
		scene_tell_all(&scene, "reset, unplugged");
	}
	assert_int_equal(resets, plugs);
	assert_in_range(plugs, scene.pair.config.free_churn + 2,
			most_plugs(&scene.pair.config, USEC_PER_HOUR));
}

/* The guest ejects the primary as soon as it has it. */
static void ejecting_guest_is_slowed_down(void **state)
{
	struct scene scene;
	unsigned plugs = 0;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_HIDDEN);
	for (uint64_t now = 0; now < USEC_PER_HOUR; now += 10000) {
		scene.now_usec = now;
		scene_tell(&scene, now == 0 ? "guest capable on" : "tick");
		while (asks(&scene, US_EFFECT_PLUG)) {
			plugs++;
			scene_tell(&scene, "plugged on");
			scene_tell(&scene, "unplugged");
			assert_in_range(plugs, 1, 1000);
		}
	}
	assert_in_range(plugs, scene.pair.config.free_churn + 2,
			most_plugs(&scene.pair.config, USEC_PER_HOUR));
}

/* After 20 more PLUGs in 15.5 s the plug counts as refused. */
static void busy_primary_is_refused_in_the_end(void **state)
{
	struct scene scene;
	unsigned plugs = 0;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_HIDDEN ", guest capable on");
	while (scene.pair.primary.state == US_PRIMARY_EXPOSING) {
		assert_true(asks(&scene, US_EFFECT_PLUG));
		plugs++;
		scene_tell(&scene, "plug-busy");
		if (scene.pair.primary.state != US_PRIMARY_EXPOSING)
			break;
		scene.now_usec = us_pair_deadline(&scene.pair);
		scene_tell(&scene, "tick");
	}
	assert_int_equal(plugs, 21);
	assert_int_equal(scene.now_usec, 15500 * 1000);
	assert_int_equal(us_pair_cause(&scene.pair), US_CAUSE_PLUG_REFUSED);
	assert_int_equal(us_pair_primary(&scene.pair), US_PRIMARY_HIDDEN);
}

static void idle_primary_stays_unless_it_is_to_be_hidden(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene.pair.config.hide_idle = false;
	scene_tell_all(&scene, TO_VISIBLE);
	assert_int_equal(scene_tell(&scene, "idle"), US_PAIR_IGNORED);
	assert_int_equal(us_pair_primary(&scene.pair), US_PRIMARY_VISIBLE);
}

static void delayed_unplug_does_not_park(void **state)
{
	const struct scene_line *const endings[] = { unplug_delay, unplug_delay_left,
						     unplug_delay_reset, unplug_delay_reboot,
						     unplug_delay_reboot_legacy };

	for (size_t i = 0; i < US_ARRAY_LENGTH(endings); i++) {
		struct scene scene;

		scene_begin(&scene, US_MODE_COMBINED, true);
		scene_tell_all(&scene, TO_VISIBLE);
		us_pair_set_unplug_delay(&scene.pair, 4800 * 1000);
		scene_play(&scene, endings[i]);
	}
}

static void calm_ends_the_back_off(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_VISIBLE ", guest none, steered standby on, unplugged");
	assert_int_equal(scene.pair.backoff.churn, 1);
	scene_tell_all(&scene, "guest capable on, plugged on, traffic on, steered primary on");
	scene.now_usec = scene.pair.config.calm_usec - 1;
	scene_tell(&scene, "tick");
	assert_int_equal(scene.pair.backoff.churn, 1);
	scene.now_usec++;
	scene_tell(&scene, "tick");
	assert_int_equal(scene.pair.backoff.churn, 0);
}

static void may_migrate_only_while_out_of_the_vm(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, "vm running, assign");
	assert_false(us_pair_may_migrate(&scene.pair)); /* not observed yet */
	scene_tell_all(&scene, "observed off, reserved on");
	assert_true(us_pair_may_migrate(&scene.pair));
	scene_tell(&scene, "guest capable on");
	assert_false(us_pair_may_migrate(&scene.pair));
	scene_tell_all(&scene, "plugged on, traffic on, steered primary on, prepare");
	assert_int_equal(scene.pair.primary.state, US_PRIMARY_HIDING);
	assert_false(us_pair_may_migrate(&scene.pair));
	scene_tell(&scene, "unplugged");
	assert_true(us_pair_may_migrate(&scene.pair));
}

static void settled_and_removed(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	assert_true(us_pair_is_settled(&scene.pair));
	scene_tell_all(&scene, TO_HIDDEN);
	assert_true(us_pair_is_settled(&scene.pair));
	scene_tell(&scene, "guest capable on");
	assert_false(us_pair_is_settled(&scene.pair));
	scene_tell_all(&scene, "plugged on, traffic on, steered primary on, remove, unplugged");
	assert_false(us_pair_is_removed(&scene.pair)); /* the switch has not answered */
	scene_tell(&scene, "steered none on");
	assert_true(us_pair_is_removed(&scene.pair));
	assert_true(us_pair_is_settled(&scene.pair));
}

static void not_settled_while_anything_is_asked(void **state)
{
	static const char *const ways[] = {
		"vm running, assign, observed off", /* reserving */
		TO_HIDDEN ", guest capable on",	    /* exposing */
		TO_VISIBLE ", hold on",		    /* hiding */
		"vm running",			    /* steering */
		"vm running, steered standby off",  /* steering again, later */
	};
	struct scene scene;

	for (size_t i = 0; i < US_ARRAY_LENGTH(ways); i++) {
		scene_begin(&scene, US_MODE_COMBINED, false);
		scene_tell_all(&scene, ways[i]);
		assert_false(us_pair_is_settled(&scene.pair));
	}
}

static void not_removed_while_anything_is_held(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_HIDDEN);
	assert_false(us_pair_is_removed(&scene.pair)); /* not being removed */
	scene_tell_all(&scene, "guest capable on, remove");
	assert_false(us_pair_is_removed(&scene.pair)); /* in the VM */
	scene_tell_all(&scene, "plugged off");
	assert_false(us_pair_is_removed(&scene.pair)); /* steering */
	scene_tell_all(&scene, "steered none off");
	assert_false(us_pair_is_removed(&scene.pair)); /* STEER failed */

	scene_begin(&scene, US_MODE_SEPARATE, false);
	assert_false(us_pair_is_removed(&scene.pair));
	scene_tell(&scene, "remove");
	assert_true(us_pair_is_removed(&scene.pair)); /* the upper layer holds everything */
}

/* A restarted daemon observes the facts in any order, with the same outcome. */
static void facts_in_any_order(void **state)
{
	static const char *const facts[] = { "vm running", "assign", "guest capable on",
					     "path standby" };
	struct scene scene;

	for (int first = 0; first < 24; first++) {
		unsigned used = 0, order = first;

		scene_begin(&scene, US_MODE_COMBINED, false);
		for (unsigned left = US_ARRAY_LENGTH(facts); left > 0; left--) {
			unsigned nth = order % left, i = 0;

			for (order /= left; used & 1u << i || nth-- > 0; i++)
				;
			used |= 1u << i;
			scene_tell(&scene, facts[i]);
		}
		scene_tell_all(&scene, "observed off, steered standby on, reserved on");
		assert_int_equal(scene.pair.primary.state, US_PRIMARY_EXPOSING);
		assert_true(asks(&scene, US_EFFECT_PLUG));
	}
}

static void late_answers_are_ignored(void **state)
{
	static const char *const answers[] = { "reserved on",	     "plugged on",
					       "unplugged",	     "unplug-refused",
					       "traffic on",	     "steered standby on",
					       "steered primary off" };
	struct us_pair before;
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	scene_tell_all(&scene, TO_HIDDEN);
	memcpy(&before, &scene.pair, sizeof(before)); /* padding too */
	for (size_t i = 0; i < US_ARRAY_LENGTH(answers); i++) {
		assert_int_equal(scene_tell(&scene, answers[i]), US_PAIR_IGNORED);
		assert_int_equal(scene.effects.count, 0);
		assert_memory_equal(&scene.pair, &before, sizeof(before));
	}
}

static void every_value_has_a_name(void **state)
{
	for (int i = 0; i < US_MODE_N; i++)
		assert_int_equal(us_mode_from_name(us_mode_name(i)), i);
	assert_int_equal(us_mode_from_name("both"), -1);
	for (int i = 0; i < US_GUEST_N; i++)
		assert_non_null(us_guest_name(i));
	for (int i = 0; i < US_VM_N; i++)
		assert_non_null(us_vm_state_name(i));
	for (int i = 0; i < US_PRIMARY_N; i++)
		assert_non_null(us_primary_name(i));
	for (int i = 0; i < US_PATH_N; i++)
		assert_non_null(us_path_name(i));
	for (int i = 0; i < US_PHASE_N; i++)
		assert_non_null(us_phase_name(i));
	for (int i = 0; i < US_EVENT_N; i++)
		assert_non_null(us_event_name(i));
	for (int i = 0; i < US_EFFECT_N; i++)
		assert_non_null(us_effect_name(i));
}

static void each_cause_has_a_code_of_its_own(void **state)
{
	for (int i = 0; i < US_CAUSE_N; i++) {
		const char *code = us_cause_code(i);

		assert_true(us_cause_text(i)[0]);
		assert_true(code[0]);
		assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz-"), strlen(code));
		for (int j = 0; j < i; j++)
			assert_string_not_equal(code, us_cause_code(j));
	}
}

static void guest_is_unknown_until_it_was_seen(void **state)
{
	struct scene scene;

	scene_begin(&scene, US_MODE_COMBINED, false);
	assert_string_equal(us_pair_guest_name(&scene.pair), "none");
	scene_tell(&scene, "vm running");
	assert_string_equal(us_pair_guest_name(&scene.pair), "unknown");
	scene_tell(&scene, "guest capable on");
	assert_string_equal(us_pair_guest_name(&scene.pair), "capable");
	scene_tell(&scene, "vm gone");
	assert_string_equal(us_pair_guest_name(&scene.pair), "none");
}

static void long_line_is_cut(void **state)
{
	struct scene scene;
	char line[12];

	scene_begin(&scene, US_MODE_COMBINED, false);
	assert_ptr_equal(us_pair_move_line(line, sizeof(line), "a-long-name", US_PRIMARY_ABSENT,
					   &scene.pair),
			 line);
	assert_string_equal(line, "a-long-name");
}

int main(void)
{
	struct CMUnitTest tests[US_ARRAY_LENGTH(stories)];
	const struct CMUnitTest others[] = {
		cmocka_unit_test(churning_guest_is_slowed_down),
		cmocka_unit_test(rebooting_guest_is_slowed_down),
		cmocka_unit_test(ejecting_guest_is_slowed_down),
		cmocka_unit_test(busy_primary_is_refused_in_the_end),
		cmocka_unit_test(idle_primary_stays_unless_it_is_to_be_hidden),
		cmocka_unit_test(delayed_unplug_does_not_park),
		cmocka_unit_test(calm_ends_the_back_off),
		cmocka_unit_test(may_migrate_only_while_out_of_the_vm),
		cmocka_unit_test(settled_and_removed),
		cmocka_unit_test(not_settled_while_anything_is_asked),
		cmocka_unit_test(not_removed_while_anything_is_held),
		cmocka_unit_test(facts_in_any_order),
		cmocka_unit_test(late_answers_are_ignored),
		cmocka_unit_test(every_value_has_a_name),
		cmocka_unit_test(each_cause_has_a_code_of_its_own),
		cmocka_unit_test(guest_is_unknown_until_it_was_seen),
		cmocka_unit_test(long_line_is_cut),
	};
	int failed;

	for (size_t i = 0; i < US_ARRAY_LENGTH(stories); i++)
		tests[i] = (struct CMUnitTest){ .name = stories[i].name,
						.test_func = play,
						.initial_state = (void *)&stories[i] };
	failed = cmocka_run_group_tests_name("stories", tests, NULL, NULL);
	failed += cmocka_run_group_tests(others, NULL, NULL);
	return failed > 0;
}
