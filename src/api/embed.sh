#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Turns text files into C strings: embed.sh OUTPUT NAME FILE [NAME FILE]…
set -eu
output=$1
shift
{
	echo '#include "api/interface.h"'
	while [ $# -gt 0 ]; do
		echo "const char $1[] ="
		sed -e 's/[\\"]/\\&/g' -e 's/.*/"&\\n"/' "$2"
		echo ';'
		shift 2
	done
} >"$output"
