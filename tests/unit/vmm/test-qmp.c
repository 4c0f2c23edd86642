/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The QMP client and the VM above it against a scripted peer: for behaviour that a real QEMU
 * does not show on demand: lies, stalls, an old version.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness.h"
#include "util/error.h"
#include "vmm/qmp/qmp.h"

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 1, \"minor\": 2, \"major\": 9}}}}\n"

static sd_event *loop;
static char directory[] = "/tmp/understudy-qmp-XXXXXX";

/* ---- The peer ---- */

struct peer {
	int listener, fd;
	char path[64];
	char in[16384];
	size_t used;
	json_t *request; /* the last one */
};

static void peer_say(struct peer *peer, const char *text)
{
	size_t length = strlen(text);

	while (length > 0) {
		ssize_t n = send(peer->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EPIPE)
			return; /* the client has had enough */
		if (n > 0) {
			text += n;
			length -= n;
		}
		assert_true(sd_event_run(loop, 0) >= 0);
	}
}

static bool peer_has_line(struct peer *peer)
{
	ssize_t n =
		recv(peer->fd, peer->in + peer->used, sizeof(peer->in) - peer->used, MSG_DONTWAIT);

	if (n > 0)
		peer->used += n;
	return memchr(peer->in, '\n', peer->used);
}

/* Waits for a request and checks its command. */
static void peer_expect(struct peer *peer, const char *command)
{
	uint64_t end_usec = us_now_usec() + PATIENCE_USEC;
	size_t length;

	while (!peer_has_line(peer)) {
		if (us_now_usec() > end_usec)
			fail_msg("no %s", command);
		assert_true(sd_event_run(loop, 1000) >= 0);
	}
	length = (char *)memchr(peer->in, '\n', peer->used) - peer->in;
	json_decref(peer->request);
	peer->request = json_loadb(peer->in, length, 0, NULL);
	peer->used -= length + 1;
	memmove(peer->in, peer->in + length + 1, peer->used);
	assert_string_equal(json_string_value(json_object_get(peer->request, "execute")), command);
}

static json_int_t peer_id(struct peer *peer)
{
	return json_integer_value(json_object_get(peer->request, "id"));
}

/* Answers the last request: @key is "return" or "error". */
static void peer_answer(struct peer *peer, const char *key, const char *value)
{
	char text[4096];

	snprintf(text, sizeof(text), "{\"%s\": %s, \"id\": %lld}\n", key, value,
		 (long long)peer_id(peer));
	peer_say(peer, text);
}

static void peer_serve(struct peer *peer, const char *command, const char *value)
{
	peer_expect(peer, command);
	peer_answer(peer, "return", value);
}

static void peer_deinit(struct peer *peer)
{
	json_decref(peer->request);
	us_close(peer->fd);
	us_close(peer->listener);
	if (peer->path[0])
		unlink(peer->path);
}

/* ---- The client ---- */

struct client {
	struct us_qmp *qmp;
	unsigned ready, closed, events;
	int error;
	char reason[400];
	struct us_qmp_version version;
	bool free_when_called;
};

static void on_ready(void *userdata, const struct us_qmp_version *version)
{
	struct client *client = userdata;

	client->ready++;
	client->version = *version;
}

static void on_event(void *userdata, const struct us_qmp_event *event)
{
	struct client *client = userdata;

	client->events++;
	if (client->free_when_called)
		us_qmp_free(US_STEAL(client->qmp));
}

static void on_closed(void *userdata, int error, const struct us_reason *reason)
{
	struct client *client = userdata;

	client->closed++;
	client->error = error;
	snprintf(client->reason, sizeof(client->reason), "%s", reason->text);
}

static const struct us_qmp_handler client_handler = { on_ready, on_event, on_closed };

struct told {
	unsigned count;
	int r;
	bool not_found;
	char text[400]; /* the value as JSON, or the reason */
	struct us_qmp **free_it;
};

static void on_answer(void *userdata, const struct us_qmp_answer *answer)
{
	struct told *told = userdata;
	char *value = answer->value ? json_dumps(answer->value, JSON_ENCODE_ANY) : NULL;

	told->count++;
	told->r = answer->r;
	told->not_found = answer->not_found;
	snprintf(told->text, sizeof(told->text), "%s", value ? value : answer->reason->text);
	free(value);
	if (told->free_it)
		us_qmp_free(US_STEAL(*told->free_it));
}

