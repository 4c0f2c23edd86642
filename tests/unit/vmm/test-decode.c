/* SPDX-License-Identifier: BSD-3-Clause */
/* The decoders, as tables. The files are answers of a real QEMU 7.2 (the fuzzer's corpus). */
#include <stdlib.h>

#include "harness.h"
#include "vmm/qemu/decode-settings.h"
#include "vmm/qemu/decode.h"
#include "vmm/qemu/queue.h"
#include "vmm/qemu/registers/decode-registers.h"
#include "vmm/qemu/registers/guest-memory.h"
#include "vmm/qmp/message.h"

/* Parses a file of the corpus; its value lives until the next call. */
static const json_t *load(const char *name)
{
	static struct us_qmp_message message;
	static char text[16384];
	char path[4096];
	size_t length;
	FILE *file;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	file = fopen(path, "r");
	assert_non_null(file);
	length = fread(text, 1, sizeof(text), file);
	fclose(file);
	us_qmp_message_deinit(&message);
	us_qmp_message_init(&message, text, length);
	assert_int_not_equal(message.kind, US_QMP_INVALID);
	return message.value;
}

/* JSON with single quotes, as is convenient in C. */
static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_t *value;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	value = json_loads(copy, JSON_DECODE_ANY, NULL);
	free(copy);
	assert_non_null(value);
	return value;
}

static void test_message(void **state)
{
	static const struct {
		const char *text;
		enum us_qmp_kind kind;
		bool has_id;
		int64_t id;
	} rows[] = {
		{ "", US_QMP_INVALID, false, 0 },
		{ "{", US_QMP_INVALID, false, 0 },
		{ "[]", US_QMP_INVALID, false, 0 },
		{ "{}", US_QMP_INVALID, false, 0 },
		{ "{\"return\": {}, \"id\": 7}", US_QMP_RETURN, true, 7 },
		{ "{\"return\": {}, \"id\": -3}", US_QMP_RETURN, true, -3 },
		{ "{\"return\": {}, \"id\": \"7\"}", US_QMP_RETURN, false, 0 },
		{ "{\"return\": {}, \"id\": 1e300}", US_QMP_RETURN, false, 0 },
		/* A number that exceeds jansson's integers does not affect the rest. */
		{ "{\"return\": 18446744073709551615, \"id\": 7}", US_QMP_RETURN, true, 7 },
		{ "{\"error\": {\"class\": \"C\", \"desc\": \"D\"}, \"id\": 1}", US_QMP_ERROR, true,
		  1 },
		{ "{\"error\": {\"class\": \"C\"}, \"id\": 1}", US_QMP_INVALID, true, 1 },
		{ "{\"error\": 1}", US_QMP_INVALID, false, 0 },
		{ "{\"event\": \"STOP\"}", US_QMP_EVENT, false, 0 },
		{ "{\"event\": 5}", US_QMP_INVALID, false, 0 },
		{ "{\"event\": \"STOP\", \"data\": []}", US_QMP_INVALID, false, 0 },
		{ "{\"QMP\": {}}", US_QMP_INVALID, false, 0 },
		{ "{\"return\": 1, \"return\": 2}", US_QMP_INVALID, false, 0 },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		struct us_qmp_message message;

		us_qmp_message_init(&message, rows[i].text, strlen(rows[i].text));
		if (message.kind != rows[i].kind || message.has_id != rows[i].has_id ||
		    message.id != rows[i].id)
			fail_msg("%s: kind %d, id %d %d", rows[i].text, message.kind,
				 message.has_id, (int)message.id);
		us_qmp_message_deinit(&message);
	}
}

