/* SPDX-License-Identifier: BSD-3-Clause */
/* What campaigns have in common. */
#pragma once

#include "lab/campaign/campaign.h"
#include "lab/scenario/scenario.h"

/* A scenario or a fault, or NULL with the reason. */
const struct us_scenario *us_campaign_find(const char *name, struct us_reason *reason);

/* Refused if faults cannot be injected here. */
int us_campaign_check_fault(const struct us_campaign *campaign, struct us_reason *reason);
/* Refused if @scenario, or a fault, cannot be run with @manager and the options' VMM. */
int us_campaign_check(const struct us_campaign *campaign, enum us_lab_manager manager,
		      const struct us_scenario *scenario, struct us_reason *reason);
/* The manager with which Understudy is compared: it depends on the VMM. */
enum us_lab_manager us_campaign_peer(const struct us_campaign *campaign);
/* Refused if @scenario cannot be run with Understudy and with @peer, in labs raised for it. */
int us_campaign_check_both(const struct us_campaign *campaign, enum us_lab_manager peer,
			   const struct us_scenario *scenario, struct us_reason *reason);

/*
 * Runs @scenario once. *@ret_report is the caller's, also after a failure; NULL if there was no
 * run. The logs of a run stay until the next one. Returns as a campaign.
 */
int us_campaign_run_once(struct us_campaign *campaign, const struct us_scenario *scenario,
			 json_t **ret_report, struct us_reason *reason);
/* Removes the lab, or ends it so that its logs stay (if not @passed). */
void us_campaign_end(struct us_campaign *campaign, bool passed);

/*
 * Writes the files that the options name: the picture of @reports and @comparison (or NULL), and
 * @document as JSON. Removes the frames from @reports before. Returns @r, or US_REFUSED.
 */
int us_campaign_write(const struct us_campaign *campaign, const json_t *reports,
		      const json_t *comparison, const json_t *document, int r,
		      struct us_reason *reason);
/* Writes @document to @path, "-" for standard output; NULL: not at all. Returns 0 or -EIO. */
int us_campaign_write_json(const char *path, const json_t *document);
