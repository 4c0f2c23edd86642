/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/world/net.h"
#include "lab/world/netboot.h"
#include "lab/world/process.h"

static int publish(const char *dir, const char *name, const char *target)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	return symlink(target, path) ? -errno : 0;
}

static int write_file(const char *path, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static int write_file(const char *path, const char *format, ...)
{
	FILE *file = fopen(path, "we");
	va_list arguments;

	if (!file)
		return -errno;
	va_start(arguments, format);
	vfprintf(file, format, arguments);
	va_end(arguments);
	return fclose(file) ? -errno : 0;
}

int us_lab_netboot_start(struct us_lab *lab, const char *script)
{
	char www[200], path[300], leases[300];
	const char *const httpd[] = { "busybox", "httpd", "-f", "-p", "80", "-h", www, NULL };
	const char *const udhcpd[] = { "busybox", "udhcpd", "-f", path, NULL };
	pid_t pid;
	int r;

	snprintf(www, sizeof(www), "%s/www", lab->dir);
	if (mkdir(www, 0755) && errno != EEXIST)
		return -errno;
	r = publish(www, "vmlinuz", lab->image.kernel_packed);
	if (!r)
		r = publish(www, "initrd", lab->image.initrd);
	snprintf(path, sizeof(path), "%s/boot.ipxe", www);
	if (!r)
		r = write_file(path, "#!ipxe\n%s", script);
	if (!r)
		r = us_lab_process_start(lab, "client", "client-httpd", httpd, &pid);

	snprintf(path, sizeof(path), "%s/udhcpd.conf", lab->dir);
	snprintf(leases, sizeof(leases), "%s/udhcpd.leases", lab->dir);
	if (!r)
		r = write_file(leases, "%s", "");
	if (!r)
		r = write_file(
			path,
			"interface uplink\nstart %s\nend %s\nlease_file %s\npidfile %s.pid\n"
			"boot_file " US_LAB_NETBOOT_URL "/boot.ipxe\noption subnet 255.255.255.0\n",
			us_lab_net_nics[0].address, us_lab_net_nics[0].address, leases, leases);
	return r ? r : us_lab_process_start(lab, "client", "client-udhcpd", udhcpd, &pid);
}
