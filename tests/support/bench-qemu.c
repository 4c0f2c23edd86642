/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "support/bench-qemu.h"
#include "util/clock.h"

#define STANDBY "/machine/peripheral/net0"

enum {
	MESSAGE_BYTES = 1 << 20,
	ANSWER_BYTES = 16 * 1024,
};

void bench_mac(unsigned vm, uint8_t ret_mac[6])
{
	const uint8_t mac[6] = { 0x02, 0x55, 0, 0, vm >> 8, vm };

	memcpy(ret_mac, mac, sizeof(mac));
}

static void say(struct bench_qemu *qemu, const char *text)
{
	if (qemu->stream)
		us_stream_send(qemu->stream, text, strlen(text));
}

/* ---- Recorded answers of a real QEMU ---- */

struct recording {
	const char *name;
	char text[ANSWER_BYTES]; /* the answer, up to its id */
};

static struct recording recordings[] = {
	[BENCH_GUEST_NONE] = { .name = "virtio-none" },
	[BENCH_GUEST_STARTING] = { .name = "virtio-capable" },
	[BENCH_GUEST_CAPABLE] = { .name = "virtio-capable-ok" },
	[BENCH_GUEST_LEGACY] = { .name = "virtio-capable-ok" },
	[BENCH_GUEST_N] = { .name = "query-migrate-capabilities" },
	{ .name = "query-migrate-parameters" },
};

static const char *recorded(struct recording *recording)
{
	char path[400];
	char *id = NULL;
	FILE *file;

	if (*recording->text)
		return recording->text;
	snprintf(path, sizeof(path), BENCH_ANSWERS "/%s", recording->name);
	file = fopen(path, "re");
	if (file && fgets(recording->text, ANSWER_BYTES, file))
		id = strstr(recording->text, ", \"id\": ");
	if (!id) {
		fprintf(stderr, "bench: %s: no answer with an id\n", path);
		exit(1);
	}
	fclose(file);
	*id = '\0';
	/* The first feature list is the guest's. The device still offers the bit. */
	if (recording == &recordings[BENCH_GUEST_LEGACY])
		memcpy(strstr(recording->text, "VIRTIO_NET_F_STANDBY"), "VIRTIO_NET_F_UNKNOWN", 20);
	return recording->text;
}

/* NULL for a command that make_answer() answers. */
static const char *find_recorded(const struct bench_qemu *qemu, const char *command)
{
	if (strcmp(command, "x-query-virtio-status") == 0)
		return recorded(&recordings[qemu->guest]);
	for (size_t i = BENCH_GUEST_N; i < US_ARRAY_LENGTH(recordings); i++)
		if (strcmp(command, recordings[i].name) == 0)
			return recorded(&recordings[i]);
	return NULL;
}

/* ---- Answers ---- */

struct question {
	const char *command, *path, *property;
	json_int_t id;
};

#define NOT_FOUND "\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"not found\"}"
#define REFUSED(words) "\"error\": {\"class\": \"GenericError\", \"desc\": \"" words "\"}"
#define DONE "\"return\": {}"

static void answer_property(struct bench_qemu *qemu, const struct question *question, char *answer,
			    size_t size)
{
	bool is_standby = strcmp(question->path, STANDBY) == 0;
	const char *property = question->property;
	uint8_t mac[6];

	bench_mac(qemu->vm, mac);
	qemu->has_read_primary |= !is_standby;
	if (strcmp(property, "mac") == 0)
		snprintf(answer, size, "\"return\": \"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0],
			 mac[1], mac[2], mac[3], mac[4], mac[5]);
	else if (strcmp(property, "host_mtu") == 0)
		snprintf(answer, size, "\"return\": 0");
	else if (strcmp(property, "type") != 0)
		snprintf(answer, size, "\"return\": \"/machine/peripheral/rp0/rp0\"");
	else if (is_standby)
		snprintf(answer, size, "\"return\": \"virtio-net-pci\"");
	else
		snprintf(answer, size, qemu->has_primary ? "\"return\": \"vmxnet3\"" : NOT_FOUND);
}

