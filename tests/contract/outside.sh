#!/bin/sh
# outside.sh PREFIX: a program outside the tree is built against the weft installed in PREFIX, by CMake and by pkg-config,
# shared and static, as C and as C++, and runs. Run in the checkout. The environment chooses the compilers (CC, CXX).
set -eu
prefix=$1
source=tests/contract/outside
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! command -v "${CXX:-g++}" >/dev/null; then
    echo "${CXX:-g++} is not installed"
    exit 77
fi

echo "find_package(weft): weft::weft, weft::shared, weft::static"
cmake -S "$source" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$work/cmake" >/dev/null
(cd "$work/cmake" && ctest --output-on-failure)

PKG_CONFIG_PATH=$(find "$prefix" -type d -name pkgconfig)
export PKG_CONFIG_PATH
libraries=$(pkg-config --variable=libdir weft)

# links NAME PREFIX COMPILER SOURCE...: build the program; NAME says whether it must need libweft.so at run time.
links() {
    echo "pkg-config, $1: $3"
    kind=$1
    shift
    "$@" -o "$work/program" || exit 1
    case $kind in
    shared) LD_LIBRARY_PATH=$libraries ldd "$work/program" | grep -q 'libweft\.so\.0 => /' ;;
    static) ! ldd "$work/program" | grep libweft ;;
    esac || { echo "not linked as asked" && exit 1; }
    LD_LIBRARY_PATH=$libraries "$work/program"
}

program=$source/program.c
# shellcheck disable=SC2046 # flags, one word each
{
    links shared "${CC:-cc}" "$program" $(pkg-config --cflags --libs weft)
    links static "${CC:-cc}" "$program" $(pkg-config --cflags --libs weft-static)
    links shared "${CXX:-g++}" -x c++ "$program" -x none $(pkg-config --cflags --libs weft)
    links static "${CXX:-g++}" -x c++ "$program" -x none $(pkg-config --cflags --libs weft-static)
}

# Where only the static library was installed, the usual names give it.
cp -R "$prefix" "$work/static-only"
find "$work/static-only" \( -name 'libweft.so*' -o -name 'weft-shared-*' \) -exec rm {} +
PKG_CONFIG_PATH=$(find "$work/static-only" -type d -name pkgconfig)
# shellcheck disable=SC2046
links static "${CC:-cc}" "$program" $(pkg-config --cflags --static --libs weft)