static void client_init(struct client *client, struct peer *peer)
{
	int pair[2];

	*client = (struct client){ 0 };
	*peer = (struct peer){ .listener = -1 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer->fd = pair[1];
	assert_int_equal(us_qmp_new(&client->qmp, loop, pair[0], &client_handler, client), 0);
}

static void client_negotiate(struct client *client, struct peer *peer)
{
	client_init(client, peer);
	peer_say(peer, GREETING);
	peer_serve(peer, "qmp_capabilities", "{}");
	WAIT_FOR(loop, client->ready);
}

static void client_deinit(struct client *client, struct peer *peer)
{
	us_qmp_free(client->qmp);
	peer_deinit(peer);
}

static void test_negotiate(void **state)
{
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	assert_int_equal(client.version.major, 9);
	assert_int_equal(client.version.minor, 2);
	assert_int_equal(client.version.micro, 1);
	client_deinit(&client, &peer);
	assert_int_equal(client.closed, 0);
}

/* Commands leave at once and in order; their answers may come in any order. */
static void test_pipeline(void **state)
{
	struct told told[3] = { 0 };
	struct client client;
	struct peer peer;
	json_int_t ids[3];

	client_negotiate(&client, &peer);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			us_qmp_call(client.qmp, on_answer, &told[i], "count", "{s:i}", "n", i), 0);
	for (int i = 0; i < 3; i++) {
		peer_expect(&peer, "count");
		assert_int_equal(json_integer_value(json_object_get(
					 json_object_get(peer.request, "arguments"), "n")),
				 i);
		ids[i] = peer_id(&peer);
	}
	for (int i = 2; i >= 0; i--) {
		char text[100];

		snprintf(text, sizeof(text), "{\"return\": %d, \"id\": %lld}\n", 10 * i,
			 (long long)ids[i]);
		peer_say(&peer, text);
		WAIT_FOR(loop, told[i].count);
		assert_int_equal(atoi(told[i].text), 10 * i);
	}
	client_deinit(&client, &peer);
}

static void test_refused(void **state)
{
	struct told told = { 0 };
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	assert_int_equal(us_qmp_call(client.qmp, on_answer, &told, "device_del", NULL), 0);
	peer_expect(&peer, "device_del");
	assert_null(json_object_get(peer.request, "arguments"));
	peer_answer(&peer, "error", "{\"class\": \"DeviceNotFound\", \"desc\": \"no\\nsuch\"}");
	WAIT_FOR(loop, told.count);
	assert_int_equal(told.r, US_REFUSED);
	assert_true(told.not_found);
	assert_string_equal(told.text, "QEMU refused device_del: \"no such\"");
	/* A string that is no JSON is not sent. */
	assert_int_equal(us_qmp_call(client.qmp, on_answer, &told, "x", "{s:s}", "a", "\xff"),
			 -EINVAL);
	client_deinit(&client, &peer);
}

/* A stopped peer answers after the deadline. The answer is dropped. */
static void test_late(void **state)
{
	struct told late = { 0 }, next = { 0 };
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	assert_int_equal(us_qmp_call_with(client.qmp, 1000, -1, on_answer, &late, "slow", NULL), 0);
	assert_int_equal(us_qmp_call(client.qmp, on_answer, &next, "next", NULL), 0);
	WAIT_FOR(loop, late.count);
	assert_int_equal(late.r, -ETIMEDOUT);
	assert_contains(late.text, "did not answer slow in time");
	assert_int_equal(next.count, 0);
	peer_serve(&peer, "slow", "1");
	peer_serve(&peer, "next", "2");
	WAIT_FOR(loop, next.count);
	assert_int_equal(late.count, 1);
	assert_int_equal(next.r, 0);
	assert_int_equal(client.closed, 0);
	client_deinit(&client, &peer);
}

static void test_events(void **state)
{
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	peer_say(&peer, "{\"event\": \"A\"}\n{\"event\": \"B\", \"data\": {}}\n{\"event\": ");
	WAIT_FOR(loop, client.events == 2);
	peer_say(&peer, "\"C\"}\r\n");
	WAIT_FOR(loop, client.events == 3);
	client_deinit(&client, &peer);
}