static void test_message_parts(void **state)
{
	static const char greeting[] =
		"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}}}}";
	static const char reset[] = "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 7}, "
				    "\"event\": \"RESET\", \"data\": {\"guest\": true}}";
	static const char broken_clock[] = "{\"timestamp\": {\"seconds\": -1, "
					   "\"microseconds\": -1}, \"event\": \"RESET\"}";
	struct us_qmp_message message;

	us_qmp_message_init(&message, greeting, strlen(greeting));
	assert_int_equal(message.kind, US_QMP_GREETING);
	assert_int_equal(message.major, 7);
	assert_int_equal(message.minor, 2);
	assert_int_equal(message.micro, 22);
	us_qmp_message_deinit(&message);
	us_qmp_message_init(&message, reset, strlen(reset));
	assert_string_equal(message.name, "RESET");
	assert_int_equal(message.sent_usec, 5000007);
	assert_true(json_is_true(json_object_get(message.value, "guest")));
	us_qmp_message_deinit(&message);
	us_qmp_message_init(&message, broken_clock, strlen(broken_clock));
	assert_int_equal(message.sent_usec, 0);
	us_qmp_message_deinit(&message);
}

static void test_virtio_real(void **state)
{
	static const struct {
		const char *file;
		struct us_virtio_status status;
	} rows[] = {
		{ "virtio-none", { US_GUEST_NONE, false, true } },
		{ "virtio-capable", { US_GUEST_CAPABLE, false, true } },
		{ "virtio-capable-ok", { US_GUEST_CAPABLE, true, true } },
		{ "virtio-legacy-ok", { US_GUEST_LEGACY, true, false } },
		/* never sets FEATURES_OK */
		{ "virtio-legacy-transport-ok", { US_GUEST_LEGACY, true, false } },
	};
	struct us_virtio_status status;

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		us_qemu_decode_virtio_status(load(rows[i].file), &status);
		if (status.guest != rows[i].status.guest ||
		    status.driver_ok != rows[i].status.driver_ok ||
		    status.offers_standby != rows[i].status.offers_standby)
			fail_msg("%s", rows[i].file);
	}
}

#define STATUS(list) "'status': {'statuses': [" list "]}"
#define FEATURES(text) "'guest-features': {" text "}"

static void test_virtio_odd(void **state)
{
	static const struct {
		const char *answer;
		enum us_guest guest;
		bool driver_ok;
	} rows[] = {
		{ "{}", US_GUEST_NONE, false },
		{ "[]", US_GUEST_NONE, false },
		{ "{'status': 3, 'guest-features': 4}", US_GUEST_NONE, false },
		{ "{" STATUS("1, null, {}") "}", US_GUEST_NONE, false },
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER: x'") "}", US_GUEST_NONE, false },
		/* without an explanation, as a later version may have it */
		{ "{" STATUS("'VIRTIO_CONFIG_S_FEATURES_OK'") "}", US_GUEST_LEGACY, false },
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER_OKAY: y'") "}", US_GUEST_NONE, false },
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER_OK: y'") ", " FEATURES(
			  "'dev-features': ['VIRTIO_NET_F_STANDBY']") "}",
		  US_GUEST_CAPABLE, true },
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER_OK: y'") ", " FEATURES(
			  "'dev-features': ['VIRTIO_NET_F_STANDBYX: z']") "}",
		  US_GUEST_LEGACY, true },
		/* bit 62 in words of a QEMU whose table lacks it; with bit 63 no int64 */
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER_OK: y'") ", " FEATURES(
			  "'unknown-dev-features': 4611686018427387904") "}",
		  US_GUEST_CAPABLE, true },
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER_OK: y'") ", " FEATURES(
			  "'unknown-dev-features': 13835058055282163712.0") "}",
		  US_GUEST_CAPABLE, true },
		{ "{" STATUS("'VIRTIO_CONFIG_S_DRIVER_OK: y'") ", " FEATURES(
			  "'unknown-dev-features': 9223372036854775808.0") "}",
		  US_GUEST_LEGACY, true },
		/* a driver that failed */
		{ "{" STATUS("'VIRTIO_CONFIG_S_FAILED: f', 'VIRTIO_CONFIG_S_FEATURES_OK: y'") "}",
		  US_GUEST_NONE, false },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		json_t *answer = parse(rows[i].answer);
		struct us_virtio_status status;

		us_qemu_decode_virtio_status(answer, &status);
		if (status.guest != rows[i].guest || status.driver_ok != rows[i].driver_ok)
			fail_msg("%s: %d %d", rows[i].answer, status.guest, status.driver_ok);
		json_decref(answer);
	}
}

