/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab/report/values.h"

const char *us_report_text(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key)) ?: "";
}

double us_report_real(const json_t *json, const char *key)
{
	return json_number_value(json_object_get(json, key));
}
