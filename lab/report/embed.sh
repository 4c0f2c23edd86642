#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Turns the page into a C string: embed.sh OUTPUT FILE
set -eu
{
	echo '#include "lab/report/html.h"'
	echo 'const char us_html_page[] ='
	sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' "$2"
	echo ';'
} >"$1"
