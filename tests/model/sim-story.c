/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Stories: a file has commands, "> hold web0", each followed by the lines that daemons log and
 * clients receive until the next command. Replaying a story must produce the same file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

enum {
	WORDS_MAX = 8,
	STORY_BYTES = 64 * 1024,
	UNTIL_USEC = 1000 * 1000 * 1000,
};

static struct {
	char text[STORY_BYTES]; /* the text that the replay produces */
	size_t length;
	bool is_begun;
	char wrong[64];	   /* the next choice that fails */
	char until[128];   /* awaited in the log; "" once it has appeared */
	char abort_at[16]; /* the stage at which the operator aborts */
	char problem[200];
} story;

static void tell(const char *line)
{
	size_t length = strlen(line);

	if (story.length + length + 2 > sizeof(story.text)) {
		snprintf(story.problem, sizeof(story.problem), "it does not end");
		return;
	}
	memcpy(story.text + story.length, line, length);
	story.text[story.length + length] = '\n';
	story.length += length + 1;
}

static bool ends_with(const char *line, const char *end)
{
	size_t length = strlen(line), end_length = strlen(end);

	return length > end_length && strcmp(line + length - end_length, end) == 0;
}

static void on_log(const char *line)
{
	char stage[32];

	tell(line);
	if (story.until[0] && strstr(line, story.until))
		story.until[0] = '\0';
	snprintf(stage, sizeof(stage), ": %s", story.abort_at);
	if (story.abort_at[0] && strstr(line, ": migration to ") && strstr(line, stage)) {
		story.abort_at[0] = '\0';
		sim_call_vm(sim.host, "AbortMigration");
	}
}

static unsigned choose(const char *what, unsigned count)
{
	if (strcmp(what, story.wrong) != 0)
		return 0;
	story.wrong[0] = '\0';
	return 1;
}

static void play_until(uint64_t until_usec)
{
	bool waits = story.until[0];

	while (!(waits && !story.until[0]) && !story.problem[0] && !sim.broken &&
	       sim_step(until_usec))
		sim_check();
}

/* ---- Orders: their words, and those behind ---- */

static int host_of(const char *word)
{
	return word[0] == 'B';
}

static unsigned pair_of(const char *word)
{
	return word[0] && word[strlen(word) - 1] == '1';
}

/* "500 ms", "3 s" */
static uint64_t usec_of(const char *number, const char *unit)
{
	return strtoull(number, NULL, 10) *
	       (strcmp(unit, "ms") == 0 ? US_USEC_PER_MSEC : US_USEC_PER_SEC);
}

static void begin(char *words[])
{
	struct sim_config config = {
		.pairs = 1, .mode = US_MODE_COMBINED, .is_lossless = true, .can_drain = true
	};

	for (; (*words)[0]; words++) {
		if (strcmp(*words, "two-pairs") == 0)
			config.pairs = 2;
		else if (strcmp(*words, "coupled") == 0)
			config.mode = US_MODE_COUPLED;
		else if (strcmp(*words, "low-latency") == 0)
			config.is_lossless = false;
		else if (strcmp(*words, "predict") == 0)
			config.can_drain = false;
		else if (strcmp(*words, "predict-early") == 0)
			config.is_near_early = !(config.can_drain = false);
	}
	sim.log = on_log;
	sim_choose = choose;
	sim_begin(&config);
	story.is_begun = true;
}

static void wait_for(char *words[])
{
	play_until(sim.now_usec + usec_of(words[0], words[1]));
}

static void wait_until(char *words[])
{
	story.until[0] = '\0';
	for (; (*words)[0]; words++)
		snprintf(story.until + strlen(story.until),
			 sizeof(story.until) - strlen(story.until), "%s%s",
			 story.until[0] ? " " : "", *words);
	play_until(sim.now_usec + UNTIL_USEC);
	if (story.until[0])
		snprintf(story.problem, sizeof(story.problem), "waited in vain for: %.100s",
			 story.until);
}

static void drive(const char *pair, enum us_guest guest, bool is_ok, bool is_announced)
{
	for (unsigned i = 0; i < sim.config.pairs; i++)
		if (!pair[0] || pair_of(pair) == i)
			sim_guest_drive(i, guest, is_ok, is_announced);
}

