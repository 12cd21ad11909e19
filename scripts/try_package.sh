#!/usr/bin/env bash
# Makes the .deb, installs it in a bare Debian 12, tries it there, and removes it again.
#
#   scripts/try_package.sh [FOLDER]      as root; needs debootstrap, dpkg-dev and a mirror of Debian
#
# FOLDER (build/package) keeps the package, and the bare system for the next time. HCC_BUILD is the
# build folder, HCC_MIRROR the mirror. Ends with `package: works`, or at the first command that fails.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "${HCC_BUILD:-build}")
mirror=${HCC_MIRROR:-http://deb.debian.org/debian}
mkdir -p "${1:-$build/package}"
work=$(realpath "${1:-$build/package}")
root=$work/root
say() { echo "package: $*"; }

rm -f "$work"/*.deb
(cd "$build" && cpack -B "$work" >"$work/cpack.log" 2>&1) || {
    cat "$work/cpack.log" >&2
    exit 1
}
package=$(echo "$work"/*.deb)
say "$(basename "$package"): $(stat -c %s "$package") bytes"
dpkg-deb -f "$package" Depends
if command -v lintian >/dev/null; then
    lintian --fail-on error "$package" 2>/dev/null
fi

if [ ! -e "$work/bare.tar" ]; then
    say "making a bare Debian 12"
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" "$mirror" >"$work/debootstrap.log"
    chroot "$root" apt-get update -qq
    tar -C "$root" -cf "$work/bare.tar" .
fi
rm -rf "$root"
mkdir "$root"
tar -C "$root" -xf "$work/bare.tar"
cp "$package" "$root/tmp/hcc.deb"

here() { chroot "$root" env LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive HOME=/root "$@"; }
named() { (cd "$root" && find . -path ./proc -prune -o -name '*hcc*' -print -o -name '*hcrt*' -print | sort); }
say "installing"
here apt-get install -y -qq --no-install-recommends /tmp/hcc.deb >"$work/install.log" 2>&1
rm "$root/tmp/hcc.deb"

say "trying it"
cp tests/consumer/main.c tests/consumer/line.hc tests/consumer/in_process.c "$root/root/"
here sh -euxc '
    cd /root
    hcc --version --verbose
    hcc check /usr/share/doc/hcc/examples/shakespeare.hc
    hcc train /usr/share/doc/hcc/examples/shakespeare.hc --data /usr/share/doc/hcc/docs --steps 20 --quiet \
        --set blocks=1 --set d=32 --set heads=2 --out run
    hcc sample run --length 20 >/dev/null
    hcc build line.hc -o line.so && cc -I. main.c ./line.so -o with_library && ./with_library
    hcc build line.hc -o line.o && cc -I. main.c line.o -lhcrt -o with_object && ./with_object
    cc in_process.c -lhcc -o in_process && ./in_process line.hc
    hcc build line.hc -o line && ./line info >/dev/null
    test -e /usr/share/man/man1/hcc-train.1.gz
'
say "removing it"
here apt-get purge -y -qq hcc >"$work/remove.log" 2>&1
rm -rf "$root/root"/* "$root/root/.cache"
if [ -n "$(named)" ] || here dpkg -s hcc >/dev/null 2>&1; then
    named
    say "something is left"
    exit 1
fi
rm -rf "$root"
say "works"
