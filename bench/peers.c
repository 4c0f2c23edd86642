/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "bench/peers.h"
#include "util/clock.h"

#define STANDBY "/machine/peripheral/net0"

enum {
	MESSAGE_BYTES = 1 << 20,
	ANSWER_BYTES = 16 * 1024,
};

void bench_mac(unsigned index, uint8_t ret_mac[6])
{
	const uint8_t mac[6] = { 0x02, 0x55, 0, 0, index >> 8, index };

	memcpy(ret_mac, mac, sizeof(mac));
}

static void say(struct bench_peer *peer, const char *text)
{
	if (peer->stream)
		us_stream_send(peer->stream, text, strlen(text));
}

/* ---- Answers ---- */

/* What a real QEMU answered, a line up to its id. */
static const char *recorded(const char *name)
{
	static char texts[2][ANSWER_BYTES];
	char *text = texts[strcmp(name, "virtio-none") == 0];
	char path[400];
	char *id = NULL;
	FILE *file;

	if (*text)
		return text;
	snprintf(path, sizeof(path), BENCH_ANSWERS "/%s", name);
	file = fopen(path, "re");
	if (file && fgets(text, ANSWER_BYTES, file))
		id = strstr(text, ", \"id\": ");
	if (!id) {
		fprintf(stderr, "bench: %s: no answer with an id\n", path);
		exit(1);
	}
	fclose(file);
	*id = '\0';
	return text;
}

static void answer_property(struct bench_peer *peer, const char *path, const char *property,
			    char *value, size_t size)
{
	bool is_standby = strcmp(path, STANDBY) == 0;
	uint8_t mac[6];

	bench_mac(peer->index, mac);
	if (strcmp(property, "mac") == 0)
		snprintf(value, size, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0], mac[1], mac[2],
			 mac[3], mac[4], mac[5]);
	else if (strcmp(property, "host_mtu") == 0)
		snprintf(value, size, "0");
	else if (strcmp(property, "type") == 0)
		snprintf(value, size, "\"%s\"", is_standby ? "virtio-net-pci" : "vmxnet3");
	else
		snprintf(value, size, "\"/machine/peripheral/rp0/rp0\"");
	peer->asked |= !is_standby;
}

static void answer(struct bench_peer *peer, const char *command, const char *path,
		   const char *property, json_int_t id)
{
	US_CLEANUP(us_freep) char *text = NULL;
	char value[500] = "{}";

	if (strcmp(command, "x-query-virtio-status") == 0) {
		peer->looked = true;
		if (asprintf(&text, "%s, \"id\": %lld}\r",
			     recorded(peer->reset ? "virtio-none" : "virtio-capable-ok"),
			     (long long)id) > 0)
			say(peer, text);
		return;
	}
	if (peer->is_unplugged && strcmp(property, "type") == 0 && strcmp(path, STANDBY) != 0) {
		if (asprintf(&text,
			     "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": "
			     "\"not found\"}, \"id\": %lld}\r",
			     (long long)id) > 0)
			say(peer, text);
		return;
	}
	if (strcmp(command, "device_add") == 0)
		peer->is_unplugged = false;
	if (strcmp(command, "qom-list") == 0 && strcmp(path, "/machine/peripheral") == 0)
		snprintf(value, sizeof(value),
			 "[{\"name\": \"rp0\", \"type\": \"child<pcie-root-port>\"}]");
	else if (strcmp(command, "query-status") == 0)
		snprintf(value, sizeof(value), "{\"status\": \"running\", \"running\": true}");
	else if (strcmp(command, "human-monitor-command") == 0)
		snprintf(value, sizeof(value),
			 "\"net0: index=0,type=nic,model=virtio-net-pci\\r\\n"
			 " \\\\ n0: index=0,type=tap,ifname=s%u\\r\\n\"",
			 peer->index);
	else if (strcmp(command, "qom-get") == 0)
		answer_property(peer, path, property, value, sizeof(value));
	if (asprintf(&text, "{\"return\": %s, \"id\": %lld}\r", value, (long long)id) > 0)
		say(peer, text);
}

static void on_message(void *userdata, char *text, size_t length)
{
	uint64_t now = us_now_usec();
	struct bench_peer *peer = userdata;
	json_t *message = json_loadb(text, length, 0, NULL);
	const char *command = "", *path = "", *property = "";
	json_int_t id = 0;

	json_unpack(message, "{s:s, s:I, s?{s?s, s?s}}", "execute", &command, "id", &id,
		    "arguments", "path", &path, "property", &property);
	if (strcmp(command, "device_del") == 0)
		peer->unplug_usec = now;
	answer(peer, command, path, property, id);
	if (peer->reboots && strcmp(command, "device_del") == 0) {
		bench_peer_deleted(peer);
		bench_peer_negotiated(peer);
	}
	json_decref(message);
}

static void on_closed(void *userdata, int error)
{
	struct bench_peer *peer = userdata;

	us_stream_free(US_STEAL(peer->stream));
}

/* ---- Connections ---- */

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	static const struct us_stream_handler handler = { on_message, on_closed };
	const struct us_stream_limits limits = { MESSAGE_BYTES, MESSAGE_BYTES };
	struct bench_peer *peer = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return 0;
	us_stream_free(US_STEAL(peer->stream));
	peer->looked = peer->asked = false;
	if (us_stream_new(&peer->stream, peer->loop, client, '\n', limits, &handler, peer) == 0)
		say(peer, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, "
			  "\"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r");
	return 0;
}

int bench_peer_open(struct bench_peer *peer, sd_event *loop, unsigned index, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	*peer = (struct bench_peer){ .loop = loop, .index = index };
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0)
		r = -errno;
	else
		r = sd_event_add_io(loop, &peer->listener, fd, EPOLLIN, on_connection, peer);
	if (r < 0)
		close(fd);
	else
		r = sd_event_source_set_io_fd_own(peer->listener, true);
	return r < 0 ? r : 0;
}

void bench_peer_close(struct bench_peer *peer)
{
	us_stream_free(US_STEAL(peer->stream));
	peer->listener = sd_event_source_disable_unref(peer->listener);
}

static void say_event(struct bench_peer *peer, const char *name, const char *data)
{
	uint64_t now = us_clock_usec(CLOCK_REALTIME);
	char text[300];

	snprintf(text, sizeof(text),
		 "{\"timestamp\": {\"seconds\": %llu, \"microseconds\": %llu}, \"event\": "
		 "\"%s\", \"data\": %s}\r",
		 (unsigned long long)(now / US_USEC_PER_SEC),
		 (unsigned long long)(now % US_USEC_PER_SEC), name, data);
	say(peer, text);
}

uint64_t bench_peer_reset(struct bench_peer *peer)
{
	uint64_t now = us_now_usec();

	peer->reset = true;
	peer->unplug_usec = 0;
	say_event(peer, "RESET", "{\"guest\": true, \"reason\": \"guest-reset\"}");
	return now;
}

void bench_peer_deleted(struct bench_peer *peer)
{
	char data[100];

	peer->is_unplugged = true;
	snprintf(data, sizeof(data),
		 "{\"device\": \"understudy-p%u\", \"path\": "
		 "\"/machine/peripheral/understudy-p%u\"}",
		 peer->index, peer->index);
	say_event(peer, "DEVICE_DELETED", data);
}

void bench_peer_negotiated(struct bench_peer *peer)
{
	peer->reset = false;
	say_event(peer, "FAILOVER_NEGOTIATED", "{\"device-id\": \"net0\"}");
}

void bench_peer_renew(struct bench_peer *peer)
{
	peer->reset = peer->looked = peer->asked = peer->is_unplugged = false;
}