static void test_run_state(void **state)
{
	static const struct {
		const char *status;
		enum us_transfer transfer;
		enum us_vm_state expected;
	} rows[] = {
		{ "{'status': 'running'}", US_TRANSFER_NONE, US_VM_RUNNING },
		{ "{'status': 'paused'}", US_TRANSFER_NONE, US_VM_RUNNING },
		{ "{'status': 'prelaunch'}", US_TRANSFER_NONE, US_VM_RUNNING },
		{ "{'status': 'shutdown'}", US_TRANSFER_NONE, US_VM_RUNNING },
		{ "{'status': 'inmigrate'}", US_TRANSFER_NONE, US_VM_INCOMING },
		{ "{'status': 'postmigrate'}", US_TRANSFER_COMPLETED, US_VM_MOVED },
		{ "{'status': 'finish-migrate'}", US_TRANSFER_ACTIVE, US_VM_RUNNING },
		{ "{'status': 'finish-migrate'}", US_TRANSFER_COMPLETED, US_VM_MOVED },
		{ "{'status': 'to-be-invented'}", US_TRANSFER_NONE, US_VM_RUNNING },
		{ "{'status': 7}", US_TRANSFER_NONE, US_VM_RUNNING },
		{ "[]", US_TRANSFER_NONE, US_VM_RUNNING },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		json_t *status = parse(rows[i].status);

		if (us_qemu_decode_run_state(status, rows[i].transfer) != rows[i].expected)
			fail_msg("%s", rows[i].status);
		json_decref(status);
	}
	assert_true(us_qemu_decode_running(load("status-running")));
	assert_false(us_qemu_decode_running(load("status-inmigrate")));
	assert_int_equal(us_qemu_decode_run_state(load("status-inmigrate"), US_TRANSFER_NONE),
			 US_VM_INCOMING);
}

static void test_network(void **state)
{
	static const char text[] =
		"net0: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:00:00:01\r\n"
		" \\ n0: index=0,type=tap,ifname=mq0,script=no,downscript=no\r\n"
		"net0: index=1,type=nic,\r\n"
		" \\ n0: index=1,type=tap,ifname=mq0,script=no,downscript=no\r\n"
		"net1: index=0,type=nic,model=virtio-net-pci\r\n"
		" \\ n1: index=0,type=tap,fd=25\r\n"
		"net2: index=0,type=nic,model=virtio-net-pci\r\n"
		" \\ n2: index=0,type=tap,ifname=a-name-longer-than-the-kernel-allows\r\n"
		"net3: index=0,type=nic,model=virtio-net-pci";
	static const struct {
		const char *device, *interface;
		uint16_t queue_pairs;
	} rows[] = {
		{ "net0", "mq0", 2 }, { "net1", "", 1 }, { "net2", "", 1 },
		{ "net3", "", 1 },    { "net", "", 1 },	 { "n0", "", 1 },
	};
	char interface[IF_NAMESIZE];
	uint16_t queue_pairs;

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		us_qemu_decode_network(text, rows[i].device, &queue_pairs, interface);
		assert_int_equal(queue_pairs, rows[i].queue_pairs);
		assert_string_equal(interface, rows[i].interface);
	}
	us_qemu_decode_network("", "net0", &queue_pairs, interface);
	assert_int_equal(queue_pairs, 1);
}

static void test_mac(void **state)
{
	static const char *const wrong[] = { "''", "'52:54:00'", "'52:54:00:12:34:567'",
					     "'52:54:00:12:34:gg'", "5" };
	static const uint8_t expected[] = { 0x52, 0x54, 0, 0x12, 0x34, 0xff };
	uint8_t mac[US_MAC_BYTES];
	json_t *text = parse("'52:54:00:12:34:fF'");

	assert_int_equal(us_qemu_decode_mac(text, mac), 0);
	assert_memory_equal(mac, expected, sizeof(mac));
	json_decref(text);
	for (size_t i = 0; i < US_ARRAY_LENGTH(wrong); i++) {
		text = parse(wrong[i]);
		assert_int_equal(us_qemu_decode_mac(text, mac), US_REFUSED);
		json_decref(text);
	}
}

