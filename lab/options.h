/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of understudy-lab. */
#pragma once

#include "lab/campaign/campaign.h"

struct us_options {
	struct us_lab_options lab;
	struct us_campaign_options campaign;
};

/* The command and its arguments begin at argv[*ret_rest]. False: the usage is to be printed. */
bool us_options_parse(int argc, char **argv, struct us_options *ret_options, int *ret_rest);
void us_options_usage(void);
