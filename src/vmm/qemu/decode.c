/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/qemu/decode.h"
#include "vmm/qemu/message.h"

/* virtio 1.2, section 5.1.3 */
static const uint64_t FEATURE_STANDBY = UINT64_C(1) << 62;

static const char *const transfer_names[] = {
	[US_TRANSFER_NONE] = "none",	       [US_TRANSFER_ACTIVE] = "active",
	[US_TRANSFER_COMPLETED] = "completed", [US_TRANSFER_FAILED] = "failed",
	[US_TRANSFER_CANCELLED] = "cancelled",
};
_Static_assert(US_ARRAY_LENGTH(transfer_names) == US_TRANSFER_N, "a name for each");

const char *us_transfer_name(enum us_transfer transfer)
{
	return transfer_names[transfer];
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* ---- Run state ---- */

enum us_vm_state us_qemu_decode_run_state(const json_t *status, enum us_transfer transfer)
{
	const char *name = json_string_value(json_object_get(status, "status"));

	if (!name)
		return US_VM_RUNNING;
	if (strcmp(name, "inmigrate") == 0)
		return US_VM_INCOMING;
	if (strcmp(name, "postmigrate") == 0)
		return US_VM_MOVED;
	/* QEMU announces the completed migration a moment before it sets `postmigrate`. */
	if (strcmp(name, "finish-migrate") == 0 && transfer == US_TRANSFER_COMPLETED)
		return US_VM_MOVED;
	return US_VM_RUNNING;
}

bool us_qemu_decode_running(const json_t *status)
{
	return json_is_true(json_object_get(status, "running"));
}

/* ---- virtio ---- */

/* QEMU words a bit as "NAME: what it means"; the name counts. */
static bool lists(const json_t *list, const char *name)
{
	size_t length = strlen(name), i;
	const json_t *entry;

	json_array_foreach ((json_t *)list, i, entry) {
		const char *text = json_string_value(entry);

		if (text && starts_with(text, name) && (!text[length] || text[length] == ':'))
			return true;
	}
	return false;
}

/* A QEMU whose table lacks the bit shows it among the unknown ones. */
static bool has_standby(const json_t *features)
{
	uint64_t unknown = us_json_uint64(json_object_get(features, "unknown-dev-features"));

	return lists(json_object_get(features, "dev-features"), "VIRTIO_NET_F_STANDBY") ||
	       (unknown & FEATURE_STANDBY);
}

void us_qemu_decode_virtio_status(const json_t *answer, struct us_virtio_status *ret_status)
{
	const json_t *statuses = json_object_get(json_object_get(answer, "status"), "statuses");
	const char *name = json_string_value(json_object_get(answer, "name"));
	bool driver_ok = lists(statuses, "VIRTIO_CONFIG_S_DRIVER_OK");

	*ret_status = (struct us_virtio_status){
		.is_net = name && strcmp(name, "virtio-net") == 0,
		.offers_standby = has_standby(json_object_get(answer, "host-features")),
	};
	/* A driver that gave up negotiates nothing; a legacy one never sets FEATURES_OK. */
	if (lists(statuses, "VIRTIO_CONFIG_S_FAILED"))
		return;
	if (!driver_ok && !lists(statuses, "VIRTIO_CONFIG_S_FEATURES_OK"))
		return;
	ret_status->driver_ok = driver_ok;
	ret_status->guest = has_standby(json_object_get(answer, "guest-features"))
				    ? US_GUEST_CAPABLE
				    : US_GUEST_LEGACY;
}

int us_qemu_decode_queue_status(const json_t *answer, struct us_queue_status *ret_status)
{
	uint64_t size = us_json_uint64(json_object_get(answer, "vring-num"));

	*ret_status = (struct us_queue_status){
		.descriptors = us_json_uint64(json_object_get(answer, "vring-desc")),
		.used = us_json_uint64(json_object_get(answer, "vring-used")),
		.used_index = us_json_uint64(json_object_get(answer, "used-idx")),
		.size = size,
	};
	/* Of a packed one QEMU leaves the used ring out. */
	if (!ret_status->descriptors || !ret_status->used || size == 0 || size > 32768)
		return -EBADMSG;
	return 0;
}

int us_qemu_decode_memory(const char *text, uint8_t *ret_bytes, size_t size)
{
	size_t count = 0;

	for (; text && *text; text++) {
		char *end;
		unsigned long value;

		/* An address ends with a colon, a byte is "0x" and two digits. */
		if (text[0] != ' ' || text[1] != '0' || text[2] != 'x')
			continue;
		value = strtoul(text + 1, &end, 16);
		if (end != text + 5 || count == size)
			return -EBADMSG;
		ret_bytes[count++] = value;
		text += 4;
	}
	return count == size ? 0 : -EBADMSG;
}

/* ---- Network ---- */

/* "…,ifname=tap0,…" of one line */
static void decode_interface(const char *line, size_t length, char ret_interface[IF_NAMESIZE])
{
	const char *name = memmem(line, length, ",ifname=", strlen(",ifname="));
	size_t size;

	if (!name)
		return;
	name += strlen(",ifname=");
	size = strcspn(name, ",\r\n");
	if (size >= IF_NAMESIZE)
		return;
	memcpy(ret_interface, name, size);
	ret_interface[size] = '\0';
}

/*
 * Each queue is a line of its own, followed by its peer:
 *     net0: index=0,type=nic,model=virtio-net-pci,macaddr=…
 *      \ n0: index=0,type=tap,ifname=tap0,script=no,downscript=no
 */
void us_qemu_decode_network(const char *text, const char *device, uint16_t *ret_queue_pairs,
			    char ret_interface[IF_NAMESIZE])
{
	size_t device_length = strlen(device), length;
	bool ours = false;

	*ret_queue_pairs = 0;
	ret_interface[0] = '\0';
	for (const char *line = text; *line; line += length + (line[length] == '\n')) {
		length = strcspn(line, "\n");
		if (starts_with(line, " \\ ")) {
			if (ours && !ret_interface[0])
				decode_interface(line, length, ret_interface);
			continue;
		}
		ours = length > device_length + 1 && starts_with(line, device) &&
		       starts_with(line + device_length, ": index=");
		if (ours && *ret_queue_pairs < UINT16_MAX)
			++*ret_queue_pairs;
	}
	if (*ret_queue_pairs == 0)
		*ret_queue_pairs = 1;
}

int us_qemu_decode_mac(const json_t *text, uint8_t ret_mac[US_MAC_BYTES])
{
	const char *mac = json_string_value(text);

	return mac && us_mac_parse(mac, ret_mac) == 0 ? 0 : US_REFUSED;
}

/* ---- Slots ---- */

bool us_qemu_decode_is_port(const json_t *entry)
{
	/* Each has one slot, on a bus that has the port's id as its name. */
	static const char *const types[] = {
		"child<pcie-root-port>",
		"child<ioh3420>",
		"child<xio3130-downstream>",
	};
	const char *type = json_string_value(json_object_get(entry, "type"));

	for (size_t i = 0; type && i < US_ARRAY_LENGTH(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

const char *us_qemu_decode_port_bus(const json_t *properties)
{
	const json_t *property;
	size_t i;

	json_array_foreach ((json_t *)properties, i, property) {
		const char *type = json_string_value(json_object_get(property, "type"));

		if (type && strcmp(type, "child<PCIE>") == 0)
			return json_string_value(json_object_get(property, "name"));
	}
	return NULL;
}

bool us_qemu_decode_bus_is_taken(const json_t *properties)
{
	const json_t *property;
	size_t i;

	json_array_foreach ((json_t *)properties, i, property) {
		const char *name = json_string_value(json_object_get(property, "name"));

		if (name && starts_with(name, "child["))
			return true;
	}
	return false;
}

bool us_qemu_decode_has_free_slot(const json_t *pci)
{
	const json_t *devices = json_object_get(json_array_get(pci, 0), "devices");
	const json_t *device;
	uint32_t taken = 0;
	size_t i;

	json_array_foreach ((json_t *)devices, i, device)
		taken |= UINT32_C(1) << (us_json_uint64(json_object_get(device, "slot")) % 32);
	return json_is_array(devices) && taken != UINT32_MAX;
}

/* ---- Migration ---- */

enum us_transfer us_qemu_decode_transfer(const json_t *status)
{
	const char *name = json_string_value(status);

	if (!name || strcmp(name, "none") == 0)
		return US_TRANSFER_NONE;
	if (strcmp(name, "completed") == 0)
		return US_TRANSFER_COMPLETED;
	if (strcmp(name, "failed") == 0)
		return US_TRANSFER_FAILED;
	if (strcmp(name, "cancelled") == 0)
		return US_TRANSFER_CANCELLED;
	return US_TRANSFER_ACTIVE;
}

void us_qemu_decode_progress(const json_t *answer, struct us_transfer_progress *ret_progress)
{
	const json_t *ram = json_object_get(answer, "ram");
	const json_t *downtime = json_object_get(answer, "downtime");
	const char *error = json_string_value(json_object_get(answer, "error-desc"));
	double mbps = json_number_value(json_object_get(ram, "mbps"));
	double dirty = (double)us_json_uint64(json_object_get(ram, "dirty-pages-rate")) *
		       (double)us_json_uint64(json_object_get(ram, "page-size"));

	*ret_progress = (struct us_transfer_progress){
		.transfer = us_qemu_decode_transfer(json_object_get(answer, "status")),
		.transferred_bytes = us_json_uint64(json_object_get(ram, "transferred")),
		.remaining_bytes = us_json_uint64(json_object_get(ram, "remaining")),
		.total_bytes = us_json_uint64(json_object_get(ram, "total")),
		.bytes_per_sec = mbps > 0 && mbps < 1e12 ? (uint64_t)(mbps * 1e6 / 8) : 0,
		.dirty_bytes_per_sec = dirty < 1e18 ? (uint64_t)dirty : 0,
		.downtime_msec = us_json_uint64(
			downtime ? downtime : json_object_get(answer, "expected-downtime")),
	};
	if (error)
		snprintf(ret_progress->error, sizeof(ret_progress->error), "%s", error);
}

int us_qemu_decode_listen_uri(const json_t *answer, char *ret_uri, size_t size)
{
	const json_t *address = json_array_get(json_object_get(answer, "socket-address"), 0);
	const char *host = json_string_value(json_object_get(address, "host"));
	const char *port = json_string_value(json_object_get(address, "port"));
	int length;

	if (!host || !port)
		return US_REFUSED;
	length = snprintf(ret_uri, size, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host,
			  port);
	return length > 0 && (size_t)length < size ? 0 : US_REFUSED;
}

/* ---- Migration settings ---- */

static const json_t *find_capability(const json_t *known, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach ((json_t *)known, i, entry) {
		const char *found = json_string_value(json_object_get(entry, "capability"));

		if (found && strcmp(found, name) == 0)
			return entry;
	}
	return NULL;
}

/* NULL for a word that is no truth value. */
static json_t *decode_boolean(const char *text)
{
	static const char *const yes[] = { "on", "true", "yes", "1" };
	static const char *const no[] = { "off", "false", "no", "0" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(yes); i++) {
		if (strcmp(text, yes[i]) == 0)
			return json_true();
		if (strcmp(text, no[i]) == 0)
			return json_false();
	}
	return NULL;
}

/* A whole number, with K, M, G or T for powers of 1024; NULL for anything else. */
static json_t *decode_size(const char *text)
{
	static const char units[] = { 'K', 'M', 'G', 'T' };
	unsigned long long value;
	const char *unit;
	unsigned shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return NULL;
	errno = 0;
	value = strtoull(text, &end, 10);
	unit = memchr(units, toupper((unsigned char)*end), sizeof(units));
	if (unit) {
		shift = 10 * (unit - units + 1);
		end++;
	}
	if (errno || *end || value > (unsigned long long)INT64_MAX >> shift)
		return NULL;
	return json_integer((json_int_t)(value << shift));
}

/* @text as a value of @like's type; NULL if it cannot be one. */
static json_t *decode_like(const json_t *like, const char *text)
{
	if (json_is_boolean(like))
		return decode_boolean(text);
	if (json_is_number(like))
		return decode_size(text);
	if (json_is_string(like))
		return json_string(text);
	return NULL;
}

/* Adds one pair to the one list or the other. */
static int decode_setting(const char *name, const char *text, const json_t *known_capabilities,
			  const json_t *known_parameters, json_t *capabilities, json_t *parameters,
			  struct us_reason *reason)
{
	bool is_capability = find_capability(known_capabilities, name);
	const json_t *like = is_capability ? json_true() : json_object_get(known_parameters, name);
	json_t *value;
	int r;

	if (!like)
		return us_refuse(reason,
				 "this QEMU has no migration capability or parameter named \"%s\"",
				 name);
	value = text ? decode_like(like, text) : NULL;
	if (!value)
		return us_refuse(reason, "migration setting %s: \"%s\" is no %s", name,
				 text ? text : "(none)",
				 json_is_boolean(like)	? "truth value: say on or off"
				 : json_is_number(like) ? "number: digits, then K, M, G or T"
							: "value that can be set this way");
	if (!is_capability)
		return json_object_set_new(parameters, name, value) < 0 ? -ENOMEM : 0;
	r = json_array_append_new(capabilities,
				  json_pack("{s:s, s:o}", "capability", name, "state", value));
	return r < 0 ? -ENOMEM : 0;
}

int us_qemu_decode_settings(const json_t *settings, const json_t *known_capabilities,
			    const json_t *known_parameters, json_t **ret_capabilities,
			    json_t **ret_parameters, struct us_reason *reason)
{
	json_t *capabilities = json_pack("[{s:s, s:b}]", "capability", "events", "state", 1);
	json_t *parameters = json_object();
	const char *name;
	json_t *value;
	int r = capabilities && parameters ? 0 : -ENOMEM;

	*ret_capabilities = *ret_parameters = NULL;
	json_object_foreach ((json_t *)settings, name, value) {
		/* Without it nobody would be told how the migration goes. */
		if (r || strcmp(name, "events") == 0)
			continue;
		r = decode_setting(name, json_string_value(value), known_capabilities,
				   known_parameters, capabilities, parameters, reason);
	}
	if (r) {
		json_decref(capabilities);
		json_decref(parameters);
		return r;
	}
	*ret_capabilities = capabilities;
	*ret_parameters = parameters;
	return 0;
}

/* What a VMM does not tell cannot be put back; nor what is no plain value, which may be of any
 * depth.
 */
static int remember(json_t *object, const char *name, json_t *value)
{
	bool is_plain = value && !json_is_array(value) && !json_is_object(value);

	return is_plain ? json_object_set(object, name, value) : 0;
}

json_t *us_qemu_decode_before(const json_t *known_capabilities, const json_t *known_parameters,
			      const json_t *capabilities, const json_t *parameters)
{
	json_t *states = json_object(), *values = json_object(), *value;
	const char *name;
	const json_t *entry;
	int r = 0;
	size_t i;

	json_array_foreach ((json_t *)capabilities, i, entry) {
		const json_t *known;

		name = json_string_value(json_object_get(entry, "capability"));
		known = find_capability(known_capabilities, name);
		/* It is on for as long as we are there. */
		if (known && strcmp(name, "events") != 0)
			r |= remember(states, name, json_object_get(known, "state"));
	}
	json_object_foreach ((json_t *)parameters, name, value)
		r |= remember(values, name, json_object_get(known_parameters, name));
	if (r) {
		json_decref(states);
		json_decref(values);
		return NULL;
	}
	return json_pack("{s:o, s:o}", "capabilities", states, "parameters", values);
}

bool us_qemu_decode_is_encrypted(const json_t *known_parameters, const json_t *parameters)
{
	const json_t *set = json_object_get(parameters, "tls-creds");
	const char *id =
		json_string_value(set ? set : json_object_get(known_parameters, "tls-creds"));

	return id && id[0];
}

bool us_qemu_decode_needs_connections(const json_t *known_capabilities)
{
	static const char *const names[] = { "multifd", "postcopy-preempt" };

	for (size_t i = 0; i < US_ARRAY_LENGTH(names); i++)
		if (json_is_true(json_object_get(find_capability(known_capabilities, names[i]),
						 "state")))
			return true;
	return false;
}
