/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/config.h"
#include "util/file.h"

enum {
	LINE_SIZE = 256, /* with its end and NUL */
};

static int take_text(char *text, struct us_config_line *line, us_config_fn take, void *userdata,
		     struct us_reason *reason)
{
	char *rest = NULL;

	text[strcspn(text, "#\n")] = '\0';
	line->word = strtok_r(text, " \t", &rest);
	if (!line->word)
		return 0;
	line->value = strtok_r(NULL, " \t", &rest);
	if (!line->value)
		return US_CONFIG_REFUSE(line, reason, "%.40s: its value is missing", line->word);
	if (strtok_r(NULL, " \t", &rest))
		return US_CONFIG_REFUSE(line, reason, "%.40s %.40s: one value a line", line->word,
					line->value);
	return take(userdata, line, reason);
}

int us_config_read(const char *path, us_config_fn take, void *userdata, struct us_reason *reason)
{
	US_CLEANUP(fclosep) FILE *file = fopen(path, "re");
	struct us_config_line line = { .path = path };
	char text[LINE_SIZE];
	int r = 0;

	if (!file)
		return errno == ENOENT ? 0 : us_refuse(reason, "%s: %s", path, us_strerror(errno));
	while (r == 0 && fgets(text, sizeof(text), file)) {
		line.number++;
		if (!strchr(text, '\n') && !feof(file))
			return US_CONFIG_REFUSE(&line, reason, "a line has up to %d characters",
						LINE_SIZE - 2);
		r = take_text(text, &line, take, userdata, reason);
	}
	if (r == 0 && ferror(file))
		return us_refuse(reason, "%s: cannot be read", path);
	return r;
}
