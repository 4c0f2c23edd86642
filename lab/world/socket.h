/* SPDX-License-Identifier: BSD-3-Clause */
/* Unix sockets that the lab itself listens on. */
#pragma once

/* Binds a socket of @type to @path, in place of what is there. Returns 0 or -errno. */
int us_lab_socket_bind(const char *path, int type, int *ret_fd);
/* The same for a stream socket, which then listens. */
int us_lab_socket_listen(const char *path, int *ret_fd);
