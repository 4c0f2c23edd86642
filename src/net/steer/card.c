/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths as targets of a VF's card, and the timer of its retries. */
#include "net/park/park.h"
#include "net/steer/card.h"
#include "net/vf/sriov.h"
#include "util/clock.h"

int us_steer_card_tell(const struct us_steer_card *card, enum us_path path,
		       struct us_reason *reason)
{
	static const enum us_sriov_target targets[] = {
		[US_PATH_NONE] = US_SRIOV_AWAY,
		[US_PATH_STANDBY] = US_SRIOV_BRIDGE,
		[US_PATH_PRIMARY] = US_SRIOV_GUEST,
		[US_PATH_PARKED] = US_SRIOV_BRIDGE,
	};

	return card->sriov ? us_sriov_steer(card->sriov, targets[path], reason) : 0;
}

bool us_steer_card_is_waiting(const struct us_steer_card *card)
{
	return card->retry.fire && us_timer_is_set(&card->retry);
}

int us_steer_card_retry(struct us_steer_card *card, enum us_path path, int r)
{
	if (r != US_SRIOV_AGAIN)
		return r;
	if (!card->retry.fire || ++card->attempts >= US_SRIOV_TRIES)
		return US_REFUSED;
	card->path = path;
	us_timer_set(&card->retry, us_now_usec() + US_SRIOV_PAUSE_USEC);
	return US_PARK_RELEASING;
}

void us_steer_card_stop(struct us_steer_card *card)
{
	if (card->retry.fire)
		us_timer_stop(&card->retry);
	card->attempts = 0;
}
