/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libvirt/domain-xml.h"
#include "libvirt/error.h"
#include "libvirt/host.h"
#include "util/cleanup.h"

enum {
	/* A libvirtd that answers nothing for 5 * 4 s is given up, and connected to again. */
	KEEPALIVE_SEC = 5,
	KEEPALIVE_COUNT = 3,
	VERSION_MIN = 9000000, /* of libvirt: 9.0.0 */
	AGAIN_MAX_SEC = 8,
	AGAIN_SEC = 1, /* from a failure to the next attempt */
};

static const char *host_uri;
static const struct us_lv_host_handler *host_handler;
static virConnectPtr connection; /* protected by the lock */
static struct us_reason failure; /* why there is none; "" before the first try */
static unsigned long qemu_version;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

virConnectPtr us_lv_host_get(struct us_reason *reason)
{
	virConnectPtr copy;

	pthread_mutex_lock(&lock);
	while (!connection && !failure.text[0])
		pthread_cond_wait(&changed, &lock);
	copy = connection;
	if (copy)
		virConnectRef(copy);
	else
		*reason = failure;
	pthread_mutex_unlock(&lock);
	return copy;
}

unsigned long us_lv_host_version(void)
{
	unsigned long version;

	pthread_mutex_lock(&lock);
	version = qemu_version;
	pthread_mutex_unlock(&lock);
	return version;
}

/* ---- Reports ---- */

/*
 * The declaration of @domain for its report: *@ret_pairs is NULL if it has none, and *@ret_problem
 * says why it is not valid. False: libvirt does not tell; another report follows when it does.
 */
static bool read_pairs(virDomainPtr domain, json_t **ret_pairs, json_t **ret_problem)
{
	char *xml =
		virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, US_DECLARATION_URI, 0);
	struct us_reason reason;

	*ret_pairs = *ret_problem = NULL;
	if (!xml)
		return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA;
	*ret_pairs = us_domain_xml_pairs(xml, &reason);
	if (!*ret_pairs)
		*ret_problem = json_string(reason.text);
	free(xml);
	return true;
}

static void report(virDomainPtr domain, const char *state)
{
	json_t *problem, *pairs;

	if (!read_pairs(domain, &pairs, &problem) && strcmp(state, "stopped") != 0)
		return;
	host_handler->report(json_pack("{s:s, s:s, s:o*, s:o*}", "domain", virDomainGetName(domain),
				       "state", state, "pairs", pairs, "problem", problem));
}

void us_lv_host_report(virDomainPtr domain)
{
	report(domain, "running");
}

static void report_all(virConnectPtr host)
{
	virDomainPtr *domains;
	int n = virConnectListAllDomains(host, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

	for (int i = 0; i < n; i++) {
		report(domains[i], "running");
		virDomainFree(domains[i]);
	}
	if (n >= 0)
		free(domains);
}

/* ---- Events of libvirt, in its thread ---- */

static void on_monitor_event(virConnectPtr host, virDomainPtr domain, const char *event,
			     long long seconds, unsigned micros, const char *details, void *opaque)
{
	host_handler->event(virDomainGetName(domain), event, seconds, micros, details);
}

static int on_lifecycle(virConnectPtr host, virDomainPtr domain, int event, int detail,
			void *opaque)
{
	if (event == VIR_DOMAIN_EVENT_STARTED) {
		report(domain,
		       detail == VIR_DOMAIN_EVENT_STARTED_MIGRATED ? "incoming" : "running");
	} else if (event == VIR_DOMAIN_EVENT_STOPPED) { /* not CRASHED: it may be restarted */
		host_handler->stopped(virDomainGetName(domain));
		report(domain, "stopped");
	}
	return 0;
}

static void on_removed(virConnectPtr host, virDomainPtr domain, const char *alias, void *opaque)
{
	host_handler->removed(virDomainGetName(domain), alias);
}

static void on_metadata(virConnectPtr host, virDomainPtr domain, int type, const char *uri,
			void *opaque)
{
	if (type == VIR_DOMAIN_METADATA_ELEMENT && uri && strcmp(uri, US_DECLARATION_URI) == 0 &&
	    virDomainIsActive(domain) == 1)
		report(domain, "running");
}

static int subscribe(virConnectPtr host, int id, virConnectDomainEventGenericCallback callback)
{
	return virConnectDomainEventRegisterAny(host, NULL, id, callback, NULL, NULL);
}

static bool subscribe_all(virConnectPtr host)
{
	return virConnectDomainQemuMonitorEventRegister(host, NULL, NULL, on_monitor_event, NULL,
							NULL, 0) >= 0 &&
	       subscribe(host, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
			 VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle)) >= 0 &&
	       subscribe(host, VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
			 VIR_DOMAIN_EVENT_CALLBACK(on_removed)) >= 0 &&
	       subscribe(host, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
			 VIR_DOMAIN_EVENT_CALLBACK(on_metadata)) >= 0;
}

/* ---- The connection ---- */