static void test_slots(void **state)
{
	const json_t *devices = load("qom-list-peripheral");
	unsigned ports = 0;
	json_t *pci;

	for (size_t i = 0; i < json_array_size(devices); i++)
		ports += us_qemu_decode_is_port(json_array_get(devices, i));
	assert_int_equal(ports, 1);
	assert_string_equal(us_qemu_decode_port_bus(load("qom-list-anonymous-port")), "pcie.1");
	assert_null(us_qemu_decode_port_bus(NULL));
	assert_true(us_qemu_decode_bus_is_taken(load("qom-list-bus-taken")));
	assert_false(us_qemu_decode_bus_is_taken(NULL));

	assert_true(us_qemu_decode_has_free_slot(load("query-pci")));
	assert_false(us_qemu_decode_has_free_slot(NULL));
	pci = json_pack("[{s:[]}]", "devices");
	for (int slot = 0; slot < 32; slot++) {
		assert_true(us_qemu_decode_has_free_slot(pci));
		json_array_append_new(json_object_get(json_array_get(pci, 0), "devices"),
				      json_pack("{s:i}", "slot", slot));
	}
	assert_false(us_qemu_decode_has_free_slot(pci));
	json_decref(pci);
}

static void test_transfer(void **state)
{
	static const struct {
		const char *status;
		enum us_transfer expected;
	} rows[] = {
		{ "none", US_TRANSFER_NONE },
		{ "setup", US_TRANSFER_ACTIVE },
		{ "active", US_TRANSFER_ACTIVE },
		{ "wait-unplug", US_TRANSFER_ACTIVE },
		{ "pre-switchover", US_TRANSFER_ACTIVE },
		{ "device", US_TRANSFER_ACTIVE },
		{ "cancelling", US_TRANSFER_ACTIVE },
		{ "postcopy-active", US_TRANSFER_ACTIVE },
		{ "to-be-invented", US_TRANSFER_ACTIVE },
		{ "completed", US_TRANSFER_COMPLETED },
		{ "failed", US_TRANSFER_FAILED },
		{ "cancelled", US_TRANSFER_CANCELLED },
	};

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		json_t *status = json_string(rows[i].status);

		assert_int_equal(us_qemu_decode_transfer(status), rows[i].expected);
		json_decref(status);
	}
	assert_int_equal(us_qemu_decode_transfer(NULL), US_TRANSFER_NONE);
}

static void test_progress(void **state)
{
	struct us_transfer_progress progress;
	char uri[32];
	json_t *odd;

	us_qemu_decode_progress(load("migrate-active"), &progress);
	assert_int_equal(progress.transfer, US_TRANSFER_ACTIVE);
	assert_int_equal(progress.transferred_bytes, 11845);
	assert_int_equal(progress.remaining_bytes, 62275584);
	assert_int_equal(progress.total_bytes, 67641344);
	assert_int_equal(progress.bytes_per_sec, 20160);
	assert_int_equal(progress.downtime_msec, 300);
	us_qemu_decode_progress(load("migrate-completed"), &progress);
	assert_int_equal(progress.transfer, US_TRANSFER_COMPLETED);
	assert_int_equal(progress.downtime_msec, 1);

	odd = parse("{'status': 'failed', 'error-desc': 'no way', 'ram': {'mbps': -1, "
		    "'remaining': -5, 'transferred': 1e30, 'page-size': 4096, "
		    "'dirty-pages-rate': 10}}");
	us_qemu_decode_progress(odd, &progress);
	assert_int_equal(progress.transfer, US_TRANSFER_FAILED);
	assert_string_equal(progress.error, "no way");
	assert_int_equal(progress.remaining_bytes, 0);
	assert_int_equal(progress.transferred_bytes, 0);
	assert_int_equal(progress.bytes_per_sec, 0);
	assert_int_equal(progress.dirty_bytes_per_sec, 40960);
	json_decref(odd);

	assert_int_equal(us_qemu_decode_listen_uri(load("migrate-listening"), uri, sizeof(uri)), 0);
	assert_string_equal(uri, "tcp:[::1]:42413");
	assert_int_equal(us_qemu_decode_listen_uri(load("migrate-listening"), uri, 8), US_REFUSED);
	assert_int_equal(us_qemu_decode_listen_uri(NULL, uri, sizeof(uri)), US_REFUSED);
}

