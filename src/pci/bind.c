/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Binding a device to vfio-pci and back, by way of driver_override: that names one device and no
 * other of its kind. Only what is idle is taken from its driver.
 */
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci/sysfs.h"
#include "pci/vfio.h"

#define OVERRIDE "vfio-pci"

/* ---- Whether somebody uses it ---- */

static bool has_address(const char *interface)
{
	struct ifaddrs *addresses, *one;
	bool found = false;

	if (getifaddrs(&addresses) < 0)
		return true;
	for (one = addresses; one && !found; one = one->ifa_next)
		found = one->ifa_addr && one->ifa_addr->sa_family != AF_PACKET &&
			strcmp(one->ifa_name, interface) == 0;
	freeifaddrs(addresses);
	return found;
}

/* In a bridge, a bond or a team; or below a VLAN or macvlan interface. */
static bool is_enslaved(const char *directory)
{
	US_CLEANUP(closedirp) DIR *entries = opendir(directory);
	const struct dirent *entry;

	while (entries && (entry = readdir(entries)))
		if (strcmp(entry->d_name, "master") == 0 ||
		    strncmp(entry->d_name, "upper_", 6) == 0)
			return true;
	return false;
}

static int check_interface(const char *address, const char *directory, const char *name,
			   struct us_reason *reason)
{
	char flags[32];

	us_sysfs_read(directory, "flags", flags, sizeof(flags));
	if (strtoul(flags, NULL, 16) & IFF_UP)
		return us_refuse(reason, "vfio %s: its interface %s is up: ip link set %s down",
				 address, name, name);
	if (is_enslaved(directory))
		return us_refuse(reason,
				 "vfio %s: its interface %s belongs to another: "
				 "ip link set %s nomaster",
				 address, name, name);
	if (has_address(name))
		return us_refuse(reason,
				 "vfio %s: its interface %s has an address: ip addr flush "
				 "dev %s",
				 address, name, name);
	return 0;
}

/* An interface in another namespace is not shown to us: it is somebody's. */
static int check_idle(const char *device, const char *address, const char *driver,
		      struct us_reason *reason)
{
	US_CLEANUP(closedirp) DIR *interfaces = NULL;
	const struct dirent *entry;
	char path[PATH_MAX], directory[PATH_MAX];
	bool found = false;
	int r = 0;

	snprintf(path, sizeof(path), "%.4000s/net", device);
	interfaces = opendir(path);
	while (r == 0 && interfaces && (entry = readdir(interfaces))) {
		if (entry->d_name[0] == '.')
			continue;
		found = true;
		snprintf(directory, sizeof(directory), "%.3800s/%s", path, entry->d_name);
		r = check_interface(address, directory, entry->d_name, reason);
	}
	if (r == 0 && !found)
		return us_refuse(reason,
				 "vfio %s: bound to %s without an interface here: somebody uses "
				 "it, bind it to vfio-pci if nobody does",
				 address, driver);
	return r;
}

static int check_override(const char *device, const char *address, struct us_reason *reason)
{
	char text[US_PCI_DRIVER_SIZE];
	int r = us_sysfs_read(device, "driver_override", text, sizeof(text));

	if (r < 0)
		return us_refuse(reason, "vfio %s: driver_override: %s", address, us_strerror(r));
	if (!text[0] || strcmp(text, "(null)") == 0 || us_pci_is_vfio_driver(text))
		return 0;
	return us_refuse(reason, "vfio %s: is meant for %s (driver_override): name another",
			 address, text);
}

/* ---- Changing its driver ---- */

/* What it is bound to afterwards is looked at, not what the writes answered. */
static void change_driver(const char *sysfs, const char *device, const char *address,
			  const char *override, const char *driver)
{
	char path[PATH_MAX];

	us_sysfs_write(device, "driver/unbind", address);
	us_sysfs_write(device, "driver_override", override);
	if (!driver[0])
		return;
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/%s", sysfs, driver);
	us_sysfs_write(path, "bind", address);
}

int us_vfio_bind(const char *sysfs, const char *address, char ret_former[US_PCI_DRIVER_SIZE],
		 struct us_reason *reason)
{
	char device[PATH_MAX], driver[US_PCI_DRIVER_SIZE];
	int r = 0;

	us_pci_directory(sysfs, address, device);
	if (access(device, F_OK) < 0)
		return us_refuse(reason, "vfio %s: there is no such device: see lspci -D", address);
	us_sysfs_link(device, "driver", ret_former, US_PCI_DRIVER_SIZE);
	if (us_pci_is_vfio_driver(ret_former))
		return 0;
	if (ret_former[0])
		r = check_idle(device, address, ret_former, reason);
	if (r == 0)
		r = check_override(device, address, reason);
	if (r != 0)
		return r;
	change_driver(sysfs, device, address, OVERRIDE, OVERRIDE);
	us_sysfs_link(device, "driver", driver, sizeof(driver));
	if (us_pci_is_vfio_driver(driver))
		return 0;
	change_driver(sysfs, device, address, "\n", ret_former);
	return us_refuse(reason,
			 "vfio %s: vfio-pci does not take it: is the module loaded "
			 "(modprobe vfio-pci), and the IOMMU on?",
			 address);
}

int us_vfio_unbind(const char *sysfs, const char *address, const char *former,
		   struct us_reason *reason)
{
	char device[PATH_MAX], driver[US_PCI_DRIVER_SIZE];

	if (us_pci_is_vfio_driver(former))
		return 0;
	us_pci_directory(sysfs, address, device);
	us_sysfs_link(device, "driver", driver, sizeof(driver));
	if (access(device, F_OK) < 0 || (driver[0] && !us_pci_is_vfio_driver(driver)))
		return 0;
	change_driver(sysfs, device, address, "\n", former);
	us_sysfs_link(device, "driver", driver, sizeof(driver));
	if (strcmp(driver, former) == 0)
		return 0;
	return us_refuse(reason,
			 "vfio %s: is bound to %s, its former driver %s does not take it "
			 "back",
			 address, driver[0] ? driver : "no driver", former[0] ? former : "(none)");
}