/* A peer that breaks the protocol loses its connection; commands under way are answered first. */
static void test_broken(void **state)
{
	static const struct {
		const char *text;
		const char *reason;
	} rows[] = {
		{ "garbage\n", "does not speak QMP" },
		{ "[]\n", "does not speak QMP" },
		{ "7\n", "does not speak QMP" },
		{ "{}\n", "does not speak QMP" },
		{ "\n", "does not speak QMP" },
		{ "{\"return\": {}}\n", "never asked" },
		{ "{\"return\": {}, \"id\": 99}\n", "never asked" },
		{ "{\"return\": {}, \"id\": -1}\n", "never asked" },
		{ "{\"return\": {}, \"id\": \"2\"}\n", "never asked" },
		{ "{\"error\": {\"class\": \"GenericError\", \"desc\": \"?\"}}\n", "never asked" },
		{ GREETING, "does not speak QMP" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		struct told told = { 0 };
		struct client client;
		struct peer peer;

		client_negotiate(&client, &peer);
		us_qmp_call(client.qmp, on_answer, &told, "x", NULL);
		peer_say(&peer, rows[i].text);
		WAIT_FOR(loop, client.closed);
		assert_int_equal(client.error, -EPROTO);
		assert_contains(client.reason, rows[i].reason);
		assert_int_equal(told.count, 1);
		assert_int_equal(told.r, -ECONNRESET);
		assert_int_equal(us_qmp_call(client.qmp, on_answer, &told, "x", NULL), -ENOTCONN);
		client_deinit(&client, &peer);
	}
}

static void test_oversized(void **state)
{
	char *text = malloc(US_QMP_MESSAGE_BYTES + 4096);
	struct client client;
	struct peer peer;

	memset(text, ' ', US_QMP_MESSAGE_BYTES + 4095);
	text[US_QMP_MESSAGE_BYTES + 4095] = '\0';
	client_negotiate(&client, &peer);
	peer_say(&peer, text);
	WAIT_FOR(loop, client.closed);
	assert_int_equal(client.error, -EMSGSIZE);
	client_deinit(&client, &peer);
	free(text);
}

static void test_close_mid_line(void **state)
{
	struct told told = { 0 };
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	us_qmp_call(client.qmp, on_answer, &told, "x", NULL);
	peer_expect(&peer, "x");
	peer_say(&peer, "{\"return\": {}, \"id");
	peer.fd = us_close(peer.fd);
	WAIT_FOR(loop, client.closed);
	assert_int_equal(client.error, 0);
	assert_int_equal(told.r, -ECONNRESET);
	client_deinit(&client, &peer);
}

static void test_no_greeting(void **state)
{
	struct client client;
	struct peer peer;

	/* A peer may stall neither before the negotiation nor during it. */
	client_init(&client, &peer);
	WAIT_FOR(loop, client.closed);
	assert_int_equal(client.error, -ETIMEDOUT);
	assert_int_equal(client.ready, 0);
	client_deinit(&client, &peer);
}

/* understudy-libvirt sends an error in place of a greeting: the domain is absent, or for now it
 * cannot be asked. The words are the peer's, and are printed. */
static void test_error_instead(void **state)
{
	static const struct {
		const char *text;
		int error;
		const char *reason;
	} cases[] = {
		{ "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no domain web\"}}\n",
		  -EHOSTDOWN, "no domain web" },
		{ "{\"error\": {\"class\": \"GenericError\", \"desc\": \"a\\n<3>b\\u001b[1m\"}}\n",
		  -EAGAIN, "a <3>b [1m" },
		{ "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}, \"id\": 1}\n",
		  -EAGAIN, "x" },
		{ "{\"error\": {\"class\": 1}}\n", -EPROTO, "the peer does not speak QMP" },
		{ "{\"error\": \"x\"}\n", -EPROTO, "the peer does not speak QMP" },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(cases); i++) {
		struct client client;
		struct peer peer;

		client_init(&client, &peer);
		peer_say(&peer, cases[i].text);
		WAIT_FOR(loop, client.closed);
		assert_int_equal(client.error, cases[i].error);
		assert_int_equal(strncmp(client.reason, cases[i].reason, strlen(cases[i].reason)),
				 0);
		assert_int_equal(client.ready + client.events, 0);
		client_deinit(&client, &peer);
	}
}

static void test_poll(void **state)
{
	struct told told = { 0 }, other = { 0 };
	struct us_qmp_poll poll;
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	assert_int_equal(us_qmp_poll_init(&poll, -1, on_answer, &told, "ask", NULL), 0);
	us_qmp_poll_ask(client.qmp, &poll);
	us_qmp_poll_ask(client.qmp, &poll); /* one is on its way */
	peer_serve(&peer, "ask", "1");
	WAIT_FOR(loop, told.count == 1);
	assert_string_equal(told.text, "1");

	/* An unchanged answer is not reported. A command shows that it was handled. */
	us_qmp_poll_ask(client.qmp, &poll);
	us_qmp_call(client.qmp, on_answer, &other, "other", NULL);
	peer_serve(&peer, "ask", "1");
	peer_serve(&peer, "other", "1");
	WAIT_FOR(loop, other.count == 1);
	assert_int_equal(told.count, 1);

	us_qmp_poll_ask(client.qmp, &poll);
	peer_expect(&peer, "ask");
	peer_answer(&peer, "error", "{\"class\": \"GenericError\", \"desc\": \"gone\"}");
	WAIT_FOR(loop, told.count == 2);
	assert_int_equal(told.r, US_REFUSED);

	us_qmp_poll_forget(&poll);
	us_qmp_poll_ask(client.qmp, &poll);
	peer_expect(&peer, "ask");
	peer_answer(&peer, "error", "{\"class\": \"GenericError\", \"desc\": \"gone\"}");
	WAIT_FOR(loop, told.count == 3);

	/* Freed while its answer is under way, which is then like a late one. */
	us_qmp_poll_ask(client.qmp, &poll);
	us_qmp_poll_deinit(&poll);
	peer_serve(&peer, "ask", "4");
	us_qmp_call(client.qmp, on_answer, &other, "other", NULL);
	peer_serve(&peer, "other", "1");
	WAIT_FOR(loop, other.count == 2);
	assert_int_equal(told.count, 3);
	client_deinit(&client, &peer);
}

static void test_free_inside(void **state)
{
	struct told told = { 0 }, waiting = { 0 };
	struct client client;
	struct peer peer;

	client_negotiate(&client, &peer);
	client.free_when_called = true;
	us_qmp_call(client.qmp, on_answer, &waiting, "x", NULL);
	peer_say(&peer, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n");
	WAIT_FOR(loop, client.events);
	assert_int_equal(waiting.r, -ECONNRESET);
	assert_int_equal(client.events, 1);
	client_deinit(&client, &peer);

	client_negotiate(&client, &peer);
	told.free_it = &client.qmp;
	us_qmp_call(client.qmp, on_answer, &told, "x", NULL);
	us_qmp_call(client.qmp, on_answer, &waiting, "y", NULL);
	peer_serve(&peer, "x", "1");
	WAIT_FOR(loop, told.count);
	assert_int_equal(waiting.count, 2);
	client_deinit(&client, &peer);
}

/* ---- The VM ---- */

static void listen_as(struct peer *peer, struct observed *observed, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*peer = (struct peer){ .fd = -1 };
	*observed = (struct observed){ .loop = loop };
	snprintf(peer->path, sizeof(peer->path), "%s/%s", directory, name);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", peer->path);
	peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->listener, 5), 0);
	assert_int_equal(us_vmm_new(&observed->vm, loop, NULL, peer->path, on_vm_event, observed),
			 0);
}

