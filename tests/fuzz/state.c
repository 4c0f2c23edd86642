/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes as the state file that a daemon finds when it starts. What it took over it writes in
 * such a way that the next one takes over the same.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/rpc/rpc.h"
#include "daemon/state/state.h"
#include "fuzz/scene.h"

#define STATE "/run/state/state.json"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct us_daemon the_daemon;

static void write_state(const uint8_t *data, size_t size)
{
	int fd = open(STATE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	us_scene_must(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

/* What a daemon that starts, and ends, makes of the file; the caller's. */
static json_t *start_and_stop(void)
{
	json_t *saved;
	int r;

	r = us_state_load(the_daemon.state);
	us_scene_must(r == 0);
	r = us_state_save(the_daemon.state);
	us_scene_must(r == 0);
	saved = json_load_file(STATE, JSON_REJECT_DUPLICATES, NULL);
	us_scene_must(saved);
	us_scene_clear(&the_daemon);
	return saved;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *first, *second;

	if (!the_daemon.loop)
		us_scene_init(&the_daemon);
	write_state(data, size);
	first = start_and_stop();
	second = start_and_stop();
	us_scene_must(json_equal(first, second));
	us_scene_must(access(STATE ".bad", F_OK) < 0 || unlink(STATE ".bad") == 0);
	json_decref(first);
	json_decref(second);
	return 0;
}