static void answer_transfer(const struct bench_qemu *qemu, char *answer, size_t size)
{
	if (qemu->transfer)
		snprintf(answer, size,
			 "\"return\": {\"status\": \"%s\", \"ram\": {\"total\": 1000, "
			 "\"remaining\": "
			 "500, \"transferred\": 500, \"mbps\": 1.5, \"dirty-pages-rate\": 0}}",
			 qemu->transfer);
	else if (qemu->listens)
		snprintf(answer, size,
			 "\"return\": {\"socket-address\": [{\"port\": \"4711\", \"ipv6\": false, "
			 "\"host\": \"127.0.0.1\", \"type\": \"inet\"}]}");
	else
		snprintf(answer, size, DONE);
}

static const char *add_primary(struct bench_qemu *qemu)
{
	if (qemu->has_primary)
		return REFUSED("Duplicate device ID");
	qemu->has_primary = true;
	return DONE;
}

static const char *delete_primary(struct bench_qemu *qemu)
{
	if (!qemu->has_primary)
		return NOT_FOUND;
	if (qemu->is_unplugging)
		return REFUSED("Device is already in the process of unplug");
	qemu->is_unplugging = true;
	return DONE;
}

static void make_answer(struct bench_qemu *qemu, const struct question *question, char *answer,
			size_t size)
{
	const char *command = question->command;

	if (strcmp(command, "qom-list") == 0 && strcmp(question->path, "/machine/peripheral") == 0)
		snprintf(answer, size,
			 "\"return\": [{\"name\": \"rp0\", \"type\": \"child<pcie-root-port>\"}]");
	else if (strcmp(command, "query-status") == 0)
		snprintf(answer, size, "\"return\": {\"status\": \"%s\", \"running\": %s}",
			 qemu->status, strcmp(qemu->status, "running") ? "false" : "true");
	else if (strcmp(command, "human-monitor-command") == 0)
		snprintf(answer, size,
			 "\"return\": \"net0: index=0,type=nic,model=virtio-net-pci\\r\\n"
			 " \\\\ n0: index=0,type=tap,ifname=s%u\\r\\n\"",
			 qemu->port);
	else if (strcmp(command, "qom-get") == 0)
		answer_property(qemu, question, answer, size);
	else if (strcmp(command, "query-migrate") == 0)
		answer_transfer(qemu, answer, size);
	else if (strcmp(command, "device_add") == 0)
		snprintf(answer, size, "%s", add_primary(qemu));
	else if (strcmp(command, "device_del") == 0)
		snprintf(answer, size, "%s", delete_primary(qemu));
	else
		snprintf(answer, size, DONE);
}

static void record_command(struct bench_qemu *qemu, const char *command)
{
	qemu->has_read_driver |= strcmp(command, "x-query-virtio-status") == 0;
	qemu->is_adopted |= strcmp(command, "query-status") == 0;
	qemu->listens |= strcmp(command, "migrate-incoming") == 0;
}

static void answer(struct bench_qemu *qemu, const struct question *question)
{
	const char *found = find_recorded(qemu, question->command);
	US_CLEANUP(us_freep) char *text = NULL;
	char made[500];
	int r;

	if (qemu->is_mute && strcmp(question->command, "x-query-virtio-status") == 0)
		return;
	if (!found)
		make_answer(qemu, question, made, sizeof(made));
	r = asprintf(&text, "%s%s, \"id\": %lld}\r", found ? "" : "{", found ? found : made,
		     (long long)question->id);
	if (r > 0)
		say(qemu, text);
	record_command(qemu, question->command);
}

static void on_message(void *userdata, char *text, size_t length)
{
	uint64_t now = us_now_usec();
	struct bench_qemu *qemu = userdata;
	json_t *message = json_loadb(text, length, 0, NULL);
	struct question question = { "", "", "", 0 };

	json_unpack(message, "{s:s, s:I, s?{s?s, s?s}}", "execute", &question.command, "id",
		    &question.id, "arguments", "path", &question.path, "property",
		    &question.property);
	answer(qemu, &question);
	if (qemu->handler)
		qemu->handler->command(qemu->userdata, question.command, now);
	json_decref(message);
}

/* ---- Connections ---- */

static void disconnect(struct bench_qemu *qemu)
{
	us_stream_free(US_STEAL(qemu->stream));
	qemu->has_read_driver = qemu->has_read_primary = qemu->is_adopted = false;
}

static void on_closed(void *userdata, int error)
{
	disconnect(userdata);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	static const struct us_stream_handler handler = { on_message, on_closed };
	const struct us_stream_limits limits = { MESSAGE_BYTES, MESSAGE_BYTES };
	struct bench_qemu *qemu = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return 0;
	disconnect(qemu);
	if (us_stream_new(&qemu->stream, qemu->loop, client, '\n', limits, &handler, qemu) == 0)
		say(qemu, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, "
			  "\"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r");
	return 0;
}