static void accept_vm(struct peer *peer)
{
	peer->used = 0;
	peer->fd = us_close(peer->fd);
	WAIT_FOR(loop, (peer->fd = accept(peer->listener, NULL, NULL)) >= 0);
}

static void adopt_version(struct peer *peer, const char *greeting, const char *status)
{
	accept_vm(peer);
	peer_say(peer, greeting);
	peer_serve(peer, "qmp_capabilities", "{}");
	peer_serve(peer, "migrate-set-capabilities", "{}");
	peer_serve(peer, "query-migrate", "{}");
	peer_serve(peer, "query-status", status);
}

static void adopt(struct peer *peer, const char *status)
{
	adopt_version(peer, GREETING, status);
}

static void start_vm(struct peer *peer, struct observed *observed, const char *name)
{
	listen_as(peer, observed, name);
	adopt(peer, "{\"status\": \"running\", \"running\": true}");
	WAIT_FOR(loop, observed->log[0]);
	assert_string_equal(observed->log, "adopted running\n");
	observed->log[0] = '\0';
}

static void stop_vm(struct peer *peer, struct observed *observed)
{
	us_vmm_free(observed->vm);
	peer_deinit(peer);
}

#define VIRTIO(status, features)                                                                   \
	"{\"name\": \"virtio-net\", \"status\": {\"statuses\": [" status "]}, "                    \
	"\"guest-features\": {\"dev-features\": [" features "]}}"
