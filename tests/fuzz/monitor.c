/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A QEMU that answers anything: tests the QMP client, adoption, and all requests of vmm.h.
 *
 * An input consists of lines. The next line answers a command: with a returned value, or after '!'
 * with an error. A line after '#' is sent before the answer, as an event. An input that begins with
 * '+' comes from a QEMU whose registers are read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/stream.h"
#include "vmm/qemu/qemu-private.h"

enum {
	STEPS_MAX = 5000,
	LINE_BYTES = 8192,
	MONITOR_BYTES = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static sd_event *loop;
static struct us_stream *peer;
static const char *script, *script_end;
static unsigned asked, answered;
static bool is_newer;

static void must(bool condition)
{
	if (!condition)
		abort();
}

/* ---- The peer ---- */

static void say(const char *text)
{
	if (peer)
		us_stream_send(peer, text, strlen(text));
}

/* The next line, of any text; false at the end. */
static bool next_line(char *ret_line)
{
	const char *stop;
	size_t length;

	if (script >= script_end)
		return false;
	stop = memchr(script, '\n', script_end - script);
	if (!stop)
		stop = script_end;
	length = stop - script < LINE_BYTES - 1 ? stop - script : LINE_BYTES - 1;
	memcpy(ret_line, script, length);
	ret_line[length] = '\0';
	script = stop + 1;
	return true;
}

static void answer(json_int_t id)
{
	char line[LINE_BYTES], text[LINE_BYTES + 100];
	bool there;

	while ((there = next_line(line)) && line[0] == '#')
		say(line + 1);
	if (!there) /* the command ends without an answer */
		return;
	if (line[0] == '!')
		snprintf(text, sizeof(text), "{\"error\": %s, \"id\": %lld}", line + 1,
			 (long long)id);
	else
		snprintf(text, sizeof(text), "{\"return\": %s, \"id\": %lld}", line, (long long)id);
	say(text);
}

static void on_command(void *userdata, char *text, size_t length)
{
	json_t *message = json_loadb(text, length, 0, NULL);
	json_t *id = json_object_get(message, "id");

	must(message);
	if (id)
		answer(json_integer_value(id));
	json_decref(message);
}

static void on_peer_closed(void *userdata, int error)
{
	us_stream_free(US_STEAL(peer));
}

/* ---- All requests ---- */

static void on_done(void *userdata, int r, const struct us_reason *reason)
{
	must((r == 0) == (reason == NULL));
	answered++;
}

static void on_number(void *userdata, int r, const struct us_reason *reason, uint64_t value)
{
	must((r == 0) == (reason == NULL));
	must(r == 0 || value == 0);
	answered++;
}

static void on_text(void *userdata, int r, const struct us_reason *reason, const char *text)
{
	must((r == 0) == (reason == NULL) && (r == 0) == (text != NULL));
	answered++;
}

static void on_standby(void *userdata, int r, const struct us_reason *reason,
		       const struct us_vmm_standby *standby)
{
	must((r == 0) == (reason == NULL));
	must((r == 0) == (standby != NULL));
	answered++;
}

static void on_progress(void *userdata, int r, const struct us_reason *reason,
			const struct us_transfer_progress *progress)
{
	must((r == 0) == (progress != NULL));
	answered++;
}

static void count(int r)
{
	must(r <= 0);
	asked += r == 0;
}

static void ask_all(struct us_vmm *vm)
{
	static const uint8_t mac[US_MAC_BYTES] = { 0x52, 0x54, 0, 0, 0, 1 };
	const struct us_plug emulated = {
		.id = "p0", .model = "vmxnet3", .interface = "tap0", .mac = mac
	};
	const struct us_plug vfio = {
		.id = "p1", .model = "vfio-pci", .host = "0000:5e:00.2", .bus = "rp0"
	};
	json_t *settings = json_pack("{s:s, s:s}", "multifd", "on", "max-bandwidth", "1G");

	count(us_vmm_inspect(vm, "net0", on_standby, NULL));
	count(us_vmm_has_device(vm, "p0", on_done, NULL));
	count(us_vmm_query_unplug_delay(vm, "p0", on_number, NULL));
	count(us_vmm_find_slot(vm, on_text, NULL));
	count(us_vmm_plug(vm, &emulated, on_done, NULL));
	count(us_vmm_plug(vm, &vfio, on_done, NULL));
	count(us_vmm_unplug(vm, "p0", on_done, NULL));
	count(us_vmm_configure_transfer(vm, settings, NULL, on_done, NULL));
	count(us_vmm_listen_transfer(vm, "127.0.0.1", on_text, NULL));
	count(us_vmm_start_transfer(vm, &(struct us_transfer_target){ .uri = "tcp:127.0.0.1:1" },
				    on_done, NULL));
	count(us_vmm_query_transfer(vm, on_progress, NULL));
	count(us_vmm_cancel_transfer(vm, on_done, NULL));
	count(us_vmm_reset(vm, on_done, NULL));
	json_decref(settings);
}

static struct us_vmm *vm;

static void on_event(void *userdata, const struct us_vmm_event *event)
{
	must((event->type == US_VMM_REFUSED || event->type == US_VMM_LOST) ==
	     (event->reason != NULL));
	if (event->type == US_VMM_ADOPTED)
		ask_all(vm);
}

static void settle(void)
{
	int steps = 0;

	while (sd_event_run(loop, 0) > 0)
		must(++steps < STEPS_MAX);
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
	static const struct us_stream_handler handler = { on_command, on_peer_closed };
	const struct us_stream_limits limits = { MONITOR_BYTES, MONITOR_BYTES };
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	must(fd >= 0);
	us_stream_free(US_STEAL(peer));
	must(us_stream_new(&peer, loop, fd, '\n', limits, &handler, NULL) == 0);
	say(is_newer ? "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 3, \"minor\": 1, \"major\": "
		       "11}}}}"
		     : "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 0, \"major\": "
		       "9}}}}");
	return 0;
}

static char path[64];

static void begin(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(sd_event_default(&loop) >= 0);
	snprintf(path, sizeof(path), "/tmp/fuzz-monitor-%d", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 10) == 0);
	must(sd_event_add_io(loop, NULL, fd, EPOLLIN, on_connection, NULL) >= 0);
}

static void end(void)
{
	unlink(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!loop) {
		begin();
		atexit(end);
	}
	is_newer = size > 0 && data[0] == '+';
	script = (const char *)data + is_newer;
	script_end = (const char *)data + size;
	asked = answered = 0;
	must(us_vmm_new(&vm, loop, NULL, path, on_event, NULL) == 0);
	must(us_vmm_track_guest(vm, "net0") == 0);
	settle();
	must(answered <= asked);
	us_vmm_free(vm);
	us_stream_free(US_STEAL(peer));
	settle();
	return 0;
}