/*
 * The daemon finds a VM's taps in the process that called listen(), by the socket's credentials. So
 * that process has the taps of this VM, and no others.
 */
static void be_qemu(int listener, const int taps[2])
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (listen(listener, 1) < 0 || dup2(taps[0], 0) < 0 || dup2(taps[1], 1) < 0)
		_exit(1);
	close_range(2, ~0U, 0); /* closes the pipe, too, for which the parent waits */
	for (;;)
		pause();
}

static int start_process(struct bench_qemu *qemu, int listener, const int taps[2])
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		return -errno;
	qemu->process = fork();
	if (qemu->process == 0)
		be_qemu(listener, taps);
	close(ready[1]);
	while (qemu->process > 0 && read(ready[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ready[0]);
	return qemu->process < 0 ? -errno : 0;
}

int bench_qemu_open(struct bench_qemu *qemu, const char *path, const int taps[2])
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	qemu->guest = BENCH_GUEST_CAPABLE;
	qemu->has_primary = true;
	qemu->is_unplugging = qemu->listens = false;
	qemu->status = "running";
	qemu->transfer = NULL;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	r = bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	if (r == 0)
		r = start_process(qemu, fd, taps);
	if (r == 0)
		r = sd_event_add_io(qemu->loop, &qemu->listener, fd, EPOLLIN, on_connection, qemu);
	if (r < 0)
		close(fd);
	else
		r = sd_event_source_set_io_fd_own(qemu->listener, true);
	return r < 0 ? r : 0;
}

void bench_qemu_close(struct bench_qemu *qemu)
{
	disconnect(qemu);
	qemu->listener = sd_event_source_disable_unref(qemu->listener);
	if (qemu->process > 0) {
		kill(qemu->process, SIGKILL);
		waitpid(qemu->process, NULL, 0);
	}
	qemu->process = 0;
}

/* ---- Events ---- */

static void say_event(struct bench_qemu *qemu, const char *name, const char *data)
{
	uint64_t now = us_clock_usec(CLOCK_REALTIME);
	char text[300];

	if (qemu->is_adopted && qemu->handler && qemu->handler->event)
		qemu->handler->event(qemu->userdata, name);
	snprintf(text, sizeof(text),
		 "{\"timestamp\": {\"seconds\": %llu, \"microseconds\": %llu}, \"event\": "
		 "\"%s\", \"data\": %s}\r",
		 (unsigned long long)(now / US_USEC_PER_SEC),
		 (unsigned long long)(now % US_USEC_PER_SEC), name, data);
	say(qemu, text);
}

uint64_t bench_qemu_reset(struct bench_qemu *qemu, bool by_guest)
{
	uint64_t now = us_now_usec();

	qemu->guest = BENCH_GUEST_NONE;
	say_event(qemu, "RESET",
		  by_guest ? "{\"guest\": true, \"reason\": \"guest-reset\"}"
			   : "{\"guest\": false, \"reason\": \"host-qmp-system-reset\"}");
	return now;
}

void bench_qemu_primary_deleted(struct bench_qemu *qemu)
{
	char data[100];

	qemu->has_primary = qemu->is_unplugging = false;
	snprintf(data, sizeof(data),
		 "{\"device\": \"understudy-p%u\", \"path\": "
		 "\"/machine/peripheral/understudy-p%u\"}",
		 qemu->vm, qemu->vm);
	say_event(qemu, "DEVICE_DELETED", data);
}

void bench_qemu_negotiate(struct bench_qemu *qemu, enum bench_guest guest)
{
	qemu->guest = guest;
	if (guest == BENCH_GUEST_STARTING || guest == BENCH_GUEST_CAPABLE)
		say_event(qemu, "FAILOVER_NEGOTIATED", "{\"device-id\": \"net0\"}");
}

void bench_qemu_set_migration(struct bench_qemu *qemu, const char *status)
{
	char data[60];

	qemu->transfer = status;
	snprintf(data, sizeof(data), "{\"status\": \"%s\"}", status);
	say_event(qemu, "MIGRATION", data);
}

void bench_qemu_set_running(struct bench_qemu *qemu, const char *status)
{
	qemu->status = status;
	say_event(qemu, strcmp(status, "running") ? "STOP" : "RESUME", "{}");
}
