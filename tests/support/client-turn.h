/* SPDX-License-Identifier: BSD-3-Clause */
/* A client that waits for its turn of the loop while others keep the loop busy. */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

/* Whether a client of the priority US_PRIORITY_CHANGING is served within 100 turns of @loop. */
bool client_turn_comes(sd_event *loop);