#define DRIVER_OK "\"VIRTIO_CONFIG_S_FEATURES_OK: f\", \"VIRTIO_CONFIG_S_DRIVER_OK: d\""
#define CAPABLE "\"VIRTIO_NET_F_STANDBY: s\""

#define VERSION(major, minor, micro)                                                               \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": " #micro ", \"minor\": " #minor            \
	", \"major\": " #major "}}}}\n"

static void refused_version(const char *version, const char *reason)
{
	struct observed observed;
	struct peer peer;

	listen_as(&peer, &observed, "version");
	accept_vm(&peer);
	peer_say(&peer, version);
	peer_serve(&peer, "qmp_capabilities", "{}");
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "refused\n");
	assert_contains(observed.reason, reason);
	stop_vm(&peer, &observed);
}

/* A QEMU that is too old is asked nothing else. */
static void test_version(void **state)
{
	refused_version(VERSION(7, 1, 4), "QEMU 7.1.4 is too old: version 7.2 or later");
}

/* ---- A QEMU that must not be asked x-query-virtio-status ---- */

#define PLACE(address)                                                                             \
	"[{\"devices\": [{\"qdev_id\": \"net0\", \"regions\": [{\"bar\": 4, \"type\": "            \
	"\"memory\", "                                                                             \
	"\"address\": " address "}]}]}]"
#define REGISTERS(select, features, status)                                                        \
	"\"0: " select " 0x00 0x00 0x00 0x01 0x00 0x00 " features " 0x00 0x00 0x00 0x00 " status   \
	" 0x00 0x00 0x00\\r\\n\""
#define OK_CAPABLE REGISTERS("0x01", "0x40", "0x0f")
#define OK_LEGACY REGISTERS("0x01", "0x00", "0x0f")
#define OK_EXTENDED REGISTERS("0x03", "0x00", "0x0f")
#define NEGOTIATING REGISTERS("0x03", "0x00", "0x03")
#define NO_DRIVER REGISTERS("0x03", "0x00", "0x00")
#define NEGOTIATED "{\"event\": \"FAILOVER_NEGOTIATED\", \"data\": {\"device-id\": \"net0\"}}\n"

static void start_newer(struct peer *peer, struct observed *observed, const char *name)
{
	listen_as(peer, observed, name);
	adopt_version(peer, VERSION(11, 1, 3), "{\"status\": \"running\", \"running\": true}");
	WAIT_FOR(loop, observed->log[0]);
	observed->log[0] = '\0';
	assert_int_equal(us_vmm_track_guest(observed->vm, "net0"), 0);
}

/* Serves a recheck: the registers, and the confirmation of their place. */
static void serve_registers(struct peer *peer, const char *registers)
{
	peer_serve(peer, "human-monitor-command", registers);
	peer_serve(peer, "query-pci", PLACE("4096"));
}

static void test_registers(void **state)
{
	struct observed observed;
	struct peer peer;

	start_newer(&peer, &observed, "registers");
	peer_serve(&peer, "query-pci", PLACE("-1"));
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "guest net0 none\n");
	observed.log[0] = '\0';
	peer_serve(&peer, "query-pci", PLACE("4096"));
	serve_registers(&peer, OK_CAPABLE);
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "guest net0 capable ok\n");
	observed.log[0] = '\0';

	/* The guest moved the BAR before the read, so other memory was read. */
	peer_serve(&peer, "human-monitor-command", NO_DRIVER);
	peer_serve(&peer, "query-pci", PLACE("8192"));
	peer_serve(&peer, "human-monitor-command", OK_LEGACY);
	peer_serve(&peer, "query-pci", PLACE("8192"));
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "guest net0 legacy ok\n");
	stop_vm(&peer, &observed);
}

