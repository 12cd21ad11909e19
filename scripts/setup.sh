#!/usr/bin/env bash
# Installs what hcc needs on a bare Debian 12 (as root, or with sudo) and says what it installs.
# Run it, or source it from another script: it defines `setup_packages` and calls it once.
# What is there already is left alone; when nothing is missing it says nothing and needs no root.

# package:probe. The probe is a command, or a file under an include folder; when it is found the
# package counts as there, whoever installed it.
HCC_PACKAGES="
gcc:cc
libc6-dev:@stdlib.h
cmake:cmake
ninja-build:ninja
flex:flex
bison:bison
llvm-19-dev:llvm-config-19
libopenblas-dev:@cblas.h
libjansson-dev:@jansson.h
libpcre2-dev:@pcre2.h
libxxhash-dev:@xxhash.h
librandom123-dev:@Random123/philox.h
libcmocka-dev:@cmocka.h
pkg-config:pkg-config
python3:python3
"

setup_has() {
    case $1 in
    @*)
        local folder
        for folder in /usr/include /usr/include/*-linux-gnu /usr/lib/*-linux-gnu/openmpi/include /usr/local/include; do
            [ -e "$folder/${1#@}" ] && return 0
        done
        return 1
        ;;
    *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# How much apt-get fetches for these packages and what they need.
setup_say_size() {
    apt-get install -y -qq --no-install-recommends --print-uris "$@" 2>/dev/null |
        awk '{ bytes += $3 }
             END { printf "setup: %.0f MB to download; a minute or a few\n", bytes / 1e6 }' >&2
}

# setup_packages "package:probe ...": installs those whose probe finds nothing.
setup_packages() {
    local entry missing=""
    for entry in $1; do
        setup_has "${entry#*:}" || missing="$missing ${entry%%:*}"
    done
    [ -z "$missing" ] && return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "setup: missing:$missing" >&2
        echo "setup: this is not Debian; install what corresponds to these packages, then try again" >&2
        return 1
    fi
    local root=""
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            echo "setup: missing:$missing" >&2
            echo "setup: run 'apt-get install$missing' as root, then try again" >&2
            return 1
        fi
        root=sudo
    fi
    echo "setup: installing$missing" >&2
    local log
    log=$(mktemp)
    # shellcheck disable=SC2086
    {
        $root env DEBIAN_FRONTEND=noninteractive apt-get update -qq >"$log" 2>&1 &&
            setup_say_size $missing &&
            $root env DEBIAN_FRONTEND=noninteractive \
                apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1
    } || {
        cat "$log" >&2
        rm -f "$log"
        echo "setup: apt-get could not install:$missing" >&2
        return 1
    }
    rm -f "$log"
}

setup_packages "$HCC_PACKAGES" || { return 1 2>/dev/null || exit 1; }
