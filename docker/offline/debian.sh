#!/usr/bin/env bash
# A stand-in for debian:SUITE-slim out of a Debian mirror: debian.sh SUITE IMAGE
# Called by make-bases, which says when; MIRROR and SECURITY_MIRROR come from there.
set -euo pipefail
suite=$1 image=$2
mirror=${MIRROR:-http://deb.debian.org/debian}
security=${SECURITY_MIRROR-$mirror-security} # set but empty: without the security suite

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -m 755 "$root"
debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$work/log" 2>&1 || {
    tail -n 20 "$work/log" >&2
    exit 1
}

# The official images do the same four things: no services at installation, no package caches,
# no translations, no documentation but the copyrights.
install -m 755 /dev/stdin "$root/usr/sbin/policy-rc.d" <<<$'#!/bin/sh\nexit 101'
cat >"$root/etc/apt/apt.conf.d/90slim" <<'EOF'
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
EOF
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'EOF'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
EOF
find "$root/usr/share/doc" ! -type d ! -name copyright -delete
for emptied in usr/share/man usr/share/info usr/share/locale var/lib/apt/lists var/cache/apt var/log; do
    find "$root/$emptied" -mindepth 1 ! -type d -delete
done
mkdir -p "$root"/usr/share/man/man{1,5,7,8} # some packages' scripts expect them

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
source_of() { printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "$1" "$2" "$keyring"; }
rm -f "$root/etc/apt/sources.list"
{
    source_of "$mirror" "$suite $suite-updates"
    [ -z "$security" ] || source_of "$security" "$suite-security"
} >"$root/etc/apt/sources.list.d/debian.sources"

# Behind an air gap the mirrors often answer with a certificate of the house, or offer old indexes:
# whatever this machine trusts and tolerates, the stand-in does too. One reason never to publish it.
bundle=/etc/ssl/certs/ca-certificates.crt
changes=(--change 'CMD ["bash"]' --change 'LABEL stand-in=true')
if [ -r "$bundle" ]; then
    install -D -m 644 "$bundle" "$root$bundle"
    install -d "$root/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$root/usr/local/share/ca-certificates/" \;
    changes+=(--change "ENV PIP_CERT=$bundle SSL_CERT_FILE=$bundle")
fi
tolerated=$(apt-config dump 2>/dev/null | grep '^Acquire::Check-' || true)
[ -z "$tolerated" ] || echo "$tolerated" >"$root/etc/apt/apt.conf.d/91host"

tar --numeric-owner -C "$root" -c . | docker import "${changes[@]}" - "$image" >/dev/null