/* A driver that writes 128 bits of features hides STANDBY: only the event tells it. */
static void test_registers_extended(void **state)
{
	struct observed observed;
	struct peer peer;

	start_newer(&peer, &observed, "extended");
	peer_serve(&peer, "query-pci", PLACE("4096"));
	serve_registers(&peer, OK_EXTENDED);
	/* Nobody listened when the driver negotiated. */
	peer_serve(&peer, "human-monitor-command", OK_EXTENDED);
	assert_string_equal(observed.log, "");
	serve_registers(&peer, NO_DRIVER);
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "guest net0 none\n");
	observed.log[0] = '\0';

	peer_say(&peer, NEGOTIATED);
	serve_registers(&peer, NEGOTIATING);
	serve_registers(&peer, OK_EXTENDED);
	WAIT_FOR(loop, strstr(observed.log, "guest"));
	assert_string_equal(observed.log, "trace FAILOVER_NEGOTIATED\nguest net0 capable ok\n");
	observed.log[0] = '\0';
	/* The next driver did not negotiate STANDBY. */
	serve_registers(&peer, NEGOTIATING);
	serve_registers(&peer, OK_EXTENDED);
	WAIT_FOR(loop, strstr(observed.log, "legacy"));
	assert_string_equal(observed.log, "guest net0 none\nguest net0 legacy ok\n");
	stop_vm(&peer, &observed);
}

static void test_no_socket(void **state)
{
	struct observed observed = { .loop = loop };

	assert_int_equal(
		us_vmm_new(&observed.vm, loop, NULL, "/nonexistent/qmp", on_vm_event, &observed),
		0);
	assert_string_equal(observed.log, ""); /* never from inside the call */
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "refused\n");
	assert_contains(observed.reason, "/nonexistent/qmp: no such socket: start QEMU with");
	us_vmm_free(observed.vm);
}

/* Garbage ends the connection. That is reported once; connecting is tried until it works. */
static void test_reconnect(void **state)
{
	struct observed observed;
	struct peer peer;

	listen_as(&peer, &observed, "garbage");
	for (int i = 0; i < 3; i++) {
		accept_vm(&peer);
		peer_say(&peer, "SSH-2.0-OpenSSH\n");
	}
	adopt(&peer, "{\"status\": \"inmigrate\", \"running\": false}");
	WAIT_FOR(loop, strstr(observed.log, "adopted"));
	assert_string_equal(observed.log, "lost\nadopted incoming\n");
	assert_contains(observed.reason, "does not speak QMP");
	stop_vm(&peer, &observed);
}

static void test_lost(void **state)
{
	struct answer a = { 0 };
	struct observed observed;
	struct peer peer;

	start_vm(&peer, &observed, "lost");
	assert_int_equal(us_vmm_reset(observed.vm, on_done, &a), 0);
	peer_expect(&peer, "system_reset");
	peer.fd = us_close(peer.fd);
	WAIT_FOR(loop, observed.log[0]);
	assert_int_equal(a.r, -ECONNRESET);
	assert_string_equal(observed.log, "lost\n");
	assert_int_equal(us_vmm_state(observed.vm), US_VM_UNKNOWN);
	assert_int_equal(us_vmm_reset(observed.vm, on_done, &a), -ENOTCONN);
	adopt(&peer, "{\"status\": \"running\", \"running\": true}");
	WAIT_FOR(loop, strstr(observed.log, "adopted"));
	/* When nobody listens any more: */
	peer.listener = us_close(peer.listener);
	peer.fd = us_close(peer.fd);
	WAIT_FOR(loop, strstr(observed.log, "lost exited"));
	assert_int_equal(us_vmm_state(observed.vm), US_VM_GONE);
	stop_vm(&peer, &observed);
}

