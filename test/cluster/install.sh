#!/usr/bin/env bash
# Installs the Debian packages named as arguments, and only those that are missing.
# A machine that has them all is not touched, and needs neither root nor a network.
set -euo pipefail

missing=()
for package in "$@"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
  echo "These Debian packages are missing: ${missing[*]}" >&2
  echo "Installing them needs root: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi

export DEBIAN_FRONTEND=noninteractive
# Somebody else may be installing on this machine at this moment: wait for the lock instead of failing.
apt_get() { apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -q "$@"; }

echo "Installing Debian packages: ${missing[*]}" >&2
for package in "${missing[@]}"; do
  if [ -z "$(apt-cache policy "$package" | sed -n 's/^  Candidate: \(.*\)/\1/p' | grep -v '(none)')" ]; then
    apt_get update >&2
    break
  fi
done
# The list of packages may be older than the archive: fetch it anew once if that made the install fail.
install() { apt_get install --yes --no-install-recommends "${missing[@]}" >&2; }
install || { apt_get update >&2 && install; }
