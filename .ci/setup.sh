# Shared by tests/run and examples/run, which source it from the top of the checkout: which packages are needed and missing,
# installing them, and building out of tree. POSIX sh.

# What is missing so far: packages without which nothing can be built, and packages that only some checks use.
missing_needed=
missing_wanted=

say() {
    printf '%s\n' "$*"
}

# present KIND NAME: is it there, however it came?
present() {
    case $1 in
    command) command -v "$2" >/dev/null 2>&1 ;;
    module) pkg-config --exists "$2" >/dev/null 2>&1 ;;
    file) for file in $2; do [ -e "$file" ] && return 0; done && return 1 ;;
    header) for dir in /usr/include /usr/include/* /usr/local/include; do [ -e "$dir/$2" ] && return 0; done && return 1 ;;
    esac
}

# check_packages < list: lines "needed|wanted PACKAGE KIND NAME"; sets missing_needed and missing_wanted.
check_packages() {
    missing_needed=
    missing_wanted=
    while read -r how package kind name; do
        present "$kind" "$name" && continue
        case $how in
        needed) missing_needed="$missing_needed $package" ;;
        wanted) missing_wanted="$missing_wanted $package" ;;
        esac
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages PACKAGES...: with apt, quietly; the caller looks afterwards at what is still missing.
install_packages() {
    if [ "${WEFT_INSTALL:-yes}" = no ] || ! command -v apt-get >/dev/null 2>&1; then
        return 0
    fi
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null 2>&1; then
        return 0
    fi
    say "installing: $*"
    install_log=$(mktemp)
    {
        as_root apt-get -q -o DPkg::Lock::Timeout=120 update
        as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
            install --no-install-recommends "$@"
    } </dev/null >"$install_log" 2>&1 || tail -n 15 "$install_log"
    rm -f "$install_log"
}

# require_packages LIST: install what is missing of the list; exit 1 if something needed stays missing.
require_packages() {
    check_packages <<LIST
$1
LIST
    [ -n "$missing_needed$missing_wanted" ] || return 0
    # shellcheck disable=SC2086 # a list of package names, one word each
    install_packages $missing_needed $missing_wanted
    check_packages <<LIST
$1
LIST
    if [ -n "$missing_needed" ]; then
        say "missing, and not installed by this script (apt-get, and root or sudo, are needed for that):"
        say "   $missing_needed"
        say "These are names of Debian 12 packages. Install what holds the same files here, then run this command again."
        exit 1
    fi
    [ -z "$missing_wanted" ] || say "going on without:$missing_wanted"
}

# What the library itself is built with, and what the examples use on top of it.
library_packages='needed gcc command gcc
needed libc6-dev header stdio.h
needed cmake command cmake
needed make command make
needed pkg-config command pkg-config
needed libhwloc-dev module hwloc >= 2.4
needed liburcu-dev module liburcu-memb'
example_packages='needed libjansson-dev module jansson
needed libutf8proc-dev module libutf8proc
needed libxxhash-dev module libxxhash
needed zlib1g-dev module zlib
needed libjpeg62-turbo-dev module libjpeg'

# cmake_configure DIR LOG OPTIONS...
cmake_configure() {
    configure_dir=$1 configure_log=$2
    shift 2
    cmake -S . -B "$configure_dir" "$@" >"$configure_log" 2>&1 </dev/null
}

# cmake_build DIR LOG: with all processors; adds to the log.
cmake_build() {
    cmake --build "$1" -j "$(nproc)" >>"$2" 2>&1 </dev/null
}
