#!/bin/sh
# The top level of the checkout holds these names, dot-files, and nothing else. Run in the checkout.
set -eu
if git rev-parse --git-dir >/dev/null 2>&1; then
    names=$(git ls-files | cut -d/ -f1 | sort -u)
else
    names=$(ls)
fi
extra=$(echo "$names" | grep -vxE 'runtime|include|examples|tests|bench|CMakeLists\.txt|README\.md|LICENSE|build.*|\..*' || :)
if [ -n "$extra" ]; then
    echo "not expected at the top level: $extra"
    exit 1
fi
