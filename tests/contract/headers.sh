#!/bin/sh
# headers.sh LANGUAGE STANDARD COMPILER: every public header compiles alone, without a warning. Run in the checkout.
set -eu
language=$1 standard=$2 compiler=$3
if ! command -v "$compiler" >/dev/null; then
    echo "$compiler is not installed"
    exit 77
fi
status=0
for header in include/weft.h include/weft/*.h; do
    "$compiler" -x "$language" -std="$standard" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I include "$header" || status=1
done
exit $status
