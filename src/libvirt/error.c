/* SPDX-License-Identifier: BSD-3-Clause */
#include <libvirt/virterror.h>
#include <stdbool.h>
#include <string.h>

#include "libvirt/error.h"
#include "util/cleanup.h"

/* Next steps by the words of a refusal: what confines QEMU or libvirtd has no code of its own. */
static const struct {
	const char *words, *next;
} by_words[] = {
	{ "apparmor", "journalctl -k --grep=apparmor shows what is denied: allow it in "
		      "/etc/apparmor.d/local/abstractions/libvirt-qemu" },
	{ "aa-helper", "journalctl -k --grep=apparmor shows what is denied: allow it in "
		       "/etc/apparmor.d/local/abstractions/libvirt-qemu" },
	{ "security context", "ausearch -m avc -ts recent shows what SELinux denies" },
	{ "selinux", "ausearch -m avc -ts recent shows what SELinux denies" },
	{ "security label", "ausearch -m avc -ts recent, or journalctl -k --grep=apparmor, shows "
			    "what is denied" },
	{ "Permission denied", "journalctl -k --grep=DENIED and ausearch -m avc -ts recent show "
			       "whether AppArmor or SELinux denies it" },
	{ "Operation not permitted", "journalctl -k --grep=DENIED and ausearch -m avc -ts recent "
				     "show whether AppArmor or SELinux denies it" },
	{ "read only", "connect to libvirt's read-write socket, libvirt-sock or virtqemud-sock" },
};

/* Next steps by libvirt's code. */
static const struct {
	int code;
	const char *next;
} by_code[] = {
	{ VIR_ERR_NO_SUPPORT, "name a libvirt of QEMU: qemu:///system" },
	{ VIR_ERR_OPERATION_DENIED, "connect to libvirt's read-write socket as root" },
	{ VIR_ERR_AUTH_FAILED, "virsh -c URI list must work as root, without a password" },
	{ VIR_ERR_AUTH_UNAVAILABLE, "virsh -c URI list must work as root, without a password" },
};

const char *us_lv_next_step(int code, const char *words)
{
	for (size_t i = 0; i < US_ARRAY_LENGTH(by_code); i++)
		if (by_code[i].code == code)
			return by_code[i].next;
	for (size_t i = 0; i < US_ARRAY_LENGTH(by_words); i++)
		if (words && strcasestr(words, by_words[i].words))
			return by_words[i].next;
	return NULL;
}

int us_lv_refuse(struct us_reason *reason, const char *what)
{
	const char *words = virGetLastErrorMessage();
	const char *next = us_lv_next_step(virGetLastErrorCode(), words);

	us_refuse(reason, "%s: libvirt: \"%s\"", what, words ? words : "no error");
	return next ? us_advise(reason, "%s", next) : US_REFUSED;
}