static void test_reset_order(void **state)
{
	char event[200];
	struct observed observed;
	struct peer peer;

	start_vm(&peer, &observed, "reset");
	assert_int_equal(us_vmm_track_guest(observed.vm, "net0"), 0);
	peer_serve(&peer, "x-query-virtio-status", VIRTIO(DRIVER_OK, CAPABLE));
	WAIT_FOR(loop, strstr(observed.log, "guest net0 capable ok\n"));
	observed.log[0] = '\0';
	snprintf(event, sizeof(event),
		 "{\"event\": \"RESET\", \"data\": {\"guest\": true}, "
		 "\"timestamp\": {\"seconds\": %llu, \"microseconds\": 0}}\n",
		 (unsigned long long)(us_clock_usec(CLOCK_REALTIME) / US_USEC_PER_SEC));
	peer_say(&peer, event);
	WAIT_FOR(loop, strstr(observed.log, "guest"));
	assert_string_equal(observed.log, "trace RESET\nreset by guest\nguest net0 none\n");
	/* Asked at once; the same answer as before the reset is reported again. */
	peer_serve(&peer, "x-query-virtio-status", VIRTIO(DRIVER_OK, CAPABLE));
	WAIT_FOR(loop, strstr(observed.log, "guest net0 capable ok\n"));
	stop_vm(&peer, &observed);
}

/* After the negotiation rechecks are frequent. A removed driver is found without an event. */
static void test_track(void **state)
{
	struct observed observed;
	struct peer peer;
	uint64_t started;

	start_vm(&peer, &observed, "watch");
	assert_int_equal(us_vmm_track_guest(observed.vm, "net0"), 0);
	peer_serve(&peer, "x-query-virtio-status", VIRTIO("", ""));
	WAIT_FOR(loop, strstr(observed.log, "guest net0 none\n"));
	peer_say(&peer, "{\"event\": \"FAILOVER_NEGOTIATED\", \"data\": {\"device-id\": "
			"\"net0\"}}\n");
	started = us_now_usec();
	for (int i = 0; i < 5; i++)
		peer_serve(&peer, "x-query-virtio-status",
			   VIRTIO("\"VIRTIO_CONFIG_S_FEATURES_OK: f\"", CAPABLE));
	assert_true(us_now_usec() - started < US_USEC_PER_SEC);
	peer_serve(&peer, "x-query-virtio-status", VIRTIO(DRIVER_OK, CAPABLE));
	WAIT_FOR(loop, strstr(observed.log, "capable ok\n"));
	assert_string_equal(observed.log, "guest net0 none\ntrace FAILOVER_NEGOTIATED\n"
					  "guest net0 capable\nguest net0 capable ok\n");
	observed.log[0] = '\0';
	peer_serve(&peer, "x-query-virtio-status", VIRTIO("", ""));
	WAIT_FOR(loop, observed.log[0]);
	assert_string_equal(observed.log, "guest net0 none\n");
	stop_vm(&peer, &observed);
}

#define NOT_FOUND "{\"class\": \"DeviceNotFound\", \"desc\": \"Device 'p0' not found\"}"

/* While a device is being removed, the event counts and not that QEMU no longer finds it. */
static void test_unplug(void **state)
{
	static const char *const pending[] = {
		"{\"class\": \"GenericError\", \"desc\": \"Device p0 is already in the process of "
		"unplug\"}",
		"{\"class\": \"GenericError\", \"desc\": \"Hot-unplug failed: guest is busy (power "
		"indicator blinking)\"}",
		NOT_FOUND,
	};
	struct observed observed;
	struct answer a = { 0 };
	struct peer peer;

	start_vm(&peer, &observed, "unplug");
	assert_int_equal(us_vmm_unplug(observed.vm, "p0", on_done, &a), 0);
	peer_serve(&peer, "device_del", "{}");
	WAIT_FOR(loop, a.done);
	for (size_t i = 0; i < US_ARRAY_LENGTH(pending); i++) {
		a = (struct answer){ 0 };
		assert_int_equal(us_vmm_unplug(observed.vm, "p0", on_done, &a), 0);
		peer_expect(&peer, "device_del");
		peer_answer(&peer, "error", pending[i]);
		WAIT_FOR(loop, a.done);
		assert_int_equal(a.r, 0);
	}
	assert_string_equal(observed.log, "");
	/* A second event, without an id as for a part of a device, means nothing. */
	peer_say(&peer, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/x\"}}\n"
			"{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"p0\"}}\n");
	peer_serve(&peer, "netdev_del", "{}");
	assert_string_equal(observed.log,
			    "trace DEVICE_DELETED\ntrace DEVICE_DELETED\ndeleted p0\n");

	observed.log[0] = '\0';
	a = (struct answer){ 0 };
	assert_int_equal(us_vmm_unplug(observed.vm, "p0", on_done, &a), 0);
	peer_expect(&peer, "device_del");
	peer_answer(&peer, "error", NOT_FOUND);
	WAIT_FOR(loop, a.done);
	assert_string_equal(observed.log, "deleted p0\n");
	stop_vm(&peer, &observed);
}

