/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The demo: the same migration with Understudy and with QEMU's own failover, a line of progress,
 * and a summary for a reader who sees it for the first time. The output of runs and programs goes
 * into a log; its last lines are printed after an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab/campaign/campaign-private.h"
#include "lab/campaign/progress.h"
#include "lab/report/summary.h"
#include "lab/report/svg.h"
#include "lab/world/emulator.h"
#include "lab/world/image.h"
#include "lab/world/life.h"
#include "lab/world/models.h"
#include "util/cleanup.h"

#define SCENARIO "migrate"
#define PICTURE "understudy-demo.html"
#define STEPS 4
#define TAIL_LINES 15
#define TAIL_BYTES 4096

struct demo {
	struct us_campaign *campaign;
	struct us_lab *lab;
	struct us_progress *progress;
	char log_path[300];
	FILE *log;     /* or NULL: everything is shown */
	FILE *output;  /* the lab's, while the log is in its place */
	int stderr_fd; /* our own, while the log has its number; or -1 */
};

/* Explains the phases of the scenario that both managers run. */
static void on_phase(void *userdata, const char *phase)
{
	static const struct {
		const char *phase, *text;
	} details[] = {
		{ "standby", "the guest is up, on its virtio-net device" },
		{ "expose", "the card is plugged into the guest" },
		{ "primary", "the guest uses the card" },
		{ "migrate", "the guest migrates to host-b" },
		{ "expose there", "a card is plugged in on host-b" },
		{ "primary there", "the guest uses the card on host-b" },
	};
	struct demo *demo = userdata;

	for (size_t i = 0; i < US_ARRAY_LENGTH(details); i++)
		if (!strcmp(details[i].phase, phase))
			us_progress_detail(demo->progress, details[i].text);
}

static int open_log(struct demo *demo, struct us_reason *reason)
{
	const char *path = demo->campaign->options.log;

	if (path)
		snprintf(demo->log_path, sizeof(demo->log_path), "%s", path);
	else
		snprintf(demo->log_path, sizeof(demo->log_path), "%s.log", demo->lab->dir);
	if (!path)
		unlink(demo->log_path);
	demo->log = fopen(demo->log_path, "ae");
	if (!demo->log) {
		us_refuse(reason, "%s: %s", demo->log_path, us_strerror(errno));
		return us_advise(reason, "choose another --log");
	}
	setvbuf(demo->log, NULL, _IOLBF, 0);
	return 0;
}

/* The log gets the messages of the lab and of the runs, and what programs print on stderr. */
static int begin(struct demo *demo, struct us_reason *reason)
{
	struct us_campaign_options *options = &demo->campaign->options;
	int r = options->is_verbose ? 0 : open_log(demo, reason);

	if (r)
		return r;
	demo->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (demo->stderr_fd < 0)
		return -errno;
	if (demo->log) {
		dup2(fileno(demo->log), STDERR_FILENO);
		demo->lab->output = options->run.out = demo->log;
	}
	options->run.on_phase = on_phase;
	options->run.on_phase_userdata = demo;
	return us_progress_new(&demo->progress, demo->stderr_fd, demo->log ? demo->log_path : NULL,
			       options->is_verbose);
}

static void end(struct demo *demo)
{
	demo->progress = us_progress_free(demo->progress);
	if (demo->stderr_fd >= 0)
		dup2(demo->stderr_fd, STDERR_FILENO);
	demo->stderr_fd = us_close(demo->stderr_fd);
	demo->lab->output = demo->output;
	if (demo->log)
		fclose(demo->log);
	demo->log = NULL;
}

/* After an interrupt during a blocking call, the signal is still pending in the loop. */
static bool is_interrupted(struct us_lab *lab)
{
	while (sd_event_run(lab->loop, 0) > 0)
		;
	return lab->is_interrupted;
}

static int prepare(struct demo *demo, struct us_reason *reason)
{
	struct us_lab *lab = demo->lab;
	int r;

	us_progress_step(demo->progress, 1, STEPS, "preparing QEMU");
	r = us_lab_emulator_choose(lab, true, reason);
	if (!r)
		r = us_lab_model_check(lab, lab->options.primary, reason);
	if (r)
		return r;
	us_progress_step(demo->progress, 2, STEPS, "preparing the guest's kernel");
	return us_lab_image_prepare(lab, reason);
}

