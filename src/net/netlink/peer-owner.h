/* SPDX-License-Identifier: BSD-3-Clause */
/* The user at the other end of a connection from this host. */
#pragma once

#include <sys/types.h>

/*
 * @fd is a connected stream socket. For a Unix socket, it is the user that connected it
 * (SO_PEERCRED); for TCP, the user that owns the other end (sock_diag(7)). 0, -ENOENT: the other
 * end is on another host, or a negative errno.
 */
int us_peer_owner(int fd, uid_t *ret_uid);
