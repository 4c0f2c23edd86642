/* SPDX-License-Identifier: BSD-3-Clause */
/* Closing what the kernel is slow to close, beside the loop. */
#pragma once

/*
 * Closes a descriptor without waiting: for a tap, or a packet socket, the kernel lets everybody
 * finish first who may be sending, and that takes 5 to 30 ms. Returns -1.
 */
int us_close_async(int fd);
