/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a PCI device can be handed to a VM through VFIO, from what sysfs shows.
 *
 * The rule is the kernel's: a group is viable when no device in it is driven by something that
 * may do DMA on the host's behalf. So every other member must be bound to a VFIO driver, to
 * pci-stub, to nothing, or be a bridge. Changes nothing. The group is opened for an instant,
 * because only that shows whether someone else has it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pci/vfio.h"
#include "util/cleanup.h"

US_DEFINE_CLEANUP(DIR *, closedir)

/* The last component of what a symbolic link points to, "" if there is none. */
static void read_link_name(const char *directory, const char *name, char *ret_name, size_t size)
{
	char path[PATH_MAX + 64], target[PATH_MAX];
	ssize_t length;
	const char *slash;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	snprintf(ret_name, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

/* vfio-pci and its variants for one vendor's devices (mlx5_vfio_pci, …). */
static bool is_vfio_driver(const char *driver)
{
	size_t length = strlen(driver);

	return length >= 8 && (strcmp(driver + length - 8, "vfio-pci") == 0 ||
			       strcmp(driver + length - 8, "vfio_pci") == 0);
}

static bool is_bridge(const char *directory)
{
	char path[PATH_MAX + 8], text[16] = "";
	US_CLEANUP(us_closep) int fd = -1;

	snprintf(path, sizeof(path), "%s/class", directory);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 && strncmp(text, "0x0604", 6) == 0;
}

/* "0000:5e:00.2", and nothing that could lead elsewhere as a path. */
static bool is_address(const char *text)
{
	unsigned int domain, bus, device, function;
	char canonical[16];

	if (strlen(text) >= sizeof(canonical) ||
	    sscanf(text, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return false;
	snprintf(canonical, sizeof(canonical), "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff,
		 device & 0x1f, function & 7);
	return strcmp(text, canonical) == 0;
}

static int check_member(const char *devices, const char *member, const char *group,
			const char *address, struct us_reason *reason)
{
	char directory[PATH_MAX], driver[64];

	if (snprintf(directory, sizeof(directory), "%s/%s", devices, member) >=
	    (int)sizeof(directory))
		return -ENAMETOOLONG;
	read_link_name(directory, "driver", driver, sizeof(driver));
	if (!driver[0] || is_vfio_driver(driver) || strcmp(driver, "pci-stub") == 0 ||
	    is_bridge(directory))
		return 0;
	return us_refuse(reason,
			 "vfio %s: group %s is not viable: %s in it is bound to %s: bind all of "
			 "group %s to vfio-pci",
			 address, group, member, driver, group);
}

static int check_group(const char *directory, const char *group, const char *address,
		       struct us_reason *reason)
{
	char path[PATH_MAX];
	US_CLEANUP(closedirp) DIR *devices = NULL;
	const struct dirent *member;
	int r = 0;

	snprintf(path, sizeof(path), "%s/iommu_group/devices", directory);
	devices = opendir(path);
	if (!devices)
		return -errno;
	while (r == 0 && (member = readdir(devices)))
		if (member->d_name[0] != '.')
			r = check_member(path, member->d_name, group, address, reason);
	return r;
}

/* Opening a group fails with EBUSY while anyone has it, or a device of it, open. */
static int check_free(const char *sysfs, const char *group, const char *address,
		      struct us_reason *reason)
{
	char path[PATH_MAX];
	US_CLEANUP(us_closep) int fd = -1;

	snprintf(path, sizeof(path), "%s/../dev/vfio/%s", sysfs, group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	if (errno == EBUSY)
		return us_refuse(reason,
				 "vfio %s: group %s is in use by another process: take it from "
				 "that VM, or name another device",
				 address, group);
	return us_refuse(reason,
			 "vfio %s: /dev/vfio/%s: %s: is vfio-pci loaded, and may we open it?",
			 address, group, us_strerror(errno));
}

/* The PF's interface; one with several has one per port of the card, the first will do. */
static void find_physical_port(const char *directory, char *ret_name, size_t size)
{
	char path[PATH_MAX];
	US_CLEANUP(closedirp) DIR *interfaces = NULL;
	const struct dirent *entry;

	ret_name[0] = '\0';
	snprintf(path, sizeof(path), "%s/physfn/net", directory);
	interfaces = opendir(path);
	while (interfaces && !ret_name[0] && (entry = readdir(interfaces)))
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < size)
			strcpy(ret_name, entry->d_name);
}

int us_vfio_check(const char *sysfs, const char *address, struct us_vfio *ret_vfio,
		  struct us_reason *reason)
{
	char directory[256], driver[64], group[32];
	int r;

	if (!is_address(address))
		return us_refuse(reason,
				 "vfio \"%.40s\": is no PCI address: write it like 0000:5e:00.2",
				 address);
	if (snprintf(directory, sizeof(directory), "%s/bus/pci/devices/%s", sysfs, address) >=
	    (int)sizeof(directory))
		return -ENAMETOOLONG;
	if (access(directory, F_OK) < 0)
		return us_refuse(reason, "vfio %s: there is no such device: see lspci -D", address);

	read_link_name(directory, "driver", driver, sizeof(driver));
	if (!is_vfio_driver(driver))
		return us_refuse(reason, "vfio %s: is bound to %s: bind it to vfio-pci", address,
				 driver[0] ? driver : "no driver");
	read_link_name(directory, "iommu_group", group, sizeof(group));
	if (!group[0])
		return us_refuse(reason, "vfio %s: is in no IOMMU group: switch the IOMMU on",
				 address);
	r = check_group(directory, group, address, reason);
	if (r == 0)
		r = check_free(sysfs, group, address, reason);
	if (r != 0)
		return r;

	snprintf(ret_vfio->address, sizeof(ret_vfio->address), "%s", address);
	find_physical_port(directory, ret_vfio->physical_port, sizeof(ret_vfio->physical_port));
	return 0;
}