static void guest(char *words[])
{
	const char *what = words[0], *pair = words[1];

	if (strcmp(what, "capable") == 0)
		drive(pair, US_GUEST_CAPABLE, true, true);
	else if (strcmp(what, "starting") == 0)
		drive(pair, US_GUEST_CAPABLE, false, true);
	else if (strcmp(what, "legacy") == 0)
		drive(pair, US_GUEST_LEGACY, true, true);
	else if (strcmp(what, "unbinds") == 0)
		drive(pair, US_GUEST_NONE, false, false);
	else if (strcmp(what, "resets") == 0)
		sim_guest_reset(true);
	else if (strcmp(what, "boots-by-itself") == 0)
		sim.guest.boot_usec = 5 * US_USEC_PER_SEC;
	else if (strcmp(what, "joins") == 0 || strcmp(what, "ignores-primaries") == 0)
		sim.guest.joins = what[0] == 'j';
	else if (strcmp(what, "acknowledges") == 0 || strcmp(what, "ignores-unplugs") == 0)
		sim.guest.acknowledges = what[0] == 'a';
	else
		snprintf(story.problem, sizeof(story.problem), "guest %s?", what);
	sim_guest_asked();
	for (unsigned i = 0; i < sim.config.pairs; i++)
		sim_guest_look(i);
}

static void hold(char *words[])
{
	sim_call_hold(sim.guest.host, pair_of(words[0]), true);
}

static void unhold(char *words[])
{
	sim_call_hold(sim.guest.host, pair_of(words[0]), false);
}

static void migrate(char *words[])
{
	sim_call_migrate(sim.guest.host);
}

static void abort_migration(char *words[])
{
	if (strcmp(words[0], "at") == 0)
		snprintf(story.abort_at, sizeof(story.abort_at), "%s", words[1]);
	else
		sim_call_vm(sim.guest.host, "AbortMigration");
}

static void prepare(char *words[])
{
	sim_call_vm(sim.guest.host, "Prepare");
}

static void finish(char *words[])
{
	sim_call_vm(host_of(words[0]), "Finish");
}

/* As an upper layer migrates a VM. */
static void qemu_migrates(int host)
{
	const char *why;

	sim.hosts[1 - host].qemu.is_listening = true;
	sim_qemu_migrate(host, 1 - host, &why);
}

static void qemu(char *words[])
{
	int host = host_of(words[0]);

	if (strcmp(words[1], "migrates") == 0)
		qemu_migrates(host);
	else if (strcmp(words[1], "ends") == 0)
		sim_qemu_end(host);
	else if (strcmp(words[1], "waits") == 0)
		sim_qemu_start(host, US_VM_INCOMING);
	else if (strcmp(words[1], "hangs") == 0)
		sim_qemu_stuck(host, usec_of(words[2], words[3]));
	else
		snprintf(story.problem, sizeof(story.problem), "qemu %s?", words[1]);
}

static void transfer(char *words[])
{
	sim.transfer_usec = usec_of(words[1], words[2]);
}

static void wrong(char *words[])
{
	story.wrong[0] = '\0';
	for (; (*words)[0]; words++)
		snprintf(story.wrong + strlen(story.wrong),
			 sizeof(story.wrong) - strlen(story.wrong), "%s%s",
			 story.wrong[0] ? " " : "", *words);
}

static void kill_daemon(char *words[])
{
	static char point[64];

	if (strcmp(words[0], "at") == 0)
		sim.crash_at = strcpy(point, words[1]);
	else
		sim_daemon_kill(host_of(words[0]));
}

static void start_daemon(char *words[])
{
	sim_daemon_start(host_of(words[0]));
}

static const struct {
	const char *word;
	void (*perform)(char *words[]);
} orders[] = {
	{ "begin", begin },	   { "wait", wait_for },
	{ "until", wait_until },   { "guest", guest },
	{ "hold", hold },	   { "unhold", unhold },
	{ "migrate", migrate },	   { "abort", abort_migration },
	{ "prepare", prepare },	   { "finish", finish },
	{ "qemu", qemu },	   { "transfer", transfer },
	{ "wrong", wrong },	   { "kill", kill_daemon },
	{ "start", start_daemon },
};

