/* SPDX-License-Identifier: BSD-3-Clause */
/* What the guest boots: the kernel and initramfs that guest/make-image makes. */
#pragma once

#include "lab/world/lab.h"
#include "util/error.h"

/* Fills lab->image. */
int us_lab_image_prepare(struct us_lab *lab, struct us_reason *reason);