/* Adopted during a migration of others, without MIGRATION events: QEMU is asked instead. */
static void test_adopt_migrating(void **state)
{
	struct observed observed;
	struct peer peer;

	listen_as(&peer, &observed, "migrating");
	accept_vm(&peer);
	peer_say(&peer, GREETING);
	peer_serve(&peer, "qmp_capabilities", "{}");
	peer_expect(&peer, "migrate-set-capabilities");
	peer_answer(&peer, "error", "{\"class\": \"GenericError\", \"desc\": \"in progress\"}");
	peer_serve(&peer, "query-migrate", "{\"status\": \"active\"}");
	peer_serve(&peer, "query-status", "{\"status\": \"running\", \"running\": true}");
	peer_serve(&peer, "query-migrate", "{\"status\": \"active\"}");
	peer_say(&peer, "{\"event\": \"STOP\"}\n");
	peer_serve(&peer, "query-status", "{\"status\": \"finish-migrate\", \"running\": false}");
	peer_serve(&peer, "query-migrate", "{\"status\": \"completed\"}");
	peer_serve(&peer, "query-status", "{\"status\": \"postmigrate\", \"running\": false}");
	WAIT_FOR(loop, us_vmm_state(observed.vm) == US_VM_MOVED);
	/* The run state comes first: the guest must not seem to be still here. */
	assert_string_equal(observed.log, "adopted running\ntrace STOP\nstate moved\n"
					  "transfer completed\n");
	stop_vm(&peer, &observed);
}

static void free_vm(void *userdata, const struct us_vmm_event *event)
{
	struct observed *observed = userdata;

	observed->log[0]++;
	us_vmm_free(US_STEAL(observed->vm));
}

static void free_when_done(void *userdata, int r, const struct us_reason *reason)
{
	struct observed *observed = userdata;

	us_vmm_free(US_STEAL(observed->vm));
}

static void test_free_vm_inside(void **state)
{
	struct observed observed;
	struct answer a = { 0 };
	struct peer peer;

	listen_as(&peer, &observed, "free");
	us_vmm_free(observed.vm);
	assert_int_equal(us_vmm_new(&observed.vm, loop, NULL, peer.path, free_vm, &observed), 0);
	us_vmm_track_guest(observed.vm, "net0");
	adopt(&peer, "{\"status\": \"running\", \"running\": true}");
	WAIT_FOR(loop, !observed.vm);
	assert_int_equal(observed.log[0], 1);
	peer_deinit(&peer);

	start_vm(&peer, &observed, "free");
	assert_int_equal(us_vmm_reset(observed.vm, free_when_done, &observed), 0);
	assert_int_equal(us_vmm_find_slot(observed.vm, on_text, &a), 0);
	assert_int_equal(us_vmm_has_device(observed.vm, "x", on_done, &a), 0);
	peer_serve(&peer, "system_reset", "{}");
	WAIT_FOR(loop, !observed.vm);
	assert_false(a.done); /* a freed VM calls nobody back */
	peer_deinit(&peer);
}

static int set_up(void **state)
{
	return mkdtemp(directory) && sd_event_new(&loop) >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	sd_event_unref(loop);
	return rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiate),
		cmocka_unit_test(test_pipeline),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_close_mid_line),
		cmocka_unit_test(test_no_greeting),
		cmocka_unit_test(test_error_instead),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_free_inside),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_registers_extended),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_reset_order),
		cmocka_unit_test(test_track),
		cmocka_unit_test(test_unplug),
		cmocka_unit_test(test_adopt_migrating),
		cmocka_unit_test(test_free_vm_inside),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
