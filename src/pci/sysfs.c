/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of sysfs, read and written whole. Caches nothing. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "pci/sysfs.h"

bool us_pci_is_address(const char *text)
{
	unsigned int domain, bus, device, function;
	char canonical[US_PCI_ADDRESS_SIZE];

	if (strlen(text) >= sizeof(canonical) ||
	    sscanf(text, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return false;
	snprintf(canonical, sizeof(canonical), "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff,
		 device & 0x1f, function & 7);
	return strcmp(text, canonical) == 0;
}

void us_pci_directory(const char *sysfs, const char *address, char ret_path[PATH_MAX])
{
	snprintf(ret_path, PATH_MAX, "%s/bus/pci/devices/%s", sysfs, address);
}

/* A path that does not fit counts as missing. */
static bool join(char path[PATH_MAX], const char *directory, const char *name)
{
	return snprintf(path, PATH_MAX, "%s/%s", directory, name) < PATH_MAX;
}

void us_sysfs_link(const char *directory, const char *name, char *ret_name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t length = -1;
	const char *slash;

	if (join(path, directory, name))
		length = readlink(path, target, sizeof(target) - 1);
	target[length < 0 ? 0 : length] = '\0';
	slash = strrchr(target, '/');
	snprintf(ret_name, size, "%.*s", (int)size - 1, slash ? slash + 1 : target);
}

int us_sysfs_read(const char *directory, const char *name, char *ret_text, size_t size)
{
	US_CLEANUP(us_closep) int fd = -1;
	char path[PATH_MAX];
	ssize_t length;

	ret_text[0] = '\0';
	if (!join(path, directory, name))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	length = read(fd, ret_text, size - 1);
	if (length < 0)
		return -errno;
	ret_text[length] = '\0';
	ret_text[strcspn(ret_text, "\n")] = '\0';
	return 0;
}

int us_sysfs_write(const char *directory, const char *name, const char *text)
{
	US_CLEANUP(us_closep) int fd = -1;
	char path[PATH_MAX];

	if (!join(path, directory, name))
		return -ENAMETOOLONG;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

bool us_pci_is_vfio_driver(const char *driver)
{
	size_t length = strlen(driver);

	return length >= 8 && (strcmp(driver + length - 8, "vfio-pci") == 0 ||
			       strcmp(driver + length - 8, "vfio_pci") == 0);
}
