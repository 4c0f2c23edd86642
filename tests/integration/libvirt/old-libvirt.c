/* SPDX-License-Identifier: BSD-3-Clause */
/* Preloaded into a libvirtd: it then tells its clients that it is libvirt 8.10.0. */

int virConnectGetLibVersion(void *connection, unsigned long *ret_version);

int virConnectGetLibVersion(void *connection, unsigned long *ret_version)
{
	*ret_version = 8010000;
	return 0;
}
