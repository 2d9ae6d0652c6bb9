#!/bin/sh
# Installs the real clients that the tests hold the server against: Debian 12 and its like, as root.
# Elsewhere it changes nothing, and the tests whose client is missing are skipped by name.
set -eu
packages="apt-file apt-utils chromium curl createrepo-c dnf dpkg-dev gnupg gpgv iproute2 libsolv-tools libxml2-utils mmdebstrap nginx-light openssl pgbouncer postgresql python3 rpm sqv strace systemd xz-utils zstd zypper"
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then exit 0; fi
missing=
for package in $packages; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
  echo "Not root, so these clients stay away and their tests are skipped:$missing" >&2
  exit 0
fi
echo "Installing the clients that the tests need:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