static int run(struct demo *demo, enum us_lab_manager manager, json_t *reports,
	       struct us_reason *reason)
{
	static const char *const texts[] = {
		[US_LAB_MANAGER_UNDERSTUDY] = "migrating with Understudy",
		[US_LAB_MANAGER_QEMU] = "migrating with QEMU's own failover",
	};
	struct us_lab *lab = demo->lab;
	json_t *report = NULL;
	int r;

	us_progress_step(demo->progress, manager == US_LAB_MANAGER_QEMU ? 4 : 3, STEPS,
			 texts[manager]);
	us_progress_detail(demo->progress, "the guest boots");
	lab->options.manager = manager;
	r = us_campaign_run_once(demo->campaign, us_campaign_find(SCENARIO, reason), &report,
				 reason);
	if (report)
		json_array_append_new(reports, report);
	if (r > 0) {
		us_refuse(reason, "%s: %s", texts[manager],
			  r == US_RUN_INVALID ? "the run is invalid, because of its guest or QEMU"
					      : "the run failed");
		us_advise(reason, "see the logs of daemons and QEMU in %s", lab->dir);
	}
	return r;
}

static int run_both(struct demo *demo, json_t *reports, struct us_reason *reason)
{
	struct us_lab *lab = demo->lab;
	int r = prepare(demo, reason);

	if (!r) {
		r = run(demo, US_LAB_MANAGER_UNDERSTUDY, reports, reason);
		if (!r)
			r = run(demo, US_LAB_MANAGER_QEMU, reports, reason);
		us_campaign_end(demo->campaign, !r);
	}
	if (!is_interrupted(lab))
		return r;
	us_lab_remove(lab);
	return us_refuse(reason, "interrupted: everything that the demo started has ended");
}

static void print_tail(const char *path)
{
	char text[TAIL_BYTES + 1];
	US_CLEANUP(us_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
	ssize_t length =
		fd >= 0 ? pread(fd, text, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0)
			: 0;
	unsigned lines = 0;

	if (length <= 0)
		return;
	text[length] = 0;
	while (length > 0 && lines <= TAIL_LINES)
		lines += text[--length] == '\n';
	fprintf(stderr, "The log ends with:\n%s\nThe whole log: %s\n",
		text + length + (lines > TAIL_LINES), path);
}

static void print_path(const char *what, const char *path)
{
	char absolute[PATH_MAX];

	printf("%-8s %s\n", what, realpath(path, absolute) ? absolute : path);
}

/* Returns @r, or why a file could not be written. */
static int conclude(const struct us_campaign *campaign, json_t *reports, int r,
		    struct us_reason *reason)
{
	const struct us_campaign_options *options = &campaign->options;
	FILE *out = campaign->lab->output;
	bool has_svg = options->svg && us_svg_is_possible(reports);

	if (has_svg && us_svg_write(options->svg, reports))
		r = us_refuse(reason, "cannot write %s", options->svg);
	r = us_campaign_write(campaign, reports, NULL, reports, r, reason);
	if (!options->is_verbose)
		fprintf(out, "%s\n\n", campaign->lab->emulator.choice);
	us_summary_print(out, reports);
	fflush(out);
	if (out != stdout)
		return r;
	printf("\n");
	print_path("Picture:", options->html);
	if (has_svg)
		print_path("SVG:", options->svg);
	fflush(stdout);
	return r;
}

int us_campaign_demo(struct us_campaign *campaign, struct us_reason *reason)
{
	struct us_lab *lab = campaign->lab;
	struct demo demo = {
		.campaign = campaign, .lab = lab, .output = lab->output, .stderr_fd = -1
	};
	json_t *reports;
	int r = us_campaign_check_both(campaign, US_LAB_MANAGER_QEMU,
				       us_campaign_find(SCENARIO, reason), reason);

	if (r)
		return r;
	if (!campaign->options.html)
		campaign->options.html = PICTURE;
	lab->is_transient = true;
	reports = json_array();
	r = begin(&demo, reason);
	if (!r)
		r = run_both(&demo, reports, reason);
	end(&demo);
	if (r && demo.log_path[0] && !lab->is_interrupted)
		print_tail(demo.log_path);
	if (json_array_size(reports) && !lab->is_interrupted)
		r = conclude(campaign, reports, r, reason);
	json_decref(reports);
	return r;
}