static void test_settings(void **state)
{
	static const struct {
		const char *settings;
		const char *outcome; /* the arguments made of them, or a part of the reason */
	} rows[] = {
		{ "{}", "[{'capability':'events','state':true}] {}" },
		{ "{'multifd': 'on'}", "[{'capability':'events','state':true},{'capability':'"
				       "multifd','state':true}] {}" },
		{ "{'events': 'off'}", "[{'capability':'events','state':true}] {}" },
		{ "{'max-bandwidth': '64M'}",
		  "[{'capability':'events','state':true}] {'max-bandwidth':67108864}" },
		{ "{'max-bandwidth': '2t'}",
		  "[{'capability':'events','state':true}] {'max-bandwidth':2199023255552}" },
		{ "{'tls-creds': 'tls0'}",
		  "[{'capability':'events','state':true}] {'tls-creds':'tls0'}" },
		{ "{'block-incremental': 'yes'}",
		  "[{'capability':'events','state':true}] {'block-incremental':true}" },
		{ "{'warp': '1'}", "named \"warp\"" },
		{ "{'max-bandwidth': '64 M'}", "is no number" },
		{ "{'max-bandwidth': '64MB'}", "is no number" },
		{ "{'max-bandwidth': '-1'}", "is no number" },
		{ "{'max-bandwidth': ''}", "is no number" },
		{ "{'max-bandwidth': '64 '}", "is no number" },
		{ "{'max-bandwidth': '99999999T'}", "is no number" },
		{ "{'max-bandwidth': '99999999999999999999'}", "is no number" },
		{ "{'max-bandwidth': 5}", "is no number" },
		{ "{'multifd': 'perhaps'}", "truth value" },
	};
	json_t *known_capabilities = json_deep_copy(load("query-migrate-capabilities"));
	json_t *known_parameters = json_deep_copy(load("query-migrate-parameters"));

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		json_t *settings = parse(rows[i].settings), *capabilities, *parameters;
		struct us_reason reason = { .text = "" };
		char outcome[400];
		int r = us_qemu_decode_settings(settings, known_capabilities, known_parameters,
						&capabilities, &parameters, &reason);

		if (r == 0) {
			char *first = json_dumps(capabilities, JSON_COMPACT);
			char *second = json_dumps(parameters, JSON_COMPACT);

			snprintf(outcome, sizeof(outcome), "%s %s", first, second);
			for (char *c = outcome; *c; c++)
				if (*c == '"')
					*c = '\'';
			assert_string_equal(outcome, rows[i].outcome);
			free(first);
			free(second);
		} else {
			assert_int_equal(r, US_REFUSED);
			assert_contains(reason.text, rows[i].outcome);
		}
		json_decref(capabilities);
		json_decref(parameters);
		json_decref(settings);
	}
	json_decref(known_capabilities);
	json_decref(known_parameters);
	load("status-running"); /* lets go of the last file */
}

static void assert_json(const json_t *value, const char *expected)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);

	for (char *c = text; *c; c++)
		if (*c == '"')
			*c = '\'';
	assert_string_equal(text, expected);
	free(text);
}

