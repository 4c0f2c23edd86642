/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory for JSON. */
#pragma once

/* Before anything is done with JSON. */
void us_memory_init(void);
