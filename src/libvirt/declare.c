/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>

#include "libvirt/control.h"
#include "libvirt/declaration.h"
#include "libvirt/declare.h"
#include "libvirt/domain-xml.h"
#include "libvirt/write-xml.h"
#include "libvirt/error.h"
#include "libvirt/host.h"
#include "util/cleanup.h"

/* A change of one declaration. */
struct change {
	virDomainPtr domain;
	const char *name;   /* of the domain */
	const json_t *pair; /* to be added; or NULL, and then: */
	const char *pair_name;
	bool assigns; /* sets `primary`, which can be NULL, instead of removing the pair */
	const char *primary;
};

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

/* ---- One declaration: of the definition, or of the live domain ---- */

/* The present one as XML, for free(); *@ret_xml is NULL if there is none. */
static int read_xml(const struct change *change, unsigned flag, char **ret_xml,
		    struct us_reason *reason)
{
	*ret_xml = virDomainGetMetadata(change->domain, VIR_DOMAIN_METADATA_ELEMENT,
					US_DECLARATION_URI, flag);
	if (*ret_xml || virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA)
		return 0;
	us_lv_refuse(reason, "its declaration cannot be read");
	return US_REFUSED;
}

static int write_xml(const struct change *change, unsigned flag, const char *xml,
		     struct us_reason *reason)
{
	if (virDomainSetMetadata(change->domain, VIR_DOMAIN_METADATA_ELEMENT, xml, "understudy",
				 US_DECLARATION_URI, flag) == 0)
		return 0;
	us_lv_refuse(reason, "its declaration cannot be written");
	return US_REFUSED;
}

/* Changes @pairs; a live domain and its definition may differ, so the change may be there already.
 */
static int apply(const struct change *change, json_t *pairs, struct us_reason *reason)
{
	bool is_found;

	if (change->pair)
		return us_declaration_add(change->name, pairs, change->pair, reason);
	if (change->assigns)
		is_found = us_declaration_assign(change->name, pairs, change->pair_name,
						 change->primary);
	else
		is_found = us_declaration_remove(change->name, pairs, change->pair_name);
	return is_found ? 0 : us_refuse(reason, "it declares no pair %s", change->pair_name);
}

/* *@ret_old and *@ret_new are for free(), or NULL for no declaration. */
static int compute(const struct change *change, unsigned flag, char **ret_old, char **ret_new,
		   struct us_reason *reason)
{
	US_CLEANUP(json_decrefp) json_t *pairs = NULL;
	int r = read_xml(change, flag, ret_old, reason);

	if (r != 0)
		return r;
	pairs = *ret_old ? us_domain_xml_pairs(*ret_old, reason) : json_array();
	if (!pairs)
		return US_REFUSED;
	r = apply(change, pairs, reason);
	if (r != 0 || json_array_size(pairs) == 0)
		return r;
	*ret_new = us_domain_xml_declaration(pairs);
	return *ret_new ? 0 : -ENOMEM;
}

/* ---- Both ---- */

struct version {
	unsigned flag;
	char *before, *after;
	bool is_changed;
};

/* Those of the domain that are to be changed, at least one. Returns their number. */
static size_t list_versions(const struct change *change, struct version versions[2])
{
	size_t n = 0;

	if (virDomainIsPersistent(change->domain) == 1)
		versions[n++] = (struct version){ .flag = VIR_DOMAIN_AFFECT_CONFIG };
	if (virDomainIsActive(change->domain) == 1 || n == 0)
		versions[n++] = (struct version){ .flag = VIR_DOMAIN_AFFECT_LIVE };
	return n;
}

/* A pair need not be in both to be removed or changed; it must not be in either to be added. */
static int prepare(const struct change *change, struct version *versions, size_t n,
		   struct us_reason *reason)
{
	size_t changed = 0;

	for (size_t i = 0; i < n; i++) {
		int r = compute(change, versions[i].flag, &versions[i].before, &versions[i].after,
				reason);

		if (r < 0 || (r > 0 && change->pair))
			return r;
		versions[i].is_changed = r == 0;
		changed += r == 0;
	}
	return changed > 0 ? 0 : US_REFUSED;
}

static int write_all(const struct change *change, struct version *versions, size_t n,
		     struct us_reason *reason)
{
	for (size_t i = 0; i < n; i++) {
		int r = versions[i].is_changed
				? write_xml(change, versions[i].flag, versions[i].after, reason)
				: 0;

		if (r == 0)
			continue;
		while (i-- > 0)
			if (versions[i].is_changed)
				write_xml(change, versions[i].flag, versions[i].before, NULL);
		return r;
	}
	return 0;
}

static int change_domain(const struct change *change, struct us_reason *reason)
{
	struct version versions[2] = { 0 };
	size_t n = list_versions(change, versions);
	int r = prepare(change, versions, n, reason);

	if (r == 0)
		r = write_all(change, versions, n, reason);
	for (size_t i = 0; i < n; i++) {
		free(versions[i].before);
		free(versions[i].after);
	}
	if (r < 0)
		return us_refuse(reason, "domain %s: %s", change->name, us_strerror(r));
	if (r == 0 && virDomainIsActive(change->domain) == 1)
		us_lv_host_report(change->domain); /* before the answer */
	return r;
}

/* ---- Adding ---- */

