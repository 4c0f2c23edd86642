/* SPDX-License-Identifier: BSD-3-Clause */
/* Socket filters: classic BPF programs, which the kernel runs on each message for a socket. */
#pragma once

#include <errno.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A filter loads a MAC address in two parts, as numbers: its first two bytes, and its last four. */
static inline uint32_t us_filter_mac_head(const uint8_t mac[6])
{
	return mac[0] << 8 | mac[1];
}

static inline uint32_t us_filter_mac_tail(const uint8_t mac[6])
{
	return (uint32_t)mac[2] << 24 | mac[3] << 16 | mac[4] << 8 | mac[5];
}

/* Replaces the filter of a socket. Returns 0 or a negative errno. */
static inline int us_filter_attach(int fd, const struct sock_filter *lines, size_t count)
{
	struct sock_fprog program = { .len = count, .filter = (struct sock_filter *)lines };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}
