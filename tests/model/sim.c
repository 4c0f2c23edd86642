/* SPDX-License-Identifier: BSD-3-Clause */
/* Two hosts in virtual time: see sim.h. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const char usage[] =
	"usage: sim [--seed N [--trace]] [--runs N] [--seconds S]   what chance makes of it\n"
	"       sim --faults N [--seconds S]                        every way to have N faults\n"
	"       sim --replay FAULTS                                 one of those ways\n"
	"       sim --stories FOLDER [--story NAME] [--update]      the stories of a folder\n";

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },    { "runs", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 't' }, { "trace", no_argument, NULL, 'v' },
	{ "faults", required_argument, NULL, 'f' },  { "replay", required_argument, NULL, 'p' },
	{ "stories", required_argument, NULL, 'd' }, { "story", required_argument, NULL, 'n' },
	{ "update", no_argument, NULL, 'u' },	     { 0 },
};

int main(int argc, char **argv)
{
	const char *folder = NULL, *story = NULL, *replay = NULL;
	uint64_t seed = 1, runs = 0;
	double seconds = 1e9;
	bool is_traced = false, update = false, has_seed = false;
	int faults = -1, option;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) >= 0) {
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			has_seed = true;
			break;
		case 'r':
			runs = strtoull(optarg, NULL, 0);
			break;
		case 't':
			seconds = strtod(optarg, NULL);
			break;
		case 'v':
			is_traced = true;
			break;
		case 'f':
			faults = atoi(optarg);
			break;
		case 'p':
			replay = optarg;
			break;
		case 'd':
			folder = optarg;
			break;
		case 'n':
			story = optarg;
			break;
		case 'u':
			update = true;
			break;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (folder)
		return sim_stories(folder, story, update) > 0;
	if (replay)
		return sim_search_replay(replay) > 0;
	if (faults >= 0)
		return sim_search(faults, seconds) > 0;
	/* One seed, unless more are asked for. */
	if (!runs)
		runs = has_seed && seconds > 1e8 ? 1 : UINT64_MAX;
	return sim_random(seed, runs, seconds < 1e8 || has_seed ? seconds : 10, is_traced) > 0;
}
