/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a PCI device can be given to a VM through VFIO, from sysfs. Changes nothing.
 *
 * The kernel's rule: a group is viable if no driver of the host may do DMA with a device in it. So
 * every other member must be a bridge, be bound to a VFIO driver or pci-stub, or have no driver.
 * Only one process can have a group open: opening it shows whether it is in use, and keeps others
 * out.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "pci/vfio.h"

enum {
	COMMAND_OFFSET = 4, /* in the configuration space */
	COMMAND_BUS_MASTER = 4,
};

static bool is_bridge(const char *directory)
{
	char text[16];

	return us_sysfs_read(directory, "class", text, sizeof(text)) == 0 &&
	       strncmp(text, "0x0604", 6) == 0;
}

static int check_member(const char *devices, const char *member, const char *group,
			const char *address, struct us_reason *reason)
{
	char directory[PATH_MAX], driver[64];

	if (snprintf(directory, sizeof(directory), "%s/%s", devices, member) >=
	    (int)sizeof(directory))
		return -ENAMETOOLONG;
	us_sysfs_link(directory, "driver", driver, sizeof(driver));
	if (!driver[0] || us_pci_is_vfio_driver(driver) || strcmp(driver, "pci-stub") == 0 ||
	    is_bridge(directory))
		return 0;
	us_refuse(reason, "vfio %s: group %s is not viable: %s in it is bound to %s", address,
		  group, member, driver);
	return us_advise(reason, "bind all of group %s to vfio-pci", group);
}

static int check_group(const char *directory, const char *group, const char *address,
		       struct us_reason *reason)
{
	char path[PATH_MAX];
	US_CLEANUP(closedirp) DIR *devices = NULL;
	const struct dirent *member;
	int r = 0;

	if (snprintf(path, sizeof(path), "%s/iommu_group/devices", directory) >= PATH_MAX)
		return -ENAMETOOLONG;
	devices = opendir(path);
	if (!devices)
		return -errno;
	while (r == 0 && (member = readdir(devices)))
		if (member->d_name[0] != '.')
			r = check_member(path, member->d_name, group, address, reason);
	return r;
}

/* 0 with the group's name, or the negative errno of open(2). */
static int open_group(const char *sysfs, const char *address, int *ret_fd, char ret_group[32])
{
	char path[PATH_MAX];

	us_pci_directory(sysfs, address, path);
	us_sysfs_link(path, "iommu_group", ret_group, 32);
	snprintf(path, sizeof(path), "%s/../dev/vfio/%s", sysfs, ret_group);
	*ret_fd = open(path, O_RDWR | O_CLOEXEC);
	return *ret_fd < 0 ? -errno : 0;
}

static int refuse_group(int r, const char *address, const char *group, struct us_reason *reason)
{
	if (r == -EBUSY) {
		us_refuse(reason, "vfio %s: group %s is in use by another process", address, group);
		return us_advise(reason, "take it from that VM, or name another device");
	}
	us_refuse(reason, "vfio %s: /dev/vfio/%s: %s", address, group, us_strerror(r));
	return us_advise(reason, "load vfio-pci, and let understudyd open the file");
}

int us_vfio_open_group(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason)
{
	char group[32];
	int r = open_group(sysfs, address, ret_fd, group);

	return r < 0 ? refuse_group(r, address, group, reason) : 0;
}

/*
 * Opens the node first, whatever the driver: when a driver is unbound, the kernel removes the
 * driver's link before it waits for the process that has the device. A missing node proves that
 * the device is unused only if the device has no VFIO driver.
 */
int us_vfio_prove_free(const char *sysfs, const char *address, int *ret_fd,
		       struct us_reason *reason)
{
	char device[PATH_MAX], driver[US_PCI_DRIVER_SIZE], group[32];
	int r;

	*ret_fd = -1;
	us_pci_directory(sysfs, address, device);
	if (access(device, F_OK) < 0 && errno == ENOENT)
		return 0;
	r = open_group(sysfs, address, ret_fd, group);
	if (r == 0)
		return 0;
	us_sysfs_link(device, "driver", driver, sizeof(driver));
	if ((r == -ENOENT || !group[0]) && !us_pci_is_vfio_driver(driver))
		return 0;
	return refuse_group(r, address, group, reason);
}

/* The PF's interface. A PF with several ports has several; this takes the first. */
static void find_physical_port(const char *directory, char *ret_name, size_t size)
{
	char path[PATH_MAX];
	US_CLEANUP(closedirp) DIR *interfaces = NULL;
	const struct dirent *entry;

	ret_name[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/physfn/net", directory) < PATH_MAX)
		interfaces = opendir(path);
	while (interfaces && !ret_name[0] && (entry = readdir(interfaces)))
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < size)
			strcpy(ret_name, entry->d_name);
}