static int check_standby(virDomainPtr domain, const json_t *pair, struct us_reason *reason)
{
	const char *standby = json_string_value(json_object_get(pair, "standby"));
	bool is_running = virDomainIsActive(domain) == 1;
	char *xml = virDomainGetXMLDesc(domain, is_running ? 0 : VIR_DOMAIN_XML_INACTIVE);
	int r = xml ? us_domain_xml_check_standby(xml, standby ? standby : "", is_running, reason)
		    : us_lv_refuse(reason, "its XML cannot be read");

	free(xml);
	if (r != 0 || is_running || virDomainHasManagedSaveImage(domain, 0) != 1)
		return r;
	us_refuse(reason, "it has a saved state, which begins without the pair");
	return us_advise(reason, "virsh start %s, first", virDomainGetName(domain));
}

static int look_up(virConnectPtr host, const char *name, virDomainPtr *ret_domain,
		   struct us_reason *reason)
{
	*ret_domain = virDomainLookupByName(host, name);
	if (*ret_domain)
		return 0;
	if (virGetLastErrorCode() != VIR_ERR_NO_DOMAIN)
		return us_lv_refuse(reason, "the domain cannot be found");
	us_refuse(reason, "libvirt has no such domain");
	return us_advise(reason, "virsh list --all shows all domains");
}

static int declare(virConnectPtr host, const json_t *arguments, struct us_reason *reason)
{
	struct change change = { .pair = json_object_get(arguments, "pair"),
				 .name = json_string_value(json_object_get(arguments, "domain")) };
	struct us_reason cause = { .text = "" };
	int r = look_up(host, change.name, &change.domain, &cause);

	if (r == 0)
		r = check_standby(change.domain, change.pair, &cause);
	if (r != 0)
		r = us_refuse_because(reason, &cause, "domain %s", change.name);
	else
		r = change_domain(&change, reason);
	if (change.domain)
		virDomainFree(change.domain);
	return r;
}

/* ---- Removing and assigning ---- */

static bool has_pair(virDomainPtr domain, const char *name, unsigned flag)
{
	char *xml =
		virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, US_DECLARATION_URI, flag);
	US_CLEANUP(json_decrefp) json_t *pairs = NULL;
	struct us_reason reason;

	if (!xml)
		return false;
	pairs = us_domain_xml_pairs(xml, &reason);
	free(xml);
	return us_declaration_find(virDomainGetName(domain), pairs, name);
}

/* *@ret_domain, for virDomainFree(), is the only one that declares the pair @name. */
static int find_declaring(virConnectPtr host, const char *name, virDomainPtr *ret_domain,
			  struct us_reason *reason)
{
	virDomainPtr *domains;
	int n = virConnectListAllDomains(host, &domains, 0), found = 0;

	if (n < 0)
		return us_lv_refuse(reason, "the domains cannot be listed");
	for (int i = 0; i < n; i++) {
		if (has_pair(domains[i], name, VIR_DOMAIN_AFFECT_CURRENT) ||
		    has_pair(domains[i], name, VIR_DOMAIN_AFFECT_CONFIG)) {
			if (found++ == 0) {
				*ret_domain = domains[i];
				continue;
			}
			us_refuse(reason, "pair %s: domains %s and %s declare it", name,
				  virDomainGetName(*ret_domain), virDomainGetName(domains[i]));
			us_advise(reason, "--vm DOMAIN names one");
		}
		virDomainFree(domains[i]);
	}
	free(domains);
	if (found == 1)
		return 0;
	if (found > 1)
		return US_REFUSED;
	us_refuse(reason, "pair %s: no domain declares it", name);
	return us_advise(reason, "understudy status shows the pairs; without --persist for one "
				 "that is not declared");
}

static int change_pair(virConnectPtr host, const json_t *arguments, bool assigns,
		       struct us_reason *reason)
{
	const char *domain = json_string_value(json_object_get(arguments, "domain"));
	struct change change = {
		.assigns = assigns,
		.pair_name = json_string_value(json_object_get(arguments, "name")),
		.primary = json_string_value(json_object_get(arguments, "primary")),
	};
	struct us_reason cause = { .text = "" };
	int r;

	if (domain) {
		r = look_up(host, domain, &change.domain, &cause);
		if (r != 0)
			r = us_refuse_because(reason, &cause, "domain %s", domain);
	} else {
		r = find_declaring(host, change.pair_name, &change.domain, reason);
	}
	if (r == 0) {
		change.name = virDomainGetName(change.domain);
		r = change_domain(&change, &cause);
		if (r != 0)
			us_refuse_because(reason, &cause, "domain %s", change.name);
	}
	if (change.domain)
		virDomainFree(change.domain);
	return r;
}

/* ---- Requests ---- */

static int carry_out(const json_t *message, struct us_reason *reason)
{
	const json_t *arguments;
	virConnectPtr host = us_lv_host_get(reason);
	int r = US_REFUSED;

	if (!host)
		return r;
	pthread_mutex_lock(&changing);
	if ((arguments = json_object_get(message, "declare")))
		r = declare(host, arguments, reason);
	else if ((arguments = json_object_get(message, "undeclare")))
		r = change_pair(host, arguments, false, reason);
	else if ((arguments = json_object_get(message, "assign")))
		r = change_pair(host, arguments, true, reason);
	else
		r = us_refuse(reason, "the helper does not know this request");
	pthread_mutex_unlock(&changing);
	virConnectClose(host);
	return r;
}

static void *run(void *userdata)
{
	json_t *message = userdata;
	json_int_t id = json_integer_value(json_object_get(message, "id"));
	struct us_reason reason = { .text = "" };
	int r = carry_out(message, &reason);

	us_lv_control_send(r == 0 ? json_pack("{s:I}", "answer", id)
				  : json_pack("{s:I, s:s, s:i}", "answer", id, "problem",
					      reason.text, "next_at", (int)reason.next_at));
	json_decref(message);
	return NULL;
}

void us_lv_declare(json_t *message)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, message) == 0)
		pthread_detach(thread);
	else
		run(message);
}
