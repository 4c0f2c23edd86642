/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose the other end of a connection from this host is. */
#pragma once

#include <sys/types.h>

/*
 * The user at the other end of @fd, a connected stream socket: of a Unix socket who connected it
 * (SO_PEERCRED), of TCP who owns the other end, if that is on this host too (sock_diag(7)). Returns
 * 0, -ENOENT if it is not, or a negative errno.
 */
int us_peer_owner(int fd, uid_t *ret_uid);