static void test_before(void **state)
{
	static const struct {
		const char *capabilities, *parameters, *before; /* the first two are to be set */
		bool is_encrypted;
	} rows[] = {
		{ "[]", "{}", "{'capabilities':{},'parameters':{}}", false },
		{ "[{'capability':'events','state':true},{'capability':'multifd','state':false}]",
		  "{'max-bandwidth':1,'tls-creds':'tls0'}",
		  "{'capabilities':{'multifd':true},'parameters':{'max-bandwidth':9,'tls-creds':''}"
		  "}",
		  true },
		{ "[]", "{'tls-creds':''}", "{'capabilities':{},'parameters':{'tls-creds':''}}",
		  false },
		/* A value that QEMU does not tell is not remembered. */
		{ "[{'capability':'odd','state':true},{'capability':'warp','state':true}]",
		  "{'warp':1}", "{'capabilities':{},'parameters':{}}", false },
	};
	json_t *known_capabilities = parse("[{'capability':'events','state':false},"
					   "{'capability':'multifd','state':true},"
					   "{'capability':'odd'},7,{'capability':1}]");
	json_t *known_parameters = parse("{'max-bandwidth':9,'tls-creds':''}");
	json_t *encrypted = parse("{'tls-creds':'tls1'}");

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		json_t *capabilities = parse(rows[i].capabilities);
		json_t *parameters = parse(rows[i].parameters);
		json_t *before = us_qemu_decode_before(known_capabilities, known_parameters,
						       capabilities, parameters);

		assert_json(before, rows[i].before);
		assert_int_equal(us_qemu_decode_is_encrypted(known_parameters, parameters),
				 rows[i].is_encrypted);
		json_decref(before);
		json_decref(capabilities);
		json_decref(parameters);
	}
	assert_true(us_qemu_decode_is_encrypted(encrypted, NULL));
	assert_false(us_qemu_decode_is_encrypted(NULL, NULL));
	assert_true(us_qemu_decode_needs_connections(known_capabilities));
	assert_false(us_qemu_decode_needs_connections(NULL));
	json_decref(encrypted);
	json_decref(known_capabilities);
	json_decref(known_parameters);
}