static void perform(const char *order)
{
	char copy[256], *rest = NULL, *words[WORDS_MAX + 1];
	unsigned count = 0;

	snprintf(copy, sizeof(copy), "%s", order);
	for (unsigned i = 0; i <= WORDS_MAX; i++)
		words[i] = (char *)"";
	for (char *word = strtok_r(copy, " ", &rest); word && count < WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	for (size_t i = 0; i < US_ARRAY_LENGTH(orders); i++) {
		if (strcmp(orders[i].word, words[0]) == 0 &&
		    (story.is_begun || orders[i].perform == begin)) {
			orders[i].perform(words + 1);
			return;
		}
	}
	snprintf(story.problem, sizeof(story.problem), "what is \"%.100s\"?", order);
}

/* ---- Files ---- */

static char *read_file(const char *path)
{
	char *text = calloc(1, STORY_BYTES);
	FILE *file = fopen(path, "re");

	if (!text || !file || fread(text, 1, STORY_BYTES - 1, file) == 0)
		snprintf(story.problem, sizeof(story.problem), "cannot be read: %s",
			 us_strerror(errno));
	if (file)
		fclose(file);
	return text;
}

static void write_file(const char *path)
{
	FILE *file = fopen(path, "we");

	if (!file || fwrite(story.text, 1, story.length, file) != story.length)
		snprintf(story.problem, sizeof(story.problem), "cannot be written");
	if (file)
		fclose(file);
}

/* Prints the first line that differs, of both. */
static void show_difference(const char *is, const char *was)
{
	size_t i = 0, begin = 0;

	for (; is[i] == was[i]; i++)
		if (is[i] == '\n')
			begin = i + 1;
	printf("    is:  %.*s\n    was: %.*s\n", (int)strcspn(is + begin, "\n"), is + begin,
	       (int)strcspn(was + begin, "\n"), was + begin);
}

static void play(const char *text)
{
	const char *line = text;

	while (*line && !story.problem[0] && !sim.broken) {
		int length = strcspn(line, "\n");
		char copy[256];

		snprintf(copy, sizeof(copy), "%.*s", length, line);
		if (copy[0] == '#' || copy[0] == '>')
			tell(copy);
		if (copy[0] == '>')
			perform(copy + 1);
		line += length + (line[length] == '\n');
	}
	if (sim.broken)
		snprintf(story.problem, sizeof(story.problem), "%s: %.100s", sim.broken,
			 sim.broken_text);
}

static bool play_file(const char *path, const char *name, bool update)
{
	char *text;
	bool is_same;

	memset(&story, 0, sizeof(story));
	text = read_file(path);
	play(text);
	sim.log = NULL;
	if (story.is_begun)
		sim_end();
	sim.broken = NULL;
	is_same = strcmp(story.text, text) == 0;
	if (update && !is_same && !story.problem[0])
		write_file(path);
	if (story.problem[0])
		printf("%s: %s\n", name, story.problem);
	else if (!is_same)
		printf("%s: %s\n", name, update ? "updated" : "is not as it was");
	if (!is_same && !update)
		show_difference(story.text, text);
	free(text);
	return !story.problem[0] && (is_same || update);
}

int sim_stories(const char *folder, const char *name, bool update)
{
	struct dirent **entries = NULL;
	int count = scandir(folder, &entries, NULL, alphasort), failures = 0, played = 0;
	char path[4096];

	for (int i = 0; i < count; i++) {
		const char *found = entries[i]->d_name;

		snprintf(path, sizeof(path), "%s/%s", folder, found);
		if (ends_with(found, ".txt") &&
		    (!name || strncmp(found, name, strlen(found) - strlen(".txt")) == 0)) {
			failures += !play_file(path, found, update);
			played++;
		}
		free(entries[i]);
	}
	free(entries);
	printf("%d stories, %d failed\n", played, failures);
	return failures + (played == 0);
}