/* The device's number among the PF's VFs, or -1. */
static int find_index(const char *directory, const char *address)
{
	char name[32], found[US_PCI_ADDRESS_SIZE];

	for (int i = 0;; i++) {
		snprintf(name, sizeof(name), "physfn/virtfn%d", i);
		us_sysfs_link(directory, name, found, sizeof(found));
		if (!found[0] || strcmp(found, address) == 0)
			return found[0] ? i : -1;
	}
}

/*
 * In switchdev mode, the interface that stands for the VF on the host: it has the PF's
 * phys_switch_id, and the phys_port_name pfPvfV (devlink-port(7), "Port flavours").
 */
static void find_representor(const char *sysfs, const struct us_vfio *vfio, char *ret_name,
			     size_t size)
{
	char interfaces[PATH_MAX], path[PATH_MAX], id[64], other[64], name[32];
	US_CLEANUP(closedirp) DIR *directory = NULL;
	const struct dirent *entry;
	int index, pf;

	ret_name[0] = '\0';
	snprintf(interfaces, sizeof(interfaces), "%s/class/net", sysfs);
	if (snprintf(path, sizeof(path), "%s/%s", interfaces, vfio->physical_port) < PATH_MAX &&
	    us_sysfs_read(path, "phys_switch_id", id, sizeof(id)) == 0 && id[0])
		directory = opendir(interfaces);
	while (directory && !ret_name[0] && (entry = readdir(directory))) {
		if (strlen(entry->d_name) >= size ||
		    snprintf(path, sizeof(path), "%s/%s", interfaces, entry->d_name) >= PATH_MAX)
			continue;
		if (us_sysfs_read(path, "phys_switch_id", other, sizeof(other)) == 0 &&
		    strcmp(other, id) == 0 &&
		    us_sysfs_read(path, "phys_port_name", name, sizeof(name)) == 0 &&
		    sscanf(name, "pf%dvf%d", &pf, &index) == 2 && index == vfio->index)
			strcpy(ret_name, entry->d_name);
	}
}

int us_vfio_describe(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		     struct us_reason *reason)
{
	char directory[PATH_MAX], driver[US_PCI_DRIVER_SIZE], group[32];
	int r;

	if (!us_pci_is_address(address)) {
		us_refuse(reason, "vfio \"%.40s\": is no PCI address", address);
		return us_advise(reason, "write it like 0000:5e:00.2");
	}
	us_pci_directory(sysfs, address, directory);
	if (access(directory, F_OK) < 0) {
		us_refuse(reason, "vfio %s: the device does not exist", address);
		return us_advise(reason, "see lspci -D");
	}

	us_sysfs_link(directory, "driver", driver, sizeof(driver));
	if (!us_pci_is_vfio_driver(driver)) {
		us_refuse(reason, "vfio %s: is bound to %s", address,
			  driver[0] ? driver : "no driver");
		return us_advise(reason, "bind it to vfio-pci");
	}
	us_sysfs_link(directory, "iommu_group", group, sizeof(group));
	if (!group[0]) {
		us_refuse(reason, "vfio %s: is in no IOMMU group", address);
		return us_advise(reason, "switch the IOMMU on");
	}
	r = check_group(directory, group, address, reason);
	if (r != 0)
		return r;
	snprintf(ret_vfio->address, sizeof(ret_vfio->address), "%s", address);
	find_physical_port(directory, ret_vfio->physical_port, sizeof(ret_vfio->physical_port));
	ret_vfio->index = find_index(directory, address);
	find_representor(sysfs, ret_vfio, ret_vfio->representor, sizeof(ret_vfio->representor));
	return 0;
}

int us_vfio_check(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		  struct us_reason *reason)
{
	int fd = -1, r = us_vfio_describe(sysfs, address, ret_vfio, reason);

	if (r == 0)
		r = us_vfio_open_group(sysfs, address, &fd, reason);
	us_close(fd);
	return r;
}

bool us_vfio_is_started(const char *sysfs, const char *address)
{
	US_CLEANUP(us_closep) int fd = -1;
	char path[PATH_MAX], directory[PATH_MAX];
	uint8_t command = 0;

	us_pci_directory(sysfs, address, directory);
	if (snprintf(path, sizeof(path), "%s/config", directory) >= PATH_MAX)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && pread(fd, &command, 1, COMMAND_OFFSET) == 1 &&
	       command & COMMAND_BUS_MASTER;
}