static void test_memory(void **state)
{
	static const char text[] = "00000000be5b1000: 0x01 0x02 0x03 0x04 0x05 0x06 0x07 0x08\r\n"
				   "00000000be5b1008: 0xfe 0xff\r\n";
	static const uint8_t expected[] = { 1, 2, 3, 4, 5, 6, 7, 8, 0xfe, 0xff };
	uint8_t bytes[sizeof(expected)];

	assert_int_equal(us_qemu_decode_memory(text, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, expected, sizeof(bytes));
	assert_true(us_qemu_decode_memory(text, bytes, sizeof(bytes) - 1) < 0);
	assert_true(us_qemu_decode_memory("Cannot access memory\r\n", bytes, 1) < 0);
	assert_true(us_qemu_decode_memory("0: 0x12345678\r\n", bytes, 1) < 0);
	assert_true(us_qemu_decode_memory("0: 0x1", bytes, 1) < 0);
	assert_true(us_qemu_decode_memory(NULL, bytes, 1) < 0);
}

/* An odd answer means that the registers are nowhere. */
static void test_registers_place(void **state)
{
	static const char *const odd[] = {
		"{}",
		"[{'devices': {}}]",
		"[{'devices': [{'qdev_id': 1}, {'qdev_id': 'net0'}, {'qdev_id': 'net0'}]}]",
		"[{'devices': [{'qdev_id': 'net0', 'regions': [{'bar': 4}, 5]}]}]",
		"[{'devices': [{'qdev_id': 'net0', 'regions': [{'bar': 4, 'type': 'io', "
		"'address': 4096}]}]}]",
		"[{'devices': [{'qdev_id': 'net0', 'regions': [{'bar': 4, 'type': 'memory', "
		"'address': -1}]}]}]",
		"[{'devices': [{'qdev_id': 'net0', 'regions': [{'bar': 1, 'type': 'memory', "
		"'address': 4096}]}]}]",
	};
	const json_t *placed = load("query-pci-placed");

	assert_int_equal(us_qemu_decode_registers_place(placed, "net0"), 0xfea00000);
	assert_int_equal(us_qemu_decode_registers_place(placed, "net1"),
			 0); /* it has the old interface only */
	assert_int_equal(us_qemu_decode_registers_place(placed, "net"), 0);
	assert_int_equal(us_qemu_decode_registers_place(NULL, "net0"), 0);
	for (size_t i = 0; i < US_ARRAY_LENGTH(odd); i++) {
		json_t *pci = parse(odd[i]);

		assert_int_equal(us_qemu_decode_registers_place(pci, "net0"), 0);
		json_decref(pci);
	}
}

static void test_registers(void **state)
{
	static const struct {
		struct us_virtio_registers registers;
		bool negotiated, shows;
		enum us_guest guest;
		bool driver_ok;
	} rows[] = {
		{ { 1, 0x40000001, 0x0f }, false, true, US_GUEST_CAPABLE, true },
		{ { 1, 0x40000001, 0x0b }, false, true, US_GUEST_CAPABLE, false },
		/* The event told of another driver. */
		{ { 1, 0x00000001, 0x0f }, true, true, US_GUEST_LEGACY, true },
		/* Of 128 bits the last are shown. Or only the first half was written. */
		{ { 3, 0, 0x0f }, true, false, US_GUEST_CAPABLE, true },
		{ { 3, 0, 0x0f }, false, false, US_GUEST_LEGACY, true },
		{ { 0, 0x40000001, 0x0f }, false, false, US_GUEST_LEGACY, true },
		/* The legacy interface, after a driver of the modern one. */
		{ { 1, 0x40000001, 0x07 }, true, true, US_GUEST_LEGACY, true },
		{ { 1, 0x40000001, 0x03 }, true, true, US_GUEST_NONE, false },
		{ { 1, 0x40000001, 0x00 }, true, true, US_GUEST_NONE, false },
		{ { 1, 0x40000001, 0x8f }, true, true, US_GUEST_NONE, false },
	};
	struct us_virtio_registers read;

	for (size_t i = 0; i < US_ARRAY_LENGTH(rows); i++) {
		bool driver_ok;
		enum us_guest guest =
			us_qemu_decode_driver(&rows[i].registers, rows[i].negotiated, &driver_ok);

		if (us_qemu_decode_shows_standby(&rows[i].registers) != rows[i].shows ||
		    guest != rows[i].guest || driver_ok != rows[i].driver_ok)
			fail_msg("row %zu", i);
	}
	us_qemu_decode_registers(json_string_value(load("xp-registers")), &read);
	assert_int_equal(read.select, rows[0].registers.select);
	assert_int_equal(read.features, rows[0].registers.features);
	assert_int_equal(read.status, rows[0].registers.status);
	us_qemu_decode_registers("7000000000: Cannot access memory\r\n", &read);
	assert_int_equal(read.status, 0);
	us_qemu_decode_registers(NULL, &read);
	assert_int_equal(read.status, 0);
	load("status-running"); /* lets go of the last file */
}

static void test_queue_status(void **state)
{
	struct us_queue_status status;
	json_t *answer = parse("{'vring-num': 256, 'vring-desc': 4096, 'vring-used': 8192}");

	assert_int_equal(us_qemu_decode_queue_status(answer, &status), 0);
	assert_int_equal(status.size, 256);
	assert_int_equal(status.descriptors, 4096);
	assert_int_equal(status.used, 8192);
	json_object_set_new(answer, "vring-num", json_integer(0));
	assert_true(us_qemu_decode_queue_status(answer, &status) < 0);
	json_object_set_new(answer, "vring-num", json_integer(65536));
	assert_true(us_qemu_decode_queue_status(answer, &status) < 0);
	json_decref(answer);
}

static void test_host_address(void **state)
{
	uint64_t address;

	assert_int_equal(
		us_qemu_decode_host_address(
			"Host virtual address for 0x1000 (pc.ram) is 0x7f0123456000\r\n", &address),
		0);
	assert_int_equal(address, 0x7f0123456000);
	assert_true(us_qemu_decode_host_address("No memory is mapped at address 0x1000\r\n",
						&address) < 0);
	assert_true(us_qemu_decode_host_address("… is 0x0\r\n", &address) < 0);
	assert_true(us_qemu_decode_host_address("… is 0x12345678123456789\r\n", &address) < 0);
	assert_true(us_qemu_decode_host_address("… is 0x12z", &address) < 0);
	assert_true(us_qemu_decode_host_address(NULL, &address) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory),	      cmocka_unit_test(test_registers_place),
		cmocka_unit_test(test_registers),     cmocka_unit_test(test_queue_status),
		cmocka_unit_test(test_host_address),  cmocka_unit_test(test_message),
		cmocka_unit_test(test_message_parts), cmocka_unit_test(test_virtio_real),
		cmocka_unit_test(test_virtio_odd),    cmocka_unit_test(test_run_state),
		cmocka_unit_test(test_network),	      cmocka_unit_test(test_mac),
		cmocka_unit_test(test_slots),	      cmocka_unit_test(test_transfer),
		cmocka_unit_test(test_progress),      cmocka_unit_test(test_settings),
		cmocka_unit_test(test_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
