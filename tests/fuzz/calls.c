/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any calls of a client that may change things, and what a QEMU says meanwhile, to a whole daemon
 * with two VMs: web runs, new waits for a guest. It must be able to go on, and to end.
 *
 * An input is lines: a call, with the method's name only; behind '!', what QEMU says by itself;
 * behind '?', whether the guest's driver is capable from then on ("1").
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "api/codec.h"
#include "daemon/rpc/rpc.h"
#include "daemon/state/state.h"
#include "fuzz/scene.h"
#include "util/stream.h"
#include "util/unix-socket.h"

enum {
	LINE_MAX_BYTES = 2000,
	MONITOR_BYTES = 1 << 20,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct us_daemon the_daemon;

/* ---- A QEMU, as far as it is asked ---- */

struct monitor {
	unsigned index;
	struct us_stream *stream;
	bool is_capable, has_primary;
};

static struct monitor monitors[2] = { { .index = 0 }, { .index = 1 } };

static json_t *virtio_status(const struct monitor *monitor)
{
	if (!monitor->is_capable)
		return json_pack("{s:{s:[]}, s:{s:[]}}", "status", "statuses", "guest-features",
				 "dev-features");
	return json_pack("{s:{s:[ssss]}, s:{s:[s], s:[s]}}", "status", "statuses",
			 "VIRTIO_CONFIG_S_ACKNOWLEDGE", "VIRTIO_CONFIG_S_DRIVER",
			 "VIRTIO_CONFIG_S_FEATURES_OK", "VIRTIO_CONFIG_S_DRIVER_OK",
			 "guest-features", "dev-features", "VIRTIO_NET_F_STANDBY", "transports",
			 "VIRTIO_F_VERSION_1");
}

static json_t *property(const struct monitor *monitor, const char *name)
{
	if (strcmp(name, "mac") == 0)
		return json_string(us_mac_text(us_scene_macs[monitor->index]).text);
	if (strcmp(name, "host_mtu") == 0)
		return json_integer(0);
	return json_string(strcmp(name, "type") == 0 ? "virtio-net-pci" : "/machine/rp0/rp0");
}

/* NULL: there is no such object. */
static json_t *value_of(const struct monitor *monitor, const char *command, const char *path,
			const char *name)
{
	if (strstr(path, "understudy-") && !monitor->has_primary)
		return NULL;
	if (strcmp(command, "x-query-virtio-status") == 0)
		return virtio_status(monitor);
	if (strcmp(command, "query-status") == 0)
		return json_pack("{s:s, s:b}", "status", monitor->index ? "inmigrate" : "running",
				 "running", !monitor->index);
	if (strcmp(command, "query-migrate-capabilities") == 0)
		return json_pack("[{s:s, s:b}]", "capability", "multifd", "state", false);
	if (strcmp(command, "query-migrate-parameters") == 0)
		return json_pack("{s:i, s:s, s:b}", "max-bandwidth", 1, "tls-creds", "", "x", true);
	if (strcmp(command, "qom-list") == 0)
		return json_pack("[{s:s, s:s}]", "name", "rp0", "type", "child<pcie-root-port>");
	if (strcmp(command, "qom-get") == 0)
		return property(monitor, name);
	if (strcmp(command, "human-monitor-command") == 0)
		return json_pack("s", monitor->index ? "net0:\r\n \\ n: ifname=n1\r\n"
						     : "net0:\r\n \\ n: ifname=n0\r\n");
	return json_object();
}

static void say(struct monitor *monitor, const char *text, size_t length)
{
	if (monitor->stream)
		us_stream_send(monitor->stream, text, length);
}

static void say_json(struct monitor *monitor, json_t *message)
{
	char *text = json_dumps(message, JSON_COMPACT);

	say(monitor, text, strlen(text));
	free(text);
	json_decref(message);
}

static void on_command(void *userdata, char *text, size_t length)
{
	struct monitor *monitor = userdata;
	json_t *message = json_loadb(text, length, 0, NULL);
	const char *command = "", *path = "", *name = "";
	json_int_t id = 0;
	json_t *value;

	us_scene_must(message);
	json_unpack(message, "{s:s, s:I, s?{s?s, s?s}}", "execute", &command, "id", &id,
		    "arguments", "path", &path, "property", &name);
	monitor->has_primary |= strcmp(command, "device_add") == 0;
	value = value_of(monitor, command, path, name);
	if (value)
		say_json(monitor, json_pack("{s:o, s:I}", "return", value, "id", id));
	else
		say_json(monitor, json_pack("{s:{s:s, s:s}, s:I}", "error", "class",
					    "DeviceNotFound", "desc", "there is none", "id", id));
	json_decref(message);
}

static void on_monitor_closed(void *userdata, int error)
{
	struct monitor *monitor = userdata;

	us_stream_free(US_STEAL(monitor->stream));
}

static int on_connection(sd_event_source *source, int listener, uint32_t events, void *userdata)
{
	static const struct us_stream_handler handler = { on_command, on_monitor_closed };
	const struct us_stream_limits limits = { MONITOR_BYTES, MONITOR_BYTES };
	struct monitor *monitor = userdata;
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	us_scene_must(fd >= 0);
	us_stream_free(US_STEAL(monitor->stream));
	us_scene_must(us_stream_new(&monitor->stream, the_daemon.loop, fd, '\n', limits, &handler,
				    monitor) == 0);
	say_json(monitor,
		 json_pack("{s:{s:{s:{s:i, s:i, s:i}, s:s}, s:[]}}", "QMP", "version", "qemu",
			   "major", 7, "minor", 2, "micro", 22, "package", "", "capabilities"));
	return 0;
}

static void listen_at(struct monitor *monitor)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/run/qmp%u", monitor->index);
	us_scene_must(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		      listen(fd, 10) == 0);
	us_scene_must(sd_event_add_io(the_daemon.loop, NULL, fd, EPOLLIN, on_connection, monitor) >=
		      0);
}

