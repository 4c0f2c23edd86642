/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The card of a primary that is a VF: it learns each path before the switch does. Owns the
 * retries: a card is busy while its VF is being reset. Borrows the VF.
 */
#pragma once

#include "understudy/pair.h"
#include "util/error.h"
#include "util/timer.h"

struct us_steer_card {
	struct us_sriov *sriov; /* NULL: the primary is no VF */
	struct us_timer retry;	/* set until the next try, for … */
	enum us_path path;	/* … this path */
	unsigned attempts;	/* that found the card busy */
};

/* Tells the card. 0; US_SRIOV_AGAIN: it is busy; US_REFUSED; or a negative errno. */
int us_steer_card_tell(const struct us_steer_card *card, enum us_path path,
		       struct us_reason *reason);

/* Whether a retry is due later. */
bool us_steer_card_is_waiting(const struct us_steer_card *card);

/*
 * After an attempt with the result @r: if that is US_SRIOV_AGAIN, sets the timer for another one
 * and returns US_PARK_RELEASING, or US_REFUSED: there were too many, or there is no loop. Returns
 * any other @r as it is.
 */
int us_steer_card_retry(struct us_steer_card *card, enum us_path path, int r);

/* Stops the timer, and forgets the attempts. */
void us_steer_card_stop(struct us_steer_card *card);
