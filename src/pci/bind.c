/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Binds a device to vfio-pci and back, through driver_override, which concerns one device and no
 * other one of its kind. Takes only an unused device from its driver.
 */
#include <ifaddrs.h>
#include <string.h>

#include "pci/vfio.h"

#define OVERRIDE "vfio-pci"

/* ---- Whether the device is in use ---- */

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

/* It is in a bridge, a bond or a team, or below a VLAN or macvlan interface. */
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
	if (strtoul(flags, NULL, 16) & IFF_UP) {
		us_refuse(reason, "vfio %s: its interface %s is up", address, name);
		return us_advise(reason, "ip link set %s down", name);
	}
	if (is_enslaved(directory)) {
		us_refuse(reason, "vfio %s: its interface %s belongs to another", address, name);
		return us_advise(reason, "ip link set %s nomaster", name);
	}
	if (has_address(name)) {
		us_refuse(reason, "vfio %s: its interface %s has an address", address, name);
		return us_advise(reason, "ip addr flush dev %s", name);
	}
	return 0;
}

/* An interface in another namespace is invisible here: somebody uses the device. */
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
	if (r != 0 || found)
		return r;
	us_refuse(reason, "vfio %s: is bound to %s without an interface here: may be in use",
		  address, driver);
	return us_advise(reason, "if nobody uses it, bind it to vfio-pci");
}

static int check_override(const char *device, const char *address, struct us_reason *reason)
{
	char text[US_PCI_DRIVER_SIZE];
	int r = us_sysfs_read(device, "driver_override", text, sizeof(text));

	if (r < 0)
		return us_refuse(reason, "vfio %s: driver_override: %s", address, us_strerror(r));
	if (!text[0] || strcmp(text, "(null)") == 0 || us_pci_is_vfio_driver(text))
		return 0;
	us_refuse(reason, "vfio %s: is meant for %s (driver_override)", address, text);
	return us_advise(reason, "name another device");
}

/* ---- Changing its driver ---- */

/* The caller checks which driver the device has afterwards; the writes' results say less. */
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

int us_vfio_bind(const char *sysfs, const char *address, struct us_reason *reason)
{
	char device[PATH_MAX], former[US_PCI_DRIVER_SIZE], driver[US_PCI_DRIVER_SIZE];
	int r = 0;

	us_pci_directory(sysfs, address, device);
	if (access(device, F_OK) < 0) {
		us_refuse(reason, "vfio %s: the device does not exist", address);
		return us_advise(reason, "see lspci -D");
	}
	us_sysfs_link(device, "driver", former, sizeof(former));
	if (us_pci_is_vfio_driver(former))
		return 0;
	if (former[0])
		r = check_idle(device, address, former, reason);
	if (r == 0)
		r = check_override(device, address, reason);
	if (r != 0)
		return r;
	change_driver(sysfs, device, address, OVERRIDE, OVERRIDE);
	us_sysfs_link(device, "driver", driver, sizeof(driver));
	if (us_pci_is_vfio_driver(driver))
		return 0;
	change_driver(sysfs, device, address, "\n", former);
	us_refuse(reason, "vfio %s: vfio-pci does not bind it", address);
	return us_advise(reason, "modprobe vfio-pci, and switch the IOMMU on");
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
			 "vfio %s: is bound to %s: its former driver %s does not bind it again",
			 address, driver[0] ? driver : "no driver", former[0] ? former : "(none)");
}