/* With the lock held. */
static void set_failure(const struct us_reason *reason)
{
	failure = *reason;
	pthread_cond_broadcast(&changed);
	host_handler->report(json_pack("{s:s, s:s, s:i}", "libvirt", "", "problem", failure.text,
				       "next_at", (int)failure.next_at));
}

static void fail(const struct us_reason *reason)
{
	pthread_mutex_lock(&lock);
	set_failure(reason);
	pthread_mutex_unlock(&lock);
}

static void refuse_closed(struct us_reason *reason)
{
	us_refuse(reason, "%s: libvirtd closed the connection", host_uri);
	us_advise(reason, "is libvirtd running? virsh -c %s list", host_uri);
}

static void on_closed(virConnectPtr host, int cause, void *opaque)
{
	struct us_reason reason;

	refuse_closed(&reason);
	fail(&reason);
}

/* "9.0.0" for 9000000, as virConnectGetLibVersion(). */
static void write_version(unsigned long version, char *buffer, size_t size)
{
	snprintf(buffer, size, "%lu.%lu.%lu", version / 1000000, version / 1000 % 1000,
		 version % 1000);
}

/* Older ones were never tried: they are refused before they are asked for anything else. */
static int check_version(virConnectPtr host, struct us_reason *reason)
{
	unsigned long version;
	char text[64];

	if (virConnectGetLibVersion(host, &version) < 0)
		return us_lv_refuse(reason, host_uri);
	if (version >= VERSION_MIN)
		return 0;
	write_version(version, text, sizeof(text));
	us_refuse(reason, "%s: libvirt %s is too old", host_uri, text);
	return us_advise(reason, "update libvirt there to 9.0 or later");
}

static int prepare(virConnectPtr host, struct us_reason *reason)
{
	if (virConnectRegisterCloseCallback(host, on_closed, NULL, NULL) < 0 ||
	    virConnectSetKeepAlive(host, KEEPALIVE_SEC, KEEPALIVE_COUNT) < 0 ||
	    !subscribe_all(host))
		return us_lv_refuse(reason, host_uri);
	return 0;
}

/* NULL: `failure` has the reason. */
static virConnectPtr open_connection(void)
{
	virConnectPtr host = virConnectOpen(host_uri);
	struct us_reason reason;
	int r = host ? check_version(host, &reason) : us_lv_refuse(&reason, host_uri);

	if (r == 0)
		r = prepare(host, &reason);
	if (r == 0)
		return host;
	if (!us_reason_next(&reason)[0])
		us_advise(&reason, "is libvirtd running? virsh -c %s list", host_uri);
	fail(&reason);
	if (host)
		virConnectClose(host);
	return NULL;
}

/* Keeps @host until it is lost. */
static void keep(virConnectPtr host)
{
	unsigned long version = 0, libvirt = 0;
	struct us_reason reason;
	char text[24];

	virConnectGetVersion(host, &version);
	virConnectGetLibVersion(host, &libvirt);
	write_version(libvirt, text, sizeof(text));
	refuse_closed(&reason);
	pthread_mutex_lock(&lock);
	/* on_closed() may have come before; from here on it waits for the lock. */
	if (virConnectIsAlive(host) == 1) {
		qemu_version = version;
		connection = host;
		failure.text[0] = '\0';
		pthread_cond_broadcast(&changed);
		host_handler->report(json_pack("{s:s}", "libvirt", text));
	} else {
		set_failure(&reason);
	}
	pthread_mutex_unlock(&lock);
	report_all(host);
	pthread_mutex_lock(&lock);
	while (!failure.text[0])
		pthread_cond_wait(&changed, &lock);
	connection = NULL;
	pthread_mutex_unlock(&lock);
	host_handler->lost();
	virConnectClose(host);
}

static void *connect_forever(void *userdata)
{
	unsigned again_sec = AGAIN_SEC;

	while (true) {
		virConnectPtr host = open_connection();

		again_sec = host ? AGAIN_SEC : again_sec * 2;
		if (again_sec > AGAIN_MAX_SEC)
			again_sec = AGAIN_MAX_SEC;
		if (host)
			keep(host);
		sleep(again_sec);
	}
	return NULL;
}

static void *run_events(void *userdata)
{
	while (virEventRunDefaultImpl() >= 0)
		;
	host_handler->lost();
	_exit(1); /* the daemon starts the helper again */
}

static void drop_error(void *userdata, virErrorPtr error)
{
}

int us_lv_host_start(const char *uri, const struct us_lv_host_handler *handler)
{
	pthread_t thread;

	host_uri = uri;
	host_handler = handler;
	virSetErrorFunc(NULL, drop_error); /* each one is told to whoever asked */
	if (virEventRegisterDefaultImpl() < 0)
		return -EIO;
	if (pthread_create(&thread, NULL, run_events, NULL) != 0 ||
	    pthread_create(&thread, NULL, connect_forever, NULL) != 0)
		return -EAGAIN;
	return 0;
}