/* ---- The client ---- */

static struct us_stream *client;

static void on_answer(void *userdata, char *text, size_t length)
{
	struct us_wire_answer answer;

	us_scene_must(us_wire_read_answer(&answer, text, length) == 0);
	us_wire_answer_deinit(&answer);
}

static void on_client_closed(void *userdata, int error)
{
	us_stream_free(US_STEAL(client));
}

static void connect_client(void)
{
	static const struct us_stream_handler handler = { on_answer, on_client_closed };
	const struct us_stream_limits limits = { 1 << 22, 1 << 22 };
	int fd;

	us_scene_must(us_connect_unix(the_daemon.socket_path, &fd) == 0);
	us_scene_must(us_stream_new(&client, the_daemon.loop, fd, '\0', limits, &handler, NULL) ==
		      0);
}

static void send_call(const char *line, size_t length)
{
	static const char prefix[] = "{\"method\": \"org.understudy.Control.";
	char text[sizeof(prefix) + LINE_MAX_BYTES];

	memcpy(text, prefix, sizeof(prefix) - 1);
	memcpy(text + sizeof(prefix) - 1, line, length);
	if (client)
		us_stream_send(client, text, sizeof(prefix) - 1 + length);
}

/* ---- An input ---- */

static void begin(void)
{
	struct us_reason reason;

	us_scene_init(&the_daemon);
	us_scene_must(us_rpc_serve(the_daemon.rpc, the_daemon.loop, the_daemon.socket_path, -1,
				   &reason) == 0);
	for (size_t i = 0; i < US_ARRAY_LENGTH(monitors); i++)
		listen_at(&monitors[i]);
}

static void attach(void)
{
	static const char *const names[] = { "web", "new" };
	static const char *const pairs[] = { "web0", "new0" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(names); i++) {
		char path[20];
		struct us_host_vm *vm;

		snprintf(path, sizeof(path), "/run/qmp%zu", i);
		monitors[i].is_capable = monitors[i].has_primary = false;
		us_scene_must(us_host_vm_new(&vm, the_daemon.vms, names[i], path) == 0);
		us_scene_settle(&the_daemon);
		us_scene_must(us_vmm_is_adopted(us_host_vm_vmm(vm)));
		us_scene_add_pair(vm, pairs[i], i);
	}
}

static void play(const char *line, size_t length)
{
	static const char negotiated[] =
		"{\"event\": \"FAILOVER_NEGOTIATED\", \"data\": {\"device-id\": \"net0\"}}";

	if (length > LINE_MAX_BYTES)
		return;
	if (length > 1 && line[0] == '?') {
		monitors[0].is_capable = line[1] == '1';
		say(&monitors[0], negotiated, strlen(negotiated));
	} else if (length > 0 && line[0] == '!') {
		monitors[0].has_primary &= !memmem(line, length, "DELETED", 7);
		say(&monitors[0], line + 1, length - 1);
	} else {
		send_call(line, length);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size;

	if (!the_daemon.loop)
		begin();
	attach();
	connect_client();
	while (line < end) {
		const char *stop = memchr(line, '\n', end - line);

		if (!stop)
			stop = end;
		play(line, stop - line);
		us_scene_settle(&the_daemon);
		line = stop + 1;
	}
	us_scene_must(us_state_save(the_daemon.state) == 0);
	us_stream_free(US_STEAL(client));
	us_scene_settle(&the_daemon);
	us_scene_clear(&the_daemon);
	us_scene_settle(&the_daemon);
	return 0;
}
