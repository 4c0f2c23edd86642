/* SPDX-License-Identifier: BSD-3-Clause */
/* Closes descriptors beside the loop, because the kernel is slow to close them. */
#pragma once

/*
 * Takes and closes @fd without waiting. For a tap or a packet socket, the kernel first waits for
 * all current senders, which takes 5 to 30 ms. Returns -1.
 */
int us_close_async(int fd);
