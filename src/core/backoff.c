/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The back-off: a guest that resets, or changes its driver, in a loop cannot make the host plug
 * without limit. Each guest-made hide is counted as churn. The first config.free_churn of them
 * cost nothing; from then on the time to the next plug doubles, up to a maximum. A primary that
 * stays visible for config.calm_usec ends the back-off.
 */
#include "core/pair-private.h"

static uint64_t delay_usec(const struct us_pair *pair)
{
	const struct us_pair_config *config = &pair->config;
	uint64_t delay = config->backoff_usec;

	if (pair->backoff.churn <= config->free_churn)
		return 0;
	for (uint32_t i = config->free_churn + 1;
	     i < pair->backoff.churn && delay < config->backoff_max_usec; i++)
		delay *= 2;
	return delay < config->backoff_max_usec ? delay : config->backoff_max_usec;
}

void us_backoff_churn(struct us_pair *pair, uint64_t now)
{
	uint64_t delay;

	pair->backoff.calm_at = US_NEVER;
	if (delay_usec(pair) < pair->config.backoff_max_usec)
		pair->backoff.churn++;
	delay = delay_usec(pair);
	pair->backoff.plug_after = delay > 0 ? now + delay : 0;
}

void us_backoff_fail(struct us_pair *pair, uint64_t now, enum us_cause failure)
{
	if (pair->backoff.churn < pair->config.free_churn)
		pair->backoff.churn = pair->config.free_churn;
	pair->backoff.failure = failure;
	us_backoff_churn(pair, now);
}

void us_backoff_expire(struct us_pair *pair, uint64_t now)
{
	if (now >= pair->backoff.calm_at) {
		pair->backoff.churn = 0;
		pair->backoff.calm_at = US_NEVER;
	}
	if (now >= pair->backoff.plug_after)
		pair->backoff.plug_after = 0;
}
