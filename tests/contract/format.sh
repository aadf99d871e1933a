#!/bin/sh
# Every C and C++ file is as clang-format 14 leaves it (other versions format a little differently). Run in the checkout.
set -eu
for tool in clang-format-14 clang-format; do
    if "$tool" --version 2>/dev/null | grep -q 'version 14\.'; then
        find runtime include examples tests bench \( -name '*.[ch]' -o -name '*.cpp' \) 2>/dev/null | sort | xargs "$tool" --dry-run -Werror
        echo "formatted"
        exit 0
    fi
done
echo "clang-format 14 is not installed"
exit 77
